# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carries out a plan on an engine, step by step, for one project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Callable

from ansible_collections.berth.projects.plugins.module_utils.definition import Definition
from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.launch import Launcher
from ansible_collections.berth.projects.plugins.module_utils.names import aside_name, container_name
from ansible_collections.berth.projects.plugins.module_utils.plan import Plan
from ansible_collections.berth.projects.plugins.module_utils.records import Records
from ansible_collections.berth.projects.plugins.module_utils.replace import bring_back, set_aside, swap
from ansible_collections.berth.projects.plugins.module_utils.result import Outcome
from ansible_collections.berth.projects.plugins.module_utils.steps import Step
from ansible_collections.berth.projects.plugins.module_utils.world import View


@dataclass(frozen=True)
class Tools:
    """What the steps work with. ``stop_timeout`` is in seconds."""

    engine: Engine
    records: Records
    launcher: Launcher
    stop_timeout: int


@dataclass
class _Work:
    """One project as its steps go by: ``container_id``, ``warnings`` and the count of steps follow what is done."""

    project: str
    definition: Definition | None
    view: View
    container_id: str | None
    warnings: list[str] = field(default_factory=list)
    done: int = 0

    @property
    def declared(self) -> Definition:
        if self.definition is None:
            raise BerthError(f"{self.project} is not declared: it can only be removed.")
        return self.definition

    @property
    def existing(self) -> Mapping[str, Any]:
        """The container that was there before, as inspect shows it."""
        if self.view.container is None:
            raise BerthError(f"There is no container {container_name(self.project)}.")
        return self.view.container

    @property
    def id(self) -> str:
        if self.container_id is None:
            raise BerthError(f"There is no container {container_name(self.project)}.")
        return self.container_id


def carry_out(plan: Plan, definition: Definition | None, view: View, tools: Tools) -> Outcome:
    """Do the steps of a plan, then remember the container as the project's.

    Steps stop at the first that fails; what was before that one still is, or is told in the outcome's error.

    Args:
        definition: None where a container is removed that no definition names.
    """
    if plan.error:
        return Outcome(False, view.container_id, plan.warnings, plan.error)
    work = _Work(plan.project, definition, view, view.container_id, list(plan.warnings))
    try:
        for step in plan.steps:
            _STEPS[step.verb](work, step, tools)
            work.done += 1
        record = view.record.of(work.container_id, definition.user if definition else None)
        if record != view.record:
            tools.records.write(plan.project, record)
    except BerthError as error:
        return Outcome(work.done > 0, work.container_id, tuple(work.warnings), error.msg)
    return Outcome(work.done > 0, work.container_id, tuple(work.warnings))


def _pull(work: _Work, step: Step, tools: Tools) -> None:
    tools.engine.pull(step.detail)


def _rename(work: _Work, step: Step, tools: Tools) -> None:
    tools.engine.rename(work.id, step.detail)


def _update(work: _Work, step: Step, tools: Tools) -> None:
    tools.engine.update(work.id, step.body or {})


def _connect(work: _Work, step: Step, tools: Tools) -> None:
    tools.engine.connect_network(step.detail, work.id)


def _unpause(work: _Work, step: Step, tools: Tools) -> None:
    tools.engine.unpause(work.id)


def _create(work: _Work, step: Step, tools: Tools) -> None:
    work.container_id = tools.launcher.create(work.declared)


def _start(work: _Work, step: Step, tools: Tools) -> None:
    """Start the container. When it is a new one that was never ready, the one before it comes back on failure."""
    container_id = work.id
    unproven = work.view.container
    try:
        work.warnings += tools.launcher.start(work.project, container_id)
    except BerthError as error:
        if unproven is None:
            tools.engine.remove(container_id)
            work.container_id, work.done = None, 0
        elif work.view.previous_id:
            set_aside(tools.engine, work.project, unproven, tools.stop_timeout)
            bring_back(tools.engine, work.project, work.view.previous_id, work.declared.restart)
            raise BerthError(f"{error.msg} The container that was there before runs again.") from error
        raise


def _stop(work: _Work, step: Step, tools: Tools) -> None:
    tools.engine.stop(work.id, tools.stop_timeout)


def _replace(work: _Work, step: Step, tools: Tools) -> None:
    work.container_id, warnings = swap(tools.engine, tools.launcher, work.declared, work.existing, tools.stop_timeout)
    work.warnings += warnings


def _remove(work: _Work, step: Step, tools: Tools) -> None:
    container_id = work.id
    set_aside(tools.engine, work.project, work.existing, tools.stop_timeout)
    work.warnings.append(
        f"{container_name(work.project)} is kept, stopped, as {aside_name(work.project, container_id)}: "
        "'docker rm' removes it, with what was installed in it; the volumes stay"
    )
    work.container_id = None


_STEPS: Mapping[str, Callable[[_Work, Step, Tools], None]] = {
    "pull": _pull,
    "rename": _rename,
    "update": _update,
    "connect": _connect,
    "unpause": _unpause,
    "create": _create,
    "start": _start,
    "stop": _stop,
    "replace": _replace,
    "remove": _remove,
}
