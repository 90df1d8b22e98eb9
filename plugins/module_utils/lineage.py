# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Snapshots as the engine's list of images shows them, and how they hang together. Pure.

A snapshot's labels say what it was made from, so nothing else has to remember it: a container made from a snapshot
inherits them, and so does the next snapshot.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.names import (
    SNAPSHOT_BASE,
    SNAPSHOT_BASE_ID,
    SNAPSHOT_BELOW,
    SNAPSHOT_CONTAINER,
    SNAPSHOT_FLAT,
    SNAPSHOT_LAYERS,
    SNAPSHOT_PACKAGES,
    SNAPSHOT_PARENT,
    SNAPSHOT_PART,
    SNAPSHOT_PROJECT,
    SNAPSHOT_SCOPE,
    SNAPSHOT_STOPPED_AT,
    SNAPSHOT_TAKEN,
    snapshot_repository,
)

LATEST_TAG = "latest"
_TAG_FORMAT = "%Y%m%dT%H%M%S%fZ"
_TAG = re.compile(r"^\d{8}T\d{12}Z$")
_DEEPEST = 100
"""Layers of an image from which its lineage is flattened, whatever squash_after says: overlay2 refuses about 125."""


@dataclass(frozen=True)
class Snapshot:
    """One snapshot.

    Args:
        id: The image's.
        tag: When it was taken, ``YYYYMMDDTHHMMSSffffffZ``.
        tags: All that the engine knows it by, as ``repository:tag``.
        size: In bytes, with all that it shares with others.
        parent: The id of the image that its container was made from.
        base: The reference of the image at the root of the lineage, and ``base_id`` that image's id.
        packages: Those of the root, as its label has them; empty for none.
        container: The id of the container that it was taken of.
        stopped_at: When that had ended, in the engine's words; empty if it was running.
        layers: How many lie on top of the root, or of where the lineage was flattened last.
        flat: Whether the lineage was flattened, and so shares nothing with its base.
        below: The size of the parent, in bytes.
    """

    id: str
    project: str
    scope: str
    tag: str
    tags: tuple[str, ...]
    size: int
    created: int
    parent: str
    base: str
    base_id: str
    packages: str
    container: str
    stopped_at: str
    layers: int
    flat: bool
    below: int = 0

    @property
    def reference(self) -> str:
        """What to call it by: its time, unless somebody took that tag away."""
        own = f"{snapshot_repository(self.project)}:{self.tag}"
        return own if own in self.tags or not self.tags else self.tags[0]

    @property
    def is_latest(self) -> bool:
        return f"{snapshot_repository(self.project)}:{LATEST_TAG}" in self.tags

    @property
    def is_flattened(self) -> bool:
        """Whether this very snapshot is the one layer that a lineage was flattened to."""
        return self.flat and self.layers == 0

    @property
    def own_size(self) -> int:
        """Bytes that it takes on top of the image below it."""
        return self.size if self.is_flattened else max(self.size - self.below, 0)

    def holds(self, container: Mapping[str, Any]) -> bool:
        """Whether all that a stopped container has in its layer is in here: it has not run since."""
        state = container["State"]
        same = self.container == container["Id"] and self.stopped_at == state["FinishedAt"]
        return same and not state["Running"]


@dataclass(frozen=True)
class Lineage:
    """The snapshots of one project.

    Args:
        snapshots: Newest first.
        parts: Ids of images that an interrupted snapshot has left behind.
        other_scope: The scope that has snapshots of a project of this name, or None.
    """

    snapshots: tuple[Snapshot, ...] = ()
    parts: tuple[str, ...] = ()
    other_scope: str | None = None

    @property
    def latest(self) -> Snapshot | None:
        """What a new container of the project resumes from: ``:latest``, else the newest."""
        tagged = (snapshot for snapshot in self.snapshots if snapshot.is_latest)
        return next(tagged, self.snapshots[0] if self.snapshots else None)

    def find(self, name: str) -> Snapshot | None:
        """By ``latest``, by its time, or by its whole reference."""
        if name == LATEST_TAG:
            return self.latest
        for snapshot in self.snapshots:
            if name in (snapshot.tag, snapshot.reference):
                return snapshot
        return None

    def holder_of(self, container: Mapping[str, Any]) -> Snapshot | None:
        """The snapshot that has all that is in a container's layer."""
        return next((snapshot for snapshot in self.snapshots if snapshot.holds(container)), None)

    def of_image(self, image_id: str) -> Snapshot | None:
        return next((snapshot for snapshot in self.snapshots if snapshot.id == image_id), None)

    def surplus(self, keep: int, used: Collection[str] = (), is_latest_moved: bool = False) -> list[Snapshot]:
        """What is beyond ``keep``, newest first: never ``:latest``, never an image that a container was made from.

        Args:
            keep: How many stay.
            used: The ids of images that containers were made from.
            is_latest_moved: ``:latest`` has gone to a snapshot that is none of these.
        """
        latest = None if is_latest_moved else self.latest
        return [one for one in self.snapshots[keep:] if one is not latest and one.id not in used]

    def next_tag(self, now: datetime) -> str:
        """A tag for a snapshot taken now; later than all there are, also when the clock was set back."""
        newest = self.snapshots[0].tag if self.snapshots else ""
        tag = tag_of(now)
        if tag > newest:
            return tag
        return tag_of(time_of(newest) + timedelta(microseconds=1))


