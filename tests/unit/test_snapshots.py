# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a snapshot is taken of a container and taken back again, on an engine in memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError, EngineError
from ansible_collections.berth.projects.plugins.module_utils.lineage import Lineage, Snapshots
from ansible_collections.berth.projects.plugins.module_utils.names import aside_name
from ansible_collections.berth.projects.plugins.module_utils.snapshots import (
    Snapshotter,
    Taken,
    Wish,
    files_with_lost_attributes,
    free_bytes,
    keeps_layers_apart,
)
from ansible_collections.berth.projects.plugins.module_utils.world import Listing
from ansible_collections.berth.projects.tests.unit.builders import (
    CONTAINER_ID,
    IMAGE_ENV,
    IMAGE_ID,
    container_of,
    definition,
    snapshot,
)
from ansible_collections.berth.projects.tests.unit.fake_engine import CONTAINERD_STORE, FakeEngine

NOW = datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=timezone.utc)
TAG = "20260203T040506000789Z"
REFERENCE = f"berth/web:{TAG}"
LATEST = "berth/web:latest"
SECRET = "marker-of-a-private-value"
WEB = definition(env={"TOKEN": SECRET})
STOPPED = container_of(WEB, status="exited")
REFUSED = [{"stream": "Loading"}, {"error": "content digest not found"}]


def snapshotter_of(engine: FakeEngine, free: int | None = None) -> Snapshotter:
    return Snapshotter(engine, clock=lambda: NOW, free_space=lambda folder: free)


def lineage_of(engine: FakeEngine) -> Lineage:
    return Snapshots(engine.images(), "default").of("web")


def take(engine: FakeEngine, squash_after: int = 20, free: int | None = None) -> Taken:
    wish = Wish("web", "default", squash_after)
    return snapshotter_of(engine, free).take(CONTAINER_ID, lineage_of(engine), wish)


def engine_with(container: dict[str, Any] | None = None, *broken: str, **keys: Any) -> FakeEngine:
    return FakeEngine(*broken, **keys).hold(container or STOPPED)


def with_snapshot(engine: FakeEngine, number: int = 1, *more_tags: str, **changes: Any) -> str:
    """Have a snapshot besides; returns its reference."""
    made = snapshot(number, **changes)
    labels = {
        "berth.snapshot.project": "web",
        "berth.snapshot.scope": made.scope,
        "berth.snapshot.taken": made.tag,
        "berth.snapshot.base": made.base,
        "berth.snapshot.container": made.container,
        "berth.snapshot.stopped_at": made.stopped_at,
        "berth.snapshot.layers": str(made.layers),
    }
    engine.add_image(made.id, {"Labels": labels}, made.reference, *more_tags)
    return made.reference


# The usual way


def test_a_layer_is_committed_and_then_given_a_configuration_of_its_own() -> None:
    engine = engine_with()
    taken = take(engine)
    assert engine.calls == ["commit c0f", f"load {REFERENCE}", "remove-image part", f"tag {REFERENCE} {LATEST}"]
    assert (taken.reference, taken.is_new, taken.warnings) == (REFERENCE, True, ())


def test_a_snapshot_is_found_under_its_time_and_as_the_latest() -> None:
    engine = engine_with()
    taken = take(engine)
    assert engine.tags[REFERENCE] == engine.tags[LATEST] == taken.image_id
    assert lineage_of(engine).latest == lineage_of(engine).find(TAG)


def test_a_snapshot_has_nothing_of_its_containers_configuration() -> None:
    engine = engine_with()
    image = engine.image(take(engine).reference)
    assert image is not None and SECRET not in str(image)
    assert image["Config"]["Env"] == list(IMAGE_ENV)
    assert not [key for key in image["Config"]["Labels"] if key in ("berth.managed", "berth.project", "berth.scope")]


