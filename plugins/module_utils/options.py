# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The argument specifications of the modules that work on projects."""

from __future__ import annotations

from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.connection import CONNECTION_ARGS
from ansible_collections.berth.projects.plugins.module_utils.image_base import LATEST
from ansible_collections.berth.projects.plugins.module_utils.terms import FROM_DEFINITION, OPERATIONS
from ansible_collections.berth.projects.plugins.module_utils.terms import POOL as NETWORK_POOL

_PROJECTS: dict[str, dict[str, Any]] = {
    "projects": {"type": "list", "elements": "dict"},
    # The control node's half reads it; it is never sent.
    "projects_dir": {"type": "str"},
    "defaults": {"type": "dict", "default": {}},
    "env": {"type": "dict", "default": {}},
    "image": {"type": "str", "default": LATEST},
    "mcp_servers": {"type": "dict", "default": {}},
    "egress_image": {"type": "str"},
    "egress_template": {"type": "str"},
    "egress_command": {"type": "list", "elements": "str"},
    "egress_reload": {"type": "list", "elements": "str"},
    "instructions": {"type": "str"},
    "templates": {"type": "dict", "default": {}},
    "only": {"type": "raw"},
    "scope": {"type": "str", "default": "default"},
    "state_dir": {"type": "path"},
    "parallel": {"type": "int", "default": 8},
    # The control node's half sees to it; it is never sent.
    "variables": {"type": "bool", "default": False},
    # One opaque text: no_log on the options of a list would mask innocent words all over the result.
    "payload": {"type": "str", "no_log": True},
}
_RUN: dict[str, dict[str, Any]] = {
    "state": {"type": "str", "choices": ["started", "stopped"]},
    "apply_image_changes": {"type": "bool", "default": False},
    "prune": {"type": "bool", "default": False},
    "when_busy": {"type": "str", "choices": ["defer", "force"], "default": "defer"},
    "base_image": {"type": "bool", "default": False},
    "report_needs": {"type": "bool", "default": False},
    "gvisor": {"type": "bool", "default": False},
}


def info_args() -> dict[str, dict[str, Any]]:
    return {**_PROJECTS, **CONNECTION_ARGS}


def plan_args() -> dict[str, dict[str, Any]]:
    return {
        **_PROJECTS,
        **_RUN,
        "operation": {"type": "str", "choices": list(FROM_DEFINITION), "default": "provision"},
        **CONNECTION_ARGS,
    }


def snapshot_args() -> dict[str, dict[str, Any]]:
    return {
        **_PROJECTS,
        "operation": {"type": "str", "choices": ["take", "list", "prune", "remove"], "default": "take"},
        "name": {"type": "str", "default": ""},
        "lock_timeout": {"type": "int", "default": 600},
        **CONNECTION_ARGS,
    }


def container_args() -> dict[str, dict[str, Any]]:
    return {
        **_PROJECTS,
        **_RUN,
        "operation": {"type": "str", "choices": list(OPERATIONS), "default": "provision"},
        "snapshot": {"type": "str", "default": "latest"},
        "destroy_data": {"type": "bool", "default": False},
        # The control node's half sees to these; they are never sent.
        "confirm": {"type": "raw"},
        "fail_on_drift": {"type": "bool", "default": False},
        "network_pool": {"type": "str", "default": NETWORK_POOL},
        "ready_timeout": {"type": "int", "default": 120},
        "stop_timeout": {"type": "int", "default": 10},
        "lock_timeout": {"type": "int", "default": 600},
        **CONNECTION_ARGS,
    }
