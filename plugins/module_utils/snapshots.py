# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Takes snapshots of containers, and takes back those that are not wanted after all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import islice
from typing import Any, Callable

from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.engine_images import ImageStore
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError, EngineError
from ansible_collections.berth.projects.plugins.module_utils.lineage import (
    LATEST_TAG,
    Lineage,
    Snapshot,
    Snapshots,
    must_be_flat,
)
from ansible_collections.berth.projects.plugins.module_utils.names import (
    SNAPSHOT_FLAT,
    SNAPSHOT_LAYERS,
    SNAPSHOT_TAKEN,
    snapshot_repository,
)
from ansible_collections.berth.projects.plugins.module_utils.snapshot_config import (
    clean_config,
    config_without_image,
    covering_config,
    layers_below,
    part_config,
    snapshot_labels,
)

_SPARE = 64 * 1024**2  # bytes that must stay free on the engine's disk
_SHOWN = 5
_CONTAINERD = "io.containerd.snapshotter"


@dataclass(frozen=True)
class Taken:
    """A snapshot as it was taken.

    Args:
        reference: ``berth/<project>:<time>``.
        image_id: Its image.
        labels: Those of the image.
        is_new: False where an older one holds all there is, and is used instead.
    """

    reference: str
    image_id: str
    labels: Mapping[str, str]
    warnings: tuple[str, ...] = ()
    is_new: bool = True


@dataclass(frozen=True)
class Wish:
    """What to take: of which project, and after how many layers to flatten."""

    project: str
    scope: str
    squash_after: int

    @property
    def owner(self) -> str:
        """How what only lives during a snapshot is labelled."""
        return f"{self.scope}/{self.project}"


