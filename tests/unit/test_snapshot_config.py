# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the image of a snapshot says of itself, and that nothing of the container's own is in it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.aspects import create_body
from ansible_collections.berth.projects.plugins.module_utils.names import ownership_labels
from ansible_collections.berth.projects.plugins.module_utils.snapshot_config import (
    clean_config,
    config_without_image,
    covering_config,
    layers_below,
    part_config,
    snapshot_labels,
)
from ansible_collections.berth.projects.tests.unit.builders import (
    CONTAINER_ID,
    IMAGE_ID,
    SITE,
    STOPPED_AT,
    container_of,
    definition,
)
from hypothesis import given
from hypothesis import strategies as st

TAG = "20260102T030405678901Z"
BELOW: dict[str, Any] = {
    "User": "root",
    "Env": ["PATH=/usr/bin:/bin", "LANG=C.UTF-8"],
    "Entrypoint": ["/usr/local/lib/berth/entrypoint"],
    "WorkingDir": "/workspace",
    "Labels": {"berth.contract": "1", "org.example": "x"},
}
SECRET = "marker-of-a-private-value"
WEB = definition(env={"TOKEN": SECRET, "LANG": "de_DE.UTF-8"}, ports=[{"host": 1, "container": 80}])

KEYS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
LINES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30)
ENVIRONMENTS = st.dictionaries(KEYS, LINES, max_size=5)


def entries(env: dict[str, str]) -> list[str]:
    return [f"{key}={value}" for key, value in env.items()]


def labels_of(
    status: str = "exited", below: Any = None, flat: bool = False, size_below: int = 0, **changes: Any
) -> dict[str, str]:
    container = {**container_of(WEB, status=status), **changes}
    return snapshot_labels(container, BELOW if below is None else below, "web", "default", TAG, flat, size_below)


# Labels


def test_a_snapshot_says_whose_it_is_and_what_it_was_made_from() -> None:
    assert labels_of(size_below=1000) == {
        "berth.contract": "1",
        "org.example": "x",
        "berth.snapshot.base": "berth-base:latest",
        "berth.snapshot.base_id": IMAGE_ID,
        "berth.snapshot.project": "web",
        "berth.snapshot.scope": "default",
        "berth.snapshot.taken": TAG,
        "berth.snapshot.parent": IMAGE_ID,
        "berth.snapshot.below": "1000",
        "berth.snapshot.container": CONTAINER_ID,
        "berth.snapshot.stopped_at": STOPPED_AT,
        "berth.snapshot.layers": "1",
    }


def test_a_snapshot_owns_no_container_made_from_it() -> None:
    assert not set(ownership_labels("web", "default")) & set(labels_of())
    assert not [key for key in labels_of() if key.startswith("berth.fingerprint")]


@pytest.mark.parametrize("status", ["running", "paused", "restarting"])
def test_a_snapshot_of_a_container_that_runs_does_not_say_when_it_ended(status: str) -> None:
    assert labels_of(status)["berth.snapshot.stopped_at"] == ""


def test_the_root_of_a_lineage_is_passed_on() -> None:
    root = {
        "berth.snapshot.base": "tool:1",
        "berth.snapshot.base_id": "sha256:700",
        "berth.snapshot.packages": '{"apt":["jq"]}',
    }
    found = labels_of(below={"Labels": {**root, "berth.snapshot.layers": "3"}})
    assert {key: found[key] for key in root} == root
    assert found["berth.snapshot.parent"] == IMAGE_ID


def test_a_snapshot_of_another_project_is_the_root_of_a_lineage_of_its_own() -> None:
    others = {
        "berth.snapshot.project": "api",
        "berth.snapshot.base": "tool:1",
        "berth.snapshot.base_id": "sha256:700",
        "berth.snapshot.packages": "{}",
        "berth.snapshot.layers": "3",
        "berth.snapshot.flat": "true",
    }
    assert labels_of(below={"Labels": {**BELOW["Labels"], **others}}) == labels_of()


def test_the_size_below_is_that_of_the_image_itself_and_not_passed_on() -> None:
    found = labels_of(below={"Labels": {"berth.snapshot.below": "7"}}, size_below=1000)
    assert found["berth.snapshot.below"] == "1000"


def test_nothing_else_of_an_older_snapshot_is_passed_on() -> None:
    found = labels_of(below={"Labels": {"berth.snapshot.part": "default/web", "berth.snapshot.other": "x"}})
    assert "berth.snapshot.part" not in found and "berth.snapshot.other" not in found


