# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of a plan: which steps are done, what is remembered, and what is told after a failure."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils import reconcile
from ansible_collections.berth.projects.plugins.module_utils.apply import _STEPS, TAKE_OVER, Tools, carry_out
from ansible_collections.berth.projects.plugins.module_utils.aspect import Site
from ansible_collections.berth.projects.plugins.module_utils.definition import Definition, User
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError, EngineError
from ansible_collections.berth.projects.plugins.module_utils.gate import Gate
from ansible_collections.berth.projects.plugins.module_utils.host_state import (
    UNFINISHED,
    HostState,
    WantedFile,
    hash_of,
)
from ansible_collections.berth.projects.plugins.module_utils.host_writer import HostWriter
from ansible_collections.berth.projects.plugins.module_utils.launch import READY, WARNING, Launcher
from ansible_collections.berth.projects.plugins.module_utils.lineage import Lineage, Snapshots
from ansible_collections.berth.projects.plugins.module_utils.names import aside_name
from ansible_collections.berth.projects.plugins.module_utils.plan import Plan, Policy
from ansible_collections.berth.projects.plugins.module_utils.plan_image import source_of_snapshot
from ansible_collections.berth.projects.plugins.module_utils.proxies import Proxies
from ansible_collections.berth.projects.plugins.module_utils.records import Record, Records
from ansible_collections.berth.projects.plugins.module_utils.replace import set_aside
from ansible_collections.berth.projects.plugins.module_utils.request import Request
from ansible_collections.berth.projects.plugins.module_utils.result import Outcome
from ansible_collections.berth.projects.plugins.module_utils.sidecar import sidecar_body
from ansible_collections.berth.projects.plugins.module_utils.snapshots import Snapshotter
from ansible_collections.berth.projects.plugins.module_utils.steps import VERBS, Step
from ansible_collections.berth.projects.plugins.module_utils.survey import Survey
from ansible_collections.berth.projects.plugins.module_utils.terms import POOL
from ansible_collections.berth.projects.plugins.module_utils.world import Unproven, View
from ansible_collections.berth.projects.tests.unit.builders import (
    CONTAINER_ID,
    SETTINGS,
    container_of,
    definition,
    inspect_answer,
    networks_for,
    restricted,
    snapshot,
)
from ansible_collections.berth.projects.tests.unit.fake_engine import NEW_ID, FakeEngine

WEB = definition()
NOW = datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=timezone.utc)
TAKEN = "berth/web:20260203T040506000789Z"
RECORD = Record(CONTAINER_ID, 1000, 1000, scope="default")
RUNNING = View(container=container_of(WEB), record=RECORD)
EXITED = View(container=container_of(WEB, status="exited"), record=RECORD)
MOVED = View(container={**container_of(WEB), "Name": "/mine"}, record=RECORD)
NOTHING = View()
ASIDE = {**container_of(WEB, status="exited"), "Name": f"/{aside_name('web', CONTAINER_ID)}"}


TAKING = ["commit c0f", f"load {TAKEN}", "remove-image part", f"tag {TAKEN} berth/web:latest"]
"""The calls that a snapshot takes."""

UNDOING = ["remove-image berth/web:latest", f"remove-image {TAKEN}"]
"""The calls that take the first snapshot of a project back."""

BACK = ["rename c0f berth-web", "update c0f RestartPolicy"]
"""The calls that bring the old container back, but for its start."""


@pytest.fixture
def records(tmp_path: Path) -> Records:
    made = Records(str(tmp_path))
    with made.locked(0):
        pass
    return made


def done(
    engine: FakeEngine,
    records: Records,
    plan: Plan,
    view: View,
    wanted: Any = WEB,
    free: int | None = None,
    contents: Mapping[str, str] | None = None,
    policy: Policy | None = None,
) -> Outcome:
    site = Site(records.state_dir, "default")
    engine.hold(view.container, view.previous, view.unproven.container if view.unproven else None, *view.asides)
    gate = Gate(engine, site, POOL, Proxies(engine, site, contents or {}, 5))
    launcher = Launcher(engine, site, records, 5, gate)
    snapshotter = Snapshotter(engine, clock=lambda: NOW, free_space=lambda folder: free)
    tools = Tools(
        engine, launcher, snapshotter, 7, gate, records, site, HostWriter(contents or {}), 120, policy or Policy()
    )
    return carry_out(plan, wanted, view, tools)


def of(*steps: Step | str, **keys: Any) -> Plan:
    return Plan("web", tuple(Step(step) if isinstance(step, str) else step for step in steps), **keys)


def moved(step: Step) -> dict[str, Any]:
    """The container under another name; one that does not run leaves its network to be removed."""
    status = "exited" if step.verb == "clean" else "running"
    return {**container_of(WEB, status=status), "Name": "/mine"}


def test_every_verb_can_be_carried_out_and_nothing_else() -> None:
    assert sorted(_STEPS) == sorted(VERBS)


@pytest.mark.parametrize(
    ("step", "call"),
    [
        (Step("pull", "tool:1"), "pull tool:1"),
        (Step("rename", "berth-web"), "rename c0f berth-web"),
        (Step("update", "restart", {"RestartPolicy": {}}), "update c0f RestartPolicy"),
        (Step("connect", "join", {"leave": [], "join": ["berth-web.open"]}), "connect c0f berth-web.open"),
        (Step("connect", "leave", {"leave": ["berth-web.open"], "join": []}), "disconnect c0f berth-web.open"),
        (Step("clean", "network", {"network": "first berth-web.open"}), "remove-network berth-web.open"),
        (Step("unpause"), "unpause c0f"),
        (Step("stop"), "stop c0f 7"),
    ],
    ids=str,
)
def test_a_step_is_one_call_for_the_container_that_is_there(records: Records, step: Step, call: str) -> None:
    engine = FakeEngine()
    outcome = done(engine, records, of(step), replace(MOVED, container=moved(step)))
    assert (engine.calls, outcome) == ([call], Outcome(True, CONTAINER_ID, ()))


def test_a_container_that_does_not_run_is_just_started(records: Records) -> None:
    engine = FakeEngine()
    outcome = done(engine, records, of("start"), EXITED)
    assert (engine.calls, outcome) == (["start c0f"], Outcome(True, CONTAINER_ID, ()))


@pytest.mark.parametrize("status", ["running", "restarting"])
def test_a_container_that_runs_and_was_never_ready_is_stopped_before_it_is_started(
    records: Records, status: str
) -> None:
    engine = FakeEngine()
    view = View(container_of(WEB, status=status), is_ready=False)
    assert done(engine, records, of("restart"), view) == Outcome(True, CONTAINER_ID, ())
    assert engine.calls == ["stop c0f 7", "start c0f"]
    assert records.read("web") == RECORD


