# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The image that packages are built into: its name, its labels, its Dockerfile."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.definition import Packages
from ansible_collections.berth.projects.plugins.module_utils.packages import (
    derived_labels,
    derived_reference,
    dockerfile,
    packages_from_label,
)
from hypothesis import given
from hypothesis import strategies as st

BASE = "sha256:" + "0" * 64
NAMES = st.lists(st.text(st.characters(codec="utf-8"), min_size=1), max_size=3).map(tuple)
PACKAGES = st.builds(Packages, apt=NAMES, npm=NAMES, pip=NAMES)


def runs(text: str) -> list[list[str]]:
    """The RUN instructions of a Dockerfile, each as its list of words."""
    return [json.loads(line[len("RUN ") :]) for line in text.splitlines() if line.startswith("RUN ")]


def test_the_reference_of_an_image_never_changes_between_versions() -> None:
    packages = Packages(apt=("jq",), npm=("prettier@3",), pip=("ruff",))
    assert derived_reference("base:1", BASE, packages) == "berth-packages:6e6a300fb3ed69ba"


@given(names=st.permutations(["a", "b", "c", "d"]))
def test_the_order_of_packages_gives_no_other_image(names: list[str]) -> None:
    ordered = Packages(apt=("a", "b", "c", "d"))
    assert derived_reference("base:1", BASE, Packages(apt=tuple(names))) == derived_reference("base:1", BASE, ordered)


@pytest.mark.parametrize(
    ("base", "packages"),
    [
        ("sha256:" + "1" * 64, Packages(apt=("jq",))),
        (BASE, Packages(npm=("jq",))),
        (BASE, Packages(pip=("jq",))),
        (BASE, Packages(apt=("jq", "fd"))),
        (BASE, Packages(apt=("jqfd",))),
    ],
)
def test_another_base_installer_or_list_gives_another_image(base: str, packages: Packages) -> None:
    assert derived_reference("base:1", base, packages) != derived_reference("base:1", BASE, Packages(apt=("jq",)))


def test_two_names_of_one_base_give_two_images() -> None:
    """Their labels differ: each tells what its lineage began with."""
    assert derived_reference("base:1", BASE, Packages(apt=("jq",))) != derived_reference(
        "base:2", BASE, Packages(apt=("jq",))
    )


def test_labels_say_what_the_image_was_made_from() -> None:
    assert derived_labels("berth-base:latest", BASE, Packages(apt=("jq", "fd"))) == {
        "berth.snapshot.base": "berth-base:latest",
        "berth.snapshot.base_id": BASE,
        "berth.snapshot.packages": '{"apt":["fd","jq"],"npm":[],"pip":[]}',
    }


def test_what_is_made_from_a_snapshot_is_no_snapshot_of_that_project() -> None:
    inherited = {"berth.snapshot.project": "api", "berth.snapshot.layers": "3", "org.example": "x"}
    found = derived_labels("berth/api:latest", BASE, Packages(apt=("jq",)), inherited)
    assert (found["berth.snapshot.project"], found["berth.snapshot.layers"]) == ("", "")
    assert found["berth.snapshot.base"] == "berth/api:latest" and "org.example" not in found


@given(PACKAGES)
def test_packages_are_read_from_the_label_as_they_were(packages: Packages) -> None:
    assert packages_from_label(derived_labels("b", BASE, packages)["berth.snapshot.packages"]) == packages


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, Packages()),
        ("", Packages()),
        ("no JSON", Packages()),
        ("[]", Packages()),
        ("null", Packages()),
        ("7", Packages()),
        ('{"apt": "jq"}', Packages()),
        ('{"apt": ["jq", 7, null], "snap": ["x"]}', Packages(apt=("jq",))),
        ('{"pip": null, "npm": ["b", "a"]}', Packages(npm=("a", "b"))),
    ],
)
def test_a_label_that_is_not_understood_tells_of_no_packages(text: Any, expected: Packages) -> None:
    assert packages_from_label(text) == expected


def test_packages_are_added_to_the_base_by_its_id_and_nothing_else_of_it_is_set() -> None:
    words = [line.split()[0] for line in dockerfile(BASE, Packages(("a",), ("b",), ("c",))).splitlines()]
    assert words == ["FROM", "RUN", "RUN", "RUN"]
    assert dockerfile(BASE, Packages(("a",))).startswith(f"FROM {BASE}\n")


@pytest.mark.parametrize("user", ["", "root", "0"])
def test_a_base_that_runs_as_root_needs_no_word_about_it(user: str) -> None:
    assert "USER" not in dockerfile(BASE, Packages(apt=("jq",)), user)


def test_another_user_of_the_base_comes_back_after_the_installation() -> None:
    lines = dockerfile(BASE, Packages(apt=("jq",)), "agent").splitlines()
    assert (lines[1], lines[-1]) == ("USER root", "USER agent")


def test_what_is_shared_most_comes_first() -> None:
    steps = runs(dockerfile(BASE, Packages(apt=("a",), npm=("n", "m"), pip=("p",))))
    assert [step[3:] for step in steps] == [["packages.apt", "a"], ["packages.npm", "m", "n"], ["packages.pip", "p"]]


@pytest.mark.parametrize("installer", ["apt", "npm", "pip"])
def test_an_installer_without_packages_has_no_step(installer: str) -> None:
    (step,) = runs(dockerfile(BASE, Packages(**{installer: ("x",)})))
    assert step[3:] == [f"packages.{installer}", "x"]


@given(PACKAGES)
def test_a_package_is_an_argument_of_the_script_and_never_in_it(packages: Packages) -> None:
    plain = runs(dockerfile(BASE, Packages(*(("x",) if names else () for names in _lists(packages)))))
    for step, other in zip(runs(dockerfile(BASE, packages)), plain):
        assert step[:4] == other[:4]
        assert step[:2] == ["/bin/sh", "-ec"]


def _lists(packages: Packages) -> list[tuple[str, ...]]:
    return [packages.apt, packages.npm, packages.pip]


def test_the_installers_leave_no_caches() -> None:
    apt, npm, pip = (step[2] for step in runs(dockerfile(BASE, Packages(("a",), ("b",), ("c",)))))
    assert "--no-install-recommends" in apt and "DEBIAN_FRONTEND=noninteractive" in apt
    assert apt.count("rm -rf /var/lib/apt/lists/*") == npm.count("rm -rf /var/lib/apt/lists/*") == 1
    assert "rm -rf /root/.npm" in npm
    assert "--no-cache-dir" in pip and "PIP_BREAK_SYSTEM_PACKAGES=1" in pip
