# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read of an engine and its host, with how many calls, and what follows."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils import observe as observe_module
from ansible_collections.berth.projects.plugins.module_utils import preview as preview_module
from ansible_collections.berth.projects.plugins.module_utils import reconcile as reconcile_module
from ansible_collections.berth.projects.plugins.module_utils import survey as survey_module
from ansible_collections.berth.projects.plugins.module_utils import users as users_module
from ansible_collections.berth.projects.plugins.module_utils.aspect import Site
from ansible_collections.berth.projects.plugins.module_utils.definition import Definition, User
from ansible_collections.berth.projects.plugins.module_utils.engine_volumes import VolumeStore
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError, EngineError
from ansible_collections.berth.projects.plugins.module_utils.host_state import Copy
from ansible_collections.berth.projects.plugins.module_utils.info import time_of_engine
from ansible_collections.berth.projects.plugins.module_utils.losses import losses_by_project
from ansible_collections.berth.projects.plugins.module_utils.names import (
    CONTRACT,
    PROJECT,
    SCOPE,
    aside_name,
    home_volume,
    ownership_labels,
)
from ansible_collections.berth.projects.plugins.module_utils.observe import (
    UNSEEN,
    agent_of,
    agents_at_work,
    folder_problems,
)
from ansible_collections.berth.projects.plugins.module_utils.plan import Policy
from ansible_collections.berth.projects.plugins.module_utils.records import Record, Records
from ansible_collections.berth.projects.plugins.module_utils.request import request_from
from ansible_collections.berth.projects.plugins.module_utils.survey import (
    Survey,
    check_folders,
    look_at_folders,
    survey,
)
from ansible_collections.berth.projects.plugins.module_utils.terms import OPERATIONS
from ansible_collections.berth.projects.plugins.module_utils.times import age
from ansible_collections.berth.projects.plugins.module_utils.users import settle_user
from ansible_collections.berth.projects.plugins.module_utils.world import View
from ansible_collections.berth.projects.tests.unit.builders import (
    CONTAINER_ID,
    IMAGE,
    IMAGE_ENV,
    IMAGE_ID,
    container_of,
    definition,
    image,
    networks_for,
    of_unknown_scheme,
    snapshot,
)

OLD_ID = "01d" + "0" * 61


class FakeEngine:
    """Answers from memory, and counts how often it is asked."""

    def __init__(
        self,
        *containers: dict[str, Any],
        processes: tuple[str, ...] = (),
        ready: bool = True,
        volumes: tuple[dict[str, Any], ...] = (),
        image_config: dict[str, Any] | None = None,
    ) -> None:
        self._containers = containers
        self._processes = processes
        self._ready = ready
        self._volumes = volumes
        self._image_config = image_config or {}
        self.asked: Counter[str] = Counter()
        self.listened: list[tuple[str, str, str | None]] = []
        self.more_images: tuple[dict[str, Any], ...] = ()

    def containers(self) -> list[dict[str, Any]]:
        self.asked["containers"] += 1
        return [
            {
                "Id": entry["Id"],
                "Names": [entry["Name"]],
                "State": entry["State"]["Status"],
                "ImageID": entry["Image"],
                "Created": 1700000000,
                "Labels": entry["Config"]["Labels"],
                "NetworkSettings": entry["NetworkSettings"],
            }
            for entry in self._containers
        ]

    def images(self) -> list[dict[str, Any]]:
        self.asked["images"] += 1
        return [image(), *self.more_images]

    def volumes(self, label: str) -> list[dict[str, Any]]:
        assert label == "berth.managed=true"
        self.asked["volumes"] += 1
        return list(self._volumes)

    def networks(self) -> list[dict[str, Any]]:
        """Those that the containers need."""
        self.asked["networks"] += 1
        labels = [entry["Config"]["Labels"] for entry in self._containers]
        owners = sorted({(one[PROJECT], one[SCOPE]) for one in labels if one})
        return [network for project, scope in owners for network in networks_for("open", project=project, scope=scope)]

    def has_printed(self, container_id: str, line: str, since: str | None = None) -> bool:
        self.asked["has_printed"] += 1
        self.listened.append((container_id, line, since))
        return self._ready

    def container(self, name_or_id: str, size: bool = False) -> dict[str, Any] | None:
        self.asked["container"] += 1
        return next((entry for entry in self._containers if entry["Id"] == name_or_id), None)

    def image(self, reference: str) -> dict[str, Any] | None:
        self.asked["image"] += 1
        return {"Config": {"Env": list(IMAGE_ENV), "Labels": {CONTRACT: "1"}, **self._image_config}}

    def info(self) -> dict[str, Any]:
        self.asked["info"] += 1
        return {"NCPU": 2, "MemTotal": 4 * 1024**3, "DockerRootDir": "/var/lib/docker", "Runtimes": {"runc": {}}}

    def processes(self, container_id: str) -> list[str]:
        self.asked["processes"] += 1
        return list(self._processes)

    def run(self, container_id: str, command: list[str], user: str, seconds: float) -> tuple[int, str]:
        self.asked["run"] += 1
        return 0, "\n".join([*command, *self._processes])


@pytest.fixture
def state_dir(tmp_path: Path) -> str:
    with Records(str(tmp_path)).locked(0):
        pass
    return str(tmp_path)


def look(engine: FakeEngine | None, state_dir: str, *projects: dict[str, Any], **params: Any) -> Survey:
    written = [{"image": IMAGE, "user": {"uid": 1000}, **project} for project in projects]
    payload = {"projects": written, "declared": [project["name"] for project in projects]}
    request = request_from(
        {"payload": json.dumps(payload), "scope": "default", "state_dir": state_dir, "parallel": 4, **params}
    )
    return survey(engine, request, Records(state_dir))  # type: ignore[arg-type]


def made(state_dir: str, wanted: Definition, name: str | None = None, **changes: Any) -> dict[str, Any]:
    container = container_of(wanted, Site(state_dir, "default"), **changes)
    return {**container, "Name": f"/{name}"} if name else container