STATE = HostState({"secrets/a": WantedFile(hash_of(b"new"), "secrets")})
SYNCED = replace(WEB, host_state=STATE)
CALL = f"run c0f {TAKE_OVER} {STATE.generation} as agent"


def test_host_state_is_written_and_then_taken_over(records: Records) -> None:
    engine = FakeEngine()
    plan = of(Step("sync", "secrets", {"files": ["secrets/a"]}), "take-over")
    outcome = done(engine, records, plan, RUNNING, SYNCED, contents={hash_of(b"new"): "bmV3"})
    assert (engine.calls, outcome) == ([CALL], Outcome(True, CONTAINER_ID, ()))
    assert (Path(records.state_dir) / "projects" / "web" / "secrets" / "a").read_text() == "new"
    assert records.read("web") == replace(RECORD, taken=STATE.generation)


def test_a_replacement_that_fails_leaves_host_state_to_the_agent_of_the_old_container(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[str, User]] = []
    monkeypatch.setattr(HostWriter, "give", lambda self, folder, user: given.append((folder, user)))
    moved = replace(WEB, user=User(4321, 4321))
    assert done(FakeEngine("create"), records, of("replace"), RUNNING, moved).error
    assert given == [(f"{records.state_dir}/projects/web", User(1000, 1000))]
    assert done(FakeEngine("create"), records, of("replace"), RUNNING).error
    assert len(given) == 1


def test_what_a_take_over_warns_of_is_told(records: Records) -> None:
    engine = FakeEngine()
    engine.said = (0, f"{WARNING}a server of that name was yours\nberth: taken over x\n")
    assert done(engine, records, of("take-over"), RUNNING, SYNCED).warnings == ("a server of that name was yours",)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ((1, "berth: error: ~/.ssh is a link\nberth: error: no room\n"), "over: ~/.ssh is a link; no room. The next"),
        ((1, "Traceback"), "over: Traceback. The next"),
        ((3, ""), "over: exit status 3. The next"),
        ((127, "no such file"), "Upgrade the project to a current base image"),
        ((126, "no such file"), "Upgrade the project to a current base image"),
    ],
)
def test_a_take_over_that_fails_is_told_and_tried_again(records: Records, said: tuple[int, str], told: str) -> None:
    engine = FakeEngine()
    engine.said = said
    outcome = done(engine, records, of("take-over"), RUNNING, SYNCED)
    assert told in str(outcome.error)
    assert records.read("web").taken == (None if said[0] > 100 else UNFINISHED)


