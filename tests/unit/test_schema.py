# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The schema file, and what is said of variables that it does not allow."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.definition import (
    Definition,
    Healthcheck,
    Mount,
    Network,
    Packages,
    Port,
    Resources,
    SnapshotPolicy,
    User,
    Workspace,
    definition_from,
)
from ansible_collections.berth.projects.plugins.plugin_utils.agent_keys import AGENT_KEYS
from ansible_collections.berth.projects.plugins.plugin_utils.host_input import VARIABLES
from ansible_collections.berth.projects.plugins.plugin_utils.schema import SCHEMA, Problem, schema_problems
from jsonschema import Draft202012Validator

DOCUMENT = json.loads(SCHEMA.read_text(encoding="utf-8"))
PROJECT = DOCUMENT["$defs"]["project"]["properties"]
NOT_BUILT = DOCUMENT["$defs"]["project"]["x-not-built"]


def told(**variables: Any) -> list[str]:
    return [f"{problem.where}: {problem.text}" for problem in schema_problems(variables)]


def told_of(**keys: Any) -> list[str]:
    """What is said of one project with these keys."""
    return told(berth_projects=[{"name": "web", **keys}])


# The file


def test_the_schema_is_a_valid_one() -> None:
    Draft202012Validator.check_schema(DOCUMENT)
    assert DOCUMENT["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_every_variable_of_a_host_is_in_the_schema() -> None:
    assert sorted(DOCUMENT["properties"]) == sorted(VARIABLES)


def test_defaults_take_what_a_project_takes_but_the_name() -> None:
    defaults = DOCUMENT["$defs"]["defaults"]
    assert sorted(defaults["properties"]) == sorted(PROJECT.keys() - {"name"})
    assert all(entry == {"$ref": f"#/$defs/project/properties/{key}"} for key, entry in defaults["properties"].items())
    assert defaults["x-not-built"] == DOCUMENT["$defs"]["project"]["x-not-built"]


def test_every_key_and_variable_is_in_the_reference() -> None:
    reference = (SCHEMA.parents[1] / "docs" / "definition.md").read_text(encoding="utf-8")
    known = {
        *PROJECT,
        *DOCUMENT["properties"],
        *PROJECT["auth"]["properties"],
        *DOCUMENT["$defs"]["mcp_server"]["properties"],
    }
    assert [key for key in sorted(known) if f"`{key}`" not in reference] == []


def _schemas(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every schema in the file."""
    if isinstance(node, dict):
        yield path, node
        for word in ("properties", "$defs"):
            for key, entry in node.get(word, {}).items():
                yield from _schemas(entry, f"{path}.{key}")
        for word in ("items", "propertyNames", "additionalProperties"):
            yield from _schemas(node.get(word), f"{path}.{word}")


SCHEMAS = dict(_schemas(DOCUMENT))


@pytest.mark.parametrize("path", [path for path, node in SCHEMAS.items() if "pattern" in node])
def test_a_pattern_goes_with_words_for_what_it_allows(path: str) -> None:
    assert SCHEMAS[path]["x-allowed"]


@pytest.mark.parametrize("path", [path for path, node in SCHEMAS.items() if "properties" in node and path])
def test_no_map_takes_unknown_keys(path: str) -> None:
    assert SCHEMAS[path]["additionalProperties"] is False


@pytest.mark.parametrize("path", [path for path in SCHEMAS if path.startswith(".project.")])
def test_every_key_is_described(path: str) -> None:
    if not path.endswith((".items", ".propertyNames", ".additionalProperties", ".soft", ".hard")):
        assert SCHEMAS[path]["description"].endswith(".")


@pytest.mark.parametrize("part", ["env", "additionalProperties", "source", "path", "target"])
def test_what_may_be_private_is_never_shown(part: str) -> None:
    assert not any(node.get("x-show") for path, node in SCHEMAS.items() if path.endswith(f".{part}"))


# The schema and the code that reads definitions know the same keys


class Recording(dict[str, Any]):
    """A map that remembers which keys were asked for, in itself and in what is inside."""

    def __init__(self, given: dict[str, Any], log: set[str], path: str = "") -> None:
        self.log, self.path = log, path
        super().__init__({key: self._wrapped(key, value) for key, value in given.items()})

    def _wrapped(self, key: str, value: Any) -> Any:
        if isinstance(value, dict) and key != "env":
            return Recording(value, self.log, f"{self.path}{key}.")
        if isinstance(value, list):
            place = f"{self.path}{key}[]."
            return [Recording(entry, self.log, place) if isinstance(entry, dict) else entry for entry in value]
        return value

    def __getitem__(self, key: str) -> Any:
        self.log.add(self.path + key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self.log.add(self.path + key)
        return super().get(key, default)

    def items(self) -> Any:
        self.log.update(self.path + key for key in self)
        return super().items()


EVERYTHING: dict[str, Any] = {
    "name": "web",
    "state": "started",
    "image": "debian",
    "packages": {"apt": ["jq"], "npm": ["prettier"], "pip": ["ruff"]},
    "workspaces": [{"path": "/a", "name": "a", "read_only": False}],
    "mounts": [{"type": "bind", "source": "/a", "target": "/b", "read_only": False}],
    "docker_access": False,
    "ports": [{"host": 1, "container": 2, "protocol": "tcp", "host_ip": "127.0.0.1"}],
    "env": {"A": "b"},
    "timezone": "UTC",
    "user": {"uid": 1, "gid": 2},
    "healthcheck": {
        "enabled": True,
        "interval": 1,
        "timeout": 2,
        "retries": 3,
        "start_period": 4,
        "disk_limit": 5,
    },
    "resources": {"cpus": 1, "memory": "1g", "pids": 3, "nofile": {"soft": 1, "hard": 2}, "shm_size": "1m"},
    "restart": "no",
    "network": {"egress": "restricted", "allow": ["example.com", "*.example.org:8443"], "host_access": False},
    "snapshot": {"on_replace": False, "keep": 1, "squash_after": 2},
    "agents": ["claude"],
    "auth": {
        "mode": "anthropic",
        "api_key": "key",
        "oauth_token": "key",
        "seed": "/srv/login",
        "method": "keys",
        "access_key_id": "key",
        "secret_access_key": "key",
        "session_token": "key",
        "profile": "dev",
        "region": "eu-central-1",
        "base_url": "https://llm.example",
        "token": "key",
        "model": "opus",
        "small_model": "haiku",
        "prompt_caching": False,
    },
    "secrets": {"key": "value"},
    "git": {"user_name": "A B", "user_email": "a@b", "token": "key", "hosts": ["github.com", "git.example:8443"]},
    "ssh": {"path": "/home/me/.ssh", "keys": ["id_ed25519"], "known_hosts": ["github.com ssh-ed25519 AAAA"]},
    "aws": {"path": "/home/me/.aws", "profile": "dev", "region": "eu-central-1"},
    "instructions": "Be kind.",
    "prompt": "Be brief.",
    "mcp_servers": {
        "files": None,
        "own": {"type": "stdio", "command": "own", "args": ["a", 1, True], "env": {"A": "b", "C": None}},
        "web": {"type": "http", "url": "https://mcp.example/x?y", "headers": {"X-Key": "${secret:key}"}},
    },
    "settings": {"permissions": {"allow": ["Bash(git:*)"]}, "includeCoAuthoredBy": False},
    "skills": ["/srv/skills/greet", {"path": "skills/other", "name": "other"}],
    "schedule": [
        {"name": "daily", "cron": "@daily", "prompt": "Look.", "workspace": "a"},
        {"name": "once", "at": "2026-01-31 18:00", "prompt": "Look."},
    ],
}


def _allowed_keys(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    for key, entry in schema.get("properties", {}).items():
        yield path + key
        yield from _allowed_keys(entry, f"{path}{key}.")
        yield from _allowed_keys(entry.get("items", {}), f"{path}{key}[].")


def test_a_definition_with_every_key_is_allowed() -> None:
    assert told(berth_projects=[EVERYTHING]) == []


def test_every_key_that_the_schema_allows_is_read_and_no_other() -> None:
    asked: set[str] = set()
    definition_from(Recording(EVERYTHING, asked))
    allowed = set(_allowed_keys(DOCUMENT["$defs"]["project"]))
    # what is for the agent becomes files on the control node, and reaches the host as such
    assert asked - set(AGENT_KEYS) == {key for key in allowed if re.split(r"[.\[]", key)[0] not in AGENT_KEYS}


@pytest.mark.parametrize(
    ("part", "shape"),
    [
        (PROJECT, Definition),
        (PROJECT["workspaces"]["items"]["properties"], Workspace),
        (PROJECT["mounts"]["items"]["properties"], Mount),
        (PROJECT["ports"]["items"]["properties"], Port),
        (PROJECT["user"]["properties"], User),
        (PROJECT["healthcheck"]["properties"], Healthcheck),
        (PROJECT["packages"]["properties"], Packages),
        (PROJECT["snapshot"]["properties"], SnapshotPolicy),
        (PROJECT["network"]["properties"], Network),
    ],
)
def test_a_part_of_the_schema_has_the_fields_of_its_class(part: dict[str, Any], shape: Any) -> None:
    # what is for the agent becomes files on the control node, and reaches the host as such
    # and so do the settings of its proxy; the address of that is settled on the host
    names = {one.name for one in dataclasses.fields(shape)} - {"host_state", "proxy"}
    assert sorted(set(part) - set(AGENT_KEYS)) == sorted(names)


def test_resources_differ_in_that_cpus_are_counted_finely() -> None:
    fields = {field.name for field in dataclasses.fields(Resources)}
    assert set(PROJECT["resources"]["properties"]) == fields - {"nano_cpus"} | {"cpus"}


@pytest.mark.parametrize(("part", "shape"), [("healthcheck", Healthcheck), ("snapshot", SnapshotPolicy)])
def test_the_defaults_that_are_described_are_those_that_are_used(part: str, shape: Any) -> None:
    for field in dataclasses.fields(shape):
        description = PROJECT[part]["properties"][field.name]["description"]
        assert description.endswith(f"Default: {json.dumps(field.default)}.")


# What is said

SIZE = "a number of bytes, or a size such as 512m or 8g"
APT = "a Debian package, with a version or a release if wanted, such as jq, jq=1.7* or jq/trixie-backports"
NPM = "an npm package, with a version if wanted, such as prettier or prettier@3; no blanks, no login in a URL"
PIP = "a pip package, with a version if wanted, such as ruff or ruff>=0.5,<1; no blanks, no login in a URL"
SECRET_NAME = "the name of one of the project's secrets (not the secret itself)"
URL = "a URL that starts with https:// or http://, without blanks or a login in it"
NAME = "1 to 41 lower-case letters, digits and hyphens, with a letter or digit at both ends"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"name": "Web"}, f'name: must be {NAME}, and is "Web"'),
        ({"name": "-web"}, f'name: must be {NAME}, and is "-web"'),
        ({"name": "a" * 42}, f'name: must be {NAME}, and is "{"a" * 42}"'),
        ({"name": ""}, f'name: must be {NAME}, and is ""'),
        ({"state": "on_demand"}, 'state: must be one of started, stopped, absent, and is "on_demand"'),
        ({"restart": "always"}, 'restart: must be one of unless-stopped, no, on-failure, and is "always"'),
        ({"image": "-x"}, 'image: must be an image reference, such as berth-base:latest, and is "-x"'),
        ({"image": "a b"}, 'image: must be an image reference, such as berth-base:latest, and is "a b"'),
        ({"workspaces": "/srv/a"}, "workspaces: must be a list"),
        ({"workspaces": {"path": "/srv/a"}}, "workspaces: must be a list"),
        ({"workspaces": ["/srv/a"]}, "workspaces[0]: must be a map"),
        ({"workspaces": [{}]}, "workspaces[0]: lacks path"),
        (
            {"workspaces": [{"path": "srv/a"}]},
            "workspaces[0].path: must be an absolute path, starting with /",
        ),
        ({"workspaces": [{"path": "~/a"}]}, "workspaces[0].path: must be an absolute path, starting with /"),
        (
            {"workspaces": [{"path": "/a", "readonly": True}]},
            "workspaces[0].readonly: is not a known key; did you mean read_only?",
        ),
        ({"workspaces": [{"path": "/a", "read_only": "yes"}]}, "workspaces[0].read_only: must be true or false"),
        (
            {"mounts": [{"target": "/a", "type": "nfs"}]},
            'mounts[0].type: must be one of bind, volume, tmpfs, and is "nfs"',
        ),
        ({"mounts": [{"source": "/a"}]}, "mounts[0]: lacks target"),
        ({"mounts": [{"target": "a"}]}, "mounts[0].target: must be an absolute path, starting with /"),
        ({"docker_access": "yes"}, "docker_access: must be true or false"),
        ({"ports": [8080]}, "ports[0]: must be a map"),
        ({"ports": ["8080:80"]}, "ports[0]: must be a map"),
        ({"ports": [{}]}, "ports[0]: lacks host, container"),
        ({"ports": [{"host": 0, "container": 1}]}, "ports[0].host: must be from 1 to 65535, and is 0"),
        ({"ports": [{"host": 1, "container": 65536}]}, "ports[0].container: must be from 1 to 65535, and is 65536"),
        ({"ports": [{"host": "80", "container": 1}]}, 'ports[0].host: must be a whole number, and is "80"'),
        ({"ports": [{"host": 1.5, "container": 1}]}, "ports[0].host: must be a whole number, and is 1.5"),
        ({"ports": [{"host": True, "container": 1}]}, "ports[0].host: must be a whole number, and is true"),
        (
            {"ports": [{"host": 1, "container": 1, "protocol": "sctp"}]},
            'ports[0].protocol: must be one of tcp, udp, and is "sctp"',
        ),
        (
            {"ports": [{"host": 1, "container": 1, "host_ip": "localhost"}]},
            'ports[0].host_ip: must be an IPv4 or IPv6 address, such as 127.0.0.1, and is "localhost"',
        ),
        ({"env": ["A=b"]}, "env: must be a map"),
        ({"env": {"A": ["b"]}}, "env.A: must be a text (without the character NUL) or a number or true or false"),
        ({"env": {"A": {"b": 1}}}, "env.A: must be a text (without the character NUL) or a number or true or false"),
        (
            {"env": {"1A": "b"}},
            "env: the key '1A' is not allowed: allowed are letters, digits and _, not starting with a digit",
        ),
        (
            {"timezone": "Europe Berlin"},
            'timezone: must be a name of the tz database, such as Europe/Berlin, and is "Europe Berlin"',
        ),
        ({"user": {"gid": 0}}, "user.gid: must be from 1 to 4294967294, and is 0"),
        ({"user": {"uid": 0}}, "user.uid: must be from 1 to 4294967294, and is 0"),
        ({"user": {"uid": "root"}}, 'user.uid: must be a whole number, and is "root"'),
        ({"healthcheck": {"disk_limit": 101}}, "healthcheck.disk_limit: must be from 1 to 100, and is 101"),
        ({"healthcheck": {"start_period": 0}}, "healthcheck.start_period: must be from 1 to 86400, and is 0"),
        ({"healthcheck": {"intervall": 5}}, "healthcheck.intervall: is not a known key; did you mean interval?"),
        ({"resources": {"cpus": 0}}, "resources.cpus: must be 0.01 or more, and is 0"),
        ({"resources": {"cpus": float("-inf")}}, "resources.cpus: must be 0.01 or more, and is -Infinity"),
        ({"resources": {"pids": float("inf")}}, "resources.pids: must be a whole number, and is Infinity"),
        ({"resources": {"pids": float("nan")}}, "resources.pids: must be a whole number, and is NaN"),
        ({"resources": {"memory": float("inf")}}, f"resources.memory: must be {SIZE}, and is Infinity"),
        ({"resources": {"cpus": "2"}}, 'resources.cpus: must be a number, and is "2"'),
        ({"resources": {"memory": "lots"}}, f'resources.memory: must be {SIZE}, and is "lots"'),
        ({"resources": {"memory": -1}}, f"resources.memory: must be {SIZE}, and is -1"),
        ({"resources": {"memory": True}}, f"resources.memory: must be {SIZE}, and is true"),
        ({"resources": {"pids": 0}}, "resources.pids: must be 1 or more, and is 0"),
        ({"resources": {"nofile": 1024}}, "resources.nofile: must be a map"),
        ({"resources": {"nofile": {"soft": 1}}}, "resources.nofile: lacks hard"),
        ({"packages": ["jq"]}, "packages: must be a map"),
        ({"packages": {"apt": "jq"}}, "packages.apt: must be a list"),
        ({"packages": {"yum": ["jq"]}}, "packages.yum: is not a known key; known are apt, npm, pip"),
        ({"packages": {"apt": ["jq", "--force-yes"]}}, f"packages.apt[1]: must be {APT}"),
        ({"packages": {"npm": ["a b"]}}, f"packages.npm[0]: must be {NPM}"),
        ({"packages": {"pip": ["-rlist"]}}, f"packages.pip[0]: must be {PIP}"),
        ({"snapshot": True}, "snapshot: must be a map"),
        ({"snapshot": {"on_replace": "no"}}, 'snapshot.on_replace: must be true or false, and is "no"'),
        ({"snapshot": {"keep": 0}}, "snapshot.keep: must be from 1 to 100, and is 0"),
        ({"snapshot": {"squash_after": 1}}, "snapshot.squash_after: must be from 2 to 100, and is 1"),
        ({"snapshot": {"squash_after": 101}}, "snapshot.squash_after: must be from 2 to 100, and is 101"),
        ({"workspace": []}, "workspace: is not a known key; did you mean workspaces?"),
        ({"agents": ["codex"]}, "agents[0]: must be one of claude"),
        ({"agents": []}, "agents: must be a list with the one agent that is built: claude"),
        ({"auth": {"mode": "vertex"}}, "auth.mode: must be one of anthropic, bedrock, gateway"),
        ({"auth": {"api_key": "sk x"}}, f"auth.api_key: must be {SECRET_NAME}"),
        ({"auth": {"base_url": "https://me:pw@x"}}, f"auth.base_url: must be {URL}"),
        ({"auth": {"seed": "login"}}, "auth.seed: must be an absolute path, starting with /"),
        ({"auth": {"apikey": "x"}}, "auth.apikey: is not a known key; did you mean api_key?"),
        ({"secrets": ["x"]}, "secrets: must be a map"),
        ({"secrets": {"a": ""}}, "secrets.a: must be a text that is not empty (and has no character NUL)"),
        (
            {"secrets": {"a": 5}},
            "secrets.a: must be a text that is not empty (and has no character NUL); YAML reads it as no text unless "
            "it is in quotes",
        ),
        (
            {"secrets": {"a b": "x"}},
            "secrets: has a key that is not allowed: allowed are 1 to 64 letters, digits, dots, hyphens and "
            "underscores, not starting with a dot",
        ),
        ({"git": {"token": "x/y"}}, f"git.token: must be {SECRET_NAME}"),
        (
            {"git": {"hosts": ["https://github.com"]}},
            "git.hosts[0]: must be the name of a host such as github.com, with a port if wanted, without https://",
        ),
        ({"ssh": {"keys": ["../id"]}}, "ssh.keys[0]: must be the name of a file in path"),
        ({"aws": {"region": "eu central"}}, "aws.region: must be a region such as eu-central-1"),
        ({"instructions": ["x"]}, "instructions: must be a text (without the character NUL)"),
        ({"mcp_servers": "fs"}, "mcp_servers: must be a list or a map"),
        ({"mcp_servers": ["a b"]}, "mcp_servers[0]: must be 1 to 64 letters, digits, hyphens and underscores"),
        ({"mcp_servers": {"x": "npx"}}, "mcp_servers.x: must be a map"),
        (
            {"mcp_servers": {"x": {"cmd": "npx"}}},
            "mcp_servers.x.cmd: is not a known key; did you mean command?",
        ),
        ({"mcp_servers": {"x": {"args": "a b"}}}, "mcp_servers.x.args: must be a list"),
        ({"settings": []}, "settings: must be a map"),
        (
            {"skills": [5]},
            "skills[0]: must be a path on the control node, or {path, name}; YAML reads it as no text "
            "unless it is in quotes",
        ),
        ({"skills": [{"name": "x"}]}, "skills[0]: lacks path"),
        ({"schedule": {}}, "schedule: must be a list"),
        ({"schedule": [{}]}, "schedule[0]: lacks name, prompt"),
        (
            {"schedule": [{"name": "x", "prompt": "x", "at": "18:00"}]},
            'schedule[0].at: must be a time as "2026-01-31 18:00", and is "18:00"',
        ),
    ],
    ids=str,
)
def test_what_is_not_allowed_is_told_with_its_place_and_what_is(keys: dict[str, Any], message: str) -> None:
    assert told_of(**keys) == [f"berth_projects[0].{message}"]


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"berth_projects": {}}, "berth_projects: must be a list"),
        ({"berth_projects": "web"}, "berth_projects: must be a list"),
        ({"berth_projects": ["web"]}, "berth_projects[0]: must be a map"),
        ({"berth_projects": [{"image": "x"}]}, "berth_projects[0]: lacks name"),
        ({"berth_project_defaults": []}, "berth_project_defaults: must be a map"),
        ({"berth_project_defaults": {"nam": "x"}}, "berth_project_defaults.nam: is not a known key"),
        ({"berth_project_defaults": {"state": "on"}}, "berth_project_defaults.state: must be one of"),
        ({"berth_env": ["A"]}, "berth_env: must be a map"),
        ({"berth_env": {"A-B": "x"}}, "berth_env: the key 'A-B' is not allowed"),
        ({"berth_image": 5}, "berth_image: must be an image reference"),
        (
            {"berth_scope": "a b"},
            'berth_scope: must be up to 63 letters, digits, dots, hyphens and underscores, and is "a b"',
        ),
        ({"berth_state_dir": "state"}, "berth_state_dir: must be an absolute path, starting with /"),
        ({"berth_prune": "yes"}, "berth_prune: must be true or false"),
        ({"berth_parallel": 0}, "berth_parallel: must be from 1 to 64, and is 0"),
        ({"berth_mcp_servers": ["x"]}, "berth_mcp_servers: must be a map"),
        ({"berth_mcp_servers": {"x": {"uri": "x"}}}, "berth_mcp_servers.x.uri: is not a known key; did you mean url?"),
        ({"berth_instructions": 5}, "berth_instructions: must be a text (without the character NUL)"),
        ({"berth_template_mcp": ["x"]}, "berth_template_mcp: must be a path on the control node"),
        ({"berth_when_busy": "wait"}, 'berth_when_busy: must be one of defer, force, and is "wait"'),
    ],
)
def test_the_variables_of_a_host_are_checked_too(variables: dict[str, Any], message: str) -> None:
    found = told(**variables)
    assert len(found) == 1 and found[0].startswith(message)


@pytest.mark.parametrize("key", DOCUMENT["$defs"]["project"]["x-not-built"])
@pytest.mark.parametrize("variable", ["berth_projects", "berth_project_defaults"])
def test_a_key_that_is_not_built_yet_is_refused(key: str, variable: str) -> None:
    value: Any = {key: {}} if variable == "berth_project_defaults" else [{"name": "web", key: {}}]
    assert [text for text in told(**{variable: value}) if f".{key}: is not built yet" in text]


def test_a_key_that_resembles_none_is_answered_with_all_there_are() -> None:
    assert told_of(zzz=1)[0].endswith("known are " + ", ".join(sorted(PROJECT)))


def test_everything_that_is_wrong_is_told_at_once() -> None:
    assert len(told_of(state="x", image=5, ports=[{"host": 0, "container": 0}], foo=1)) == 5


def test_a_long_value_is_cut() -> None:
    text = told_of(state="x" * 500)[0]
    assert len(text) < 140 and text.endswith("…")


def test_nothing_is_wrong_with_nothing() -> None:
    assert told() == [] and told(berth_projects=[]) == []


@pytest.mark.parametrize("name", ["a", "0", "a-b", "a" * 41, "my-project-2"])
def test_a_name_may_be_as_the_public_interface_says(name: str) -> None:
    assert told(berth_projects=[{"name": name}]) == []


@pytest.mark.parametrize(
    "keys",
    [
        {"name": "web\n"},
        {"image": "debian\n"},
        {"workspaces": [{"path": "/a", "name": "a\n"}]},
        {"ports": [{"host": 1, "container": 2, "host_ip": "127.0.0.1\n"}]},
        {"env": {"A\n": "b"}},
        {"timezone": "UTC\n"},
        {"packages": {"apt": ["jq\n"]}},
        {"packages": {"npm": ["prettier\n"]}},
        {"packages": {"pip": ["ruff\n"]}},
        {"auth": {"api_key": "key\n"}},
        {"auth": {"model": "opus\n"}},
        {"secrets": {"key\n": "x"}},
        {"git": {"user_name": "A\n"}},
        {"git": {"hosts": ["github.com\n"]}},
        {"ssh": {"keys": ["id\n"]}},
        {"ssh": {"known_hosts": ["h k v\n"]}},
        {"aws": {"profile": "dev\n"}},
        {"mcp_servers": {"x\n": None}},
        {"mcp_servers": {"x": {"url": "https://x\n"}}},
        {"mcp_servers": {"x": {"url": "https://x", "headers": {"A": "b\n"}}}},
        {"schedule": [{"name": "x\n", "prompt": "x"}]},
    ],
    ids=str,
)
def test_a_newline_at_the_end_is_not_let_through(keys: dict[str, Any]) -> None:
    assert told_of(**keys) != []


@pytest.mark.parametrize(
    ("installer", "package"),
    [
        ("apt", "g++"),
        ("apt", "libc6:i386"),
        ("apt", "jq=1.7.1-6+deb13u1"),
        ("apt", "jq=1:1.7*"),
        ("apt", "jq/trixie-backports"),
        ("apt", "python3.13"),
        ("npm", "@scope/tool@^1.2.0"),
        ("npm", "tool@latest"),
        ("npm", "git+https://git.example/team/tool.git#v1"),
        ("pip", "black[d]>=24,<26"),
        ("pip", "ruff~=0.5"),
        ("pip", "git+https://git.example/team/tool@v1"),
    ],
)
def test_a_package_may_be_named_as_its_installer_names_it(installer: str, package: str) -> None:
    assert told_of(packages={installer: [package]}) == []


@pytest.mark.parametrize("installer", ["apt", "npm", "pip"])
@pytest.mark.parametrize(
    "package",
    ["", "-y", "--foo", "./local", "/etc/passwd", "a b", "a;b", "$(id)", "`id`", "a'b", "a|b", "a\nb", "a\\b", "é"],
)
def test_what_is_no_package_is_refused_and_not_handed_to_a_shell(installer: str, package: str) -> None:
    assert len(told_of(packages={installer: [package]})) == 1


@pytest.mark.parametrize("package", ["jq-", "jq=1.7-", "Jq", "jq[x]", "@jq"])
def test_an_apt_package_with_a_meaning_other_than_to_install_it_is_refused(package: str) -> None:
    assert told_of(packages={"apt": [package]}) != []


@pytest.mark.parametrize("installer", ["npm", "pip"])
def test_a_login_in_a_url_is_refused_and_not_shown(installer: str) -> None:
    (text,) = told_of(packages={installer: ["git+https://me:v3ry-own@git.example/tool"]})
    assert "v3ry-own" not in text and "no login in a URL" in text


def test_a_name_of_digits_only_is_told_to_be_put_in_quotes() -> None:
    assert "in quotes" in told_of(name=123)[0]


def test_a_plain_no_that_yaml_reads_as_false_is_told_to_be_put_in_quotes() -> None:
    assert "quotes" in told_of(restart=False)[0]


@pytest.mark.parametrize("reference", ["", "a b", "-x"])
def test_the_global_image_must_be_a_reference_as_a_projects_must(reference: str) -> None:
    assert told(berth_image=reference) != []


def test_an_environment_key_written_with_its_value_does_not_show_the_value() -> None:
    assert "v3ry-own" not in told_of(env={"TOKEN=v3ry-own": None})[0]


@pytest.mark.parametrize(
    ("path", "where"),
    [
        (("berth_projects", 2, "ports", 0, "host"), "berth_projects[2].ports[0].host"),
        (("berth_env", "A"), "berth_env.A"),
        ((), ""),
    ],
)
def test_a_place_reads_as_in_yaml_tools(path: Any, where: str) -> None:
    assert Problem(path, "").where == where


@pytest.mark.parametrize("name", ["a", "A.b_c-1", "0", "a" * 64])
def test_a_secret_may_be_called_so(name: str) -> None:
    assert told_of(secrets={name: "x"}, auth={"api_key": name}) == []


@pytest.mark.parametrize("name", ["", ".", "..", ".a", "a/b", "a b", "ä", "a" * 65])
def test_a_secret_may_not_be_called_so_as_its_name_is_that_of_a_file(name: str) -> None:
    assert len(told_of(secrets={name: "x"})) == 1
    assert len(told_of(git={"token": name})) == 1


@pytest.mark.parametrize("key", ["ghp_" + "a" * 36, "sk-ant-" + "a" * 20, "a b", "x" * 65, "TOKEN=v"])
def test_a_key_that_may_be_a_value_is_not_told(key: str) -> None:
    assert key not in "".join(told_of(auth={key: None}, secrets={key: 5}, mcp_servers={"x": {key: 1}}))


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("API_KEY:sk-ant-REAL", "'API_KEY:…'"),
        ("API_KEY=sk-ant-REAL", "'API_KEY=…'"),
        ("A B", "'A…'"),
        ("1A", "'1A'"),
        ("A-B", "'A-B'"),
        ("$ecret", "'…'"),
    ],
)
def test_a_key_that_is_none_is_told_only_as_far_as_it_could_be_one(key: str, shown: str) -> None:
    (problem,) = schema_problems({"berth_env": {key: None}})
    assert problem.text.startswith(f"the key {shown} is not allowed")
    server = {"command": "x", "env": {key: "1"}}
    told = [one.text for one in schema_problems({"berth_mcp_servers": {"s": server}})]
    assert len(told) == 1 and f"the key {shown} is not allowed" in told[0]