def test_what_was_taken_is_what_the_image_says() -> None:
    engine = engine_with()
    taken = take(engine)
    image = engine.image(taken.image_id)
    assert image is not None and image["Config"]["Labels"] == taken.labels
    assert taken.labels["berth.snapshot.base_id"] == IMAGE_ID


def test_a_snapshot_says_how_big_the_image_below_is() -> None:
    engine = engine_with(container_of(WEB, status="exited", image_id="sha256:big"))
    engine.add_image("sha256:big", {"Labels": {}}, "tool:1", size=4321)
    assert take(engine).labels["berth.snapshot.below"] == "4321"
    assert lineage_of(engine).snapshots[0].below == 4321


def test_nothing_without_a_name_is_left() -> None:
    engine = engine_with()
    take(engine)
    assert engine.nameless == []


def test_the_latest_moves_on_and_the_older_snapshot_keeps_its_name() -> None:
    engine = engine_with()
    older = with_snapshot(engine, 1, LATEST)
    take(engine)
    assert engine.tags[older] != engine.tags[LATEST] == engine.tags[REFERENCE]


def test_a_running_container_is_not_stopped_for_a_snapshot() -> None:
    engine = engine_with(container_of(WEB))
    take(engine)
    assert engine.names == {"berth-web": "running"}


def test_without_its_image_the_container_tells_what_it_was_made_from() -> None:
    engine = engine_with(container_of(WEB, status="exited", image_id="sha256:gone"))
    image = engine.image(take(engine).reference)
    assert image is not None and SECRET not in str(image)
    assert image["Config"]["Labels"]["berth.snapshot.base_id"] == "sha256:gone"
    assert image["Config"]["Labels"]["berth.snapshot.below"] == "0"


def test_a_container_that_is_gone_is_an_error() -> None:
    with pytest.raises(BerthError, match=r"^The container c0ffee000000 is gone\.$"):
        take(FakeEngine())


# What holds all there is already


def held(engine: FakeEngine, number: int, *more_tags: str) -> str:
    finished = STOPPED["State"]["FinishedAt"]
    return with_snapshot(engine, number, *more_tags, container=CONTAINER_ID, stopped_at=finished)


def test_a_snapshot_that_holds_all_there_is_is_used_again() -> None:
    engine = engine_with()
    reference = held(engine, 1, LATEST)
    taken = take(engine)
    assert (taken.reference, taken.is_new, engine.calls) == (reference, False, [])
    assert taken.labels["berth.snapshot.base"] == "berth-base:latest"


def test_a_snapshot_that_is_used_again_becomes_the_latest() -> None:
    engine = engine_with()
    reference = held(engine, 1)
    with_snapshot(engine, 2, LATEST)
    take(engine)
    assert engine.tags[LATEST] == engine.tags[reference]


def test_a_snapshot_is_taken_anew_once_the_container_has_run_again() -> None:
    engine = engine_with()
    held(engine, 1, LATEST)
    engine.start(CONTAINER_ID)
    engine.stop(CONTAINER_ID, 1)
    assert take(engine).is_new


def test_a_snapshot_may_be_taken_that_does_not_become_the_latest() -> None:
    engine = engine_with()
    older = with_snapshot(engine, 1, LATEST)
    taken = snapshotter_of(engine).take(CONTAINER_ID, lineage_of(engine), Wish("web", "default", 20), False)
    assert engine.tags[LATEST] == engine.tags[older] != taken.image_id


def test_a_snapshot_that_is_used_again_does_not_become_the_latest_unasked() -> None:
    engine = engine_with()
    held(engine, 1)
    newer = with_snapshot(engine, 2, LATEST)
    snapshotter_of(engine).take(CONTAINER_ID, lineage_of(engine), Wish("web", "default", 20), False)
    assert engine.tags[LATEST] == engine.tags[newer]


# Flattening