@pytest.mark.parametrize(("below", "layers"), [(None, "1"), ("0", "1"), ("7", "8"), ("x", "1")])
def test_each_snapshot_is_one_layer_more(below: str | None, layers: str) -> None:
    config = {"Labels": {"berth.snapshot.layers": below}} if below is not None else {"Labels": None}
    assert labels_of(below=config)["berth.snapshot.layers"] == layers
    assert layers_below(config, "web") == int(layers) - 1


def test_a_flattened_snapshot_starts_counting_anew() -> None:
    found = labels_of(below={"Labels": {"berth.snapshot.layers": "20"}}, flat=True)
    assert (found["berth.snapshot.layers"], found["berth.snapshot.flat"]) == ("0", "true")


def test_what_lies_on_a_flattened_snapshot_says_so_too() -> None:
    assert labels_of(below={"Labels": {"berth.snapshot.flat": "true"}})["berth.snapshot.flat"] == "true"


# The clean configuration


def test_a_clean_configuration_is_that_of_the_image_below() -> None:
    assert clean_config(BELOW, {"a": "b"}) == {**BELOW, "Labels": {"a": "b"}}


def test_what_an_image_has_besides_is_not_taken_over() -> None:
    found = clean_config({**BELOW, "Hostname": "x", "Image": "y", "OnBuild": ["RUN z"], "Cmd": None}, {})
    assert found == {**BELOW, "Labels": {}}


def test_a_clean_configuration_has_nothing_of_the_container() -> None:
    found = json.dumps(clean_config(BELOW, labels_of()))
    assert SECRET not in found and "berth.fingerprint" not in found and "80/tcp" not in found


# Where the image below is gone


def test_without_the_image_only_the_path_of_the_environment_is_kept() -> None:
    found = config_without_image(container_of(WEB))
    assert found["Env"] == ["PATH=/usr/local/bin:/usr/bin:/bin"]
    assert SECRET not in json.dumps(found)


def test_without_the_image_labels_of_ownership_are_left_out_and_those_of_the_lineage_kept() -> None:
    container = container_of(WEB)
    container["Config"]["Labels"].update({"berth.snapshot.base": "tool:1", "org.example": "x"})
    assert config_without_image(container)["Labels"] == {
        "berth.contract": "1",
        "berth.snapshot.base": "tool:1",
        "org.example": "x",
    }


def test_without_the_image_what_to_run_is_the_containers() -> None:
    container = container_of(WEB)
    container["Config"].update(Entrypoint=["/entry"], Cmd=["x"], User="root", ExposedPorts={"80/tcp": {}})
    found = config_without_image(container)
    assert (found["Entrypoint"], found["Cmd"], found["User"]) == (["/entry"], ["x"], "root")
    assert "ExposedPorts" not in found


# The configuration that covers a container's own


def commit(container: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """What an engine makes of both: a variable or label that is given hides the container's of that name."""
    hidden = {entry.partition("=")[0] for entry in given["Env"]}
    env = [entry for entry in container["Env"] if entry.partition("=")[0] not in hidden]
    return {"Env": [*given["Env"], *env], "Labels": {**container["Labels"], **given["Labels"]}}


def covered() -> dict[str, Any]:
    container = container_of(WEB)
    return commit(container["Config"], covering_config(container, BELOW, labels_of()))


def test_a_covering_configuration_hides_every_variable_of_the_container() -> None:
    assert SECRET not in json.dumps(covered())
    assert [entry for entry in covered()["Env"] if "=" in entry] == sorted(BELOW["Env"])


def test_a_covering_configuration_empties_the_labels_of_ownership() -> None:
    labels = covered()["Labels"]
    assert not any(labels[key] for key in ownership_labels("web", "default"))
    assert not any(value for key, value in labels.items() if key.startswith("berth.fingerprint"))


def test_a_covering_configuration_has_the_labels_of_the_snapshot() -> None:
    assert {key: covered()["Labels"][key] for key in labels_of()} == labels_of()


@given(ENVIRONMENTS, ENVIRONMENTS)
def test_whatever_the_environments_only_the_images_own_has_values(image: dict[str, str], own: dict[str, str]) -> None:
    container = container_of(definition())
    container["Config"]["Env"] = entries({**image, **own})
    given_config = covering_config(container, {"Env": entries(image)}, {})
    made = commit(container["Config"], given_config)
    assert sorted(entry for entry in made["Env"] if "=" in entry) == sorted(entries(image))


def test_the_part_of_a_snapshot_owns_nothing_and_says_whose_it_is() -> None:
    body = create_body(WEB, SITE)
    labels = part_config(container_of(WEB), "default/web")["Labels"]
    assert labels.pop("berth.snapshot.part") == "default/web"
    assert set(labels) == {*body["Labels"], "berth.contract"} and not any(labels.values())
