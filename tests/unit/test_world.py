# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an engine lists, whose it is, and what nobody declares."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.lineage import Lineage, Snapshots
from ansible_collections.berth.projects.plugins.module_utils.names import (
    agent_volume,
    aside_name,
    container_name,
    home_volume,
    is_aside_name,
    ownership_labels,
    proxy_name,
)
from ansible_collections.berth.projects.plugins.module_utils.networks import Networks, network_names
from ansible_collections.berth.projects.plugins.module_utils.orphans import Found, Orphan, find_orphans
from ansible_collections.berth.projects.plugins.module_utils.records import Record
from ansible_collections.berth.projects.plugins.module_utils.world import (
    Images,
    Listing,
    Unproven,
    View,
    is_own_proxy,
    listed_from,
    name_clash,
    own_name,
    proxy_clash,
    snapshot_clash,
    volume_clash,
)
from ansible_collections.berth.projects.tests.unit.builders import (
    container_of,
    definition,
    networks_for,
    proxy_for,
    restricted,
    snapshot,
)
from hypothesis import given
from hypothesis import strategies as st

ID = "0123456789ab" + "c" * 52
NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,39}[a-z0-9])?", fullmatch=True)


def listed(name: str, labels: dict[str, str] | None = None, container_id: str = ID, **keys: Any) -> dict[str, Any]:
    """An entry of ``GET /containers/json``."""
    return {
        "Id": container_id,
        "Names": [f"/{name}"],
        "State": "running",
        "ImageID": "sha256:1",
        "Created": 1700000000,
        "Labels": labels,
        **keys,
    }


def ours(project: str, scope: str = "default") -> dict[str, str]:
    return ownership_labels(project, scope)


@given(NAMES, NAMES)
def test_no_two_projects_share_a_name_of_anything(one: str, other: str) -> None:
    def names(project: str) -> set[str]:
        containers = {container_name(project), proxy_name(project), aside_name(project, ID)}
        return {home_volume(project), agent_volume(project), *containers, *network_names(project)}

    assert one == other or not names(one) & names(other)


@given(NAMES)
def test_an_aside_name_is_known_again_and_is_no_projects_name(project: str) -> None:
    name = aside_name(project, ID)
    assert name == f"berth-{project}.old.0123456789ab"
    assert is_aside_name(project, name)
    assert not is_aside_name(f"{project}x", name)
    assert not is_aside_name(project, container_name(project))


@pytest.mark.parametrize(
    "name", ["berth-web.old.0123", "berth-web.old.0123456789AB", "berth-web.old.0123456789abc", "web.old.0123456789ab"]
)
def test_what_only_looks_like_an_aside_name_is_none(name: str) -> None:
    assert not is_aside_name("web", name)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["/berth-web"], "berth-web"),
        (["/other/alias", "/berth-web"], "berth-web"),
        (["/berth-web", "/other/alias"], "berth-web"),
        (["/other/alias"], ""),
        ([], ""),
    ],
)
def test_links_of_other_containers_are_not_a_containers_own_name(names: list[str], expected: str) -> None:
    assert own_name(names) == expected


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (None, ["did not make", "rename or remove"]),
        ({}, ["did not make"]),
        ({"berth.managed": "true"}, ["did not make"]),
        (ours("other"), ["did not make"]),
        ({**ours("web"), "berth.managed": "false"}, ["did not make"]),
        (ours("web", "team-b"), ["belongs to the scope 'team-b'", "works on 'default'", "berth_scope"]),
    ],
)
def test_a_container_of_our_name_that_is_not_ours_is_told(labels: dict[str, str] | None, words: list[str]) -> None:
    entry = Listing([listed("berth-web", labels)], "default").named("berth-web")
    assert entry is not None
    clash = name_clash(entry, "web", "default")
    assert clash is not None
    for word in ["berth-web", "nother name", *words]:
        assert word in clash


def test_our_own_container_is_no_clash() -> None:
    entry = Listing([listed("berth-web", ours("web"))], "default").named("berth-web")
    assert entry is not None and name_clash(entry, "web", "default") is None


@pytest.mark.parametrize(
    "labels", [None, {}, ours("web", "team-b"), {"berth.managed": "true", "berth.scope": "default"}]
)
def test_a_recorded_id_counts_only_with_our_labels(labels: dict[str, str] | None) -> None:
    assert Listing([listed("x", labels)], "default").with_id(ID) is None


