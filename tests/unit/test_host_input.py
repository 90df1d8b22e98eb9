# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One host's variables: merged, checked, and told about without what may be private."""

from __future__ import annotations

import copy
import datetime
from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible_collections.berth.projects.plugins.module_utils.definition import definition_from
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.plugin_utils.host_input import (
    check_only,
    host_input,
    names_in,
    plain,
    refuse,
    resolve,
)
from ansible_collections.berth.projects.tests.unit.builders import PROJECTS
from ansible_collections.berth.projects.tests.unit.test_schema import EVERYTHING
from hypothesis import given
from hypothesis import strategies as st


def of(*projects: Any, **variables: Any) -> Any:
    return host_input("db1", {"berth_projects": list(projects), **variables})


# Merging


def test_definitions_come_out_merged() -> None:
    found = of(
        {"name": "web", "env": {"A": None, "C": "p"}},
        berth_project_defaults={"restart": "no", "env": {"B": "d"}},
        berth_env={"A": "g", "B": "g"},
        berth_image="tool:2",
    )
    assert found.problems == ()
    assert found.definitions == ({"name": "web", "image": "tool:2", "restart": "no", "env": {"B": "d", "C": "p"}},)


def test_merging_is_checked_as_a_whole() -> None:
    found = of({"name": "web"}, {"name": "api"}, berth_project_defaults={"ports": [{"host": 1, "container": 2}]})
    assert found.problems == (
        "- host db1, project api: berth_projects[1].ports[0].host: "
        "tcp port 1 of the host is taken by project web already",
    )


@pytest.mark.parametrize(
    ("project", "defaults", "user"),
    [
        ({"gid": 5}, {"uid": 7}, {"uid": 7, "gid": 5}),
        ({"gid": 5}, {"uid": 7, "gid": 8}, {"uid": 7, "gid": 5}),
        ({"uid": 7}, {"gid": 5}, {"uid": 7, "gid": 5}),
        ({"uid": 7, "gid": None}, {"gid": 5}, {"uid": 7}),
    ],
)
def test_a_user_may_be_written_in_two_layers(project: Any, defaults: Any, user: Any) -> None:
    found = of({"name": "web", "user": project}, berth_project_defaults={"user": defaults})
    assert found.problems == ()
    assert found.definitions[0]["user"] == user


@pytest.mark.parametrize(
    ("project", "defaults"),
    [({"gid": 5}, None), ({"gid": 5}, {"gid": 6}), (None, {"gid": 6})],
)
def test_a_gid_without_a_uid_in_any_layer_is_refused(project: Any, defaults: Any) -> None:
    own = {"user": project} if project else {}
    found = of({"name": "web", **own}, berth_project_defaults={"user": defaults})
    assert found.problems == ("- host db1, project web: berth_projects[0].user: lacks uid",)


@pytest.mark.parametrize("cpus", [float("nan"), float("inf")])
@pytest.mark.parametrize("layer", ["project", "defaults"])
def test_cpus_that_are_no_number_are_refused(cpus: float, layer: str) -> None:
    resources = {"resources": {"cpus": cpus}}
    if layer == "project":
        found = of({"name": "web", **resources})
    else:
        found = of({"name": "web"}, berth_project_defaults=resources)
    assert found.problems == (
        "- host db1, project web: berth_projects[0].resources.cpus: must be a number, such as 1.5",
    )


@pytest.mark.parametrize(
    ("variables", "is_declared"),
    [({}, False), ({"berth_projects": None}, False), ({"berth_projects": []}, True)],
)
def test_an_undefined_list_is_not_an_empty_one(variables: Any, is_declared: bool) -> None:
    assert host_input("db1", variables).is_declared is is_declared


def test_an_empty_state_folder_means_the_default() -> None:
    assert of({"name": "web"}, berth_state_dir="").problems == ()


@pytest.mark.parametrize("value", [None, {}])
@pytest.mark.parametrize("name", ["berth_project_defaults", "berth_env"])
def test_a_variable_without_content_is_as_if_it_were_not_there(name: str, value: Any) -> None:
    assert of({"name": "web"}, **{name: value}).definitions == of({"name": "web"}).definitions


