# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a definition and what there is to a plan: what playbook ``provision`` would do. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.aspect import Aspect, Site
from ansible_collections.berth.projects.plugins.module_utils.aspects import ASPECTS
from ansible_collections.berth.projects.plugins.module_utils.aspects_mounted import wanted_image
from ansible_collections.berth.projects.plugins.module_utils.definition import HOST_STATE, Definition, overlap
from ansible_collections.berth.projects.plugins.module_utils.fingerprint import VERSION, Values, fingerprint
from ansible_collections.berth.projects.plugins.module_utils.names import (
    FINGERPRINT,
    FINGERPRINT_VERSION,
    container_name,
    name_of,
    short_id,
)
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
    outdated_reason,
    outdated_warning,
    pending_warning,
    resumed,
    root_of,
    source_of_snapshot,
)
from ansible_collections.berth.projects.plugins.module_utils.steps import Step
from ansible_collections.berth.projects.plugins.module_utils.terms import IMAGE
from ansible_collections.berth.projects.plugins.module_utils.world import Host, View


@dataclass(frozen=True)
class Difference:
    """An aspect that is not as declared."""

    aspect: Aspect
    before: Values
    after: Values

    @property
    def live_step(self) -> Step | None:
        """The step that makes the change as the container runs, or None where it takes a new container."""
        return self.aspect.live_step(self.before, self.after) if self.aspect.live_step else None

    @property
    def is_image(self) -> bool:
        return self.aspect.name == IMAGE

    def reason(self) -> Reason:
        before, after = self.aspect.shown(self.before), self.aspect.shown(self.after)
        keys = sorted(key for key in {*before, *after} if before.get(key) != after.get(key))
        return Reason(self.aspect.name, {k: before.get(k) for k in keys}, {k: after.get(k) for k in keys})


def plan_provision(case: Case) -> Plan:
    """Make a project as declared; or, where only its state matters, start or stop it."""
    view, policy = case.view, case.policy
    if case.definition.state == "absent":
        if policy.only_state:
            return Plan(case.name)
        return plan_removal(case.name, view, policy, keep=case.definition.snapshot.keep)
    if view.container is None or (view.is_aside and policy.only_state):
        return _plan_state_of_none(case) if policy.only_state else plan_creation(case)
    refused = refusal(case)
    if refused:
        return Plan(case.name, error=refused)
    return plan_differences(case, [] if policy.only_state else differences(case.definition, view.container, case.site))


def refusal(case: Case) -> str | None:
    """Why a container cannot be worked on."""
    view = case.view
    if view.status in ("dead", "removing"):
        return (
            f"The engine calls the container {view.name} {view.status!r}: it could not be removed whole. "
            f"Remove it with 'docker rm -f {view.name}' (volumes stay) and run again."
        )
    return None


def plan_differences(case: Case, found: list[Difference]) -> Plan:
    """Do what can be done live, and replace the container for the rest."""
    moved = _moved_state(found)
    if moved:
        return Plan(case.name, error=moved)
    held = [one for one in found if one.is_image and case.view.has_lineage and not case.policy.apply_images]
    found = [one for one in found if one not in held]
    applies = case.policy.apply_images and not case.policy.only_state
    is_rebased = any(one.is_image for one in found) or (applies and is_outdated(case))
    live = [one for one in found if one.live_step]
    if len(live) == len(found) and not is_rebased:
        plan = defer(_plan_changes(case, live, _state_step(case.definition, case.view)), case.view, case.policy)
    elif must_wait(case.view, case.policy):
        plan = _put_off(case, found, live)
    else:
        plan = _plan_replacement(case, found, is_rebased)
    for one in held:
        plan = replace(
            plan,
            reasons=(*plan.reasons, one.reason()),
            warnings=(*plan.warnings, *pending_warning(one.before, one.after)),
        )
    return plan


def plan_removal(name: str, view: View, policy: Policy, reason: Reason | None = None, keep: int | None = None) -> Plan:
    """Snapshot and remove a project's container, and clear away what lies around of it.

    Args:
        name: The project's.
        view: What there is of it.
        policy: How to go about it.
        reason: Why; that it is declared absent, by default.
        keep: How many snapshots stay; all, by default.
    """
    leftovers = [_clean_container(one) for one in view.held_asides] + _clean_parts(view)
    if view.unproven:
        leftovers.insert(0, _clear_unproven(view))
    if keep is not None:
        leftovers += _clean_surplus(view, keep, [str(one["Id"]) for one in view.held_asides])
    if view.container is None:
        return Plan(name, tuple(leftovers), tuple(_leftover_reasons(leftovers)))
    before = "aside" if view.is_aside else view.status
    steps = (*leftovers, Step("remove"))
    return defer(Plan(name, steps, (reason or Reason("state", before, "absent"),)), view, policy)


