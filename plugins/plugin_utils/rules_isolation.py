# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a schema cannot say of ``runtime`` and ``hardening``, and what opens a project further than it seems. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.definition import normal_path
from ansible_collections.berth.projects.plugins.plugin_utils.schema import Problem

Definition = Mapping[str, Any]


def isolation_problems(definitions: Sequence[Definition]) -> Iterator[Problem]:
    """What does not go together in the projects of one host, each merged and allowed by the schema."""
    for index, definition in enumerate(definitions):
        if not definition.get("docker_access"):
            continue
        place = ("berth_projects", index)
        if definition.get("runtime") == "runsc":
            text = "does not go together with docker_access: gVisor passes no socket of the host through"
            yield Problem((*place, "runtime"), text)
        if definition.get("hardening") == "strict":
            text = "does not go together with docker_access, which gives the agent all that root can do on the host"
            yield Problem((*place, "hardening"), text)


def isolation_warnings(definitions: Sequence[Definition]) -> Iterator[str]:
    """What opens a project further than one may think; a project that is to be absent opens nothing."""
    there = [definition for definition in definitions if definition.get("state") != "absent"]
    workspaces = sorted(
        (normal_path(workspace["path"]), definition["name"])
        for definition in there
        for workspace in definition.get("workspaces") or ()
    )
    for definition in there:
        name = definition["name"]
        for port in definition.get("ports") or ():
            if not _is_loopback(port.get("host_ip") or "127.0.0.1"):
                where = f"port {port['host']} listens on {port['host_ip']}"
                yield f"project {name}: {where}: others than this host reach it"
        for folder in _writable(definition):
            inside = sorted(set(_owners_below(folder, workspaces)) - {name})
            if inside:
                told = f"{folder} contains workspaces of other projects ({', '.join(inside)})"
                yield f"project {name}: {told}, which its agent can change"


def _owners_below(folder: str, workspaces: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Whose workspaces are in a folder. They lie side by side, so not all of a large host are looked at for each."""
    below = folder.rstrip("/") + "/"
    for index in range(bisect_left(workspaces, (below, "")), len(workspaces)):
        path, name = workspaces[index]
        if not path.startswith(below):
            return
        yield name


def _writable(definition: Definition) -> list[str]:
    paths = [one["path"] for one in definition.get("workspaces") or () if not one.get("read_only")]
    paths += [
        one["source"]
        for one in definition.get("mounts") or ()
        if (one.get("type") or "bind") == "bind" and not one.get("read_only")
    ]
    return [normal_path(path) for path in paths]


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:  # told as a problem
        return True
