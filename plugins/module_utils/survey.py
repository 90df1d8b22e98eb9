# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything up to the first change: what there is, and the plan that follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.aspect import Site
from ansible_collections.berth.projects.plugins.module_utils.definition import Definition
from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.host_files import (
    read_host_state,
    real_paths,
    with_copies,
    write_problem,
)
from ansible_collections.berth.projects.plugins.module_utils.host_state import FoundFile
from ansible_collections.berth.projects.plugins.module_utils.image_base import LATEST
from ansible_collections.berth.projects.plugins.module_utils.image_plan import base_image_is_current
from ansible_collections.berth.projects.plugins.module_utils.lineage import Snapshots
from ansible_collections.berth.projects.plugins.module_utils.names import MANAGED
from ansible_collections.berth.projects.plugins.module_utils.observe import (
    agents_at_work,
    engine_folder_problem,
    folder_problems,
    host_of,
    view_projects,
    with_image_env,
)
from ansible_collections.berth.projects.plugins.module_utils.orphans import Found, Orphan, find_orphans
from ansible_collections.berth.projects.plugins.module_utils.plan import Case, Plan, Policy
from ansible_collections.berth.projects.plugins.module_utils.plan_image import image_misfit
from ansible_collections.berth.projects.plugins.module_utils.plan_provision import check_limits
from ansible_collections.berth.projects.plugins.module_utils.planner import plan_project, plan_undeclared
from ansible_collections.berth.projects.plugins.module_utils.records import Records
from ansible_collections.berth.projects.plugins.module_utils.request import Request
from ansible_collections.berth.projects.plugins.module_utils.users import settle_users
from ansible_collections.berth.projects.plugins.module_utils.world import Images, Listing, View


@dataclass(frozen=True)
class Survey:
    """What was found, and what is to be done about it.

    Args:
        plans: One a project: those asked for in their order, then those to be pruned.
        needs: What the host lacks before the plans can be carried out: ``image`` or nothing.
        snapshots: All of the engine.
        views: By project.
        definitions: By project, each with its user; a project to be pruned has none.
    """

    plans: tuple[Plan, ...]
    orphans: tuple[Orphan, ...]
    needs: list[str]
    views: Mapping[str, View]
    definitions: Mapping[str, Definition]
    snapshots: Snapshots


@dataclass(frozen=True)
class _Planner:
    definitions: Mapping[str, Definition]
    images: Images
    site: Site
    policy: Policy
    views: Mapping[str, View]

    def plan(self, project: str, view: View) -> Plan:
        definition = self.definitions.get(project)
        if definition is None:
            return plan_undeclared(project, view, self.policy)
        plan = plan_project(Case(definition, view, self.images, self.site, self.policy))
        problem = write_problem(definition) if any(step.verb == "sync" for step in plan.steps) else None
        return plan.failed(problem) if problem else plan


def survey(engine: Engine | None, request: Request, records: Records) -> Survey:
    """Observe and plan, changing nothing. Without an engine, everything is still to be made.

    Raises:
        BerthError: The engine cannot be read.
    """
    containers, image_list, volumes = _lists(engine) if engine else ([], [], [])
    listing = Listing(containers, request.site.scope, volumes)
    snapshots = Snapshots(image_list, request.site.scope)
    orphans = find_orphans(Found(listing, snapshots, image_list, records.of_others(request.declared)), request.declared)
    gone = sorted({orphan.project for orphan in orphans if orphan.is_prunable}) if request.prune else []
    wanted = [*request.names, *request.undeclared, *gone]
    views = view_projects(engine, listing, snapshots, wanted, records, request.parallel)
    views = {project: replace(view, files=_files_of(project, request)) for project, view in views.items()}
    is_reset = request.policy.operation == "reset"  # which makes as if for the first time
    known = {project: View() for project in views} if is_reset else views
    definitions, warnings = settle_users(request.definitions, known)

    coming = _coming_images(request, image_list)
    planner = _Planner(definitions, Images(image_list), request.site, replace(request.policy, coming=coming), views)
    plans = {project: planner.plan(project, view) for project, view in views.items()}
    if engine:
        closer = _look_closer(engine, plans, views, request.policy)
        views.update(closer)
        plans.update({project: planner.plan(project, view) for project, view in closer.items()})
        plans.update(_measured(engine, plans, planner))
    for project, text in warnings.items():
        plans[project] = replace(plans[project], warnings=(*plans[project].warnings, text))
    return Survey(tuple(plans.values()), orphans, ["image"] if coming else [], views, definitions, snapshots)