def actions(found: Survey) -> dict[str, str]:
    return {plan.project: plan.action for plan in found.plans}


# Calls


def unchanged_host(state_dir: str, count: int, recorded: bool) -> tuple[FakeEngine, list[str]]:
    names = [f"p{number}" for number in range(count)]
    containers = [made(state_dir, definition(name=name), container_id=f"{name}{'0' * 60}") for name in names]
    for name, container in zip(names, containers):
        if recorded:
            Records(state_dir).write(name, Record(container["Id"], 1000, 1000))
    return FakeEngine(*containers), names


@pytest.mark.parametrize("count", [1, 5, 20])
def test_an_unchanged_host_is_read_with_four_lists_and_an_inspect_each(state_dir: str, count: int) -> None:
    engine, names = unchanged_host(state_dir, count, recorded=True)
    found = look(engine, state_dir, *({"name": name} for name in names))
    assert set(actions(found).values()) == {"none"}
    assert engine.asked == {"containers": 1, "images": 1, "volumes": 1, "networks": 1, "info": 1, "container": count}


@pytest.mark.parametrize("count", [1, 5])
def test_without_its_record_each_containers_output_is_asked_for_too(state_dir: str, count: int) -> None:
    recorded, names = unchanged_host(state_dir, count, recorded=False)
    engine, _names = unchanged_host(state_dir, count, recorded=False)
    found = look(engine, state_dir, *({"name": name} for name in names))
    assert set(actions(found).values()) == {"none"}
    since = "2026-01-02T03:04:06.123456789Z"
    assert sorted(engine.listened) == [(f"{name}{'0' * 60}", "berth: ready", since) for name in names]
    for name in names:
        Records(state_dir).write(name, Record(f"{name}{'0' * 60}", 1000, 1000))
    look(recorded, state_dir, *({"name": name} for name in names))
    assert engine.asked - recorded.asked == {"has_printed": count}
    assert not recorded.asked - engine.asked


def test_the_image_is_asked_for_only_where_the_scheme_is_unknown(state_dir: str) -> None:
    container = of_unknown_scheme(made(state_dir, definition()))
    engine = FakeEngine({key: value for key, value in container.items() if key != "ImageEnv"})
    assert actions(look(engine, state_dir, {"name": "web"})) == {"web": "none"}
    assert engine.asked["image"] == 1


def test_the_reasons_of_a_changed_variable_do_not_name_the_images_variables(state_dir: str) -> None:
    engine = FakeEngine(made(state_dir, definition(env={"A": "old", "B": "same"})))
    (plan,) = look(engine, state_dir, {"name": "web", "env": {"A": "new", "B": "same"}}).plans
    assert [(reason.aspect, sorted(reason.before)) for reason in plan.reasons] == [("env", ["A"])]


def test_processes_are_asked_for_only_where_something_would_be_cut(state_dir: str) -> None:
    container = made(state_dir, definition())
    idle = FakeEngine(container)
    look(idle, state_dir, {"name": "web", "restart": "no"})
    assert idle.asked["processes"] == 0
    busy = FakeEngine(container, processes=("claude",))
    found = look(busy, state_dir, {"name": "web", "env": {"A": "b"}})
    assert (actions(found), busy.asked["processes"]) == ({"web": "none"}, 1)
    assert "claude" in found.plans[0].warnings[0]
    forced = FakeEngine(container, processes=("claude",))
    assert actions(look(forced, state_dir, {"name": "web", "env": {"A": "b"}}, when_busy="force")) == {"web": "replace"}
    assert forced.asked["processes"] == 0


def test_without_an_engine_everything_is_still_to_be_made(state_dir: str) -> None:
    found = look(None, state_dir, {"name": "web", "image": "tool:1"}, {"name": "old", "state": "absent"})
    assert actions(found) == {"web": "create", "old": "none"}


# Which container is the project's


def test_a_renamed_container_is_found_by_its_record(state_dir: str) -> None:
    container = made(state_dir, definition(), name="mine")
    Records(state_dir).write("web", Record(container["Id"], 1000, 1000))
    found = look(FakeEngine(container), state_dir, {"name": "web"})
    assert [str(step) for step in found.plans[0].steps] == ["rename berth-web"]


def test_a_renamed_container_without_a_record_is_not_taken(state_dir: str) -> None:
    found = look(FakeEngine(made(state_dir, definition(), name="mine")), state_dir, {"name": "web"})
    assert actions(found) == {"web": "create"}


def test_a_record_of_another_projects_container_does_not_count(state_dir: str) -> None:
    container = made(state_dir, definition(name="api"), name="mine")
    Records(state_dir).write("web", Record(container["Id"], 1000, 1000))
    assert actions(look(FakeEngine(container), state_dir, {"name": "web"})) == {"web": "create"}


def test_a_container_that_went_away_between_list_and_inspect_is_made_anew(state_dir: str) -> None:
    engine = FakeEngine(made(state_dir, definition()))
    engine.container = lambda name_or_id: None  # type: ignore[method-assign]
    assert actions(look(engine, state_dir, {"name": "web"})) == {"web": "create"}


def previous_of(view: View) -> str | None:
    """The id of the container that the project's own replaces."""
    return view.previous["Id"] if view.previous else None


def interrupted(state_dir: str, status: str, ready: bool = True, pending_id: str | None = None) -> FakeEngine:
    """A recorded container that waits aside, and a newer one of the definition under the project's name."""
    old = made(state_dir, definition(), name=aside_name("web", OLD_ID), container_id=OLD_ID, status="exited")
    new = made(state_dir, definition(env={"A": "b"}), status=status)
    Records(state_dir).write("web", Record(OLD_ID, 1000, 1000, pending_id))
    return FakeEngine(old, new, ready=ready)


@pytest.mark.parametrize(("status", "steps"), [("running", []), ("paused", ["unpause"])])
def test_a_newer_container_that_became_ready_is_kept(state_dir: str, status: str, steps: list[str]) -> None:
    found = look(interrupted(state_dir, status), state_dir, {"name": "web", "env": {"A": "b"}})
    view = found.views["web"]
    assert (view.container_id, view.is_ready, previous_of(view), view.unproven) == (CONTAINER_ID, True, OLD_ID, None)
    assert [str(step) for step in found.plans[0].steps] == steps


