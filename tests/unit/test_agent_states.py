# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What definitions become as files of host state."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.plugin_utils.agent_credentials import NO_KEYS
from ansible_collections.berth.projects.plugins.plugin_utils.agent_keys import AGENT_KEYS, without_agent_keys
from ansible_collections.berth.projects.plugins.plugin_utils.host_state import (
    Rendered,
    render_states,
    state_problems,
)
from hypothesis import given
from hypothesis import strategies as st

ASPECTS = {
    "instructions",
    "mcp_servers",
    "settings",
    "auth",
    "secrets",
    "credentials",
    "skills",
    "schedule",
    "prompt",
}


def rendered(*projects: Any, **variables: Any) -> Rendered:
    return render_states([{"name": f"p{index}", **project} for index, project in enumerate(projects)], variables)


def files_of(project: Any, **variables: Any) -> dict[str, str]:
    """The files of one project, by path."""
    found = rendered(project, **variables)
    files = found.states["p0"]["files"]
    return {path: base64.b64decode(found.contents[one["hash"]]).decode() for path, one in files.items()}


def take_of(project: Any) -> list[Any]:
    return list(json.loads(files_of(project)["manifest.json"])["take"])


def instructions_of(project: Any, **variables: Any) -> str:
    return files_of(project, **variables)["agents/claude/instructions.md"]


# All of it


@pytest.mark.parametrize("project", [{}, {"ports": [{"host": 1, "container": 2}]}, {"env": {"A": "b"}}, {"auth": {}}])
def test_a_project_that_declares_nothing_of_the_kind_has_no_files(project: Any) -> None:
    assert rendered(project).states == {"p0": {"files": {}, "copies": []}}
    assert rendered(project).contents == {}


def test_a_file_is_told_by_hash_and_aspect_and_its_content_once_for_all_projects() -> None:
    found = rendered({"secrets": {"a": "x"}}, {"secrets": {"b": "x"}})
    digest = hashlib.sha256(b"x").hexdigest()
    entry = {"hash": digest, "aspect": "secrets", "executable": False, "public": False}
    assert found.states["p0"]["files"]["secrets/a"] == found.states["p1"]["files"]["secrets/b"] == entry
    assert base64.b64decode(found.contents[digest]) == b"x"
    assert {one["hash"] for state in found.states.values() for one in state["files"].values()} == set(found.contents)


EVERYTHING: dict[str, Any] = {
    "agents": ["claude"],
    "auth": {"mode": "bedrock", "method": "keys", "region": "r", "access_key_id": "a", "secret_access_key": "b"},
    "secrets": {"a": "v1", "b": "v2"},
    "git": {"user_name": "n", "token": "a", "hosts": ["github.com"]},
    "ssh": {"path": "/k", "keys": ["id"], "known_hosts": ["h k v"]},
    "aws": {"region": "r"},
    "instructions": "i",
    "prompt": "p",
    "mcp_servers": {"x": {"command": "x"}},
    "settings": {"a": 1},
    "schedule": [{"name": "t", "cron": "@daily", "prompt": "p"}],
}


def test_all_aspects_are_known_ones() -> None:
    state = rendered(EVERYTHING).states["p0"]
    assert {one["aspect"] for one in [*state["files"].values(), *state["copies"]]} == ASPECTS - {"skills"}
    assert {entry["aspect"] for entry in take_of(EVERYTHING)} <= ASPECTS


def test_a_hundred_projects_are_rendered_in_well_under_a_second() -> None:
    render_states([{"name": "warm", **EVERYTHING}], {})
    begun = time.monotonic()
    render_states([{"name": f"p{number}", **EVERYTHING} for number in range(100)], {})
    assert time.monotonic() - begun < 0.8


def test_the_module_gets_nothing_of_what_is_rendered() -> None:
    definition = {"name": "x", "image": "y", **EVERYTHING}
    assert without_agent_keys(definition) == {"name": "x", "image": "y"}
    assert set(EVERYTHING) <= set(AGENT_KEYS)


def test_a_manifest_names_each_target_once_and_lies_beside_any_other_file() -> None:
    take = take_of(EVERYTHING)
    assert len({(entry["kind"], entry["target"], entry.get("key")) for entry in take}) == len(take)
    assert json.loads(files_of({"secrets": {"a": "x"}})["manifest.json"]) == {"version": 1, "take": []}