def _files_of(project: str, request: Request) -> dict[str, FoundFile]:
    return {} if request.policy.only_state else read_host_state(request.site.host_state(project))


def _lists(engine: Engine) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """The engine's containers, its images, and Berth's volumes, listed side by side."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        images = pool.submit(engine.images)
        volumes = pool.submit(engine.volumes, f"{MANAGED}=true")
        return engine.containers(), images.result(), volumes.result()


def check_folders(request: Request) -> Request:
    """A path that cannot be used stops the host's whole run before its first change, as any wrong input does.

    Returns:
        The request with the files that are copied on this host.

    Raises:
        BerthError: There are such paths.
    """
    if request.policy.operation in ("state", "destroy"):
        return request
    looked, problems = look_at_folders(request)
    wrong = [f"- project {name}: {problem}" for name, found in problems.items() for problem in found]
    if wrong:
        raise BerthError("\n".join(["Nothing was changed on this host. Declared paths cannot be used:", *wrong]))
    return looked


def look_at_folders(request: Request) -> tuple[Request, dict[str, list[str]]]:
    """The request with the files that are copied on this host, and by project why its paths cannot be used."""
    there = [definition for definition in request.definitions if definition.state != "absent"]
    # Once for all projects: following the links of all for each of them would take N times N looks at the disk.
    exposed = real_paths(path for definition in there for path in definition.writable_sources)
    looked: dict[str, Definition] = {}
    problems: dict[str, list[str]] = {}
    for definition in there:
        state, wrong = with_copies(definition.host_state, exposed)
        looked[definition.name] = replace(definition, host_state=state)
        problems[definition.name] = [*folder_problems(definition, request.site), *wrong]
    definitions = tuple(looked.get(definition.name, definition) for definition in request.definitions)
    return replace(request, definitions=definitions), problems


def _coming_images(request: Request, image_list: list[dict[str, Any]]) -> frozenset[str]:
    """The base image, where a project that is to exist wants it and role ``image`` has to build it first."""
    wanted = any(one.image == LATEST and one.state != "absent" for one in request.definitions)
    recipe = request.base_image
    if not wanted or not request.report_needs or recipe is None:
        return frozenset()
    current = base_image_is_current(image_list, recipe["digest"], recipe["base"], recipe["suite"], recipe["ca"])
    return frozenset() if current else frozenset([LATEST])


def _look_closer(
    engine: Engine, plans: Mapping[str, Plan], views: Mapping[str, View], policy: Policy
) -> dict[str, View]:
    """The views of those containers that their plan would cut, with what only such a plan has to know.

    That is whether an agent is at work there, and for a replace the image's environment, so that its reasons name the
    user's variables only.
    """
    closer = {}
    for project, plan in plans.items():
        view = views[project]
        if not plan.cuts or view.container is None:
            continue
        if plan.action == "replace":
            view = replace(view, container=with_image_env(engine, view.container))
        if view.status in ("running", "paused") and not policy.force:
            view = replace(view, agents=agents_at_work(engine, str(view.container_id)))
        closer[project] = view
    return closer


def _measured(engine: Engine, plans: Mapping[str, Plan], planner: _Planner) -> dict[str, Plan]:
    """The plans that make or limit something, held against the host and the image."""
    measured = {}
    images: dict[str, Mapping[str, Any] | None] = {}
    for project, plan in plans.items():
        if not plan.is_measured:
            continue
        definition = planner.definitions[project]
        limited = check_limits(plan, definition, planner.site, host_of(engine.info()))
        misfit = engine_folder_problem(definition, engine.info()["DockerRootDir"])
        reference = _made_from(limited, definition, planner.views[project])
        if misfit is None and reference and planner.images.find(reference):
            if reference not in images:
                images[reference] = engine.image(reference)
            image = images[reference]
            misfit = image_misfit(image, reference, definition, planner.site) if image else None
        measured[project] = limited.failed(misfit) if misfit else limited
    return measured


def _made_from(plan: Plan, definition: Definition, view: View) -> str | None:
    """The image that a plan's new container will be like."""
    step = plan.making
    if step is None:
        return None
    if step.source:
        return step.source.image
    return definition.image if step.is_fresh else str((view.container or {}).get("Image", definition.image))