def test_a_recorded_id_finds_a_renamed_container() -> None:
    entry = Listing([listed("mine", ours("web"))], "default").with_id(ID)
    assert entry is not None and entry.name == "mine" and not entry.has_its_name


def test_no_id_finds_nothing() -> None:
    assert Listing([listed("x", ours("x"))], "default").with_id(None) is None


def orphans_among(*containers: dict[str, Any], declared: tuple[str, ...] = ()) -> tuple[Orphan, ...]:
    """The orphans of an engine that has these containers and nothing else."""
    return find_orphans(Found(Listing(containers, "default"), Snapshots([], "default"), [], {}), declared)


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (listed("berth-web", ours("web")), None),
        (listed("berth-old", ours("old")), "undeclared"),
        (listed("berth-web.old.0123456789ab", ours("web")), "kept"),
        (listed("berth-old.old.0123456789ab", ours("old")), "kept"),
        (listed("mine", ours("web")), "stray"),
        (listed("berth-web", ours("old")), "stray"),
        (listed("berth-old", ours("old", "team-b")), None),
        (listed("berth-old", {"berth.managed": "true"}), None),
        (listed("berth-old", None), None),
    ],
)
def test_an_orphan_is_what_carries_our_labels_and_is_not_declared(entry: dict[str, Any], kind: str | None) -> None:
    found = orphans_among(entry, declared=("web",))
    assert [orphan.kind for orphan in found] == ([kind] if kind else [])
    assert all(orphan.is_prunable == (orphan.kind == "undeclared") for orphan in found)


def test_orphans_come_by_name_and_as_plain_data() -> None:
    found = orphans_among(listed("berth-b", ours("b"), "b" * 64), listed("berth-a", ours("a"), "a" * 64))
    assert [orphan.name for orphan in found] == ["berth-a", "berth-b"]
    assert found[0].as_dict() == {
        "type": "container",
        "kind": "undeclared",
        "name": "berth-a",
        "project": "a",
        "status": "running",
        "id": "a" * 64,
        "created": 1700000000,
        "size": None,
    }


@pytest.mark.parametrize(
    ("reference", "is_there"),
    [("tool", True), ("tool:latest", True), ("tool:2", False), ("sha256:1", True), ("tool@sha256:9", True)],
)
def test_an_image_is_found_by_any_reference_to_it(reference: str, is_there: bool) -> None:
    answer = [{"Id": "sha256:1", "RepoTags": ["tool:latest"], "RepoDigests": ["tool@sha256:9"], "Labels": None}]
    assert (Images(answer).find(reference) is not None) == is_there


def test_a_view_of_nothing_is_absent() -> None:
    assert (View().status, View().name, View().container_id, View().is_running) == ("absent", "", None, False)


@pytest.mark.parametrize(
    ("status", "runs"),
    [("running", True), ("restarting", True), ("paused", True), ("created", False), ("exited", False), ("dead", False)],
)
def test_a_paused_container_runs_and_an_exited_one_does_not(status: str, runs: bool) -> None:
    view = View(container={"Name": "/berth-web", "State": {"Status": status}, "Config": {"Labels": ours("web")}})
    assert (view.is_running, view.status, view.is_aside) == (runs, status, False)


@pytest.mark.parametrize("status", ["running", "exited", "dead"])
def test_a_container_that_waits_aside_is_absent_and_known_by_its_id(status: str) -> None:
    name, config = f"/{aside_name('web', ID)}", {"Labels": ours("web")}
    view = View(container={"Id": ID, "Name": name, "State": {"Status": status}, "Config": config})
    assert (view.status, view.is_running, view.is_aside) == ("absent", status == "running", True)
    assert view.container_id == ID


def test_a_name_that_only_looks_like_one_aside_is_none() -> None:
    container = {"Id": ID, "Name": "/my.old.one", "State": {"Status": "running"}, "Config": {"Labels": ours("web")}}
    assert (View(container=container).is_aside, View(container=container).status) == (False, "running")


# Volumes


