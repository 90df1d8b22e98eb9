# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backs up a project's volumes to one archive."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from ansible_collections.berth.projects.plugins.module_utils.engine_volumes import VolumeStore
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.volume_archive import (
    ArchiveWriter,
    Manifest,
    Section,
    writing,
)
from ansible_collections.berth.projects.plugins.module_utils.volume_tar import TarProblem
from ansible_collections.berth.projects.plugins.module_utils.volumes import KINDS, Found, Volume

_ATTEMPTS = 3  # to read a volume in which files shrink meanwhile


@dataclass(frozen=True)
class Backup:
    """A backup that can be made.

    Args:
        image: The id of the image that helpers are made of.
    """

    found: Found
    volumes: Sequence[Volume]
    archive: str
    image: str

    @property
    def warnings(self) -> list[str]:
        return [
            f"{user.name} runs and uses {volume.name}: files that change during the backup may be in the archive half "
            "old, half new. Stop it first (playbook berth.projects.stop) for a backup of one moment."
            for volume in self.volumes
            for user in volume.running_users
        ]

    def make(self, store: VolumeStore) -> None:
        with writing(self.archive) as writer:
            sections = {volume.kind: self._add(store, writer, volume) for volume in self.volumes}
            created = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
            writer.finish(Manifest(self.found.project, created, sections))

    def _add(self, store: VolumeStore, writer: ArchiveWriter, volume: Volume) -> Section:
        project, scope = self.found.project, self.found.scope
        with store.helper(project, scope, volume.name, self.image, read_only=True) as helper:
            for _attempt in range(_ATTEMPTS):
                section, problem = _try_to_add(store, writer, volume, helper)
                if section:
                    return section
        raise BerthError(_not_whole(volume, problem))


def _try_to_add(store: VolumeStore, writer: ArchiveWriter, volume: Volume, helper: str) -> tuple[Section | None, str]:
    """Write one volume; or nothing, and tell what was the matter with what the engine gave."""
    try:
        with store.reading(helper, volume.name) as pieces:
            return writer.add(volume.kind, pieces), ""
    except TarProblem as problem:
        return None, str(problem)


def volumes_to_back_up(found: Found, kinds: Sequence[str] | None) -> list[Volume]:
    """Those asked for; with None, those that exist.

    Raises:
        BerthError: One that is asked for does not exist, none exists, or one is not ours.
    """
    volumes = found.pick(kinds or KINDS)
    missing = [volume.name for volume in volumes if not volume.exists]
    if missing and (kinds or len(missing) == len(volumes)):
        raise BerthError(
            f"There is no volume {' and no volume '.join(missing)} to back up. Check the project's name and the "
            "scope; with action=list the module shows what there is."
        )
    return [volume for volume in volumes if volume.exists]


def check_place(archive: str, force: bool) -> None:
    """Look whether an archive can be put there.

    Raises:
        BerthError: It cannot.
    """
    folder = os.path.dirname(archive)
    if not os.path.isabs(archive):
        raise BerthError(f"archive is {archive!r}: name it by its whole path, such as /srv/backup/web.tar.")
    if not os.path.isdir(folder):
        raise BerthError(f"There is no folder {folder} to put the archive in. Create it, or correct archive.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise BerthError(f"The user that runs the module may not write to {folder}. Correct that, or choose another.")
    if os.path.isdir(archive):
        raise BerthError(f"{archive} is a folder. Name a file in it with archive.")
    if os.path.lexists(archive) and not force:
        raise BerthError(f"There is a file {archive} already. Choose another name, or replace it with force=true.")


def check_room(folder: str, needed: int, what_to_do: str) -> None:
    """Look whether a disk has room.

    Args:
        needed: In bytes.

    Raises:
        BerthError: It has not.
    """
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    if free < needed:
        raise BerthError(
            f"{folder} has {free // 1024**2} MiB free, and this takes {-(-needed // 1024**2)} MiB at least. "
            f"{what_to_do}"
        )


def left_over(archive: str) -> int:
    """What a killed backup left beside the archive, and this one takes away, in bytes."""
    try:
        return os.lstat(f"{archive}.part").st_blocks * 512
    except OSError:
        return 0


def known_total(volumes: Sequence[Volume], sizes: Mapping[str, int | None]) -> int:
    """What the volumes hold, in bytes, as far as the engine can tell."""
    return sum(sizes.get(volume.name) or 0 for volume in volumes)


def _not_whole(volume: Volume, problem: str) -> str:
    users = " and ".join(user.name for user in volume.running_users)
    advice = f"Stop {users} first (playbook berth.projects.stop), and run again." if users else "Run again."
    return (
        f"The volume {volume.name} could not be read whole in {_ATTEMPTS} attempts: what the engine gave {problem}, as "
        f"it does when files in the volume shrink meanwhile. {advice}"
    )
