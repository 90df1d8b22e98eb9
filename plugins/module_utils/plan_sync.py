# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Planning of what needs no new container: host state, and what a running container takes over of it. Pure."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.berth.projects.plugins.module_utils.aspects_process import user_of
from ansible_collections.berth.projects.plugins.module_utils.definition import User
from ansible_collections.berth.projects.plugins.module_utils.host_state import (
    EMPTY,
    GENERATION,
    HostState,
    differences_by_aspect,
    differing_files,
    is_generation_current,
)
from ansible_collections.berth.projects.plugins.module_utils.plan import Case, Plan, Reason
from ansible_collections.berth.projects.plugins.module_utils.steps import Step
from ansible_collections.berth.projects.plugins.module_utils.world import View

_MAKING = ("restore", "reset", "upgrade")
_MAKES_IT_START = frozenset(("create", "start", "restart", "replace"))
_ENDS_IT = frozenset(("stop", "remove", "erase"))


def with_sync(plan: Plan, case: Case) -> Plan:
    """The plan with host state brought up to date before everything else, and taken over after it.

    A container takes it over by itself when it starts, so that one which is going to needs no step for that.
    """
    definition, view = case.definition, case.view
    if plan.error or not _is_synced(plan, case.policy.operation):
        return plan
    if definition.state == "absent":
        return without_host_state(plan, view)
    user = _reader(plan, case)
    wanted, found = definition.host_state, view.files
    differing = differing_files(wanted, user.uid, found)
    reasons = [
        Reason(aspect, before, after)
        for aspect, (before, after) in differences_by_aspect(wanted, differing, found).items()
    ]
    steps = plan.steps
    if differing or not is_generation_current(wanted, user.uid, found):
        if not differing:
            reasons.append(Reason("host state", {GENERATION: None}, {GENERATION: "written last"}))
        detail = ", ".join(sorted({reason.aspect for reason in reasons}))
        steps = (Step("sync", detail, {"files": differing, "uid": user.uid, "gid": user.gid}), *steps)
    if _is_take_over_due(plan, view, wanted):
        if not reasons:
            reasons.append(Reason("take-over", "cut off or failed", "done"))
        steps = (*steps, Step("take-over"))
    return replace(plan, steps=steps, reasons=(*plan.reasons, *reasons))


def without_host_state(plan: Plan, view: View) -> Plan:
    """The plan for a project that is removed: what was private in its host state goes, too."""
    none, verbs = HostState(), _verbs(plan)
    differing = differing_files(none, 0, view.files)
    if plan.error or "forget" in verbs or not (differing or not is_generation_current(none, None, view.files)):
        return plan
    if view.status != "absent" and not verbs & _ENDS_IT:  # put off: an agent is at work in it
        return plan
    step = Step("sync", "host state", {"files": differing})
    reason = Reason("host state", f"{len(differing)} files", "none")
    return replace(plan, steps=(*plan.steps, step), reasons=(*plan.reasons, reason))


def _is_synced(plan: Plan, operation: str) -> bool:
    """A new container finds the files of its own agent; one that is put off leaves those that there are."""
    is_made = plan.making is not None or "erase" in _verbs(plan)
    return operation == "provision" or (operation in _MAKING and is_made)


def _reader(plan: Plan, case: Case) -> User:
    """Whose files they are: the declared agent's; or, as long as a change of that waits, the one's that is at work."""
    user, container = case.definition.user, case.view.container
    if user is None:
        raise ValueError("the user is not settled")
    return (user_of(container) if container and _goes_on(plan, case.view) else None) or user


def _is_take_over_due(plan: Plan, view: View, wanted: HostState) -> bool:
    is_going_on = _goes_on(plan, view) and not view.is_aside
    return is_going_on and (view.record.taken or EMPTY) != wanted.generation


def _goes_on(plan: Plan, view: View) -> bool:
    """Whether the container runs, and nothing of the plan ends or starts it."""
    return view.is_running and not _verbs(plan) & (_MAKES_IT_START | _ENDS_IT)


def _verbs(plan: Plan) -> frozenset[str]:
    return frozenset(step.verb for step in plan.steps)
