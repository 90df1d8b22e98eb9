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

_SYNCED = ("provision", "restore", "reset")
_MAKES_IT_START = ("create", "start", "restart", "replace")
_ENDS_IT = ("stop", "remove", "erase")


def with_sync(plan: Plan, case: Case) -> Plan:
    """The plan with host state brought up to date before everything else, and taken over after it.

    A container takes it over by itself when it starts, so that one which is going to needs no step for that.
    """
    definition, view = case.definition, case.view
    if plan.error or case.policy.operation not in _SYNCED:
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
    none = HostState()
    differing = differing_files(none, 0, view.files)
    is_forgotten = any(step.verb == "forget" for step in plan.steps)
    if plan.error or is_forgotten or not (differing or not is_generation_current(none, 0, view.files)):
        return plan
    is_put_off = view.status != "absent" and not any(step.verb in _ENDS_IT for step in plan.steps)
    if is_put_off:  # an agent is at work in it
        return plan
    step, reason = (
        Step("sync", "host state", {"files": differing}),
        Reason("host state", f"{len(differing)} files", "none"),
    )
    return replace(plan, steps=(*plan.steps, step), reasons=(*plan.reasons, reason))


def _reader(plan: Plan, case: Case) -> User:
    """Whose files they are: the declared agent's; or, as long as a change of that waits, the one's that is at work."""
    user, container = case.definition.user, case.view.container
    if user is None:
        raise ValueError("the user is not settled")
    is_going_on = case.view.is_running and not {step.verb for step in plan.steps} & {*_MAKES_IT_START, *_ENDS_IT}
    return (user_of(container) if is_going_on and container else None) or user


def _is_take_over_due(plan: Plan, view: View, wanted: HostState) -> bool:
    verbs = {step.verb for step in plan.steps}
    if not view.is_running or view.is_aside or verbs & {*_MAKES_IT_START, *_ENDS_IT}:
        return False
    return (view.record.taken or EMPTY) != wanted.generation