class Snapshotter:
    """Shared by the threads of one run.

    Args:
        clock: Tells the time, for the tags.
        free_space: Bytes that are free on the disk of a folder of this host; None where it cannot be told.
    """

    def __init__(
        self,
        engine: Engine,
        clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
        free_space: Callable[[str], int | None] | None = None,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._free_space = free_space or free_bytes
        self.images = ImageStore(engine)

    def take(self, container_id: str, lineage: Lineage, wish: Wish, moves_latest: bool = True) -> Taken:
        """Snapshot a container's layer under a new tag, and move ``:latest`` to it.

        A running container is paused while its layer is copied. A snapshot that fails leaves neither a name nor an
        image, and ``:latest`` where it was.

        Args:
            container_id: Of which container.
            lineage: The project's snapshots so far.
            wish: What to take.
            moves_latest: Whether a new container is to go on from it.

        Raises:
            BerthError: The disk is too full, or the engine could not.
        """
        container = self._engine.container(container_id, size=True)
        if container is None:
            raise BerthError(f"The container {container_id[:12]} is gone.")
        holder = lineage.holder_of(container)
        if holder:
            return self._again(holder, lineage, moves_latest)
        image = self._engine.image(container["Image"])
        below = (image.get("Config") or {}) if image else config_without_image(container)
        depth = len((image or {}).get("RootFS", {}).get("Layers") or [])
        layers = layers_below(below, wish.project) + 1
        flat = must_be_flat(layers, depth, wish.squash_after, container["State"]["Running"])
        size = int(container.get("SizeRootFs" if flat else "SizeRw") or 0)
        self._demand_room(size)
        tag = lineage.next_tag(self._clock())
        size_below = int((image or {}).get("Size") or 0)
        labels = snapshot_labels(container, below, wish.project, wish.scope, tag, flat, size_below)
        reference = f"{snapshot_repository(wish.project)}:{tag}"
        try:
            labels = self._make(container, below, labels, wish, size)
            image_id = str((self._engine.image(reference) or {})["Id"])
            if moves_latest:
                self.images.tag(image_id, _latest(wish.project))
        except Exception:
            self.undo(reference, lineage, wish)
            raise
        return Taken(reference, image_id, labels, tuple(_lost(container, labels)))

    def undo(self, reference: str, lineage: Lineage, wish: Wish) -> None:
        """Take a snapshot back, as far as it came; what cannot be done now the next run does."""
        try:
            if lineage.latest:
                self.images.tag(lineage.latest.id, _latest(wish.project))
            else:
                self.images.remove(_latest(wish.project))
            self.images.remove(reference)
            for part in Snapshots(self._engine.images(), wish.scope).of(wish.project).parts:
                self.images.remove(part)
        except EngineError:
            return

    def remove(self, snapshot: Snapshot) -> bool:
        """Remove a snapshot under its own names. False where a container was made from it."""
        own = [tag for tag in sorted(snapshot.tags) if tag != _latest(snapshot.project)]
        gone = [self.images.remove(tag) for tag in own]
        return all(gone)

    def leave_latest(self, snapshot: Snapshot, lineage: Lineage) -> None:
        """Move ``:latest`` from a snapshot that is to go to the newest of the others, or take it away."""
        others = [one for one in lineage.snapshots if one is not snapshot]
        if others:
            self.point_latest(others[0])
        else:
            self.images.remove(_latest(snapshot.project))

    def point_latest(self, snapshot: Snapshot) -> None:
        self.images.tag(snapshot.id, _latest(snapshot.project))

    def _again(self, holder: Snapshot, lineage: Lineage, moves_latest: bool) -> Taken:
        if moves_latest and holder is not lineage.latest:
            self.point_latest(holder)
        image = self._engine.image(holder.id) or {}
        labels = (image.get("Config") or {}).get("Labels") or {}
        return Taken(holder.reference, holder.id, labels, is_new=False)

    def _make(
        self, container: Mapping[str, Any], below: Mapping[str, Any], labels: dict[str, str], wish: Wish, size: int
    ) -> dict[str, str]:
        """Make the image, under the name of its time; returns its labels."""
        repository, tag = snapshot_repository(wish.project), labels[SNAPSHOT_TAKEN]
        container_id, is_flat = container["Id"], labels[SNAPSHOT_LAYERS] == "0"
        if not is_flat and keeps_layers_apart(self._engine.info()):
            self.images.commit(container_id, covering_config(container, below, labels), size, (repository, tag))
            return labels
        if not is_flat:
            part = self.images.commit(container_id, part_config(container, wish.owner), size, None)
            with self._passing(part):
                if self._load(part, clean_config(below, labels), f"{repository}:{tag}"):
                    return labels
            # This store does not take a configuration for layers it has. One that is made of the layer itself, then.
            self._demand_room(int(container.get("SizeRootFs") or 0))
            labels = {**labels, SNAPSHOT_LAYERS: "0", SNAPSHOT_FLAT: "true"}
        with self._standing_still(container):
            part = self.images.flatten(container_id, wish.owner)
        with self._passing(part):
            config = clean_config(below, labels)
            if not self._load(part, config, f"{repository}:{tag}"):
                self.images.configure(part, config, (repository, tag))
        return labels

    @contextmanager
    def _passing(self, part: str) -> Iterator[None]:
        """Remove the image that only the layers are wanted of, whatever becomes of those."""
        try:
            yield
        except Exception:
            with suppress(EngineError):  # the first failure is the one to tell; the next run removes it
                self.images.remove(part)
            raise
        self.images.remove(part)

    def _load(self, part: str, config: Mapping[str, Any], reference: str) -> bool:
        """Give the layers of an image another configuration and a name. False where the store refuses that."""
        if keeps_layers_apart(self._engine.info()):
            return False
        image = self._engine.image(part)
        if image is None:
            raise EngineError(f"naming the snapshot {reference}: the engine has lost the image of its layers")
        whole = {
            "architecture": image["Architecture"],
            "os": image["Os"],
            "created": image["Created"],
            "config": dict(config),
        }
        try:
            self.images.load_config(whole, image["RootFS"]["Layers"], [reference])
        except EngineError as error:
            if error.status is None:  # nobody refused anything: no answer came
                raise
            return False
        return True

    @contextmanager
    def _standing_still(self, container: Mapping[str, Any]) -> Iterator[None]:
        """Pause a container that runs, as the engine itself does for a commit."""
        pauses = container["State"]["Running"] and not container["State"].get("Paused")
        if pauses:
            self._engine.pause(container["Id"])
        try:
            yield
        finally:
            if pauses:
                self._engine.unpause(container["Id"])

    def demand_room(self, container_id: str, lineage: Lineage) -> None:
        """Check that there is room for a snapshot, before anything is stopped for it.

        Raises:
            BerthError: The disk is too full.
        """
        container = self._engine.container(container_id, size=True)
        if container and not lineage.holder_of(container):
            self._demand_room(int(container.get("SizeRw") or 0))

    def _demand_room(self, size: int) -> None:
        folder = self._engine.info()["DockerRootDir"]
        free = self._free_space(folder) if self._engine.is_local else None
        if free is not None and free < size + _SPARE:
            raise BerthError(
                f"The engine's disk ({folder}) has {_mib(free)} free, and the snapshot takes {_mib(size)} "
                f"besides {_mib(_SPARE)} that stay free. Make room ('docker system df' shows what takes it)."
            )


def keeps_layers_apart(info: Mapping[str, Any]) -> bool:
    """Whether the engine's images live in containerd, which wants every layer's content along with a configuration.

    Args:
        info: As ``GET /info`` shows it.
    """
    return any(str(value).startswith(_CONTAINERD) for _key, value in info.get("DriverStatus") or [])


def free_bytes(folder: str) -> int | None:
    try:
        status = os.statvfs(folder)
    except OSError:
        return None
    return status.f_bavail * status.f_frsize


def _lost(container: Mapping[str, Any], labels: Mapping[str, str]) -> Iterator[str]:
    """What of a layer no snapshot can keep, where this host can see it."""
    upper = ((container.get("GraphDriver") or {}).get("Data") or {}).get("UpperDir")
    found = list(islice(files_with_lost_attributes(upper), _SHOWN + 1)) if upper else []
    if found:
        more = " and more" if len(found) > _SHOWN else ""
        names = ", ".join(found[:_SHOWN])
        yield f"the snapshot does not keep the POSIX ACLs and extended attributes of {names}{more}: engines drop them"
    if labels[SNAPSHOT_LAYERS] == "0":
        yield "the lineage was flattened: the snapshot is one layer now, and shares no disk space with its base"


def files_with_lost_attributes(folder: str) -> Iterator[str]:
    """Files below a layer's folder, as paths in the container, whose attributes a commit and an export drop."""
    for path, folders, files in os.walk(folder):
        for name in (*folders, *files):
            whole = os.path.join(path, name)
            try:
                attributes = os.listxattr(whole, follow_symlinks=False)
            except OSError:
                continue
            if any(_is_dropped(attribute) for attribute in attributes):
                yield whole[len(folder) :]


def _is_dropped(attribute: str) -> bool:
    dropped = attribute.startswith(("user.", "trusted.", "system.posix_acl_"))
    return dropped and not attribute.startswith(("trusted.overlay.", "user.overlay."))


def _latest(project: str) -> str:
    return f"{snapshot_repository(project)}:{LATEST_TAG}"


def _mib(size: int) -> str:
    return f"{size / 1024**2:.0f} MiB"
