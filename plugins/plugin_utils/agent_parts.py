# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What host state is put together from, part by part. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Callable

from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.host_state import Copy
from ansible_collections.berth.projects.plugins.plugin_utils.templates import Templates


@dataclass(frozen=True)
class StateFile:
    """A file of host state, at ``path`` in the project's folder; ``aspect`` is what of the definition it comes from.

    All in the container may read it if ``public``; else the agent alone may.
    """

    path: str
    content: bytes
    aspect: str
    executable: bool = False
    public: bool = False


@dataclass(frozen=True)
class Part:
    """What one part of a definition adds; ``take`` are entries of the manifest, as ``docs/host-state.md`` has them."""

    files: tuple[StateFile, ...] = ()
    copies: tuple[Copy, ...] = ()
    take: tuple[Mapping[str, Any], ...] = ()


NOTHING = Part()


@dataclass(frozen=True)
class Source:
    """What the parts of one project's host state are made from.

    Args:
        definition: The project, merged and checked.
        variables: The host's variables that are no part of a definition, such as ``berth_mcp_servers``.
        templates: The host's.
        search: Finds a path on the control node.
    """

    definition: Mapping[str, Any]
    templates: Templates
    search: Callable[[str], str]
    variables: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.definition["name"])

    @property
    def secrets(self) -> Mapping[str, str]:
        return self.definition.get("secrets") or {}

    @property
    def shown(self) -> dict[str, Any]:
        """The definition as templates get it: secrets are not in it, only their names where something takes one."""
        return {key: value for key, value in self.definition.items() if key != "secrets"}


def text_file(path: str, text: str, aspect: str) -> StateFile:
    """A file of text.

    Raises:
        BerthError: It has what no file can have. Variables are checked before, but a template may make such a text.
    """
    try:
        return StateFile(path, text.encode(), aspect)
    except UnicodeEncodeError:
        raise BerthError(f"{aspect}: what is made for {path} has characters that are not UTF-8") from None


def json_file(path: str, value: Any, aspect: str) -> StateFile:
    """JSON in its one form: the order of maps is no difference, and so must not be one of bytes."""
    return text_file(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", aspect)
