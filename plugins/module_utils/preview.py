# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run would do. Changes nothing, and imports nothing that could: most runs end here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.errors import EngineUnavailable
from ansible_collections.berth.projects.plugins.module_utils.plan import Plan
from ansible_collections.berth.projects.plugins.module_utils.records import Records
from ansible_collections.berth.projects.plugins.module_utils.request import Request, request_from
from ansible_collections.berth.projects.plugins.module_utils.result import (
    Outcome,
    failure_message,
    only_planned,
    result_of,
)
from ansible_collections.berth.projects.plugins.module_utils.survey import Survey, check_folders, survey


def preview(params: Mapping[str, Any]) -> dict[str, Any]:
    """The result of module ``plan``: that of module ``container`` in check mode.

    Returns:
        Besides the projects, ``is_due``: whether module ``container`` has anything to do. A run may have something to
        write down about a project that it leaves as it is.
    """
    request = check_folders(request_from(params))
    engine, needs = open_engine(params, request)
    found = survey(engine, request, Records(request.site.state_dir))
    result = module_result(found, only_planned_all(found), needs + found.needs)
    return {**result, "is_due": any(_is_due(found, plan, request) for plan in found.plans)}


def _is_due(found: Survey, plan: Plan, request: Request) -> bool:
    if plan.error:
        return False
    view = found.views[plan.project]
    return bool(plan.steps) or view.settled(found.definitions.get(plan.project), request.site.scope) != view.record


def only_planned_all(found: Survey) -> list[tuple[Plan, Outcome]]:
    return [(plan, only_planned(plan, found.views[plan.project])) for plan in found.plans]


def open_engine(params: Mapping[str, Any], request: Request) -> tuple[Engine | None, list[str]]:
    """The engine; or None and what the host lacks, where the caller is going to mend that."""
    try:
        return Engine.connect(params), []
    except EngineUnavailable as error:
        if not request.report_needs:
            raise
        return None, [error.need]


def module_result(found: Survey, done: Iterable[tuple[Plan, Outcome]], needs: list[str]) -> dict[str, Any]:
    """What a module returns of projects that were worked on, or planned."""
    projects = [
        result_of(plan, found.views[plan.project], found.definitions.get(plan.project), outcome)
        for plan, outcome in done
    ]
    failed = [project for project in projects if project["error"]]
    result: dict[str, Any] = {
        "changed": any(project["changed"] for project in projects),
        "needs": needs,
        "projects": projects,
        "orphans": [orphan.as_dict() for orphan in found.orphans],
    }
    if failed:
        result.update(failed=True, msg=failure_message(failed, len(projects)))
    return result
