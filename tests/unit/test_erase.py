# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes with a project's data, what is told of it before, and what refuses to go."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.erase import erase
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.lineage import Lineage
from ansible_collections.berth.projects.plugins.module_utils.losses import Loss, losses_of
from ansible_collections.berth.projects.plugins.module_utils.names import (
    HELPER,
    agent_volume,
    aside_name,
    home_volume,
    ownership_labels,
)
from ansible_collections.berth.projects.plugins.module_utils.sidecar import sidecar_body
from ansible_collections.berth.projects.plugins.module_utils.world import Unproven, View
from ansible_collections.berth.projects.tests.unit.builders import (
    IMAGE,
    IMAGE_ID,
    SITE,
    container_of,
    definition,
    inspect_answer,
    network_id,
    networks_for,
    restricted,
    snapshot,
)
from ansible_collections.berth.projects.tests.unit.fake_engine import FakeEngine

OTHER_ID = "07e4" + "0" * 60
ASIDE_ID = "a51de" + "0" * 59
HOME, AGENT = home_volume("web"), agent_volume("web")


def aside(project: str = "web") -> dict[str, Any]:
    container = container_of(definition(name=project), status="exited", container_id=ASIDE_ID)
    return {**container, "Name": f"/{aside_name(project, ASIDE_ID)}"}


def volume(name: str, project: str = "web", scope: str = "default") -> dict[str, Any]:
    return {"Name": name, "Labels": ownership_labels(project, scope)}


def stranger(*volumes: str, **changes: Any) -> dict[str, Any]:
    """A container that Berth has nothing to do with, and that mounts these volumes."""
    container = container_of(definition(name="x"), container_id=OTHER_ID)
    container["Name"], container["Config"]["Labels"] = "/stranger", {}
    container["HostConfig"]["Mounts"] = [{"Type": "volume", "Source": name, "Target": "/x"} for name in volumes]
    return {**container, **changes}


def add_snapshot(engine: FakeEngine, number: int, *more_tags: str, project: str = "web", scope: str = "default") -> str:
    made = snapshot(number, project)
    taken = {"project": project, "scope": scope, "taken": made.tag}
    labels = {f"berth.snapshot.{key}": value for key, value in taken.items()}
    return engine.add_image(made.id, {"Labels": labels}, made.reference, *more_tags)


@pytest.fixture
def engine() -> FakeEngine:
    """An engine with all that a project can have."""
    made = FakeEngine().hold(container_of(definition()), aside())
    made.volume_list = [volume(HOME), volume(AGENT)]
    add_snapshot(made, 1)
    add_snapshot(made, 2, "berth/web:latest", "berth/web:mine")
    made.add_image("sha256:9a", {"Labels": {"berth.snapshot.part": "default/web"}})
    return made


# Erasing


def test_all_that_a_project_has_is_erased(engine: FakeEngine) -> None:
    erase(engine, "web", "default")
    assert (engine.names, engine.volume_list, engine.nameless, engine.network_list) == ({}, [], [], [])
    assert engine.tags == {IMAGE: IMAGE_ID}


def test_a_project_is_erased_containers_first_and_volumes_last(engine: FakeEngine) -> None:
    """An image or a volume that a container uses cannot be removed."""
    erase(engine, "web", "default")
    verbs = [call.partition(" ")[0] for call in engine.calls]
    assert verbs == sorted(verbs, key=["remove", "remove-network", "remove-image", "remove-volume"].index)


@pytest.mark.parametrize("number", range(1, 11))
@pytest.mark.parametrize("is_late", [False, True], ids=["refused", "its answer lost"])
def test_an_erasure_that_was_cut_off_is_finished_by_the_next(engine: FakeEngine, number: int, is_late: bool) -> None:
    engine.fail(number, is_late, BerthError("the sky fell"))
    with pytest.raises(BerthError, match="the sky fell"):
        erase(engine, "web", "default")
    engine.mend()
    erase(engine, "web", "default")
    assert (engine.names, engine.volume_list, engine.nameless, engine.network_list) == ({}, [], [], [])
    assert engine.tags == {IMAGE: IMAGE_ID}


