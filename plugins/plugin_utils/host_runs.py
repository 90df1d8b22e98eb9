# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run has done on each host, put together from the results of its tasks. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

STATUSES = ("failed", "unreachable", "not_begun", "changed", "unchanged")
"""What a host can have come to, in the order in which it matters. In check mode, ``changed`` is what would be."""


@dataclass(frozen=True)
class HostRun:
    """One host.

    Args:
        projects: Those of the result of module ``container``; of a failed one perhaps only those that failed.
        others: Of such a result, how many projects came to which action besides.
        is_prepared: Whether other tasks changed something: an engine, an image.
        is_known: Whether the module has told of the host.
        error: Why it failed or could not be reached.
    """

    host: str
    projects: Sequence[Mapping[str, Any]] = ()
    orphans: Sequence[Mapping[str, Any]] = ()
    needs: Sequence[str] = ()
    others: Mapping[str, int] | None = None
    is_prepared: bool = False
    is_known: bool = False
    is_changed: bool = False
    is_unreachable: bool = False
    error: str | None = None

    @property
    def status(self) -> str:
        if self.is_unreachable:
            return "unreachable"
        if self.error is not None:
            return "failed"
        if self.is_changed or self.is_prepared:
            return "changed"
        return "unchanged" if self.is_known else "not_begun"

    def after_result(self, result: Mapping[str, Any]) -> HostRun:
        """With what the module says; a second result of a host tells of what the first was waiting for."""
        if "projects" not in result:
            return self
        return replace(
            self,
            projects=tuple(result["projects"]),
            orphans=tuple(result.get("orphans") or ()),
            needs=tuple(result.get("needs") or ()),
            others=result.get("others"),
            is_known=True,
            is_changed=bool(result.get("changed")),
        )

    def after_failure(self, message: str) -> HostRun:
        return replace(self, error=message)

    def mended(self) -> HostRun:
        """A failure that another task has rescued is none."""
        return replace(self, error=None)

    def after_loss(self, message: str) -> HostRun:
        return replace(self, error=message, is_unreachable=True)
