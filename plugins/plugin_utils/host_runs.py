# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run has done on each host, put together from the results of its tasks. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
        """With what the module says as well.

        A second result of a host tells of what the first was waiting for; or is of another play, and what was done
        before was done all the same.
        """
        if "projects" not in result:
            return self
        return replace(
            self,
            projects=tuple(_together(self.projects, result["projects"])),
            orphans=tuple(result.get("orphans") or ()),
            needs=tuple(result.get("needs") or ()),
            others=result.get("others"),
            is_known=True,
            is_changed=self.is_changed or bool(result.get("changed")),
        )

    def after_failure(self, message: str) -> HostRun:
        return replace(self, error=message)

    def mended(self) -> HostRun:
        """A failure that another task has rescued is none."""
        return replace(self, error=None)

    def after_loss(self, message: str) -> HostRun:
        return replace(self, error=message, is_unreachable=True)


def _together(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Each project's last entry, unless one before it tells of more than that."""
    known = {entry["name"]: entry for entry in before}
    for entry in after:
        earlier = known.pop(entry["name"], None)
        is_more = earlier and earlier.get("changed") and not entry.get("changed") and not entry.get("error")
        yield earlier if earlier and is_more else entry
    yield from known.values()
