# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a schema cannot say of the key ``network``, and of what does not go together with it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.aspects_network import HOST_NAME, PROXY_VARIABLES
from ansible_collections.berth.projects.plugins.module_utils.terms import POOL, PRIVATE_IPV4
from ansible_collections.berth.projects.plugins.plugin_utils.schema import Problem

Definition = Mapping[str, Any]
Path = tuple  # of the steps to a place, as in Problem

_HIGHEST_PORT = 65535


def pool_problems(pool: str | None) -> Iterator[Problem]:
    """What is wrong with ``berth_network_pool``.

    The host has an address in most networks that are made of it. A proxy must not lead there, and must not be made anew
    for each that comes or goes.
    """
    place = ("berth_network_pool",)
    try:
        network = IPv4Network(pool or POOL)
    except ValueError:
        yield Problem(place, f"must be a network by its first address, such as {POOL}, and is {pool}")
        return
    if not any(network.subnet_of(IPv4Network(one)) for one in PRIVATE_IPV4):
        yield Problem(
            place,
            "must be in a network where no allowed name may lead, such as 10.0.0.0/8, 100.64.0.0/10, 172.16.0.0/12 or "
            f"192.168.0.0/16, and {pool} is among public addresses",
        )


def network_problems(definitions: Sequence[Definition], has_own_proxy: bool) -> Iterator[Problem]:
    """What is wrong with what the projects of one host reach.

    Args:
        definitions: Each merged and allowed by the schema.
        has_own_proxy: Whether the proxy is Berth's own, and not an image that the user has named.
    """
    for index, definition in enumerate(definitions):
        network = definition.get("network") or {}
        place: Path = ("berth_projects", index)
        egress = network.get("egress") or "open"
        if egress == "restricted":
            yield from _restricted_problems(place, definition, has_own_proxy)
        elif network.get("allow"):
            text = f"is for egress: restricted, and egress is {egress}: set that, or leave allow out"
            yield Problem((*place, "network", "allow"), text)
        if egress == "none":
            yield from _none_problems(place, definition)
        if egress != "open" and definition.get("docker_access"):
            text = f"gives the whole host, and so does not go together with network.egress: {egress}"
            yield Problem((*place, "docker_access"), text)


def _restricted_problems(place: Path, definition: Definition, has_own_proxy: bool) -> Iterator[Problem]:
    yield from _allow_problems((*place, "network"), definition["network"])
    for index, port in enumerate(definition.get("ports") or ()):
        where = (*place, "ports", index)
        if not has_own_proxy:
            yield Problem(
                where, "only Berth's own proxy passes ports on with restricted egress, not berth_egress_image"
            )
        elif port.get("protocol") == "udp":
            yield Problem(
                (*where, "protocol"), "must be tcp with network.egress: restricted, where a proxy passes it on"
            )
    for key in definition.get("env") or {}:
        if key in PROXY_VARIABLES:
            yield Problem((*place, "env", key), "is set by Berth itself with network.egress: restricted")


def _allow_problems(place: Path, network: Mapping[str, Any]) -> Iterator[Problem]:
    names_host = False
    for index, entry in enumerate(network.get("allow") or ()):
        where = (*place, "allow", index)
        domain, _colon, port = entry.lower().partition(":")
        if port and not 1 <= int(port) <= _HIGHEST_PORT:
            yield Problem(where, f"has the port {port}, and ports are from 1 to {_HIGHEST_PORT}")
        if domain != HOST_NAME:
            continue
        names_host = True
        if not network.get("host_access"):
            yield Problem(where, "is the project's host: set host_access: true, or leave it out")
        elif not port:
            yield Problem(where, f"lacks the port of the host that is opened, as in {HOST_NAME}:11434")
    if network.get("host_access") and not names_host:
        text = f"opens nothing with egress: restricted before allow names ports of the host, as in {HOST_NAME}:11434"
        yield Problem((*place, "host_access"), text)


def _none_problems(place: Path, definition: Definition) -> Iterator[Problem]:
    if definition["network"].get("host_access"):
        text = "does not go together with egress: none, which has no network at all: use restricted"
        yield Problem((*place, "network", "host_access"), text)
    if definition.get("ports"):
        text = "cannot be reached with network.egress: none, which has no network at all: use restricted"
        yield Problem((*place, "ports"), text)
