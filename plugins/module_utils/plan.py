# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a definition and what there is to a plan. Pure: no engine, no files, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.aspect import Aspect, Site
from ansible_collections.berth.projects.plugins.module_utils.aspects import ASPECTS
from ansible_collections.berth.projects.plugins.module_utils.aspects_mounted import wanted_mounts
from ansible_collections.berth.projects.plugins.module_utils.definition import HOST_STATE, Definition, overlap
from ansible_collections.berth.projects.plugins.module_utils.fingerprint import VERSION, Values, fingerprint
from ansible_collections.berth.projects.plugins.module_utils.names import (
    BASE_REPOSITORY,
    CONTRACT,
    CONTRACT_VERSION,
    FINGERPRINT,
    FINGERPRINT_VERSION,
    container_name,
)
from ansible_collections.berth.projects.plugins.module_utils.steps import ACTIONS, Step
from ansible_collections.berth.projects.plugins.module_utils.world import Host, Images, View


@dataclass(frozen=True)
class Reason:
    """Why: the values that differ, before and after, private ones as hashes."""

    aspect: str
    before: str | Values
    after: str | Values


@dataclass(frozen=True)
class Plan:
    project: str
    steps: tuple[Step, ...] = ()
    reasons: tuple[Reason, ...] = ()
    warnings: tuple[str, ...] = ()
    error: str | None = None

    @property
    def action(self) -> str:
        actions = [step.means.action for step in self.steps]
        return max(actions, key=ACTIONS.index, default="none")

    @property
    def cuts(self) -> bool:
        """Whether it ends what runs in the container."""
        return any(step.means.cuts for step in self.steps)

    @property
    def is_measured(self) -> bool:
        """Whether the host must be able to give what it asks for."""
        return any(step.means.is_measured for step in self.steps)

    @property
    def makes_container(self) -> bool:
        return self.action in ("create", "replace")

    def failed(self, error: str) -> Plan:
        return replace(self, steps=(), error=error)


@dataclass(frozen=True)
class Policy:
    """How a run goes about its work.

    Args:
        force: Cut agents that are at work.
        only_state: Start and stop, and leave everything else as it is (playbooks ``start`` and ``stop``).
        coming: References of images that will be there before the plan is carried out.
    """

    force: bool = False
    only_state: bool = False
    coming: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Difference:
    aspect: Aspect
    before: Values
    after: Values

    @property
    def live_step(self) -> Step | None:
        """The step that makes the change as the container runs, or None where it takes a new container."""
        return self.aspect.live_step(self.before, self.after) if self.aspect.live_step else None

    def reason(self) -> Reason:
        before, after = self.aspect.shown(self.before), self.aspect.shown(self.after)
        keys = sorted(key for key in {*before, *after} if before.get(key) != after.get(key))
        return Reason(self.aspect.name, {k: before.get(k) for k in keys}, {k: after.get(k) for k in keys})


def plan_project(definition: Definition, view: View, images: Images, site: Site, policy: Policy) -> Plan:
    """What is to be done for one project."""
    name = definition.name
    if view.clash:
        return Plan(name, error=view.clash)
    if definition.state == "absent":
        if policy.only_state:
            return Plan(name)
        return _defer(_plan_removal(name, view), view, policy)
    if view.container is None or (view.is_aside and policy.only_state):
        if policy.only_state and definition.state == "stopped":
            return Plan(name)
        if policy.only_state:
            return Plan(
                name, error=f"There is no container {container_name(name)}: run berth.projects.provision first."
            )
        return _plan_creation(definition, images, policy)
    if view.status in ("dead", "removing"):
        return Plan(
            name,
            error=f"The engine calls the container {view.name} {view.status!r}: it could not be removed whole. "
            f"Remove it with 'docker rm -f {view.name}' (volumes stay) and run again.",
        )
    differences = [] if policy.only_state else _differences(definition, view.container, site)
    moved = _moved_state(differences)
    if moved:
        return Plan(name, error=moved)
    live = [difference for difference in differences if difference.live_step]
    if len(live) == len(differences):
        return _defer(_plan_changes(definition, view, images, live), view, policy)
    if _must_wait(view, policy):
        return _put_off(definition, view, images, differences, live)
    return _plan_replacement(definition, view, images, policy, differences)


def plan_prune(project: str, view: View, policy: Policy) -> Plan:
    """Removal of a container that no definition names any more."""
    return _defer(_plan_removal(project, view, reason=Reason("state", view.status, "not declared")), view, policy)


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


def _plan_removal(name: str, view: View, reason: Reason | None = None) -> Plan:
    if view.container is None or view.is_aside:
        return Plan(name)
    return Plan(name, (Step("remove"),), (reason or Reason("state", view.status, "absent"),))


def _plan_creation(definition: Definition, images: Images, policy: Policy) -> Plan:
    steps, error = _image_steps(definition, images, policy)
    steps.append(Step("create"))
    if definition.state == "started":
        steps.append(Step("start"))
    plan = Plan(definition.name, tuple(steps), (Reason("state", "absent", definition.state),))
    return plan.failed(error) if error else plan


def _plan_replacement(
    definition: Definition, view: View, images: Images, policy: Policy, differences: list[_Difference]
) -> Plan:
    steps, error = _image_steps(definition, images, policy)
    plan = Plan(
        definition.name,
        (*_naming_steps(definition, view), *steps, Step("replace")),
        (*_naming_reasons(definition, view), *(difference.reason() for difference in differences)),
    )
    return plan.failed(error) if error else plan


