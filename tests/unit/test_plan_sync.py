# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When host state is written, and when a running container is told to take it over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.definition import Definition, User
from ansible_collections.berth.projects.plugins.module_utils.host_state import (
    GENERATION,
    UNFINISHED,
    FoundFile,
    HostState,
    WantedFile,
    hash_of,
)
from ansible_collections.berth.projects.plugins.module_utils.networks import Networks
from ansible_collections.berth.projects.plugins.module_utils.plan import Case, Plan, Policy
from ansible_collections.berth.projects.plugins.module_utils.planner import plan_project, plan_undeclared
from ansible_collections.berth.projects.plugins.module_utils.records import Record
from ansible_collections.berth.projects.plugins.module_utils.world import View
from ansible_collections.berth.projects.tests.unit.builders import (
    CONTAINER_ID,
    IMAGE,
    SITE,
    container_of,
    definition,
    images,
    networks_for,
)

STATE = HostState({"prompt.md": WantedFile(hash_of(b"x"), "prompt"), "secrets/a": WantedFile(hash_of(b"y"), "secrets")})
WEB = replace(definition(), host_state=STATE)
RECORD = Record(CONTAINER_ID, 1000, 1000, taken=STATE.generation)


def there(state: HostState = STATE) -> dict[str, FoundFile]:
    """What the folder has when the state was written."""
    files = {path: FoundFile(one.hash, one.mode, 1000) for path, one in state.files.items()}
    return {**files, GENERATION: FoundFile(hash_of(state.generation.encode()), 0o400, 1000)}


def plan(
    wanted: Definition = WEB,
    files: Mapping[str, FoundFile] | None = None,
    record: Record = RECORD,
    container: Mapping[str, Any] | None = None,
    agents: tuple[str, ...] = (),
    **policy: Any,
) -> Plan:
    found = container_of(WEB) if container is None else container
    there_are = Networks(networks_for("open"), SITE.scope)
    networks = there_are.of("web") if found else ()
    files = there() if files is None else files
    view = View(found or None, record, files=files, agents=agents, networks=networks)
    return plan_project(Case(wanted, view, images(), SITE, Policy(**policy), there_are))


def steps(planned: Plan) -> list[str]:
    return [str(step) for step in planned.steps]


def test_what_is_written_and_taken_over_needs_nothing() -> None:
    assert plan() == Plan("web")


def test_what_differs_is_written_first_and_taken_over_last() -> None:
    files = {**there(), "secrets/a": FoundFile("other", 0o400, 1000)}
    planned = plan(files=files, record=replace(RECORD, taken="older"))
    assert steps(planned) == ["sync secrets", "take-over"]
    assert planned.action == "sync"
    assert [(one.aspect, one.before, one.after) for one in planned.reasons] == [
        ("secrets", {"secrets/a": "there"}, {"secrets/a": "changed"})
    ]
    assert planned.steps[0].body == {"files": ["secrets/a"], "uid": 1000, "gid": 1000}


def test_a_take_over_that_was_cut_off_is_made_up_for() -> None:
    planned = plan(record=replace(RECORD, taken=None))
    assert steps(planned) == ["take-over"]
    assert planned.reasons[0].aspect == "take-over"


def test_a_take_over_that_failed_is_undone_also_where_nothing_is_declared_any_more() -> None:
    bare = replace(WEB, host_state=HostState())
    assert steps(plan(bare, files=there(HostState()), record=replace(RECORD, taken=UNFINISHED))) == ["take-over"]


def test_files_that_were_all_written_but_not_called_complete_are() -> None:
    files = there()
    del files[GENERATION]
    planned = plan(files=files)
    assert steps(planned) == ["sync host state"]
    assert planned.steps[0].body == {"files": [], "uid": 1000, "gid": 1000}


def test_a_container_that_is_going_to_start_takes_over_by_itself() -> None:
    record = replace(RECORD, taken=None)
    stopped = container_of(WEB, status="exited")
    assert steps(plan(files={}, record=record, container=stopped)) == ["sync prompt, secrets", "start"]
    assert steps(plan(files={}, record=record, container={})) == ["sync prompt, secrets", "create", "start"]
    moved = replace(WEB, env=(("A", "1"),))
    assert steps(plan(moved, files={}, record=record)) == ["sync prompt, secrets", "replace"]


def test_a_container_that_is_or_will_be_stopped_is_not_told_to() -> None:
    record = replace(RECORD, taken=None)
    off = replace(WEB, state="stopped")
    assert steps(plan(off, files={}, record=record)) == ["sync prompt, secrets", "stop"]
    exited = container_of(WEB, status="exited")
    assert steps(plan(off, files={}, record=record, container=exited)) == ["sync prompt, secrets"]


