# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""MCP servers: which ones a project has, and what is wrong with them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.definition import env_text
from ansible_collections.berth.projects.plugins.plugin_utils.agent_secrets import (
    has_reference,
    is_one_line,
    references,
    resolved,
)
from ansible_collections.berth.projects.plugins.plugin_utils.schema import Problem, nearest

Path = tuple  # of the steps to a place, as in Problem
Server = Mapping[str, Any]

_TRANSPORTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "stdio": ("command", ("args", "env")),
    "http": ("url", ("headers",)),
    "sse": ("url", ("headers",)),
}
"""By transport, the key that it needs and those that it takes besides."""

_PRIVATE_MAPS = ("env", "headers")
"""Where a reference to a secret may be: what is in there is in no list of processes."""


def servers_of(definition: Mapping[str, Any], library: Mapping[str, Server]) -> dict[str, Server]:
    """The servers of a project by name, each with its ``type``; secrets still as references.

    Args:
        library: ``berth_mcp_servers``.
    """
    return {
        name: {**server, "type": transport_of(server)}
        for name, server in sorted(_entries(definition, library).items())
        if server is not None
    }


def transport_of(server: Server) -> str:
    """``stdio`` for a program, ``http`` for a URL, where the server does not say."""
    return str(server.get("type") or ("stdio" if server.get("command") else "http"))


def rendered(server: Server, secrets: Mapping[str, str]) -> dict[str, Any]:
    """A server as Claude Code takes it, references resolved: https://code.claude.com/docs/en/mcp."""
    needed, others = _TRANSPORTS[server["type"]]
    made: dict[str, Any] = {"type": server["type"], needed: server[needed]}
    for key in others:
        if key in _PRIVATE_MAPS:
            made[key] = {name: resolved(env_text(text), secrets) for name, text in (server.get(key) or {}).items()}
        else:
            made[key] = [env_text(text) for text in server.get(key) or ()]
    return {key: value for key, value in made.items() if value or key in ("type", needed)}


def library_problems(library: Mapping[str, Server]) -> Iterator[Problem]:
    """What is wrong with ``berth_mcp_servers`` whichever project takes them."""
    for name, server in library.items():
        yield from _shape_problems(("berth_mcp_servers", name), server)


def mcp_problems(place: Path, definition: Mapping[str, Any], library: Mapping[str, Server]) -> Iterator[Problem]:
    """What is wrong with the servers of one project. ``place`` leads to the project."""
    given = definition.get("mcp_servers") or {}
    secrets = definition.get("secrets") or {}
    if not isinstance(given, Mapping):
        for index, name in enumerate(given):
            if name in given[:index]:
                yield Problem((*place, "mcp_servers", index), "is in the list already")
    for step, (name, server) in _steps(definition, library):
        where = (*place, "mcp_servers", step)
        if server is None:
            near = nearest(name, library)
            hint = f"did you mean {near}?" if near else f"it has {', '.join(sorted(library)) or 'none'}"
            yield Problem(where, f"is not in the library berth_mcp_servers; {hint}")
            continue
        is_own = isinstance(given, Mapping) and given.get(name) is not None
        if is_own:
            yield from _shape_problems(where, server)
        yield from _reference_problems(where, server, secrets, is_own)


def _entries(definition: Mapping[str, Any], library: Mapping[str, Server]) -> dict[str, Server | None]:
    return {name: server for _step, (name, server) in _steps(definition, library)}


def _steps(
    definition: Mapping[str, Any], library: Mapping[str, Server]
) -> Iterator[tuple[str | int, tuple[str, Server | None]]]:
    """Each server with the step that leads to it; None for one that the library should have and has not."""
    given = definition.get("mcp_servers") or {}
    if isinstance(given, Mapping):
        for name, server in given.items():
            yield name, (name, library.get(name) if server is None else server)
    else:
        for index, name in enumerate(given):
            yield index, (name, library.get(name))


def _shape_problems(where: Path, server: Server) -> Iterator[Problem]:
    transport = transport_of(server)
    needed, others = _TRANSPORTS[transport]
    if not server.get(needed):
        yield Problem(
            where, "lacks command (a program) or url (a server)" if "type" not in server else f"lacks {needed}"
        )
    for key in server:
        if key not in ("type", needed, *others):
            yield Problem((*where, key), f"is not for {transport}, which takes {', '.join((needed, *others))}")
    for key in ("command", "url"):
        if has_reference(str(server.get(key) or "")):
            yield Problem((*where, key), _NOT_HERE)
    for index, text in enumerate(server.get("args") or ()):
        if has_reference(str(text)):
            yield Problem((*where, "args", index), _NOT_HERE)


_NOT_HERE = "must not refer to a secret: whoever lists the processes reads it. Only env and headers may"


def _reference_problems(where: Path, server: Server, secrets: Mapping[str, str], is_own: bool) -> Iterator[Problem]:
    """References that lead nowhere. The names in them are not told: somebody may have put the secret itself there."""
    whose = "" if is_own else " (in the library)"
    for key in _PRIVATE_MAPS:
        for entry, text in (server.get(key) or {}).items():
            for name in references(str(text)):
                place = (*where, key, entry)
                if name is None:
                    yield Problem(place, f"must refer to a secret as ${{secret:NAME}}{whose}")
                elif name not in secrets:
                    yield Problem(place, f"refers to a secret that the project does not have{whose}; {known(secrets)}")
                elif not is_one_line(secrets[name]):
                    yield Problem(place, f"refers to a secret of several lines{whose}, and can be only one")


def known(secrets: Mapping[str, str]) -> str:
    """What may be named, for a message."""
    return f"known are {', '.join(sorted(secrets))}" if secrets else "it has no secrets"
