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
from ansible_collections.berth.projects.plugins.module_utils.aspects_isolation import GVISOR
from ansible_collections.berth.projects.plugins.module_utils.definition import Definition
from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.facts import (
    Facts,
    facts_of,
    isolation_misfit,
    settle_runtime,
)
from ansible_collections.berth.projects.plugins.module_utils.host_addresses import public_addresses
from ansible_collections.berth.projects.plugins.module_utils.host_files import (
    read_host_state,
    real_paths,
    with_copies,
    write_problem,
)
from ansible_collections.berth.projects.plugins.module_utils.image_base import LATEST
from ansible_collections.berth.projects.plugins.module_utils.image_plan import image_is_current
from ansible_collections.berth.projects.plugins.module_utils.lineage import Snapshots
from ansible_collections.berth.projects.plugins.module_utils.names import MANAGED, PROXY_IMAGE
from ansible_collections.berth.projects.plugins.module_utils.networks import Networks
from ansible_collections.berth.projects.plugins.module_utils.observe import (
    agents_at_work,
    engine_folder_problem,
    folder_problems,
    host_of,
    key_warnings,
    view_projects,
    with_image_env,
)
from ansible_collections.berth.projects.plugins.module_utils.orphans import Found, Orphan, find_orphans
from ansible_collections.berth.projects.plugins.module_utils.plan import Case, Plan, Policy
from ansible_collections.berth.projects.plugins.module_utils.plan_image import image_misfit
from ansible_collections.berth.projects.plugins.module_utils.plan_network import settle_network
from ansible_collections.berth.projects.plugins.module_utils.plan_provision import check_limits
from ansible_collections.berth.projects.plugins.module_utils.planner import plan_project, plan_undeclared
from ansible_collections.berth.projects.plugins.module_utils.proxy_files import read_applied, read_config
from ansible_collections.berth.projects.plugins.module_utils.records import Records
from ansible_collections.berth.projects.plugins.module_utils.request import Request
from ansible_collections.berth.projects.plugins.module_utils.users import settle_users
from ansible_collections.berth.projects.plugins.module_utils.world import Images, Listing, View


@dataclass(frozen=True)
class Survey:
    """What was found, and what is to be done about it.

    Args:
        plans: One a project: those asked for in their order, then those to be pruned.
        needs: What the host lacks before the plans can be carried out: ``image``, ``proxy`` or nothing.
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
    networks: Networks
    facts: Facts | None

    def plan(self, project: str, view: View) -> Plan:
        definition = self.definitions.get(project)
        if definition is None:
            return plan_undeclared(project, view, self.policy)
        plan = plan_project(Case(definition, view, self.images, self.site, self.policy, self.networks))
        problem = write_problem(definition) if any(step.verb == "sync" for step in plan.steps) else None
        is_made = definition.state != "absent" and self.policy.operation not in ("state", "destroy")
        if self.facts and is_made:
            problem = problem or isolation_misfit(definition, self.facts)
        return plan.failed(problem) if problem else plan


def survey(engine: Engine | None, request: Request, records: Records) -> Survey:
    """Observe and plan, changing nothing. Without an engine, everything is still to be made.

    Raises:
        BerthError: The engine cannot be read.
    """
    containers, image_list, volumes, networks = _lists(engine) if engine else ([], [], [], [])
    facts = facts_of(engine.info()) if engine else Facts()
    lacking = _runtime_needs(request, facts, engine)
    facts = replace(facts, runtimes=facts.runtimes | {*lacking})  # it will be there before anything is carried out
    listing = Listing(containers, request.site.scope, volumes, networks)
    snapshots = Snapshots(image_list, request.site.scope)
    orphans = find_orphans(Found(listing, snapshots, image_list, records.of_others(request.declared)), request.declared)
    gone = sorted({orphan.project for orphan in orphans if orphan.is_prunable}) if request.prune else []
    wanted = [*request.names, *request.undeclared, *gone]
    views = view_projects(engine, listing, snapshots, wanted, records, request.parallel)
    views = {project: _with_files(view, project, request) for project, view in views.items()}
    is_reset = request.policy.operation == "reset"  # which makes as if for the first time
    known = {project: View() for project in views} if is_reset else views
    definitions, warnings = settle_users(request.definitions, known)
    taken = listing.networks.subnets
    definitions = {
        name: settle_network(settle_runtime(one, facts), known[name], taken) for name, one in definitions.items()
    }

    coming = _coming_images(request, image_list)
    planner = _Planner(
        definitions,
        Images(image_list),
        request.site,
        replace(request.policy, coming=coming),
        views,
        listing.networks,
        facts if engine else None,
    )
    plans = {project: planner.plan(project, view) for project, view in views.items()}
    if engine:
        closer = _look_closer(engine, plans, views, request.policy)
        views.update(closer)
        plans.update({project: planner.plan(project, view) for project, view in closer.items()})
        plans.update(_measured(engine, plans, planner))
    for project, text in warnings.items():
        plans[project] = replace(plans[project], warnings=(*plans[project].warnings, text))
    for definition in request.definitions if not request.policy.only_state else ():
        more = key_warnings(definition) if definition.state != "absent" else []
        plan = plans[definition.name]
        plans[definition.name] = replace(plan, warnings=(*plan.warnings, *more)) if more else plan
    return Survey(
        tuple(plans.values()),
        orphans,
        [*(need for image, need in _NEEDS.items() if image in coming), *lacking],
        views,
        definitions,
        snapshots,
    )


def _with_files(view: View, project: str, request: Request) -> View:
    """The view with what Berth keeps for the project on this host."""
    if request.policy.only_state:
        return view
    files = read_host_state(request.site.host_state(project))
    if view.proxy is None:
        return replace(view, files=files)
    config, applied = read_config(request.site, project), read_applied(request.site, project)
    return replace(view, files=files, proxy_config=config, applied=applied)


def _lists(engine: Engine) -> tuple[list[dict[str, Any]], ...]:
    """The engine's containers, its images, Berth's volumes, and its networks, listed side by side."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        images = pool.submit(engine.images)
        volumes = pool.submit(engine.volumes, f"{MANAGED}=true")
        networks = pool.submit(engine.networks)
        return engine.containers(), images.result(), volumes.result(), networks.result()


