# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How an agent authenticates: the one table of modes and methods, and what follows from a row. Pure.

The variables are those of https://code.claude.com/docs/en/env-vars and https://code.claude.com/docs/en/amazon-bedrock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.definition import normal_path
from ansible_collections.berth.projects.plugins.module_utils.host_state import Copy
from ansible_collections.berth.projects.plugins.plugin_utils.agent_secrets import is_one_line, one_line
from ansible_collections.berth.projects.plugins.plugin_utils.schema import Problem

Path = tuple  # of the steps to a place, as in Problem

SECRET_COMMAND = "/usr/local/lib/berth/secret"
"""Prints the secret of a name, in the container."""


@dataclass(frozen=True)
class Method:
    """A row: one way to authenticate.

    Args:
        mode: What ``auth.mode`` is.
        method: What ``auth.method`` is, where a mode has several; in mode anthropic, the key that asks for it.
        needs: The keys that it needs; ``aws.region`` and ``aws.profile`` stand in for ``region`` and ``profile``.
        takes: The keys that it may have besides.
        constants: Variables with the same value always.
        variables: Variables with the value of a key.
        secret_variables: Variables with the value of the secret that a key names.
        settings: Settings, by the key that names the secret that they print.
        seed: Files of the folder ``auth.seed``: the folder of the home each goes to, and whether it may be missing.
    """

    mode: str
    method: str
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    constants: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    secret_variables: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    seed: tuple[tuple[str, str, bool], ...] = ()

    @property
    def owned_variables(self) -> frozenset[str]:
        return frozenset((*self.constants, *self.variables, *self.secret_variables))


_BEDROCK: Mapping[str, Any] = {
    "mode": "bedrock",
    "constants": {"CLAUDE_CODE_USE_BEDROCK": "1"},
}
METHODS = (
    Method("anthropic", "login"),
    Method("anthropic", "api_key", ("api_key",), settings={"apiKeyHelper": "api_key"}),
    Method("anthropic", "oauth_token", ("oauth_token",), secret_variables={"CLAUDE_CODE_OAUTH_TOKEN": "oauth_token"}),
    Method("anthropic", "seed", ("seed",), seed=((".credentials.json", ".claude", False), (".claude.json", "", True))),
    Method(
        method="keys",
        needs=("region", "access_key_id", "secret_access_key"),
        takes=("session_token", "profile"),
        variables={"AWS_REGION": "region", "AWS_PROFILE": "profile"},
        **_BEDROCK,
    ),
    Method(
        method="profile",
        needs=("region", "profile"),
        variables={"AWS_REGION": "region", "AWS_PROFILE": "profile"},
        **_BEDROCK,
    ),
    Method(
        method="bearer",
        needs=("region", "token"),
        variables={"AWS_REGION": "region"},
        secret_variables={"AWS_BEARER_TOKEN_BEDROCK": "token"},
        **_BEDROCK,
    ),
    Method(
        "gateway",
        "token",
        ("base_url", "token"),
        variables={"ANTHROPIC_BASE_URL": "base_url"},
        secret_variables={"ANTHROPIC_AUTH_TOKEN": "token"},
    ),
)
COMMON_VARIABLES = {"ANTHROPIC_MODEL": "model", "ANTHROPIC_DEFAULT_HAIKU_MODEL": "small_model"}
"""Those of every row. ANTHROPIC_DEFAULT_HAIKU_MODEL is what ANTHROPIC_SMALL_FAST_MODEL was before."""
NO_CACHING = "DISABLE_PROMPT_CACHING"
"""Is set to 1 where ``prompt_caching`` is false."""

_COMMON_KEYS = ("mode", "method", "model", "small_model", "prompt_caching")
SECRET_KEYS = ("api_key", "oauth_token", "token", "access_key_id", "secret_access_key", "session_token")
"""The keys that take the name of a secret."""

NAMES_OF_SECRETS = (*(("auth", key) for key in SECRET_KEYS), ("git", "token"))
"""The places of a definition that take the name of a secret."""


def method_of(definition: Mapping[str, Any]) -> Method | None:
    """The row that a definition asks for; None where it asks for several, for none, or lacks the method."""
    auth = definition.get("auth") or {}
    mode, method = auth.get("mode") or "anthropic", auth.get("method")
    rows = [row for row in METHODS if row.mode == mode]
    if mode == "anthropic":
        asked = [row for row in rows if any(auth.get(key) for key in row.needs)]
        rows = asked or rows[:1]
    elif len(rows) > 1:
        rows = [row for row in rows if row.method == method]
    return rows[0] if len(rows) == 1 else None


def agent_environment(definition: Mapping[str, Any], secrets: Mapping[str, str]) -> dict[str, str]:
    """The variables that the launcher exports to the agent's program alone."""
    row, values = method_of(definition), _values(definition)
    if row is None:
        raise ValueError("auth was not checked")
    found = {**_aws_environment(definition), **row.constants}
    for variable, key in {**COMMON_VARIABLES, **row.variables}.items():
        if values.get(key):
            found[variable] = str(values[key])
    for variable, key in row.secret_variables.items():
        found[variable] = one_line(secrets[values[key]])
    if values.get("prompt_caching") is False:
        found[NO_CACHING] = "1"
    return found


