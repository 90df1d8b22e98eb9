# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images with packages in them, on a real engine: with installers that only pretend, and with the real ones."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from typing import Any, Callable

import pytest
from ansible_collections.berth.projects.plugins.module_utils.definition import Packages
from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.image_build import ensure_image
from ansible_collections.berth.projects.plugins.module_utils.packages import derived_labels, derived_reference
from ansible_collections.berth.projects.plugins.module_utils.packages_build import ensure_derived
from ansible_collections.berth.projects.plugins.plugin_utils.recipe import recipe_from_vars
from image_box import READY, Box, Put

SILENT = 3  # seconds
FAKE = """#!/bin/sh
echo "$(basename "$0") $*" >>/installed
case " $* " in
    *" nosuch "*) echo "E: Unable to locate package nosuch" >&2; exit 100 ;;
    *" silent "*) sleep SECONDS ;;
    *" nodejs npm "*) cp "$0" /usr/local/bin/npm ;;
    *" python3-pip "*) cp "$0" /usr/local/bin/python3 ;;
esac
""".replace("SECONDS", str(SILENT))
INSTALLERS = [Put(f"/usr/local/bin/{name}", FAKE) for name in ("apt-get", "npm", "python3")]
KEPT = ("Env", "Entrypoint", "Cmd", "Healthcheck", "WorkingDir", "User", "StopSignal", "Volumes", "ExposedPorts")


class Base:
    """An image that no other test has, and what is made of it."""

    def __init__(self, api: Any, image: str, put: list[Put], conf: dict[str, Any] | None = None) -> None:
        self.api = api
        self.reference = f"berth-test-{secrets.token_hex(4)}:1"
        seed = Box(api, image, put=put)
        name, tag = self.reference.split(":")
        self.id: str = api.commit(seed.id, name, tag, conf=conf)["Id"]
        seed.remove()

    def config(self, reference: str = "") -> dict[str, Any]:
        config: dict[str, Any] = self.api.inspect_image(reference or self.reference)["Config"]
        return config

    def layers(self, reference: str) -> list[str]:
        layers: list[str] = self.api.inspect_image(reference)["RootFS"]["Layers"]
        return layers

    def descendants(self) -> set[str]:
        """The ids of all images on top of it, also of those that are steps of a build."""
        parents = {image["Id"]: image["ParentId"] for image in self.api.images(all=True)}
        found = {self.id}
        while True:
            more = {image for image, parent in parents.items() if parent in found} - found
            if not more:
                return found - {self.id}
            found |= more

    def containers(self) -> list[str]:
        """The ids of the containers of it and of what is on top of it."""
        images = {self.id, *self.descendants()}
        return [one["Id"] for one in self.api.containers(all=True) if one["ImageID"] in images]

    def remove(self) -> None:
        for image in self.api.images(filters={"label": f"berth.snapshot.base_id={self.id}"}):
            self.api.remove_image(image["Id"], force=True)
        self.api.remove_image(self.reference, force=True)


MakeBase = Callable[..., Base]


@pytest.fixture
def make_base(api: Any) -> Iterator[MakeBase]:
    bases: list[Base] = []

    def make(image: str, put: list[Put], conf: dict[str, Any] | None = None) -> Base:
        bases.append(Base(api, image, put, conf))
        return bases[-1]

    yield make
    for base in bases:
        base.remove()


@pytest.fixture
def base(make_base: MakeBase, tiny: str) -> Base:
    """The tiny image with installers that write down what they are asked for, and cannot find ``nosuch``."""
    return make_base(tiny, INSTALLERS)


@pytest.fixture
def make_box(api: Any) -> Iterator[Callable[[str], Box]]:
    boxes: list[Box] = []

    def make(image: str) -> Box:
        boxes.append(Box(api, image, volumes=["/home/agent", "/home/agent/.claude"]))
        return boxes[-1]

    yield make
    for one in boxes:
        one.remove()


