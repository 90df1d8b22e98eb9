# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each part of a definition that is for the agent, changed once: it arrives in a container that is not restarted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from base_image import base_image
from engine_names import Namespace, engine_client, remove_everything
from host import Result, TestHost

pytestmark = pytest.mark.slow_image

HOME = "/home/agent"
SERVER = {"type": "stdio", "command": "/bin/true", "args": ["-v"]}
PORTS = [{"host": 28491, "container": 80}]
SKILL = "{skill}"
KEYS = "{keys}"
LOGIN = "{login}"


@dataclass(frozen=True)
class Row:
    """A change of one key: what it was, what it becomes, and where a container shows it.

    Args:
        steps: What the change takes.
        shown: A command in the container, whose output the value is looked for in: first it is not there, then it is.
    """

    id: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    steps: str
    shown: str
    value: str


def _with_secrets(**values: Any) -> dict[str, Any]:
    return {"secrets": {"token": "t0ken", "other": "0ther"}, **values}


ROWS = (
    Row(
        "instructions",
        {},
        {"instructions": "Be kind."},
        "instructions, settings",
        "cat ~/.claude/CLAUDE.md",
        "Be kind.",
    ),
    Row(
        "instructions-changed",
        {"instructions": "One."},
        {"instructions": "Two."},
        "instructions",
        "cat ~/.claude/CLAUDE.md",
        "Two.",
    ),
    Row(
        "mcp-server",
        {},
        {"mcp_servers": {"one": SERVER}},
        "mcp_servers, settings",
        "jq -c .mcpServers ~/.claude.json",
        '"one"',
    ),
    Row(
        "mcp-server-replaced",
        {"mcp_servers": {"one": SERVER}},
        {"mcp_servers": {"two": SERVER}},
        "mcp_servers",
        "jq -c .mcpServers ~/.claude.json",
        '{"two":{',
    ),
    Row(
        "settings",
        {},
        {"settings": {"model": "opus"}},
        "settings",
        "cat /etc/claude-code/managed-settings.d/50-berth.json",
        "opus",
    ),
    Row(
        "prompt",
        {},
        {"prompt": "You are terse."},
        "prompt, settings",
        "cat /etc/berth/agents/claude/prompt.md",
        "terse",
    ),
    Row("skill", {}, {"skills": [SKILL]}, "settings, skills", "cat ~/.claude/skills/review/SKILL.md", "Review."),
    Row("secret", {}, {"secrets": {"a": "x1"}}, "secrets, settings", "cat /etc/berth/secrets/a", "x1"),
    Row(
        "secret-rotated",
        {"secrets": {"a": "x1"}},
        {"secrets": {"a": "x2"}},
        "secrets",
        "cat /etc/berth/secrets/a",
        "x2",
    ),
    Row(
        "auth",
        _with_secrets(auth={"mode": "anthropic", "oauth_token": "token"}),
        _with_secrets(auth={"mode": "gateway", "base_url": "http://llm:4000", "token": "other"}),
        "auth, host state",
        "cd /etc/berth/env/claude && grep . *",
        "ANTHROPIC_AUTH_TOKEN:0ther",
    ),
    Row("auth-seed", {}, {"auth": {"seed": LOGIN}}, "auth, settings", "cat ~/.claude/.credentials.json", "a login"),
    Row("git-user", {}, {"git": {"user_name": "Ada"}}, "credentials, settings", "git config user.name", "Ada"),
    Row(
        "git-token",
        _with_secrets(git={"token": "token", "hosts": ["git.example.org"]}),
        _with_secrets(git={"token": "other", "hosts": ["git.example.org"]}),
        "credentials",
        "printf 'protocol=https\\nhost=git.example.org\\n' | git credential fill",
        "password=0ther",
    ),
    Row(
        "ssh",
        {},
        {"ssh": {"path": KEYS, "keys": ["id_ed25519"], "known_hosts": ["h ssh-ed25519 AAAA"]}},
        "credentials, settings",
        "cat ~/.ssh/known_hosts",
        "h ssh-",
    ),
    Row("aws", {}, {"aws": {"region": "eu-north-1"}}, "auth, credentials, settings", "cat ~/.aws/config", "eu-north-1"),
    Row(
        "schedule",
        {},
        {"schedule": [{"name": "nightly", "cron": "0 3 * * *", "prompt": "tidy"}]},
        "instructions, schedule, settings",
        "berth-schedule list",
        "nightly",
    ),
    Row(
        "scheduler-cleared",
        {"schedule": [{"name": "old", "at": "2030-01-01 00:00", "prompt": "x"}]},
        {"schedule": []},
        "instructions, schedule",
        "berth-schedule list | grep -q old || echo none",
        "none",
    ),
)


