# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How snapshots are read from an engine's list of images, and what follows for a project."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.lineage import (
    Lineage,
    Snapshots,
    must_be_flat,
    tag_of,
    time_of,
)
from ansible_collections.berth.projects.tests.unit.builders import (
    IMAGE,
    IMAGE_ID,
    NEVER,
    STOPPED_AT,
    container_of,
    definition,
    snapshot,
)
from hypothesis import given
from hypothesis import strategies as st

TAG = "20260102T030405678901Z"
MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(9998, 12, 31), timezones=st.just(timezone.utc))


def listed(
    tag: str = TAG,
    project: str = "web",
    *,
    tags: Any = ...,
    scope: str = "default",
    image_id: str = "sha256:5a",
    size: int = 100,
    **labels: str,
) -> dict[str, Any]:
    """An entry of ``GET /images/json`` that is a snapshot; further labels go by their last word."""
    written = {"project": project, "scope": scope, "taken": tag, "parent": IMAGE_ID, "layers": "1", **labels}
    return {
        "Id": image_id,
        "RepoTags": [f"berth/{project}:{tag}"] if tags is ... else tags,
        "Size": size,
        "Created": 1700000000,
        "Labels": {f"berth.snapshot.{key}": value for key, value in written.items()},
    }


def part(project: str = "web", scope: str = "default", **keys: Any) -> dict[str, Any]:
    """An image that an interrupted snapshot has left."""
    labels = {"berth.snapshot.part": f"{scope}/{project}"}
    return {"Id": "sha256:9a", "RepoTags": None, "Labels": labels, "Size": 7, "Created": 1700000000, **keys}


def lineage(*entries: dict[str, Any], project: str = "web") -> Lineage:
    return Snapshots(entries, "default").of(project)


# From the list of images


def test_a_listed_snapshot_says_what_it_was_made_from() -> None:
    entry = listed(
        base=IMAGE,
        base_id=IMAGE_ID,
        packages="{}",
        container="c0ffee",
        stopped_at=STOPPED_AT,
        layers="4",
        flat="true",
        below="70",
    )
    (found,) = lineage(entry).snapshots
    assert found == snapshot(
        1,
        id="sha256:5a",
        tag=TAG,
        tags=(f"berth/web:{TAG}",),
        size=100,
        created=1700000000,
        packages="{}",
        container="c0ffee",
        layers=4,
        flat=True,
        below=70,
    )


def test_the_newest_snapshot_comes_first() -> None:
    tags = ["20260102T030405678901Z", "20260102T030405678902Z", "20251231T235959999999Z"]
    found = lineage(*(listed(tag) for tag in tags))
    assert [one.tag for one in found.snapshots] == [tags[1], tags[0], tags[2]]


def test_each_project_has_its_own_snapshots() -> None:
    entries = [listed(project="web"), listed(project="api"), listed(project="web2")]
    assert [one.project for one in lineage(*entries).snapshots] == ["web"]
    assert Snapshots(entries, "default").projects == ["api", "web", "web2"]


@pytest.mark.parametrize(
    "entry",
    [
        {"Id": "sha256:1", "RepoTags": ["berth/web:mine"], "Labels": None},
        {"Id": "sha256:1", "RepoTags": ["berth/web:latest"], "Labels": {"org.example": "x"}},
        listed(tags=["elsewhere:1"]),
        listed(tags=["berth/webs:1"]),
        listed(tags=[]),
        listed(tags=None),
        listed(tags=["<none>:<none>"]),
        listed(tag="yesterday", tags=["berth/web:yesterday"]),
        listed(tag="", tags=["berth/web:x"]),
        listed(project="", tags=["berth/:x"]),
    ],
    ids=[
        "somebody's image under our name",
        "their latest",
        "under another name alone",
        "under another project's name",
        "without a name",
        "without a name, as other engines say",
        "without a name, as older engines say",
        "of no time that is one",
        "of no time",
        "of no project",
    ],
)
def test_what_is_no_snapshot_is_none(entry: dict[str, Any]) -> None:
    assert lineage(entry) == Lineage()


def test_a_layer_count_that_is_none_counts_as_no_layer() -> None:
    assert lineage(listed(layers="many")).snapshots[0].layers == 0