def test_that_is_all_the_calls_it_takes(engine: FakeEngine) -> None:
    erase(engine, "web", "default")
    assert len(engine.calls) == 10


def test_where_there_is_nothing_nothing_is_erased() -> None:
    engine = FakeEngine()
    erase(engine, "web", "default")
    assert engine.calls == []


def test_other_projects_and_scopes_keep_what_they_have(engine: FakeEngine) -> None:
    kept = FakeEngine().hold(
        container_of(definition(name="api")), {**stranger(), "Name": f"/{aside_name('web', OTHER_ID)}"}
    )
    kept.volume_list = [volume(home_volume("api"), "api"), volume(HOME, scope="team-b"), {"Name": "mine", "Labels": {}}]
    add_snapshot(kept, 1, project="api")
    add_snapshot(kept, 2, scope="team-b")
    kept.add_image("sha256:9b", {"Labels": {"berth.snapshot.part": "default/api"}})
    kept.add_image("sha256:9c", {"Labels": {}}, "berth/web:somebodys")
    erase(kept, "web", "default")
    assert kept.calls == []


def test_what_carries_our_labels_under_a_foreign_name_is_left(engine: FakeEngine) -> None:
    stray = container_of(definition(), container_id=OTHER_ID)
    stray["Name"], stray["HostConfig"]["Mounts"] = "/mine", []
    erase(engine.hold(stray), "web", "default")
    assert engine.names == {"mine": "running"}


def test_a_restricted_project_is_erased_with_its_proxy_and_both_of_its_networks() -> None:
    wanted = restricted()
    proxy = inspect_answer(sidecar_body(wanted, SITE, IMAGE_ID), "berth-web.proxy", container_id=OTHER_ID)
    engine = FakeEngine().hold(container_of(wanted), proxy)
    engine.network_list = networks_for("restricted")
    erase(engine, "web", "default")
    assert (engine.names, engine.network_list) == ({}, [])


@pytest.mark.parametrize("status", ["running", "exited"])
def test_a_network_that_a_strangers_container_is_on_stays(engine: FakeEngine, status: str) -> None:
    joined = {"Networks": {"berth-web.open": {"NetworkID": network_id("berth-web.open")}}}
    state = {"Status": status, "Running": status == "running"}
    erase(engine.hold(stranger(NetworkSettings=joined, State=state)), "web", "default")
    assert engine.names == {"stranger": status}
    assert [one["Name"] for one in engine.network_list] == ["berth-web.open"]


# What refuses


@pytest.mark.parametrize("name", [HOME, AGENT])
@pytest.mark.parametrize("status", ["running", "exited"])
def test_a_volume_that_another_container_uses_stops_it_before_anything_goes(
    engine: FakeEngine, name: str, status: str
) -> None:
    engine.hold(stranger("elsewhere", name, State={"Status": status, "Running": status == "running"}))
    with pytest.raises(BerthError, match=rf"stranger uses the volume {name}\. Nothing was removed\."):
        erase(engine, "web", "default")
    assert engine.calls == []


def test_another_container_with_volumes_of_its_own_is_no_obstacle(engine: FakeEngine) -> None:
    erase(engine.hold(stranger("elsewhere", home_volume("web2"))), "web", "default")
    assert engine.names == {"stranger": "running"}


def test_what_a_killed_backup_left_is_no_obstacle(engine: FakeEngine) -> None:
    helper = stranger(HOME)
    helper["Name"], helper["Config"]["Labels"] = "/berth-web.volume.1", {HELPER: "default/web"}
    erase(engine.hold(helper), "web", "default")
    assert (engine.names, engine.volume_list) == ({}, [])


