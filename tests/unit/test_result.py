# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a module tells of its work, and how it ends."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import pytest
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError, EngineError
from ansible_collections.berth.projects.plugins.module_utils.plan import Plan, Reason
from ansible_collections.berth.projects.plugins.module_utils.result import (
    Outcome,
    failure_message,
    only_planned,
    result_of,
)
from ansible_collections.berth.projects.plugins.module_utils.runner import run_module
from ansible_collections.berth.projects.plugins.module_utils.steps import Step
from ansible_collections.berth.projects.plugins.module_utils.world import View
from ansible_collections.berth.projects.tests.unit.builders import container_of, definition, plan

WEB = definition()
DONE = Outcome(True, "id", ())


@pytest.mark.parametrize(
    ("state", "status", "after"),
    [
        ("started", None, "running"),
        ("stopped", None, "created"),
        ("absent", None, "absent"),
        ("started", "running", "running"),
        ("started", "exited", "running"),
        ("started", "paused", "running"),
        ("stopped", "running", "exited"),
        ("stopped", "exited", "exited"),
        ("absent", "running", "absent"),
    ],
)
def test_the_status_is_that_after_the_steps(state: str, status: str | None, after: str) -> None:
    wanted = definition(state=state)
    container = container_of(wanted, status=status) if status else None
    made = plan(wanted, container)
    assert result_of(made, View(container=container), wanted, DONE)["status"] == after


@pytest.mark.parametrize(("state", "after"), [("started", "running"), ("stopped", "created")])
def test_a_new_container_of_a_stopped_project_never_runs(state: str, after: str) -> None:
    wanted = definition(state=state, env={"A": "b"})
    container = container_of(WEB)
    result = result_of(plan(wanted, container), View(container=container), wanted, DONE)
    assert (result["action"], result["status"]) == ("replace", after)


def test_an_entry_is_plain_data_with_the_published_keys() -> None:
    made = Plan("web", (Step("pull", "x:1"), Step("replace")), (Reason("restart", {"policy": "a"}, {"policy": "b"}),))
    result = result_of(made, View(container=container_of(WEB)), WEB, Outcome(True, "id", ("careful",)))
    assert json.loads(json.dumps(result)) == {
        "name": "web",
        "changed": True,
        "action": "replace",
        "steps": ["pull x:1", "replace"],
        "reasons": [{"aspect": "restart", "before": {"policy": "a"}, "after": {"policy": "b"}}],
        "container_id": "id",
        "image": "berth-base:latest",
        "runtime": "runc",
        "status": "running",
        "warnings": ["careful"],
        "error": None,
        "snapshot": None,
    }


def test_steps_that_were_put_off_are_not_among_those_done() -> None:
    made = Plan("web", (Step("update", "restart"), Step("stop"), Step("clean")))
    result = result_of(made, View(container=container_of(WEB)), WEB, Outcome(True, "id", (), put_off=2))
    assert (result["steps"], result["action"], result["status"]) == (["update restart"], "update", "running")


def test_a_project_that_failed_has_the_status_it_had() -> None:
    made = Plan("web", (Step("stop"),))
    result = result_of(made, View(container=container_of(WEB)), WEB, Outcome(False, "id", (), "It broke."))
    assert (result["changed"], result["status"], result["error"]) == (False, "running", "It broke.")


def test_a_project_that_failed_after_its_first_step_has_changed() -> None:
    made = Plan("web", (Step("rename", "berth-web"), Step("stop")))
    result = result_of(made, View(container=container_of(WEB)), WEB, Outcome(True, "id", (), "It broke."))
    assert (result["changed"], result["status"], result["error"]) == (True, "running", "It broke.")


def test_an_undeclared_project_has_no_image() -> None:
    assert result_of(Plan("old"), View(), None, Outcome(False, None, ()))["image"] is None


@pytest.mark.parametrize(("steps", "changed"), [((), False), ((Step("stop"),), True)])
def test_what_is_only_planned_would_change_what_it_has_steps_for(steps: tuple[Step, ...], changed: bool) -> None:
    container = container_of(WEB)
    outcome = only_planned(Plan("web", steps, warnings=("careful",)), View(container=container))
    assert outcome == Outcome(changed, container["Id"], ("careful",))


def test_what_cannot_be_planned_is_an_error_and_no_change() -> None:
    assert only_planned(Plan("web", (Step("create"),)).failed("No."), View()) == Outcome(False, None, (), "No.")


@pytest.mark.parametrize(
    ("failed", "of", "message"),
    [
        (["a"], 1, "a: no"),
        (["a"], 3, "1 of 3 projects failed on this host:\n- a: no"),
        (["a", "b"], 3, "2 of 3 projects failed on this host:\n- a: no\n- b: no"),
    ],
)
def test_a_failure_names_each_project(failed: list[str], of: int, message: str) -> None:
    assert failure_message([{"name": name, "error": "no"} for name in failed], of) == message


# The end of a module


class Ended(Exception):
    pass


class FakeModule:
    """Ends as AnsibleModule does, by an exception, and remembers how."""

    def __init__(self) -> None:
        self.failed: bool | None = None
        self.said: dict[str, Any] = {}

    def exit_json(self, **said: Any) -> NoReturn:
        self._end(False, said)

    def fail_json(self, **said: Any) -> NoReturn:
        self._end(True, said)

    def _end(self, failed: bool, said: dict[str, Any]) -> NoReturn:
        assert self.failed is None, "a module ends once"
        self.failed, self.said = failed, said
        raise Ended


def ended(body: Any) -> FakeModule:
    module = FakeModule()
    with pytest.raises(Ended):
        run_module(module, body)
    return module


def raising(error: Exception) -> Any:
    def body(module: Any) -> dict[str, Any]:
        raise error

    return body


def test_a_result_leaves_by_the_front_door() -> None:
    module = ended(lambda module: {"changed": True})
    assert (module.failed, module.said) == (False, {"changed": True})


def test_a_failed_result_fails_the_task_with_all_it_has() -> None:
    result = {"changed": True, "failed": True, "msg": "1 of 2", "projects": []}
    module = ended(lambda module: result)
    assert (module.failed, module.said) == (True, result)


@pytest.mark.parametrize("error", [BerthError("Do this."), EngineError("Do this.", 500)])
def test_an_error_for_the_user_is_told_as_it_is(error: Exception) -> None:
    module = ended(raising(error))
    assert (module.failed, module.said) == (True, {"msg": "Do this."})


@pytest.mark.parametrize("kind", [ValueError, KeyError, TypeError, RuntimeError, UnicodeError])
def test_an_unexpected_exception_never_shows_its_text(kind: type[Exception]) -> None:
    marker = "v3ry-pr1vate-m4rker"
    module = ended(raising(kind(marker)))
    assert module.failed is True
    assert marker not in json.dumps(module.said)
    assert kind.__name__ in module.said["msg"] and "test_result.py" in module.said["msg"]


def test_nor_does_one_that_came_of_another() -> None:
    def body(module: Any) -> dict[str, Any]:
        try:
            json.loads("v3ry-pr1vate-m4rker")
        except ValueError as error:
            raise RuntimeError("v3ry-pr1vate-m4rker") from error
        return {}

    assert "m4rker" not in json.dumps(ended(body).said)