@pytest.mark.parametrize(
    ("variables", "fine"),
    [
        ({"berth_prune": "true"}, True),
        ({"berth_prune": "no"}, True),
        ({"berth_prune": "perhaps"}, False),
        ({"berth_apply_image_changes": "true"}, True),
        ({"berth_apply_image_changes": "perhaps"}, False),
        ({"berth_destroy_data": "yes"}, True),
        ({"berth_destroy_data": 2}, False),
        ({"berth_snapshot": "latest"}, True),
        ({"berth_snapshot": "20260102T030405678901Z"}, True),
        ({"berth_snapshot": "berth/web:20260102T030405678901Z"}, True),
        ({"berth_snapshot": "yesterday"}, False),
        ({"berth_snapshot_operation": "list"}, True),
        ({"berth_snapshot_operation": "delete"}, False),
        ({"berth_parallel": "4"}, True),
        ({"berth_parallel": "0"}, False),
        ({"berth_parallel": "many"}, False),
    ],
)
def test_what_the_command_line_gives_as_text_is_read_as_what_it_spells(variables: Any, fine: bool) -> None:
    assert (of({"name": "web"}, **variables).problems == ()) is fine


# Messages


def test_a_message_names_host_project_and_place() -> None:
    assert of({"name": "web", "state": "up"}).problems == (
        '- host db1, project web: berth_projects[0].state: must be one of started, stopped, absent, and is "up"',
    )


@pytest.mark.parametrize("name", [5, None, ["a"], "x" * 61])
def test_a_project_without_a_usable_name_is_told_by_its_place_alone(name: Any) -> None:
    assert of({"name": name}).problems[0].startswith("- host db1: berth_projects[0].name: must be")


def test_no_definition_comes_out_where_there_are_problems() -> None:
    assert of({"name": "web"}, {"name": "Web"}).definitions == ()


def test_a_problem_of_the_global_environment_is_told_where_it_is_written() -> None:
    (problem,) = of({"name": "web"}, {"name": "api"}, berth_env={"TZ": "UTC"}).problems
    assert problem == "- host db1: berth_env.TZ: is set by Berth itself: use timezone"


def test_so_is_one_of_the_defaults() -> None:
    (problem,) = of({"name": "web"}, {"name": "api"}, berth_project_defaults={"env": {"TZ": "UTC"}}).problems
    assert problem == "- host db1: berth_project_defaults.env.TZ: is set by Berth itself: use timezone"


def test_so_is_one_of_a_project() -> None:
    (problem,) = of({"name": "web"}, {"name": "api", "env": {"BERTH_X": "1"}}).problems
    assert problem == (
        "- host db1, project api: berth_projects[1].env.BERTH_X: "
        "starts with BERTH_, which is kept for Berth itself: take another name"
    )


def test_a_variable_that_is_wrong_in_every_layer_is_told_of_each() -> None:
    env = {"HOME": "/root"}
    problems = of({"name": "web", "env": env}, berth_project_defaults={"env": env}, berth_env=env).problems
    assert problems == (
        "- host db1: berth_env.HOME: is set by Berth itself: it is always /home/agent",
        "- host db1: berth_project_defaults.env.HOME: is set by Berth itself: it is always /home/agent",
        "- host db1, project web: berth_projects[0].env.HOME: is set by Berth itself: it is always /home/agent",
    )


def test_a_wrong_variable_of_a_layer_is_told_without_any_project() -> None:
    assert of(berth_env={"TZ": "UTC"}).problems == ("- host db1: berth_env.TZ: is set by Berth itself: use timezone",)


@pytest.mark.parametrize(
    ("variables", "refused"),
    [
        ({"berth_prune": True}, True),
        ({"berth_prune": True, "berth_projects": None}, True),
        ({"berth_prune": True, "berth_projects": []}, False),
        ({"berth_prune": False}, False),
    ],
)
def test_pruning_needs_a_declared_list(variables: Any, refused: bool) -> None:
    problems = host_input("db1", variables).problems
    assert bool(problems) is refused
    assert not refused or ("berth_prune" in problems[0] and "berth_projects is not defined" in problems[0])


def test_warnings_name_the_host() -> None:
    assert of({"name": "web", "env": {"A_TOKEN": "x"}}).warnings[0].startswith("host db1, project web: env.A_TOKEN")


def test_all_problems_stop_the_run_at_once() -> None:
    with pytest.raises(BerthError) as error:
        refuse(["- a", "- b"])
    assert error.value.msg == ("Nothing was changed, because 2 things are wrong in the variables:\n- a\n- b")


def test_one_problem_is_one_thing() -> None:
    with pytest.raises(BerthError, match="1 thing is wrong"):
        refuse(["- a"])