@given(st.randoms())
def test_the_order_of_maps_and_keyed_lists_is_no_difference(random: Any) -> None:
    servers = {"a": {"command": "x", "env": {"A": "1", "B": "2"}}, "b": {"url": "https://x"}}
    ports = [{"host": 1, "container": 1}, {"host": 1, "container": 1, "protocol": "udp"}, {"host": 3, "container": 1}]
    tasks = [{"name": name, "cron": "@daily", "prompt": "x"} for name in "abc"]

    def shuffled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: shuffled(value[key]) for key in random.sample(list(value), len(value))}
        return value

    project = {"mcp_servers": servers, "secrets": {"a": "1", "b": "2"}, "settings": {"x": {"a": 1, "b": 2}}}
    once = rendered({**project, "ports": ports, "schedule": tasks})
    again = rendered(
        {**shuffled(project), "ports": random.sample(ports, 3), "schedule": random.sample(tasks, 3)},
    )
    assert once == again


# Instructions


def test_global_instructions_come_before_the_projects() -> None:
    assert instructions_of({"instructions": "own\n\n"}, berth_instructions="\nglobal") == "global\n\nown\n"
    assert instructions_of({}, berth_instructions="global") == "global\n"


def test_ports_are_told_if_there_are_any() -> None:
    ports = [{"host": 8080, "container": 80}, {"host": 53, "container": 53, "protocol": "udp", "host_ip": "0.0.0.0"}]
    text = instructions_of({"instructions": "x", "ports": ports})
    assert text.index("- host 0.0.0.0, port 53 → container port 53 (udp)\n") < text.index(
        "- host 127.0.0.1, port 8080 → container port 80 (tcp)\n"
    )
    assert "Ports" not in instructions_of({"instructions": "x"})


@pytest.mark.parametrize("schedule", [[], [{"name": "nightly", "cron": "@daily", "prompt": "x"}]])
def test_the_scheduler_is_told_where_the_key_is_even_if_the_list_is_empty(schedule: Any) -> None:
    text = instructions_of({"schedule": schedule})
    for command in ("add", "list", "remove", "enable", "disable", "run", "logs", "notifications"):
        assert f"berth-schedule {command}" in text
    assert '--at "YYYY-MM-DD HH:MM"' in text and "*/30 * * * *" in text
    assert ("nightly" in text) is bool(schedule)
    assert "Scheduled" not in instructions_of({"instructions": "x"})


def test_the_time_zone_of_the_scheduler_is_the_projects() -> None:
    assert "Times are those of Europe/Berlin." in instructions_of({"schedule": [], "timezone": "Europe/Berlin"})
    assert "UTC" in instructions_of({"schedule": []})


# Settings, servers, the prompt, variables


def test_settings_have_what_the_authentication_needs_besides() -> None:
    project = {"settings": {"permissions": {"allow": ["Bash"]}}, "auth": {"api_key": "k"}, "secrets": {"k": "v"}}
    assert json.loads(files_of(project)["agents/claude/settings.json"]) == {
        "apiKeyHelper": "/usr/local/lib/berth/secret k",
        "permissions": {"allow": ["Bash"]},
    }


def test_a_secret_is_in_the_servers_file_and_its_own_and_nowhere_else() -> None:
    servers = {"x": {"url": "https://x", "headers": {"Authorization": "Bearer ${secret:k}"}}}
    project = {"mcp_servers": servers, "secrets": {"k": "v3ry"}, "settings": {"a": 1}, "instructions": "i"}
    files = files_of(project)
    assert {path for path, text in files.items() if "v3ry" in text} == {"agents/claude/mcp.json", "secrets/k"}


def test_a_prompt_is_handed_over_by_its_file() -> None:
    files = files_of({"prompt": "  Be brief.\n"})
    assert files["agents/claude/prompt.md"] == "Be brief.\n"
    assert files["agents/claude/arguments"] == "--append-system-prompt-file\n/etc/berth/agents/claude/prompt.md\n"


def test_a_variable_is_a_file_with_just_its_value() -> None:
    project = {"auth": {"oauth_token": "k", "model": "opus"}, "secrets": {"k": "v\n"}}
    files = files_of(project)
    assert (files["env/claude/CLAUDE_CODE_OAUTH_TOKEN"], files["env/claude/ANTHROPIC_MODEL"]) == ("v", "opus")


