# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run is asked for, what it finds, and the plan that follows: everything up to the first change."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, Iterable, Mapping

from ansible_collections.berth.projects.plugins.module_utils.aspect import Site
from ansible_collections.berth.projects.plugins.module_utils.definition import Definition, User, definition_from
from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.image_build import base_image_is_current
from ansible_collections.berth.projects.plugins.module_utils.names import BASE_REPOSITORY
from ansible_collections.berth.projects.plugins.module_utils.observe import (
    agents_at_work,
    folder_owner,
    host_of,
    missing_folders,
    view_projects,
)
from ansible_collections.berth.projects.plugins.module_utils.orphans import Orphan, find_orphans
from ansible_collections.berth.projects.plugins.module_utils.plan import (
    Plan,
    Policy,
    check_limits,
    plan_project,
    plan_prune,
)
from ansible_collections.berth.projects.plugins.module_utils.records import Records, default_state_dir
from ansible_collections.berth.projects.plugins.module_utils.world import Images, Listing, View

DEFAULT_UID = 1000


@dataclass(frozen=True)
class Request:
    """What a module run is asked for: its parameters, with the controller's payload opened.

    Args:
        definitions: The projects to work on.
        declared: The names of all projects of the host, also of those that this run does not work on.
        base_image: What the base image must be made from (``Recipe.to_wire`` without its files), or None.
    """

    definitions: tuple[Definition, ...]
    declared: frozenset[str]
    scope: str
    state_dir: str
    prune: bool
    parallel: int
    report_needs: bool
    policy: Policy
    base_image: Mapping[str, Any] | None
    ready_timeout: int
    stop_timeout: int
    lock_timeout: int

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Request:
        payload = json.loads(params["payload"])
        return cls(
            definitions=tuple(definition_from(entry) for entry in payload["projects"]),
            declared=frozenset(payload["declared"]),
            scope=params["scope"],
            state_dir=(params["state_dir"] or default_state_dir()).rstrip("/"),
            prune=params.get("prune", False),
            parallel=params["parallel"],
            report_needs=params.get("report_needs", False),
            policy=Policy(force=params.get("when_busy") == "force", only_state=params.get("only_state", False)),
            base_image=payload.get("base_image"),
            ready_timeout=params.get("ready_timeout", 120),
            stop_timeout=params.get("stop_timeout", 10),
            lock_timeout=params.get("lock_timeout", 600),
        )


@dataclass(frozen=True)
class Survey:
    """What was found, and what is to be done about it."""

    plans: tuple[Plan, ...]
    orphans: tuple[Orphan, ...]
    needs: list[str]
    views: Mapping[str, View]
    definitions: Mapping[str, Definition]

    def view(self, project: str) -> View:
        return self.views[project]

    def definition(self, project: str) -> Definition | None:
        return self.definitions.get(project)


def survey(engine: Engine | None, request: Request, records: Records) -> Survey:
    """Observe and plan, changing nothing. Without an engine, everything is still to be made.

    Raises:
        BerthError: The host cannot be read, or a declared folder is missing on it.
    """
    _check_folders(request.definitions)
    site = Site(request.state_dir, request.scope)
    listing = Listing(engine.containers() if engine else (), request.scope)
    image_list = engine.images() if engine else []
    names = [definition.name for definition in request.definitions]
    views = view_projects(engine, listing, request.scope, names, records, request.parallel)
    definitions, warnings = _settle_users(request.definitions, views)

    images = Images(image_list)
    coming = _coming_images(request, image_list)
    policy = replace(request.policy, coming=coming)
    plans = {name: plan_project(definitions[name], views[name], images, site, policy) for name in names}

    orphans = find_orphans(listing, request.scope, request.declared)
    gone = [orphan.project for orphan in orphans if orphan.is_prunable] if request.prune else []
    views.update(view_projects(engine, listing, request.scope, gone, records, request.parallel))
    plans.update({name: plan_prune(name, views[name], policy) for name in gone})

    if engine:
        _look_for_agents(engine, plans, views, policy)
        for name in [*names, *gone]:
            if plans[name].cuts and views[name].agents:
                definition = definitions.get(name)
                plans[name] = (
                    plan_project(definition, views[name], images, site, policy)
                    if definition
                    else plan_prune(name, views[name], policy)
                )
        _check_limits(engine, plans, definitions)
    for name, text in warnings.items():
        plans[name] = replace(plans[name], warnings=(*plans[name].warnings, text))
    return Survey(tuple(plans.values()), orphans, ["image"] if coming else [], views, definitions)


