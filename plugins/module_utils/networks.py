# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The networks of a project: which it should have, which there are, and what an engine is asked for. Pure.

No firewall rule is needed for any of this. A container with restricted egress stands on an internal network, to which
the engine routes nothing, and on whose bridge the host has no address of its own (``inhibit_ipv4``): without that, the
host's services would answer at the network's gateway.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.names import (
    MANAGED,
    PROJECT,
    SCOPE,
    egress_network,
    inner_network,
    open_network,
    ownership_labels,
)

_BRIDGE = "com.docker.network.bridge."

PREFIX = 28
"""Of each network's subnet: 14 addresses, of which the gateway, a proxy and two containers take four."""


@dataclass(frozen=True)
class NetworkSpec:
    """A network as it should be.

    Args:
        name: On the engine.
        project: Whose it is.
        internal: Whether the engine routes nothing out of it.
        options: Of the bridge driver.
        keeps_address: Whether the engine gives its lower addresses to nobody by itself: the proxy has one of them.
    """

    name: str
    project: str
    internal: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    keeps_address: bool = False


@dataclass(frozen=True)
class FoundNetwork:
    """A network as the engine lists it; ``subnet`` is empty where it has none, or several."""

    id: str
    name: str
    labels: Mapping[str, str]
    driver: str
    internal: bool
    ipv6: bool
    options: Mapping[str, str]
    subnet: str

    def is_ours(self, scope: str) -> bool:
        return self.labels.get(MANAGED) == "true" and self.labels.get(SCOPE) == scope and bool(self.project)

    @property
    def project(self) -> str:
        return self.labels.get(PROJECT, "")


class Networks:
    """The networks of an engine."""

    def __init__(self, answer: Iterable[Mapping[str, Any]] = (), scope: str = "") -> None:
        self.scope = scope
        self.all = tuple(_found(entry) for entry in answer)
        self.subnets = frozenset(subnet for entry in answer for subnet in _subnets(entry))
        """All that are taken, in the form ``10.0.0.0/24``."""
        self._by_name = {one.name: one for one in self.all}
        self._of_project: dict[str, list[FoundNetwork]] = {}
        for one in self.ours:
            self._of_project.setdefault(one.project, []).append(one)

    @property
    def ours(self) -> tuple[FoundNetwork, ...]:
        """Those that carry the labels of the scope."""
        return tuple(one for one in self.all if one.is_ours(self.scope))

    def named(self, name: str) -> FoundNetwork | None:
        return self._by_name.get(name)

    def of(self, project: str) -> tuple[FoundNetwork, ...]:
        """Those of a project, by the labels and the name; the engine lists them in any order, and this does not."""
        names = network_names(project)
        found = (one for one in self._of_project.get(project, ()) if one.name in names)
        return tuple(sorted(found, key=lambda one: one.name))


def network_names(project: str) -> tuple[str, ...]:
    """What the networks of a project are called, whichever it has."""
    return (open_network(project), inner_network(project), egress_network(project))


def wanted_networks(project: str, egress: str) -> tuple[NetworkSpec, ...]:
    """The networks that a project needs, that of its container first."""
    if egress == "open":
        return (NetworkSpec(open_network(project), project),)
    if egress == "restricted":
        inner = NetworkSpec(
            inner_network(project),
            project,
            internal=True,
            options={f"{_BRIDGE}inhibit_ipv4": "true"},
            keeps_address=True,
        )
        # No other container is on it; should somebody connect one, the two do not reach each other.
        outer = NetworkSpec(egress_network(project), project, options={f"{_BRIDGE}enable_icc": "false"})
        return (inner, outer)
    return ()


def network_misfit(found: FoundNetwork, spec: NetworkSpec, scope: str) -> str | None:
    """Why a network of the right name cannot be used, or None."""
    if not found.is_ours(scope) or found.project != spec.project:
        return (
            f"There is a network {found.name} that is not this project's. Berth touches only its own: remove it "
            f"('docker network rm {found.name}') or give the project another name."
        )
    misfits = [
        word
        for word, is_so in (
            (f"its driver is {found.driver} and not bridge", found.driver != "bridge"),
            ("it is not internal", spec.internal and not found.internal),
            ("it is internal", found.internal and not spec.internal),
            ("it has IPv6", found.ipv6),
            ("it has not one IPv4 subnet", not found.subnet),
        )
        if is_so
    ]
    options = [(key, value) for key, value in spec.options.items() if found.options.get(key) != value]
    misfits += [f"its option {key} is not {value}" for key, value in options]
    if not misfits:
        return None
    return (
        f"The network {found.name} is not as Berth makes it ({', '.join(misfits)}), so it does not keep what it is "
        f"for. Stop the project, remove the network ('docker network rm {found.name}') and run again."
    )


def network_body(spec: NetworkSpec, subnet: IPv4Network, scope: str) -> dict[str, Any]:
    """The body of ``POST /networks/create``.

    Args:
        spec: Which one.
        subnet: With room for its addresses.
        scope: Whose it is.
    """
    config = {"Subnet": str(subnet), "Gateway": str(subnet.network_address + 1)}
    if spec.keeps_address:
        config["IPRange"] = str(list(subnet.subnets(prefixlen_diff=1))[1])
    return {
        "Name": spec.name,
        "CheckDuplicate": True,
        "Driver": "bridge",
        "Internal": spec.internal,
        "EnableIPv6": False,
        "IPAM": {"Driver": "default", "Config": [config]},
        "Options": dict(spec.options),
        "Labels": ownership_labels(spec.project, scope),
    }


def proxy_address(subnet: str) -> str:
    """The address of the proxy in a project's inner network: the first after the gateway's."""
    return str(IPv4Network(subnet).network_address + 2)


def subnet_of(proxy: str) -> IPv4Network:
    """The inverse of ``proxy_address``, for subnets as Berth makes them."""
    return IPv4Network(f"{proxy}/{PREFIX}", strict=False)


def is_taken(proxy: str, taken: Iterable[str]) -> bool:
    """Whether a network of the engine has the subnet, or some of it, that a proxy of this address was in."""
    wanted = subnet_of(proxy)
    return any(IPv4Network(text, strict=False).overlaps(wanted) for text in taken)


def free_subnets(pool: str, taken: Iterable[str]) -> Iterator[IPv4Network]:
    """The subnets of a pool that overlap none that is taken, lowest first."""
    whole = IPv4Network(pool)
    first, size = int(whole.network_address), 2 ** (32 - PREFIX)
    used: set[int] = set()
    for one in (IPv4Network(text, strict=False) for text in taken):
        if one.overlaps(whole):
            lowest = max(int(one.network_address), first)
            highest = min(int(one.broadcast_address), int(whole.broadcast_address))
            used.update(range((lowest - first) // size, (highest - first) // size + 1))
    for number in range(whole.num_addresses // size):
        if number not in used:
            yield IPv4Network((first + number * size, PREFIX))


def _found(entry: Mapping[str, Any]) -> FoundNetwork:
    subnets = _subnets(entry)
    return FoundNetwork(
        id=entry["Id"],
        name=entry["Name"],
        labels=entry.get("Labels") or {},
        driver=entry.get("Driver") or "",
        internal=bool(entry.get("Internal")),
        ipv6=bool(entry.get("EnableIPv6")),
        options=entry.get("Options") or {},
        subnet=subnets[0] if len(subnets) == 1 else "",
    )


def _subnets(entry: Mapping[str, Any]) -> list[str]:
    configs = (entry.get("IPAM") or {}).get("Config") or []
    return [one["Subnet"] for one in configs if "." in one.get("Subnet", "")]