@pytest.mark.parametrize(
    ("status", "ready"),
    [
        ("created", True),
        ("exited", True),
        ("exited", False),
        ("restarting", True),
        ("running", False),
        ("paused", False),
    ],
)
@pytest.mark.parametrize("pending_id", [None, "e" * 64])
def test_a_newer_container_that_an_interrupted_run_left_makes_way_for_the_one_before(
    state_dir: str, status: str, ready: bool, pending_id: str | None
) -> None:
    engine = interrupted(state_dir, status, ready, pending_id)
    found = look(engine, state_dir, {"name": "web"})
    view = found.views["web"]
    assert (view.container_id, view.status, view.previous) == (OLD_ID, "absent", None)
    assert view.unproven is not None and view.unproven.container["Id"] == CONTAINER_ID
    was_ready = ready and status != "created"
    clearing = "set-aside berth-web" if was_ready else "clean berth-web"
    assert view.unproven.is_blank is not was_ready
    assert [str(step) for step in found.plans[0].steps] == [clearing, "rename berth-web", "start"]
    replaced = look(engine, state_dir, {"name": "web", "env": {"A": "b"}})
    assert [str(step) for step in replaced.plans[0].steps] == [clearing, "rename berth-web", "replace"]


@pytest.mark.parametrize(
    "log",
    [
        {"Type": "json-file", "Config": {"max-size": "10m"}},
        {"Type": "local", "Config": {}},
        {"Type": "journald", "Config": None},
    ],
    ids=str,
)
@pytest.mark.parametrize(("status", "clearing"), [("exited", "set-aside"), ("created", "clean")])
def test_a_container_whose_older_output_may_be_gone_is_kept(
    state_dir: str, log: dict[str, Any], status: str, clearing: str
) -> None:
    engine = interrupted(state_dir, status, False, None)
    for one in engine._containers:
        one["HostConfig"]["LogConfig"] = log
    found = look(engine, state_dir, {"name": "web"})
    assert str(found.plans[0].steps[0]) == f"{clearing} berth-web"


def test_whether_a_container_ever_was_ready_does_not_depend_on_the_clock(state_dir: str) -> None:
    engine = interrupted(state_dir, "exited", True, None)
    look(engine, state_dir, {"name": "web"})
    assert engine.listened == [(CONTAINER_ID, "berth: ready", None)]


@pytest.mark.parametrize("keys", [{}, {"env": {"A": "b"}}, {"state": "absent"}], ids=str)
def test_a_newer_container_with_an_agent_at_work_does_not_make_way(state_dir: str, keys: dict[str, Any]) -> None:
    engine = interrupted(state_dir, "running", False, None)
    engine._processes = ("claude",)
    (plan,) = look(engine, state_dir, {"name": "web", **keys}).plans
    assert (plan.steps, plan.error) == ((), None)
    assert "the way back to the container before deferred: an agent is at work (claude)" in plan.warnings[0]
    (forced,) = look(engine, state_dir, {"name": "web", **keys}, when_busy="force").plans
    assert str(forced.steps[0]) == "clean berth-web"


@pytest.mark.parametrize(
    ("status", "ready", "is_ready", "action"),
    [
        ("created", True, True, "start"),
        ("exited", True, True, "start"),
        ("restarting", True, False, "start"),
        ("running", False, False, "start"),
        ("running", True, True, "none"),
    ],
)
def test_a_pending_container_is_the_projects(
    state_dir: str, status: str, ready: bool, is_ready: bool, action: str
) -> None:
    engine = interrupted(state_dir, status, ready, CONTAINER_ID)
    found = look(engine, state_dir, {"name": "web", "env": {"A": "b"}})
    view = found.views["web"]
    assert (view.container_id, view.is_ready, previous_of(view), view.unproven) == (
        CONTAINER_ID,
        is_ready,
        OLD_ID,
        None,
    )
    assert actions(found) == {"web": action}


def test_where_the_one_before_is_gone_a_newer_container_is_the_projects(state_dir: str) -> None:
    new = made(state_dir, definition(), status="created")
    Records(state_dir).write("web", Record(OLD_ID, 1000, 1000))
    found = look(FakeEngine(new), state_dir, {"name": "web"})
    view = found.views["web"]
    assert (view.container_id, view.previous, view.unproven) == (CONTAINER_ID, None, None)
    assert actions(found) == {"web": "start"}


@pytest.mark.parametrize(
    ("status", "recorded", "ready", "is_ready", "asked"),
    [
        ("running", True, False, True, 0),
        ("paused", True, False, True, 0),
        ("restarting", True, True, False, 0),
        ("exited", True, False, True, 0),
        ("running", False, True, True, 1),
        ("running", False, False, False, 1),
        ("paused", False, True, True, 1),
        ("paused", False, False, False, 1),
        ("restarting", False, True, False, 0),
        ("exited", False, False, True, 0),
        ("created", False, False, True, 0),
    ],
)
def test_a_container_that_runs_is_ready_by_its_record_or_its_output(
    state_dir: str, status: str, recorded: bool, ready: bool, is_ready: bool, asked: int
) -> None:
    if recorded:
        Records(state_dir).write("web", Record(CONTAINER_ID, 1000, 1000))
    engine = FakeEngine(made(state_dir, definition(), status=status), ready=ready)
    found = look(engine, state_dir, {"name": "web"})
    assert (found.views["web"].is_ready, engine.asked["has_printed"]) == (is_ready, asked)


