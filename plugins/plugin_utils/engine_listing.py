# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks several engines for their project containers, side by side."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.errors import message_of
from ansible_collections.berth.projects.plugins.module_utils.names import MANAGED
from ansible_collections.berth.projects.plugins.plugin_utils.container_hosts import project_containers
from ansible_collections.berth.projects.plugins.plugin_utils.inventory_engines import NamedEngine


@dataclass(frozen=True)
class Listing:
    """What came of asking one engine.

    Args:
        containers: As ``project_containers`` makes them; None when it did not answer.
        failure: Then why.
    """

    engine: NamedEngine
    containers: list[dict[str, Any]] | None = None
    failure: str = ""


def list_engines(engines: Iterable[NamedEngine]) -> list[Listing]:
    """Each engine's project containers, in the order of the engines.

    Takes as long as the slowest engine, and no engine longer than its time limit. The SDK's own limits are for single
    reads, and know nothing of names that do not resolve or of an ssh that hangs, so the clock here is what counts.
    """
    return [pending.wait() for pending in [_Pending(engine) for engine in engines]]


class _Pending:
    """An engine being asked, by a thread that does not keep the process alive when it is given up."""

    def __init__(self, engine: NamedEngine) -> None:
        self._engine = engine
        self._deadline = time.monotonic() + engine.seconds
        self._answer: SimpleQueue[Listing] = SimpleQueue()
        Thread(target=self._ask, daemon=True).start()

    def wait(self) -> Listing:
        try:
            return self._answer.get(timeout=max(0.0, self._deadline - time.monotonic()))
        except Empty:
            return Listing(self._engine, failure=f"It did not answer within {self._engine.seconds} s.")

    def _ask(self) -> None:
        try:
            answer = Engine.reach(self._engine.params).containers(f"{MANAGED}=true")
            self._answer.put(Listing(self._engine, project_containers(answer)))
        except Exception as error:  # whatever is wrong with one engine, the others are listed
            self._answer.put(Listing(self._engine, failure=message_of(error)))
