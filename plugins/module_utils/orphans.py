# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of Berth's lies on an engine and its host although no definition names it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.lineage import Snapshots, tags_of
from ansible_collections.berth.projects.plugins.module_utils.names import (
    BASE_REPOSITORY,
    HELPER,
    PACKAGES_REPOSITORY,
    PROXY_REPOSITORY,
    agent_volume,
    home_volume,
)
from ansible_collections.berth.projects.plugins.module_utils.networks import network_names
from ansible_collections.berth.projects.plugins.module_utils.records import Record
from ansible_collections.berth.projects.plugins.module_utils.world import Listed, Listing


@dataclass(frozen=True)
class Orphan:
    """One such thing.

    Args:
        type: ``container``, ``image``, ``volume``, ``network`` or ``state`` (files on the host).
        kind: ``undeclared`` (its project is not declared), ``kept`` (a container that waits aside), ``leftover`` (of
            interrupted work), ``unused`` (an image that nothing was made from) or ``stray`` (our labels under a name
            that is not ours: not touched).
        status: A container's state.
        id: The engine's.
        created: Seconds since the epoch.
        size: In bytes, where it is known.
    """

    type: str
    kind: str
    name: str
    project: str
    status: str = ""
    id: str = ""
    created: int = 0
    size: int | None = None

    @property
    def is_prunable(self) -> bool:
        """Whether a run that prunes looks at its project; what can be proven to be of no use goes then."""
        if self.type in ("container", "network"):
            return self.kind == "undeclared"
        return self.type == "state" or (self.type == "image" and self.kind == "leftover")

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Found:
    """What there is on an engine and its host.

    Args:
        images: As ``GET /images/json`` lists them.
        records: Those of the projects that are not declared, by name.
    """

    listing: Listing
    snapshots: Snapshots
    images: Iterable[Mapping[str, Any]]
    records: Mapping[str, Record]


def find_orphans(found: Found, declared: Collection[str]) -> tuple[Orphan, ...]:
    """All orphans of a scope: containers, then images, volumes, networks and host state, each by name."""
    return (
        *_containers(found.listing, declared),
        *sorted(_images(found, declared), key=lambda orphan: orphan.name),
        *_volumes(found.listing, declared),
        *_networks(found.listing, declared),
        *_state(found, declared),
    )


def _containers(listing: Listing, declared: Collection[str]) -> Iterator[Orphan]:
    for entry in listing.labelled():
        kind = _kind(entry, declared)
        if kind:
            yield Orphan("container", kind, entry.name, entry.project, entry.status, entry.id, entry.created)
    for entry in listing.all:
        scope, _slash, project = entry.labels.get(HELPER, "").partition("/")
        if project and scope == listing.scope:
            yield Orphan("container", "leftover", entry.name, project, entry.status, entry.id, entry.created)


def _kind(entry: Listed, declared: Collection[str]) -> str | None:
    if entry.is_aside:
        return "kept"
    if not entry.is_of_project:
        return "stray"
    return None if entry.project in declared else "undeclared"


def _images(found: Found, declared: Collection[str]) -> Iterator[Orphan]:
    in_use = set(found.listing.used_images)
    for project in found.snapshots.projects:
        lineage = found.snapshots.of(project)
        in_use.update(snapshot.base_id for snapshot in lineage.snapshots)
        if project in declared:
            continue
        for one in lineage.snapshots:
            size = one.own_size
            yield Orphan("image", "undeclared", one.reference, project, id=one.id, created=one.created, size=size)
        for part in lineage.parts:
            yield Orphan("image", "leftover", part, project, id=part, size=found.snapshots.sizes.get(part))
    for entry in found.images:
        name = next(iter(tags_of(entry)), "")
        shared = name.partition(":")[0] in (BASE_REPOSITORY, PACKAGES_REPOSITORY, PROXY_REPOSITORY)
        is_latest = any(tag.endswith(":latest") for tag in tags_of(entry))
        if shared and not is_latest and entry["Id"] not in in_use:
            yield Orphan("image", "unused", name, "", id=entry["Id"], created=entry["Created"], size=entry.get("Size"))


def _volumes(listing: Listing, declared: Collection[str]) -> Iterator[Orphan]:
    own = {name for project in declared for name in (home_volume(project), agent_volume(project))}
    for name in listing.volumes():
        if name not in own:
            yield Orphan("volume", "undeclared", name, listing.project_of_volume(name))


def _networks(listing: Listing, declared: Collection[str]) -> Iterator[Orphan]:
    for one in listing.networks.ours:
        if one.project not in declared:
            kind = "undeclared" if one.name in network_names(one.project) else "stray"
            yield Orphan("network", kind, one.name, one.project, id=one.id)


def _state(found: Found, declared: Collection[str]) -> Iterator[Orphan]:
    for project, record in found.records.items():
        if project not in declared and record.scope == found.listing.scope:
            yield Orphan("state", "undeclared", project, project)