@pytest.mark.parametrize("name", [home_volume("web"), agent_volume("web")])
@pytest.mark.parametrize(
    ("labels", "clashes"),
    [(None, False), ({}, False), (ours("web"), False), (ours("web", "team-b"), True)],
)
def test_a_volume_of_another_scope_is_told(name: str, labels: dict[str, str] | None, clashes: bool) -> None:
    clash = volume_clash(Listing([], "default", [{"Name": name, "Labels": labels}]), "web")
    assert (clash is not None) == clashes
    if clash is not None:
        for word in [name, "belongs to the scope 'team-b'", "works on 'default'", "nother name", "berth_scope"]:
            assert word in clash


def test_another_projects_volume_is_no_clash() -> None:
    volumes = [{"Name": home_volume("api"), "Labels": ours("api", "team-b")}]
    assert volume_clash(Listing([], "default", volumes), "web") is None


# Snapshots


def test_snapshots_of_another_scope_are_told() -> None:
    clash = snapshot_clash(Lineage(other_scope="team-b"), "default")
    assert clash is not None
    for word in ["in the scope 'team-b'", "works on 'default'", "another name", "berth_scope"]:
        assert word in clash


def test_our_own_snapshots_are_no_clash() -> None:
    assert snapshot_clash(Lineage((snapshot(1),)), "default") is None


def made_from(image_id: str, **labels: str) -> dict[str, Any]:
    container = container_of(definition(), image_id=image_id)
    container["Config"]["Labels"].update({f"berth.snapshot.{key}": value for key, value in labels.items()})
    return container


def test_the_origin_of_a_container_is_the_snapshot_that_it_was_made_from() -> None:
    one, two = snapshot(1), snapshot(2)
    assert View(made_from(one.id), lineage=Lineage((two, one))).origin is one


@pytest.mark.parametrize("container", [None, made_from("sha256:else")], ids=["no container", "of another image"])
def test_what_was_made_from_no_snapshot_has_no_origin(container: Any) -> None:
    assert View(container, lineage=Lineage((snapshot(1),))).origin is None


def test_a_container_has_a_lineage_where_it_has_inherited_a_snapshots_labels() -> None:
    assert View(made_from("sha256:1", project="web")).has_lineage
    assert not View(made_from("sha256:1", base="tool:1", base_id="sha256:2")).has_lineage
    assert not View().has_lineage


def test_the_base_is_the_image_at_the_root_of_the_lineage() -> None:
    assert View(made_from("sha256:1", base_id="sha256:2")).base_id == "sha256:2"
    assert View(made_from("sha256:1")).base_id == "sha256:1"
    assert View().base_id is None


def aside_of(container_id: str) -> dict[str, Any]:
    container = container_of(definition(), status="exited", container_id=container_id)
    return {**container, "Name": f"/{aside_name('web', container_id)}"}


def test_containers_aside_are_held_where_a_snapshot_has_their_content() -> None:
    held, loose = aside_of("a" * 64), aside_of("b" * 64)
    one = snapshot(1, container=held["Id"], stopped_at=held["State"]["FinishedAt"])
    view = View(container_of(definition()), lineage=Lineage((one,)), asides=(held, loose))
    assert view.held_asides == (held,)


def test_the_projects_own_container_is_not_held_aside() -> None:
    own = aside_of("a" * 64)
    one = snapshot(1, container=own["Id"], stopped_at=own["State"]["FinishedAt"])
    assert View(own, lineage=Lineage((one,)), asides=(own,)).held_asides == ()


@pytest.mark.parametrize(
    ("status", "recorded", "is_ready", "spent"),
    [
        ("running", True, True, True),
        ("exited", True, True, True),
        ("running", False, True, True),
        ("running", False, False, False),
        ("exited", False, True, False),
        ("created", False, True, False),
    ],
)
def test_what_is_held_aside_is_spent_once_the_projects_own_has_proven_itself(
    status: str, recorded: bool, is_ready: bool, spent: bool
) -> None:
    own, held = container_of(definition(), status=status), aside_of("a" * 64)
    one = snapshot(1, container=held["Id"], stopped_at=held["State"]["FinishedAt"])
    record = Record(own["Id"] if recorded else held["Id"])
    view = View(own, record, is_ready=is_ready, lineage=Lineage((one,)), asides=(held,))
    assert view.spent == ((held,) if spent else ())