FLATTENING = ["export c0f", "import", f"load {REFERENCE}", "remove-image part", f"tag {REFERENCE} {LATEST}"]
FLAT = "the lineage was flattened: the snapshot is one layer now, and shares no disk space with its base"


def deep(status: str = "exited", layers: str = "20", of_image: int = 22, **keys: Any) -> FakeEngine:
    """An engine with a container that was made from a snapshot of so many layers."""
    engine = engine_with(container_of(WEB, status=status, image_id="sha256:deep"), **keys)
    labels = {"berth.contract": "1", "berth.snapshot.layers": layers}
    engine.add_image("sha256:deep", {"Env": list(IMAGE_ENV), "Labels": labels}, "berth/web:deep", layers=of_image)
    return engine


def test_a_lineage_of_too_many_layers_is_flattened_and_that_is_told() -> None:
    engine = deep()
    taken = take(engine)
    assert (engine.calls, taken.warnings) == (FLATTENING, (FLAT,))
    assert taken.labels["berth.snapshot.layers"] == "0"


def test_a_flattened_image_is_given_the_snapshots_configuration() -> None:
    engine = deep()
    image = engine.image(take(engine).reference)
    assert image is not None and len(image["RootFS"]["Layers"]) == 1
    assert image["Config"]["Env"] == list(IMAGE_ENV) and SECRET not in str(image)
    labels = image["Config"]["Labels"]
    assert (labels["berth.snapshot.flat"], labels["berth.snapshot.layers"]) == ("true", "0")
    assert "berth.snapshot.part" not in labels


def test_a_flattened_image_has_all_that_the_container_shows() -> None:
    engine = deep()
    engine.write(CONTAINER_ID, "/installed")
    assert "/installed" in engine.files(take(engine).reference)


def test_a_lineage_that_is_not_too_deep_is_not_flattened() -> None:
    engine = deep(layers="19")
    take(engine)
    assert "commit c0f" in engine.calls


def test_a_running_container_is_not_made_to_stand_still_for_tidiness() -> None:
    engine = deep("running")
    take(engine)
    assert "commit c0f" in engine.calls and "pause c0f" not in engine.calls


def test_a_running_container_stands_still_while_it_has_to_be_flattened() -> None:
    engine = deep("running", of_image=100)
    take(engine)
    assert engine.calls == ["pause c0f", *FLATTENING[:2], "unpause c0f", *FLATTENING[2:]]
    assert engine.names == {"berth-web": "running"}


def test_a_frozen_container_stays_frozen() -> None:
    engine = deep("paused", of_image=100)
    take(engine)
    assert engine.calls == FLATTENING and engine.names == {"berth-web": "paused"}


def test_a_container_goes_on_running_where_flattening_fails() -> None:
    engine = deep("running", of_image=100)
    engine.export_chunks = [b"half"]
    with pytest.raises(EngineError, match="half-way"):
        take(engine)
    assert engine.names == {"berth-web": "running"}


# Where a store wants the layers' content along with a configuration


def test_where_the_engine_refuses_a_configuration_without_layers_all_is_flattened() -> None:
    engine = engine_with()
    engine.write(CONTAINER_ID, "/installed")
    engine.load_events = REFUSED
    taken = take(engine)
    image = engine.image(LATEST)
    assert engine.calls[:5] == ["commit c0f", f"load {REFERENCE}", "remove-image part", "export c0f", "import"]
    assert image is not None and image["Id"] == taken.image_id and SECRET not in str(image)
    assert "/installed" in engine.files(LATEST)
    assert engine.nameless == [] and list(engine.names) == ["berth-web"]


def test_what_was_taken_says_that_it_was_flattened_after_all() -> None:
    engine = engine_with()
    engine.load_events = REFUSED
    taken = take(engine)
    assert taken.labels["berth.snapshot.flat"] == "true" and taken.warnings == (FLAT,)


