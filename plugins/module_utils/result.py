# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a module tells of its work: one entry a project, for machines to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.definition import Definition
from ansible_collections.berth.projects.plugins.module_utils.plan import Plan
from ansible_collections.berth.projects.plugins.module_utils.world import View


@dataclass(frozen=True)
class Outcome:
    """What became of a plan.

    Args:
        changed: Whether a step was done, or in check mode would be. A step that failed has left nothing behind.
        snapshot: The reference of the one that was taken of the container before it was replaced or removed.
        put_off: How many of the plan's last steps wait, because an agent had begun to work when their turn came.
    """

    changed: bool
    container_id: str | None
    warnings: tuple[str, ...]
    error: str | None = None
    snapshot: str | None = None
    put_off: int = 0


def only_planned(plan: Plan, view: View) -> Outcome:
    """The outcome of a plan that is not carried out."""
    return Outcome(bool(plan.steps), view.container_id, plan.warnings, plan.error)


def result_of(
    plan: Plan,
    view: View,
    definition: Definition | None,
    outcome: Outcome,
) -> dict[str, Any]:
    """One project's entry in ``projects``."""
    plan = replace(plan, steps=plan.steps[: len(plan.steps) - outcome.put_off])
    status = view.status if outcome.error else _status_after(plan, view, definition)
    return {
        "name": plan.project,
        "changed": outcome.changed,
        "action": plan.action,
        "steps": [str(step) for step in plan.steps],
        "reasons": [asdict(reason) for reason in plan.reasons],
        "container_id": outcome.container_id if status != "absent" else None,
        "image": definition.image if definition else None,
        "runtime": definition.runtime if definition else None,
        "status": status,
        "warnings": list(outcome.warnings),
        "error": outcome.error,
        "snapshot": outcome.snapshot,
    }


def failure_message(failed: Sequence[Mapping[str, Any]], of: int) -> str:
    """The task's message: how many of how many, and each by name with its reason."""
    if of == 1:
        return f"{failed[0]['name']}: {failed[0]['error']}"
    told = [f"- {project['name']}: {project['error']}" for project in failed]
    return "\n".join([f"{len(failed)} of {of} projects failed on this host:", *told])


def _status_after(plan: Plan, view: View, definition: Definition | None) -> str:
    """What the container's state is once the steps are done. A new container of a stopped project never runs."""
    status = view.status
    for step in plan.steps:
        status = step.means.status_after or status
    return "created" if plan.action == "replace" and definition and definition.state == "stopped" else status
