# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Aspects that the engine changes as the container runs: resources, restart policy."""

from __future__ import annotations

from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.aspect import Body, Container, Site
from ansible_collections.berth.projects.plugins.module_utils.definition import Definition
from ansible_collections.berth.projects.plugins.module_utils.fingerprint import Values
from ansible_collections.berth.projects.plugins.module_utils.steps import Step

# resources


def wanted_resources(definition: Definition, site: Site) -> Values:
    limits = definition.resources
    return {"nano_cpus": limits.nano_cpus, "cpu_quota": None, "memory": limits.memory, "pids": limits.pids}


def actual_resources(container: Container, wanted: Values) -> Values:
    """Berth never sets a quota; 'docker update --cpu-quota' does, and the engine takes no NanoCpus after that."""
    host = container["HostConfig"]
    quota, pids = host.get("CpuQuota") or 0, host.get("PidsLimit") or 0
    return {
        "nano_cpus": host.get("NanoCpus") or None,
        "cpu_quota": quota if quota > 0 else None,
        "memory": host.get("Memory") or None,
        "pids": pids if pids > 0 else None,
    }


def update_resources(values: Values) -> Body:
    """Swap goes along with memory always: the engine refuses memory above the old sum of both.

    Twice the memory is what the engine itself gives a container that names no swap.
    """
    body: dict[str, Any] = {"PidsLimit": values["pids"] or -1}
    if values["nano_cpus"]:
        body["NanoCpus"] = values["nano_cpus"]
    memory = values["memory"]
    if isinstance(memory, int):
        body.update(Memory=memory, MemorySwap=2 * memory)
    return body


def change_resources(before: Values, after: Values) -> Step | None:
    """The engine takes a limit of 0 as "no change" and refuses -1: a memory or CPU limit cannot be lifted live."""
    lifted = any(before[key] and not after[key] for key in ("nano_cpus", "cpu_quota", "memory"))
    return None if lifted else Step("update", "resources", update_resources(after))


def create_resources(definition: Definition, site: Site) -> Body:
    body = dict(update_resources(wanted_resources(definition, site)))
    if definition.resources.pids is None:
        del body["PidsLimit"]
    return {"HostConfig": body}


# restart


def wanted_restart(definition: Definition, site: Site) -> Values:
    return {"policy": definition.restart}


def actual_restart(container: Container, wanted: Values) -> Values:
    policy = container["HostConfig"].get("RestartPolicy") or {}
    return {"policy": policy.get("Name") or "no"}


def update_restart(values: Values) -> Body:
    return {"RestartPolicy": {"Name": values["policy"]}}


def change_restart(before: Values, after: Values) -> Step:
    return Step("update", "restart", update_restart(after))


def create_restart(definition: Definition, site: Site) -> Body:
    return {"HostConfig": update_restart(wanted_restart(definition, site))}
