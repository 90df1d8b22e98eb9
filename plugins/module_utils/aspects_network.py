# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Aspect network: what a container reaches."""

from __future__ import annotations

from ansible_collections.berth.projects.plugins.module_utils.aspect import Body, Container, Site
from ansible_collections.berth.projects.plugins.module_utils.definition import Definition
from ansible_collections.berth.projects.plugins.module_utils.fingerprint import Values
from ansible_collections.berth.projects.plugins.module_utils.names import inner_network, open_network
from ansible_collections.berth.projects.plugins.module_utils.steps import Step

PROXY_HOST = "berth-proxy"
PROXY_PORT = 3128
HOST_NAME = "host.docker.internal"
HOST_ENTRY = f"{HOST_NAME}:host-gateway"

_PROXY_URL = f"http://{PROXY_HOST}:{PROXY_PORT}"
_NO_PROXY = "localhost,127.0.0.1,::1"
PROXY_VARIABLES = {
    **{key: _PROXY_URL for name in ("HTTP_PROXY", "HTTPS_PROXY") for key in (name, name.lower())},
    **dict.fromkeys(("NO_PROXY", "no_proxy"), _NO_PROXY),
}
"""Both cases: curl reads http_proxy alone, others read HTTP_PROXY alone."""

# An old engine's resolver (before 23.0.11, 25.0.5 and 26.0) asks the host's own on behalf of a container on an internal
# network too, which is a way out for whoever owns a domain. It asks what is named here from within the container, where
# nothing answers.
_NO_RESOLVER = "127.0.0.1"
_QUICK = ["timeout:1", "attempts:1"]

_SHARED = "bridge"
_NOWHERE = "none"
_FIXED = ("egress", "proxy", "host")
"""Values that a container is made with: the engine cannot change them."""


def wanted_network(definition: Definition, site: Site) -> Values:
    network = definition.network
    values: dict[str, str | None] = {"egress": network.egress, "proxy": None, "host": None}
    if network.egress == "open":
        values["host"] = HOST_NAME if network.host_access else None
        values[open_network(definition.name)] = "connected"
    if network.is_restricted:
        values["proxy"] = "another one" if network.proxy == "" else network.proxy
        values[inner_network(definition.name)] = "connected"
    return values


def actual_network(container: Container, wanted: Values) -> Values:
    """What a real container reaches.

    Networks that somebody connected besides are left alone where the declared one is open: they take nothing away.
    They would open a restricted one, and one that is to reach nothing. The engine's own bridge is shared by all that is
    on it, so nobody stays there.
    """
    joined = container["NetworkSettings"].get("Networks") or {}
    values: dict[str, str | None] = {
        "egress": egress_of(container),
        "proxy": proxy_of(container),
        "host": HOST_NAME if any(entry.startswith(f"{HOST_NAME}:") for entry in _hosts(container)) else None,
    }
    if wanted.get("proxy") is None and values["egress"] == wanted["egress"]:
        values["proxy"] = None  # its network is still to be made, and can get the same address
    known = [name for name in wanted if name not in _FIXED]
    values.update({name: "connected" if name in joined else None for name in known})
    more = [name for name in joined if name not in wanted and name != _NOWHERE]
    values.update({name: "connected" for name in more if wanted["egress"] != "open" or name == _SHARED})
    return values


def egress_of(container: Container) -> str:
    """How a container was made: ``open``, ``restricted`` or ``none``."""
    if container["HostConfig"].get("NetworkMode") == "none":
        return "none"
    return "restricted" if proxy_of(container) else "open"


def proxy_of(container: Container) -> str | None:
    """The address of the proxy that a container was made with."""
    entries = (entry.partition(":") for entry in _hosts(container))
    return next((address for name, _colon, address in entries if name == PROXY_HOST), None)


def _hosts(container: Container) -> list[str]:
    return container["HostConfig"].get("ExtraHosts") or []


def change_network(before: Values, after: Values) -> Step | None:
    """Networks are joined and left as the container runs; what it was made with takes a new one."""
    if any(before.get(key) != after.get(key) for key in _FIXED):
        return None
    names = sorted({*before, *after})
    leave = [name for name in names if before.get(name) and not after.get(name)]
    join = [name for name in names if after.get(name) and not before.get(name)]
    told = [*(f"leave {name}" for name in leave), *(f"join {name}" for name in join)]
    return Step("connect", ", ".join(told), {"leave": leave, "join": join})


def create_network(definition: Definition, site: Site) -> Body:
    network = definition.network
    if network.egress == "none":
        return {"HostConfig": {"NetworkMode": "none"}}
    if not network.is_restricted:
        hosts = [HOST_ENTRY] if network.host_access else []
        return {"HostConfig": {"NetworkMode": open_network(definition.name), "ExtraHosts": hosts}}
    if not network.proxy:
        raise ValueError("the proxy's address is not settled")
    return {
        "Env": {**PROXY_VARIABLES, "BERTH_PROXY": f"{PROXY_HOST}:{PROXY_PORT}"},
        "HostConfig": {
            "NetworkMode": inner_network(definition.name),
            "ExtraHosts": [f"{PROXY_HOST}:{network.proxy}"],
            "Dns": [_NO_RESOLVER],
            "DnsOptions": _QUICK,
        },
    }
