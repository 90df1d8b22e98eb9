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
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError, message_of
from ansible_collections.berth.projects.plugins.module_utils.launch import Launcher
from ansible_collections.berth.projects.plugins.module_utils.names import aside_name, container_name
from ansible_collections.berth.projects.plugins.module_utils.plan import Plan
from ansible_collections.berth.projects.plugins.module_utils.records import Record, Records
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
    """One project as its steps go by: all but the first three follow what is done."""

    project: str
    definition: Definition | None
    view: View
    container_id: str | None
    record: Record
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
    """Do the steps of a plan, then remember what is known of the project's container now.

    Steps stop at the first that fails; what was before that one still is, or is told in the outcome's error.

    Args:
        definition: None where a container is removed that no definition names.
    """
    if plan.error:
        return Outcome(False, view.container_id, plan.warnings, plan.error)
    work = _Work(plan.project, definition, view, view.container_id, view.record, list(plan.warnings))
    if view.is_running and view.is_ready:
        work.record = work.record.proven(view.container_id)
    error = None
    try:
        for step in plan.steps:
            _STEPS[step.verb](work, step, tools)
            work.done += 1
        work.record = work.record.with_user(definition.user if definition else None)
    except Exception as problem:  # one project's; the others go on
        error = message_of(problem)
    try:
        if work.record != view.record:
            tools.records.write(plan.project, work.record)
    except BerthError as problem:
        error = error or problem.msg
    return Outcome(work.done > 0, work.container_id, tuple(work.warnings), error)


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


def _set_aside(work: _Work, step: Step, tools: Tools) -> None:
    if work.view.unproven is not None:
        set_aside(tools.engine, work.project, work.view.unproven["Id"], tools.stop_timeout)


def _create(work: _Work, step: Step, tools: Tools) -> None:
    work.container_id = tools.launcher.create(work.declared)
    work.record = work.record.pending(work.container_id)


def _start(work: _Work, step: Step, tools: Tools) -> None:
    """Start the container, and see it ready.

    If it does not become ready, one that was made by this run goes, and one that has yet to prove itself makes way for
    the one before it.
    """
    container_id = work.id
    try:
        work.warnings += tools.launcher.start(work.project, container_id)
    except Exception as error:
        told = message_of(error)
        try:
            back = _undo_start(work, container_id, tools)
        except BerthError as second:
            raise BerthError(f"{told} Then this failed, too: {second.msg} The next run goes on.") from error
        raise BerthError(f"{told} {back}".rstrip()) from error
    work.record = work.record.proven(container_id)


def _undo_start(work: _Work, container_id: str, tools: Tools) -> str:
    """Leave what was there before a start that failed; returns what there is to tell of it."""
    view = work.view
    if view.container is None:
        tools.engine.remove(container_id)
        work.container_id, work.record = None, view.record
        work.done -= 1  # of the container's creation nothing is left
        return ""
    if view.previous_id is None:
        work.record = work.record.proven(None)
        return ""
    set_aside(tools.engine, work.project, container_id, tools.stop_timeout)
    bring_back(tools.engine, work.project, view.previous_id, work.declared.restart)
    work.container_id, work.record = view.previous_id, work.record.proven(view.previous_id)
    return "The container that was there before runs again."


def _restart(work: _Work, step: Step, tools: Tools) -> None:
    """Start afresh a container that runs and was never ready."""
    _stop(work, step, tools)
    _start(work, step, tools)


def _stop(work: _Work, step: Step, tools: Tools) -> None:
    tools.engine.stop(work.id, tools.stop_timeout)


def _replace(work: _Work, step: Step, tools: Tools) -> None:
    definition = work.declared
    new_id, warnings = swap(tools.engine, tools.launcher, definition, work.existing, tools.stop_timeout)
    work.warnings += warnings
    work.container_id = new_id
    started = definition.state == "started"
    work.record = work.record.proven(new_id) if started else work.record.pending(new_id)


def _remove(work: _Work, step: Step, tools: Tools) -> None:
    """The record goes on naming the container: should the project be declared again, it is taken up again."""
    container_id = work.id
    set_aside(tools.engine, work.project, container_id, tools.stop_timeout)
    work.warnings.append(
        f"{container_name(work.project)} is kept, stopped, as {aside_name(work.project, container_id)}, and taken up "
        "again should the project be declared again; 'docker rm' removes it for good, but not its volumes"
    )
    work.container_id = None


_STEPS: Mapping[str, Callable[[_Work, Step, Tools], None]] = {
    "pull": _pull,
    "set-aside": _set_aside,
    "rename": _rename,
    "update": _update,
    "connect": _connect,
    "unpause": _unpause,
    "create": _create,
    "start": _start,
    "restart": _restart,
    "stop": _stop,
    "replace": _replace,
    "remove": _remove,
}
