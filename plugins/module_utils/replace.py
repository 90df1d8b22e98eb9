# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Puts a new container in the old one's place, or leaves the old one running.

The old container is stopped, a snapshot is taken of it, and it is set aside under another name. It is never removed
here, so whatever fails after that, it comes back under its name. A run that is killed on the way leaves a container
that the project's record knows, so the next run finds it and goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.aspect import Source
from ansible_collections.berth.projects.plugins.module_utils.aspects_live import update_restart
from ansible_collections.berth.projects.plugins.module_utils.aspects_mounted import image_values
from ansible_collections.berth.projects.plugins.module_utils.aspects_network import egress_of
from ansible_collections.berth.projects.plugins.module_utils.definition import Definition
from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError, as_sentence, message_of
from ansible_collections.berth.projects.plugins.module_utils.gate import Gate
from ansible_collections.berth.projects.plugins.module_utils.launch import Launcher, Start
from ansible_collections.berth.projects.plugins.module_utils.lineage import Lineage
from ansible_collections.berth.projects.plugins.module_utils.names import (
    PROJECT,
    SNAPSHOT_BASE,
    SNAPSHOT_PACKAGES,
    aside_name,
    container_name,
    name_of,
)
from ansible_collections.berth.projects.plugins.module_utils.packages import packages_from_label
from ansible_collections.berth.projects.plugins.module_utils.snapshots import Snapshotter, Taken, Wish


@dataclass(frozen=True)
class Crew:
    """Those that a replacement takes. ``stop_timeout`` is in seconds."""

    engine: Engine
    launcher: Launcher
    snapshotter: Snapshotter
    stop_timeout: int
    gate: Gate


@dataclass(frozen=True)
class Swap:
    """What a replacement came to.

    Args:
        container_id: The new container's.
        taken: The snapshot of the old one; None where none was wanted.
        generation: Of the host state that the new one has taken over, if it said so.
    """

    container_id: str
    warnings: tuple[str, ...]
    taken: Taken | None
    generation: str | None = None


def swap(
    crew: Crew,
    definition: Definition,
    old: Mapping[str, Any],
    lineage: Lineage,
    source: Source | None,
    scope: str,
    is_restore: bool = False,
) -> Swap:
    """Replace the container ``old``, as inspect shows it, by a new one made from the definition.

    The new container is started, and has to become ready, unless the project is declared as stopped.

    Args:
        crew: Those that do it.
        definition: Of the new one.
        old: Is snapshotted first, unless the definition does not want that.
        lineage: The project's snapshots.
        source: What the new one is made from; None for the snapshot of the old.
        scope: Of the run.
        is_restore: Whether the source is what ``:latest`` is to be in the end.

    Raises:
        BerthError: The replacement failed; the message says what became of the old container.
    """
    # Not as it is found: a run that was cut off has stopped it, and taken its restart policy away.
    runs = bool(old["State"]["Running"]) or definition.state == "started"
    wish = Wish(definition.name, scope, definition.snapshot.squash_after)
    takes_snapshot = definition.snapshot.on_replace or source is None
    _check_image(crew, definition, old, source)
    if takes_snapshot:
        crew.snapshotter.demand_room(old["Id"], lineage)
    taken = None
    try:
        quiesce(crew.engine, old["Id"], crew.stop_timeout)
        if takes_snapshot:
            # A restore moves :latest itself, when it is done: until then, running it again must mean the same.
            taken = crew.snapshotter.take(old["Id"], lineage, wish, moves_latest=not is_restore)
        rename_aside(crew.engine, definition.name, old["Id"])
        new_id = crew.launcher.create(definition, source or source_of(taken))
        said = crew.launcher.start(definition.name, new_id) if definition.state == "started" else Start()
        return Swap(new_id, (*(taken.warnings if taken else ()), *said.warnings), taken, said.taken)
    except Exception as error:
        told = as_sentence(message_of(error))
        try:
            _clear_name(crew.engine, definition.name, old["Id"])
            lack = ""
            if runs:
                lack = crew.gate.bring_back(definition.name, is_restricted=egress_of(old) == "restricted")
            bring_back(crew.engine, definition.name, old["Id"], definition.restart, runs, crew.stop_timeout)
        except BerthError as second:
            raise BerthError(
                f"{told} The old container is whole, but could not be brought back as "
                f"{container_name(definition.name)}: {second.msg} The next run does it."
            ) from error
        if taken and taken.is_new:  # it goes on in the old container, so keep does not count it
            crew.snapshotter.undo(taken.reference, lineage, wish)
        how = "running" if runs else "back"
        raise BerthError(
            f"{told} The old container is {how} as {container_name(definition.name)}. {lack}".rstrip()
        ) from error


