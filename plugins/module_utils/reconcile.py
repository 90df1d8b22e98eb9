# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One module run: a host's projects are observed, planned, and made so, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any, Callable

from ansible_collections.berth.projects.plugins.module_utils.apply import Tools, carry_out
from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.gate import Gate
from ansible_collections.berth.projects.plugins.module_utils.host_writer import HostWriter
from ansible_collections.berth.projects.plugins.module_utils.launch import Launcher
from ansible_collections.berth.projects.plugins.module_utils.losses import losses_by_project
from ansible_collections.berth.projects.plugins.module_utils.plan import Plan
from ansible_collections.berth.projects.plugins.module_utils.preview import module_result, only_planned_all, open_engine
from ansible_collections.berth.projects.plugins.module_utils.proxies import Proxies
from ansible_collections.berth.projects.plugins.module_utils.records import Records
from ansible_collections.berth.projects.plugins.module_utils.request import Request, request_from
from ansible_collections.berth.projects.plugins.module_utils.result import Outcome
from ansible_collections.berth.projects.plugins.module_utils.snapshots import Snapshotter
from ansible_collections.berth.projects.plugins.module_utils.survey import Survey, check_folders, survey


def reconcile(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Bring a host's projects to what their definitions say.

    Args:
        params: The parameters of module ``container``.
        check_mode: Only plan.

    Returns:
        The module's result. ``needs`` names what the host lacks; where it lacks something nothing was changed.
    """
    request = check_folders(request_from(params))
    records = Records(request.site.state_dir)
    engine, needs = open_engine(params, request)
    looking_only = check_mode or engine is None
    with nullcontext() if looking_only else records.locked(params["lock_timeout"]):
        found = survey(engine, request, records)
        needs = needs + found.needs
        if needs and not check_mode:
            return {"changed": False, "needs": needs, "projects": [], "orphans": []}
        losses = losses_by_project(engine, found.views, found.views, request.policy) if engine else {}
        if check_mode or engine is None:
            done = only_planned_all(found)
        else:
            done = _carry_out_all(found, _tools(engine, records, request, params), request)
    result = module_result(found, done, needs)
    for entry in result["projects"]:
        if entry["name"] in losses:
            entry["losses"] = [loss.as_dict() for loss in losses[entry["name"]]]
    return result


def _tools(engine: Engine, records: Records, request: Request, params: Mapping[str, Any]) -> Tools:
    proxies = Proxies(engine, request.site, request.contents, params["ready_timeout"])
    gate = Gate(engine, request.site, params["network_pool"], proxies)
    launcher = Launcher(engine, request.site, records, params["ready_timeout"], gate)
    return Tools(
        engine,
        launcher,
        Snapshotter(engine),
        params["stop_timeout"],
        gate,
        records,
        request.site,
        HostWriter(request.contents),
        params["ready_timeout"],
        request.policy,
    )


def _carry_out_all(found: Survey, tools: Tools, request: Request) -> list[tuple[Plan, Outcome]]:
    """A project that fails is told by its outcome, and does not stop the others; only an upgrade stops at the first."""

    def one(plan: Plan) -> Outcome:
        return carry_out(plan, found.definitions.get(plan.project), found.views[plan.project], tools)

    if request.policy.operation == "upgrade":
        return _one_by_one(found, one)
    # What gives up ports and names goes before what may take them.
    ending = [plan for plan in found.plans if plan.action in ("stop", "remove") and not plan.making]
    others = [plan for plan in found.plans if plan not in ending]
    with ThreadPoolExecutor(max_workers=request.parallel) as pool:
        outcomes = {plan.project: outcome for plan, outcome in zip(ending, pool.map(one, ending))}
        outcomes.update({plan.project: outcome for plan, outcome in zip(others, pool.map(one, others))})
    return [(plan, outcomes[plan.project]) for plan in found.plans]


def _one_by_one(found: Survey, one: Callable[[Plan], Outcome]) -> list[tuple[Plan, Outcome]]:
    """What comes after a failure is left as it is."""
    done: list[tuple[Plan, Outcome]] = []
    failed = None
    for planned in found.plans:
        plan = planned.left_alone(failed) if failed and planned.steps else planned
        outcome = one(plan)
        done.append((plan, outcome))
        failed = failed or (plan.project if outcome.error else None)
    return done
