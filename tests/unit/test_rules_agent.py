# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a schema cannot say of the agent's part of a definition."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.plugin_utils.rules_agent import agent_problems

PRIVATE = "v3ry-pr1vate"
SECRETS = {"github": "x", "other": "y"}


def told_of(library: Any = None, **keys: Any) -> list[str]:
    """What is said of one project with these keys, without its place in the list."""
    found = agent_problems([{"name": "web", **keys}], library or {})
    return [f"{problem.where}: {problem.text}".replace("berth_projects[0].", "", 1) for problem in found]


@pytest.mark.parametrize(
    ("part", "key"),
    [
        ("auth", "api_key"),
        ("auth", "oauth_token"),
        ("auth", "token"),
        ("auth", "access_key_id"),
        ("auth", "secret_access_key"),
        ("auth", "session_token"),
        ("git", "token"),
    ],
)
def test_a_name_that_no_secret_has_is_told_without_it(part: str, key: str) -> None:
    told = told_of(**{part: {key: PRIVATE}}, secrets=SECRETS)
    assert f"{part}.{key}: is not the name of one of the project's secrets; known are github, other" in told
    assert PRIVATE not in "\n".join(told)


def test_a_project_without_secrets_is_told_so() -> None:
    (text,) = told_of(auth={"api_key": PRIVATE})
    assert text == "auth.api_key: is not the name of one of the project's secrets; it has no secrets"


@pytest.mark.parametrize(
    ("keys", "where"),
    [
        ({"env": {"A": "x ${secret:github}"}}, "env.A"),
        ({"settings": {"env": {"A": "${secret:github}"}}}, "settings.env.A"),
        ({"settings": {"a": ["b", {"c": "${secret:github}"}]}}, "settings.a[1].c"),
    ],
)
def test_a_reference_to_a_secret_where_it_would_stay_one_is_refused(keys: Any, where: str) -> None:
    (text,) = told_of(**keys, secrets=SECRETS)
    assert text.startswith(f"{where}: must not refer to a secret")


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"git": {"token": "github"}}, "git: lacks hosts: those that the token is for, such as github.com"),
        ({"git": {"hosts": ["x"]}}, "git: lacks token: the name of the secret for these hosts"),
        (
            {"ssh": {"path": "/srv/x/keys"}, "workspaces": [{"path": "/srv/x"}]},
            "ssh.path: is, or is in, or holds a folder that the agent of web may write to, which could put anything "
            "there: keep it elsewhere, or mount that folder read_only",
        ),
        (
            {"auth": {"seed": "/home/me"}, "mounts": [{"source": "/home/me/data", "target": "/data"}]},
            "auth.seed: is, or is in, or holds a folder that the agent of web may write to, which could put anything "
            "there: keep it elsewhere, or mount that folder read_only",
        ),
        ({"ssh": {"keys": ["a"]}}, "ssh: lacks path: the folder on the host that has the keys"),
        (
            {"ssh": {"path": "/a", "keys": ["a", "known_hosts"]}},
            "ssh.keys[1]: is no key; write the lines of known hosts in known_hosts",
        ),
    ],
    ids=str,
)
def test_credentials_have_what_goes_with_them(keys: Any, text: str) -> None:
    assert told_of(**keys, secrets=SECRETS) == [text]


def task(**keys: Any) -> dict[str, Any]:
    return {"name": "a", "prompt": "x", **keys}


@pytest.mark.parametrize(
    ("tasks", "text"),
    [
        ([task()], "schedule[0]: lacks cron or at"),
        (
            [task(cron="@daily", at="2026-01-31 18:00")],
            "schedule[0]: has both cron and at: take one of them away",
        ),
        ([task(cron="@daily"), task(cron="@daily")], "schedule[1].name: 'a' is the name of schedule[0] already"),
        ([task(cron="@reboot")], "schedule[0].cron: must be one of @hourly"),
        ([task(at="2026-02-31 18:00")], "schedule[0].at: must be a time as"),
        (
            [task(cron="@daily", workspace="b")],
            "schedule[0].workspace: is neither the name of a workspace nor an absolute path; known are api, lib",
        ),
    ],
    ids=str,
)
def test_a_schedule_says_when_and_where(tasks: Any, text: str) -> None:
    workspaces = [{"path": "/srv/lib"}, {"path": "/srv/x", "name": "api"}]
    (told,) = told_of(schedule=tasks, workspaces=workspaces)
    assert told.startswith(text)


@pytest.mark.parametrize("workspace", [None, "lib", "/workspace/lib", "/tmp"])
def test_a_task_runs_in_a_workspace_or_any_folder(workspace: str | None) -> None:
    assert told_of(schedule=[task(cron="0 9 * * 1-5", workspace=workspace)], workspaces=[{"path": "/lib"}]) == []


def test_what_is_wrong_in_the_library_is_told_once_and_at_its_place() -> None:
    found = list(agent_problems([{"name": "a"}, {"name": "b"}], {"x": {}}))
    assert [problem.where for problem in found] == ["berth_mcp_servers.x"]


def test_all_parts_are_looked_at() -> None:
    told = told_of(
        auth={"api_key": "none"},
        mcp_servers=["none"],
        git={"hosts": ["x"]},
        skills=["/"],
        schedule=[task()],
        settings={"apiKeyHelper": "x"},
    )
    assert [text.split(":")[0] for text in told] == [
        "auth.api_key",
        "settings.apiKeyHelper",
        "mcp_servers[0]",
        "git",
        "skills[0]",
        "schedule[0]",
    ]


@pytest.mark.parametrize(("part", "key"), [("auth", "api_key"), ("git", "token")])
def test_a_secret_of_several_lines_is_refused_where_one_line_is_wanted(part: str, key: str) -> None:
    told = told_of(**{part: {key: "a", "hosts": ["h"]}}, secrets={"a": f"{PRIVATE}\nmore"})
    assert f"{part}.{key}: names a secret of several lines, and it can be only one" in told
    assert PRIVATE not in "\n".join(told)
