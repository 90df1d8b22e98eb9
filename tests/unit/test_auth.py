# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How an agent authenticates: each row of the table, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.plugin_utils.auth import (
    METHODS,
    agent_environment,
    agent_settings,
    auth_problems,
    aws_keys,
    method_of,
    secret_problems,
    seed_copies,
)

SECRETS = {"key": "k-value", "token": "t-value\n", "id": "id-value", "session": "s-value", "long": "a\nb"}
BEDROCK = {"mode": "bedrock", "region": "eu-central-1"}
KEYS = {**BEDROCK, "method": "keys", "access_key_id": "id", "secret_access_key": "key"}
GATEWAY = {"mode": "gateway", "base_url": "https://llm.example", "token": "token"}


def project(auth: Any, **keys: Any) -> dict[str, Any]:
    return {"name": "x", "auth": auth, "secrets": SECRETS, **keys}


def told_of(auth: Any, **keys: Any) -> list[str]:
    return [f"{problem.where}: {problem.text}" for problem in auth_problems((), project(auth, **keys))]


@pytest.mark.parametrize(
    ("auth", "environment", "settings"),
    [
        (None, {}, {}),
        ({}, {}, {}),
        ({"mode": "anthropic"}, {}, {}),
        ({"model": "opus"}, {"ANTHROPIC_MODEL": "opus"}, {}),
        ({"api_key": "key"}, {}, {"apiKeyHelper": "/usr/local/lib/berth/secret key"}),
        ({"oauth_token": "token"}, {"CLAUDE_CODE_OAUTH_TOKEN": "t-value"}, {}),
        ({"seed": "/srv/login"}, {}, {}),
        (KEYS, {"CLAUDE_CODE_USE_BEDROCK": "1", "AWS_REGION": "eu-central-1"}, {}),
        (
            {**KEYS, "profile": "dev"},
            {"CLAUDE_CODE_USE_BEDROCK": "1", "AWS_REGION": "eu-central-1", "AWS_PROFILE": "dev"},
            {},
        ),
        (
            {**BEDROCK, "method": "profile", "profile": "dev", "prompt_caching": False},
            {
                "CLAUDE_CODE_USE_BEDROCK": "1",
                "AWS_REGION": "eu-central-1",
                "AWS_PROFILE": "dev",
                "DISABLE_PROMPT_CACHING": "1",
            },
            {},
        ),
        (
            {**BEDROCK, "method": "bearer", "token": "token", "prompt_caching": True},
            {
                "CLAUDE_CODE_USE_BEDROCK": "1",
                "AWS_REGION": "eu-central-1",
                "AWS_BEARER_TOKEN_BEDROCK": "t-value",
            },
            {},
        ),
        (
            {**GATEWAY, "model": "big", "small_model": "small"},
            {
                "ANTHROPIC_BASE_URL": "https://llm.example",
                "ANTHROPIC_AUTH_TOKEN": "t-value",
                "ANTHROPIC_MODEL": "big",
                "ANTHROPIC_DEFAULT_HAIKU_MODEL": "small",
            },
            {},
        ),
    ],
    ids=str,
)
def test_each_mode_gives_its_variables_and_settings_and_no_others(auth: Any, environment: Any, settings: Any) -> None:
    assert told_of(auth) == []
    assert agent_environment(project(auth), SECRETS) == environment
    assert agent_settings(project(auth)) == settings


def test_a_seed_is_laid_out_as_the_home_is() -> None:
    copies = seed_copies(project({"seed": "/srv/login/"}), "seed")
    assert [(copy.source, copy.target, copy.only, copy.optional) for copy in copies] == [
        ("/srv/login", "seed/.claude", (".credentials.json",), False),
        ("/srv/login", "seed", (".claude.json",), True),
    ]


@pytest.mark.parametrize("auth", [None, {"api_key": "key"}, KEYS, GATEWAY])
def test_only_a_seed_copies_a_login(auth: Any) -> None:
    assert seed_copies(project(auth), "seed") == ()


