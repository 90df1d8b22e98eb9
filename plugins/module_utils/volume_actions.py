# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What module ``volume`` does: list, remove, back up and restore the volumes of one project."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Callable

from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.engine_volumes import VolumeStore
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.records import Records, default_state_dir
from ansible_collections.berth.projects.plugins.module_utils.socket_reader import SCHEME
from ansible_collections.berth.projects.plugins.module_utils.volume_backup import (
    Backup,
    check_place,
    check_room,
    known_total,
    left_over,
    volumes_to_back_up,
)
from ansible_collections.berth.projects.plugins.module_utils.volume_restore import Archive, Restore, opened
from ansible_collections.berth.projects.plugins.module_utils.volume_restores import Restores
from ansible_collections.berth.projects.plugins.module_utils.volumes import (
    KINDS,
    Found,
    Volume,
    find_volumes,
    helper_image,
)

_PROJECT = re.compile(r"[a-z0-9]([a-z0-9-]{0,39}[a-z0-9])?")


def work_on_volumes(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """The result of module ``volume``.

    Args:
        params: The module's parameters.
        check_mode: Look only.
    """
    if not _PROJECT.fullmatch(params["project"]):
        raise BerthError(
            f"project is {params['project']!r}: a project's name has lower-case letters, digits and - only, no - at "
            "either end, and 41 characters at the most."
        )
    return ACTIONS[params["action"]](_Task(params, check_mode))


class _Task:
    """One call of the module."""

    def __init__(self, params: Mapping[str, Any], check_mode: bool) -> None:
        self.project: str = params["project"]
        self.scope: str = params["scope"]
        self.kinds: Sequence[str] | None = params["volumes"] or None
        self.archive: str = params["archive"] or ""
        self.force: bool = params["force"]
        self.check_mode = check_mode
        self.state_dir = (params["state_dir"] or default_state_dir()).rstrip("/")
        self.restores = Restores(self.state_dir)
        self._lock_timeout: int = params["lock_timeout"]
        self.engine = Engine.connect(params)
        self.store = VolumeStore(self.engine)

    @contextmanager
    def changing(self) -> Iterator[Found]:
        """What there is, and nobody else of Berth's changes it; in check mode, what there is."""
        if self.check_mode:
            yield self.find()
            return
        with Records(self.state_dir).locked(self._lock_timeout):
            found = self.find()
            self.store.remove_helpers(self.project, self.scope, found.containers)
            yield found

    def find(self) -> Found:
        return find_volumes(self.engine, self.project, self.scope)

    def result(
        self,
        changed: bool,
        volumes: Sequence[Volume],
        sizes: Mapping[str, int | None],
        warnings: Sequence[str] = (),
    ) -> dict[str, Any]:
        return {
            "changed": changed,
            "volumes": [volume.result(self.project, sizes) for volume in volumes],
            "archive": self.archive or None,
            "warnings": list(warnings),
        }


def _list(task: _Task) -> dict[str, Any]:
    found = task.find()
    volumes = [found.volumes[kind] for kind in task.kinds or KINDS]
    warnings = [problem for volume in volumes if (problem := volume.problem(task.project, task.scope))]
    ours = [volume for volume in volumes if volume.is_owned(task.project, task.scope)]
    return task.result(False, ours, task.store.sizes() if ours else {}, warnings)


def _remove(task: _Task) -> dict[str, Any]:
    with task.changing() as found:
        volumes = [volume for volume in found.pick(task.kinds or KINDS) if volume.exists]
        used = [volume for volume in volumes if volume.users]
        if used:
            raise BerthError(_in_use(used))
        sizes = task.store.sizes() if volumes else {}
        if not task.check_mode:
            for volume in volumes:
                task.store.remove(volume.name)
            task.restores.end(task.project, list(task.kinds or KINDS))
        return task.result(bool(volumes), volumes, sizes)


def _backup(task: _Task) -> dict[str, Any]:
    check_place(task.archive, task.force)
    with task.changing() as found:
        volumes = volumes_to_back_up(found, task.kinds)
        backup = Backup(found, volumes, task.archive, helper_image(task.engine, found))
        sizes = task.store.sizes()
        advice = "Make room there, or choose another folder with archive."
        check_room(os.path.dirname(task.archive), known_total(volumes, sizes) - left_over(task.archive), advice)
        if not task.check_mode:
            backup.make(task.store)
        return task.result(True, volumes, sizes, [*backup.warnings, *_left_unfinished(task, volumes)])


def _restore(task: _Task) -> dict[str, Any]:
    with opened(task.archive) as archive:
        kinds = archive.kinds(task.project, task.kinds)
        with task.changing() as found:
            return _restore_from(task, archive, found, found.pick(kinds))


def _restore_from(task: _Task, archive: Archive, found: Found, volumes: Sequence[Volume]) -> dict[str, Any]:
    begun = task.restores.begun(task.project)
    restore = Restore(found, archive, begun, helper_image(task.engine, found))
    done = [volume for volume in volumes if restore.is_done(volume)]
    to_do = [volume for volume in volumes if volume not in done]
    restore.refuse_running(to_do)
    for volume in to_do:
        if volume.exists and not restore.is_begun(volume) and not _is_empty(task, restore, volume):
            restore.refuse_full(volume)
    _check_engines_room(task, sum(restore.size(volume) for volume in to_do if not restore.is_begun(volume)))
    if to_do and not task.check_mode:
        restore.carry_out(task.store, task.restores, to_do)
        now = task.find().volumes
        volumes = [now[volume.kind] for volume in volumes]
    warnings = [
        f"{volume.name} was made from this archive before and is left as it is, with all that was done in it since. To "
        f"go back to what the archive holds, remove it first (action=remove, volumes={volume.kind})."
        for volume in done
    ]
    return task.result(bool(to_do), volumes, task.store.sizes(), warnings)


def _is_empty(task: _Task, restore: Restore, volume: Volume) -> bool:
    """Whether there is nothing in a volume. Check mode makes no helper: it looks at its size, then its folder."""
    if not task.check_mode:
        return restore.is_empty(task.store, volume)
    if task.store.sizes().get(volume.name):
        return False
    try:
        return not os.listdir((volume.listed or {})["Mountpoint"]) if _is_local(task.engine) else True
    except OSError:
        return True


def _check_engines_room(task: _Task, needed: int) -> None:
    """Look whether the engine's disk has room, where it is this host's and may be looked at."""
    root = task.engine.info()["DockerRootDir"]
    if _is_local(task.engine) and os.path.isdir(root):
        check_room(root, needed, "Nothing was changed. Make room on the engine's disk.")


def _is_local(engine: Engine) -> bool:
    return engine.docker_host.startswith(SCHEME)


def _left_unfinished(task: _Task, volumes: Sequence[Volume]) -> list[str]:
    begun = task.restores.begun(task.project)
    return [
        f"A restore into {volume.name} was cut off and never completed: the backup holds what there was of it."
        for volume in volumes
        if volume.kind in begun and begun[volume.kind].is_of(volume.labels)
    ]


def _in_use(volumes: Sequence[Volume]) -> str:
    told = [f"The volume {volume.name} is used by {', '.join(map(str, volume.users))}." for volume in volumes]
    return " ".join(
        [
            *told,
            "Nothing was removed. Remove those containers first: the project's own and those kept aside with playbook "
            "berth.projects.destroy, any other with 'docker rm'.",
        ]
    )


ACTIONS: Mapping[str, Callable[[_Task], dict[str, Any]]] = {
    "list": _list,
    "remove": _remove,
    "backup": _backup,
    "restore": _restore,
}
