# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One module run: a host's projects are observed, planned, and made so, side by side."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Mapping

from ansible_collections.berth.projects.plugins.module_utils.apply import Tools, carry_out
from ansible_collections.berth.projects.plugins.module_utils.aspect import Site
from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError, EngineUnavailable
from ansible_collections.berth.projects.plugins.module_utils.launch import Launcher
from ansible_collections.berth.projects.plugins.module_utils.plan import Plan
from ansible_collections.berth.projects.plugins.module_utils.records import Records
from ansible_collections.berth.projects.plugins.module_utils.result import failure_message, result_of
from ansible_collections.berth.projects.plugins.module_utils.survey import Request, Survey, survey


@dataclass(frozen=True)
class _Outcome:
    plan: Plan
    container_id: str | None
    warnings: tuple[str, ...]
    error: str | None


def reconcile(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Bring a host's projects to what their definitions say.

    Args:
        params: The parameters of module ``container``.
        check_mode: Only plan.

    Returns:
        The module's result. ``needs`` names what the host lacks; where it lacks something nothing was changed.
    """
    request = Request.of(params)
    engine, needs = open_engine(params, request)
    records = Records(request.state_dir)
    lock = nullcontext() if check_mode or engine is None else records.locked(request.lock_timeout)
    with lock:
        found = survey(engine, request, records)
        needs = needs + found.needs
        if needs and not check_mode:
            return {"changed": False, "needs": needs, "projects": []}
        outcomes = _only_planned(found) if check_mode or engine is None else _apply(found, engine, request, records)
    projects = [_result(outcome, found) for outcome in outcomes]
    return _module_result(projects, needs, [entry.as_dict() for entry in found.orphans])


def open_engine(params: Mapping[str, Any], request: Request) -> tuple[Engine | None, list[str]]:
    """The engine, or None and what the host lacks where the caller is going to mend that."""
    try:
        return Engine.connect(params), []
    except EngineUnavailable as error:
        if not request.report_needs:
            raise
        return None, [error.need]


def _only_planned(found: Survey) -> list[_Outcome]:
    return [_Outcome(plan, found.view(plan.project).container_id, plan.warnings, plan.error) for plan in found.plans]


def _apply(found: Survey, engine: Engine, request: Request, records: Records) -> list[_Outcome]:
    site = Site(request.state_dir, request.scope)
    launcher = Launcher(engine, site, records, request.ready_timeout)
    tools = Tools(engine, site, records, launcher, request.stop_timeout)

    def one(plan: Plan) -> _Outcome:
        view = found.view(plan.project)
        if plan.error:
            return _Outcome(plan, view.container_id, plan.warnings, plan.error)
        try:
            work = carry_out(plan, found.definition(plan.project), view, tools)
        except BerthError as error:
            return _Outcome(plan, view.container_id, plan.warnings, error.msg)
        return _Outcome(plan, work.container_id, (*plan.warnings, *work.warnings), None)

    with ThreadPoolExecutor(max_workers=request.parallel) as pool:
        return list(pool.map(one, found.plans))


def _result(outcome: _Outcome, found: Survey) -> dict[str, Any]:
    name = outcome.plan.project
    return result_of(
        outcome.plan, found.view(name), found.definition(name), outcome.container_id, outcome.warnings, outcome.error
    )


def _module_result(projects: list[dict[str, Any]], needs: list[str], orphans: list[dict[str, Any]]) -> dict[str, Any]:
    failed = [project for project in projects if project["error"]]
    result: dict[str, Any] = {
        "changed": any(project["changed"] for project in projects),
        "needs": needs,
        "projects": projects,
        "orphans": orphans,
    }
    if failed:
        result.update(failed=True, msg=failure_message(failed, len(projects)))
    return result