def test_a_paused_container_is_told_once_it_goes_on() -> None:
    paused = container_of(WEB, status="paused")
    assert steps(plan(files={}, record=replace(RECORD, taken=None), container=paused)) == [
        "sync prompt, secrets",
        "unpause",
        "take-over",
    ]


def test_an_agent_at_work_does_not_put_it_off() -> None:
    moved = replace(WEB, env=(("A", "1"),))
    planned = plan(moved, files={}, record=replace(RECORD, taken=None), agents=("claude",))
    assert steps(planned) == ["sync prompt, secrets", "take-over"]
    assert "replace deferred" in planned.warnings[0]


def test_an_agent_at_work_can_read_its_files_as_long_as_a_change_of_its_ids_waits() -> None:
    other = replace(WEB, user=User(1001, 1001))
    waiting = plan(other, agents=("claude",))
    assert (waiting.steps, "replace deferred" in waiting.warnings[0]) == ((), True)
    replaced = plan(other)
    assert steps(replaced) == ["sync prompt, secrets", "replace"]
    assert replaced.steps[0].body == {"files": ["prompt.md", "secrets/a"], "uid": 1001, "gid": 1001}


def test_starting_and_stopping_leave_it_alone() -> None:
    assert plan(files={}, record=replace(RECORD, taken=None), operation="state") == Plan("web")


def test_an_upgrade_writes_it_for_the_agent_of_the_new_container() -> None:
    upgrade: Mapping[str, Any] = {"operation": "upgrade", "apply_images": True}
    older = container_of(WEB, image_id="sha256:older")
    moved = replace(WEB, user=User(1001, 1001))
    assert steps(plan(moved, container=older, **upgrade)) == ["sync prompt, secrets", f"replace from {IMAGE}"]
    assert steps(plan(moved, container=older, agents=("claude",), **upgrade)) == []


@pytest.mark.parametrize("operation", ["reset", "upgrade", "destroy"])
def test_what_is_put_off_for_an_agent_at_work_leaves_it_alone_as_well(operation: str) -> None:
    newer = replace(definition(image="berth-other:1"), host_state=STATE)
    found = plan(newer, files={}, agents=("claude",), operation=operation)
    assert (found.steps, found.error) == ((), None)
    assert "at work" in found.warnings[0]


def test_an_upgrade_that_makes_no_container_leaves_it_alone() -> None:
    changed = replace(WEB, host_state=HostState())
    assert steps(plan(changed, operation="upgrade", apply_images=True)) == []


def test_what_is_declared_no_more_is_taken_back() -> None:
    bare = replace(WEB, host_state=HostState())
    assert steps(plan(bare)) == ["sync host state", "take-over"]
    assert plan(bare, files=there(HostState()), record=replace(RECORD, taken="empty")) == Plan("web")
    assert plan(bare, files={}, record=replace(RECORD, taken=None)) == Plan("web")


def test_an_empty_state_that_root_alone_may_read_is_written_again_before_it_is_taken_over() -> None:
    bare = replace(WEB, host_state=HostState())
    roots = {GENERATION: FoundFile(hash_of(b"empty"), 0o400, 0)}
    assert steps(plan(bare, files=roots)) == ["sync host state", "take-over"]
    assert steps(plan(bare, files=roots, container={})) == ["sync host state", "create", "start"]
    assert steps(plan(replace(WEB, state="absent"), files=roots, container={})) == []


@pytest.mark.parametrize("options", [{}, {"operation": "destroy"}])
def test_what_is_private_goes_with_a_project_that_is_removed(options: dict[str, str]) -> None:
    gone = replace(WEB, state="absent") if not options else WEB
    assert steps(plan(gone, **options)) == ["remove", "sync host state", "clean network berth-web.open"]
    assert steps(plan(gone, container={}, **options)) == ["sync host state"]
    assert steps(plan(gone, files=there(HostState()), container={}, **options)) == []


def test_host_state_stays_as_long_as_a_removal_waits_for_an_agent() -> None:
    assert plan(replace(WEB, state="absent"), agents=("claude",)).steps == ()


def test_a_project_that_is_pruned_or_destroyed_whole_takes_its_host_state_along() -> None:
    view = View(container_of(WEB), RECORD, files=there())
    assert steps(plan_undeclared("web", view, Policy())) == ["remove", "sync host state"]
    assert steps(plan_undeclared("web", view, Policy(operation="destroy"))) == ["remove", "sync host state"]
    whole = Policy(operation="destroy", destroy_data=True)
    assert steps(plan_undeclared("web", view, whole)) == ["erase", "forget"]


def test_a_project_that_failed_is_left_alone() -> None:
    clash = View(clash="another's", files={})
    assert plan_project(Case(WEB, clash, images(), SITE, Policy())) == Plan("web", error="another's")
