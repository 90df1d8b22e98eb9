# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What lies on an engine and its host although no definition names it, and how it is called."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.lineage import Snapshots
from ansible_collections.berth.projects.plugins.module_utils.names import HELPER, home_volume, ownership_labels
from ansible_collections.berth.projects.plugins.module_utils.orphans import Found, Orphan, find_orphans
from ansible_collections.berth.projects.plugins.module_utils.records import Record
from ansible_collections.berth.projects.plugins.module_utils.world import Listing
from ansible_collections.berth.projects.tests.unit.builders import IMAGE_ID, networks_for, snapshot


def image(image_id: str, *tags: str, size: int = 100, **labels: str) -> dict[str, Any]:
    """An entry of ``GET /images/json``; labels go by their last word."""
    written = {f"berth.snapshot.{key}": value for key, value in labels.items()}
    return {"Id": image_id, "RepoTags": list(tags), "Labels": written, "Size": size, "Created": 1700000000}


def taken(number: int, project: str = "web", scope: str = "default", **labels: str) -> dict[str, Any]:
    one = snapshot(number, project)
    return image(one.id, one.reference, project=project, scope=scope, taken=one.tag, parent=IMAGE_ID, **labels)


def container(name: str, image_id: str, labels: dict[str, str]) -> dict[str, Any]:
    return {
        "Id": "c0ffee",
        "Names": [f"/{name}"],
        "State": "exited",
        "ImageID": image_id,
        "Created": 1700000001,
        "Labels": labels,
    }


def orphans(
    *images: dict[str, Any],
    containers: tuple[dict[str, Any], ...] = (),
    volumes: tuple[dict[str, Any], ...] = (),
    records: dict[str, Record] | None = None,
    networks: tuple[dict[str, Any], ...] = (),
    declared: tuple[str, ...] = (),
) -> list[Orphan]:
    listing = Listing(containers, "default", volumes, networks)
    return list(find_orphans(Found(listing, Snapshots(images, "default"), images, records or {}), declared))


def kinds(found: list[Orphan]) -> list[tuple[str, str, str]]:
    return [(one.type, one.kind, one.name) for one in found]


# Snapshots


def test_snapshots_of_an_undeclared_project_are_orphans() -> None:
    (found,) = orphans(taken(1))
    assert found == Orphan(
        "image", "undeclared", snapshot(1).reference, "web", id=snapshot(1).id, created=1700000000, size=100
    )


def test_snapshots_of_a_declared_project_are_none() -> None:
    assert orphans(taken(1), declared=("web",)) == []


def test_snapshots_of_another_scope_are_not_looked_at() -> None:
    assert orphans(taken(1, scope="team-b")) == []


def test_an_orphaned_snapshot_takes_what_it_has_on_top_of_its_base() -> None:
    base = image(IMAGE_ID, "berth-base:latest", size=70)
    assert [one.size for one in orphans(base, taken(1, base_id=IMAGE_ID, below="70"))] == [30]


def test_a_part_of_an_interrupted_snapshot_is_left_over() -> None:
    (found,) = orphans(image("sha256:9a", part="default/web", size=7))
    assert (found.kind, found.name, found.project, found.size) == ("leftover", "sha256:9a", "web", 7)


def test_a_part_of_a_declared_project_is_cleared_away_with_it_and_no_orphan() -> None:
    assert orphans(image("sha256:9a", part="default/web"), declared=("web",)) == []


# Images that nothing was made from


@pytest.mark.parametrize("name", ["berth-base:0a1b", "berth-packages:0a1b"])
def test_an_image_that_nothing_was_made_from_is_unused(name: str) -> None:
    (found,) = orphans(image("sha256:1", name, size=5))
    assert (found.type, found.kind, found.name, found.project, found.size) == ("image", "unused", name, "", 5)


@pytest.mark.parametrize("tags", [("berth-base:0a1b", "berth-base:latest"), ("mine:1",), ("berth-basement:1",), ()])
def test_the_latest_base_and_what_is_not_berths_are_not_unused(tags: tuple[str, ...]) -> None:
    assert orphans(image("sha256:1", *tags)) == []


def test_an_image_that_a_container_was_made_from_is_in_use() -> None:
    running = container("anything", "sha256:1", {})
    assert orphans(image("sha256:1", "berth-base:0a1b"), containers=(running,)) == []


@pytest.mark.parametrize("declared", [(), ("web",)], ids=["undeclared", "declared"])
def test_the_base_of_a_snapshot_is_in_use(declared: tuple[str, ...]) -> None:
    found = orphans(image(IMAGE_ID, "berth-base:0a1b"), taken(1, base_id=IMAGE_ID), declared=declared)
    assert "unused" not in [one.kind for one in found]