def test_a_removed_container_is_taken_up_again_where_its_project_is_declared_again(state_dir: str) -> None:
    old = made(state_dir, definition(), name=aside_name("web", OLD_ID), container_id=OLD_ID, status="exited")
    old["HostConfig"]["RestartPolicy"]["Name"] = "no"
    Records(state_dir).write("web", Record(OLD_ID, 1000, 1000))
    found = look(FakeEngine(old), state_dir, {"name": "web"})
    assert [str(step) for step in found.plans[0].steps] == ["rename berth-web", "update restart", "start"]
    gone = look(FakeEngine(old), state_dir, {"name": "web", "state": "absent"})
    assert (actions(gone), gone.views["web"].status) == ({"web": "remove"}, "absent")


def test_a_project_whose_volume_is_another_scopes_fails_alone(state_dir: str) -> None:
    volume = {"Name": home_volume("web"), "Labels": ownership_labels("web", "team-b")}
    engine = FakeEngine(made(state_dir, definition()), volumes=(volume,))
    web, api = look(engine, state_dir, {"name": "web"}, {"name": "api"}).plans
    assert (web.steps, api.error, api.action) == ((), None, "create")
    assert web.error is not None and "belongs to the scope 'team-b'" in web.error
    assert engine.asked["container"] == 0


def test_a_container_that_waits_aside_alone_comes_back(state_dir: str) -> None:
    old = made(state_dir, definition(), name=aside_name("web", OLD_ID), container_id=OLD_ID, status="exited")
    Records(state_dir).write("web", Record(OLD_ID, 1000, 1000))
    found = look(FakeEngine(old), state_dir, {"name": "web"})
    assert [str(step) for step in found.plans[0].steps] == ["rename berth-web", "start"]


def test_a_foreign_container_of_our_name_is_not_even_inspected(state_dir: str) -> None:
    container = made(state_dir, definition())
    container["Config"]["Labels"] = {}
    engine = FakeEngine(container)
    found = look(engine, state_dir, {"name": "web"})
    assert found.plans[0].error is not None and engine.asked["container"] == 0


# Prune


@pytest.mark.parametrize(
    ("prune", "expected"),
    [(False, {"web": "none"}), (True, {"web": "none", "old": "remove", "kept": "none", "lost": "none"})],
)
def test_what_is_not_declared_is_removed_only_with_prune(state_dir: str, prune: bool, expected: Any) -> None:
    containers = [
        made(state_dir, definition()),
        made(state_dir, definition(name="old"), container_id="b" * 64),
        made(state_dir, definition(name="kept"), name=aside_name("kept", "d" * 64), container_id="d" * 64),
        made(state_dir, definition(name="lost"), name="stray", container_id="e" * 64),
    ]
    found = look(FakeEngine(*containers), state_dir, {"name": "web"}, prune=prune)
    assert actions(found) == expected
    assert sorted(orphan.kind for orphan in found.orphans if orphan.type == "container") == [
        "kept",
        "stray",
        "undeclared",
    ]
    assert sorted(orphan.name for orphan in found.orphans if orphan.type == "network") == [
        "berth-kept.open",
        "berth-lost.open",
        "berth-old.open",
    ]


# What there is of snapshots, and what is to go


def with_images(engine: FakeEngine, *entries: dict[str, Any]) -> FakeEngine:
    engine.more_images = entries
    return engine


def listed_snapshot(number: int, *more_tags: str, project: str = "web", scope: str = "default") -> dict[str, Any]:
    """A snapshot as it is listed."""
    one = snapshot(number, project)
    labels = {"project": project, "scope": scope, "taken": one.tag, "base": IMAGE, "base_id": IMAGE_ID}
    return {
        "Id": one.id,
        "RepoTags": [one.reference, *more_tags],
        "Labels": {f"berth.snapshot.{key}": value for key, value in labels.items()},
        "Size": 1700,
        "Created": one.created,
    }


def test_a_project_without_a_container_goes_on_from_its_snapshot(state_dir: str) -> None:
    engine = with_images(FakeEngine(), listed_snapshot(2), listed_snapshot(1, "berth/web:latest"))
    found = look(engine, state_dir, {"name": "web"})
    assert [str(step) for step in found.plans[0].steps] == [f"create from {snapshot(1).reference}", "start"]


def test_snapshots_of_another_scope_are_an_error(state_dir: str) -> None:
    engine = with_images(FakeEngine(), listed_snapshot(1, scope="team-b"))
    (plan,) = look(engine, state_dir, {"name": "web"}).plans
    assert plan.steps == () and "in the scope 'team-b'" in (plan.error or "")


def test_a_snapshot_that_cannot_be_used_is_told_while_planning(state_dir: str) -> None:
    engine = with_images(FakeEngine(image_config={"Volumes": {"/data": {}}}), listed_snapshot(1))
    (plan,) = look(engine, state_dir, {"name": "web"}).plans
    assert plan.steps == () and f"The image {snapshot(1).reference} declares volumes" in (plan.error or "")


@pytest.mark.parametrize("count", [1, 20])
def test_snapshots_take_no_call_of_their_own(state_dir: str, count: int) -> None:
    engine, names = unchanged_host(state_dir, count, recorded=True)
    with_images(engine, *(listed_snapshot(number, project=name) for name in names for number in (1, 2, 3)))
    look(engine, state_dir, *({"name": name} for name in names))
    assert engine.asked == {"containers": 1, "images": 1, "volumes": 1, "networks": 1, "info": 1, "container": count}


