# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which keys of a definition are for the agent, and whether a definition has any.

Apart from what works with them: Ansible compiles the files of a collection anew in every run and for every host, so
what only some projects need is loaded only for these.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

TEMPLATE_VARIABLES = {
    name: f"berth_template_{name}" for name in ("instructions", "mcp", "settings", "schedule", "environment")
}
"""The variables that name the user's own templates."""

AGENT_KEYS = (
    "agents",
    "auth",
    "secrets",
    "git",
    "ssh",
    "aws",
    "instructions",
    "prompt",
    "mcp_servers",
    "settings",
    "skills",
    "schedule",
)
"""The keys of a definition that become host state. The module has no use for them, and so never gets them."""

_FOR_ALL = ("berth_instructions", *TEMPLATE_VARIABLES.values())
"""Variables that give host state to projects that declare nothing of the kind themselves."""


def without_agent_keys(definition: Mapping[str, Any]) -> dict[str, Any]:
    """What the module gets of a definition: no secret is in it."""
    return {key: value for key, value in definition.items() if key not in AGENT_KEYS}


def has_host_state(definition: Mapping[str, Any], variables: Mapping[str, Any]) -> bool:
    """Most projects of many declare nothing of all this, and cost nothing."""
    declares = any(definition.get(key) for key in AGENT_KEYS) or definition.get("schedule") is not None
    return declares or any(variables.get(name) for name in _FOR_ALL)


def is_restricted(definition: Mapping[str, Any]) -> bool:
    """Whether a project that is to exist has a proxy."""
    egress = (definition.get("network") or {}).get("egress")
    return egress == "restricted" and definition.get("state") != "absent"


def load(name: str) -> Any:
    """The module of this folder that has this name, loaded only now."""
    return import_module(f"{__name__.rpartition('.')[0]}.{name}")
