# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes containers and brings them up: creation, the start, and the wait until the entrypoint says that it is ready."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, replace
from typing import Any, Callable

from ansible_collections.berth.projects.plugins.module_utils.aspect import Site, Source
from ansible_collections.berth.projects.plugins.module_utils.aspects import create_body
from ansible_collections.berth.projects.plugins.module_utils.aspects_isolation import GVISOR
from ansible_collections.berth.projects.plugins.module_utils.aspects_mounted import wanted_image
from ansible_collections.berth.projects.plugins.module_utils.definition import Definition
from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.facts import HIDDEN_WRITES
from ansible_collections.berth.projects.plugins.module_utils.gate import Gate
from ansible_collections.berth.projects.plugins.module_utils.ids_build import IdImages, ids_misfit
from ansible_collections.berth.projects.plugins.module_utils.names import READY, container_name
from ansible_collections.berth.projects.plugins.module_utils.packages_build import DerivedImages
from ansible_collections.berth.projects.plugins.module_utils.plan_image import image_misfit
from ansible_collections.berth.projects.plugins.module_utils.records import Records

WARNING = "berth: warning: "
ERROR = "berth: error: "
TAKEN = "berth: taken over "
READY_FILE = "/run/berth/ready"
"""What the entrypoint writes before it says that it is ready."""

_LINES_SHOWN = 15


@dataclass(frozen=True)
class Start:
    """What a container's entrypoint, or its take-over of host state, has said.

    Args:
        taken: The generation of host state that was taken over; None where it said of none.
    """

    warnings: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    taken: str | None = None

    def with_line(self, line: str) -> Start:
        if line.startswith(WARNING):
            return replace(self, warnings=(*self.warnings, line[len(WARNING) :]))
        if line.startswith(ERROR):
            return replace(self, errors=(*self.errors, line[len(ERROR) :]))
        return replace(self, taken=line[len(TAKEN) :]) if line.startswith(TAKEN) else self


class Launcher:
    """Shared by the threads of one run.

    Args:
        ready_timeout: How long a container may take to become ready, in seconds.
        gate: Makes what a container reaches the world by.
    """

    def __init__(self, engine: Engine, site: Site, records: Records, ready_timeout: int, gate: Gate) -> None:
        self._engine = engine
        self._site = site
        self._records = records
        self._ready_timeout = ready_timeout
        self._gate = gate
        self._images: dict[str, dict[str, Any]] = {}
        self._derived = DerivedImages(engine)
        self._ids = IdImages(engine)

    def create(self, definition: Definition, source: Source) -> str:
        """Create the project's container under its name and return its id.

        Raises:
            BerthError: The image does not fit, host state, networks or proxy cannot be made, or the engine refused.
        """
        self.check_image(definition, source.image)
        self._records.prepare(self._site.host_state(definition.name))
        settled = self._gate.open_for(definition)
        made = self._engine.create(container_name(definition.name), create_body(settled, self._site, source))
        if definition.is_strict and definition.user:
            misfit = ids_misfit(self._engine, made, definition.user)
            if misfit:
                self._engine.remove(made)
                raise BerthError(misfit)
        return made

    def declared_source(self, definition: Definition) -> Source:
        """The declared image, with the declared packages on it; builds what is missing of that.

        Raises:
            BerthError: It is not there, does not fit, or the packages cannot be installed.
        """
        self.check_image(definition, definition.image)
        reference = definition.image
        if definition.packages:
            reference = self._derived.ensure(definition.image, definition.packages)
        if definition.is_strict and definition.user:
            reference = self._ids.ensure(reference, definition.user)
        return Source(reference, wanted_image(definition, self._site))

    def start(self, project: str, container_id: str) -> Start:
        """Start a container and wait until it is ready.

        Raises:
            BerthError: It ended before that, or took too long; with its last lines. Or it hides what it writes, and is
                stopped again before anybody works in it.
        """
        is_hiding = self._watch_layer(container_id)
        said = self._wait_until_ready(project, container_id)
        if is_hiding():
            self._engine.stop(container_id, 0)
            raise BerthError(HIDDEN_WRITES)
        return said

    def _wait_until_ready(self, project: str, container_id: str) -> Start:
        said = Start()
        last: deque[str] = deque(maxlen=_LINES_SHOWN)
        deadline = time.monotonic() + self._ready_timeout
        for line in self._engine.start_and_listen(container_id, self._ready_timeout):
            if line == READY:
                return said
            said = said.with_line(line)
            last.append(line[len(ERROR) :] if line.startswith(ERROR) else line)
        ended = time.monotonic() < deadline
        raise BerthError(self._not_ready(project, container_id, ended, list(last)))

    def _watch_layer(self, container_id: str) -> Callable[[], bool]:
        """Look at a container before its start; what is returned tells, after it, whether it hides what it writes.

        One that goes on from a snapshot has the file that the entrypoint writes from an earlier start. So the file says
        nothing by being there, only by having changed.
        """
        container = self._engine.container(container_id)
        host = container["HostConfig"] if container else {}
        if host.get("Runtime") != GVISOR or host.get("ReadonlyRootfs"):
            return lambda: False
        before = self._engine.file_stamp(container_id, READY_FILE)
        return lambda: self._engine.file_stamp(container_id, READY_FILE) in (None, before)

    def _not_ready(self, project: str, container_id: str, ended: bool, last: list[str]) -> str:
        what = f"did not become ready within {self._ready_timeout} s"
        if ended:
            state = (self._engine.container(container_id) or {}).get("State") or {}
            # Its restart policy may have it running again by now, and the exit code is gone then.
            code = "" if state.get("Running") else f" with exit code {state.get('ExitCode')}"
            what = f"ended{code} before it was ready"
        said = "It printed nothing." if not last else "Its last lines: " + " | ".join(last) + "."
        return f"The container {container_name(project)} {what}. {said}"

    def check_image(self, definition: Definition, reference: str) -> None:
        """Refuse an image that cannot be used, or is not there."""
        image = self._images.get(reference) or self._engine.image(reference)
        if image is None:
            raise BerthError(f"There is no image {reference} on this engine.")
        self._images[reference] = image
        misfit = image_misfit(image, reference, definition, self._site)
        if misfit:
            raise BerthError(misfit)