def test_a_flood_of_problems_is_cut() -> None:
    with pytest.raises(BerthError, match=r"100 things are wrong") as error:
        refuse(f"- {number}" for number in range(100))
    assert error.value.msg.count("\n- ") == 40 and error.value.msg.endswith("… and 60 more")


def test_no_problems_stop_nothing() -> None:
    refuse([])


# berth_only


@pytest.mark.parametrize(
    ("only", "names"),
    [
        (None, []),
        ("", []),
        ("web", ["web"]),
        ("web,api", ["web", "api"]),
        (" web , ,api,", ["web", "api"]),
        (["web", "api"], ["web", "api"]),
        ([], []),
        ([7], ["7"]),
    ],
)
def test_names_may_come_from_the_command_line_or_from_a_file(only: Any, names: list[str]) -> None:
    assert names_in(only) == names


def test_a_name_that_no_host_knows_is_told_with_the_nearest() -> None:
    hosts = [of({"name": "billing"}), of({"name": "docs"})]
    assert check_only(["billing", "docs"], hosts) == []
    assert check_only(["biling", "zzz"], hosts) == [
        "berth_only: no host of this run has a project 'biling'; did you mean billing?",
        "berth_only: no host of this run has a project 'zzz'; declared are billing, docs",
    ]
    assert check_only(["x"], [of()]) == ["berth_only: no host of this run has a project 'x'; declared are none"]


def test_a_run_works_on_all_projects_or_on_those_that_are_named() -> None:
    found = of({"name": "web"}, {"name": "api"})
    assert [entry["name"] for entry in found.selected([])] == ["web", "api"]
    assert [entry["name"] for entry in found.selected(["api", "elsewhere"])] == ["api"]
    assert found.names == ("web", "api")


# Plain values


class _Tagged(str):
    """As Ansible marks strings."""


def test_what_ansible_attaches_is_taken_off() -> None:
    value = plain({"a": _Tagged("x"), "b": [_Tagged("y")], "c": datetime.date(2026, 1, 2)})
    assert value == {"a": "x", "b": ["y"], "c": "2026-01-02"}
    assert {value["a"].__class__, value["b"][0].__class__} == {str}


def test_a_key_that_yaml_reads_as_a_date_is_told_and_no_crash() -> None:
    assert of({"name": "web", "env": {datetime.date(2026, 1, 2): "x"}}).problems == (
        "- host db1, project web: berth_projects[0].env: the key '2026-01-02' is not allowed: "
        "allowed are letters, digits and _, not starting with a digit",
    )


# Nothing private in messages

MARKER = "v3ry-pr1vate-m4rker"


