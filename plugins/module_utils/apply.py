# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carries out a plan on an engine, step by step, for one project."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Callable

from ansible_collections.berth.projects.plugins.module_utils.aspect import Site
from ansible_collections.berth.projects.plugins.module_utils.aspects_network import egress_of, proxy_of
from ansible_collections.berth.projects.plugins.module_utils.aspects_process import user_of
from ansible_collections.berth.projects.plugins.module_utils.definition import (
    Definition,
    Network,
    SnapshotPolicy,
    User,
)
from ansible_collections.berth.projects.plugins.module_utils.erase import erase
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError, as_sentence, message_of
from ansible_collections.berth.projects.plugins.module_utils.host_state import UNFINISHED, HostState
from ansible_collections.berth.projects.plugins.module_utils.host_writer import HostWriter
from ansible_collections.berth.projects.plugins.module_utils.launch import Start
from ansible_collections.berth.projects.plugins.module_utils.names import container_name
from ansible_collections.berth.projects.plugins.module_utils.observe import agents_at_work, was_ever_ready
from ansible_collections.berth.projects.plugins.module_utils.plan import Plan, Policy, waiting
from ansible_collections.berth.projects.plugins.module_utils.proxy_files import proxy_folder
from ansible_collections.berth.projects.plugins.module_utils.records import Record, Records
from ansible_collections.berth.projects.plugins.module_utils.replace import (
    Crew,
    bring_back,
    quiesce,
    set_aside,
    swap,
)
from ansible_collections.berth.projects.plugins.module_utils.result import Outcome
from ansible_collections.berth.projects.plugins.module_utils.snapshots import Taken, Wish
from ansible_collections.berth.projects.plugins.module_utils.steps import Step
from ansible_collections.berth.projects.plugins.module_utils.world import View

TAKE_OVER = "/usr/local/lib/berth/takeover"
_SHOWN = 500  # characters of what it printed


@dataclass(frozen=True)
class Tools(Crew):
    """What the steps work with: besides those that a replacement takes, what keeps and writes files on the host.

    Args:
        ready_timeout: How long a container may take over its host state, in seconds.
    """

    records: Records
    site: Site
    writer: HostWriter
    ready_timeout: int
    policy: Policy


class _AtWork(Exception):
    """An agent is at work that a step would cut; with what is told of that."""


@dataclass
class _Work:
    """One project as its steps go by: all but the first three follow what is done."""

    project: str
    definition: Definition | None
    view: View
    container_id: str | None
    record: Record
    warnings: list[str] = field(default_factory=list)
    snapshot: str | None = None
    done: int = 0
    is_forgotten: bool = False

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

    def remember(self, tools: Tools) -> None:
        """Write down what is known so far: what comes next rests on it."""
        self.record = self.record.of_scope(tools.site.scope)
        tools.records.write(self.project, self.record)

    @property
    def id(self) -> str:
        if self.container_id is None:
            raise BerthError(f"There is no container {container_name(self.project)}.")
        return self.container_id


def carry_out(plan: Plan, definition: Definition | None, view: View, tools: Tools) -> Outcome:
    """Do the steps of a plan, then remember what is known of the project's container now.

    Steps stop at the first that fails; what was before that one still is, or is told in the outcome's error. They also
    stop at one that would cut an agent which has begun to work since the plan was made, and that is no error.

    Args:
        definition: None where a container is removed that no definition names.
    """
    if plan.error:
        return Outcome(False, view.container_id, plan.warnings, plan.error)
    work = _Work(plan.project, definition, view, view.container_id, view.seen, list(plan.warnings))
    error, put_off = None, 0
    try:
        for step in plan.steps:
            _STEPS[step.verb](work, step, tools)
            work.done += 1
        if work.container_id:
            work.record = work.record.with_user(definition.user if definition else None)
    except _AtWork as told:
        work.warnings.append(str(told))
        put_off = len(plan.steps) - work.done
        _give_back(work, plan, tools)
    except Exception as problem:  # one project's; the others go on
        error = message_of(problem)
        _give_back(work, plan, tools)
    try:
        if work.container_id:  # where there is none, the record says no more than it did
            work.record = work.record.of_scope(tools.site.scope)
        if work.record != view.record and not work.is_forgotten:
            tools.records.write(plan.project, work.record)
    except BerthError as problem:
        error = error or problem.msg
    return Outcome(work.done > 0, work.container_id, tuple(work.warnings), error, work.snapshot, put_off)