def _check_folders(definitions: Iterable[Definition]) -> None:
    """A folder that is missing stops the host's whole run before its first change, as any wrong input does."""
    missing = [
        f"project {definition.name}: {path}"
        for definition in definitions
        if definition.state != "absent"
        for path in missing_folders(definition)
    ]
    if missing:
        raise BerthError(
            "Declared folders are missing on this host: " + "; ".join(missing) + ". Nothing was changed. Create them "
            "(a workspace is a folder of the host, for example a git clone), or correct the paths."
        )


def _settle_users(
    definitions: Iterable[Definition], views: Mapping[str, View]
) -> tuple[dict[str, Definition], dict[str, str]]:
    """Give each definition the ids its agent runs with, and warn where root's were left aside."""
    settled, warnings = {}, {}
    for definition in definitions:
        user, warning = settle_user(definition, views[definition.name])
        settled[definition.name] = definition.owned_by(user)
        if warning:
            warnings[definition.name] = warning
    return settled, warnings


def settle_user(definition: Definition, view: View) -> tuple[User, str | None]:
    """Whose ids the agent has: as declared, else as recorded, else the owner's of the first workspace."""
    known = definition.user or view.record.user or _user_of(view)
    if known:
        return known, None
    owner = folder_owner(definition) or User(DEFAULT_UID, DEFAULT_UID)
    if owner.uid != 0 and owner.gid != 0:
        return owner, None
    return (
        User(owner.uid or DEFAULT_UID, owner.gid or DEFAULT_UID),
        f"{definition.workspaces[0].path} belongs to root, and an agent never runs as root: it gets uid and gid "
        f"{DEFAULT_UID} and may be unable to write there. Change the folder's owner, or set user",
    )


def _user_of(view: View) -> User | None:
    """The ids that an existing container was made with, should its record be lost."""
    if view.container is None:
        return None
    env = dict(entry.partition("=")[::2] for entry in view.container["Config"].get("Env") or [])
    uid, gid = env.get("BERTH_UID", ""), env.get("BERTH_GID", "")
    return User(int(uid), int(gid)) if uid.isdigit() and gid.isdigit() else None


def _coming_images(request: Request, image_list: list[dict[str, Any]]) -> frozenset[str]:
    """The base images that role ``image`` has to build first: those of a project that is to exist."""
    wanted = {
        definition.image
        for definition in request.definitions
        if definition.state != "absent" and definition.image == f"{BASE_REPOSITORY}:latest"
    }
    recipe = request.base_image
    if not wanted or not request.report_needs or recipe is None:
        return frozenset()
    current = base_image_is_current(image_list, recipe["digest"], recipe["base"], recipe["suite"], recipe["ca"])
    return frozenset() if current else frozenset(wanted)


def _look_for_agents(engine: Engine, plans: Mapping[str, Plan], views: dict[str, View], policy: Policy) -> None:
    """Ask for the processes of just those containers that would be cut."""
    if policy.force:
        return
    for name, plan in plans.items():
        view = views[name]
        if plan.cuts and view.status == "running" and view.container_id:
            views[name] = replace(view, agents=agents_at_work(engine, view.container_id))


def _check_limits(engine: Engine, plans: dict[str, Plan], definitions: Mapping[str, Definition]) -> None:
    for name, plan in plans.items():
        if plan.makes_or_limits and name in definitions:
            plans[name] = check_limits(plan, definitions[name], host_of(engine.info()))
