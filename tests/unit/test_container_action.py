# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The control node's half of module ``container``: what it makes of what module ``plan`` and the module proper say."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.action.container import ActionModule
from ansible_collections.berth.projects.plugins.plugin_utils.host_input import host_input
from ansible_collections.berth.projects.plugins.plugin_utils.project_action import Handover, Order

FAILED = {"name": "bad", "error": "memory: more than the host has", "changed": False, "action": "none"}


class Action(ActionModule):
    """One whose modules say what the test says."""

    def __init__(self, *answers: dict[str, Any], check_mode: bool = False) -> None:
        self._task = SimpleNamespace(check_mode=check_mode, diff=False)  # type: ignore[assignment]
        self._answers = list(answers)
        self.asked: list[str] = []

    def _ask(self, module: str, module_args: dict[str, Any], task_vars: Any) -> dict[str, Any]:
        self.asked.append(module.rpartition(".")[2])
        return dict(self._answers.pop(0))

    def answer(self, order: Order) -> dict[str, Any]:
        return self._finish(self._answer(order, Handover({}, {}, {}), {}), order)


def order(**args: Any) -> Order:
    checked = host_input("web1", {"berth_projects": []})
    return Order("web1", args, checked, [], [], [], True, None)


def test_what_a_host_lacks_is_brought_in_although_a_project_is_wrong() -> None:
    """Else nothing would be built as long as any one project of the host is not right."""
    action = Action(
        {"needs": ["image"], "projects": [FAILED], "orphans": [], "failed": True, "msg": "1 of 2", "is_due": True}
    )
    answer = action.answer(order())
    assert (answer["needs"], answer.get("failed"), action.asked) == (["image"], None, ["plan"])


@pytest.mark.parametrize(("needs", "drifted"), [(["image"], True), ([], None)])
def test_a_gate_for_drift_fails_where_an_image_would_be_made(needs: list[str], drifted: bool | None) -> None:
    action = Action({"needs": needs, "projects": [], "orphans": [], "changed": False}, check_mode=True)
    answer = action.answer(order(fail_on_drift=True))
    assert (answer.get("drifted"), answer.get("failed")) == (drifted, drifted)