# Volumes and files


def volume(name: str, project: str, scope: str = "default") -> dict[str, Any]:
    return {"Name": name, "Labels": ownership_labels(project, scope)}


def test_volumes_of_an_undeclared_project_are_orphans() -> None:
    found = orphans(volumes=(volume(home_volume("web"), "web"), volume(home_volume("api"), "api")), declared=("api",))
    assert [(one.type, one.name, one.project) for one in found] == [("volume", home_volume("web"), "web")]


@pytest.mark.parametrize("entry", [volume("x", "web", "team-b"), {"Name": home_volume("web"), "Labels": None}])
def test_volumes_that_are_not_of_this_scope_are_left_out(entry: dict[str, Any]) -> None:
    assert orphans(volumes=(entry,)) == []


def test_files_of_an_undeclared_project_are_orphans() -> None:
    records = {"web": Record("c0ffee", scope="default"), "api": Record(scope="default")}
    assert kinds(orphans(records=records, declared=("api",))) == [("state", "undeclared", "web")]


@pytest.mark.parametrize("scope", ["team-b", None])
def test_files_that_are_not_known_to_be_of_this_scope_are_left_out(scope: str | None) -> None:
    assert orphans(records={"web": Record("c0ffee", scope=scope)}) == []


# Containers


def test_a_helper_of_a_killed_backup_is_left_over_also_of_a_declared_project() -> None:
    helper = container("berth-web.volume.1", "sha256:1", {HELPER: "default/web"})
    (found,) = orphans(containers=(helper,), declared=("web",))
    assert (found.type, found.kind, found.project, found.id) == ("container", "leftover", "web", "c0ffee")


@pytest.mark.parametrize("owner", ["team-b/web", "web", "default/"])
def test_a_helper_of_another_scope_is_left_alone(owner: str) -> None:
    assert orphans(containers=(container("x", "sha256:1", {HELPER: owner}),)) == []


# All of them


def test_orphans_come_containers_first_then_images_volumes_and_files() -> None:
    found = orphans(
        taken(1),
        image("sha256:1", "berth-base:0a1b"),
        containers=(container("berth-web", "sha256:2", ownership_labels("web", "default")),),
        volumes=(volume(home_volume("web"), "web"),),
        records={"web": Record(scope="default")},
    )
    assert [one.type for one in found] == ["container", "image", "image", "volume", "state"]


@pytest.mark.parametrize(
    ("orphan", "prunable"),
    [
        (Orphan("container", "undeclared", "x", "web"), True),
        (Orphan("container", "kept", "x", "web"), False),
        (Orphan("container", "stray", "x", "web"), False),
        (Orphan("container", "leftover", "x", "web"), False),
        (Orphan("image", "undeclared", "x", "web"), False),
        (Orphan("image", "unused", "x", ""), False),
        (Orphan("image", "leftover", "x", "web"), True),
        (Orphan("volume", "undeclared", "x", "web"), False),
        (Orphan("state", "undeclared", "x", "web"), True),
    ],
    ids=lambda value: f"{value.type}-{value.kind}" if isinstance(value, Orphan) else "",
)
def test_pruning_looks_at_projects_of_which_something_runs_or_is_of_no_use(orphan: Orphan, prunable: bool) -> None:
    assert orphan.is_prunable is prunable


# Networks and proxies


def test_networks_and_the_proxy_of_an_undeclared_project_are_orphans_that_prune_takes() -> None:
    proxy = container("berth-web.proxy", "sha256:1", ownership_labels("web", "default"))
    found = orphans(containers=(proxy,), networks=tuple(networks_for("restricted", "open")))
    assert kinds(found) == [
        ("container", "undeclared", "berth-web.proxy"),
        ("network", "undeclared", "berth-web.inner"),
        ("network", "undeclared", "berth-web.egress"),
        ("network", "undeclared", "berth-web.open"),
    ]
    assert all(one.is_prunable and one.project == "web" for one in found)


def test_those_of_a_declared_project_are_none() -> None:
    proxy = container("berth-web.proxy", "sha256:1", ownership_labels("web", "default"))
    assert orphans(containers=(proxy,), networks=tuple(networks_for("restricted")), declared=("web",)) == []


def test_networks_of_another_scope_and_of_nobody_are_not_looked_at() -> None:
    nobodys = {**networks_for("open")[0], "Labels": None}
    assert orphans(networks=(*networks_for("open", scope="team-b"), nobodys)) == []


def test_a_network_with_our_labels_under_a_foreign_name_is_a_stray_that_nobody_touches() -> None:
    (found,) = orphans(networks=({**networks_for("open")[0], "Name": "mine"},))
    assert (found.kind, found.name, found.is_prunable) == ("stray", "mine", False)
