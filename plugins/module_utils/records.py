# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Berth remembers of a project on its host: which container is the project's, and whose files it works on.

A record is written only once a container has proven itself, so it tells a finished replace from an interrupted one,
and a container that somebody renamed from one that somebody else made.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace

from ansible_collections.berth.projects.plugins.module_utils.definition import User
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.whole_file import write_whole

_SUFFIX = ".json"
_LOCK_POLL = 0.1  # seconds; flock has no time limit of its own


@dataclass(frozen=True)
class Record:
    """One project.

    Args:
        container_id: The last container that was seen to be ready.
        uid: The agent's, and ``gid`` too.
        pending_id: A newer one that was made for a project declared as stopped, and so has yet to prove itself.
        scope: Whose it is.
        taken: The generation of host state that its container has taken over last.
    """

    container_id: str | None = None
    uid: int | None = None
    gid: int | None = None
    pending_id: str | None = None
    scope: str | None = None
    taken: str | None = None

    @property
    def is_sound(self) -> bool:
        """Whether it can have been written by Berth: somebody may have edited the file."""
        numbers = all(number is None or isinstance(number, int) for number in (self.uid, self.gid))
        words = (self.container_id, self.pending_id, self.scope, self.taken)
        texts = all(text is None or isinstance(text, str) for text in words)
        return numbers and texts

    @property
    def user(self) -> User | None:
        return User(self.uid, self.gid) if self.uid is not None and self.gid is not None else None

    def proven(self, container_id: str | None) -> Record:
        return replace(self, container_id=container_id, pending_id=None)

    def pending(self, container_id: str) -> Record:
        return replace(self, pending_id=container_id)

    def of_scope(self, scope: str) -> Record:
        return replace(self, scope=scope)

    def has_taken(self, generation: str | None) -> Record:
        return replace(self, taken=generation)

    def with_user(self, user: User | None) -> Record:
        return replace(self, uid=user.uid, gid=user.gid) if user else self


def default_state_dir() -> str:
    """``/var/lib/berth`` for root, else ``~/.local/state/berth``."""
    return "/var/lib/berth" if os.geteuid() == 0 else os.path.expanduser("~/.local/state/berth")


class Records:
    """The records of one host, one small file a project in ``<state_dir>/records``."""

    def __init__(self, state_dir: str) -> None:
        self.state_dir = state_dir
        self._folder = os.path.join(state_dir, "records")

    def read(self, project: str) -> Record:
        """The project's record; an empty one when there is none, or none that can be read as one."""
        try:
            with open(self._path(project), encoding="utf-8") as file:
                data = json.load(file)
            later = {name: data.get(name) for name in ("pending_id", "scope", "taken")}
            record = Record(data["container_id"], data["uid"], data["gid"], **later)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return Record()
        return record if record.is_sound else Record()

    def write(self, project: str, record: Record) -> None:
        """Put the record in place in one step, so that a reader or a crash never meets half of one."""
        path = self._path(project)
        with self._told(f"write {path}"):
            write_whole(path, asdict(record))

    def of_others(self, projects: Collection[str]) -> dict[str, Record]:
        """The records of all projects but these, by name."""
        try:
            files = sorted(os.listdir(self._folder))
        except OSError:
            return {}
        names = [name[: -len(_SUFFIX)] for name in files if name.endswith(_SUFFIX)]
        return {name: self.read(name) for name in names if name not in projects}

    def forget(self, project: str, *folders: str) -> None:
        """Remove the project's folders and then its record, so that the record goes on telling of what is left."""
        for folder in folders:
            with self._told(f"remove {folder}"):
                if os.path.isdir(folder):
                    shutil.rmtree(folder)
        with self._told(f"remove {self._path(project)}"), suppress(FileNotFoundError):
            os.unlink(self._path(project))

    def prepare(self, host_state: str) -> None:
        """Make the folder of host state that a project's container mounts."""
        with self._told(f"make {host_state}"):
            os.makedirs(host_state, exist_ok=True)
            os.chmod(host_state, 0o755)  # whatever the umask: the agent reads it

    @contextmanager
    def locked(self, seconds: float) -> Iterator[None]:
        """Hold this host's lock; a second run on the host waits for the first, ``seconds`` at most."""
        path = os.path.join(self.state_dir, "lock")
        with self._told(f"make {self._folder}"):
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
        with self._told(f"open {path}"):
            descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            with self._told(f"lock {path}"):
                _lock(descriptor, path, seconds)
            yield
        finally:
            os.close(descriptor)

    def _path(self, project: str) -> str:
        return os.path.join(self._folder, f"{project}{_SUFFIX}")

    @contextmanager
    def _told(self, doing: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise BerthError(
                f"Cannot {doing}: {error.strerror}. Berth keeps its state in {self.state_dir}; make that writable for "
                "the user that runs the module, or set berth_state_dir."
            ) from error


def _lock(descriptor: int, path: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not _try_lock(descriptor):
        if time.monotonic() >= deadline:
            raise BerthError(f"Another run of Berth has held {path} for {seconds:.0f} s. Run again when it has ended.")
        time.sleep(_LOCK_POLL)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