def _runtime_needs(request: Request, facts: Facts, engine: Engine | None) -> list[str]:
    """gVisor, where a project demands it and somebody is going to install it."""
    demands = any(one.runtime == GVISOR and one.state != "absent" for one in request.definitions)
    return [GVISOR] if demands and engine and request.installs_gvisor and not facts.has_gvisor else []


_NEEDS = {LATEST: "image", PROXY_IMAGE: "proxy"}
"""What a host lacks that lacks an image: roles ``image`` and ``egress`` make them."""


def check_folders(request: Request) -> Request:
    """A path that cannot be used stops the host's whole run before its first change, as any wrong input does.

    Returns:
        The request with the files that are copied on this host, and with the host's addresses.

    Raises:
        BerthError: There are such paths.
    """
    if request.policy.operation in ("state", "destroy"):
        return _with_addresses(request)
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
    return _with_addresses(replace(request, definitions=definitions)), problems


def _with_addresses(request: Request) -> Request:
    """Whatever the operation: a proxy that is compared or made without them may lead to the host."""
    if not any(definition.proxy for definition in request.definitions):
        return request
    return replace(request, site=replace(request.site, addresses=public_addresses()))


def _coming_images(request: Request, image_list: list[dict[str, Any]]) -> frozenset[str]:
    """Berth's own images, where a project that is to exist wants one and a role has to build it first."""
    if not request.report_needs:
        return frozenset()
    there = [one for one in request.definitions if one.state != "absent"]
    wanted = {one.image for one in there} | {one.proxy.image for one in there if one.proxy}
    recipes = {f"{recipe['repository']}:latest": recipe for recipe in request.recipes}
    return frozenset(name for name in wanted & {*recipes} if not image_is_current(image_list, **recipes[name]))


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
        cut = [view.unproven.container] if view.unproven and plan.steps else []
        cut += [view.container] if view.container and plan.cuts else []
        if not cut:
            continue
        if plan.action == "replace" and view.container:
            view = replace(view, container=with_image_env(engine, view.container))
        if not policy.force:
            agents = {agent for one in cut for agent in agents_at_work(engine, one)}
            view = replace(view, agents=tuple(sorted(agents)))
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