@pytest.mark.parametrize("labels", [{}, {"below": ""}, {"below": "-7"}, {"below": "much"}])
def test_a_size_below_that_is_none_counts_as_none(labels: dict[str, str]) -> None:
    assert lineage(listed(**labels)).snapshots[0].below == 0


def test_snapshots_of_another_scope_are_not_ours_and_are_told_of() -> None:
    found = lineage(listed(scope="team-b"))
    assert (found.snapshots, found.latest, found.other_scope) == ((), None, "team-b")


def test_ours_have_no_other_scope() -> None:
    assert lineage(listed()).other_scope is None


@pytest.mark.parametrize("tags", [None, [], ["<none>:<none>"]])
def test_a_nameless_image_of_an_interrupted_snapshot_is_a_part(tags: Any) -> None:
    assert lineage(part(RepoTags=tags)) == Lineage(parts=("sha256:9a",))
    assert Snapshots([part(RepoTags=tags)], "default").projects == ["web"]


def test_a_part_that_somebody_named_is_left_to_them() -> None:
    assert lineage(part(RepoTags=["mine:1"])) == Lineage()


def test_a_part_of_another_scope_is_left_alone() -> None:
    assert lineage(part(scope="team-b")) == Lineage()


# Names


def test_a_snapshot_is_called_by_its_time() -> None:
    assert lineage(listed(tags=["berth/web:latest", f"berth/web:{TAG}"])).snapshots[0].reference == f"berth/web:{TAG}"


def test_a_snapshot_whose_time_tag_was_taken_away_is_called_by_what_it_has() -> None:
    assert lineage(listed(tags=["berth/web:latest"])).snapshots[0].reference == "berth/web:latest"


def test_names_of_other_repositories_are_not_a_snapshots_own() -> None:
    assert lineage(listed(tags=["mine:1", f"berth/web:{TAG}"])).snapshots[0].tags == (f"berth/web:{TAG}",)


# Which one


def tagged(number: int) -> Any:
    """The ``number``th snapshot, with ``:latest``."""
    one = snapshot(number)
    return snapshot(number, tags=(*one.tags, "berth/web:latest"))


def test_the_latest_is_the_one_that_has_the_tag() -> None:
    latest = tagged(1)
    assert Lineage((snapshot(2), latest)).latest is latest


def test_without_the_tag_the_latest_is_the_newest() -> None:
    newest = snapshot(2)
    assert Lineage((newest, snapshot(1))).latest is newest


def test_without_snapshots_there_is_no_latest() -> None:
    assert Lineage().latest is None


@pytest.mark.parametrize("name", ["latest", snapshot(1).tag, snapshot(1).reference])
def test_a_snapshot_is_found_by_each_of_its_names(name: str) -> None:
    one = tagged(1)
    assert Lineage((snapshot(2), one)).find(name) is one


@pytest.mark.parametrize("name", ["", "20260102T000001", "berth/api:" + snapshot(1).tag, snapshot(3).tag])
def test_what_is_not_there_is_not_found(name: str) -> None:
    assert Lineage((snapshot(2), snapshot(1))).find(name) is None


# What is in a snapshot


def holding(container: dict[str, Any], stopped_at: str | None = None) -> bool:
    """Whether a snapshot of a container, which had ended then, holds it as it is now."""
    then = container["State"]["FinishedAt"] if stopped_at is None else stopped_at
    return snapshot(1, container=container["Id"], stopped_at=then).holds(container)


def test_a_snapshot_of_a_stopped_container_holds_all_of_it() -> None:
    assert holding(container_of(definition(), status="exited"))


def test_a_snapshot_of_a_container_that_never_ran_holds_all_of_it() -> None:
    assert holding(container_of(definition(), status="created"))


def test_a_container_that_has_run_since_has_more_than_its_snapshot() -> None:
    assert not holding(container_of(definition(), status="exited"), stopped_at="2026-01-02T04:05:05.9Z")


def test_a_container_that_was_started_since_its_snapshot_has_more() -> None:
    assert not holding(container_of(definition(), status="exited"), stopped_at=NEVER)


@pytest.mark.parametrize("status", ["running", "paused", "restarting"])
def test_a_container_that_runs_may_have_more_at_any_moment(status: str) -> None:
    assert not holding(container_of(definition(), status=status))
    assert not holding(container_of(definition(), status=status), stopped_at="")