def test_a_seed_is_taken_over_before_the_servers_that_go_into_the_same_file() -> None:
    project = {"auth": {"seed": "/srv/login"}, "mcp_servers": {"x": {"command": "x"}}}
    assert [(entry["kind"], entry["target"]) for entry in take_of(project)] == [("seed", "."), ("keys", ".claude.json")]


def test_a_task_runs_where_its_workspace_is() -> None:
    project = {
        "workspaces": [{"path": "/srv/lib"}],
        "schedule": [
            {"name": "c", "cron": "0  9 * * 1", "prompt": "x"},
            {"name": "a", "at": "2026-01-31 18:00", "prompt": "x", "workspace": "/tmp"},
            {"name": "b", "cron": "@daily", "prompt": "x", "workspace": "lib"},
        ],
    }
    assert json.loads(files_of(project)["schedule.json"]) == [
        {"name": "a", "at": "2026-01-31 18:00", "prompt": "x", "workspace": "/tmp"},
        {"name": "b", "cron": "@daily", "prompt": "x", "workspace": "/workspace/lib"},
        {"name": "c", "cron": "0 9 * * 1", "prompt": "x", "workspace": "/workspace/lib"},
    ]


def test_a_skill_lies_in_a_folder_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "SKILL.md").write_text("x")
    (tmp_path / "run").write_text("y")
    (tmp_path / "run").chmod(0o755)
    found = rendered({"skills": [{"path": str(tmp_path), "name": "greet"}]}).states["p0"]["files"]
    assert found["agents/claude/skills/greet/run"]["executable"]
    assert not found["agents/claude/skills/greet/SKILL.md"]["executable"]


# Credentials


