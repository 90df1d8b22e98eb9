# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carries out a plan on an engine, step by step, for one project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Callable

from ansible_collections.berth.projects.plugins.module_utils.definition import Definition
from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.launch import Launcher
from ansible_collections.berth.projects.plugins.module_utils.names import aside_name, container_name
from ansible_collections.berth.projects.plugins.module_utils.plan import Plan, Step
from ansible_collections.berth.projects.plugins.module_utils.records import Records
from ansible_collections.berth.projects.plugins.module_utils.replace import bring_back, set_aside, swap
from ansible_collections.berth.projects.plugins.module_utils.world import View


@dataclass(frozen=True)
class Tools:
    """What the steps work with. ``stop_timeout`` is in seconds."""

    engine: Engine
    records: Records
    launcher: Launcher
    stop_timeout: int


@dataclass
class Work:
    """One project as its steps go by: ``container_id`` and ``warnings`` follow what has been done."""

    definition: Definition | None
    view: View
    project: str
    container_id: str | None
    warnings: list[str] = field(default_factory=list)


def carry_out(plan: Plan, definition: Definition | None, view: View, tools: Tools) -> Work:
    """Do the steps of a plan, then remember the container as the project's.

    ``definition`` is None where a container is removed that no definition names.

    Raises:
        BerthError: A step failed. What was before it still is, or is said in the message.
    """
    work = Work(definition, view, plan.project, view.container_id)
    for step in plan.steps:
        _STEPS[step.verb](work, step, tools)
    user = definition.user if definition else None
    record = view.record.of(work.container_id, user)
    if record != view.record and not plan.error:
        tools.records.write(plan.project, record)
    return work


def _definition(work: Work) -> Definition:
    assert work.definition is not None, "only a removal goes without a definition"
    return work.definition


def _id(work: Work) -> str:
    assert work.container_id is not None, "the plan has a step for a container that is not there"
    return work.container_id


def _pull(work: Work, step: Step, tools: Tools) -> None:
    tools.engine.pull(step.detail)


def _rename(work: Work, step: Step, tools: Tools) -> None:
    tools.engine.rename(_id(work), step.detail)


def _update(work: Work, step: Step, tools: Tools) -> None:
    tools.engine.update(_id(work), step.body or {})


def _connect(work: Work, step: Step, tools: Tools) -> None:
    tools.engine.connect_network(step.detail, _id(work))


def _unpause(work: Work, step: Step, tools: Tools) -> None:
    tools.engine.unpause(_id(work))


def _create(work: Work, step: Step, tools: Tools) -> None:
    work.container_id = tools.launcher.create(_definition(work))


def _start(work: Work, step: Step, tools: Tools) -> None:
    """Start the container. When it is a new one that was never ready, the one before it comes back on failure."""
    container_id = _id(work)
    unproven = work.view.container
    try:
        work.warnings += tools.launcher.start(work.project, container_id)
    except BerthError as error:
        if unproven is None:
            tools.engine.remove(container_id)
        elif work.view.previous_id:
            set_aside(tools.engine, work.project, unproven, tools.stop_timeout)
            bring_back(tools.engine, work.project, work.view.previous_id, _definition(work).restart)
            raise BerthError(f"{error.msg} The container that was there before runs again.") from error
        raise


def _stop(work: Work, step: Step, tools: Tools) -> None:
    tools.engine.stop(_id(work), tools.stop_timeout)


def _replace(work: Work, step: Step, tools: Tools) -> None:
    assert work.view.container is not None
    work.container_id, warnings = swap(
        tools.engine, tools.launcher, _definition(work), work.view.container, tools.stop_timeout
    )
    work.warnings += warnings


def _remove(work: Work, step: Step, tools: Tools) -> None:
    container_id = _id(work)
    assert work.view.container is not None
    set_aside(tools.engine, work.project, work.view.container, tools.stop_timeout)
    work.warnings.append(
        f"{container_name(work.project)} is kept, stopped, as {aside_name(work.project, container_id)}: "
        "'docker rm' removes it, with what was installed in it; the volumes stay"
    )
    work.container_id = None


_STEPS: Mapping[str, Callable[[Work, Step, Tools], None]] = {
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