def _plan_changes(definition: Definition, view: View, images: Images, differences: list[_Difference]) -> Plan:
    steps = _naming_steps(definition, view)
    reasons = _naming_reasons(definition, view)
    for difference in differences:
        steps += [difference.live_step] if difference.live_step else []
        reasons.append(difference.reason())
    state_step = _state_step(definition, view)
    if state_step:
        steps.append(state_step)
        before = view.status if view.is_ready or not view.is_running else f"{view.status}, but never ready"
        reasons.append(Reason("state", before, definition.state))
    return Plan(definition.name, tuple(steps), tuple(reasons), _outdated(definition, view, images))


def _state_step(definition: Definition, view: View) -> Step | None:
    if definition.state == "started":
        if view.status == "paused":
            return Step("unpause")
        if view.is_running:
            return None if view.is_ready else Step("restart")
        return Step("start")
    return Step("stop") if view.is_running else None


def _naming_steps(definition: Definition, view: View) -> list[Step]:
    wanted = container_name(definition.name)
    first = [Step("set-aside", wanted)] if view.unproven else []
    return first + ([] if view.name == wanted else [Step("rename", wanted)])


def _naming_reasons(definition: Definition, view: View) -> list[Reason]:
    wanted = container_name(definition.name)
    return [] if view.name == wanted else [Reason("name", view.name, wanted)]


def _differences(definition: Definition, container: Mapping[str, Any], site: Site) -> list[_Difference]:
    """What is not as declared, aspect by aspect.

    An aspect that only a new container can change is compared by its fingerprint: the engine merges the image's own
    settings into a container, so the container itself says less well what was asked for. Where the fingerprint is of a
    scheme that this code does not know, the container is all there is to go by.
    """
    labels = container["Config"].get("Labels") or {}
    known_scheme = labels.get(FINGERPRINT_VERSION) == VERSION
    differences = []
    for aspect in ASPECTS:
        wanted = aspect.wanted(definition, site)
        actual = aspect.actual(container, wanted)
        if aspect.live_step is None and known_scheme:
            differs = labels.get(FINGERPRINT + aspect.name) != fingerprint(wanted)
            differs = differs or (aspect.checked and actual != wanted)
        else:
            differs = actual != wanted
        if differs:
            differences.append(_Difference(aspect, actual, wanted))
    return differences


def _image_steps(definition: Definition, images: Images, policy: Policy) -> tuple[list[Step], str | None]:
    """What it takes to have the image, and why it cannot be used."""
    reference = definition.image
    if reference in policy.coming:
        return [], None
    image = images.find(reference)
    if image is None:
        if reference.split(":")[0] == BASE_REPOSITORY:
            return [], f"There is no image {reference} on this engine. Role berth.projects.image builds it."
        return [Step("pull", reference)], None
    return [], None if image.keeps_contract else contract_missing(reference)


def image_misfit(image: Mapping[str, Any], definition: Definition, site: Site) -> str | None:
    """Why an image cannot be used: it is not made for Berth, or its content would escape a snapshot of the container.

    Args:
        image: As ``GET /images/{name}/json`` shows it.
    """
    config = image.get("Config") or {}
    if (config.get("Labels") or {}).get(CONTRACT) != CONTRACT_VERSION:
        return contract_missing(definition.image)
    loose = sorted(set(config.get("Volumes") or {}) - set(wanted_mounts(definition, site)))
    if loose:
        return (
            f"The image {definition.image} declares volumes that nothing is mounted on ({', '.join(loose)}): what is "
            "written there would be lost with the container. Mount something on each, or build the image without."
        )
    return None


def _moved_state(differences: Sequence[_Difference]) -> str | None:
    """Why a container whose host state lies in another folder is left alone: another user's run made it."""
    for difference in differences:
        before, after = difference.before.get(HOST_STATE), difference.after.get(HOST_STATE)
        if difference.aspect.name == "mounts" and before and before != after:
            return (
                f"The container was made with another state folder ({before}), and this run has {after}. "
                "Run as the same user, or set berth_state_dir to the folder that it was made with."
            )
    return None


def contract_missing(reference: str) -> str:
    return (
        f"The image {reference} does not carry the label berth.contract=1, so it lacks Berth's entrypoint, launcher "
        "and health check. Make one from it with role berth.projects.image (berth_image_base)."
    )


def _outdated(definition: Definition, view: View, images: Images) -> tuple[str, ...]:
    """The reference names another image by now. That alone changes nothing: packages and logins live on the old one."""
    image = images.find(definition.image)
    if image is None or view.container is None or view.container["Image"] == image.id:
        return ()
    return (f"base outdated: {definition.image} has become another image since this container was made",)


def _must_wait(view: View, policy: Policy) -> bool:
    return bool(view.agents) and not policy.force


def _waiting(what: str, view: View) -> str:
    work = ", ".join(view.agents)
    return (
        f"{what} deferred: an agent is at work ({work}). The next run that finds it idle does it; "
        "a run with berth_when_busy=force does it now"
    )


def _defer(plan: Plan, view: View, policy: Policy) -> Plan:
    """Leave out the steps that would cut an agent at work."""
    if not plan.cuts or not _must_wait(view, policy):
        return plan
    cutting = ", ".join(step.verb for step in plan.steps if step.means.cuts)
    kept = tuple(step for step in plan.steps if not step.means.cuts)
    return replace(plan, steps=kept, warnings=(*plan.warnings, _waiting(cutting, view)))


def _put_off(
    definition: Definition, view: View, images: Images, differences: list[_Difference], live: list[_Difference]
) -> Plan:
    """What can be done for an agent at work now, and what has to wait for it."""
    plan = _plan_changes(replace(definition, state="started"), view, images, live)
    later = tuple(difference.reason() for difference in differences if difference not in live)
    return replace(plan, reasons=(*plan.reasons, *later), warnings=(*plan.warnings, _waiting("replace", view)))