def test_a_take_over_that_is_held_up_is_a_failure_of_the_project(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    def held_up(self: FakeEngine, container_id: str, command: Any, user: str, seconds: float) -> None:
        raise EngineError(f"no answer in {seconds} s")

    monkeypatch.setattr(FakeEngine, "run", held_up)
    outcome = done(FakeEngine(), records, of("take-over"), RUNNING, SYNCED)
    assert outcome.error == "no answer in 120 s"
    assert records.read("web").taken == UNFINISHED


@pytest.mark.parametrize("steps", [("create", "start"), ("start",), ("replace",), ("restart",)])
def test_what_a_container_takes_over_as_it_starts_is_remembered(records: Records, steps: tuple[str, ...]) -> None:
    engine = FakeEngine(output=("berth: taken over abc", READY))
    view = {"create": NOTHING, "start": EXITED, "replace": RUNNING, "restart": RUNNING}[steps[0]]
    assert done(engine, records, of(*steps), view, SYNCED).error is None
    assert records.read("web").taken == "abc"


def test_a_start_that_says_nothing_of_it_changes_nothing_of_what_is_known(records: Records) -> None:
    view = replace(EXITED, record=Record(None, 1000, 1000, taken="abc"))
    done(FakeEngine(), records, of("start"), view, SYNCED)
    assert records.read("web").taken == "abc"


def test_without_steps_nothing_is_done(records: Records) -> None:
    engine = FakeEngine()
    assert done(engine, records, of(), RUNNING) == Outcome(False, CONTAINER_ID, ())
    assert engine.calls == []


def test_a_stopped_project_without_a_container_is_left_alone(records: Records) -> None:
    engine = FakeEngine()
    assert done(engine, records, of(), NOTHING, definition(state="stopped")) == Outcome(False, None, ())
    assert engine.calls == []


def test_a_plan_that_failed_is_not_begun(records: Records) -> None:
    engine = FakeEngine()
    plan = of("create", warnings=("careful",), error="It is not ours.")
    assert done(engine, records, plan, NOTHING) == Outcome(False, None, ("careful",), "It is not ours.")
    assert (engine.calls, records.read("web")) == ([], Record())


# An agent that has begun to work since the plan was made

CUTTING = [verb for verb, means in VERBS.items() if means.cuts]


@pytest.mark.parametrize("verb", CUTTING)
@pytest.mark.parametrize("status", ["running", "paused"])
def test_an_agent_that_has_begun_to_work_is_not_cut(records: Records, verb: str, status: str) -> None:
    engine = FakeEngine()
    engine.running = ["claude"]
    view = View(container=container_of(WEB, status=status), record=RECORD)
    outcome = done(engine, records, of(UPDATE, verb, CONNECT), view)
    assert engine.calls == ["update c0f"]
    assert (outcome.changed, outcome.error, outcome.container_id, outcome.put_off) == (True, None, CONTAINER_ID, 2)
    (told,) = outcome.warnings
    assert told.startswith(f"{verb} deferred: an agent is at work (claude). The next run")


@pytest.mark.parametrize("verb", CUTTING)
def test_force_does_not_look_for_agents(records: Records, verb: str) -> None:
    engine = FakeEngine()
    engine.running = ["claude"]
    outcome = done(engine, records, of(verb), RUNNING, policy=Policy(force=True))
    assert (outcome.error, outcome.put_off, bool(engine.calls)) == (None, 0, True)


@pytest.mark.parametrize(
    "step", [Step("set-aside", "berth-web"), Step("clean", "berth-web", {"container": NEW_ID})], ids=str
)
def test_an_agent_in_a_container_that_was_not_seen_ready_is_not_cut_either(records: Records, step: Step) -> None:
    engine = FakeEngine()
    engine.running = ["claude"]
    left = container_of(WEB, container_id=NEW_ID)
    outcome = done(engine, records, of(step, "start"), View(ASIDE, RECORD, unproven=Unproven(left, False)))
    assert (engine.calls, outcome.error, outcome.put_off) == ([], None, 2)


def test_an_agent_that_begins_while_an_image_is_built_is_not_cut(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = FakeEngine()
    build = Launcher.declared_source

    def building(self: Launcher, wanted: Definition) -> Any:
        engine.running = ["claude"]
        return build(self, wanted)

    monkeypatch.setattr(Launcher, "declared_source", building)
    outcome = done(engine, records, of(Step("replace", is_fresh=True)), RUNNING, policy=Policy("upgrade"))
    assert (engine.calls, outcome.changed, outcome.error) == ([], False, None)
    assert "(claude). Run it again when that is idle" in outcome.warnings[0]


def test_a_replacement_that_is_put_off_leaves_host_state_to_the_agent_at_work(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[User] = []
    monkeypatch.setattr(HostWriter, "give", lambda self, folder, user: given.append(user))
    engine = FakeEngine()
    engine.running = ["claude"]
    assert done(engine, records, of("replace"), RUNNING, replace(WEB, user=User(4321, 4321))).put_off == 1
    assert given == [User(1000, 1000)]


# What was done before a failure


RENAME, UPDATE = Step("rename", "berth-web"), Step("update", "restart", {})
CONNECT = Step("connect", "join berth-web.open", {"leave": [], "join": ["berth-web.open"]})


@pytest.mark.parametrize(
    ("broken", "calls", "changed"),
    [
        ("rename", ["rename c0f berth-web"], False),
        ("update", ["rename c0f berth-web", "update c0f"], True),
        ("connect", ["rename c0f berth-web", "update c0f", "connect c0f berth-web.open"], True),
    ],
)
def test_a_run_has_changed_something_when_a_step_was_done_before_another_failed(
    records: Records, broken: str, calls: list[str], changed: bool
) -> None:
    engine = FakeEngine(broken)
    outcome = done(engine, records, of(RENAME, UPDATE, CONNECT, warnings=("careful",)), MOVED)
    assert outcome == Outcome(changed, CONTAINER_ID, ("careful",), f"{broken}: the engine said: no")
    assert engine.calls == calls


@pytest.mark.parametrize(
    ("view", "remembered"),
    [
        (RUNNING, Record(CONTAINER_ID, scope="default")),
        (replace(RUNNING, is_ready=False), Record(scope="default")),
        (EXITED, Record(scope="default")),
    ],
    ids=["ready", "never ready", "exited"],
)
def test_after_a_failure_only_what_was_proven_is_remembered(records: Records, view: View, remembered: Record) -> None:
    outcome = done(FakeEngine("update"), records, of(CONNECT, UPDATE), replace(view, record=Record()))
    assert outcome.error == "update: the engine said: no"
    assert records.read("web") == remembered


def test_a_failure_keeps_the_ids_that_were_recorded(records: Records) -> None:
    records.write("web", Record("gone", 5, 6))
    wanted = definition(user={"uid": 7, "gid": 8})
    done(FakeEngine("update"), records, of(UPDATE), replace(RUNNING, record=Record("gone", 5, 6)), wanted)
    assert records.read("web") == Record(CONTAINER_ID, 5, 6, scope="default")


def test_any_exception_is_its_projects_outcome_without_its_text(records: Records) -> None:
    engine = FakeEngine("update", error=ValueError("s3cret"))
    outcome = done(engine, records, of(CONNECT, UPDATE), RUNNING)
    assert (outcome.changed, outcome.container_id, outcome.warnings) == (True, CONTAINER_ID, ())
    assert outcome.error is not None and outcome.error.startswith("Berth met a bug: ValueError at ")
    assert "s3cret" not in outcome.error


def test_a_record_that_cannot_be_written_is_an_error_of_a_run_that_was_well(records: Records, tmp_path: Path) -> None:
    (tmp_path / "records" / "web.json.part").mkdir()
    outcome = done(FakeEngine(), records, of("create", "start"), NOTHING)
    assert (outcome.changed, outcome.container_id) == (True, NEW_ID)
    assert outcome.error is not None and outcome.error.startswith("Cannot write ")


def test_a_step_that_failed_is_told_before_a_record_that_cannot_be_written(records: Records, tmp_path: Path) -> None:
    (tmp_path / "records" / "web.json.part").mkdir()
    outcome = done(FakeEngine("update"), records, of(UPDATE), replace(RUNNING, record=Record()))
    assert outcome.error == "update: the engine said: no"


def test_a_container_that_no_longer_becomes_ready_is_no_longer_proven(records: Records) -> None:
    records.write("web", RECORD)
    outcome = done(FakeEngine(output=("dark",)), records, of("start"), EXITED)
    assert (outcome.changed, outcome.container_id) == (False, CONTAINER_ID)
    assert outcome.error is not None and "Its last lines: dark." in outcome.error
    assert records.read("web") == Record(None, 1000, 1000, scope="default")


@pytest.mark.parametrize(
    ("was_ready", "cleared"),
    [
        (True, ["stop 4e3 7", "update 4e3 RestartPolicy", f"rename 4e3 {aside_name('web', NEW_ID)}"]),
        (False, ["remove 4e3"]),
    ],
    ids=["that was ready before", "that never was"],
)
def test_a_pending_container_that_does_not_become_ready_makes_way_for_the_one_before(
    records: Records, was_ready: bool, cleared: list[str]
) -> None:
    record = replace(RECORD, pending_id=NEW_ID)
    records.write("web", record)
    pending = container_of(WEB, status="exited", container_id=NEW_ID)
    engine = FakeEngine(output=("dark",)).was_ready(*([NEW_ID] if was_ready else []))
    outcome = done(engine, records, of("start"), View(pending, record, previous=ASIDE))
    assert engine.calls == [
        "start 4e3",
        *cleared,
        "rename c0f berth-web",
        "update c0f RestartPolicy",
        "start c0f",
    ]
    assert engine.updates[-1]["RestartPolicy"]["Name"] == WEB.restart
    assert (outcome.changed, outcome.container_id) == (False, CONTAINER_ID)
    assert outcome.error is not None and outcome.error.endswith("The container that was there before runs again.")
    assert records.read("web") == RECORD


def test_an_image_that_was_pulled_before_a_failure_is_a_change(records: Records) -> None:
    engine = FakeEngine("create")
    outcome = done(engine, records, of(Step("pull", "tool:1"), "create", "start"), NOTHING)
    assert outcome == Outcome(True, None, (), "create: the engine said: no")
    assert engine.calls == ["pull tool:1", "make-network berth-web.open", "create berth-web"]


def test_a_new_container_that_does_not_become_ready_is_removed(records: Records) -> None:
    engine = FakeEngine(output=("berth: error: It is too dark.",))
    outcome = done(engine, records, of("create", "start"), NOTHING)
    assert engine.calls == ["make-network berth-web.open", "create berth-web", "start 4e3", "remove 4e3"]
    assert outcome.container_id is None
    assert outcome.error is not None and "Its last lines: It is too dark." in outcome.error
    assert records.read("web") == Record()


def test_a_replace_that_fails_leaves_the_old_container_and_its_record(records: Records) -> None:
    records.write("web", RECORD)
    engine = FakeEngine("create")
    outcome = done(engine, records, of("replace"), RUNNING)
    assert outcome == Outcome(
        False, CONTAINER_ID, (), "create: the engine said: no. The old container is running as berth-web."
    )
    assert engine.calls[-3:] == ["start c0f", *UNDOING]
    assert records.read("web") == RECORD


@pytest.mark.parametrize(
    ("before", "state", "start"),
    [
        ("running", "started", ["start c0f"]),
        ("exited", "started", ["start c0f"]),
        ("running", "stopped", ["start c0f"]),
        ("exited", "stopped", []),
    ],
)
def test_a_container_that_comes_back_runs_where_it_ran_or_is_declared_to(
    records: Records, before: str, state: str, start: list[str]
) -> None:
    wanted = definition(state=state, restart="on-failure")
    engine = FakeEngine("create")
    old = container_of(WEB, status=before)
    old["HostConfig"]["RestartPolicy"]["Name"] = "no"  # as a run that was cut off leaves it
    outcome = done(engine, records, of("replace"), View(old, RECORD), wanted)
    aside = aside_name("web", CONTAINER_ID)
    stop = ["stop c0f 7"] if before == "running" else []
    taken = [*stop, "update c0f RestartPolicy", *TAKING, f"rename c0f {aside}", "create berth-web"]
    assert engine.calls == [*taken, *BACK, *start, *UNDOING]
    assert [body["RestartPolicy"]["Name"] for body in engine.updates] == ["no", "on-failure"]
    assert outcome.error == (
        f"create: the engine said: no. The old container is {'running' if start else 'back'} as berth-web."
    )


def test_a_stop_whose_answer_got_lost_has_ended_before_the_old_container_is_started_again(records: Records) -> None:
    engine = FakeEngine()
    engine.fail(1, is_late=False, error=EngineError("stopping container c0f: no answer from the engine"))
    outcome = done(engine, records, of("replace"), RUNNING)
    assert engine.calls == ["stop c0f 7", "stop c0f 7", "update c0f RestartPolicy", "start c0f"]
    assert outcome.error is not None and "The old container is running as berth-web." in outcome.error


def test_a_new_container_that_fails_a_replace_is_removed_before_the_old_one_comes_back(records: Records) -> None:
    engine = FakeEngine(output=("dark",))
    outcome = done(engine, records, of("replace"), RUNNING)
    assert engine.calls[-7:] == ["start 4e3", "remove 4e3", *BACK, "start c0f", *UNDOING]
    assert (outcome.changed, outcome.container_id) == (False, CONTAINER_ID)


def test_an_old_container_that_does_not_come_back_is_told_with_both_reasons(records: Records) -> None:
    outcome = done(FakeEngine("create", "start"), records, of("replace"), RUNNING)
    assert outcome.error == (
        "create: the engine said: no. The old container is whole, but could not be brought back as berth-web: "
        "start: the engine said: no The next run does it."
    )


def test_a_replace_comes_back_from_an_exception_of_others_too(records: Records) -> None:
    engine = FakeEngine("create", error=ValueError("s3cret"))
    outcome = done(engine, records, of("replace"), RUNNING)
    assert engine.calls[-3:] == ["start c0f", *UNDOING]
    assert outcome.error is not None and outcome.error.startswith("Berth met a bug: ValueError at ")
    assert outcome.error.endswith("The old container is running as berth-web.") and "s3cret" not in outcome.error


def test_a_replace_by_an_image_that_cannot_be_used_does_not_touch_the_old_container(records: Records) -> None:
    engine = FakeEngine(contract="0")
    outcome = done(engine, records, of("replace"), RUNNING)
    assert (engine.calls, outcome.changed, outcome.container_id) == ([], False, CONTAINER_ID)
    assert outcome.error is not None and "berth.contract=1" in outcome.error


def test_a_container_that_went_away_is_an_error_and_no_crash(records: Records) -> None:
    outcome = done(FakeEngine(), records, of("stop"), NOTHING)
    assert outcome == Outcome(False, None, (), "There is no container berth-web.")


@pytest.mark.parametrize("verb", ["create", "replace"])
def test_what_is_not_declared_can_only_be_removed(records: Records, verb: str) -> None:
    outcome = done(FakeEngine(), records, of(verb), RUNNING, None)
    assert outcome == Outcome(False, CONTAINER_ID, (), "web is not declared: it can only be removed.")


# What is remembered


def test_a_new_container_is_remembered_with_its_user_and_its_warnings_told(records: Records) -> None:
    engine = FakeEngine(output=(f"{WARNING}It is dark.", READY))
    outcome = done(engine, records, of("create", "start", warnings=("careful",)), NOTHING)
    assert outcome == Outcome(True, NEW_ID, ("careful", "It is dark."))
    assert records.read("web") == replace(RECORD, container_id=NEW_ID)


def test_a_replaced_container_is_remembered_in_place_of_the_old_one(records: Records) -> None:
    outcome = done(FakeEngine(), records, of("replace"), RUNNING)
    assert outcome == Outcome(True, NEW_ID, (), snapshot=TAKEN)
    assert records.read("web") == replace(RECORD, container_id=NEW_ID)


@pytest.mark.parametrize(
    ("steps", "view", "remembered"),
    [
        (("create",), NOTHING, replace(RECORD, container_id=None, pending_id=NEW_ID)),
        (("replace",), EXITED, replace(RECORD, pending_id=NEW_ID)),
    ],
)
def test_a_container_that_is_made_stopped_has_yet_to_prove_itself(
    records: Records, steps: tuple[str, ...], view: View, remembered: Record
) -> None:
    outcome = done(FakeEngine(), records, of(*steps), view, definition(state="stopped"))
    assert (outcome.changed, outcome.container_id, outcome.error) == (True, NEW_ID, None)
    assert records.read("web") == remembered


def test_a_pending_container_that_was_started_is_proven(records: Records) -> None:
    pending = container_of(WEB, status="created", container_id=NEW_ID)
    done(FakeEngine(), records, of("start"), View(pending, replace(RECORD, pending_id=NEW_ID), previous=ASIDE))
    assert records.read("web") == replace(RECORD, container_id=NEW_ID)


def test_a_container_that_was_found_ready_is_proven_without_a_step(records: Records) -> None:
    record = replace(RECORD, container_id="01d", pending_id="0ther")
    assert done(FakeEngine(), records, of(), View(container_of(WEB), record)) == Outcome(False, CONTAINER_ID, ())
    assert records.read("web") == RECORD


@pytest.mark.parametrize(
    ("step", "calls"),
    [
        (
            Step("set-aside", "berth-web"),
            ["stop 4e3 7", "update 4e3 RestartPolicy", f"rename 4e3 {aside_name('web', NEW_ID)}"],
        ),
        (Step("clean", "berth-web", {"container": NEW_ID}), ["remove 4e3"]),
    ],
    ids=["was ready", "never ready"],
)
def test_what_an_interrupted_run_left_makes_way_and_the_one_before_comes_back(
    records: Records, step: Step, calls: list[str]
) -> None:
    left = container_of(WEB, container_id=NEW_ID)
    engine = FakeEngine()
    view = View(ASIDE, RECORD, unproven=Unproven(left, step.verb == "clean"))
    assert done(engine, records, of(step, RENAME, "start"), view) == Outcome(True, CONTAINER_ID, ())
    assert engine.calls == [*calls, "rename c0f berth-web", "start c0f"]


# Setting aside


def test_a_frozen_container_is_thawed_before_it_is_stopped() -> None:
    engine = FakeEngine().hold(container_of(WEB, status="paused"))
    set_aside(engine, "web", CONTAINER_ID, 7)
    aside = aside_name("web", CONTAINER_ID)
    assert engine.calls == ["unpause c0f", "stop c0f 7", "update c0f RestartPolicy", f"rename c0f {aside}"]
    assert engine.updates == [{"RestartPolicy": {"Name": "no"}}]


def test_what_is_aside_already_is_not_renamed() -> None:
    engine = FakeEngine().hold(ASIDE)
    engine.start(CONTAINER_ID)
    set_aside(engine, "web", CONTAINER_ID, 7)
    assert engine.calls[1:] == ["stop c0f 7", "update c0f RestartPolicy"]


@pytest.mark.parametrize("status", ["created", "exited"])
def test_what_does_not_run_is_not_stopped(status: str) -> None:
    """The moment at which it ended would move, and a snapshot of it would no longer be known for one."""
    engine = FakeEngine().hold(container_of(WEB, status=status))
    set_aside(engine, "web", CONTAINER_ID, 7)
    assert engine.calls == ["update c0f RestartPolicy", f"rename c0f {aside_name('web', CONTAINER_ID)}"]


def test_what_is_gone_cannot_be_set_aside() -> None:
    engine = FakeEngine()
    with pytest.raises(BerthError, match=r"^The container c0ffee000000 is gone\.$"):
        set_aside(engine, "web", CONTAINER_ID, 7)
    assert engine.calls == []


@pytest.mark.parametrize("wanted", [None, definition(state="absent")], ids=["undeclared", "absent"])
def test_a_removed_container_leaves_a_snapshot(records: Records, wanted: Any) -> None:
    records.write("web", RECORD)
    engine = FakeEngine()
    outcome = done(engine, records, of("remove"), RUNNING, wanted)
    assert engine.calls == ["stop c0f 7", "update c0f RestartPolicy", *TAKING, "remove c0f"]
    assert outcome == Outcome(True, None, (), snapshot=TAKEN)
    assert records.read("web") == replace(RECORD, container_id=None)


# The order of a replace


SPENT_ID = "5e1" + "0" * 61
SPENT = {
    **container_of(WEB, status="exited", container_id=SPENT_ID),
    "Name": f"/{aside_name('web', SPENT_ID)}",
}
HOLDER = snapshot(1, container=SPENT_ID, stopped_at=SPENT["State"]["FinishedAt"])
REPLACING = [
    "stop c0f 7",
    "update c0f RestartPolicy",
    *TAKING,
    f"rename c0f {aside_name('web', CONTAINER_ID)}",
    "create berth-web",
    "start 4e3",
]


def test_a_replace_takes_a_snapshot_before_it_moves_and_removes_the_old_container_last(records: Records) -> None:
    engine = FakeEngine()
    done(engine, records, of("replace"), RUNNING)
    assert engine.calls == [*REPLACING, "remove c0f"]


def test_a_replaced_container_has_what_the_old_one_had(records: Records) -> None:
    engine = FakeEngine().hold(RUNNING.container)
    engine.write(CONTAINER_ID, "/installed")
    done(engine, records, of("replace"), RUNNING)
    assert "/installed" in engine.files("berth-web") and engine.names == {"berth-web": "running"}


def test_the_new_container_is_remembered_before_the_old_one_is_removed(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = FakeEngine()
    remembered: dict[str, str | None] = {}
    do = engine.do

    def looking(call: str, effect: Any) -> Any:
        remembered[call] = records.read("web").container_id
        return do(call, effect)

    monkeypatch.setattr(engine, "do", looking)
    records.write("web", RECORD)
    done(engine, records, of("replace"), RUNNING)
    assert (remembered["start 4e3"], remembered["remove c0f"]) == (CONTAINER_ID, NEW_ID)


def test_a_replace_by_the_declared_image_still_leaves_a_snapshot_of_the_old_container(records: Records) -> None:
    engine = FakeEngine().hold(RUNNING.container)
    engine.write(CONTAINER_ID, "/installed")
    outcome = done(engine, records, of(Step("replace", is_fresh=True)), RUNNING)
    assert engine.calls == [*REPLACING, "remove c0f"]
    assert ("/installed" in engine.files("berth-web"), "/installed" in engine.files(TAKEN)) == (False, True)
    assert outcome.error is None


def test_a_replace_without_a_snapshot_keeps_the_old_container_aside(records: Records) -> None:
    engine = FakeEngine()
    wanted = definition(snapshot={"on_replace": False})
    done(engine, records, of(Step("replace", is_fresh=True)), RUNNING, wanted)
    assert engine.calls == [call for call in REPLACING if call not in TAKING]
    assert engine.names == {"berth-web": "running", aside_name("web", CONTAINER_ID): "exited"}


def test_a_replace_that_is_not_started_keeps_the_old_container_as_the_way_back(records: Records) -> None:
    engine = FakeEngine()
    done(engine, records, of("replace"), EXITED, definition(state="stopped"))
    assert engine.names == {"berth-web": "created", aside_name("web", CONTAINER_ID): "exited"}
    assert engine.tags["berth/web:latest"] == engine.tags[TAKEN]


def test_a_pending_container_that_became_ready_needs_no_way_back(records: Records) -> None:
    engine = FakeEngine()
    pending = container_of(WEB, status="created", container_id=NEW_ID)
    view = View(
        pending, replace(RECORD, pending_id=NEW_ID), previous=SPENT, lineage=Lineage((HOLDER,)), asides=(SPENT,)
    )
    assert done(engine, records, of("start"), view).error is None
    assert engine.calls == ["start 4e3", "remove 5e1"]


def test_a_way_back_that_no_snapshot_holds_is_kept(records: Records) -> None:
    engine = FakeEngine()
    pending = container_of(WEB, status="created", container_id=NEW_ID)
    view = View(pending, replace(RECORD, pending_id=NEW_ID), previous=SPENT, asides=(SPENT,))
    assert done(engine, records, of("start"), view).error is None
    assert engine.calls == ["start 4e3"]


def test_what_was_left_over_is_removed_once_and_not_again_with_the_replaced_container(records: Records) -> None:
    engine = FakeEngine()
    view = replace(RUNNING, lineage=Lineage((HOLDER,)), asides=(SPENT,))
    engine.add_image(HOLDER.id, {"Labels": {"berth.contract": "1"}}, *HOLDER.tags, "berth/web:latest")
    outcome = done(engine, records, of(Step("clean", "x", {"container": SPENT_ID}), "replace"), view)
    assert (outcome.error, engine.names) == (None, {"berth-web": "running"})


# Snapshots beyond what is kept


def snapshots_of(engine: FakeEngine, count: int) -> Lineage:
    """Have so many snapshots, of which the newest is the latest; returns what there is then."""
    made = [snapshot(number, tags=(snapshot(number).reference,)) for number in range(1, count + 1)]
    made[-1] = snapshot(count, tags=(made[-1].reference, "berth/web:latest"))
    for one in made:
        engine.add_image(one.id, {"Labels": {"berth.contract": "1"}}, *one.tags)
    return Lineage(tuple(reversed(made)))


@pytest.mark.parametrize(("keep", "left"), [(1, []), (2, [4]), (3, [4, 3]), (9, [4, 3, 2, 1])])
@pytest.mark.parametrize("steps", [("replace",), ("remove",)], ids=["replace", "remove"])
def test_snapshots_beyond_what_is_kept_go_the_new_one_counted(
    records: Records, steps: tuple[str, ...], keep: int, left: list[int]
) -> None:
    engine = FakeEngine()
    view = replace(RUNNING, lineage=snapshots_of(engine, 4))
    wanted = definition(snapshot={"keep": keep}, state="absent" if steps == ("remove",) else "started")
    assert done(engine, records, of(*steps), view, wanted).error is None
    own = {tag for tag in engine.tags if tag.startswith("berth/web:")}
    assert own == {TAKEN, "berth/web:latest", *(snapshot(number).reference for number in left)}


def test_what_is_not_declared_keeps_all_its_snapshots(records: Records) -> None:
    engine = FakeEngine()
    view = replace(RUNNING, lineage=snapshots_of(engine, 9))
    done(engine, records, of("remove"), view, None)
    assert len([tag for tag in engine.tags if tag.startswith("berth/web:")]) == 9 + 2


def test_a_snapshot_that_another_container_was_made_from_is_kept(records: Records) -> None:
    engine = FakeEngine()
    lineage = snapshots_of(engine, 3)
    view = replace(RUNNING, lineage=lineage, image_users={lineage.snapshots[2].id: frozenset({"0ther"})})
    done(engine, records, of("replace"), view, definition(snapshot={"keep": 1}))
    assert lineage.snapshots[2].reference in engine.tags and lineage.snapshots[1].reference not in engine.tags


def test_the_snapshot_that_the_replaced_container_was_made_from_is_no_longer_used(records: Records) -> None:
    engine = FakeEngine()
    lineage = snapshots_of(engine, 2)
    old = container_of(WEB, image_id=lineage.snapshots[0].id)
    view = View(old, RECORD, lineage=lineage, image_users={old["Image"]: frozenset({old["Id"]})})
    done(engine, records, of("replace"), view, definition(snapshot={"keep": 1}))
    assert lineage.snapshots[0].reference not in engine.tags


def test_a_surplus_snapshot_is_cleaned_away_with_all_its_names_but_the_latest(records: Records) -> None:
    engine = FakeEngine()
    one = snapshot(1, tags=(snapshot(1).reference, "berth/web:mine"))
    engine.add_image(one.id, {"Labels": {}}, *one.tags)
    step = Step("clean", f"snapshot {one.tag}", {"snapshot": one.reference})
    outcome = done(engine, records, of(step), replace(RUNNING, lineage=Lineage((one,))))
    assert (outcome.error, engine.image(one.id)) == (None, None)


@pytest.mark.parametrize("is_gone", [True, False], ids=["gone", "in use"])
def test_a_surplus_snapshot_that_cannot_be_cleaned_away_is_no_failure(records: Records, is_gone: bool) -> None:
    engine = FakeEngine()
    one = snapshot(1)
    if not is_gone:
        engine.add_image(one.id, {"Labels": {}}, *one.tags)
        engine.hold(container_of(WEB, image_id=one.id, container_id="f" * 64))
    step = Step("clean", f"snapshot {one.tag}", {"snapshot": one.reference})
    assert done(engine, records, of(step), replace(RUNNING, lineage=Lineage((one,)))).error is None
    assert (one.reference in engine.tags) is not is_gone


def test_an_older_snapshot_that_is_used_again_makes_the_latest_before_it_one_of_those_that_go(
    records: Records,
) -> None:
    """As where a run was cut off after it had taken a snapshot, and before that became the latest."""
    engine = FakeEngine()
    was = snapshot(1, tags=(snapshot(1).reference, "berth/web:latest"))
    holder = snapshot(2, container=CONTAINER_ID, stopped_at=EXITED.container["State"]["FinishedAt"])
    for one in (was, holder):
        engine.add_image(one.id, {"Labels": {"berth.contract": "1", "berth.snapshot.base": "x:1"}}, *one.tags)
    view = replace(EXITED, lineage=Lineage((holder, was)))
    assert done(engine, records, of("replace"), view, definition(snapshot={"keep": 1})).error is None
    own = {tag for tag in engine.tags if tag.startswith("berth/web:")}
    assert own == {holder.reference, "berth/web:latest"}
    assert engine.tags["berth/web:latest"] == holder.id


# Room on the disk


@pytest.mark.parametrize("verb", ["replace", "remove"])
@pytest.mark.parametrize("view", [RUNNING, EXITED], ids=["running", "exited"])
def test_without_room_for_a_snapshot_nothing_is_stopped(records: Records, verb: str, view: View) -> None:
    records.write("web", RECORD)
    engine = FakeEngine()
    engine.is_here = True
    outcome = done(engine, records, of(verb), view, free=0)
    assert (engine.calls, outcome.changed, outcome.container_id) == ([], False, CONTAINER_ID)
    assert outcome.error is not None and "Make room" in outcome.error
    assert records.read("web") == RECORD


def test_a_replace_that_takes_no_snapshot_asks_for_no_room(records: Records) -> None:
    engine = FakeEngine()
    engine.is_here = True
    wanted = definition(snapshot={"on_replace": False})
    assert done(engine, records, of(Step("replace", is_fresh=True)), RUNNING, wanted, free=0).error is None


# A replace that fails on the way


def replaced(records: Records, engine: FakeEngine) -> Outcome:
    """Replace a running container of a project that has a snapshot already."""
    records.write("web", RECORD)
    engine.write(CONTAINER_ID, "/installed")
    return done(engine, records, of("replace"), replace(RUNNING, lineage=snapshots_of(engine, 1)))


@pytest.mark.parametrize("is_late", [False, True], ids=["refused", "its answer lost"])
@pytest.mark.parametrize("number", range(1, len(REPLACING) + 1), ids=REPLACING)
def test_whichever_call_fails_the_old_container_comes_back_and_the_snapshot_is_taken_back(
    records: Records, number: int, is_late: bool
) -> None:
    engine = FakeEngine().hold(RUNNING.container)
    snapshots_of(engine, 1)
    before = engine.tags
    engine.fail(number, is_late, EngineError("the sky fell"))
    outcome = replaced(records, engine)
    assert outcome.error == "the sky fell. The old container is running as berth-web."
    assert (outcome.changed, outcome.container_id) == (False, CONTAINER_ID)
    shown = engine.container("berth-web")
    assert shown is not None and engine.names == {"berth-web": "running"}
    assert (shown["Id"], shown["HostConfig"]["RestartPolicy"]["Name"]) == (CONTAINER_ID, WEB.restart)
    assert (engine.tags, engine.nameless) == (before, [])
    assert records.read("web") == RECORD


@pytest.mark.parametrize("is_late", [False, True], ids=["refused", "its answer lost"])
@pytest.mark.parametrize("number", range(1, len(REPLACING) + 2), ids=[*REPLACING, "remove c0f"])
def test_wherever_the_engine_is_lost_the_content_is_in_a_container_or_in_a_snapshot(
    records: Records, number: int, is_late: bool
) -> None:
    engine = FakeEngine().hold(RUNNING.container)
    engine.fail(number, is_late, EngineError("no answer from the engine"), is_for_good=True)
    outcome = replaced(records, engine)
    assert outcome.error is not None and outcome.error.startswith("no answer from the engine")
    assert any("/installed" in engine.files(name) for name in [*engine.names, *engine.tags])


def test_a_replace_whose_old_container_cannot_be_removed_goes_on_with_the_new_one(records: Records) -> None:
    engine = FakeEngine("remove c0f").hold(RUNNING.container)
    outcome = replaced(records, engine)
    assert (outcome.container_id, outcome.error) == (NEW_ID, "remove: the engine said: no")
    assert engine.names == {"berth-web": "running", aside_name("web", CONTAINER_ID): "exited"}
    assert records.read("web").container_id == NEW_ID


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("is_late", [False, True], ids=["refused", "its answer lost"])
def test_a_removal_that_fails_keeps_the_container_until_a_snapshot_holds_it(
    records: Records, number: int, is_late: bool
) -> None:
    engine = FakeEngine().hold(RUNNING.container)
    engine.write(CONTAINER_ID, "/installed")
    engine.fail(number, is_late, EngineError("the sky fell"))
    assert done(engine, records, of("remove"), RUNNING, None).error == "the sky fell"
    assert "berth-web" in engine.names
    assert engine.nameless == []


# Steps around snapshots


def test_a_part_of_a_snapshot_is_removed(records: Records) -> None:
    engine = FakeEngine()
    engine.add_image("sha256:9a", {"Labels": {}})
    done(engine, records, of(Step("clean", "image 9a", {"image": "sha256:9a"})), RUNNING)
    assert engine.nameless == []


def test_the_latest_is_put_on_the_snapshot_that_was_restored(records: Records) -> None:
    engine = FakeEngine()
    view = replace(RUNNING, lineage=snapshots_of(engine, 2))
    done(engine, records, of(Step("tag", snapshot(1).reference)), view)
    assert engine.tags["berth/web:latest"] == engine.tags[snapshot(1).reference]


def test_a_snapshot_that_is_gone_cannot_become_the_latest(records: Records) -> None:
    outcome = done(FakeEngine(), records, of(Step("tag", snapshot(1).reference)), RUNNING)
    assert outcome.error == f"The snapshot {snapshot(1).reference} is gone."


def test_a_restore_makes_the_container_from_the_snapshot_and_keeps_one_of_what_was(records: Records) -> None:
    engine = FakeEngine().hold(RUNNING.container)
    engine.write(CONTAINER_ID, "/newer")
    lineage = snapshots_of(engine, 2)
    older = lineage.snapshots[1]
    step = Step("replace", source=source_of_snapshot(older))
    outcome = done(engine, records, of(step), replace(RUNNING, lineage=lineage))
    shown = engine.container("berth-web")
    assert shown is not None and (shown["Image"], outcome.error) == (older.id, None)
    assert engine.tags["berth/web:latest"] == older.id
    assert "/newer" in engine.files(TAKEN)


def test_a_restore_to_a_snapshot_beyond_what_is_kept_does_not_lose_it(records: Records) -> None:
    engine = FakeEngine()
    lineage = snapshots_of(engine, 3)
    oldest = lineage.snapshots[2]
    step = Step("replace", source=source_of_snapshot(oldest))
    wanted = definition(snapshot={"keep": 1})
    view = replace(RUNNING, lineage=lineage)
    assert done(engine, records, of(step), view, wanted).error is None
    assert engine.tags[oldest.reference] == engine.tags["berth/web:latest"] == oldest.id


@pytest.mark.parametrize("state", ["started", "stopped"])
def test_the_latest_moves_to_what_is_restored_once_the_new_container_is_remembered(
    records: Records, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = FakeEngine().hold(RUNNING.container)
    lineage = snapshots_of(engine, 2)
    older = lineage.snapshots[1]
    moving = f"tag {older.reference} berth/web:latest"
    remembered: list[str | None] = []
    do = engine.do

    def looking(call: str, effect: Any) -> Any:
        if call == moving:
            record = records.read("web")
            remembered.append(record.container_id if state == "started" else record.pending_id)
        return do(call, effect)

    monkeypatch.setattr(engine, "do", looking)
    view = replace(RUNNING, lineage=lineage)
    outcome = done(
        engine, records, of(Step("replace", source=source_of_snapshot(older))), view, definition(state=state)
    )
    assert (outcome.error, remembered, engine.tags["berth/web:latest"]) == (None, [NEW_ID], older.id)


# Data that are meant to go


def test_what_is_erased_is_forgotten_but_for_its_scope(records: Records) -> None:
    records.write("web", RECORD)
    outcome = done(FakeEngine(), records, of("erase", "create", "start"), RUNNING)
    assert (outcome.container_id, outcome.error) == (NEW_ID, None)
    assert records.read("web") == replace(RECORD, container_id=NEW_ID)


def test_an_erasure_is_remembered_before_anything_is_made_afresh(records: Records) -> None:
    records.write("web", RECORD)
    assert done(FakeEngine("create"), records, of("erase", "create"), RUNNING).error == "create: the engine said: no"
    assert records.read("web") == Record(scope="default")


def test_what_is_forgotten_leaves_no_record_and_no_files(records: Records) -> None:
    host_state = Path(Site(records.state_dir, "default").host_state("web"))
    host_state.mkdir(parents=True)
    (host_state / "settings").touch()
    records.write("web", RECORD)
    assert done(FakeEngine(), records, of("erase", "forget"), RUNNING, None) == Outcome(True, None, ())
    assert records.of_others(()) == {} and not host_state.exists()


# All of a host


def request(parallel: int, **policy: Any) -> Request:
    return Request((), frozenset(), Site("/s", "default"), Policy(**policy), parallel)


def test_what_gives_up_ports_and_names_goes_before_what_may_take_them(monkeypatch: pytest.MonkeyPatch) -> None:
    verbs = {"a": "replace", "b": "stop", "c": "create", "d": "remove", "e": "start"}
    plans = tuple(Plan(name, (Step(verb),)) for name, verb in verbs.items())
    order: list[str] = []

    def carried(plan: Plan, *rest: Any) -> Outcome:
        order.append(plan.project)
        return Outcome(True, plan.project, ())

    monkeypatch.setattr(reconcile, "carry_out", carried)
    found = Survey(plans, (), [], dict.fromkeys(verbs, NOTHING), {}, Snapshots([], "default"))
    done_in_order = reconcile._carry_out_all(found, None, request(1))  # type: ignore[arg-type]
    assert order == ["b", "d", "a", "c", "e"]
    assert [(plan.project, outcome.container_id) for plan, outcome in done_in_order] == [(x, x) for x in verbs]
    barrier: list[str] = []

    def slow(plan: Plan, *rest: Any) -> Outcome:
        if plan.project in "bd":
            time.sleep(0.05)
        barrier.append(plan.project)
        return Outcome(True, plan.project, ())

    monkeypatch.setattr(reconcile, "carry_out", slow)
    reconcile._carry_out_all(found, None, request(5))  # type: ignore[arg-type]
    assert set(barrier[:2]) == {"b", "d"}


@pytest.mark.parametrize(("failing", "done_of"), [("", "abc"), ("a", "a"), ("b", "ab"), ("c", "abc")])
def test_an_upgrade_goes_from_one_project_to_the_next_and_stops_at_the_first_failure(
    monkeypatch: pytest.MonkeyPatch, failing: str, done_of: str
) -> None:
    plans = tuple(Plan(name, (Step("replace"),)) for name in "abc")
    found = Survey(plans, (), [], dict.fromkeys("abc", NOTHING), {}, Snapshots([], "default"))
    begun: list[str] = []

    def carried(plan: Plan, *rest: Any) -> Outcome:
        begun.extend(plan.project for _step in plan.steps)
        return Outcome(bool(plan.steps), None, (), "no" if plan.steps and plan.project == failing else None)

    monkeypatch.setattr(reconcile, "carry_out", carried)
    told = reconcile._carry_out_all(found, None, request(8, operation="upgrade"))  # type: ignore[arg-type]
    assert "".join(begun) == done_of
    assert [bool(plan.warnings) for plan, _outcome in told] == [name not in done_of for name in "abc"]


# Networks and the proxy of a container that stays


def with_proxy(status: str) -> dict[str, Any]:
    """The proxy of a project with restricted egress, as inspect shows it."""
    body = sidecar_body(restricted(), Site("/var/lib/berth", "default"), "sha256:bb")
    return inspect_answer(body, "berth-web.proxy", status, "sha256:bb", NEW_ID)


def test_a_network_that_is_missing_is_made(records: Records) -> None:
    engine = FakeEngine()
    created = View(container_of(WEB, status="created"), RECORD)
    outcome = done(engine, records, of(Step("network", "berth-web.open"), "start"), created)
    assert (engine.calls, outcome.error) == (["make-network berth-web.open", "start c0f"], None)


def test_a_container_that_waits_for_its_replacement_gets_the_networks_that_it_was_made_for(records: Records) -> None:
    engine = FakeEngine()
    old = container_of(restricted().behind("10.213.9.18"), status="created")
    outcome = done(engine, records, of(Step("network", "berth-web.inner")), View(old, RECORD), WEB)
    assert (outcome.error, engine.calls) == (None, ["make-network berth-web.inner", "make-network berth-web.egress"])
    assert engine.network_list[0]["IPAM"]["Config"][0]["Subnet"] == "10.213.9.16/28"


@pytest.mark.parametrize(("status", "is_refused"), [("exited", True), ("created", True), ("running", False)])
def test_a_container_does_not_start_where_its_network_is_not_and_one_that_runs_goes_on(
    records: Records, status: str, is_refused: bool
) -> None:
    engine, wanted = FakeEngine(), restricted().behind("10.213.9.18")
    engine.network_list = [{"Id": "n", "Name": "mine", "IPAM": {"Config": [{"Subnet": "10.213.9.16/28"}]}}]
    container = container_of(wanted, status=status)
    container["NetworkSettings"]["Networks"] = {}
    plan = of(Step("network", "berth-web.inner"), *(["start"] if is_refused else []))
    outcome = done(engine, records, plan, View(container, RECORD), wanted)
    assert ("berth-web.inner had to be made elsewhere" in (outcome.error or "")) is is_refused
    assert engine.calls == ["make-network berth-web.inner", "make-network berth-web.egress"]


@pytest.mark.parametrize(
    ("container", "wanted"),
    [(restricted(), WEB), (restricted(), restricted(settings=None))],
    ids=["another egress is declared", "only the state matters"],
)
def test_the_proxy_of_a_container_that_stays_is_started_as_it_is(
    records: Records, container: Definition, wanted: Definition
) -> None:
    engine = FakeEngine().hold(with_proxy("exited"))
    step = Step("proxy", "start", {"is_up": True})
    outcome = done(engine, records, of(step), View(container_of(container), RECORD), wanted)
    assert (outcome.error, engine.calls) == (None, ["start 4e3"])
    outcome = done(engine, records, of(Step("proxy", "stop")), View(container_of(container), RECORD), wanted)
    assert (outcome.error, engine.calls[1:]) == (None, ["stop 4e3 5"])


@pytest.mark.parametrize(("is_up", "status"), [(True, "running"), (False, "created")])
def test_a_proxy_runs_where_the_plan_says_so_whatever_state_is_declared(
    records: Records, is_up: bool, status: str
) -> None:
    """An agent at work puts a stop off, and so its proxy goes on."""
    content = b"allow nothing"
    settings = replace(SETTINGS, config=hash_of(content))
    wanted = restricted(settings=settings, state="stopped" if is_up else "started")
    engine = FakeEngine()
    engine.add_image("sha256:bb", {"Labels": {}}, settings.image)
    engine.network_list = networks_for("restricted")
    contents = {settings.config: base64.b64encode(content).decode()}
    step = Step("proxy", "make", {"is_up": is_up})
    outcome = done(engine, records, of(step), View(container_of(wanted), RECORD), wanted, contents=contents)
    assert (outcome.error, engine.names["berth-web.proxy"]) == (None, status)