def test_keys_of_aws_are_no_variables() -> None:
    definition = project({**KEYS, "session_token": "session"})
    assert not any("value" in text for text in agent_environment(definition, SECRETS).values())
    assert aws_keys(definition, SECRETS) == {
        "aws_access_key_id": "id-value",
        "aws_secret_access_key": "k-value",
        "aws_session_token": "s-value",
    }
    assert aws_keys(project(GATEWAY), SECRETS) == {}


def test_region_and_profile_of_aws_stand_in_for_those_of_auth() -> None:
    aws = {"region": "us-east-1", "profile": "dev"}
    auth = {"mode": "bedrock", "method": "profile"}
    assert told_of(auth, aws=aws) == []
    found = agent_environment(project(auth, aws=aws), SECRETS)
    assert (found["AWS_REGION"], found["AWS_PROFILE"]) == ("us-east-1", "dev")
    found = agent_environment(project({**auth, "region": "eu-west-1"}, aws=aws), SECRETS)
    assert found["AWS_REGION"] == "eu-west-1"


def test_aws_alone_reaches_the_agents_tools() -> None:
    found = agent_environment(project(None, aws={"region": "us-east-1"}), SECRETS)
    assert found == {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.mark.parametrize(
    ("auth", "text"),
    [
        (
            {"api_key": "key", "oauth_token": "token"},
            "auth: has several of api_key, oauth_token, seed; at most one goes",
        ),
        ({"api_key": "key", "seed": "/srv"}, "auth: has several of api_key, oauth_token, seed; at most one goes"),
        (BEDROCK, "auth: needs for mode bedrock a method: keys, profile, bearer"),
        (
            {"mode": "bedrock", "method": "keys"},
            "auth: lacks region, access_key_id, secret_access_key, which mode bedrock with keys needs",
        ),
        ({**BEDROCK, "method": "profile"}, "auth: lacks profile, which mode bedrock with profile needs"),
        ({**BEDROCK, "method": "bearer"}, "auth: lacks token, which mode bedrock with bearer needs"),
        ({"mode": "gateway"}, "auth: lacks base_url, token, which mode gateway needs"),
        (
            {**GATEWAY, "api_key": "key"},
            "auth.api_key: is not for mode gateway; null takes away what the defaults say",
        ),
        (
            {"base_url": "https://x"},
            "auth.base_url: is not for mode anthropic with login; null takes away what the defaults say",
        ),
        ({**GATEWAY, "method": "keys"}, "auth.method: is for mode bedrock only"),
    ],
    ids=str,
)
def test_keys_that_do_not_go_together_are_told(auth: Any, text: str) -> None:
    assert text in told_of(auth)


def test_a_folder_of_aws_and_keys_would_both_make_the_credentials() -> None:
    assert any("take one of both" in text for text in told_of(KEYS, aws={"path": "/home/me/.aws"}))


@pytest.mark.parametrize(
    ("auth", "settings", "where"),
    [
        ({"api_key": "key"}, {"apiKeyHelper": "mine"}, "settings.apiKeyHelper"),
        (GATEWAY, {"env": {"ANTHROPIC_BASE_URL": "x"}}, "settings.env.ANTHROPIC_BASE_URL"),
        ({"model": "opus"}, {"env": {"ANTHROPIC_MODEL": "x"}}, "settings.env.ANTHROPIC_MODEL"),
    ],
)
def test_settings_that_would_come_over_auth_are_refused(auth: Any, settings: Any, where: str) -> None:
    (text,) = told_of(auth, settings=settings)
    assert text.startswith(f"{where}: is set by auth")


@pytest.mark.parametrize("settings", [{"apiKeyHelper": "mine"}, {"env": {"ANTHROPIC_MODEL": "x"}}, {"env": "odd"}])
def test_settings_that_auth_says_nothing_of_are_the_users(settings: Any) -> None:
    assert told_of({}, settings=settings) == []


def test_a_secret_of_several_lines_authenticates_nobody() -> None:
    found = list(secret_problems((), project({**GATEWAY, "token": "long"})))
    assert [problem.where for problem in found] == ["auth.token"]


def test_rows_of_one_mode_are_told_apart_by_their_method() -> None:
    assert len({(row.mode, row.method) for row in METHODS}) == len(METHODS)
    assert method_of(project({"mode": "bedrock", "method": "nothing"})) is None
