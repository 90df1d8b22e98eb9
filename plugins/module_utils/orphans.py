# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What carries Berth's labels on an engine although no definition names it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.world import Listed, Listing


@dataclass(frozen=True)
class Orphan:
    """One such container.

    Args:
        kind: ``undeclared`` (a project's container), ``kept`` (one that waits aside) or ``stray`` (our labels under a
            name that is not ours: not touched).
        created: Seconds since the epoch.
    """

    kind: str
    name: str
    project: str
    status: str
    container_id: str
    created: int

    @property
    def is_prunable(self) -> bool:
        return self.kind == "undeclared"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def find_orphans(listing: Listing, scope: str, declared: Collection[str]) -> tuple[Orphan, ...]:
    """All orphans of a scope, by name."""
    found = ((entry, _kind(entry, declared)) for entry in listing.labelled())
    return tuple(
        Orphan(kind, entry.name, entry.project, entry.status, entry.id, entry.created) for entry, kind in found if kind
    )


def _kind(entry: Listed, declared: Collection[str]) -> str | None:
    if entry.is_aside:
        return "kept"
    if not entry.has_its_name:
        return "stray"
    return None if entry.project in declared else "undeclared"
