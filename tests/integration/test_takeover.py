# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a project declares for its agent, taken over in the real base image, with the real client."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
from base_image import base_image
from host_state_folder import HostState
from image_box import READY, Box, Put

pytestmark = [pytest.mark.slow_image, pytest.mark.skipif(os.geteuid() != 0, reason="gives files to the agent's uid")]

TAKE = [
    {
        "kind": "block",
        "source": "agents/claude/instructions.md",
        "target": ".claude/CLAUDE.md",
        "comment": ["<!-- ", " -->"],
    },
    {"kind": "keys", "source": "agents/claude/mcp.json", "target": ".claude.json", "key": "mcpServers"},
    {"kind": "folders", "source": "agents/claude/skills", "target": ".claude/skills"},
    {"kind": "files", "source": "ssh", "target": ".ssh"},
]
# Speaks just enough of the protocol to be called connected.
SERVER = """#!/usr/bin/python3
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    result = {"tools": []}
    if asked["method"] == "initialize":
        version = asked["params"]["protocolVersion"]
        result = {"protocolVersion": version, "capabilities": {"tools": {}}}
        result["serverInfo"] = {"name": "x", "version": "1"}
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)
"""
SHOWS_ITSELF = """#!/bin/sh
[ "$*" != --version ] || exit 0
echo "token=${MY_TOKEN:-} odd=${name:-} user=$(id -un)"
tr '\\0' ' ' </proc/$$/cmdline; echo
for argument in "$@"; do echo "argument=$argument"; done
"""
CLI = "/opt/berth/agents/bin/claude"


def servers(*names: str) -> str:
    return json.dumps({"mcpServers": {name: {"command": "/opt/server", "args": []} for name in names}})


@pytest.fixture(scope="module")
def image(engine: None) -> str:
    return base_image()


@pytest.fixture
def state(tmp_path: Path) -> HostState:
    return HostState(tmp_path / "berth")


@pytest.fixture
def project(api: Any, image: str, state: HostState) -> Iterator[Callable[..., Box]]:
    boxes: list[Box] = []

    def make(*put: Put, **options: Any) -> Box:
        boxes.append(Box(api, image, binds=[state.bind], put=[Put("/opt/server", SERVER), *put], **options))
        return boxes[-1]

    yield make
    for one in boxes:
        one.remove()


def test_it_is_all_there_before_the_container_is_ready(project: Callable[..., Box], state: HostState) -> None:
    generation = state.declare({"agents/claude/instructions.md": "Be brief.\n", "ssh/id_a": "key"}, TAKE)
    one = project(volumes=["/home/agent", "/home/agent/.claude"], env={"BERTH_UID": "1000", "BERTH_GID": "1000"})
    assert one.start() == [f"berth: taken over {generation}", READY]
    assert "Be brief." in one.read("cat", "/home/agent/.claude/CLAUDE.md")
    assert one.read("stat", "-c", "%U %a", "/home/agent/.ssh/id_a") == "agent 600"
    assert one.read("find", "/home/agent", "!", "-user", "agent") == ""
    one.api.kill(one.id)
    assert one.start() == [READY], "nothing to take over"


def test_the_client_connects_to_a_declared_server_and_keeps_its_own(
    project: Callable[..., Box], state: HostState
) -> None:
    state.declare({"agents/claude/mcp.json": servers("one", "two")}, TAKE)
    one = project()
    one.start()
    one.read("claude", "mcp", "add", "--scope", "user", "mine", "--", "/opt/server")
    listed = one.read("claude", "mcp", "list")
    assert [listed.count(f"{name}: /opt/server") for name in ("one", "two", "mine")] == [1, 1, 1]
    assert listed.count("Connected") == 3
    state.declare({"agents/claude/mcp.json": servers("two", "three")}, TAKE)
    listed = one.read("claude", "mcp", "list")  # the launcher takes over
    assert [listed.count(f"{name}: /opt/server") for name in ("one", "two", "three", "mine")] == [0, 1, 1, 1]
    state.declare({}, [])
    assert one.run("/usr/local/lib/berth/takeover")[0] == 0
    listed = one.read("claude", "mcp", "list")
    assert [listed.count(f"{name}: /opt/server") for name in ("two", "three", "mine")] == [0, 0, 1]


def test_the_client_takes_the_prompts_argument_before_any_command(
    project: Callable[..., Box], state: HostState
) -> None:
    arguments = "--append-system-prompt-file\n/etc/berth/agents/claude/prompt.md\n"
    state.declare({"agents/claude/arguments": arguments, "agents/claude/prompt.md": "Be brief."}, [])
    one = project()
    one.start()
    assert "Claude Code" in one.read("claude", "--version")
    assert "No MCP servers" in one.read("claude", "mcp", "list")
    assert "Not logged in" in one.run("claude", "-p", "x")[1], "nothing is wrong with its arguments"