@dataclass(frozen=True)
class Runs:
    """All rows at once, a project each: created, planned, changed, and run again."""

    host: TestHost
    started: Mapping[str, str]
    before: Mapping[str, str]
    planned: Result
    changed: Result
    again: Result

    def name(self, row: Row) -> str:
        return next(name for name in self.changed.projects if name.endswith(f"-{row.id}"))


def shown(host: TestHost, name: str, command: str) -> str:
    """What a command prints, whether it succeeds or not."""
    return host.run(name, "sh", "-c", f"{{ {command}; }} 2>&1 || :")


@pytest.fixture(scope="module")
def runs(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    api, namespace = engine_client(), Namespace("agentrows")
    folder = tmp_path_factory.mktemp("agent")
    remove_everything(api, namespace)
    for name, content in (
        ("review/SKILL.md", "---\nname: review\n---\nReview."),
        ("keys/id_ed25519", "key"),
        ("login/.credentials.json", "a login"),
    ):
        (folder / name).parent.mkdir()
        (folder / name).write_text(content)
    places = {SKILL: str(folder / "review"), KEYS: str(folder / "keys"), LOGIN: str(folder / "login")}
    host = TestHost(api, folder / "state", namespace.scope, base_image())

    def project(row: Row, settings: Mapping[str, Any]) -> dict[str, Any]:
        text = json.dumps(settings)
        for mark, path in places.items():
            text = text.replace(mark, path)
        user = {"uid": 4321, "gid": 4321}
        return {"name": namespace.project(row.id), "user": user, "ports": [], **json.loads(text)}

    try:
        made = host.provision(*(project(row, row.before) for row in ROWS))
        assert not [one["error"] for one in made.projects.values() if one["error"]], made.raw
        names = {row.id: namespace.project(row.id) for row in ROWS}
        started = {name: host.container(name)["State"]["StartedAt"] for name in names.values()}
        before = {row.id: shown(host, names[row.id], row.shown) for row in ROWS}
        wanted = [project(row, row.after) for row in ROWS]
        yield Runs(
            host,
            started,
            before,
            host.provision(*wanted, check=True),
            host.provision(*wanted),
            host.provision(*wanted),
        )
    finally:
        remove_everything(api, namespace)
        api.close()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_a_change_arrives_without_a_restart(runs: Runs, row: Row) -> None:
    name = runs.name(row)
    done = runs.changed.projects[name]
    assert (done["action"], done["error"], done["warnings"]) == ("sync", None, [])
    assert done["steps"] == [f"sync {row.steps}", "take-over"]
    assert row.value not in runs.before[row.id]
    assert row.value in shown(runs.host, name, row.shown)
    assert runs.host.container(name)["State"]["StartedAt"] == runs.started[name]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_check_mode_says_what_is_then_done_and_a_second_run_does_nothing(runs: Runs, row: Row) -> None:
    name = runs.name(row)
    assert runs.planned.projects[name]["steps"] == runs.changed.projects[name]["steps"]
    assert (runs.again.projects[name]["action"], runs.again.projects[name]["steps"]) == ("none", [])


def test_no_value_of_a_secret_is_in_a_reason(runs: Runs) -> None:
    assert not re.search("t0ken|0ther|x1|x2", json.dumps(runs.changed.raw))


def test_ports_are_told_to_the_agent(runs: Runs, tmp_path: Path) -> None:
    name = runs.name(ROWS[0])
    del tmp_path
    settings = {"instructions": "Be kind.", "ports": PORTS, "user": {"uid": 4321, "gid": 4321}}
    done = runs.host.provision({"name": name, **settings}).projects[name]
    assert done["action"] == "replace"
    assert "28491" in shown(runs.host, name, "cat ~/.claude/CLAUDE.md")
