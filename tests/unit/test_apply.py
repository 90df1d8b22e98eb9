# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of a plan: which steps are done, what is remembered, and what is told after a failure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.apply import _STEPS, Tools, carry_out
from ansible_collections.berth.projects.plugins.module_utils.aspect import Site
from ansible_collections.berth.projects.plugins.module_utils.errors import EngineError
from ansible_collections.berth.projects.plugins.module_utils.launch import READY, WARNING, Launcher
from ansible_collections.berth.projects.plugins.module_utils.names import CONTRACT, aside_name
from ansible_collections.berth.projects.plugins.module_utils.plan import Plan
from ansible_collections.berth.projects.plugins.module_utils.records import Record, Records
from ansible_collections.berth.projects.plugins.module_utils.result import Outcome
from ansible_collections.berth.projects.plugins.module_utils.steps import VERBS, Step
from ansible_collections.berth.projects.plugins.module_utils.world import View
from ansible_collections.berth.projects.tests.unit.builders import CONTAINER_ID, container_of, definition

WEB = definition()
NEW_ID = "4e3" + "0" * 61
RECORD = Record(CONTAINER_ID, 1000, 1000)
RUNNING = View(container=container_of(WEB), record=RECORD)
NOTHING = View()


class FakeEngine:
    """Does nothing and writes it down; the calls named in ``broken`` fail."""

    def __init__(self, *broken: str, output: tuple[str, ...] = (READY,)) -> None:
        self.calls: list[str] = []
        self._broken = broken
        self._output = output

    def _call(self, name: str, *details: str) -> None:
        self.calls.append(" ".join((name, *details)))
        if name in self._broken:
            raise EngineError(f"{name}: the engine said: no", 500)

    def pull(self, reference: str) -> None:
        self._call("pull", reference)

    def create(self, name: str, body: Mapping[str, Any]) -> str:
        self._call("create", name)
        return NEW_ID

    def start(self, container_id: str) -> None:
        self._call("start", container_id[:3])

    def start_and_listen(self, container_id: str, seconds: float) -> Iterator[str]:
        self._call("start", container_id[:3])
        yield from self._output

    def stop(self, container_id: str, seconds: int) -> None:
        self._call("stop", container_id[:3], str(seconds))

    def unpause(self, container_id: str) -> None:
        self._call("unpause", container_id[:3])

    def rename(self, container_id: str, name: str) -> None:
        self._call("rename", container_id[:3], name)

    def remove(self, container_id: str) -> None:
        self._call("remove", container_id[:3])

    def update(self, container_id: str, body: Mapping[str, Any]) -> None:
        self._call("update", container_id[:3], *body)

    def connect_network(self, network: str, container_id: str) -> None:
        self._call("connect", container_id[:3], network)

    def container(self, name_or_id: str) -> dict[str, Any]:
        return container_of(WEB, status="exited", container_id=name_or_id)

    def image(self, reference: str) -> dict[str, Any]:
        return {"Config": {"Labels": {CONTRACT: "1"}}}


@pytest.fixture
def records(tmp_path: Path) -> Records:
    made = Records(str(tmp_path))
    with made.locked(0):
        pass
    return made


def done(engine: FakeEngine, records: Records, plan: Plan, view: View, wanted: Any = WEB) -> Outcome:
    launcher = Launcher(engine, Site(records.state_dir, "default"), records, 5)  # type: ignore[arg-type]
    tools = Tools(engine, records, launcher, 7)  # type: ignore[arg-type]
    return carry_out(plan, wanted, view, tools)


def of(*steps: Step | str, **keys: Any) -> Plan:
    return Plan("web", tuple(Step(step) if isinstance(step, str) else step for step in steps), **keys)


def test_every_verb_can_be_carried_out_and_nothing_else() -> None:
    assert sorted(_STEPS) == sorted(VERBS)