def test_what_a_killed_snapshot_left_is_no_obstacle(engine: FakeEngine) -> None:
    """A container of the image that only its layer was wanted of; it inherits that image's label."""
    left = {**stranger(), "Image": "sha256:9a"}
    left["Config"]["Labels"] = {"berth.snapshot.part": "default/web"}
    erase(engine.hold(left), "web", "default")
    assert (engine.names, engine.nameless) == ({}, [])


@pytest.mark.parametrize("number", [1, 2], ids=["an older one", "the latest"])
def test_a_snapshot_that_another_container_was_made_from_stops_it_before_anything_goes(
    engine: FakeEngine, number: int
) -> None:
    engine.hold({**stranger(), "Image": snapshot(number).id})
    told_of = rf"stranger was made from the snapshot {snapshot(number).reference}\. Nothing was removed\."
    with pytest.raises(BerthError, match=told_of):
        erase(engine, "web", "default")
    assert engine.calls == []


def test_the_projects_own_container_may_be_made_from_its_snapshot() -> None:
    engine = FakeEngine().hold(container_of(definition(), image_id=snapshot(1).id))
    add_snapshot(engine, 1)
    erase(engine, "web", "default")
    assert (engine.names, engine.tags) == ({}, {IMAGE: IMAGE_ID})


def test_a_container_of_another_projects_snapshot_is_no_obstacle(engine: FakeEngine) -> None:
    add_snapshot(engine, 3, project="api")
    erase(engine.hold({**stranger(), "Image": snapshot(3).id}), "web", "default")
    assert engine.names == {"stranger": "running"}


@pytest.mark.parametrize("owner", ["default/api", "team-b/web", ""])
def test_what_a_killed_snapshot_of_another_left_is_not_touched(engine: FakeEngine, owner: str) -> None:
    left = stranger()
    left["Config"]["Labels"] = {"berth.snapshot.part": owner}
    erase(engine.hold(left), "web", "default")
    assert engine.names == {"stranger": "running"}


# What is told before

CONTAINER = Loss("container", "berth-web", 5000)


def told(engine: FakeEngine, view: View, with_data: bool, sizes: dict[str, int | None] | None = None) -> list[Loss]:
    return losses_of(engine, view, sizes or {}, with_data)


def test_without_data_a_container_is_told_to_be_kept_as_a_snapshot(engine: FakeEngine) -> None:
    view = View(container_of(definition()), lineage=Lineage((snapshot(1),)), volumes=(HOME,))
    assert told(engine, view, False) == [Loss("container", "berth-web", 5000, "kept as a snapshot")]


def test_with_data_all_there_is_is_told_with_its_size(engine: FakeEngine) -> None:
    one = snapshot(1, size=1700, below=1000)
    view = View(container_of(definition()), lineage=Lineage((one,)), volumes=(AGENT, HOME), asides=(aside(),))
    assert told(engine, view, True, {HOME: 42, AGENT: None}) == [
        CONTAINER,
        Loss("container", aside_name("web", ASIDE_ID), 5000),
        Loss("snapshot", one.reference, 700),
        Loss("volume", AGENT, None),
        Loss("volume", HOME, 42),
    ]


def test_a_container_that_is_the_projects_and_waits_aside_is_told_once(engine: FakeEngine) -> None:
    assert [one.kind for one in told(engine, View(aside(), asides=(aside(),)), True)] == ["container"]


def test_one_that_was_not_seen_ready_is_told_too(engine: FakeEngine) -> None:
    view = View(aside(), unproven=Unproven(container_of(definition()), True))
    assert [one.name for one in told(engine, view, True)] == [aside_name("web", ASIDE_ID), "berth-web"]


def test_what_went_away_meanwhile_is_no_loss(engine: FakeEngine) -> None:
    assert told(FakeEngine(), View(container_of(definition())), True) == []


def test_a_loss_is_plain_data() -> None:
    assert CONTAINER.as_dict() == {"kind": "container", "name": "berth-web", "size": 5000, "kept": None}
