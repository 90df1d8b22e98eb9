# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All that is Claude Code's own: where it looks for what, and in which form.

Sources: https://code.claude.com/docs/en/ (pages settings, mcp, memory, skills, cli-reference, env-vars).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.definition import (
    HOST_STATE,
    WORKSPACE_ROOT,
    workspace_name,
)
from ansible_collections.berth.projects.plugins.plugin_utils.agent_mcp import rendered, servers_of
from ansible_collections.berth.projects.plugins.plugin_utils.agent_parts import (
    NOTHING,
    Part,
    Source,
    StateFile,
    json_file,
    text_file,
)
from ansible_collections.berth.projects.plugins.plugin_utils.agent_skills import skill_files, skill_name
from ansible_collections.berth.projects.plugins.plugin_utils.auth import agent_environment, agent_settings, seed_copies

ROOT = "agents/claude"
ENVIRONMENT = "env/claude"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def instructions(source: Source) -> Part:
    """A block of ``~/.claude/CLAUDE.md``: the global text, the project's, and what the container has."""
    definition = source.definition
    text = source.templates.text(
        "instructions",
        {
            "project": source.shown,
            "global_instructions": source.variables.get("berth_instructions") or "",
            "project_instructions": definition.get("instructions") or "",
            "ports": _ports(definition),
            "schedule": definition.get("schedule"),
            "timezone": definition.get("timezone"),
            "working_dir": working_dir(definition),
        },
    ).strip()
    if not text:
        return NOTHING
    path = f"{ROOT}/instructions.md"
    take = {"kind": "block", "source": path, "target": ".claude/CLAUDE.md", "comment": ["<!-- ", " -->"]}
    return _part("instructions", take, text_file(path, f"{text}\n", "instructions"))


def prompt(source: Source) -> Part:
    """A text after Claude Code's own system prompt, handed over by a file: arguments are in the list of processes."""
    text = (source.definition.get("prompt") or "").strip()
    if not text:
        return NOTHING
    path = f"{ROOT}/prompt.md"
    arguments = f"--append-system-prompt-file\n{HOST_STATE}/{path}\n"
    return Part(
        (text_file(path, f"{text}\n", "prompt"), text_file(f"{ROOT}/arguments", arguments, "prompt")),
    )


def mcp_servers(source: Source) -> Part:
    """``mcpServers`` of ``~/.claude.json``, with the values of secrets in it: the file is the agent's alone."""
    library = source.variables.get("berth_mcp_servers") or {}
    servers = {
        name: rendered(server, source.secrets) for name, server in servers_of(source.definition, library).items()
    }
    if not servers and not source.templates.is_own("mcp"):
        return NOTHING
    made = source.templates.data("mcp", {"project": source.shown, "servers": servers}, dict)
    entries = made.get("mcpServers")
    if set(made) != {"mcpServers"} or not isinstance(entries, dict):
        raise source.templates.wrong("mcp", "what it makes must be {mcpServers: {name: server, …}}")
    if not entries:
        return NOTHING
    path = f"{ROOT}/mcp.json"
    take = {"kind": "keys", "source": path, "target": ".claude.json", "key": "mcpServers"}
    return _part("mcp_servers", take, json_file(path, made, "mcp_servers"))


def settings(source: Source) -> Part:
    """Managed settings, which no other settings override, with those that the authentication needs."""
    wanted = {**(source.definition.get("settings") or {}), **agent_settings(source.definition)}
    if not wanted and not source.templates.is_own("settings"):
        return NOTHING
    made = source.templates.data("settings", {"project": source.shown, "settings": wanted}, dict)
    return Part((json_file(f"{ROOT}/settings.json", made, "settings"),)) if made else NOTHING


def environment(source: Source) -> Part:
    """Variables for Claude Code alone, one file each: the launcher exports them to no other program."""
    wanted = agent_environment(source.definition, source.secrets)
    if not wanted and not source.templates.is_own("environment"):
        return NOTHING
    made = source.templates.data("environment", {"project": source.shown, "environment": wanted}, dict)
    for name, value in made.items():
        if not _VARIABLE.fullmatch(name) or not isinstance(value, str) or set("\0\n") & set(value):
            raise source.templates.wrong("environment", "what it makes must be a map of variables to texts of one line")
    return Part(tuple(text_file(f"{ENVIRONMENT}/{name}", value, "auth") for name, value in sorted(made.items())))


def seed(source: Source) -> Part:
    """The files of a login, from a folder of the host that is laid out anew as the agent's home is."""
    copies = seed_copies(source.definition, f"{ROOT}/seed")
    if not copies:
        return NOTHING
    take = {"kind": "seed", "aspect": "auth", "source": f"{ROOT}/seed", "target": "."}
    return Part(copies=copies, take=(take,))


def skills(source: Source) -> Part:
    """Folders of the control node that become folders of ``~/.claude/skills``."""
    entries = source.definition.get("skills") or ()
    files = [
        StateFile(f"{ROOT}/skills/{skill_name(entry)}/{path}", content, "skills", executable)
        for entry in entries
        for path, content, executable in skill_files(entry, source.search)
    ]
    if not files:
        return NOTHING
    take = {"kind": "folders", "source": f"{ROOT}/skills", "target": ".claude/skills"}
    return _part("skills", take, *files)


def schedule(source: Source) -> Part:
    """The declared tasks, each with the folder that it runs in. The file is there when the key is, empty or not."""
    declared = source.definition.get("schedule")
    if declared is None:
        return NOTHING
    tasks = [_task(entry, source.definition) for entry in sorted(declared, key=lambda entry: str(entry["name"]))]
    made = source.templates.data("schedule", {"project": source.shown, "tasks": tasks}, list)
    take = {"kind": "schedule", "source": "schedule.json", "target": ".local/state/berth/schedule"}
    return _part("schedule", take, json_file("schedule.json", made, "schedule"))


def working_dir(definition: Mapping[str, Any]) -> str:
    """Where work starts: the one workspace, or the folder that holds them all."""
    workspaces = definition.get("workspaces") or []
    return f"{WORKSPACE_ROOT}/{workspace_name(workspaces[0])}" if len(workspaces) == 1 else WORKSPACE_ROOT


def _part(aspect: str, take: Mapping[str, Any], *files: StateFile) -> Part:
    return Part(files, take=({**take, "aspect": aspect},))


def _task(entry: Mapping[str, Any], definition: Mapping[str, Any]) -> dict[str, str]:
    workspace = entry.get("workspace") or working_dir(definition)
    folder = workspace if workspace.startswith("/") else f"{WORKSPACE_ROOT}/{workspace}"
    when = {"cron": " ".join(entry["cron"].split())} if entry.get("cron") else {"at": entry["at"]}
    return {"name": entry["name"], **when, "prompt": entry["prompt"], "workspace": folder}


def _ports(definition: Mapping[str, Any]) -> list[dict[str, Any]]:
    ports = [
        {
            "host": int(port["host"]),
            "container": int(port["container"]),
            "protocol": port.get("protocol") or "tcp",
            "host_ip": port.get("host_ip") or "127.0.0.1",
        }
        for port in definition.get("ports") or ()
    ]
    return sorted(ports, key=lambda port: (port["host"], port["protocol"], port["host_ip"]))
