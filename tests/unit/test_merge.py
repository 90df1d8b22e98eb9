# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Global settings under the defaults, and the defaults under each project."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.image_base import LATEST
from ansible_collections.berth.projects.plugins.plugin_utils.merge import (
    merge,
    merged_definition,
    without_nulls,
)
from hypothesis import given
from hypothesis import strategies as st

KEYS = st.sampled_from(["a", "b", "c"])
LEAVES = st.one_of(st.none(), st.integers(0, 3), st.lists(st.integers(0, 3), max_size=2))


def trees_of(shape: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Maps of one shape: what is a map in one of them is a map in all."""
    return st.fixed_dictionaries(
        {}, optional={key: trees_of(value) if value else LEAVES for key, value in shape.items()}
    )


SHAPES: dict[str, Any] = {"a": {}, "b": {"x": {}, "y": {"z": {}}}, "c": {"w": {}}}
TREES = trees_of(SHAPES)
ANYTHING = st.recursive(LEAVES, lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=8)


def merged(project: dict[str, Any], **below: Any) -> dict[str, Any]:
    return merged_definition(
        {"name": "web", **project}, below.get("defaults", {}), below.get("env", {}), below.get("image")
    )


@pytest.mark.parametrize(
    ("below", "above", "expected"),
    [
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}}, {"a": {"x": 1, "y": 3}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": [1, 2]}, {"a": []}, {"a": []}),
        ({"a": {"x": 1}}, {"a": [1]}, {"a": [1]}),
        ({"a": 1}, {"a": None}, {}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"x": None}}, {"a": {"y": 2}}),
        ({"a": {"x": 1}}, {"a": None}, {}),
        ({"a": 0}, {"a": False}, {"a": False}),
    ],
)
def test_maps_merge_by_key_and_the_rest_as_a_whole(below: Any, above: Any, expected: Any) -> None:
    assert without_nulls(merge(below, above)) == expected


@given(TREES, TREES, TREES)
def test_layers_of_one_shape_may_be_merged_in_any_grouping(first: Any, second: Any, third: Any) -> None:
    assert without_nulls(merge(merge(first, second), third)) == without_nulls(merge(first, merge(second, third)))


@given(ANYTHING)
def test_merging_with_nothing_changes_nothing(tree: Any) -> None:
    assert merge({}, {"k": tree}) == {"k": tree} == merge({"k": tree}, {})


@given(TREES, TREES)
def test_what_is_above_wins_wherever_it_says_something(below: dict[str, Any], above: dict[str, Any]) -> None:
    result = merge(below, above)
    for key, value in above.items():
        if not isinstance(value, dict):
            assert result[key] == value
    for key in below.keys() - above.keys():
        assert result[key] == below[key]


@given(TREES, TREES, st.randoms())
def test_the_order_of_keys_does_not_matter(below: dict[str, Any], above: dict[str, Any], random: Any) -> None:
    def shuffled(tree: Any) -> Any:
        if not isinstance(tree, dict):
            return tree
        keys = list(tree)
        random.shuffle(keys)
        return {key: shuffled(tree[key]) for key in keys}

    assert merge(shuffled(below), shuffled(above)) == merge(below, above)


@given(ANYTHING, ANYTHING)
def test_merging_leaves_its_input_alone(below: Any, above: Any) -> None:
    before = copy.deepcopy((below, above))
    without_nulls(merge(below, above))
    assert (below, above) == before


@given(ANYTHING)
def test_no_null_is_left_in_a_map(tree: Any) -> None:
    def values(entry: Any) -> list[Any]:
        return [entry] if not isinstance(entry, dict) else [v for value in entry.values() for v in values(value)]

    assert None not in values(without_nulls({"k": tree}))


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ({}, LATEST),
        ({"image": "global"}, "global"),
        ({"image": "global", "defaults": {"image": "default"}}, "default"),
        ({"image": "global", "defaults": {"image": "default"}, "project": {"image": "own"}}, "own"),
        ({"image": "global", "project": {"image": None}}, "global"),
        ({"image": "global", "defaults": {"image": None}}, "global"),
        ({"defaults": {"image": "default"}, "project": {"image": None}}, LATEST),
    ],
)
def test_the_image_is_the_projects_else_the_defaults_else_the_global_one(layers: Any, expected: str) -> None:
    assert merged(layers.pop("project", {}), **layers)["image"] == expected


@pytest.mark.parametrize(
    ("env", "defaults", "project", "expected"),
    [
        ({"A": "g"}, {}, {}, {"A": "g"}),
        ({"A": "g", "B": "g"}, {"env": {"B": "d"}}, {}, {"A": "g", "B": "d"}),
        ({"A": "g"}, {"env": {"A": "d"}}, {"env": {"A": "p"}}, {"A": "p"}),
        ({"A": "g", "B": "g"}, {}, {"env": {"A": None}}, {"B": "g"}),
        ({"A": "g"}, {"env": {"A": None}}, {"env": {"A": "p"}}, {"A": "p"}),
        ({"A": "g"}, {"env": None}, {"env": {"B": "p"}}, {"B": "p"}),
        ({"A": "g"}, {}, {"env": {}}, {"A": "g"}),
    ],
)
def test_the_environment_is_merged_key_by_key_through_all_layers(
    env: Any, defaults: Any, project: Any, expected: Any
) -> None:
    assert merged(project, env=env, defaults=defaults)["env"] == expected


def test_null_takes_a_whole_environment_away() -> None:
    assert "env" not in merged({"env": None}, env={"A": "g"}, defaults={"env": {"B": "d"}})


def test_a_projects_list_stands_in_place_of_the_defaults_list() -> None:
    defaults = {"workspaces": [{"path": "/a"}], "ports": [{"host": 1, "container": 1}]}
    result = merged({"workspaces": [{"path": "/b"}], "ports": []}, defaults=defaults)
    assert (result["workspaces"], result["ports"]) == ([{"path": "/b"}], [])


def test_limits_are_merged_one_by_one() -> None:
    defaults = {"resources": {"cpus": 2, "memory": "4g", "nofile": {"soft": 1, "hard": 2}}}
    result = merged({"resources": {"memory": None, "pids": 9, "nofile": None}}, defaults=defaults)
    assert result["resources"] == {"cpus": 2, "pids": 9}


@pytest.mark.parametrize(
    ("defaults", "project", "expected"),
    [
        (["a", "b"], None, None),
        (["a", "b"], ["c"], ["c"]),
        (["a"], {"b": None}, {"b": None}),
        ({"a": None, "b": {"command": "x"}}, {"c": None}, {"a": None, "b": {"command": "x"}, "c": None}),
        ({"a": {"command": "x", "env": {"A": "b"}}}, {"a": {"url": "y"}}, {"a": {"url": "y"}}),
        ({"a": {"command": "x"}}, {"a": None}, {"a": None}),
        ({"a": None}, {"a": {"command": "x", "env": {"A": None}}}, {"a": {"command": "x", "env": {}}}),
        ({"a": None}, ["b"], ["b"]),
        ({"a": None}, [], []),
    ],
)
def test_a_server_is_replaced_as_a_whole_and_null_is_the_librarys(defaults: Any, project: Any, expected: Any) -> None:
    result = merged({"mcp_servers": project}, defaults={"mcp_servers": defaults})
    assert result.get("mcp_servers") == expected


@pytest.mark.parametrize(
    ("defaults", "project", "expected"),
    [
        ({"api_key": "a", "model": "m"}, {"model": "n"}, {"api_key": "a", "model": "n"}),
        ({"api_key": "a"}, {"mode": "anthropic", "model": "n"}, {"api_key": "a", "mode": "anthropic", "model": "n"}),
        ({"api_key": "a"}, {"mode": "gateway", "token": "t"}, {"mode": "gateway", "token": "t"}),
        ({"mode": "gateway", "token": "t"}, {"mode": "anthropic"}, {"mode": "anthropic"}),
        ({"mode": "bedrock", "region": "r"}, {"profile": "p"}, {"mode": "bedrock", "region": "r", "profile": "p"}),
        ({"api_key": "a"}, {"api_key": None, "oauth_token": "t"}, {"oauth_token": "t"}),
    ],
)
def test_another_mode_has_nothing_of_the_one_below(defaults: Any, project: Any, expected: Any) -> None:
    assert merged({"auth": project}, defaults={"auth": defaults})["auth"] == expected


@pytest.mark.parametrize("key", ["secrets", "settings", "git"])
def test_what_the_agent_gets_is_merged_by_key_and_null_removes(key: str) -> None:
    below = {key: {"a": "1", "b": {"x": 1, "y": [1]}}}
    assert merged({key: {"a": None, "b": {"y": [2]}}}, defaults=below)[key] == {"b": {"x": 1, "y": [2]}}