def test_git_reads_back_what_was_declared(tmp_path: Path) -> None:
    name = 'A "b" \\ c # d; e'
    project = {
        "git": {"user_name": name, "user_email": "a@b", "token": "gh", "hosts": ["github.com", "git.example:8443"]},
        "secrets": {"gh": "v"},
    }
    config = tmp_path / "config"
    config.write_text(files_of(project)["git/config"])

    def read(*words: str) -> str:
        command = ["git", "config", "--file", str(config), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    assert (read("user.name"), read("user.email")) == (name, "a@b")
    for host in ("github.com", "git.example:8443"):
        assert read(f"credential.https://{host}.helper") == "/usr/local/lib/berth/git-credential gh"


def test_keys_of_ssh_are_copied_by_name_and_known_hosts_are_a_block() -> None:
    project = {"ssh": {"path": "/home/me/.ssh/", "keys": ["id_b", "id_a"], "known_hosts": ["h ssh-ed25519 A"]}}
    (copy,) = rendered(project).states["p0"]["copies"]
    assert copy == {
        "source": "/home/me/.ssh",
        "target": "ssh",
        "aspect": "credentials",
        "only": ("id_a", "id_b"),
        "optional": False,
        "but": NO_KEYS,
    }
    (all_keys,) = rendered({"ssh": {"path": "/k"}}).states["p0"]["copies"]
    assert (all_keys["only"], all_keys["but"]) == (None, NO_KEYS)
    assert files_of(project)["ssh-known_hosts"] == "h ssh-ed25519 A\n"
    assert [(entry["kind"], entry["target"]) for entry in take_of(project)] == [
        ("files", ".ssh"),
        ("block", ".ssh/known_hosts"),
    ]


def test_a_folder_of_aws_is_copied_and_its_logins_cache_is_a_seed() -> None:
    project = {"aws": {"path": "/home/me/.aws", "profile": "dev"}}
    copies = rendered(project).states["p0"]["copies"]
    assert [(copy["source"], copy["target"], copy["only"], copy["optional"]) for copy in copies] == [
        ("/home/me/.aws", "aws", ("config",), False),
        ("/home/me/.aws", "aws", ("credentials",), True),
        ("/home/me/.aws/sso/cache", "aws-cache/sso/cache", None, True),
    ]
    assert files_of(project).keys() == {"manifest.json", "env/claude/AWS_PROFILE"}
    assert [(entry["kind"], entry["source"]) for entry in take_of(project)] == [("files", "aws"), ("seed", "aws-cache")]


@pytest.mark.parametrize(
    ("project", "files"),
    [
        ({"aws": {"region": "r"}}, {"aws/config": "[default]\nregion = r\n"}),
        ({"aws": {"region": "r", "profile": "dev"}}, {"aws/config": "[profile dev]\nregion = r\n"}),
        ({"aws": {"profile": "dev"}}, {}),
        (
            {"auth": EVERYTHING["auth"], "secrets": {"a": "v1", "b": "v2"}},
            {
                "aws/config": "[default]\nregion = r\n",
                "aws/credentials": "[default]\naws_access_key_id = v1\naws_secret_access_key = v2\n",
            },
        ),
        (
            {"auth": {**EVERYTHING["auth"], "profile": "dev"}, "secrets": {"a": "v1", "b": "v2"}},
            {
                "aws/config": "[profile dev]\nregion = r\n",
                "aws/credentials": "[dev]\naws_access_key_id = v1\naws_secret_access_key = v2\n",
            },
        ),
    ],
    ids=str,
)
def test_without_a_folder_aws_is_made_from_what_is_declared(project: Any, files: Any) -> None:
    assert {path: text for path, text in files_of(project).items() if path.startswith("aws/")} == files


# Templates of the user's own


def template(tmp_path: Path, text: str) -> str:
    path = tmp_path / f"{len(list(tmp_path.iterdir()))}.j2"
    path.write_text(text)
    return str(path)


def test_a_users_template_gives_files_also_to_projects_that_declare_nothing(tmp_path: Path) -> None:
    files = files_of({}, berth_template_settings=template(tmp_path, '{"cleanupPeriodDays": 7}'))
    assert json.loads(files["agents/claude/settings.json"]) == {"cleanupPeriodDays": 7}
    assert files_of({}, berth_template_settings=template(tmp_path, "{}")) == {}


def test_a_template_that_makes_no_text_is_told_by_its_aspect_and_not_quoted(tmp_path: Path) -> None:
    paths = {
        "berth_template_settings": template(tmp_path, r'{"model": "x\ud800"}'),
        "berth_template_instructions": template(tmp_path, r"{{ 'x\udcfc' }}"),
    }
    with pytest.raises(BerthError) as error:
        files_of({}, **paths)
    assert [line.partition("project p0: ")[2] for line in error.value.msg.splitlines()[1:]] == [
        f"{aspect}: what is made for agents/claude/{file} has characters that are not UTF-8"
        for aspect, file in (("instructions", "instructions.md"), ("settings", "settings.json"))
    ]


def test_a_template_knows_the_project_and_none_of_its_secrets(tmp_path: Path) -> None:
    path = template(tmp_path, "{{ project.name }} {{ project.secrets is defined }} {{ ports | length }}")
    text = instructions_of({"secrets": {"a": "v"}}, berth_template_instructions=path)
    assert text == "p0 False 0\n"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("mcp", "{}"),
        ("mcp", '{"mcpServers": []}'),
        ("mcp", '{"mcpServers": {}, "other": 1}'),
        ("environment", '{"../x": "a"}'),
        ("environment", '{"A-B": "a"}'),
        ("environment", '{"A": 1}'),
        ("environment", '{"A": "a\\nb"}'),
        ("schedule", "{}"),
        ("settings", "[]"),
    ],
)
def test_a_template_that_makes_something_else_is_told_with_host_and_project(
    tmp_path: Path, kind: str, text: str
) -> None:
    path = template(tmp_path, text)
    with pytest.raises(BerthError) as caught:
        files_of({"schedule": []}, **{f"berth_template_{kind}": path})
    line = caught.value.msg.splitlines()[1]
    assert line.startswith(f"- host localhost, project p0: template {path}: what it makes must be a ") or (
        kind == "mcp" and "what it makes must be {mcpServers:" in line
    )


def test_what_is_wrong_in_several_projects_is_told_at_once() -> None:
    definitions = [{"name": name, "skills": [f"/nowhere/{name}"]} for name in ("a", "b")]
    assert state_problems([*definitions, {**definitions[0], "state": "absent"}], {}, None, "db1") == [
        f"- host db1, project {name}: skills: there is no folder /nowhere/{name} on the control node"
        for name in ("a", "b")
    ]
    with pytest.raises(BerthError, match="2 things are wrong"):
        render_states(definitions, {})
