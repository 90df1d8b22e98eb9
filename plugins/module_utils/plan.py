# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a plan is: the steps for one project, and why. Pure, as all planning is: no engine, no files, no clock."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ansible_collections.berth.projects.plugins.module_utils.aspect import Site
from ansible_collections.berth.projects.plugins.module_utils.definition import Definition
from ansible_collections.berth.projects.plugins.module_utils.fingerprint import Values
from ansible_collections.berth.projects.plugins.module_utils.lineage import LATEST_TAG
from ansible_collections.berth.projects.plugins.module_utils.networks import Networks
from ansible_collections.berth.projects.plugins.module_utils.steps import ACTIONS, Step
from ansible_collections.berth.projects.plugins.module_utils.world import Images, View


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
    def making(self) -> Step | None:
        """The step that makes a container."""
        return next((step for step in self.steps if step.verb in ("create", "replace")), None)

    @property
    def erases(self) -> bool:
        return any(step.verb == "erase" for step in self.steps)

    def left_alone(self, failed: str) -> Plan:
        """The same without its steps, because an earlier project of the run has failed."""
        warning = f"left as it is, because {failed} failed before; run again once that is mended"
        return replace(self, steps=(), warnings=(*self.warnings, warning))

    def failed(self, error: str) -> Plan:
        return replace(self, steps=(), error=error)


@dataclass(frozen=True)
class Policy:
    """How a run goes about its work.

    Args:
        operation: ``provision``; ``state`` (start and stop, and leave everything else as it is); ``upgrade`` (rebase
            onto the declared image, where that has changed); ``restore`` (go back to a snapshot); ``reset`` (erase, and
            make a fresh one); ``destroy`` (remove).
        force: Cut agents that are at work.
        apply_images: Rebase containers that were made from snapshots, too.
        snapshot: What to restore: ``latest``, a time or a reference.
        destroy_data: Destroy what a project has besides its container, too.
        coming: References of images that will be there before the plan is carried out.
    """

    operation: str = "provision"
    force: bool = False
    apply_images: bool = False
    snapshot: str = LATEST_TAG
    destroy_data: bool = False
    coming: frozenset[str] = frozenset()

    @property
    def only_state(self) -> bool:
        return self.operation == "state"

    @property
    def is_repeated(self) -> bool:
        """Whether any later run comes by itself to what this one puts off."""
        return self.operation == "provision"


@dataclass(frozen=True)
class Case:
    """One project to plan: what it should be, what there is, and how to go about it."""

    definition: Definition
    view: View
    images: Images
    site: Site
    policy: Policy
    networks: Networks = field(default_factory=Networks)

    @property
    def name(self) -> str:
        return self.definition.name


def must_wait(view: View, policy: Policy) -> bool:
    """Whether an agent is at work that may not be cut."""
    return bool(view.agents) and not policy.force


def defer(plan: Plan, view: View, policy: Policy) -> Plan:
    """Leave out the steps that would cut an agent at work, and all of a plan that erases."""
    if not plan.cuts or not must_wait(view, policy):
        return plan
    cutting = ", ".join(step.verb for step in plan.steps if step.means.cuts)
    kept = () if plan.erases else tuple(step for step in plan.steps if not step.means.cuts)
    told = waiting(cutting, view, policy.is_repeated)
    return replace(plan, steps=kept, warnings=(*plan.warnings, told))


def waiting(what: str, view: View, is_repeated: bool = True) -> str:
    """What is told of a step that waits; ``is_repeated`` says that any later run comes to it by itself."""
    work = ", ".join(view.agents)
    later = "The next run that finds it idle does it" if is_repeated else "Run it again when that is idle"
    return f"{what} deferred: an agent is at work ({work}). {later}; a run with berth_when_busy=force does it now"