def test_a_store_that_wants_the_layers_along_is_given_a_flattened_one_through_a_container() -> None:
    engine = deep(driver_status=CONTAINERD_STORE)
    engine.write(CONTAINER_ID, "/installed")
    take(engine)
    assert engine.calls == [
        "export c0f",
        "import",
        "create a helper",
        "commit 4e1",
        "remove 4e1",
        "remove-image part",
        f"tag {REFERENCE} {LATEST}",
    ]
    assert "/installed" in engine.files(LATEST)
    (given,) = engine.committed
    assert given["Env"] == list(IMAGE_ENV) and given["Labels"]["berth.snapshot.part"] == ""


def test_no_answer_is_no_reason_to_flatten() -> None:
    engine = engine_with(STOPPED, "load", error=EngineError("no answer from the engine"))
    with pytest.raises(EngineError, match="no answer"):
        take(engine)
    assert "export c0f" not in engine.calls


def test_an_engine_whose_store_keeps_layers_apart_commits_a_configuration_that_covers_the_containers() -> None:
    engine = engine_with(driver_status=CONTAINERD_STORE)
    taken = take(engine)
    assert engine.calls == ["commit c0f", f"tag {REFERENCE} {LATEST}"]
    (given,) = engine.committed
    assert "TOKEN" in given["Env"] and SECRET not in str(given)
    assert (given["Labels"]["berth.managed"], given["Labels"]["berth.snapshot.taken"]) == ("", TAG)
    assert engine.tags[LATEST] == taken.image_id


@pytest.mark.parametrize(
    ("status", "apart"),
    [
        ([["driver-type", "io.containerd.snapshotter.v1"]], True),
        ([["Backing Filesystem", "extfs"], ["driver-type", "io.containerd.snapshotter.v1"]], True),
        ([["Backing Filesystem", "extfs"]], False),
        ([], False),
        (None, False),
    ],
)
def test_an_engine_says_where_its_images_live(status: Any, apart: bool) -> None:
    assert keeps_layers_apart({"DriverStatus": status}) is apart


# Room on the disk

SPARE = 64 * 1024**2


def full(engine: FakeEngine, free: int) -> str | None:
    engine.is_here = True
    try:
        take(engine, free=free)
    except BerthError as error:
        return error.msg
    return None


@pytest.mark.parametrize(("engine", "size"), [(engine_with, 5000), (deep, 90000)], ids=["a layer", "flattened"])
def test_without_room_for_a_snapshot_nothing_is_begun(engine: Callable[[], FakeEngine], size: int) -> None:
    small, enough = engine(), engine()
    told = full(small, SPARE + size - 1)
    assert told is not None and "/var/lib/docker" in told and "64 MiB" in told and "docker system df" in told
    assert small.calls == []
    assert full(enough, SPARE + size) is None


def test_without_room_for_what_has_to_be_flattened_after_all_that_is_not_begun() -> None:
    engine = engine_with()
    engine.load_events = REFUSED
    told = full(engine, SPARE + 5000)
    assert told is not None and "/var/lib/docker" in told
    assert "export c0f" not in engine.calls and engine.nameless == []


def short_of_room(engine: FakeEngine, free: int) -> bool:
    engine.is_here = True
    try:
        snapshotter_of(engine, free).demand_room(CONTAINER_ID, lineage_of(engine))
    except BerthError as error:
        assert "/var/lib/docker" in error.msg and engine.calls == []
        return True
    return False


def test_room_can_be_asked_for_before_a_snapshot_is_taken() -> None:
    running = container_of(WEB)
    assert short_of_room(engine_with(running), SPARE + 4999)
    assert not short_of_room(engine_with(running), SPARE + 5000)


def test_no_room_is_asked_for_where_a_snapshot_holds_all_there_is() -> None:
    engine = engine_with()
    held(engine, 1, LATEST)
    assert not short_of_room(engine, 0)


def test_no_room_is_asked_for_what_is_gone() -> None:
    assert not short_of_room(FakeEngine(), 0)


