# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who builds an image with packages, who waits for it, and what is said when it cannot be built."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.definition import Packages
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError, EngineError
from ansible_collections.berth.projects.plugins.module_utils.packages import derived_labels, derived_reference
from ansible_collections.berth.projects.plugins.module_utils.packages_build import DerivedImages, ensure_derived

BASE_ID = "sha256:" + "b" * 64
JQ = Packages(apt=("jq",))


class FakeEngine:
    """An engine that has one base and whose builds print ``prints`` and end as ``ends`` says.

    It is its own ``api``.
    """

    def __init__(self, prints: tuple[str, ...] = (), **ends: Any) -> None:
        self.listed: dict[str, dict[str, Any]] = {"base:1": {"Id": BASE_ID, "RepoTags": ["base:1"], "Config": {}}}
        self.events: list[dict[str, Any]] = [{"stream": f"{line}\n"} for line in prints]
        self.events.append(ends or {"aux": {"ID": "sha256:new"}})
        self.made_by_build: list[dict[str, Any]] = []
        self.builds: list[dict[str, Any]] = []
        self.removed: list[str] = []
        self.at_work = 0
        self.most_at_work = 0
        self.gate = threading.Event()
        self.gate.set()
        self._lock = threading.Lock()

    @property
    def api(self) -> FakeEngine:
        return self

    @contextmanager
    def calling(self, doing: str) -> Iterator[None]:
        yield

    def image(self, reference: str) -> dict[str, Any] | None:
        return self.listed.get(reference)

    def images(self, all: bool) -> list[dict[str, Any]]:
        return list(self.listed.values())

    def build(self, **asked: Any) -> Iterator[dict[str, Any]]:
        with self._lock:
            self.builds.append({**asked, "text": asked["fileobj"].read().decode()})
            self.at_work += 1
            self.most_at_work = max(self.most_at_work, self.at_work)
        self.gate.wait(5)
        with self._lock:
            self.at_work -= 1
        for image in self.made_by_build:
            self.listed[image["Id"]] = image
        if "error" not in self.events[-1]:
            self.listed[asked["tag"]] = {"Id": "sha256:new", "RepoTags": [asked["tag"]]}
        yield from self.events

    def remove_image(self, image_id: str, noprune: bool) -> None:
        self.removed.append(image_id)


def ensure(engine: Any, packages: Packages = JQ) -> str:
    return ensure_derived(engine, "base:1", packages)


def ensure_all(engine: Any, wanted: list[Packages]) -> list[Any]:
    """What each thread gets, as values or exceptions."""
    images = DerivedImages(engine)
    engine.gate.clear()
    with ThreadPoolExecutor(len(wanted)) as pool:
        asked = [pool.submit(images.ensure, "base:1", packages) for packages in wanted]
        threading.Timer(0.2, engine.gate.set).start()
        return [one.exception() or one.result() for one in asked]


def test_no_packages_need_no_image_of_their_own() -> None:
    engine = FakeEngine()
    assert ensure(engine, Packages()) == "base:1"
    assert engine.builds == []


def test_an_image_that_is_there_is_not_built() -> None:
    engine = FakeEngine()
    reference = derived_reference("base:1", BASE_ID, JQ)
    engine.listed[reference] = {"Id": "sha256:there"}
    assert ensure(engine) == reference
    assert engine.builds == []


def test_packages_on_another_projects_snapshot_begin_a_lineage_of_their_own() -> None:
    engine = FakeEngine()
    engine.listed["base:1"]["Config"] = {"Labels": {"berth.snapshot.project": "api", "berth.snapshot.base": "tool:1"}}
    ensure(engine)
    labels = engine.builds[0]["labels"]
    assert (labels["berth.snapshot.project"], labels["berth.snapshot.base"]) == ("", "base:1")


def test_a_missing_image_is_built_under_its_name_with_its_labels() -> None:
    engine = FakeEngine()
    reference = ensure(engine)
    (build,) = engine.builds
    assert reference == build["tag"] == derived_reference("base:1", BASE_ID, JQ)
    assert build["labels"] == derived_labels("base:1", BASE_ID, JQ)
    assert build["text"].startswith(f"FROM {BASE_ID}\n")
    assert build["rm"] and build["forcerm"]


