# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Erases all that a project has on an engine: the one place where data are meant to be lost."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.engine_images import ImageStore
from ansible_collections.berth.projects.plugins.module_utils.engine_networks import NetworkStore
from ansible_collections.berth.projects.plugins.module_utils.engine_volumes import VolumeStore
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.lineage import Lineage, Snapshots
from ansible_collections.berth.projects.plugins.module_utils.names import MANAGED
from ansible_collections.berth.projects.plugins.module_utils.world import Listed, Listing


def erase(engine: Engine, project: str, scope: str) -> None:
    """Remove a project's containers, networks, snapshots and volumes; a network that others stand on stays.

    What is there is listed anew: a run that was killed half-way has left less than its plan knew of.

    Raises:
        BerthError: The engine could not, or another container uses a volume; it says how far it came.
    """
    store = VolumeStore(engine)
    store.remove_helpers(project, scope, engine.containers())
    listing = Listing(engine.containers(), scope, engine.volumes(f"{MANAGED}=true"), engine.networks())
    own = [entry for entry in listing.labelled() if entry.project == project and entry.is_of_project]
    for part in listing.parts(project):
        engine.remove(part)
    lineage = Snapshots(engine.images(), scope).of(project)
    _demand_unshared(listing, own, listing.volumes(project), lineage)
    for entry in own:
        engine.remove(entry.id)
    shared = listing.strangers(project)
    for network in listing.networks.of(project):
        if network.name in shared:
            continue
        NetworkStore(engine).remove(network.id)
    remove_lineage(ImageStore(engine), lineage)
    for name in listing.volumes(project):
        store.remove(name)


def remove_lineage(images: ImageStore, lineage: Lineage) -> None:
    """Remove all snapshots of a project and what is left of interrupted ones."""
    names = [tag for snapshot in lineage.snapshots for tag in sorted(snapshot.tags)]
    for name in [*names, *lineage.parts]:
        if not images.remove(name):
            raise BerthError(
                f"The image {name} is used by a container that is not the project's own ('docker ps -a' shows which). "
                "Remove that container, then run again."
            )


def _demand_unshared(listing: Listing, own: Iterable[Listed], volumes: Iterable[str], lineage: Lineage) -> None:
    """Refuse before anything is removed, where a volume or a snapshot cannot be."""
    ids = {entry.id for entry in own}
    snapshots = {snapshot.id: snapshot.reference for snapshot in lineage.snapshots}
    for entry in listing.all:
        if entry.id in ids:
            continue
        shared = [f"uses the volume {name}" for name in sorted(set(volumes) & set(entry.volumes))]
        if entry.image_id in snapshots:
            shared.append(f"was made from the snapshot {snapshots[entry.image_id]}")
        if shared:
            raise BerthError(
                f"The container {entry.name} {shared[0]}. Nothing was removed. "
                "Remove that container first, then run again."
            )