def _leaves(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The places of a definition, parts and whole, but not those that are always shown."""
    found = [path] if path else []
    if isinstance(node, dict):
        for key, value in node.items():
            found += _leaves(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            found += _leaves(value, (*path, index))
    return found


PLACES = _leaves(EVERYTHING)
SHOWN = {
    ("name",),
    ("state",),
    ("image",),
    ("timezone",),
    ("restart",),
    ("workspaces", 0, "name"),
    ("mounts", 0, "type"),
    ("mounts", 0, "target"),
}


def put(node: Any, path: tuple[Any, ...], value: Any) -> Any:
    changed = copy.deepcopy(node)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return changed


def all_texts(project: Any, **variables: Any) -> str:
    found = of(project, **variables)
    return "\n".join([*found.problems, *found.warnings])


@pytest.mark.parametrize("shape", [[MARKER], {"x": MARKER}, {"x": [{"y": MARKER}]}, [[MARKER]]], ids=str)
@pytest.mark.parametrize("path", PLACES, ids=str)
def test_what_has_a_wrong_shape_is_not_quoted(path: tuple[Any, ...], shape: Any) -> None:
    assert MARKER not in all_texts(put(EVERYTHING, path, shape))


PRIVATE = ("env", "workspaces", "mounts", "auth", "secrets", "git", "ssh", "aws", "instructions", "prompt", "settings")


@pytest.mark.parametrize("path", [path for path in PLACES if path[0] in (*PRIVATE, "mcp_servers", "skills")], ids=str)
def test_a_text_where_something_private_may_be_is_not_quoted(path: tuple[Any, ...]) -> None:
    if path not in SHOWN:
        assert MARKER not in all_texts(put(EVERYTHING, path, MARKER))


@given(
    key=st.sampled_from(["A", "API_TOKEN", "TZ", "BERTH_X", "1BAD", "BAD-KEY", "PATH"]),
    prefix=st.sampled_from(["", "sk-ant-api03-", "ghp_", "://u:", "-----BEGIN PRIVATE KEY-----"]),
    nested=st.booleans(),
    variable=st.sampled_from(["project", "berth_env", "defaults"]),
)
def test_a_value_of_the_environment_is_never_in_a_message(key: str, prefix: str, nested: bool, variable: str) -> None:
    value: Any = prefix + MARKER
    env = {key: [value] if nested else value}
    if variable == "project":
        text = all_texts({"name": "web", "env": env})
    elif variable == "berth_env":
        text = all_texts({"name": "web"}, berth_env=env)
    else:
        text = all_texts({"name": "web"}, berth_project_defaults={"env": env})
    assert MARKER not in text


@given(
    key=st.from_regex(r"[a-z_]{1,12}", fullmatch=True).filter(lambda key: key not in EVERYTHING),
    value=st.recursive(st.just(MARKER), lambda inner: st.lists(inner, min_size=1, max_size=2), max_leaves=3),
    place=st.sampled_from([(), ("workspaces", 0), ("ports", 0), ("resources",), ("resources", "nofile"), ("user",)]),
)
def test_what_is_under_an_unknown_key_is_never_in_a_message(key: str, value: Any, place: tuple[Any, ...]) -> None:
    text = all_texts(put(EVERYTHING, (*place, key), value)) if key not in ("path", "host", "uid", "name") else ""
    assert MARKER not in text


@pytest.mark.parametrize("value", [MARKER, [MARKER], {"x": {MARKER: MARKER}}], ids=str)
@pytest.mark.parametrize(
    "variable",
    ["berth_projects", "berth_project_defaults", "berth_env", "berth_image", "berth_state_dir", "berth_prune"],
)
def test_a_variable_of_a_wrong_type_is_not_quoted(variable: str, value: Any) -> None:
    found = host_input("db1", {variable: value})
    quoted = "\n".join(found.problems)
    assert MARKER not in quoted


@given(PROJECTS)
def test_a_valid_project_is_let_through_and_comes_out_the_same_twice(written: dict[str, Any]) -> None:
    found = of(written)
    if not found.problems:
        again = of(*found.definitions)
        assert again.problems == ()
        assert list(map(definition_from, again.definitions)) == list(map(definition_from, found.definitions))


# Secrets, wherever somebody may have put them

AGENT: dict[str, Any] = {
    "name": "web",
    "secrets": {"key": f"{MARKER}-1"},
    "auth": {"api_key": "key"},
    "git": {"token": "key", "hosts": ["github.com"]},
    "mcp_servers": {"x": {"command": "x", "args": ["a"], "env": {"A": f"{MARKER}-2"}}},
    "settings": {"env": {"A": f"{MARKER}-3"}},
    "schedule": [{"name": "a", "cron": "@daily", "prompt": f"{MARKER}-4"}],
}
WRONG: list[tuple[tuple[Any, ...], Any]] = [
    (("auth", "api_key"), MARKER),
    (("auth", "oauth_token"), MARKER),
    (("auth",), {"mode": "gateway", "base_url": "https://x", "token": MARKER}),
    (("auth",), {"mode": "gateway", "base_url": f"https://{MARKER}@x", "token": "key"}),
    (("auth",), {"mode": MARKER}),
    (("auth",), {"mode": "bedrock", "method": MARKER}),
    (("auth",), {"mode": "bedrock", "method": "keys", "access_key_id": MARKER, "secret_access_key": MARKER}),
    (("git", "token"), MARKER),
    (("git", "hosts"), [f"https://{MARKER}@github.com"]),
    (("secrets", "key"), [MARKER]),
    (("secrets", "key"), f"{MARKER}\0"),
    (("secrets", "key"), f"{MARKER}\n{MARKER}"),
    (("secrets",), MARKER),
    (("secrets",), {f"{MARKER} {MARKER}": "x"}),
    (("secrets",), {f"key={MARKER}": None}),
    (("mcp_servers", "x", "env", "A"), f"{MARKER} ${{secret:{MARKER}}}"),
    (("mcp_servers", "x", "env", "A"), f"${{secret:{MARKER} }}"),
    (("mcp_servers", "x", "args"), [f"--key={MARKER}${{secret:key}}"]),
    (("mcp_servers", "x", "command"), f"{MARKER} ${{secret:key}}"),
    (("mcp_servers", "x"), {"url": f"https://{MARKER}@x"}),
    (("mcp_servers", "x"), {"url": f"https://x?{MARKER}${{secret:key}}"}),
    (("mcp_servers", "x"), {"url": "https://x", "headers": {f"Authorization: {MARKER}": "x"}}),
    (("mcp_servers", "x"), {"url": "https://x", "headers": {"A": f"{MARKER}\n"}}),
    (("settings", "apiKeyHelper"), MARKER),
    (("settings", "env", "B"), f"{MARKER}${{secret:key}}"),
    (("env",), {"A": f"{MARKER}${{secret:key}}"}),
    (("schedule", 0, "cron"), MARKER),
    (("schedule", 0, "workspace"), MARKER),
]


@pytest.mark.parametrize(("path", "value"), WRONG, ids=str)
@pytest.mark.parametrize("layer", ["project", "defaults"])
def test_a_secret_is_in_no_message_wherever_it_was_put(path: tuple[Any, ...], value: Any, layer: str) -> None:
    project = put(AGENT, path, value)
    if layer == "project":
        found = of(project)
    else:
        project.pop("name")
        found = of({"name": "web"}, berth_project_defaults=project)
    assert found.problems
    assert MARKER not in "\n".join([*found.problems, *found.warnings])


def test_a_secret_is_in_no_message_of_the_library() -> None:
    library = {"x": {"command": MARKER, "args": [f"{MARKER}${{secret:a}}"], "url": f"https://{MARKER}"}}
    found = of({"name": "web", "mcp_servers": ["x"]}, berth_mcp_servers=library)
    assert len(found.problems) == 2 and MARKER not in "\n".join(found.problems)


def test_what_cannot_be_resolved_is_told_without_the_text_around_it() -> None:
    def template(value: Any) -> Any:
        raise AnsibleError(f"template error while templating string: unexpected. String: {MARKER}\n{MARKER}")

    _resolved, problems = resolve("db1", ["berth_projects"], {"berth_projects": "x"}, template)
    assert problems == [
        "- host db1: berth_projects: cannot be resolved: template error while templating string: unexpected."
    ]


def test_a_project_that_is_fine_is_rendered_with_what_the_host_shares() -> None:
    found = of({**AGENT, "mcp_servers": ["x"]}, berth_mcp_servers={"x": {"command": "x"}, "y": None})
    assert found.problems == ()
    assert found.shared == {"berth_mcp_servers": {"x": {"command": "x"}}}


def test_a_number_of_tokens_is_no_secret() -> None:
    found = of({"name": "web", "env": {"CLAUDE_CODE_MAX_OUTPUT_TOKENS": 9, "MAX_THINKING_TOKENS": 9, "MY_TOKEN": "x"}})
    (text,) = found.warnings
    assert "env.MY_TOKEN looks like a secret" in text


# Texts that are none


LATIN = "Gr\udcfc\udcdfe"
"""What Ansible makes of a file in Latin-1."""


def test_what_is_not_utf8_is_refused_by_its_path_and_never_quoted() -> None:
    web = {
        "name": "web",
        "instructions": LATIN,
        "secrets": {"a": f"s3cret{LATIN}"},
        "skills": ["/a", LATIN],
        "env": {LATIN: "x"},
    }
    found = of(web, {"name": LATIN}, berth_mcp_servers={"one": {"command": LATIN}})
    told = "has characters that are not UTF-8; was it read from a file in another encoding?"
    assert {line.removesuffix(told) for line in found.problems if line.endswith(told)} == {
        "- host db1, project web: berth_projects[0].instructions: ",
        "- host db1, project web: berth_projects[0].secrets.a: ",
        "- host db1, project web: berth_projects[0].skills[1]: ",
        "- host db1, project web: berth_projects[0].env: has a key that ",
        "- host db1: berth_projects[1].name: ",
        "- host db1: berth_mcp_servers.one.command: ",
    }
    assert found.definitions == ()
    assert "s3cret" not in "".join(found.problems).encode().decode()


@pytest.mark.parametrize("text", ["Grüße", "日本 \U0001f6f3", "\\udcfc"])
def test_any_other_text_is_fine(text: str) -> None:
    assert of({"name": "web", "instructions": text}).problems == ()