def test_what_is_left_aside_of_a_replace_is_cleared_away(state_dir: str) -> None:
    old = made(state_dir, definition(), name=aside_name("web", OLD_ID), container_id=OLD_ID, status="exited")
    holder = listed_snapshot(1, "berth/web:latest")
    ended = old["State"]["FinishedAt"]
    holder["Labels"].update({"berth.snapshot.container": OLD_ID, "berth.snapshot.stopped_at": ended})
    Records(state_dir).write("web", Record(CONTAINER_ID, 1000, 1000))
    engine = with_images(FakeEngine(old, made(state_dir, definition())), holder)
    assert [str(step) for step in look(engine, state_dir, {"name": "web"}).plans[0].steps] == [
        f"clean {aside_name('web', OLD_ID)}"
    ]


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({}, {}),
        ({"operation": "upgrade"}, {}),
        ({"operation": "destroy"}, {"web": [("container", "kept as a snapshot")]}),
        ({"operation": "destroy", "destroy_data": True}, {"web": [("container", None), ("snapshot", None)]}),
        ({"operation": "reset"}, {"web": [("container", None), ("snapshot", None)]}),
    ],
    ids=str,
)
def test_what_goes_is_told_of_runs_that_take_something_away(
    state_dir: str, monkeypatch: pytest.MonkeyPatch, params: dict[str, Any], told: dict[str, Any]
) -> None:
    monkeypatch.setattr(VolumeStore, "sizes", lambda store: {})
    engine = with_images(FakeEngine(made(state_dir, definition())), listed_snapshot(1))
    views = look(engine, state_dir, {"name": "web"}, **params).views
    losses = losses_by_project(engine, views, views, Policy(**params))  # type: ignore[arg-type]
    assert {name: [(one.kind, one.kept) for one in lost] for name, lost in losses.items()} == told


def test_a_project_that_is_not_declared_can_be_destroyed_by_its_name(state_dir: str) -> None:
    engine = FakeEngine(made(state_dir, definition(name="old")))
    payload = {"projects": [], "declared": ["web"], "undeclared": ["old"]}
    params = {"payload": json.dumps(payload), "scope": "default", "state_dir": state_dir, "parallel": 1}
    found = survey(engine, request_from({**params, "operation": "destroy"}), Records(state_dir))  # type: ignore[arg-type]
    assert actions(found) == {"old": "remove"}


@pytest.mark.parametrize(("operation", "action"), [("destroy", "remove"), ("state", "none"), ("provision", "none")])
def test_a_project_goes_also_where_the_engine_cannot_run_it_any_more(
    state_dir: str, operation: str, action: str
) -> None:
    engine = FakeEngine(made(state_dir, definition(runtime="runsc")))
    (plan,) = look(engine, state_dir, {"name": "web", "runtime": "runsc"}, operation=operation).plans
    assert plan.action == action
    assert ("no runtime of that name" in (plan.error or "")) is (operation == "provision")


def test_parts_of_an_undeclared_projects_snapshots_go_with_prune(state_dir: str) -> None:
    part = {"Id": "sha256:9a", "RepoTags": None, "Labels": {"berth.snapshot.part": "default/old"}, "Size": 1}
    found = look(with_images(FakeEngine(), part), state_dir, prune=True)
    assert {plan.project: [str(step) for step in plan.steps] for plan in found.plans} == {"old": ["clean image 9a"]}


def test_files_of_an_undeclared_project_go_with_prune_once_nothing_else_is_left(state_dir: str) -> None:
    Records(state_dir).write("old", Record("gone", 5, 6, scope="default"))
    assert [str(step) for step in look(FakeEngine(), state_dir, prune=True).plans[0].steps] == ["forget"]
    kept = with_images(FakeEngine(), listed_snapshot(1, project="old"))
    assert look(kept, state_dir, prune=True).plans[0].steps == ()