def _look_again(work: _Work, step: Step, tools: Tools, container_id: str | None) -> None:
    """Before a step cuts: minutes may have passed since the plan was made, with other projects or a build.

    Raises:
        _AtWork: There is an agent at work now, and it is not to be cut.
    """
    if tools.policy.force or container_id is None:
        return
    container = tools.engine.container(container_id)
    agents = agents_at_work(tools.engine, container) if container else ()
    if agents:
        view = replace(work.view, agents=agents)
        raise _AtWork(waiting(step.verb, view, tools.policy.is_repeated))


def _pull(work: _Work, step: Step, tools: Tools) -> None:
    tools.engine.pull(step.detail)


def _rename(work: _Work, step: Step, tools: Tools) -> None:
    tools.engine.rename(work.id, step.detail)


def _update(work: _Work, step: Step, tools: Tools) -> None:
    tools.engine.update(work.id, step.body or {})


def _connect(work: _Work, step: Step, tools: Tools) -> None:
    """What is too much is left first: it may be a way around what is declared."""
    networks = step.body or {}
    for name in networks["leave"]:
        tools.gate.leave(name, work.id)
    for name in networks["join"]:
        tools.gate.join(name, work.id)


def _network(work: _Work, step: Step, tools: Tools) -> None:
    egress = egress_of(work.existing)
    if egress == work.declared.network.egress:
        work.definition = tools.gate.have_networks(work.declared)
        is_stranded = work.declared.network.proxy != proxy_of(work.existing)
        if is_stranded and work.declared.state == "started" and not work.view.is_running:
            raise BerthError(
                f"The network {step.detail} had to be made elsewhere just now, so the container would start and not "
                "reach its proxy. Run berth.projects.provision again: it replaces the container."
            )
    else:  # of a container that waits for its replacement
        tools.gate.have_networks(replace(work.declared, network=Network(egress, proxy=proxy_of(work.existing))))


def _rejoin(work: _Work, step: Step, tools: Tools) -> None:
    tools.gate.rejoin(step.detail, work.id)


def _proxy(work: _Work, step: Step, tools: Tools) -> None:
    if step.detail == "stop":
        tools.gate.proxies.stop(work.project)
    elif work.declared.proxy is None or egress_of(work.existing) != work.declared.network.egress:
        tools.gate.proxies.start(work.project)
    else:
        tools.gate.proxies.have(work.declared, is_up=bool((step.body or {}).get("is_up")))


def _unpause(work: _Work, step: Step, tools: Tools) -> None:
    tools.engine.unpause(work.id)


def _set_aside(work: _Work, step: Step, tools: Tools) -> None:
    if work.view.unproven is not None:
        container_id = work.view.unproven.container["Id"]
        _look_again(work, step, tools, container_id)
        set_aside(tools.engine, work.project, container_id, tools.stop_timeout)


def _clean(work: _Work, step: Step, tools: Tools) -> None:
    left = step.body or {}
    if "container" in left:
        _look_again(work, step, tools, left["container"])
        tools.engine.remove(left["container"])
    snapshot = work.view.lineage.find(left.get("snapshot", ""))
    if snapshot:
        tools.snapshotter.remove(snapshot)
    if "network" in left:
        tools.gate.remove(left["network"])
    if "image" in left:
        tools.snapshotter.images.remove(left["image"])


def _tag(work: _Work, step: Step, tools: Tools) -> None:
    snapshot = work.view.lineage.find(step.detail)
    if snapshot is None:
        raise BerthError(f"The snapshot {step.detail} is gone.")
    tools.snapshotter.point_latest(snapshot)


def _build(work: _Work, step: Step, tools: Tools) -> None:
    tools.launcher.declared_source(work.declared)