def door(timeout: int = 60) -> Engine:
    return Engine.connect(
        {
            "docker_host": os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"),
            "api_version": "auto",
            "timeout": timeout,
            "tls": False,
            "validate_certs": False,
            "ca_path": None,
            "client_cert": None,
            "client_key": None,
            "cert_folder": None,
        }
    )


def test_packages_are_installed_by_who_they_are_for_without_anything_recommended(
    base: Base, make_box: Callable[[str], Box]
) -> None:
    packages = Packages(apt=("g++", "jq=1.7*"), npm=("@scope/tool@^1",), pip=("black[d]>=24,<26",))
    one = make_box(ensure_derived(door(), base.reference, packages))
    assert one.start() == [READY]
    assert one.read("cat", "/installed").splitlines() == [
        "apt-get update",
        "apt-get install -y --no-install-recommends -o APT::Cmd::Pattern-Only=true -- g++ jq=1.7*",
        "apt-get clean",
        "npm install --global --no-fund --no-audit --no-update-notifier -- @scope/tool@^1",
        "python3 -m pip --version",
        "python3 -m pip install --no-cache-dir --disable-pip-version-check -- black[d]>=24,<26",
    ]


def test_npm_and_pip_come_along_where_the_base_has_none(
    make_base: MakeBase, tiny: str, make_box: Callable[[str], Box]
) -> None:
    base = make_base(tiny, INSTALLERS[:1])
    one = make_box(ensure_derived(door(), base.reference, Packages(npm=("tool",), pip=("ruff",))))
    assert one.start() == [READY]
    installed = one.read("cat", "/installed").splitlines()
    asked = [line.rpartition(" -- ")[::2] for line in installed if " -- " in line]
    assert [(words.split()[0], what) for words, what in asked] == [
        ("apt-get", "nodejs npm"),
        ("npm", "tool"),
        ("apt-get", "python3-pip"),
        ("python3", "ruff"),
    ]


def test_all_that_the_base_says_of_itself_stays_and_only_labels_are_added(base: Base) -> None:
    packages = Packages(apt=("jq",), npm=("tool",), pip=("ruff",))
    reference = ensure_derived(door(), base.reference, packages)
    was, config = base.config(), base.config(reference)
    assert reference == derived_reference(base.reference, base.id, packages)
    assert {key: config.get(key) for key in KEPT} == {key: was.get(key) for key in KEPT}
    assert config["Labels"] == {**was["Labels"], **derived_labels(base.reference, base.id, packages)}
    assert config["Labels"]["berth.contract"] == "1"


def test_a_base_that_does_not_run_as_root_stays_so_and_is_added_to_by_root(
    make_base: MakeBase, tiny: str, make_box: Callable[[str], Box]
) -> None:
    base = make_base(tiny, INSTALLERS, {"User": "agent"})
    reference = ensure_derived(door(), base.reference, Packages(apt=("jq",)))
    assert base.config(reference)["User"] == "agent"
    one = make_box(reference)
    assert one.api.get_archive(one.id, "/installed")[1]["size"] > 0  # in a folder that only root may write to


def test_what_is_there_is_not_built_again(base: Base, api: Any) -> None:
    reference = ensure_derived(door(), base.reference, Packages(apt=("jq", "fd")))
    made = api.inspect_image(reference)["Id"]
    assert ensure_derived(door(), base.reference, Packages(apt=("fd", "jq"))) == reference
    assert api.inspect_image(reference)["Id"] == made


def test_projects_that_differ_in_later_packages_share_the_first_layer(base: Base) -> None:
    alone = ensure_derived(door(), base.reference, Packages(apt=("jq",)))
    more = ensure_derived(door(), base.reference, Packages(apt=("jq",), pip=("ruff",)))
    assert base.layers(more)[: len(base.layers(alone))] == base.layers(alone)
    assert len(base.layers(more)) == len(base.layers(alone)) + 1


