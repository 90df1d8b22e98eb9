# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Puts a new container in the old one's place, or leaves the old one running.

The old container is stopped and set aside under another name; it is never removed here. Whatever fails after that, it
comes back under its name. A run that is killed on the way leaves a container that the project's record knows, so the
next run finds it and goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.aspects_live import update_restart
from ansible_collections.berth.projects.plugins.module_utils.definition import Definition
from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError, message_of
from ansible_collections.berth.projects.plugins.module_utils.launch import Launcher
from ansible_collections.berth.projects.plugins.module_utils.names import aside_name, container_name


def swap(
    engine: Engine, launcher: Launcher, definition: Definition, old: Mapping[str, Any], stop_timeout: int
) -> tuple[str, list[str]]:
    """Replace the container ``old``, as inspect shows it, by a new one made from the definition.

    The new container is started, and has to become ready, unless the project is declared as stopped.

    Returns:
        The new container's id, and what its entrypoint warned of.

    Raises:
        BerthError: The replacement failed; the message says what became of the old container.
    """
    name = container_name(definition.name)
    # Not as it is found: a run that was cut off has stopped it, and taken its restart policy away.
    runs = bool(old["State"]["Running"]) or definition.state == "started"
    launcher.check_image(definition)
    new_id = None
    try:
        set_aside(engine, definition.name, old["Id"], stop_timeout)
        new_id = launcher.create(definition)
        return new_id, launcher.start(definition.name, new_id) if definition.state == "started" else []
    except Exception as error:
        told = message_of(error)
        try:
            if new_id:
                engine.remove(new_id)
            bring_back(engine, definition.name, old["Id"], definition.restart, start=runs)
        except BerthError as second:
            raise BerthError(
                f"{told} The old container is whole, but could not be brought back as {name}: {second.msg} "
                "The next run does it."
            ) from error
        raise BerthError(f"{told} The old container is {'running' if runs else 'back'} as {name}.") from error


def set_aside(engine: Engine, project: str, container_id: str, stop_timeout: int) -> None:
    """Stop a container and take its name away; it will not start by itself, not even with the engine."""
    container = engine.container(container_id)
    if container is None:
        raise BerthError(f"The container {container_id[:12]} is gone.")
    if container["State"].get("Paused"):  # a frozen process cannot end
        engine.unpause(container_id)
    engine.stop(container_id, stop_timeout)
    # Only now: the engine refuses to update a container that it is just restarting.
    engine.update(container_id, update_restart({"policy": "no"}))
    aside = aside_name(project, container_id)
    if str(container["Name"]).lstrip("/") != aside:
        engine.rename(container_id, aside)


def bring_back(engine: Engine, project: str, container_id: str, policy: str, start: bool = True) -> None:
    """Undo ``set_aside``, from wherever it got to."""
    container = engine.container(container_id)
    if container is None:
        raise BerthError(f"The container {container_id[:12]} is gone.")
    if str(container["Name"]).lstrip("/") != container_name(project):
        engine.rename(container_id, container_name(project))
    engine.update(container_id, update_restart({"policy": policy}))
    if start:
        engine.start(container_id)