def test_a_snapshot_of_another_container_holds_nothing_of_this_one() -> None:
    other = snapshot(1, container="f" * 64, stopped_at=STOPPED_AT)
    assert not other.holds(container_of(definition(), status="exited"))


def test_the_holder_is_the_snapshot_that_holds_a_container() -> None:
    container = container_of(definition(), status="exited")
    holder = snapshot(1, container=container["Id"], stopped_at=STOPPED_AT)
    assert Lineage((snapshot(2), holder)).holder_of(container) is holder
    assert Lineage((snapshot(2),)).holder_of(container) is None


# What is beyond what is kept


def numbers(found: list[Any]) -> list[int]:
    return [one.created - 1700000000 for one in found]


@pytest.mark.parametrize(("keep", "gone"), [(0, [3, 2, 1]), (1, [3, 2, 1]), (3, [1]), (4, []), (9, [])])
def test_what_is_beyond_keep_is_surplus(keep: int, gone: list[int]) -> None:
    assert numbers(Lineage((tagged(4), snapshot(3), snapshot(2), snapshot(1))).surplus(keep)) == gone


def test_the_latest_is_never_surplus_however_old_it_is() -> None:
    found = Lineage((snapshot(3), snapshot(2), tagged(1)))
    assert numbers(found.surplus(1)) == [2]


def test_the_latest_that_was_may_go_once_another_one_is_it() -> None:
    found = Lineage((snapshot(3), snapshot(2), tagged(1)))
    assert numbers(found.surplus(1, is_latest_moved=True)) == [2, 1]


def test_an_image_that_a_container_was_made_from_is_never_surplus() -> None:
    found = Lineage((tagged(3), snapshot(2), snapshot(1)))
    assert numbers(found.surplus(1, used={snapshot(2).id})) == [1]


@given(st.integers(0, 8), st.integers(0, 8), st.sets(st.integers(1, 8)), st.integers(1, 8))
def test_pruning_twice_takes_no_more_than_once(count: int, keep: int, used: set[int], latest: int) -> None:
    made = [tagged(number) if number == latest else snapshot(number) for number in range(count, 0, -1)]
    ids = {snapshot(number).id for number in used}
    gone = Lineage(tuple(made)).surplus(keep, ids)
    left = Lineage(tuple(one for one in made if one not in gone))
    assert left.surplus(keep, ids) == []
    assert left.snapshots[:keep] == tuple(made[:keep])
    assert left.latest is Lineage(tuple(made)).latest


# The next tag


def test_the_next_tag_is_the_time_to_the_microsecond() -> None:
    now = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=timezone.utc)
    assert Lineage().next_tag(now) == "20260102T030405000678Z"


def test_a_tag_is_in_universal_time() -> None:
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2)))
    assert tag_of(now) == "20260102T010405000000Z"


@given(MOMENTS)
def test_a_tag_tells_its_time(moment: datetime) -> None:
    assert time_of(tag_of(moment)) == moment


@given(MOMENTS, MOMENTS)
def test_the_next_tag_is_later_than_all_others_also_when_the_clock_was_set_back(taken: datetime, now: datetime) -> None:
    newest = snapshot(1, tag=tag_of(taken))
    assert Lineage((newest,)).next_tag(now) > newest.tag


def test_a_snapshot_within_the_same_microsecond_has_a_tag_of_its_own() -> None:
    now = datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=timezone.utc)
    assert Lineage((snapshot(1, tag=tag_of(now)),)).next_tag(now) == "20270101T000000000000Z"


# How much disk


def measured(*entries: dict[str, Any], base_size: int = 1000) -> int:
    base = {"Id": IMAGE_ID, "RepoTags": [IMAGE], "Size": base_size, "Created": 1}
    found = Snapshots([base, *entries], "default")
    return found.disk_use(found.of("web"))


def chain(number: int, parent: str, size: int, below: int = 1000, **labels: str) -> dict[str, Any]:
    """The ``number``th snapshot, made from that image, which had so many bytes."""
    tag = f"20260102T{number:06}000000Z"
    written = {"parent": parent, "base_id": IMAGE_ID, "below": str(below), **labels}
    return listed(tag, image_id=f"sha256:{number}", size=size, **written)