def test_nothing_is_spent_while_the_projects_own_container_waits_aside_itself() -> None:
    own, held = aside_of("b" * 64), aside_of("a" * 64)
    one = snapshot(1, container=held["Id"], stopped_at=held["State"]["FinishedAt"])
    view = View(own, Record(own["Id"]), lineage=Lineage((one,)), asides=(own, held))
    assert view.spent == ()


@pytest.mark.parametrize(
    ("remains", "exists"),
    [
        ({}, False),
        ({"image_users": {"sha256:1": frozenset({"c0ffee"})}}, False),
        ({"container": container_of(definition())}, True),
        ({"unproven": Unproven(container_of(definition()), True)}, True),
        ({"asides": (aside_of("a" * 64),)}, True),
        ({"lineage": Lineage((snapshot(1),))}, True),
        ({"lineage": Lineage(parts=("sha256:9a",))}, True),
        ({"volumes": ("berth-web-home",)}, True),
        ({"has_state": True}, True),
        ({"networks": Networks(networks_for("open"), "default").all}, True),
        ({"proxy": proxy_for(restricted())}, True),
        ({"proxy_clash": "It is not ours."}, False),
    ],
)
def test_a_project_exists_where_there_is_anything_of_it(remains: dict[str, Any], exists: bool) -> None:
    assert View(**remains).exists is exists


# Listings


def test_a_listing_knows_the_images_that_containers_were_made_from() -> None:
    entries = [listed("a", ImageID="sha256:1"), listed("b", ImageID="sha256:2"), listed("c", ImageID="sha256:1")]
    assert Listing(entries, "default").used_images == {"sha256:1", "sha256:2"}


@pytest.mark.parametrize(
    ("gone", "used"),
    [
        ((), {"sha256:1", "sha256:2"}),
        (("a",), {"sha256:1", "sha256:2"}),
        (("a", "b"), {"sha256:2"}),
        (("c", "unknown"), {"sha256:1"}),
    ],
)
def test_an_image_is_used_as_long_as_a_container_stays_that_was_made_from_it(
    gone: tuple[str, ...], used: set[str]
) -> None:
    users = {"sha256:1": frozenset({"a", "b"}), "sha256:2": frozenset({"c"}), "sha256:not-ours": frozenset({"d"})}
    own = Lineage(tuple(replace(snapshot(number), id=f"sha256:{number}") for number in (1, 2, 3)))
    assert View(image_users=users, lineage=own).used_images(gone) == used


def test_the_users_of_an_image_are_listed_with_it() -> None:
    entries = [listed("x", container_id="a"), listed("y", container_id="b"), listed("z", container_id="c")]
    for entry, image in zip(entries, ("sha256:1", "sha256:1", "sha256:2"), strict=True):
        entry["ImageID"] = image
    assert Listing(entries, "default").image_users == {
        "sha256:1": frozenset({"a", "b"}),
        "sha256:2": frozenset({"c"}),
    }


def test_a_listing_knows_the_volumes_of_a_project_by_name_and_scope() -> None:
    volumes = [
        {"Name": home_volume("web"), "Labels": ours("web")},
        {"Name": agent_volume("web"), "Labels": ours("web", "team-b")},
        {"Name": home_volume("api"), "Labels": ours("api")},
        {"Name": "else", "Labels": ours("web")},
    ]
    listing = Listing([], "default", volumes)
    assert listing.volumes("web") == (home_volume("web"),)
    assert listing.volumes() == tuple(sorted([home_volume("web"), home_volume("api"), "else"]))


def test_a_listing_knows_the_volumes_in_a_container() -> None:
    mounts = [{"Type": "volume", "Name": "a"}, {"Type": "bind", "Source": "/b"}, {"Type": "volume", "Name": "c"}]
    assert Listing([listed("x", Mounts=mounts)], "default").all[0].volumes == ("a", "c")


def test_a_listing_finds_what_of_a_project_waits_aside() -> None:
    entries = [
        listed("berth-web", ours("web"), "a" * 64),
        listed(aside_name("web", "b" * 64), ours("web"), "b" * 64),
        listed(aside_name("web", "c" * 64), ours("web", "team-b"), "c" * 64),
        listed(aside_name("api", "d" * 64), ours("api"), "d" * 64),
        listed(aside_name("web", "e" * 64), None, "e" * 64),
    ]
    assert [entry.id for entry in Listing(entries, "default").asides("web")] == ["b" * 64]


