# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which restores have begun on a host and not ended, so that the next run knows a half-restored volume as one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass

from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.whole_file import write_whole

RESTORED = "berth.restored"
"""The label of a volume that a restore made: from which archive, ``Manifest.digest``."""


@dataclass(frozen=True)
class Begun:
    """A restore that has begun.

    Args:
        digest: Which archive is being restored, ``Manifest.digest``.
        made: Whether the restore made the volume. Then the volume has a label that says so, and one without the label
            is another one of the same name.
    """

    digest: str
    made: bool

    def is_of(self, labels: Mapping[str, str]) -> bool:
        """Whether a volume with these labels is the one that it was begun for."""
        return labels.get(RESTORED) == (self.digest if self.made else None)


class Restores:
    """One small file a project, in ``<state_dir>/restores``, with what has begun by kind of volume."""

    def __init__(self, state_dir: str) -> None:
        self._folder = os.path.join(state_dir, "restores")

    def begun(self, project: str) -> dict[str, Begun]:
        """By kind of volume; nothing where the file is missing or cannot be read as one."""
        try:
            with open(self._path(project), encoding="utf-8") as file:
                data = json.load(file)
            return {kind: Begun(str(entry["digest"]), bool(entry["made"])) for kind, entry in data.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def begin(self, project: str, begun: Mapping[str, Begun]) -> None:
        """Remember, so that it outlasts a power cut, before anything is done."""
        self._write(project, {**self.begun(project), **begun})

    def end(self, project: str, kinds: list[str]) -> None:
        """Forget: these volumes are whole, or gone."""
        before = self.begun(project)
        left = {kind: entry for kind, entry in before.items() if kind not in kinds}
        if left != before:
            self._write(project, left)

    def _write(self, project: str, begun: Mapping[str, Begun]) -> None:
        path = self._path(project)
        with _told(path):
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            if not begun:
                with suppress(FileNotFoundError):
                    os.unlink(path)
                return
            write_whole(path, {kind: asdict(entry) for kind, entry in begun.items()})

    def _path(self, project: str) -> str:
        return os.path.join(self._folder, f"{project}.json")


@contextmanager
def _told(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BerthError(
            f"Cannot write {path}: {error.strerror}. Berth keeps its state there; make that writable for the user that "
            "runs the module, or set state_dir."
        ) from error