def test_an_engine_elsewhere_is_not_asked_for_the_room_on_this_host() -> None:
    engine = engine_with()
    assert take(engine, free=0).is_new


def test_room_that_cannot_be_told_is_no_obstacle(tmp_path: Path) -> None:
    assert free_bytes(str(tmp_path / "nowhere")) is None
    assert (free_bytes(str(tmp_path)) or 0) > 0


# What fails

WAYS: dict[str, Callable[..., FakeEngine]] = {
    "commit and load": engine_with,
    "flatten": deep,
    "covering commit": lambda: engine_with(driver_status=CONTAINERD_STORE),
    "flatten through a container": lambda: deep(driver_status=CONTAINERD_STORE),
}


def calls_of(way: str) -> int:
    engine = WAYS[way]()
    with_snapshot(engine, 1, LATEST)
    take(engine)
    return len(engine.calls)


FAILURES = [(way, number, late) for way in WAYS for number in range(1, calls_of(way) + 1) for late in (False, True)]
LEAVING = [("flatten through a container", 3, True), ("flatten through a container", 5, False)]
"""A container of the snapshot's own was made and nobody knows, or it cannot be removed."""


@pytest.mark.parametrize(("way", "number", "late"), [one for one in FAILURES if one not in LEAVING])
def test_a_snapshot_that_fails_leaves_neither_name_nor_image_and_the_latest_where_it_was(
    way: str, number: int, late: bool
) -> None:
    engine = WAYS[way]()
    with_snapshot(engine, 1, LATEST)
    before = engine.tags
    engine.fail(number, late, EngineError("no answer from the engine"))
    with pytest.raises(EngineError, match="no answer"):
        take(engine)
    assert (engine.tags, engine.nameless) == (before, [])
    assert list(engine.names) == ["berth-web"]


@pytest.mark.parametrize(("way", "number", "late"), FAILURES)
def test_whatever_a_snapshot_leaves_is_known_to_be_left_over(way: str, number: int, late: bool) -> None:
    engine = WAYS[way]()
    engine.fail(number, late, EngineError("no answer from the engine"), is_for_good=True)
    with pytest.raises(EngineError, match="no answer"):
        take(engine)
    parts = Listing(engine.containers(), "default").parts("web")
    assert engine.nameless == list(lineage_of(engine).parts)
    assert len(engine.names) == 1 + len(parts)


@pytest.mark.parametrize("way", WAYS)
def test_a_first_snapshot_that_fails_leaves_no_latest(way: str) -> None:
    engine = WAYS[way]()
    before = engine.tags
    engine.fail(calls_of(way), False, EngineError("no"))  # the last call names the latest
    with pytest.raises(EngineError):
        take(engine)
    assert (engine.tags, engine.nameless) == (before, [])


def test_what_cannot_be_taken_back_now_does_not_hide_what_failed() -> None:
    engine = engine_with(STOPPED, "load", "remove-image", error=EngineError("the sky fell"))
    with pytest.raises(EngineError, match="the sky fell"):
        take(engine)


def test_a_snapshot_is_taken_back_with_its_names() -> None:
    engine = engine_with()
    older = with_snapshot(engine, 1, LATEST)
    known, before = lineage_of(engine), engine.tags
    taken = take(engine)
    snapshotter_of(engine).undo(taken.reference, known, Wish("web", "default", 20))
    assert engine.tags == before and engine.tags[LATEST] == engine.tags[older]


def test_parts_of_other_projects_are_not_taken_back() -> None:
    engine = engine_with()
    engine.add_image("sha256:other", {"Labels": {"berth.snapshot.part": "default/api"}})
    snapshotter_of(engine).undo(REFERENCE, Lineage(), Wish("web", "default", 20))
    assert engine.nameless == ["sha256:other"]


# Removal