def test_an_installer_may_be_silent_for_longer_than_the_engine_may(base: Base) -> None:
    assert ensure_derived(door(timeout=SILENT // 2), base.reference, Packages(apt=("silent",)))


@pytest.mark.parametrize("part", ["apt", "npm", "pip"])
def test_a_package_that_is_nowhere_is_named_and_nothing_stays_of_the_build(base: Base, part: str) -> None:
    lists = {"apt": ("jq",), "npm": ("tool",), "pip": ("ruff",), part: ("nosuch",)}
    with pytest.raises(BerthError) as caught:
        ensure_derived(door(), base.reference, Packages(**lists))
    first, *rest = caught.value.msg.splitlines()
    assert first.startswith(f"packages.{part} cannot be added to image {base.reference}: ")
    assert "the installer ended with status 100" in first
    assert rest[-1] == "E: Unable to locate package nosuch"
    assert (base.descendants(), base.containers()) == (set(), [])


def test_a_failed_build_leaves_what_another_image_is_made_of(base: Base, api: Any) -> None:
    reference = ensure_derived(door(), base.reference, Packages(apt=("jq",)))
    before = base.descendants()
    with pytest.raises(BerthError):
        ensure_derived(door(), base.reference, Packages(apt=("jq",), npm=("tool",), pip=("nosuch",)))
    assert base.descendants() == before
    assert api.inspect_image(reference)


# With the real installers


@pytest.fixture
def real_base(make_base: MakeBase, engine: None) -> Base:
    ensure_image(door(), recipe_from_vars({}))
    return make_base("berth-base:latest", [])


@pytest.mark.slow_image
def test_an_agent_finds_the_packages_in_a_container_that_keeps_the_contract(
    real_base: Base, make_box: Callable[[str], Box]
) -> None:
    packages = Packages(apt=("hello",), npm=("semver@7",), pip=("cowsay",))
    reference = ensure_derived(door(), real_base.reference, packages)
    one = make_box(reference)
    assert one.start() == [READY]
    assert one.run("hello", user="agent") == (0, "Hello, world!\n")
    assert one.run("semver", "1.2.3", "-i", "minor", user="agent") == (0, "1.3.0\n")
    assert one.run("python3", "-c", "import cowsay", user="agent") == (0, "")
    assert one.run("/usr/local/lib/berth/healthcheck") == (0, "")
    caches = "/var/lib/apt/lists /var/cache/apt/archives/*.deb /root/.npm /root/.cache/pip"
    assert one.read("sh", "-c", f"find {caches} -type f 2>/dev/null || true") == ""
    was, config = real_base.config(), real_base.config(reference)
    assert {key: config.get(key) for key in KEPT} == {key: was.get(key) for key in KEPT}
    assert config["Labels"] == {**was["Labels"], **derived_labels(real_base.reference, real_base.id, packages)}


@pytest.mark.slow_image
@pytest.mark.parametrize(
    ("packages", "first", "said"),
    [
        (Packages(apt=("no-such-package",)), "packages.apt", "Unable to locate package no-such-package"),
        (Packages(apt=("hell.",)), "packages.apt", "Unable to locate package hell."),  # no regular expression for hello
        (
            Packages(apt=("hello",), pip=("no-such-package-of-pip==0",)),
            "packages.pip",
            "No matching distribution found",
        ),
    ],
    ids=str,
)
def test_a_package_that_the_archives_do_not_have_is_named_and_leaves_nothing(
    real_base: Base, packages: Packages, first: str, said: str
) -> None:
    with pytest.raises(BerthError) as caught:
        ensure_derived(door(), real_base.reference, packages)
    assert caught.value.msg.startswith(f"{first} cannot be added to image {real_base.reference}: ")
    assert said in caught.value.msg
    assert (real_base.descendants(), real_base.containers()) == (set(), [])
