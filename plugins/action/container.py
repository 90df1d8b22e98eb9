# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.utils.display import Display
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.options import container_args, plan_args
from ansible_collections.berth.projects.plugins.module_utils.terms import ERASING, FROM_DEFINITION
from ansible_collections.berth.projects.plugins.plugin_utils.agent_keys import load
from ansible_collections.berth.projects.plugins.plugin_utils.confirm import demand_confirmed, demand_found
from ansible_collections.berth.projects.plugins.plugin_utils.host_input import refuse
from ansible_collections.berth.projects.plugins.plugin_utils.project_action import (
    Handover,
    Order,
    ProjectAction,
)
from ansible_collections.berth.projects.plugins.plugin_utils.report import diff_of, plan_lines, warnings_of


class ActionModule(ProjectAction):
    """Checks and merges on the control node, lets the module reconcile, and tells people what was done."""

    module = "berth.projects.container"
    options = staticmethod(container_args)
    writes_host_state = True

    def _demand(self, order: Order) -> None:
        if _is_gate(order):
            refuse(load("drift").gate_problems(order.operation or "provision", self._task.check_mode))
        if order.plan_file:
            load("plan_file").checked_place(order.plan_file)
        if order.operation == "restore" and not order.only:
            raise BerthError(
                "Nothing was changed: a restore puts an earlier state in the place of what there is, so say of which "
                "projects (berth_only)."
            )
        if order.operation in ERASING and not self._task.check_mode:
            demand_confirmed(str(order.operation), order.names, order.args.get("confirm"))

    def _answer(self, order: Order, handover: Handover, task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """Ask module ``plan`` first, for most runs end with what that says: it is half of the one that acts.

        What it says is not what is then done. The module that acts looks again, once it holds the host's lock.
        """
        if (order.operation or "provision") not in FROM_DEFINITION:
            return super()._answer(order, handover, task_vars)
        known = plan_args()
        options = {key: value for key, value in handover.args().items() if key in known}
        answer = self._ask("berth.projects.plan", options, task_vars)
        is_due = answer.pop("is_due", False)
        if self._task.check_mode:
            return answer
        if answer.get("needs"):  # what is wrong with a project is told once all that the host lacks is there
            return {"changed": False, "needs": answer["needs"], "projects": [], "orphans": []}
        return super()._answer(order, handover, task_vars) if is_due else answer

    def _finish(self, answer: dict[str, Any], order: Order) -> dict[str, Any]:
        projects = _found(answer, order)
        answer["projects"] = projects
        if order.operation in ERASING:
            answer["to_confirm"] = [entry["name"] for entry in projects] if answer.get("changed") else []
        lines = plan_lines(order.host, projects, self._task.check_mode, order.operation or "provision")
        if lines:
            Display().display("\n".join(lines))  # at once, or another host's come in between
        answer["warnings"] = [
            *answer.get("warnings", ()),
            *order.checked.warnings,
            *warnings_of(order.host, projects),
        ]
        if (
            answer.get("failed") and projects
        ):  # what went well was told above; the rest of the result would bury the reason
            if not order.plan_file:
                answer["projects"] = [entry for entry in projects if entry["error"]]
                answer["others"] = dict(Counter(_came_to(entry) for entry in projects if not entry["error"]))
                answer.pop("orphans", None)
        elif _is_gate(order) and (answer.get("changed") or answer.get("needs")):
            answer.update(failed=True, drifted=True, msg=load("drift").drift_message(projects, answer["needs"]))
        if self._task.diff:
            answer["diff"] = diff_of(order.host, projects)
        return answer


def _is_gate(order: Order) -> bool:
    return bool(boolean(order.args.get("fail_on_drift", False), strict=False))


def _came_to(project: Mapping[str, Any]) -> str:
    return str(project["action"]) if project["changed"] else "none"


def _found(answer: Mapping[str, Any], order: Order) -> list[Mapping[str, Any]]:
    """The projects without those that are neither declared nor anything on the host.

    Raises:
        BerthError: There are such, and no other host could have them.
    """
    projects: Sequence[Mapping[str, Any]] = answer.get("projects") or ()
    if "orphans" not in answer:
        return list(projects)
    known = {*order.checked.names, *(orphan["project"] for orphan in answer["orphans"])}
    if order.is_alone:
        demand_found(order.undeclared, known, known, f"on {order.host}")
    return [entry for entry in projects if entry["error"] or entry["name"] in known]