# Networks and proxies


def on(*networks: str) -> dict[str, Any]:
    return {"NetworkSettings": {"Networks": {name: {"NetworkID": f"id of {name}"} for name in networks}}}


def test_a_container_is_listed_with_the_networks_that_it_is_on() -> None:
    entry = Listing([listed("berth-web", ours("web"), **on("a", "b"))], "default").named("berth-web")
    assert entry is not None and entry.networks == {"a": "id of a", "b": "id of b"}


@pytest.mark.parametrize("settings", [{}, {"NetworkSettings": None}, {"NetworkSettings": {"Networks": None}}])
def test_a_container_that_is_on_no_network_is_listed_so(settings: dict[str, Any]) -> None:
    entry = Listing([listed("berth-web", ours("web"), **settings)], "default").named("berth-web")
    assert entry is not None and entry.networks == {}


@pytest.mark.parametrize(
    ("words", "health"),
    [
        ("Up 2 minutes (healthy)", "healthy"),
        ("Up 2 minutes (unhealthy)", "unhealthy"),
        ("Up 2 seconds (health: starting)", "starting"),
        ("Up 2 minutes", None),
        ("Up 2 minutes (Paused)", None),
        ("Exited (1) 2 minutes ago", None),
        ("Restarting (1) 2 seconds ago", None),
        ("", None),
    ],
)
def test_the_health_of_a_container_is_read_from_what_the_list_says_of_it(words: str, health: str | None) -> None:
    entry = Listing([listed("berth-web", ours("web"), Status=words)], "default").named("berth-web")
    assert entry is not None and entry.health == health


def test_an_engine_that_tells_the_health_by_itself_is_believed() -> None:
    told = listed("berth-web", ours("web"), Status="Up 2 minutes", Health={"Status": "unhealthy"})
    none = listed("berth-web", ours("web"), Status="Up 2 minutes", Health={"Status": "none"})
    assert [Listing([entry], "default").named("berth-web").health for entry in (told, none)] == ["unhealthy", None]


def test_what_inspect_shows_becomes_what_a_list_would() -> None:
    shown = container_of(restricted())
    shown["State"]["Health"] = {"Status": "healthy"}
    entry = listed_from(shown)
    assert (entry.id, entry.name, entry.project, entry.is_running) == (shown["Id"], "berth-web", "web", True)
    assert (entry.health, list(entry.networks)) == ("healthy", ["berth-web.inner"])


def test_a_proxy_is_known_by_its_name_and_labels() -> None:
    entry = Listing([listed("berth-web.proxy", ours("web"))], "default").labelled()[0]
    assert (entry.is_proxy, entry.is_of_project, entry.has_its_name, entry.is_aside) == (True, True, False, False)
    assert is_own_proxy(entry, "web", "default")
    assert not is_own_proxy(entry, "api", "default") and not is_own_proxy(entry, "web", "team-b")
    assert "berth-web.proxy" in proxy_clash(entry) and "rename or remove" in proxy_clash(entry)


@pytest.mark.parametrize(
    ("name", "labels", "is_stranger"),
    [
        ("berth-web", ours("web"), False),
        ("berth-web.proxy", ours("web"), False),
        (aside_name("web", ID), ours("web"), False),
        ("renamed", ours("web"), True),
        ("berth-api", ours("api"), True),
        ("berth-web", ours("web", "team-b"), True),
        ("database", None, True),
    ],
)
def test_who_stands_on_a_projects_network_and_is_not_its_own_is_a_stranger(
    name: str, labels: dict[str, str] | None, is_stranger: bool
) -> None:
    there = Listing([listed(name, labels, **on("berth-web.open", "bridge"))], "default", (), networks_for("open"))
    assert there.strangers("web") == ({"berth-web.open": name} if is_stranger else {})
    assert there.strangers("api") == {}


def test_a_container_that_somebody_renamed_is_its_projects_by_the_record() -> None:
    renamed = listed("renamed", ours("web"), **on("berth-web.open"))
    there = Listing([renamed], "default", (), networks_for("open"))
    assert there.strangers("web", ID) == {}