@pytest.mark.parametrize(
    ("step", "call"),
    [
        (Step("pull", "tool:1"), "pull tool:1"),
        (Step("rename", "berth-web"), "rename c0f berth-web"),
        (Step("update", "restart", {"RestartPolicy": {}}), "update c0f RestartPolicy"),
        (Step("connect", "bridge"), "connect c0f bridge"),
        (Step("unpause"), "unpause c0f"),
        (Step("start"), "start c0f"),
        (Step("stop"), "stop c0f 7"),
    ],
    ids=str,
)
def test_a_step_is_one_call_for_the_container_that_is_there(records: Records, step: Step, call: str) -> None:
    engine = FakeEngine()
    outcome = done(engine, records, of(step), RUNNING)
    assert (engine.calls, outcome) == ([call], Outcome(True, CONTAINER_ID, ()))


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


# What was done before a failure


RENAME, UPDATE, CONNECT = Step("rename", "berth-web"), Step("update", "restart", {}), Step("connect", "bridge")


@pytest.mark.parametrize(
    ("broken", "calls", "changed"),
    [
        ("rename", ["rename c0f berth-web"], False),
        ("update", ["rename c0f berth-web", "update c0f"], True),
        ("connect", ["rename c0f berth-web", "update c0f", "connect c0f bridge"], True),
    ],
)
def test_a_run_has_changed_something_when_a_step_was_done_before_another_failed(
    records: Records, broken: str, calls: list[str], changed: bool
) -> None:
    engine = FakeEngine(broken)
    outcome = done(engine, records, of(RENAME, UPDATE, CONNECT, warnings=("careful",)), RUNNING)
    assert outcome == Outcome(changed, CONTAINER_ID, ("careful",), f"{broken}: the engine said: no")
    assert engine.calls == calls


def test_nothing_is_remembered_of_a_run_that_failed(records: Records) -> None:
    done(FakeEngine("update"), records, of(RENAME, UPDATE), replace(RUNNING, record=Record()))
    assert records.read("web") == Record()


def test_an_image_that_was_pulled_before_a_failure_is_a_change(records: Records) -> None:
    engine = FakeEngine("create")
    outcome = done(engine, records, of(Step("pull", "tool:1"), "create", "start"), NOTHING)
    assert outcome == Outcome(True, None, (), "create: the engine said: no")
    assert engine.calls == ["pull tool:1", "create berth-web"]


def test_a_new_container_that_does_not_become_ready_is_removed(records: Records) -> None:
    engine = FakeEngine(output=("berth: error: It is too dark.",))
    outcome = done(engine, records, of("create", "start"), NOTHING)
    assert engine.calls == ["create berth-web", "start 4e3", "remove 4e3"]
    assert outcome.container_id is None
    assert outcome.error is not None and "Its last lines: It is too dark." in outcome.error
    assert records.read("web") == Record()


def test_a_replace_that_fails_leaves_the_old_container_and_its_record(records: Records) -> None:
    records.write("web", RECORD)
    engine = FakeEngine("create")
    outcome = done(engine, records, of("replace"), RUNNING)
    assert outcome == Outcome(
        False, CONTAINER_ID, (), "create: the engine said: no The old container is running as berth-web."
    )
    assert engine.calls[-1] == "start c0f"
    assert records.read("web") == RECORD


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
    assert records.read("web") == Record(NEW_ID, 1000, 1000)


def test_a_replaced_container_is_remembered_in_place_of_the_old_one(records: Records) -> None:
    outcome = done(FakeEngine(), records, of("replace"), RUNNING)
    assert outcome == Outcome(True, NEW_ID, ())
    assert records.read("web") == Record(NEW_ID, 1000, 1000)


def test_a_removed_container_is_kept_aside_and_its_ids_remembered(records: Records) -> None:
    engine = FakeEngine()
    outcome = done(engine, records, of("remove"), RUNNING, None)
    aside = aside_name("web", CONTAINER_ID)
    assert engine.calls == ["update c0f RestartPolicy", "stop c0f 7", f"rename c0f {aside}"]
    assert (outcome.changed, outcome.container_id, outcome.error) == (True, None, None)
    assert len(outcome.warnings) == 1 and f"is kept, stopped, as {aside}" in outcome.warnings[0]
    assert records.read("web") == Record(None, 1000, 1000)
