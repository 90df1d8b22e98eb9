# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What module ``snapshot`` does: takes, lists, prunes and removes snapshots of a host's projects."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Callable

from ansible_collections.berth.projects.plugins.module_utils.definition import Definition
from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError, message_of
from ansible_collections.berth.projects.plugins.module_utils.lineage import Lineage, Snapshot, Snapshots, time_of
from ansible_collections.berth.projects.plugins.module_utils.names import MANAGED, container_name
from ansible_collections.berth.projects.plugins.module_utils.observe import view_projects
from ansible_collections.berth.projects.plugins.module_utils.records import Records
from ansible_collections.berth.projects.plugins.module_utils.request import request_from
from ansible_collections.berth.projects.plugins.module_utils.result import failure_message
from ansible_collections.berth.projects.plugins.module_utils.snapshots import Snapshotter, Wish
from ansible_collections.berth.projects.plugins.module_utils.times import age
from ansible_collections.berth.projects.plugins.module_utils.world import Listing, View


@dataclass
class _Work:
    """One project, as its work goes by."""

    definition: Definition
    view: View
    engine: Engine
    listing: Listing
    snapshotter: Snapshotter
    scope: str
    wanted: str
    is_check: bool
    changed: bool = False
    taken: str | None = None
    removed: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    error: str | None = None

    @property
    def lineage(self) -> Lineage:
        return self.view.lineage


def work_on_snapshots(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """The result of module ``snapshot``.

    Raises:
        BerthError: The engine cannot be read, or the lock is held too long. What goes wrong with one project is in its
            entry, and does not stop the others.
    """
    request = request_from(params)
    engine, records = Engine.connect(params), Records(request.site.state_dir)
    operation = params["operation"]
    scope, names = request.site.scope, [*request.names]
    only_looks = check_mode or operation == "list"
    with nullcontext() if only_looks else records.locked(params["lock_timeout"]):
        listing = Listing(engine.containers(), scope, engine.volumes(f"{MANAGED}=true"))
        before = Snapshots(engine.images(), scope)
        views = view_projects(engine, listing, before, names, records, request.parallel)
        snapshotter = Snapshotter(engine)
        works = [
            _Work(definition, views[definition.name], engine, listing, snapshotter, scope, params["name"], check_mode)
            for definition in request.definitions
        ]
        with ThreadPoolExecutor(max_workers=request.parallel) as pool:
            list(pool.map(lambda work: _run(_OPERATIONS[operation], work), works))
        after = before if only_looks else Snapshots(engine.images(), scope)
    projects = [_entry(work, after) for work in works]
    failed = [project for project in projects if project["error"]]
    result: dict[str, Any] = {"changed": any(project["changed"] for project in projects), "projects": projects}
    if failed:
        result.update(failed=True, msg=failure_message(failed, len(projects)))
    return result


def describe(lineage: Lineage, used: frozenset[str]) -> list[dict[str, Any]]:
    """The snapshots of a project as plain data, newest first."""
    now = datetime.now(timezone.utc)
    return [
        {
            "name": one.tag,
            "reference": one.reference,
            "image_id": one.id,
            "size": one.own_size,
            "age": age(time_of(one.tag), now),
            "latest": one is lineage.latest,
            "in_use": one.id in used,
            "base": one.base,
            "base_id": one.base_id,
            "parent": _parent(one, lineage),
            "layers": one.layers,
            "flat": one.flat,
        }
        for one in lineage.snapshots
    ]


def _parent(snapshot: Snapshot, lineage: Lineage) -> str | None:
    """The snapshot below, by its time; None for the first of a lineage, or where that is gone."""
    below = lineage.of_image(snapshot.parent)
    return below.tag if below else None


def _run(operation: Callable[[_Work], None], work: _Work) -> None:
    try:
        if work.view.clash:
            raise BerthError(work.view.clash)
        operation(work)
    except Exception as problem:  # one project's; the others go on
        work.error = message_of(problem)


def _take(work: _Work) -> None:
    view, policy = work.view, work.definition.snapshot
    _drop_parts(work)
    if view.container is None and work.definition.state == "absent":
        return
    if view.container is None or view.container_id is None or view.is_aside:
        raise BerthError(f"There is no container {container_name(work.definition.name)} to take a snapshot of.")
    if view.lineage.holder_of(view.container):  # nothing has happened in it since
        return
    work.changed = True
    if work.is_check:
        return
    wish = Wish(work.definition.name, work.scope, policy.squash_after)
    taken = work.snapshotter.take(view.container_id, work.lineage, wish)
    work.taken = taken.reference
    work.warnings += taken.warnings
    _drop(work, work.lineage.surplus(policy.keep - 1, view.used_images(), is_latest_moved=True))


def _list(work: _Work) -> None:
    """Everything there is to tell is told of every operation."""


def _prune(work: _Work) -> None:
    _drop_parts(work)
    _drop(work, work.lineage.surplus(work.definition.snapshot.keep, work.view.used_images()))


def _remove(work: _Work) -> None:
    if not work.wanted:
        raise BerthError("Which snapshot? Give its name, such as 20260102T030405678901Z, or latest.")
    snapshot = work.lineage.find(work.wanted)
    if snapshot is None:
        return
    users = [entry.name for entry in work.listing.all if entry.image_id == snapshot.id]
    if users:
        raise BerthError(
            f"The snapshot {snapshot.reference} cannot go: the container {users[0]} was made from it. Once that "
            "container is replaced, it goes by itself when snapshot.keep is reached."
        )
    if snapshot.is_latest and not work.is_check:
        work.snapshotter.leave_latest(snapshot, work.lineage)
    _drop(work, [snapshot])


def _drop_parts(work: _Work) -> None:
    """Remove what an interrupted snapshot has left."""
    for part in work.view.parts:
        work.changed = True
        if not work.is_check:
            work.engine.remove(part)
    for part in work.lineage.parts:
        work.changed = True
        if not work.is_check:
            work.snapshotter.images.remove(part)


def _drop(work: _Work, snapshots: list[Snapshot]) -> None:
    for snapshot in snapshots:
        if work.is_check or work.snapshotter.remove(snapshot):
            work.changed = True
            work.removed.append(snapshot.tag)


def _entry(work: _Work, after: Snapshots) -> dict[str, Any]:
    lineage = after.of(work.definition.name)
    return {
        "name": work.definition.name,
        "changed": work.changed,
        "taken": work.taken,
        "removed": work.removed,
        "snapshots": describe(lineage, work.view.used_images()),
        "size": after.disk_use(lineage),
        "warnings": work.warnings,
        "error": work.error,
    }


_OPERATIONS: Mapping[str, Callable[[_Work], None]] = {
    "take": _take,
    "list": _list,
    "prune": _prune,
    "remove": _remove,
}