def flattened(number: int, parent: str, size: int, below: int = 1000) -> dict[str, Any]:
    return chain(number, parent, size, below, layers="0", flat="true")


def test_a_snapshot_takes_what_it_has_on_top_of_its_base() -> None:
    assert measured(chain(1, IMAGE_ID, 1010)) == 10


def test_what_snapshots_share_is_counted_once() -> None:
    assert measured(chain(1, IMAGE_ID, 1010), chain(2, "sha256:1", 1030, 1010), chain(3, "sha256:2", 1060, 1030)) == 60


def test_snapshots_that_branch_off_share_what_is_below() -> None:
    assert measured(chain(1, IMAGE_ID, 1010), chain(2, "sha256:1", 1030, 1010), chain(3, "sha256:1", 1020, 1010)) == 40


def test_a_flattened_snapshot_shares_nothing() -> None:
    assert measured(chain(1, IMAGE_ID, 1010), flattened(2, "sha256:1", 1020, 1010)) == 1030


def test_a_flattened_snapshot_holds_nothing_of_a_pruned_one_below() -> None:
    assert measured(flattened(2, "sha256:gone", 1020, 1010)) == 1020


def test_what_lies_on_a_flattened_snapshot_shares_that() -> None:
    assert measured(flattened(2, "sha256:1", 1020), chain(3, "sha256:2", 1050, 1020, flat="true")) == 1050


def test_the_layers_of_a_pruned_one_stay_with_what_was_made_from_it() -> None:
    assert measured(chain(3, "sha256:gone", 1060, 1040)) == 60


def test_the_layers_of_a_pruned_one_are_counted_once_for_all_that_was_made_from_it() -> None:
    assert measured(chain(2, "sha256:gone", 1045, 1040), chain(3, "sha256:gone", 1060, 1040)) == 5 + 20 + 40


def test_the_layers_of_each_pruned_one_are_counted() -> None:
    assert measured(chain(2, "sha256:gone", 1045, 1040), chain(3, "sha256:lost", 1060, 1030)) == 5 + 40 + 30 + 30


def test_what_lies_on_a_flattened_one_that_was_pruned_is_counted_whole() -> None:
    assert measured(chain(3, "sha256:gone", 1050, 1020, flat="true")) == 1050


def test_where_the_base_is_gone_what_lies_right_on_it_is_all_that_is_told() -> None:
    assert measured(chain(1, "sha256:old", 1060, 1040, base_id="sha256:old")) == 20


def test_no_snapshot_takes_less_than_nothing() -> None:
    """Engines differ in what they count, so a base may look bigger than what was made from it."""
    assert measured(chain(1, IMAGE_ID, 990)) == 0
    assert measured(chain(2, "sha256:gone", 1010, 990)) == 20


@pytest.mark.parametrize(
    ("changes", "own"),
    [
        ({}, 30),
        ({"below": 0}, 100),
        ({"below": 101}, 0),
        ({"layers": 0}, 30),
        ({"flat": True}, 30),
        ({"flat": True, "layers": 0}, 100),
    ],
    ids=[
        "on top of another",
        "on what nobody measured",
        "on what looks bigger",
        "of no layer",
        "on a flattened one",
        "flattened itself",
    ],
)
def test_a_snapshots_own_size_is_what_it_has_on_top_of_what_is_below(changes: dict[str, Any], own: int) -> None:
    one = snapshot(1, **{"size": 100, "below": 70, **changes})
    assert (one.own_size, one.is_flattened) == (own, own == 100 and one.below == 70)


# Flattening


@pytest.mark.parametrize(
    ("layers", "of_image", "is_running", "flat"),
    [
        (20, 22, False, False),
        (21, 23, False, True),
        (21, 23, True, False),
        (1, 99, False, False),
        (1, 100, False, True),
        (1, 100, True, True),
        (99, 99, True, False),
    ],
)
def test_a_lineage_is_flattened_when_it_is_too_deep_and_of_a_running_container_only_where_it_must(
    layers: int, of_image: int, is_running: bool, flat: bool
) -> None:
    assert must_be_flat(layers, of_image, 20, is_running) is flat
