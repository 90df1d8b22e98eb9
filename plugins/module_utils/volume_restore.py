# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restores a project's volumes from an archive, of which all is verified before anything is changed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from ansible_collections.berth.projects.plugins.module_utils.engine_volumes import ROOT, VolumeStore
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.names import ownership_labels
from ansible_collections.berth.projects.plugins.module_utils.volume_archive import Manifest, section_pieces, verified
from ansible_collections.berth.projects.plugins.module_utils.volume_restores import RESTORED, Begun, Restores
from ansible_collections.berth.projects.plugins.module_utils.volume_tar import TarCheck
from ansible_collections.berth.projects.plugins.module_utils.volumes import Found, Volume


@dataclass(frozen=True)
class Archive:
    """An archive that was verified, and is held open.

    Args:
        starts: Where in the file the tar of each kind of volume begins.
    """

    path: str
    file: BinaryIO
    manifest: Manifest
    starts: Mapping[str, int]

    def pieces(self, kind: str) -> Iterator[bytes]:
        return section_pieces(self.file, self.path, self.starts[kind], self.manifest.volumes[kind])

    def kinds(self, project: str, wanted: Sequence[str] | None) -> list[str]:
        """The kinds of volume to restore: those asked for, with None all that are in it.

        Raises:
            BerthError: It is another project's, or lacks one.
        """
        if self.manifest.project != project:
            raise BerthError(
                f"The archive {self.path} holds volumes of project {self.manifest.project!r}, not of {project!r}, and "
                "a home has logins in it. Nothing was changed. Restore it to the project that it was made of."
            )
        missing = [kind for kind in wanted or () if kind not in self.manifest.volumes]
        if missing:
            has = ", ".join(self.manifest.volumes)
            raise BerthError(f"The archive {self.path} has no volume {missing[0]}; it has {has}. Nothing was changed.")
        return [kind for kind in self.manifest.volumes if not wanted or kind in wanted]


@contextmanager
def opened(path: str) -> Iterator[Archive]:
    """An archive, once all of it was read and found whole.

    Raises:
        BerthError: It cannot be read, or is not whole.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise BerthError(f"{path} is no file. Name the archive to restore with archive.")
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise BerthError(f"Cannot read the archive {path}: {error.strerror}. Nothing was changed.") from error
    with open(descriptor, "rb") as file:
        manifest, starts = verified(file, path)
        yield Archive(path, file, manifest, starts)


@dataclass(frozen=True)
class Restore:
    """What a restore of some volumes finds and does.

    Args:
        image: The id of the image that helpers are made of.
    """

    found: Found
    archive: Archive
    begun: Mapping[str, Begun]
    image: str

    def is_done(self, volume: Volume) -> bool:
        """Whether the volume was made of this very archive, by a restore that ended. It may have changed since."""
        return volume.labels.get(RESTORED) == self.archive.manifest.digest and volume.kind not in self.begun

    def is_begun(self, volume: Volume) -> bool:
        """Whether a restore of this very archive into it was cut off."""
        begun = self.begun.get(volume.kind)
        if begun is None or begun.digest != self.archive.manifest.digest:
            return False
        return volume.exists and begun.is_of(volume.labels)

    def size(self, volume: Volume) -> int:
        """What is to be written to it, in bytes."""
        return self.archive.manifest.volumes[volume.kind].size

    def refuse_running(self, volumes: Sequence[Volume]) -> None:
        for volume in volumes:
            if volume.running_users:
                users = ", ".join(user.name for user in volume.running_users)
                raise BerthError(
                    f"The volume {volume.name} is used by {users}, which runs. Nothing was changed. Stop it first "
                    "(playbook berth.projects.stop)."
                )

    def refuse_full(self, volume: Volume) -> None:
        begun = self.begun.get(volume.kind)
        other = ""
        if begun and begun.is_of(volume.labels):
            other = " A restore of another archive into it was cut off; restore that one again to complete it."
        raise BerthError(
            f"The volume {volume.name} is not empty, and a restore overwrites nothing. Nothing was changed.{other} To "
            "give up what is in it, back it up if need be, remove the containers that use it, then the volume (module "
            f"berth.projects.volume, action=remove, volumes={volume.kind}), and restore again."
        )

    def is_empty(self, store: VolumeStore, volume: Volume) -> bool:
        """Look into a volume, no further than its first entry."""
        check = TarCheck(ROOT)
        project, scope = self.found.project, self.found.scope
        helping = store.helper(project, scope, volume.name, self.image, read_only=True)
        with helping as helper, store.reading(helper, volume.name) as pieces:
            for piece in pieces:
                check.feed(piece)
                if check.entries > 1:  # the first is the volume itself
                    return False
        return True

    def carry_out(self, store: VolumeStore, restores: Restores, volumes: Sequence[Volume]) -> None:
        """Fill the volumes. Each may be missing, empty, or half filled from this archive.

        Raises:
            BerthError: It failed. A restore of the same archive goes on.
        """
        project, digest = self.found.project, self.archive.manifest.digest
        restores.begin(project, {volume.kind: self._begin(volume, digest) for volume in volumes})
        try:
            for volume in volumes:
                self._fill(store, volume)
        except BerthError as error:
            raise BerthError(
                f"{error.msg} The restore is not complete, and nothing else was lost. Mend the cause and restore the "
                "same archive again: that completes it."
            ) from error
        restores.end(project, [volume.kind for volume in volumes])

    def _begin(self, volume: Volume, digest: str) -> Begun:
        if self.is_begun(volume):
            return self.begun[volume.kind]
        return Begun(digest, made=not volume.exists)

    def _fill(self, store: VolumeStore, volume: Volume) -> None:
        project, scope = self.found.project, self.found.scope
        if not volume.exists:
            labels = {**ownership_labels(project, scope), RESTORED: self.archive.manifest.digest}
            store.create(volume.name, labels)
        with store.helper(project, scope, volume.name, self.image, read_only=False) as helper:
            store.write(helper, volume.name, self.archive.pieces(volume.kind))