def test_the_user_of_the_base_is_known_to_the_build() -> None:
    engine = FakeEngine()
    engine.listed["base:1"]["Config"] = {"User": "agent"}
    ensure(engine)
    assert engine.builds[0]["text"].endswith("USER agent\n")


def test_a_base_that_is_not_on_the_engine_is_an_error() -> None:
    with pytest.raises(BerthError, match="base:2 is not on the engine"):
        ensure_derived(FakeEngine(), "base:2", JQ)  # type: ignore[arg-type]


def test_threads_that_want_the_same_image_build_it_once() -> None:
    engine = FakeEngine()
    assert ensure_all(engine, [JQ] * 8) == [derived_reference("base:1", BASE_ID, JQ)] * 8
    assert len(engine.builds) == 1


def test_threads_that_want_the_same_broken_image_are_all_told_by_one_build() -> None:
    engine = FakeEngine(error="no")
    told = ensure_all(engine, [JQ] * 8)
    assert [type(one) for one in told] == [BerthError] * 8
    assert len(engine.builds) == 1


def test_images_that_share_their_first_step_are_built_one_after_the_other() -> None:
    engine = FakeEngine()
    ensure_all(engine, [JQ, Packages(apt=("jq",), npm=("a",)), Packages(apt=("jq",), pip=("a",))])
    assert (len(engine.builds), engine.most_at_work) == (3, 1)


def test_images_that_share_nothing_are_built_side_by_side() -> None:
    engine = FakeEngine()
    ensure_all(engine, [Packages(apt=("a",)), Packages(apt=("b",)), Packages(apt=("c",))])
    assert (len(engine.builds), engine.most_at_work) == (3, 3)


COMMAND = "The command '/bin/sh -ec … packages.npm nosuch' returned a non-zero code: 1"


def test_a_failure_names_the_part_the_base_and_the_end_of_the_output() -> None:
    prints = ("Step 2/2 : RUN [script]", " ---> Running in 0123456789ab", "npm ERR! nosuch is not in this registry")
    engine = FakeEngine(prints, error=COMMAND, errorDetail={"code": 1})
    with pytest.raises(BerthError) as caught:
        ensure(engine)
    first, *rest = caught.value.msg.splitlines()
    assert first.startswith("packages.npm cannot be added to image base:1: the installer ended with status 1.")
    assert rest == ["npm ERR! nosuch is not in this registry"]


def test_a_failure_of_the_engine_itself_is_told_in_its_words() -> None:
    with pytest.raises(BerthError, match="packages cannot be added to image base:1: no space left on device"):
        ensure(FakeEngine(error="no space left on device"))


def test_an_answer_that_just_ends_is_an_error() -> None:
    with pytest.raises(EngineError, match="without an image"):
        ensure(FakeEngine(stream="Step 1/2"))


def test_after_a_failure_the_images_of_earlier_steps_are_removed_last_one_first() -> None:
    engine = FakeEngine((" ---> aaaaaaaaaaaa", " ---> cccccccccccc"), error=COMMAND)
    engine.made_by_build = [{"Id": f"sha256:{letter * 64}", "RepoTags": None} for letter in "ac"]
    with pytest.raises(BerthError):
        ensure(engine)
    assert engine.removed == ["sha256:" + "c" * 64, "sha256:" + "a" * 64]


def test_what_a_package_prints_removes_nothing_that_has_a_name_or_was_there_before() -> None:
    engine = FakeEngine((f" ---> {'b' * 12}", f" ---> {'d' * 12}", f" ---> {'e' * 12}"), error=COMMAND)
    engine.listed["old"] = {"Id": "sha256:" + "d" * 64, "RepoTags": ["<none>:<none>"]}
    engine.made_by_build = [{"Id": "sha256:" + "e" * 64, "RepoTags": ["other:1"]}]
    with pytest.raises(BerthError):
        ensure(engine)
    assert engine.removed == []
