# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""MCP servers: from the library or the project's own, rendered for Claude Code."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.plugin_utils.agent_mcp import (
    library_problems,
    mcp_problems,
    rendered,
    servers_of,
)

FS = {"command": "fs", "args": ["/workspace"]}
WEB = {"url": "https://mcp.example/", "headers": {"Authorization": "Bearer ${secret:web}"}}
LIBRARY = {"fs": FS, "web": WEB}


def told_of(servers: Any, secrets: Any = None, library: Any = None) -> list[str]:
    definition = {"name": "x", "mcp_servers": servers, "secrets": secrets or {}}
    problems = mcp_problems((), definition, LIBRARY if library is None else library)
    return [f"{problem.where}: {problem.text}" for problem in problems]


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (None, []),
        ([], []),
        (["web", "fs"], ["fs", "web"]),
        ({"fs": None}, ["fs"]),
        ({"own": {"command": "x"}, "web": None}, ["own", "web"]),
        ({"fs": {"command": "another"}}, ["fs"]),
    ],
)
def test_a_project_has_the_servers_that_it_names(given: Any, names: list[str]) -> None:
    assert list(servers_of({"mcp_servers": given}, LIBRARY)) == names


def test_a_projects_own_server_stands_in_place_of_the_librarys() -> None:
    assert servers_of({"mcp_servers": {"fs": {"command": "own"}}}, LIBRARY)["fs"]["command"] == "own"


@pytest.mark.parametrize(
    ("server", "made"),
    [
        (FS, {"type": "stdio", "command": "fs", "args": ["/workspace"]}),
        (
            {"command": "x", "env": {"A": 1, "B": True}},
            {"type": "stdio", "command": "x", "env": {"A": "1", "B": "true"}},
        ),
        ({"command": "x", "args": [8080, True]}, {"type": "stdio", "command": "x", "args": ["8080", "true"]}),
        ({"command": "x", "args": []}, {"type": "stdio", "command": "x"}),
        ({"url": "https://x"}, {"type": "http", "url": "https://x"}),
        ({"type": "sse", "url": "https://x"}, {"type": "sse", "url": "https://x"}),
        (WEB, {"type": "http", "url": "https://mcp.example/", "headers": {"Authorization": "Bearer v"}}),
    ],
)
def test_a_server_is_rendered_as_claude_code_takes_it(server: Any, made: Any) -> None:
    whole = servers_of({"mcp_servers": {"x": server}}, {})["x"]
    assert rendered(whole, {"web": "v"}) == made


def test_the_order_of_arguments_is_kept() -> None:
    server = servers_of({"mcp_servers": {"x": {"command": "x", "args": ["b", "a"]}}}, {})["x"]
    assert rendered(server, {})["args"] == ["b", "a"]


def test_a_server_that_the_library_has_not_is_told_with_the_nearest() -> None:
    assert told_of(["wep"], {"web": "v"}) == [
        "mcp_servers[0]: is not in the library berth_mcp_servers; did you mean web?"
    ]
    assert told_of({"zzz": None}) == ["mcp_servers.zzz: is not in the library berth_mcp_servers; it has fs, web"]
    assert told_of(["fs"], library={}) == ["mcp_servers[0]: is not in the library berth_mcp_servers; it has none"]


def test_a_server_is_in_a_list_once() -> None:
    assert told_of(["fs", "fs"]) == ["mcp_servers[1]: is in the list already"]


@pytest.mark.parametrize(
    ("server", "text"),
    [
        ({}, "x: lacks command (a program) or url (a server)"),
        ({"type": "stdio"}, "x: lacks command"),
        ({"type": "http"}, "x: lacks url"),
        ({"type": "sse", "command": "x"}, "x: lacks url"),
        ({"command": "x", "url": "https://x"}, "x.url: is not for stdio, which takes command, args, env"),
        ({"url": "https://x", "args": []}, "x.args: is not for http, which takes url, headers"),
        ({"command": "x", "headers": {}}, "x.headers: is not for stdio, which takes command, args, env"),
    ],
)
def test_a_server_has_what_its_transport_takes(server: Any, text: str) -> None:
    assert f"mcp_servers.{text}" in told_of({"x": server})
    assert f"berth_mcp_servers.{text}" in [f"{p.where}: {p.text}" for p in library_problems({"x": server})]


@pytest.mark.parametrize(
    ("server", "where"),
    [
        ({"command": "${secret:a}"}, "command"),
        ({"command": "x", "args": ["-k", "${secret:a}"]}, "args[1]"),
        ({"url": "https://x/?k=${secret:a}"}, "url"),
    ],
)
def test_a_secret_never_becomes_an_argument(server: Any, where: str) -> None:
    (text,) = told_of({"x": server}, {"a": "v"})
    assert text.startswith(f"mcp_servers.x.{where}: must not refer to a secret")


@pytest.mark.parametrize("key", ["env", "headers"])
def test_a_reference_that_leads_nowhere_is_told_without_it(key: str) -> None:
    base = {"command": "x"} if key == "env" else {"url": "https://x"}
    (text,) = told_of({"x": {**base, key: {"A": "${secret:ghp_private}"}}}, {"b": "v", "a": "v"})
    assert text == f"mcp_servers.x.{key}.A: refers to a secret that the project does not have; known are a, b"
    (text,) = told_of({"x": {**base, key: {"A": "${secret:gh private}"}}}, {"a": "v"})
    assert text == f"mcp_servers.x.{key}.A: must refer to a secret as ${{secret:NAME}}"


def test_a_secret_that_only_the_library_refers_to_is_told_as_such() -> None:
    (text,) = told_of(["web"])
    assert text == (
        "mcp_servers[0].headers.Authorization: refers to a secret that the project does not have (in the library); "
        "it has no secrets"
    )
    assert told_of(["web"], {"web": "v"}) == []


def test_a_secret_of_several_lines_is_no_header() -> None:
    (text,) = told_of(["web"], {"web": "one\ntwo"})
    assert "several lines" in text and "one" not in text.split("several lines")[0]
