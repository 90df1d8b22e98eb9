# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps that a plan is made of: one table of verbs says what each means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ansible_collections.berth.projects.plugins.module_utils.aspect import Source

ACTIONS = ("none", "sync", "update", "start", "stop", "create", "replace", "remove")
"""From the weakest to the strongest. A plan's action is that of its strongest step."""


@dataclass(frozen=True)
class Verb:
    """What a kind of step means.

    Args:
        action: The action it counts as.
        cuts: It ends what runs in the container.
        is_measured: It makes or limits something, so the host must be able to give it.
        status_after: The container's state then, as the engine calls it; None where it stays as it was.
    """

    action: str
    cuts: bool = False
    is_measured: bool = False
    status_after: str | None = None


VERBS: Mapping[str, Verb] = {
    "pull": Verb("none"),
    "build": Verb("none"),
    "clean": Verb("update"),
    "tag": Verb("update"),
    "set-aside": Verb("update"),
    "rename": Verb("update"),
    "update": Verb("update", is_measured=True),
    "connect": Verb("update"),
    "network": Verb("update"),
    "rejoin": Verb("update"),
    "proxy": Verb("update"),
    "unpause": Verb("start", status_after="running"),
    "start": Verb("start", status_after="running"),
    "restart": Verb("start", cuts=True, status_after="running"),
    "stop": Verb("stop", cuts=True, status_after="exited"),
    "create": Verb("create", is_measured=True, status_after="created"),
    "replace": Verb("replace", cuts=True, is_measured=True, status_after="running"),
    "remove": Verb("remove", cuts=True, status_after="absent"),
    "erase": Verb("remove", cuts=True, status_after="absent"),
    "forget": Verb("update"),
    "sync": Verb("sync"),
    "take-over": Verb("sync"),
}


@dataclass(frozen=True)
class Step:
    """One thing to do.

    Args:
        verb: One of ``VERBS``.
        detail: For people, and for the steps that need a name.
        body: What an update sends, what a clean-up removes, which networks to leave and join, whether a
            proxy is to run, or which files of host state differ.
        source: What a new container is made from.
        is_fresh: A new container is made from the declared image, whatever there is of snapshots.
    """

    verb: str
    detail: str = ""
    body: Mapping[str, Any] | None = None
    source: Source | None = None
    is_fresh: bool = False

    @property
    def means(self) -> Verb:
        return VERBS[self.verb]

    def __str__(self) -> str:
        return f"{self.verb} {self.detail}".strip()