def test_managed_settings_are_the_clients(project: Callable[..., Box], state: HostState) -> None:
    settings = json.dumps({"deniedMcpServers": [{"serverName": "two"}]})
    state.declare({"agents/claude/mcp.json": servers("one", "two"), "agents/claude/settings.json": settings}, TAKE)
    one = project()
    one.start()
    listed = one.read("claude", "mcp", "list")
    assert ("one: " in listed, "two: " in listed) == (True, False)


def test_variables_and_arguments_are_the_programs_alone_and_no_value_is_in_an_argument(
    project: Callable[..., Box], state: HostState
) -> None:
    state.declare(
        {
            "agents/claude/arguments": "--first\na b\n",
            "env/claude/MY_TOKEN": "s3cret\nof two lines\n",
            "env/claude/name": "a name that the launcher uses, too",
            "env/claude/not-a-name": "x",
        },
        [],
    )
    one = project()
    one.start()
    one.read("rm", CLI)
    one.put([Put(CLI, SHOWS_ITSELF)])
    for user in ("root", "agent"):
        assert one.run("claude", "x", "--last", user=user)[1].splitlines() == [
            "token=s3cret",
            "of two lines",
            " odd=a name that the launcher uses, too user=agent",
            f"/bin/sh {CLI} --first a b x --last ",
            "argument=--first",
            "argument=a b",
            "argument=x",
            "argument=--last",
        ]
    status, output = one.run("claude", user="nobody")
    assert (status, "token= odd= user=nobody" in output) == (0, True)
    assert output.startswith("claude: what this project declares for agent can be read by that user alone")


def test_gits_helper_gives_a_token_to_the_declared_host_alone(project: Callable[..., Box], state: HostState) -> None:
    helper = "/usr/local/lib/berth/git-credential"
    state.declare(
        {
            "secrets/token": "s3cret\n",
            "git/config": f'[user]\n\tname = Bert\n[credential "https://git.example"]\n\thelper = {helper} token\n',
        },
        [],
    )
    one = project()
    one.start()
    assert one.read("git", "config", "user.name") == "Bert"
    fill = "printf 'protocol=https\\nhost={}\\n\\n' | GIT_TERMINAL_PROMPT=0 git credential fill"
    given = one.read("sh", "-c", fill.format("git.example")).splitlines()
    assert {"username=x-access-token", "password=s3cret"} <= set(given)
    assert one.run("sh", "-c", fill.format("other.example"))[0] != 0
    assert one.run(helper, "token", "store") == (0, "")
    status, output = one.run(helper, "missing", "get")
    assert (status, "no secret missing" in output) == (0, True)
    assert one.read("/usr/local/lib/berth/secret", "token") == "s3cret"
    assert one.run("/usr/local/lib/berth/secret", "../generation")[0] == 2
    state.declare({}, [])
    assert one.run("git", "config", "user.name") == (1, ""), "git does without the file"


def test_a_take_over_that_fails_is_a_warning_at_the_start_and_an_error_later(
    project: Callable[..., Box], state: HostState
) -> None:
    state.declare({"agents/claude/instructions.md": "Be brief.\n", "ssh/id_a": "key"}, TAKE)
    one = project(Put("/home/agent/.ssh", uid=1000, gid=1000, target="/tmp"))
    warning, ready = one.start()
    assert (warning.startswith("berth: warning: ~/.ssh is a link"), ready) == (True, READY)
    assert one.run("test", "-e", "/tmp/id_a")[0] == 1
    assert "Be brief." in one.read("cat", "/home/agent/.claude/CLAUDE.md")
    status, output = one.run("/usr/local/lib/berth/takeover", user="agent")
    assert (status, output.startswith("berth: error: ~/.ssh is a link")) == (1, True)
    status, output = one.run("claude", "--version")
    assert (status, "berth: error: ~/.ssh" in output, "Claude Code" in output) == (0, True, True)
    one.read("rm", "/home/agent/.ssh")
    assert one.read("claude", "--version").startswith("2")
    assert one.read("cat", "/home/agent/.ssh/id_a") == "key"


def test_a_start_with_nothing_new_costs_next_to_nothing(project: Callable[..., Box], state: HostState) -> None:
    state.declare({"agents/claude/mcp.json": servers("one")}, TAKE)
    one = project()
    one.start()
    began = time.monotonic()
    one.read("sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do /usr/local/lib/berth/takeover; done")
    assert time.monotonic() - began < 3, "each 20 to 40 ms on an idle machine, most of it the change of user"


def test_another_user_is_refused(project: Callable[..., Box], state: HostState) -> None:
    state.declare({}, [])
    one = project()
    one.start()
    for command in (("/usr/local/lib/berth/takeover",), ("berth-schedule", "list")):
        status, output = one.run(*command, user="nobody")
        assert (status, output.startswith("berth: error: ")) == (1, True)