def plan_creation(case: Case) -> Plan:
    """Make a project's container: from its latest snapshot if there is one, else from the declared image."""
    definition = case.definition
    snapshot = resumed(case)
    warnings: tuple[str, ...] = ()
    error = None
    if snapshot:
        steps = [Step("create", f"from {snapshot.reference}", source=source_of_snapshot(snapshot))]
        warnings = (*pending_warning(root_of(snapshot), wanted_image(definition, case.site)), *outdated_warning(case))
    else:
        steps, error = image_steps(case)
        steps.append(Step("create", is_fresh=True))
    if definition.state == "started":
        steps.append(Step("start"))
    steps += _clean_parts(case.view) + _clean_surplus(case.view, definition.snapshot.keep, ())
    plan = Plan(definition.name, tuple(steps), (Reason("state", "absent", definition.state),), warnings)
    return plan.failed(error) if error else plan


def mending_steps(case: Case) -> list[Step]:
    """What an interrupted run, or somebody, has left to be put right before anything else."""
    view, wanted = case.view, container_name(case.name)
    steps = [_clear_unproven(view)] if view.unproven else []
    if view.name != wanted:
        steps.append(Step("rename", wanted))
    steps += [_clean_container(one) for one in view.spent] + _clean_parts(view)
    if case.policy.operation != "restore":  # what is to be restored may be among them; they go when that is done
        going = [str(step.body["container"]) for step in steps if step.body and "container" in step.body]
        steps += _clean_surplus(view, case.definition.snapshot.keep, going)
    if view.latest and view.latest is not view.lineage.latest:
        steps.append(Step("tag", view.latest.reference))
    return steps


def mending_reasons(case: Case, steps: Sequence[Step]) -> list[Reason]:
    view, wanted = case.view, container_name(case.name)
    reasons = [] if view.name == wanted else [Reason("name", view.name, wanted)]
    latest = view.lineage.latest
    tagging = (step for step in steps if step.verb == "tag")
    reasons += [Reason("latest snapshot", latest.reference, step.detail) for step in tagging if latest]
    return reasons + _leftover_reasons(steps)


def check_limits(plan: Plan, definition: Definition, site: Site, host: Host) -> Plan:
    """Refuse what the host cannot give, before the engine half does it."""
    limits = definition.resources
    if limits.nano_cpus is not None and limits.nano_cpus > host.cpus * 10**9:
        return plan.failed(
            f"resources.cpus is {limits.nano_cpus / 1e9:g}, and this host has {host.cpus}. "
            f"Allowed is anything from 0.01 to {host.cpus}."
        )
    if limits.memory is not None and limits.memory > host.memory:
        return plan.failed(
            f"resources.memory is {limits.memory // 1024**2} MiB, and this host has {host.memory // 1024**2} MiB."
        )
    for path in definition.bind_sources:
        if overlap(path, host.root):
            return plan.failed(f"{path} covers or is in the engine's own folder {host.root}: choose another.")
        if overlap(path, site.state_dir):
            return plan.failed(f"{path} covers or is in Berth's own state folder {site.state_dir}: choose another.")
    return plan


def differences(definition: Definition, container: Mapping[str, Any], site: Site) -> list[Difference]:
    """What is not as declared, aspect by aspect.

    An aspect that only a new container can change is compared by its fingerprint: the engine merges the image's own
    settings into a container, so the container itself says less well what was asked for. Where the fingerprint is of a
    scheme that this code does not know, the container is all there is to go by.
    """
    labels = container["Config"].get("Labels") or {}
    known_scheme = labels.get(FINGERPRINT_VERSION) == VERSION
    found = []
    for aspect in ASPECTS:
        wanted = aspect.wanted(definition, site)
        actual = aspect.actual(container, wanted)
        if aspect.live_step is None and known_scheme:
            differs = labels.get(FINGERPRINT + aspect.name) != fingerprint(wanted)
            differs = differs or (aspect.checked and actual != wanted)
        else:
            differs = actual != wanted
        if differs:
            found.append(Difference(aspect, actual, wanted))
    return found


def _plan_state_of_none(case: Case) -> Plan:
    if case.definition.state == "stopped":
        return Plan(case.name)
    return Plan(
        case.name, error=f"There is no container {container_name(case.name)}: run berth.projects.provision first."
    )


