# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of a project for each operation: one table says who plans which. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Callable

from ansible_collections.berth.projects.plugins.module_utils.lineage import LATEST_TAG
from ansible_collections.berth.projects.plugins.module_utils.plan import (
    Case,
    Plan,
    Policy,
    Reason,
    defer,
    must_wait,
    waiting,
)
from ansible_collections.berth.projects.plugins.module_utils.plan_image import (
    image_steps,
    is_outdated,
    source_of_snapshot,
)
from ansible_collections.berth.projects.plugins.module_utils.plan_network import with_network, without_network
from ansible_collections.berth.projects.plugins.module_utils.plan_provision import (
    differences,
    mending_reasons,
    mending_steps,
    plan_differences,
    plan_provision,
    plan_removal,
    refusal,
)
from ansible_collections.berth.projects.plugins.module_utils.plan_sync import with_sync, without_host_state
from ansible_collections.berth.projects.plugins.module_utils.steps import Step
from ansible_collections.berth.projects.plugins.module_utils.world import View


def plan_project(case: Case) -> Plan:
    """What is to be done for one project."""
    left = _left_alone(case.name, case.view, case.policy)
    return left or with_network(with_sync(_PLANNERS[case.policy.operation](case), case), case)


def plan_undeclared(project: str, view: View, policy: Policy) -> Plan:
    """Removal of what no definition names any more: by pruning, or because a run destroys it."""
    left = _left_alone(project, view, policy)
    if left:
        return left
    if policy.operation == "destroy":
        return without_network(without_host_state(_plan_destruction(project, view, policy), view), view)
    plan = plan_removal(project, view, policy, reason=Reason("state", view.status, "not declared"))
    is_bare = not view.lineage.snapshots and not view.volumes and not view.asides
    if view.container is None and is_bare and view.has_state:
        plan = _forgetting(plan)
    return without_network(without_host_state(plan, view), view)


def _left_alone(project: str, view: View, policy: Policy) -> Plan | None:
    """The plan where nothing may be done whatever the operation, or None.

    That is where a name clashes, or somebody has begun to work in a container that was not seen ready and would make
    way.
    """
    if view.clash:
        return Plan(project, error=view.clash)
    if view.unproven is not None and must_wait(view, policy):
        return Plan(project, warnings=(waiting("the way back to the container before", view, policy.is_repeated),))
    return None


def _plan_upgrade(case: Case) -> Plan:
    """Rebase a project onto its declared image, where that is another one than its container grew from."""
    view = case.view
    if case.definition.state == "absent" or view.container is None:
        return Plan(case.name)
    refused = refusal(case)
    if refused:
        return Plan(case.name, error=refused)
    found = differences(case.definition, view.container, case.site)
    if not any(one.is_image for one in found) and not is_outdated(case):
        mending = mending_steps(case)  # what an upgrade that was cut off has left to do
        return Plan(case.name, tuple(mending), tuple(mending_reasons(case, mending)))
    return plan_differences(case, found)


def _plan_restoration(case: Case) -> Plan:
    """Put a container made from a snapshot in the place of what there is."""
    definition, view = case.definition, case.view
    if definition.state == "absent":
        return Plan(case.name, error="is declared absent: declare it started or stopped, then restore it.")
    wanted = case.policy.snapshot
    snapshot = view.latest if wanted == LATEST_TAG else view.lineage.find(wanted)
    if snapshot is None:
        known = ", ".join(one.tag for one in view.lineage.snapshots) or "none"
        return Plan(case.name, error=f"There is no snapshot {case.policy.snapshot!r} of it. There are: {known}.")
    source = source_of_snapshot(snapshot)
    if view.container is None:
        steps = [Step("create", f"from {snapshot.reference}", source=source), Step("tag", snapshot.reference)]
        steps += [Step("start")] if definition.state == "started" else []
        return Plan(case.name, tuple(steps), (Reason("state", "absent", definition.state),))
    refused = refusal(case)
    if refused:
        return Plan(case.name, error=refused)
    mending = mending_steps(case)
    mending = [step for step in mending if step.verb != "tag"]
    steps = [*mending, Step("replace", f"from {snapshot.reference}", source=source)]
    reason = Reason("snapshot", "the container as it is", snapshot.reference)
    if must_wait(view, case.policy):
        return Plan(
            case.name,
            tuple(mending),
            tuple(mending_reasons(case, mending)),
            (waiting("restore", view, is_repeated=False),),
        )
    return Plan(case.name, tuple(steps), (*mending_reasons(case, mending), reason))


def _plan_reset(case: Case) -> Plan:
    """Erase all that a project has, and make it anew; but only once all that this takes is there."""
    if case.definition.state == "absent":
        return Plan(case.name, error="is declared absent, so there is nothing to make afresh: destroy it instead.")
    steps, error = image_steps(case)
    steps += [Step("erase"), Step("create", is_fresh=True)]
    if case.definition.state == "started":
        steps.append(Step("start"))
    plan = Plan(case.name, tuple(steps), (Reason("data", "all there is", "none"),))
    return plan.failed(error) if error else defer(plan, case.view, case.policy)


def _plan_destroy(case: Case) -> Plan:
    plan = _plan_destruction(case.name, case.view, case.policy, case.definition.snapshot.keep)
    return without_host_state(plan, case.view)


def _plan_destruction(project: str, view: View, policy: Policy, keep: int | None = None) -> Plan:
    if not policy.destroy_data:
        return plan_removal(project, view, policy, keep=keep)
    if not view.exists:
        return Plan(project)
    plan = Plan(project, (Step("erase"), Step("forget")), (Reason("data", "all there is", "none"),))
    return defer(plan, view, policy)


def _forgetting(plan: Plan) -> Plan:
    step, reason = Step("forget"), Reason("left over", "host state", "(none)")
    return Plan(plan.project, (*plan.steps, step), (*plan.reasons, reason), plan.warnings, plan.error)


_PLANNERS: Mapping[str, Callable[[Case], Plan]] = {
    "provision": plan_provision,
    "state": plan_provision,
    "upgrade": _plan_upgrade,
    "restore": _plan_restoration,
    "reset": _plan_reset,
    "destroy": _plan_destroy,
}
