# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What module ``snapshot`` does with the snapshots of a project, on an engine in memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.options import snapshot_args
from ansible_collections.berth.projects.plugins.module_utils.snapshot_work import work_on_snapshots
from ansible_collections.berth.projects.tests.unit.builders import CONTAINER_ID, IMAGE, container_of, definition
from ansible_collections.berth.projects.tests.unit.fake_engine import FakeEngine
from ansible_collections.berth.projects.tests.unit.test_snapshots import STOPPED, held, with_snapshot

PART, PART_CONTAINER = "sha256:9a", "4e19e7" + "0" * 58
REMOVING_PARTS = ["remove 4e1", "remove-image part"]


def with_parts(engine: FakeEngine) -> FakeEngine:
    """Have what a killed snapshot leaves: an image that only its layer was wanted of, and a container of that."""
    engine.add_image(PART, {"Labels": {"berth.snapshot.part": "default/web"}})
    left = container_of(definition(name="x"), container_id=PART_CONTAINER, status="created", image_id=PART)
    left["Name"], left["Config"]["Labels"] = "/somebody", {"berth.snapshot.part": "default/web"}
    left["HostConfig"]["Mounts"] = []
    return engine.hold(left)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A run of the module on the one project; its entry is returned."""

    def run(
        engine: FakeEngine, operation: str, is_check: bool = False, state: str = "started", **options: Any
    ) -> dict[str, Any]:
        monkeypatch.setattr(Engine, "connect", lambda params: engine)
        project = {"name": "web", "image": IMAGE, "user": {"uid": 1000}, "state": state}
        payload = {"projects": [project], "declared": ["web"]}
        params = {name: spec.get("default") for name, spec in snapshot_args().items()}
        params.update(payload=json.dumps(payload), state_dir=str(tmp_path), lock_timeout=0, operation=operation)
        result = work_on_snapshots({**params, **options}, is_check)
        (entry,) = result["projects"]
        assert result["changed"] is entry["changed"]
        return dict(entry)

    return run


@pytest.mark.parametrize("operation", ["take", "prune"])
def test_what_a_killed_snapshot_has_left_goes_first(work: Any, operation: str) -> None:
    engine = with_parts(FakeEngine().hold(STOPPED))
    entry = work(engine, operation)
    assert engine.calls[:2] == REMOVING_PARTS
    assert (entry["error"], entry["changed"], engine.nameless) == (None, True, [])
    assert list(engine.names) == ["berth-web"]


def test_what_a_killed_snapshot_has_left_goes_also_where_there_is_nothing_new_to_take(work: Any) -> None:
    engine = with_parts(FakeEngine().hold(STOPPED))
    held(engine, 1, "berth/web:latest")
    entry = work(engine, "take")
    assert (engine.calls, entry["taken"], entry["changed"]) == (REMOVING_PARTS, None, True)
    assert work(engine, "take")["changed"] is False


def test_what_a_killed_snapshot_has_left_goes_also_where_there_is_no_container(work: Any) -> None:
    engine = with_parts(FakeEngine())
    entry = work(engine, "take")
    assert engine.calls == REMOVING_PARTS
    assert entry["error"].startswith("There is no container berth-web")


def test_of_a_project_that_is_to_be_absent_and_is_nothing_is_taken(work: Any) -> None:
    engine = FakeEngine()
    entry = work(engine, "take", state="absent")
    assert (entry["error"], entry["changed"], engine.calls) == (None, False, [])


@pytest.mark.parametrize("operation", ["take", "prune"])
def test_a_dry_run_says_so_and_leaves_it(work: Any, operation: str) -> None:
    engine = with_parts(FakeEngine().hold(STOPPED))
    held(engine, 1, "berth/web:latest")
    assert (work(engine, operation, is_check=True)["changed"], engine.calls) == (True, [])


@pytest.mark.parametrize("operation", ["list", "remove"])
def test_what_does_not_take_or_prune_leaves_it(work: Any, operation: str) -> None:
    engine = with_parts(FakeEngine().hold(STOPPED))
    assert work(engine, operation, name="latest")["changed"] is False
    assert engine.calls == []


def test_a_snapshot_is_told_with_its_own_size_and_all_of_them_with_what_they_take(work: Any) -> None:
    engine = FakeEngine().hold(container_of(definition()))
    base_id = engine.tags[IMAGE]
    labels = {"project": "web", "scope": "default", "base": IMAGE, "base_id": base_id, "layers": "2"}
    for number, size, below in ((1, 1500, 1400), (2, 1600, 1400)):
        written = {**labels, "taken": f"2026010{number}T000000000000Z", "parent": "sha256:gone", "below": str(below)}
        config = {"Labels": {f"berth.snapshot.{key}": value for key, value in written.items()}}
        tag = f"berth/web:{written['taken']}"
        engine.add_image(f"sha256:5a{number}", config, tag, size=size)
    entry = work(engine, "list")
    assert [one["size"] for one in entry["snapshots"]] == [200, 100]
    assert entry["size"] == 100 + 200 + 400  # of the pruned one below both


@pytest.mark.parametrize("is_check", [False, True])
def test_a_taken_snapshot_counts_among_those_to_keep(work: Any, is_check: bool) -> None:
    engine = FakeEngine().hold(container_of(definition()))
    for number in range(1, 4):
        with_snapshot(engine, number, *(["berth/web:latest"] if number == 3 else []))
    entry = work(engine, "take", is_check)
    assert (entry["error"], entry["changed"]) == (None, True)
    assert len([tag for tag in engine.tags if tag.startswith("berth/web:2")]) == 3
    assert (engine.container("berth-web") or {})["Id"] == CONTAINER_ID
