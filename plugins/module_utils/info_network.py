# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What module ``info`` tells of what a project reaches, and of what its proxy has refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.aspects_mounted import wanted_port_values
from ansible_collections.berth.projects.plugins.module_utils.aspects_network import egress_of
from ansible_collections.berth.projects.plugins.module_utils.definition import Definition
from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.fingerprint import Values
from ansible_collections.berth.projects.plugins.module_utils.world import View

_DENIED = re.compile(r"berth: denied (?P<time>\S+) (?P<request>\S.*)")
"""What a proxy prints of each request that it refuses: the time, the method and the target."""

_SHOWN = 5


def network_details(engine: Engine, view: View, definition: Definition | None) -> dict[str, Any]:
    """``{"egress": …, "proxy": …, "denied": …, "denied_last": […]}`` of a project.

    ``egress`` is that of the container, ``proxy`` the state of its proxy or None, ``denied`` counts what the proxy's
    output still tells of, which the engine keeps up to 3 MB of.
    """
    if view.container is None:
        return {"egress": None, "proxy": None, "denied": 0, "denied_last": []}
    details: dict[str, Any] = {"egress": egress_of(view.container), "proxy": None, "denied": 0, "denied_last": []}
    if details["egress"] != "restricted":
        return details
    if view.proxy is None:
        return {**details, "proxy": "missing"}
    denied = [match for line in engine.printed(view.proxy.id) if (match := _DENIED.fullmatch(line))]
    last = [{"time": match["time"], "request": match["request"]} for match in denied[-_SHOWN:]]
    state = view.proxy.health if view.proxy.health == "unhealthy" else view.proxy.status
    return {**details, "proxy": state, "denied": len(denied), "denied_last": last}


def health_with_proxy(
    health: str | None, details: Mapping[str, Any], is_running: bool
) -> tuple[str | None, str | None]:
    """A project's health, and what is wrong with it, where its proxy does not work: nothing can be reached then."""
    if details["egress"] != "restricted" or not is_running or details["proxy"] == "running":
        return health, None
    return "unhealthy", f"its proxy is {details['proxy']}, so it reaches nothing"


def forwarded_ports(view: View, definition: Definition | None) -> Values:
    """The ports of the host that the proxy passes on."""
    is_passed_on = view.proxy is not None and view.proxy.is_running and definition is not None
    return wanted_port_values(definition.ports) if is_passed_on and definition else {}
