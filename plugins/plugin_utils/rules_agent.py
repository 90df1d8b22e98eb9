# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a schema cannot say of the agent's part of a definition: known names, and keys that go together. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.definition import normal_path, overlap, workspace_name
from ansible_collections.berth.projects.plugins.plugin_utils.agent_credentials import NO_KEYS
from ansible_collections.berth.projects.plugins.plugin_utils.agent_mcp import known, library_problems, mcp_problems
from ansible_collections.berth.projects.plugins.plugin_utils.agent_secrets import has_reference
from ansible_collections.berth.projects.plugins.plugin_utils.agent_skills import skill_problems
from ansible_collections.berth.projects.plugins.plugin_utils.auth import (
    NAMES_OF_SECRETS,
    auth_problems,
    secret_problems,
)
from ansible_collections.berth.projects.plugins.plugin_utils.cron import at_problem, cron_problem
from ansible_collections.berth.projects.plugins.plugin_utils.schema import Problem

Definition = Mapping[str, Any]
Path = tuple  # of the steps to a place, as in Problem


def agent_problems(definitions: Sequence[Definition], library: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with the agent's part of the definitions, each merged and allowed by the schema.

    Args:
        library: ``berth_mcp_servers``.
    """
    yield from library_problems(library)
    for index, definition in enumerate(definitions):
        place = ("berth_projects", index)
        yield from _name_problems(place, definition)
        yield from _stray_references((*place, "env"), definition.get("env"))
        yield from _stray_references((*place, "settings"), definition.get("settings"))
        yield from secret_problems(place, definition)
        yield from auth_problems(place, definition)
        yield from mcp_problems(place, definition, library)
        yield from _credential_problems(place, definition)
        yield from _exposed_folders(place, definition, definitions)
        yield from skill_problems(place, definition)
        yield from _schedule_problems(place, definition)


def _name_problems(place: Path, definition: Definition) -> Iterator[Problem]:
    """Never tells what was given: somebody may have put the secret itself there."""
    secrets = definition.get("secrets") or {}
    for part, key in NAMES_OF_SECRETS:
        name = (definition.get(part) or {}).get(key)
        if name and name not in secrets:
            yield Problem((*place, part, key), f"is not the name of one of the project's secrets; {known(secrets)}")


def _stray_references(place: Path, value: Any) -> Iterator[Problem]:
    """References where they would stay as they are written."""
    if isinstance(value, str) and has_reference(value):
        yield Problem(place, "must not refer to a secret: only env and headers of MCP servers may")
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _stray_references((*place, key), entry)
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _stray_references((*place, index), entry)


def _credential_problems(place: Path, definition: Definition) -> Iterator[Problem]:
    git, ssh = definition.get("git") or {}, definition.get("ssh") or {}
    if git.get("token") and not git.get("hosts"):
        yield Problem((*place, "git"), "lacks hosts: those that the token is for, such as github.com")
    if git.get("hosts") and not git.get("token"):
        yield Problem((*place, "git"), "lacks token: the name of the secret for these hosts")
    if ssh.get("keys") and not ssh.get("path"):
        yield Problem((*place, "ssh"), "lacks path: the folder on the host that has the keys")
    for index, name in enumerate(ssh.get("keys") or ()):
        if name in NO_KEYS:
            yield Problem((*place, "ssh", "keys", index), "is no key; write the lines of known hosts in known_hosts")


def _exposed_folders(place: Path, definition: Definition, definitions: Sequence[Definition]) -> Iterator[Problem]:
    """Folders that files are copied from, as root, and that an agent may write to: it could put a link there."""
    for part, key in (("ssh", "path"), ("aws", "path"), ("auth", "seed")):
        folder = (definition.get(part) or {}).get(key)
        if not folder:
            continue
        for other in definitions:
            if any(overlap(normal_path(folder), path) for path in _writable(other)):
                yield Problem(
                    (*place, part, key),
                    f"is, or is in, or holds a folder that the agent of {other['name']} may write to, which could put "
                    "anything there: keep it elsewhere, or mount that folder read_only",
                )


def _writable(definition: Definition) -> Iterator[str]:
    """The folders of the host that an agent may write to."""
    mounts = definition.get("mounts") or ()
    binds = (entry for entry in mounts if (entry.get("type") or "bind") == "bind")
    if definition.get("state") == "absent":
        return
    for entry in (*(definition.get("workspaces") or ()), *binds):
        if not entry.get("read_only"):
            yield normal_path(entry.get("path") or entry["source"])


def _schedule_problems(place: Path, definition: Definition) -> Iterator[Problem]:
    workspaces = [workspace_name(entry) for entry in definition.get("workspaces") or ()]
    names: dict[str, int] = {}
    for index, task in enumerate(definition.get("schedule") or ()):
        where, name = (*place, "schedule", index), task["name"]
        if name in names:
            yield Problem((*where, "name"), f"{name!r} is the name of schedule[{names[name]}] already")
        names.setdefault(name, index)
        given = [key for key in ("cron", "at") if task.get(key)]
        if len(given) != 1:
            yield Problem(where, "lacks cron or at" if not given else "has both cron and at: take one of them away")
        for key, problem_of in (("cron", cron_problem), ("at", at_problem)):
            problem = problem_of(task[key]) if task.get(key) else None
            if problem:
                yield Problem((*where, key), problem)
        workspace = task.get("workspace")
        if workspace and not workspace.startswith("/") and workspace not in workspaces:
            told = f"; known are {', '.join(sorted(workspaces))}" if workspaces else ""
            yield Problem((*where, "workspace"), f"is neither the name of a workspace nor an absolute path{told}")
