# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Renders host state on the control node: the files of ``docs/host-state.md``, for all projects of a host in one go."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Callable

from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.host_state import hash_of
from ansible_collections.berth.projects.plugins.plugin_utils import agent_claude, agent_credentials
from ansible_collections.berth.projects.plugins.plugin_utils.agent_keys import has_host_state
from ansible_collections.berth.projects.plugins.plugin_utils.agent_parts import Part, Source, StateFile, json_file
from ansible_collections.berth.projects.plugins.plugin_utils.host_input import refuse
from ansible_collections.berth.projects.plugins.plugin_utils.templates import Templates, as_given

_PARTS: tuple[Callable[[Source], Part], ...] = (
    agent_claude.instructions,
    agent_claude.prompt,
    agent_claude.seed,  # before the servers: both go into ~/.claude.json, and a seed only where that is missing
    agent_claude.mcp_servers,
    agent_claude.settings,
    agent_claude.environment,
    agent_credentials.secrets,
    agent_credentials.git,
    agent_credentials.ssh,
    agent_credentials.aws,
    agent_claude.skills,
    agent_claude.schedule,
)


@dataclass(frozen=True)
class Rendered:
    """Host state of a host's projects.

    Args:
        states: By project, ``{"files": {path: {"hash", "aspect", "executable", "public"}}, "copies": [{…}]}``, a copy
            with the fields of ``Copy``; paths are relative to the project's folder.
        contents: By the hash of ``files`` (SHA-256 in hexadecimal), what is in the file, in base64.
    """

    states: Mapping[str, Any]
    contents: Mapping[str, str]


def render_states(
    definitions: Sequence[Mapping[str, Any]],
    variables: Mapping[str, Any],
    search: Callable[[str], str] | None = None,
    host: str = "localhost",
    places: Mapping[str, str] | None = None,
) -> Rendered:
    """Render all projects of a host.

    Args:
        definitions: Merged and checked.
        variables: The host's; ``SHARED_VARIABLES`` of ``host_input`` count.
        search: Finds a path on the control node; None if paths are absolute or begin in the current folder.
        host: Its inventory name, for messages.
        places: By project, the file that it is from, for messages.

    Raises:
        BerthError: Templates or folders on the control node are missing or wrong. Tells all of them.
    """
    rendered, problems = _render(definitions, variables, search or as_given, host, places or {})
    refuse(problems)
    return rendered


def state_problems(
    definitions: Sequence[Mapping[str, Any]],
    variables: Mapping[str, Any],
    search: Callable[[str], str] | None = None,
    host: str = "localhost",
    places: Mapping[str, str] | None = None,
) -> list[str]:
    """Why host state cannot be rendered, before any host is touched. Arguments as ``render_states``."""
    there = [definition for definition in definitions if definition.get("state") != "absent"]
    return _render(there, variables, search or as_given, host, places or {})[1]


def _render(
    definitions: Sequence[Mapping[str, Any]],
    variables: Mapping[str, Any],
    find: Callable[[str], str],
    host: str,
    places: Mapping[str, str],
) -> tuple[Rendered, list[str]]:
    templates = Templates(variables, find)
    states: dict[str, Any] = {}
    contents: dict[str, str] = {}
    problems: list[str] = []
    for definition in definitions:
        source = Source(definition, templates, find, variables)
        parts, wrong = _parts(source) if has_host_state(definition, variables) else ([], [])
        place = f"{places[source.name]}: " if source.name in places else ""
        problems += [f"- host {host}, project {source.name}: {place}{text}" for text in wrong]
        files = {file.path: file for part in parts for file in part.files}
        take = [entry for part in parts for entry in part.take]
        if files or take:
            manifest = json_file("manifest.json", {"version": 1, "take": take}, "settings")
            files[manifest.path] = manifest
        states[source.name] = {
            "files": {path: _entry(file, contents) for path, file in sorted(files.items())},
            "copies": [asdict(copy) for part in parts for copy in part.copies],
        }
    return Rendered(states, contents), problems


def _parts(source: Source) -> tuple[list[Part], list[str]]:
    """All parts, and why others cannot be made."""
    made = [_made(make, source) for make in _PARTS]
    return [part for part in made if isinstance(part, Part)], [text for text in made if isinstance(text, str)]


def _made(make: Callable[[Source], Part], source: Source) -> Part | str:
    try:
        return make(source)
    except BerthError as error:
        return error.msg


def _entry(file: StateFile, contents: dict[str, str]) -> dict[str, Any]:
    digest = hash_of(file.content)
    if digest not in contents:
        contents[digest] = base64.b64encode(file.content).decode()
    return {"hash": digest, "aspect": file.aspect, "executable": file.executable, "public": file.public}