def _sync(work: _Work, step: Step, tools: Tools) -> None:
    """Write what differs of the project's host state; all of it goes where the project does."""
    definition = work.definition
    wanted = definition.host_state if definition and definition.state != "absent" else HostState()
    what = step.body or {}
    user = User(what.get("uid", os.geteuid()), what.get("gid", os.getegid()))
    folder = tools.site.host_state(work.project)
    tools.records.prepare(folder)
    tools.writer.write(folder, wanted, what["files"], user)


def _give_back(work: _Work, plan: Plan, tools: Tools) -> None:
    """After a replacement that failed or was put off, let the agent of the old container read its host state again."""
    user = user_of(work.view.container) if work.view.container else None
    if plan.action == "replace" and user and work.definition and user != work.definition.user:
        tools.writer.give(tools.site.host_state(work.project), user)


def _take_over(work: _Work, step: Step, tools: Tools) -> None:
    generation, known = work.declared.host_state.generation, work.record
    work.record = known.has_taken(UNFINISHED)
    status, output = tools.engine.run(work.id, [TAKE_OVER, generation], "agent", tools.ready_timeout)
    said = Start()
    for line in output.splitlines():
        said = said.with_line(line)
    work.warnings += said.warnings
    if status in (126, 127):
        work.record = known
        raise BerthError(
            f"The image of the container has no {TAKE_OVER}, which takes the agent's configuration over. Upgrade the "
            "project to a current base image (playbook upgrade)."
        )
    if status != 0:
        told = "; ".join(said.errors) or output.strip()[-_SHOWN:] or f"exit status {status}"
        raise BerthError(f"The container could not take its configuration over: {told}. The next run tries again.")
    work.record = work.record.has_taken(generation)


def _create(work: _Work, step: Step, tools: Tools) -> None:
    source = step.source or tools.launcher.declared_source(work.declared)
    work.container_id = tools.launcher.create(work.declared, source)
    work.record = work.record.pending(work.container_id)


def _start(work: _Work, step: Step, tools: Tools) -> None:
    """Start the container, and see it ready.

    If it does not become ready, one that was made by this run goes, and one that has yet to prove itself makes way for
    the one before it.
    """
    container_id = work.id
    try:
        said = tools.launcher.start(work.project, container_id)
    except Exception as error:
        told = as_sentence(message_of(error))
        try:
            back = _undo_start(work, container_id, tools)
        except BerthError as second:
            raise BerthError(f"{told} Then this failed, too: {second.msg} The next run goes on.") from error
        raise BerthError(f"{told} {back}".rstrip()) from error
    work.warnings += said.warnings
    work.record = work.record.proven(container_id).has_taken(said.taken or work.record.taken)
    if container_id == work.view.record.pending_id:
        _remove_held(work, tools)


def _undo_start(work: _Work, container_id: str, tools: Tools) -> str:
    """Leave what was there before a start that failed; returns what there is to tell of it."""
    view = work.view
    if container_id != view.container_id:
        tools.engine.remove(container_id)
        work.container_id, work.record = None, work.record.proven(None)
        work.done -= 1  # of the container's creation nothing is left
        return ""
    if view.previous is None:
        work.record = work.record.proven(None)
        return ""
    previous_id = view.previous["Id"]
    if was_ever_ready(tools.engine, work.existing):
        set_aside(tools.engine, work.project, container_id, tools.stop_timeout)
    else:  # nobody can have worked in it
        tools.engine.remove(container_id)
    lack = tools.gate.bring_back(work.project, is_restricted=egress_of(view.previous) == "restricted")
    bring_back(tools.engine, work.project, previous_id, work.declared.restart)
    work.container_id, work.record = previous_id, work.record.proven(previous_id)
    return f"The container that was there before runs again. {lack}".rstrip()


def _restart(work: _Work, step: Step, tools: Tools) -> None:
    """Start afresh a container that runs and was never ready."""
    _stop(work, step, tools)
    _start(work, step, tools)


def _stop(work: _Work, step: Step, tools: Tools) -> None:
    _look_again(work, step, tools, work.container_id)
    tools.engine.stop(work.id, tools.stop_timeout)