def test_a_snapshot_is_removed_by_its_time_and_leaves_the_latest_alone() -> None:
    engine = engine_with()
    with_snapshot(engine, 1, LATEST)
    (one,) = lineage_of(engine).snapshots
    assert snapshotter_of(engine).remove(one) is True
    assert engine.calls == [f"remove-image {one.reference}"]


def test_a_snapshot_that_a_container_was_made_from_stays() -> None:
    engine = FakeEngine()
    with_snapshot(engine, 1)
    (one,) = lineage_of(engine).snapshots
    engine.hold(container_of(WEB, image_id=one.id))
    assert snapshotter_of(engine).remove(one) is False
    assert one.reference in engine.tags


def test_the_latest_goes_to_the_newest_of_the_others() -> None:
    engine = FakeEngine()
    with_snapshot(engine, 1)
    newer = with_snapshot(engine, 2)
    with_snapshot(engine, 3, LATEST)
    lineage = lineage_of(engine)
    snapshotter_of(engine).leave_latest(lineage.snapshots[0], lineage)
    assert engine.tags[LATEST] == engine.tags[newer]


def test_the_last_snapshot_takes_the_latest_with_it() -> None:
    engine = FakeEngine()
    with_snapshot(engine, 1, LATEST)
    lineage = lineage_of(engine)
    snapshotter_of(engine).leave_latest(lineage.snapshots[0], lineage)
    assert LATEST not in engine.tags


# What no snapshot keeps


@pytest.fixture
def layer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a layer: a file's attributes are what is written in it."""
    (tmp_path / "etc").mkdir()

    def attributes(path: str, follow_symlinks: bool = True) -> list[str]:
        assert not follow_symlinks
        if path.endswith("gone"):
            raise OSError(2, "No such file or directory")
        return Path(path).read_text().split() if os.path.isfile(path) else []

    monkeypatch.setattr(os, "listxattr", attributes)
    return tmp_path


@pytest.mark.parametrize(
    ("attributes", "lost"),
    [
        ("", False),
        ("security.capability", False),
        ("user.mine", True),
        ("trusted.mine", True),
        ("system.posix_acl_access", True),
        ("system.posix_acl_default", True),
        ("trusted.overlay.opaque", False),
        ("user.overlay.whiteout", False),
        ("security.capability user.mine", True),
    ],
)
def test_a_file_is_told_of_where_an_engine_drops_one_of_its_attributes(
    layer: Path, attributes: str, lost: bool
) -> None:
    (layer / "etc" / "file").write_text(attributes)
    assert list(files_with_lost_attributes(str(layer))) == (["/etc/file"] if lost else [])


def test_a_file_that_goes_away_meanwhile_is_not_told_of(layer: Path) -> None:
    (layer / "gone").write_text("user.mine")
    assert list(files_with_lost_attributes(str(layer))) == []


@pytest.mark.parametrize(("count", "more"), [(1, False), (5, False), (6, True)])
def test_a_snapshot_warns_of_what_it_does_not_keep(layer: Path, count: int, more: bool) -> None:
    for number in range(count):
        (layer / f"file{number}").write_text("user.mine")
    (warning,) = take(engine_with({**STOPPED, "GraphDriver": {"Data": {"UpperDir": str(layer)}}})).warnings
    assert warning.startswith("the snapshot does not keep the POSIX ACLs and extended attributes of /file")
    assert (warning.count("/file"), " and more: " in warning) == (min(count, 5), more)


def test_a_layer_that_this_host_cannot_see_gives_no_warning() -> None:
    engine = engine_with({**STOPPED, "GraphDriver": {"Data": {"UpperDir": "/nowhere/at/all"}}})
    assert take(engine).warnings == ()


def test_a_container_that_waits_aside_is_snapshotted_as_any_other() -> None:
    engine = engine_with({**STOPPED, "Name": f"/{aside_name('web', CONTAINER_ID)}"})
    assert take(engine).reference == REFERENCE
