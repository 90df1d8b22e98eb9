# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The agent's home, entered without ever following a link, and changed so that a kill at any point loses nothing.

What is in the home is the agent's, who may change it at the same time: each step goes by the descriptor of the folder
that the step before it found, never by a whole path.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Callable, Optional

from berth_files import (
    FOLDER,
    Held,
    Problem,
    hash_of_tree,
    new_file,
    new_name,
    no_link,
    open_folder,
    read_file,
    refuse_unless,
    remove_all,
    tree,
    try_lock,
)

AGENT = "agent"
HOME = "/home/agent"
STATE = ".local/state/berth"

NEW_FOLDER, OLD_FOLDER = ".berth-new", ".berth-old"
_SWAPS = 20
_LOCK_SECONDS = 30

Change = Callable[[Optional[bytes]], Optional[bytes]]


class Home:
    """Paths are relative to the home and have no ``..``; every method raises Problem for a link in the way."""

    def __init__(self, path: str = HOME) -> None:
        self.path = path

    def read(self, path: str) -> bytes | None:
        """The content of a regular file; None where nothing is."""
        found = self.find(path)
        return found[0] if found else None

    def find(self, path: str) -> tuple[bytes, int] | None:
        """The content and the mode of a regular file; None where nothing is."""
        try:
            with self._at(path) as (folder, name):
                return read_file(folder, name, path)
        except FileNotFoundError:
            return None

    def write(self, path: str, content: bytes, mode: int = 0o600) -> None:
        """Put a file in its place, in one step. Makes the folders above it, for the agent alone."""
        with self._at(path, make=True) as (folder, name):
            refuse_unless(folder, name, path, stat.S_ISREG)
            os.rename(new_file(folder, name, content, mode), name, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)

    def add(self, path: str, content: bytes, mode: int = 0o600) -> bool:
        """Make a file where nothing is, without ever replacing one that appears meanwhile; tells whether it did."""
        with self._at(path, make=True) as (folder, name):
            new = new_file(folder, name, content, mode)
            try:
                os.link(new, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
            except FileExistsError:
                refuse_unless(folder, name, path, stat.S_ISREG)
                return False
            finally:
                os.unlink(new, dir_fd=folder)
            os.fsync(folder)
            return True

    def swap(self, path: str, change: Change, mode: int | None = None) -> None:
        """Compare and swap: write what ``change`` makes of a file's content, from what stands there at that moment.

        Args:
            change: None means no file. It is asked again when the file changed meanwhile.
            mode: The file's mode; None keeps the one it has, or 0600 for a new one.

        Raises:
            Problem: Something else goes on writing the file.
        """
        self.sweep(path)
        for _round in range(_SWAPS):
            found = self.find(path)
            before, found_mode = found or (None, 0o600)
            after = change(before)
            wanted_mode = found_mode if mode is None else mode
            if after == before and (after is None or wanted_mode == found_mode):
                return
            if self._swap_once(path, before, after, wanted_mode):
                return
            time.sleep(0.05)
        raise Problem(f"~/{path} is being written by another program all the time; the next run tries again")

    def _swap_once(self, path: str, before: bytes | None, after: bytes | None, mode: int) -> bool:
        if after is None:
            if self.read(path) == before:
                self.remove(path)
            return self.read(path) is None
        if before is None:
            return self.add(path, after, mode)
        with self._at(path) as (folder, name):
            new = new_file(folder, name, after, mode)
            found = read_file(folder, name, path)
            if found is None or found[0] != before:
                os.unlink(new, dir_fd=folder)
                return False
            os.rename(new, name, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)
        return self.read(path) == after

    def sweep(self, path: str) -> None:
        """Remove what a kill may have left beside a file."""
        with suppress(FileNotFoundError), self._at(path) as (folder, name):
            os.unlink(new_name(name), dir_fd=folder)

    def remove(self, path: str) -> None:
        """Remove a file or a whole folder, if it is there; a link in it goes, what it points to stays."""
        try:
            with self._at(path) as (folder, name):
                refuse_unless(folder, name, path, lambda mode: not stat.S_ISLNK(mode))
                remove_all(folder, name)
                os.fsync(folder)
        except FileNotFoundError:
            pass

    def remove_if_empty(self, path: str) -> bool:
        try:
            with self._at(path) as (folder, name):
                os.rmdir(name, dir_fd=folder)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EBUSY):
                return False
            raise
        return True

    def set_aside(self, path: str, aside: str) -> str:
        """Rename a file or folder to ``aside``, or ``aside-2`` and so on where that is taken; returns the new path."""
        for number in range(1, 1000):
            new = aside if number == 1 else f"{aside}-{number}"
            if not self.exists(new):
                self._rename(path, new)
                return new
        raise Problem(f"there are too many files ~/{aside}-…: remove those that you do not need")

    def keep_copy(self, path: str, content: bytes, aside: str) -> str:
        """Write a copy beside a file, under a name that is free; returns its path."""
        for number in range(1, 1000):
            new = aside if number == 1 else f"{aside}-{number}"
            if not self.exists(new):
                with self._at(path) as (folder, name):
                    copy = new_file(folder, name, content, 0o600)
                    os.rename(copy, new.rpartition("/")[2], src_dir_fd=folder, dst_dir_fd=folder)
                    os.fsync(folder)
                return new
            if self.read(new) == content:
                return new
        raise Problem(f"there are too many files ~/{aside}-…: remove those that you do not need")

    def exists(self, path: str) -> bool:
        try:
            with self._at(path) as (folder, name):
                os.lstat(name, dir_fd=folder)
        except FileNotFoundError:
            return False
        return True

    def names(self, path: str) -> list[str]:
        """What is in a folder; nothing where there is none."""
        try:
            with self._folder(path.split("/")) as folder:
                return sorted(os.listdir(folder))
        except FileNotFoundError:
            return []

    def make_folder(self, path: str) -> None:
        with self._folder(path.split("/"), make=True):
            pass

    def hash_of_folder(self, path: str) -> str | None:
        """What tells the content of a folder from any other: names, what may be run, content; None where nothing is."""
        try:
            with self._at(path) as (folder, name):
                refuse_unless(folder, name, path, lambda mode: not stat.S_ISLNK(mode))
                return hash_of_tree(tree(folder, name))
        except FileNotFoundError:
            return None

    def make_tree(self, path: str, files: dict[str, tuple[bytes, bool]]) -> None:
        """Put a folder with these files, ``{path in it: (content, may be run)}``, where nothing is, in one step."""
        new = _beside(path, NEW_FOLDER)
        self.remove(new)
        self.make_folder(new)
        for inner, (content, executable) in files.items():
            self.write(f"{new}/{inner}", content, 0o700 if executable else 0o600)
        self._rename(new, path)

    def remove_tree(self, path: str) -> None:
        """Remove a folder in one step: half of one would look like one that somebody changed."""
        if self.exists(path):
            old = _beside(path, OLD_FOLDER)
            self.remove(old)
            self._rename(path, old)
            self.remove(old)

    def _rename(self, source: str, target: str) -> None:
        with self._at(source) as (folder, name), self._at(target, make=True) as (target_folder, target_name):
            os.rename(name, target_name, src_dir_fd=folder, dst_dir_fd=target_folder)
            os.fsync(target_folder)

    @contextmanager
    def lock(self, path: str, seconds: float = _LOCK_SECONDS) -> Iterator[int]:
        """Hold a file's lock; it goes with the process, however that ends.

        Raises:
            Held: Another process has held it all the time.
        """
        with self._at(path, make=True) as (folder, name):
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            with no_link(path):
                held = os.open(name, flags, 0o600, dir_fd=folder)
        try:
            deadline = time.monotonic() + seconds
            while not try_lock(held):
                if time.monotonic() >= deadline:
                    raise Held(f"~/{path} is held by another process; try again when that is done")
                time.sleep(0.05)
            yield held
        finally:
            os.close(held)

    @contextmanager
    def _at(self, path: str, make: bool = False) -> Iterator[tuple[int, str]]:
        """The folder that a path is in, and its last name."""
        *above, name = path.split("/")
        with self._folder(above, make) as folder:
            yield folder, name

    @contextmanager
    def _folder(self, parts: list[str], make: bool = False) -> Iterator[int]:
        folder = os.open(self.path, FOLDER)
        try:
            for index, part in enumerate(parts):
                with no_link("/".join(parts[: index + 1])):
                    inner = open_folder(folder, part, make)
                os.close(folder)
                folder = inner
            yield folder
        finally:
            os.close(folder)

    @contextmanager
    def folder_of(self, path: str) -> Iterator[tuple[int, str]]:
        """For what has to be done there with a call that this class has not: (descriptor, last name)."""
        with self._at(path, make=True) as found:
            yield found


def _beside(path: str, name: str) -> str:
    parent = path.rpartition("/")[0]
    return f"{parent}/{name}" if parent else name