def test_a_reset_settles_the_ids_of_the_agent_anew(
    state_dir: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(users_module, "folder_owner", lambda definition: User(7, 8))
    Records(state_dir).write("web", Record(CONTAINER_ID, 1000, 1000))
    engine = FakeEngine(made(state_dir, definition()))
    project = {"name": "web", "user": None, "workspaces": [{"path": str(tmp_path), "name": "x"}]}
    assert look(engine, state_dir, project, operation="reset").definitions["web"].user == User(7, 8)
    assert look(engine, state_dir, project).definitions["web"].user == User(1000, 1000)


# What is asked for


@pytest.mark.parametrize(
    ("params", "policy"),
    [
        ({}, Policy()),
        ({"operation": None, "snapshot": None, "when_busy": "defer"}, Policy()),
        ({"operation": "state"}, Policy("state")),
        ({"operation": "upgrade"}, Policy("upgrade", apply_images=True)),
        ({"apply_image_changes": True}, Policy(apply_images=True)),
        ({"operation": "state", "apply_image_changes": True}, Policy("state")),
        ({"operation": "restore", "snapshot": "x"}, Policy("restore", snapshot="x")),
        ({"operation": "destroy", "destroy_data": True}, Policy("destroy", destroy_data=True)),
        ({"operation": "reset", "when_busy": "force"}, Policy("reset", force=True)),
    ],
    ids=str,
)
def test_parameters_say_how_to_go_about_it(state_dir: str, params: dict[str, Any], policy: Policy) -> None:
    payload = json.dumps({"projects": [], "declared": []})
    asked = request_from({"payload": payload, "scope": "x", "state_dir": state_dir, "parallel": 1, **params})
    assert (asked.policy, asked.undeclared) == (policy, ())


# Before anything is changed


def checked(state_dir: str, *projects: dict[str, Any], **params: Any) -> str | None:
    """What the folders of these projects are refused for."""
    payload = {"projects": [{"image": IMAGE, **project} for project in projects], "declared": []}
    written = {"payload": json.dumps(payload), "scope": "default", "state_dir": state_dir, "parallel": 1, **params}
    try:
        check_folders(request_from(written))
    except BerthError as error:
        return error.msg
    return None


FOLDERS_WRONG = "Nothing was changed on this host. Declared paths cannot be used:\n"


def test_missing_folders_stop_the_host_and_are_all_named(state_dir: str) -> None:
    told = checked(
        state_dir,
        {"name": "web", "workspaces": [{"path": "/nowhere/a"}, {"path": "/etc"}]},
        {"name": "api", "mounts": [{"source": "/nowhere/b", "target": "/b"}]},
        {"name": "old", "state": "absent", "workspaces": [{"path": "/nowhere/c"}]},
        {"name": "off", "state": "stopped", "workspaces": [{"path": "/nowhere/d"}]},
    )
    how = "is missing. Create it (a workspace is a folder, for example a git clone) or correct the path"
    assert told == FOLDERS_WRONG + (
        f"- project web: /nowhere/a: {how}\n- project api: /nowhere/b: {how}\n- project off: /nowhere/d: {how}"
    )


def test_folders_are_not_looked_at_where_nothing_is_mounted(state_dir: str) -> None:
    missing = {"name": "web", "workspaces": [{"path": "/nowhere/a"}]}
    assert checked(state_dir, missing, operation="state") is None
    assert checked(state_dir, missing, operation="destroy") is None
    for operation in ("provision", "upgrade", "restore", "reset"):
        assert checked(state_dir, missing, operation=operation) is not None


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one != "state"])
def test_no_operation_looks_at_a_proxy_without_the_hosts_addresses(
    state_dir: str, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    monkeypatch.setattr(survey_module, "public_addresses", lambda: ("198.51.100.7",))
    proxy = {"image": "x", "config": "y", "command": [], "reload": [], "says_ready": True}
    projects = [{"name": "web", "image": IMAGE, "network": {"egress": "restricted"}}]
    written = {"scope": "default", "state_dir": state_dir, "parallel": 1, "operation": operation}
    for proxies, addresses in (({"web": proxy}, ("198.51.100.7",)), ({}, ())):
        payload = json.dumps({"projects": projects, "declared": ["web"], "proxies": proxies})
        assert check_folders(request_from({**written, "payload": payload})).site.addresses == addresses


def test_a_module_run_looks_at_the_folders_before_the_engine(state_dir: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_engine(*args: Any) -> Any:
        raise AssertionError("the engine was asked first")

    monkeypatch.setattr(reconcile_module, "open_engine", no_engine)
    monkeypatch.setattr(preview_module, "open_engine", no_engine)
    payload = {"projects": [{"name": "web", "image": IMAGE, "workspaces": [{"path": "/nowhere/a"}]}], "declared": []}
    params = {"payload": json.dumps(payload), "scope": "default", "state_dir": state_dir, "parallel": 1}
    with pytest.raises(BerthError) as error:
        reconcile_module.reconcile(params, check_mode=False)
    with pytest.raises(BerthError):
        preview_module.preview(params)
    assert error.value.msg.startswith(f"{FOLDERS_WRONG}- project web: /nowhere/a: is missing.")


def test_files_that_cannot_be_copied_are_told_of_their_project_alone(state_dir: str, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "id").write_text("key")
    projects = [{"name": name, "image": IMAGE, "user": {"uid": 1000}} for name in ("web", "api")]
    folders = {"web": str(tmp_path / "keys"), "api": "/nowhere/keys"}
    copies = {
        name: {"copies": [{**asdict(Copy(folder, "ssh", "credentials")), "only": ["id"], "but": []}]}
        for name, folder in folders.items()
    }
    payload = {"projects": projects, "declared": ["web", "api"], "states": copies}
    params = {"payload": json.dumps(payload), "scope": "default", "state_dir": state_dir, "parallel": 1}
    looked, problems = look_at_folders(request_from(params))
    assert problems["web"] == [] and "/nowhere/keys: is no folder on this host" in problems["api"][0]
    assert [sorted(definition.host_state.files) for definition in looked.definitions] == [["ssh/id"], []]


@pytest.mark.parametrize(
    ("record", "changes", "is_due"),
    [
        (Record(CONTAINER_ID, 1000, 1000, scope="default"), {}, False),
        (Record(CONTAINER_ID, 1000, 1000, scope="default"), {"status": "exited"}, True),
        (Record(CONTAINER_ID, 7, 1000, scope="default"), {}, True),  # written down again, though nothing is changed
        (Record("lost", 1000, 1000, scope="default"), {}, True),
        (Record(CONTAINER_ID, 1000, 1000), {}, True),
    ],
)
def test_the_half_that_acts_is_due_where_there_is_something_to_do_or_to_write_down(
    state_dir: str, monkeypatch: pytest.MonkeyPatch, record: Record, changes: dict[str, Any], is_due: bool
) -> None:
    engine = FakeEngine(made(state_dir, definition(), **changes))
    monkeypatch.setattr(preview_module, "open_engine", lambda *args: (engine, []))
    Records(state_dir).write("web", record)
    project = {"name": "web", "image": IMAGE, "user": {"uid": 1000}}
    payload = {"projects": [project], "declared": ["web"]}
    params = {"payload": json.dumps(payload), "scope": "default", "state_dir": state_dir, "parallel": 1}
    assert preview_module.preview(params)["is_due"] is is_due


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with ``repo``, ``file``, a state folder, a socket of the engine, and links to what is not for agents."""
    for folder in ("repo", "state/projects"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("file", "docker.sock"):
        (tmp_path / file).touch()
    monkeypatch.setattr(observe_module, "DOCKER_SOCKET", str(tmp_path / "docker.sock"))
    links = {"to-repo": "repo", "to-root": "/", "to-socket": "docker.sock", "to-state": "state", "dangling": "nowhere"}
    for name, target in {**links, "to-projects": "state/projects", "around-state": "."}.items():
        (tmp_path / name).symlink_to(target)
    return tmp_path


PATHS = [
    ("repo", None),
    ("to-repo", None),
    ("nowhere", "is missing."),
    ("dangling", "is missing."),
    ("file/below", "is missing."),
    ("to-root", "leads to /, and the agent would own the host"),
    ("to-state", "leads to Berth's own state folder {state}"),
    ("to-projects", "leads to Berth's own state folder {state}"),
    ("around-state", "leads to Berth's own state folder {state}"),
]


@pytest.mark.parametrize(
    ("kind", "name", "problem"),
    [
        *(("workspace", *row) for row in PATHS),
        *(("mount", *row) for row in PATHS),
        ("workspace", "file", "is no folder"),
        ("mount", "file", None),
        ("workspace", "to-socket", "is no folder"),
        ("mount", "to-socket", "leads to the engine's socket; say so with docker_access: true"),
        ("mount", "docker.sock", "leads to the engine's socket; say so with docker_access: true"),
    ],
)
def test_a_path_is_judged_by_where_it_leads(host: Path, kind: str, name: str, problem: str | None) -> None:
    path, state = str(host / name), str(host / "state")
    keys = {"workspace": {"workspaces": [{"path": path, "name": "x"}]}, "mount": {"mounts": [mount_of(path)]}}[kind]
    found = folder_problems(definition(**keys), Site(state, "default"))
    assert len(found) == (0 if problem is None else 1)
    if problem is not None:
        assert found[0].startswith(f"{path}: {problem.format(state=state)}")


def mount_of(path: str) -> dict[str, Any]:
    return {"source": path, "target": "/x"}


def test_a_state_folder_behind_a_link_is_known_too(host: Path) -> None:
    wanted = definition(mounts=[mount_of(str(host / "state"))])
    found = folder_problems(wanted, Site(str(host / "to-state"), "default"))
    assert found == [f"{host}/state: leads to Berth's own state folder {host}/to-state"]


def test_a_path_that_may_not_be_looked_at_is_told(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(path: str) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(observe_module.os, "stat", forbidden)
    found = folder_problems(definition(workspaces=[{"path": "/root/x"}]), Site("/s", "default"))
    assert found == ["/root/x: the user that runs the module may not look there"]


def test_all_that_is_wrong_with_a_definition_is_told(host: Path) -> None:
    wanted = definition(workspaces=[{"path": str(host / "file")}], mounts=[mount_of(str(host / "nowhere"))])
    found = folder_problems(wanted, Site(str(host / "state"), "default"))
    assert [problem.partition(": ")[0] for problem in found] == [str(host / "file"), str(host / "nowhere")]


@pytest.mark.parametrize(("access", "there", "problems"), [(True, True, 0), (True, False, 1), (False, False, 0)])
def test_access_to_the_engine_takes_a_socket(host: Path, access: bool, there: bool, problems: int) -> None:
    socket = host / "docker.sock"
    if not there:
        socket.unlink()
    found = folder_problems(definition(docker_access=access), Site(str(host / "state"), "default"))
    assert found == [f"{socket}: there is no engine's socket there"] * problems


# The image that a plan takes


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"Volumes": {"/data": {}}}, ["declares volumes", "/data"]),
        ({"Labels": None}, ["berth.contract=1"]),
    ],
)
def test_an_image_that_cannot_be_used_is_told_while_planning(
    state_dir: str, config: dict[str, Any], words: list[str]
) -> None:
    engine = FakeEngine(made(state_dir, definition(name="api")), image_config=config)
    found = look(engine, state_dir, {"name": "web"}, {"name": "api", "restart": "no"}, {"name": "new"})
    errors = {plan.project: plan.error for plan in found.plans}
    assert actions(found) == {"web": "none", "api": "update", "new": "none"}
    assert errors["api"] is None
    for word in words:
        assert all(word in str(errors[project]) for project in ("web", "new"))
    assert engine.asked["image"] == 1


@pytest.mark.parametrize("limits", [{"cpus": 3}, {"memory": "5g"}])
def test_what_the_host_cannot_give_fails_that_project_alone(state_dir: str, limits: dict[str, Any]) -> None:
    found = look(FakeEngine(), state_dir, {"name": "web", "resources": limits}, {"name": "api"})
    assert [(plan.project, plan.error is None, plan.action) for plan in found.plans] == [
        ("web", False, "none"),
        ("api", True, "create"),
    ]


def test_the_base_image_is_a_need_where_somebody_is_going_to_build_it(
    state_dir: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survey_module, "image_is_current", lambda *args, **recipe: False)
    payload = {
        "projects": [{"name": "web", "image": IMAGE, "user": {"uid": 1}}],
        "declared": ["web"],
        "recipes": [
            {"repository": "berth-base", "recipe_digest": "x", "base": "auto", "suite": "trixie", "ca_on": True}
        ],
    }
    params = {"payload": json.dumps(payload), "scope": "default", "state_dir": state_dir, "parallel": 1}
    found = survey(FakeEngine(), request_from({**params, "report_needs": True}), Records(state_dir))  # type: ignore[arg-type]
    assert (found.needs, actions(found)) == (["image"], {"web": "create"})


# Whose ids the agent has


@pytest.mark.parametrize(
    ("declared", "recorded", "container", "user"),
    [
        ({"uid": 5, "gid": 6}, Record("x", 7, 8), True, User(5, 6)),
        (None, Record("x", 7, 8), True, User(7, 8)),
        (None, Record(), True, User(9, 10)),
        (None, Record(), False, User(1000, 1000)),
    ],
)
def test_declared_ids_come_before_recorded_ones_and_those_before_the_containers(
    declared: Any, recorded: Record, container: bool, user: User
) -> None:
    view = View(container=container_of(definition(user={"uid": 9, "gid": 10})) if container else None, record=recorded)
    assert settle_user(Definition("web", IMAGE, user=User(**declared) if declared else None), view) == (user, None)


@pytest.mark.parametrize(
    ("owner", "user", "warns"),
    [((1234, 1235), (1234, 1235), False), ((0, 0), (1000, 1000), True), ((1234, 0), (1234, 1000), True)],
)
def test_else_the_owner_of_the_first_workspace_never_root(
    monkeypatch: pytest.MonkeyPatch, owner: tuple[int, int], user: tuple[int, int], warns: bool
) -> None:
    monkeypatch.setattr(users_module, "folder_owner", lambda definition: User(*owner))
    wanted = Definition("web", IMAGE, workspaces=definition(workspaces=[{"path": "/srv/a"}]).workspaces)
    found, warning = settle_user(wanted, View())
    assert found == User(*user)
    assert bool(warning) is warns
    assert not warns or ("/srv/a belongs to root" in str(warning) and "set user" in str(warning))


def test_the_owner_is_read_from_the_host(state_dir: str, tmp_path: Path) -> None:
    written = {"name": "web", "user": None, "workspaces": [{"path": str(tmp_path), "name": "x"}]}
    settled = look(None, state_dir, written).definitions["web"]
    assert settled.user == User(os.getuid() or 1000, os.getgid() or 1000)


# Agents


@pytest.mark.parametrize(
    "line",
    [
        "claude",
        "claude -p do-it",
        "claude --dangerously-skip-permissions",
        "/usr/local/bin/claude --continue",
        "node /usr/local/bin/claude",
        "/bin/sh /usr/local/bin/claude -p hello",
        "node --no-warnings --enable-source-maps /usr/local/bin/claude",
        "/usr/bin/node --max-old-space-size=4096 /opt/claude-code/bin/claude -p do-it",
        "bash -e /usr/local/bin/claude",
        "sh -c claude",
        "dash /usr/local/bin/claude",
    ],
)
def test_an_agent_is_known_by_its_command(line: str) -> None:
    assert agent_of(line) == "claude"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "bash",
        "claude --version",
        "claude -v",
        "/usr/local/bin/claude --help",
        "node /usr/local/bin/claude --version",
        "tail -f claude",
        "tail -f /home/agent/claude",
        "cat /usr/local/bin/claude",
        "grep -r claude /workspace",
        "less claude",
        "node",
        "node --version claude",
        "node /srv/server.js claude",
        "sh /workspace/build.sh claude",
        "python3 /usr/local/bin/claude.py",
        "/usr/local/bin/not-claude",
        "-bash",
        "python3 -m http.server",
        "claudette",
        "vi /workspace/x/claude.md",
    ],
)
def test_what_is_no_agents_work_is_none(line: str) -> None:
    assert agent_of(line) is None


# Age


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (timedelta(), "0 s"),
        (timedelta(seconds=59), "59 s"),
        (timedelta(seconds=60), "1 min"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (timedelta(hours=1), "1 h"),
        (timedelta(hours=23, minutes=59), "23 h"),
        (timedelta(days=1), "1 d"),
        (timedelta(days=400), "400 d"),
        (timedelta(seconds=-5), "0 s"),
    ],
)
def test_an_age_is_told_in_its_largest_unit(ago: timedelta, text: str) -> None:
    made = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
    assert age(made, made + ago) == text


@pytest.mark.parametrize("fraction", ["", ".1", ".123456789"])
def test_the_time_of_an_engine_is_read_to_the_second(fraction: str) -> None:
    """Python 3.9 to 3.13 read nine digits of a second differently."""
    assert time_of_engine(f"2026-01-02T03:04:05{fraction}Z") == datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


class _NoProcesses:
    """An engine that cannot list the processes of its container, which is in this state."""

    def __init__(self, running: bool, restarts: int) -> None:
        self._state = {"State": {"Running": running}, "RestartCount": restarts}

    def processes(self, container_id: str) -> list[str]:
        raise EngineError("listing processes: the engine said: ttrpc: closed")

    def container(self, container_id: str) -> dict[str, Any]:
        return self._state


RUNC = {"Id": "c0f", "HostConfig": {"Runtime": "runc"}, "State": {"Status": "running"}}


@pytest.mark.parametrize(("running", "restarts"), [(False, 0), (False, 3), (True, 3)])
def test_nobody_is_at_work_in_a_container_that_has_ended_or_does_again_and_again(running: bool, restarts: int) -> None:
    assert agents_at_work(_NoProcesses(running, restarts), RUNC) == ()  # type: ignore[arg-type]


def test_a_container_that_runs_on_must_tell_who_is_at_work() -> None:
    with pytest.raises(EngineError, match="ttrpc"):
        agents_at_work(_NoProcesses(running=True, restarts=0), RUNC)  # type: ignore[arg-type]


class _GVisor:
    """An engine that looks among the host's processes for those in gVisor, and can run a program in the container.

    Args:
        said: What that prints, and its exit status; None where the engine refuses to run it.
        status: The container's.
    """

    def __init__(self, said: tuple[int, str] | None, status: str = "running") -> None:
        self._said = said
        self._status = status

    def processes(self, container_id: str) -> list[str]:
        return ["/sbin/init"]

    def run(self, container_id: str, command: list[str], user: str, seconds: float) -> tuple[int, str]:
        if self._said is None:
            raise EngineError("running sh: the engine said: the container is paused", 409)
        status, printed = self._said
        return status, "\0".join([*command, f"\n{printed}"])

    def container(self, container_id: str) -> dict[str, Any]:
        return {"State": {"Status": self._status}}


RUNSC = {"Id": "c0f", "HostConfig": {"Runtime": "runsc"}, "State": {"Status": "running"}}


@pytest.mark.parametrize(
    ("printed", "agents"),
    [
        ("/sbin/docker-init\0--\0entrypoint\0\nsleep\0infinity\0\n", ()),
        ("/sbin/docker-init\0\nnode\0/opt/agents/claude\0--continue\0\n", ("claude",)),
        ("/bin/sh\0/opt/berth/agents/bin/claude\0--version\0\n", ()),
    ],
)
def test_under_gvisor_the_container_itself_tells_who_is_at_work(printed: str, agents: tuple[str, ...]) -> None:
    assert agents_at_work(_GVisor((0, printed)), RUNSC) == agents  # type: ignore[arg-type]


@pytest.mark.parametrize("status", ["running", "paused"])
@pytest.mark.parametrize("said", [None, (127, "no such file"), (137, "")])
def test_a_container_in_gvisor_that_tells_nothing_counts_as_busy(said: tuple[int, str] | None, status: str) -> None:
    assert agents_at_work(_GVisor(said, status), RUNSC) == (UNSEEN,)  # type: ignore[arg-type]


def test_a_container_in_gvisor_that_does_not_see_its_own_processes_counts_as_busy() -> None:
    engine = _GVisor((0, ""))
    engine.run = lambda *rest: (0, "")  # type: ignore[method-assign]
    assert agents_at_work(engine, RUNSC) == (UNSEEN,)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", ["exited", "restarting"])
def test_nobody_is_at_work_in_a_container_in_gvisor_that_has_ended_meanwhile(status: str) -> None:
    assert agents_at_work(_GVisor(None, status), RUNSC) == ()  # type: ignore[arg-type]