def _replace(work: _Work, step: Step, tools: Tools) -> None:
    """The old container goes only once the record names the new one, and a snapshot holds what was in it."""
    definition, old, lineage = work.declared, work.existing, work.view.lineage
    source = tools.launcher.declared_source(definition) if step.is_fresh else step.source
    _look_again(work, step, tools, work.container_id)
    restored = lineage.find(step.source.image) if step.source else None
    swapped = swap(tools, definition, old, lineage, source, tools.site.scope, restored is not None)
    work.warnings += swapped.warnings
    work.snapshot = swapped.taken.reference if swapped.taken else None
    work.container_id = swapped.container_id
    is_proven = definition.state == "started"
    known = work.record
    work.record = known.proven(swapped.container_id) if is_proven else known.pending(swapped.container_id)
    work.record = work.record.has_taken(swapped.generation or work.record.taken)
    work.remember(tools)
    if restored:
        tools.snapshotter.point_latest(restored)
    if not is_proven:  # until it has proven itself, the old one is the way back
        return
    _remove_held(work, tools)
    if swapped.taken:
        tools.engine.remove(old["Id"])
        _prune(work, tools, swapped.taken, definition.snapshot.keep, [restored.id] if restored else [])


def _remove_held(work: _Work, tools: Tools) -> None:
    """Remove the containers that were the way back, had this one not become ready; snapshots hold what is in them."""
    if work.view.held_asides:
        work.remember(tools)
    for one in work.view.held_asides:
        tools.engine.remove(one["Id"])


def _prune(work: _Work, tools: Tools, taken: Taken, keep: int, spared: Collection[str] = ()) -> None:
    """Remove the snapshots beyond ``keep``; the one just taken is none of those that the view knows.

    Args:
        work: The project.
        tools: What removes them.
        taken: The snapshot just taken.
        keep: How many stay, that one among them.
        spared: Ids of those that stay besides, since a container was made from them just now.
    """
    latest = work.view.lineage.latest
    is_latest_moved = bool(spared) or latest is None or latest.id != taken.image_id
    older = keep - 1 if taken.is_new else keep
    gone = [str(one["Id"]) for one in (work.existing, *work.view.held_asides)]
    used = {*work.view.used_images(gone), *spared, taken.image_id}
    for snapshot in work.view.lineage.surplus(max(older, 0), used, is_latest_moved=is_latest_moved):
        tools.snapshotter.remove(snapshot)


def _remove(work: _Work, step: Step, tools: Tools) -> None:
    """Should the project be declared again, it goes on from the snapshot."""
    container_id = work.id
    definition = work.definition
    squash_after = definition.snapshot.squash_after if definition else SnapshotPolicy().squash_after
    tools.snapshotter.demand_room(container_id, work.view.lineage)
    _look_again(work, step, tools, work.container_id)
    quiesce(tools.engine, container_id, tools.stop_timeout)
    wish = Wish(work.project, tools.site.scope, squash_after)
    taken = tools.snapshotter.take(container_id, work.view.lineage, wish)
    work.warnings += taken.warnings
    work.snapshot = taken.reference
    tools.engine.remove(container_id)
    if definition and work.view.container:
        _prune(work, tools, taken, definition.snapshot.keep)
    work.container_id, work.record = None, work.record.proven(None)


def _erase(work: _Work, step: Step, tools: Tools) -> None:
    _look_again(work, step, tools, work.container_id)
    erase(tools.engine, work.project, tools.site.scope)
    work.container_id = None
    work.record = Record()
    work.remember(tools)


def _forget(work: _Work, step: Step, tools: Tools) -> None:
    site = tools.site
    tools.records.forget(work.project, site.host_state(work.project), proxy_folder(site, work.project))
    work.is_forgotten = True


_STEPS: Mapping[str, Callable[[_Work, Step, Tools], None]] = {
    "pull": _pull,
    "build": _build,
    "clean": _clean,
    "tag": _tag,
    "set-aside": _set_aside,
    "rename": _rename,
    "update": _update,
    "connect": _connect,
    "network": _network,
    "rejoin": _rejoin,
    "proxy": _proxy,
    "unpause": _unpause,
    "create": _create,
    "start": _start,
    "restart": _restart,
    "stop": _stop,
    "replace": _replace,
    "sync": _sync,
    "take-over": _take_over,
    "remove": _remove,
    "erase": _erase,
    "forget": _forget,
}