class Snapshots:
    """All snapshots of an engine.

    Args:
        images: As ``GET /images/json`` lists them.
        scope: Whose are ours.
    """

    def __init__(self, images: Iterable[Mapping[str, Any]], scope: str) -> None:
        self._scope = scope
        self._parts: dict[str, list[str]] = {}
        self._by_project: dict[str, list[Snapshot]] = {}
        self._others: dict[str, str] = {}
        self.sizes: dict[str, int] = {}
        for entry in images:
            self.sizes[entry["Id"]] = entry.get("Size") or 0
            self._take(entry)

    def of(self, project: str) -> Lineage:
        found = sorted(self._by_project.get(project, ()), key=lambda one: one.tag, reverse=True)
        return Lineage(tuple(found), tuple(self._parts.get(project, ())), self._others.get(project))

    @property
    def projects(self) -> list[str]:
        """All projects of the scope that have snapshots or parts of such."""
        return sorted({*self._by_project, *self._parts})

    def disk_use(self, lineage: Lineage) -> int:
        """Bytes that a lineage takes on top of its base; what its snapshots share is counted once."""
        own = sum(snapshot.own_size for snapshot in lineage.snapshots)
        ids = {snapshot.id for snapshot in lineage.snapshots}
        # Of a snapshot that is gone, the layers stay as long as one made from it does.
        gone = {one.parent: one for one in lineage.snapshots if one.parent not in ids and not one.is_flattened}
        return own + sum(max(one.below - self._base_size(one), 0) for one in gone.values())

    def _base_size(self, snapshot: Snapshot) -> int:
        """Of what is not the lineage's own: nothing, once it was flattened."""
        if snapshot.flat:
            return 0
        return self.sizes.get(snapshot.base_id, snapshot.below)

    def _take(self, entry: Mapping[str, Any]) -> None:
        labels = entry.get("Labels") or {}
        tags = tags_of(entry)
        scope, _slash, project = labels.get(SNAPSHOT_PART, "").partition("/")
        if project and not tags:
            if scope == self._scope:
                self._parts.setdefault(project, []).append(entry["Id"])
            return
        snapshot = snapshot_from(entry, labels, tags)
        if snapshot is None:
            return
        if snapshot.scope == self._scope:
            self._by_project.setdefault(snapshot.project, []).append(snapshot)
        else:
            self._others[snapshot.project] = snapshot.scope


def snapshot_from(entry: Mapping[str, Any], labels: Mapping[str, str], tags: Sequence[str]) -> Snapshot | None:
    """A snapshot from an entry of the list of images; None if it is none, or has lost all its names."""
    project, tag = labels.get(SNAPSHOT_PROJECT, ""), labels.get(SNAPSHOT_TAKEN, "")
    named = [name for name in tags if name.startswith(snapshot_repository(project) + ":")]
    if not project or not named or not _TAG.match(tag):
        return None
    return Snapshot(
        id=entry["Id"],
        project=project,
        scope=labels.get(SNAPSHOT_SCOPE, ""),
        tag=tag,
        tags=tuple(named),
        size=entry.get("Size") or 0,
        created=entry.get("Created") or 0,
        parent=labels.get(SNAPSHOT_PARENT, ""),
        below=_number(labels.get(SNAPSHOT_BELOW, "")),
        base=labels.get(SNAPSHOT_BASE, ""),
        base_id=labels.get(SNAPSHOT_BASE_ID, ""),
        packages=labels.get(SNAPSHOT_PACKAGES, ""),
        container=labels.get(SNAPSHOT_CONTAINER, ""),
        stopped_at=labels.get(SNAPSHOT_STOPPED_AT, ""),
        layers=_number(labels.get(SNAPSHOT_LAYERS, "")),
        flat=labels.get(SNAPSHOT_FLAT) == "true",
    )


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0


def tags_of(entry: Mapping[str, Any]) -> list[str]:
    """The names of a listed image: engines list one without any as null, as none, or as ``<none>:<none>``."""
    return [tag for tag in entry.get("RepoTags") or [] if tag != "<none>:<none>"]


def must_be_flat(layers: int, of_image: int, squash_after: int, is_running: bool) -> bool:
    """Whether the next snapshot flattens its lineage. One of a running container does only if there is no other way.

    Args:
        layers: How many layers it would have on top of its root.
        of_image: How many layers the image that its container was made from has in all.
        squash_after: As declared.
        is_running: Whether the container runs, and would have to stand still meanwhile.
    """
    return (layers > squash_after and not is_running) or of_image >= _DEEPEST


def tag_of(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).strftime(_TAG_FORMAT)


def time_of(tag: str) -> datetime:
    return datetime.strptime(tag, _TAG_FORMAT).replace(tzinfo=timezone.utc)