def source_of(taken: Taken | None) -> Source:
    """A snapshot that was just taken, to make a container from."""
    if taken is None:
        raise ValueError("there is neither a source nor a snapshot")
    packages = packages_from_label(taken.labels.get(SNAPSHOT_PACKAGES, ""))
    return Source(taken.reference, image_values(taken.labels[SNAPSHOT_BASE], packages))


def quiesce(engine: Engine, container_id: str, stop_timeout: int) -> None:
    """Stop a container; it will not start by itself, not even with the engine."""
    container = engine.container(container_id)
    if container is None:
        raise BerthError(f"The container {container_id[:12]} is gone.")
    if container["State"].get("Paused"):  # a frozen process cannot end
        engine.unpause(container_id)
    if container["State"]["Status"] not in ("created", "exited"):
        engine.stop(container_id, stop_timeout)
    # Only now: the engine refuses to update a container that it is just restarting.
    engine.update(container_id, update_restart({"policy": "no"}))


def rename_aside(engine: Engine, project: str, container_id: str) -> None:
    container = engine.container(container_id)
    aside = aside_name(project, container_id)
    if container and name_of(container) != aside:
        engine.rename(container_id, aside)


def set_aside(engine: Engine, project: str, container_id: str, stop_timeout: int) -> None:
    """Stop a container and take its name away."""
    quiesce(engine, container_id, stop_timeout)
    rename_aside(engine, project, container_id)


def bring_back(
    engine: Engine, project: str, container_id: str, policy: str, start: bool = True, stopping: int | None = None
) -> None:
    """Undo ``set_aside``, from wherever it got to.

    Args:
        engine: The engine.
        project: Whose container it is.
        container_id: Which.
        policy: Its restart policy.
        start: Whether it is to run.
        stopping: The timeout of a stop that may be under way still; None where none was asked for.
    """
    container = engine.container(container_id)
    if container is None:
        raise BerthError(f"The container {container_id[:12]} is gone.")
    if name_of(container) != container_name(project):
        engine.rename(container_id, container_name(project))
    if start and stopping is not None and container["State"]["Running"]:
        # An engine whose answer got lost goes on stopping it, and a start would come too early. This waits for the end.
        engine.stop(container_id, stopping)
    engine.update(container_id, update_restart({"policy": policy}))
    if start:
        engine.start(container_id)


def _check_image(crew: Crew, definition: Definition, old: Mapping[str, Any], source: Source | None) -> None:
    """Look at what the new container is to be made from before anything is stopped."""
    if source:
        crew.launcher.check_image(definition, source.image)
    elif crew.engine.image(old["Image"]):  # what a snapshot of it will be like
        crew.launcher.check_image(definition, old["Image"])


def _clear_name(engine: Engine, project: str, old_id: str) -> None:
    """Remove the new container, also one whose creation the engine could not tell of any more."""
    found = engine.container(container_name(project))
    if found is None or found["Id"] == old_id:
        return
    if (found["Config"].get("Labels") or {}).get(PROJECT) == project:
        engine.remove(found["Id"])