def _plan_replacement(case: Case, found: list[Difference], is_rebased: bool) -> Plan:
    steps = mending_steps(case)
    reasons = [*mending_reasons(case, steps), *(difference.reason() for difference in found)]
    error = None
    if is_rebased and not any(difference.is_image for difference in found):
        reasons.append(outdated_reason(case))
    if is_rebased or not (case.definition.snapshot.on_replace or case.view.has_lineage):
        more, error = image_steps(case)
        steps += [*more, Step("replace", f"from {case.definition.image}" if is_rebased else "", is_fresh=True)]
    else:
        steps.append(_replace_in_lineage(case))
    warnings = () if steps and steps[-1].is_fresh else outdated_warning(case)
    plan = Plan(case.name, tuple(steps), tuple(reasons), warnings)
    return plan.failed(error) if error else plan


def _replace_in_lineage(case: Case) -> Step:
    """From a snapshot of the container itself; or, where none is wanted, from the one it was made from."""
    before = case.view.origin or case.view.lineage.latest
    if case.definition.snapshot.on_replace or before is None:
        return Step("replace")
    return Step("replace", f"from {before.reference}", source=source_of_snapshot(before))


def _plan_changes(case: Case, found: list[Difference], state_step: Step | None) -> Plan:
    definition, view = case.definition, case.view
    steps = mending_steps(case)
    reasons = mending_reasons(case, steps)
    for difference in found:
        steps += [difference.live_step] if difference.live_step else []
        reasons.append(difference.reason())
    if state_step:
        steps.append(state_step)
        before = view.status if view.is_ready or not view.is_running else f"{view.status}, but never ready"
        reasons.append(Reason("state", before, definition.state))
    return Plan(definition.name, tuple(steps), tuple(reasons), outdated_warning(case))


def _state_step(definition: Definition, view: View) -> Step | None:
    if definition.state == "started":
        if view.status == "paused":
            return Step("unpause")
        if view.is_running:
            return None if view.is_ready else Step("restart")
        return Step("start")
    return Step("stop") if view.is_running else None


def _put_off(case: Case, found: list[Difference], live: list[Difference]) -> Plan:
    """What can be done for an agent at work now, and what has to wait for it."""
    is_let_go_on = case.view.status == "paused" and case.definition.state == "started"
    plan = _plan_changes(case, live, Step("unpause") if is_let_go_on else None)
    later = tuple(difference.reason() for difference in found if difference not in live)
    return replace(plan, reasons=(*plan.reasons, *later), warnings=(*plan.warnings, waiting("replace", case.view)))


def _clear_unproven(view: View) -> Step:
    """Nobody can have worked in a container that never was ready; another one is kept."""
    unproven = view.unproven
    if unproven is None:
        raise ValueError("nothing is unproven")
    if unproven.is_blank:
        return _clean_container(unproven.container)
    return Step("set-aside", name_of(unproven.container))


def _clean_container(container: Mapping[str, Any]) -> Step:
    return Step("clean", name_of(container), {"container": container["Id"]})


def _clean_parts(view: View) -> list[Step]:
    containers = [Step("clean", f"container {part[:12]}", {"container": part}) for part in view.parts]
    images = [Step("clean", f"image {short_id(part)}", {"image": part}) for part in view.lineage.parts]
    return containers + images


def _clean_surplus(view: View, keep: int, going: Sequence[str]) -> list[Step]:
    """Snapshots beyond those to keep: a run was cut off before it removed them, or fewer are declared now.

    Args:
        view: What there is of the project.
        keep: How many stay.
        going: The ids of containers that are removed before.
    """
    latest = view.latest.id if view.latest else ""
    surplus = view.lineage.surplus(keep, {*view.used_images(going), latest})
    return [Step("clean", f"snapshot {one.tag}", {"snapshot": one.reference}) for one in surplus]


def _leftover_reasons(steps: Sequence[Step]) -> list[Reason]:
    return [Reason("left over", step.detail, "(none)") for step in steps if step.verb == "clean"]


def _moved_state(found: Sequence[Difference]) -> str | None:
    """Why a container whose host state lies in another folder is left alone: another user's run made it."""
    for difference in found:
        before, after = difference.before.get(HOST_STATE), difference.after.get(HOST_STATE)
        if difference.aspect.name == "mounts" and before and before != after:
            return (
                f"The container was made with another state folder ({before}), and this run has {after}. "
                "Run as the same user, or set berth_state_dir to the folder that it was made with."
            )
    return None