def agent_settings(definition: Mapping[str, Any]) -> dict[str, str]:
    """The settings that make the agent ask for a secret when it wants one."""
    row, values = method_of(definition), _values(definition)
    return {name: f"{SECRET_COMMAND} {values[key]}" for name, key in row.settings.items()} if row else {}


def seed_copies(definition: Mapping[str, Any], target: str) -> tuple[Copy, ...]:
    """The files of a login that are copied from the host, into a folder that is laid out as the agent's home is."""
    row = method_of(definition)
    return tuple(
        Copy(
            normal_path(definition["auth"]["seed"]),
            f"{target}/{folder}" if folder else target,
            "auth",
            (name,),
            optional,
        )
        for name, folder, optional in (row.seed if row else ())
    )


def aws_keys(definition: Mapping[str, Any], secrets: Mapping[str, str]) -> dict[str, str]:
    """What goes into ``~/.aws/credentials``: the names there with their values, if the method is keys."""
    row, values = method_of(definition), _values(definition)
    if row is None or "access_key_id" not in row.needs:
        return {}
    names = {"aws_access_key_id": "access_key_id", "aws_secret_access_key": "secret_access_key"}
    if values.get("session_token"):
        names["aws_session_token"] = "session_token"
    return {name: one_line(secrets[values[key]]) for name, key in names.items()}


def aws_profile(definition: Mapping[str, Any]) -> str | None:
    return _values(definition).get("profile")


def aws_region(definition: Mapping[str, Any]) -> str | None:
    return _values(definition).get("region")


def auth_problems(place: Path, definition: Mapping[str, Any]) -> Iterator[Problem]:
    """Keys that do not go together. Names of secrets are looked up elsewhere. ``place`` leads to the project."""
    auth, where = definition.get("auth") or {}, (*place, "auth")
    row, mode = method_of(definition), auth.get("mode") or "anthropic"
    if row is None:
        rows = [row for row in METHODS if row.mode == mode]
        if mode == "anthropic":
            yield Problem(where, f"has several of {_listed([row.method for row in rows[1:]])}; at most one goes")
        else:
            yield Problem(where, f"needs for mode {mode} a method: {_listed([row.method for row in rows])}")
        return
    values = _values(definition)
    lacking = [key for key in row.needs if not values.get(key)]
    if lacking:
        yield Problem(where, f"lacks {_listed(lacking)}, which {_told(row)} needs")
    for key in auth:
        if key not in (*_COMMON_KEYS, *row.needs, *row.takes):
            yield Problem((*where, key), f"is not for {_told(row)}; null takes away what the defaults say")
    if auth.get("method") and mode != "bedrock":
        yield Problem((*where, "method"), "is for mode bedrock only")
    if row.method == "keys" and (definition.get("aws") or {}).get("path"):
        yield Problem((*where, "method"), "keys makes ~/.aws/credentials, and aws.path copies one: take one of both")
    yield from _settings_problems(place, definition, row)


def secret_problems(place: Path, definition: Mapping[str, Any]) -> Iterator[Problem]:
    """Secrets of several lines where only one can be."""
    secrets = definition.get("secrets") or {}
    for part, key in NAMES_OF_SECRETS:
        name = (definition.get(part) or {}).get(key)
        if name in secrets and not is_one_line(secrets[name]):
            yield Problem((*place, part, key), "names a secret of several lines, and it can be only one")


def _settings_problems(place: Path, definition: Mapping[str, Any], row: Method) -> Iterator[Problem]:
    """Settings come over variables, so the user's own would break what ``auth`` says."""
    settings = definition.get("settings") or {}
    for name in row.settings:
        if name in settings:
            yield Problem((*place, "settings", name), f"is set by auth ({_told(row)}): take one of both away")
    owned = {*row.owned_variables}
    auth = definition.get("auth") or {}
    owned.update(variable for variable, key in COMMON_VARIABLES.items() if auth.get(key))
    env = settings.get("env")
    for name in env if isinstance(env, Mapping) else ():
        if name in owned:
            yield Problem((*place, "settings", "env", name), f"is set by auth ({_told(row)}): take one of both away")


def _aws_environment(definition: Mapping[str, Any]) -> dict[str, str]:
    aws = definition.get("aws") or {}
    found = {
        "AWS_REGION": aws.get("region"),
        "AWS_DEFAULT_REGION": aws.get("region"),
        "AWS_PROFILE": aws.get("profile"),
    }
    return {name: value for name, value in found.items() if value}


def _values(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of ``auth`` over those of ``aws`` that stand in for them."""
    aws = definition.get("aws") or {}
    own = {key: value for key, value in (definition.get("auth") or {}).items() if value is not None}
    return {**{key: aws[key] for key in ("region", "profile") if aws.get(key)}, **own}


def _told(row: Method) -> str:
    return f"mode {row.mode}" if row.mode == "gateway" else f"mode {row.mode} with {row.method}"


def _listed(words: list[str] | tuple[str, ...]) -> str:
    return ", ".join(words)
