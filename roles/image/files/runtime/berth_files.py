# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files and folders by the descriptor of the folder that they are in, never through a link."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Callable

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Problem(Exception):
    """What a person has to know, and what they can do about it."""


class InTheWay(Problem):
    """A link, or another kind of file, stands at ``path`` of the home, where Berth has to go."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            f"~/{path} is a link, or of another kind than what goes there; Berth follows none. Move it out of the way"
        )


class Held(Problem):
    """Another process holds the lock."""


def hash_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def hash_of_tree(files: dict[str, tuple[bytes, bool]]) -> str:
    lines = [f"{path}\0{executable}\0{hash_of(content)}\n" for path, (content, executable) in sorted(files.items())]
    return hash_of("".join(lines).encode("utf-8", "surrogateescape"))


@contextmanager
def no_link(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise InTheWay(path) from None
        raise


def open_folder(folder: int, name: str, make: bool) -> int:
    if make:
        try:
            os.mkdir(name, 0o700, dir_fd=folder)
            os.fsync(folder)
        except FileExistsError:
            pass
    return os.open(name, FOLDER, dir_fd=folder)


def refuse_unless(folder: int, name: str, path: str, allowed: Callable[[int], bool]) -> None:
    try:
        mode = os.lstat(name, dir_fd=folder).st_mode
    except FileNotFoundError:
        return
    if not allowed(mode):
        raise InTheWay(path)


def read_file(folder: int, name: str, path: str) -> tuple[bytes, int] | None:
    try:
        with no_link(path):
            descriptor = os.open(name, _FILE, dir_fd=folder)
    except FileNotFoundError:
        return None
    with open(descriptor, "rb") as file:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise InTheWay(path)
        return file.read(), stat.S_IMODE(mode)


def new_name(name: str) -> str:
    return f".{name[:200]}.berth-new"


def new_file(folder: int, name: str, content: bytes, mode: int) -> str:
    """Write a file beside the one it is to replace. Its name is always the same, so a kill leaves at most one."""
    new = new_name(name)
    with suppress(FileNotFoundError):
        os.unlink(new, dir_fd=folder)
    with open(os.open(new, _NEW, 0o600, dir_fd=folder), "wb") as file:
        file.write(content)
        os.fchmod(file.fileno(), mode)
        file.flush()
        os.fsync(file.fileno())
    return new


def remove_all(folder: int, name: str) -> None:
    if not stat.S_ISDIR(os.lstat(name, dir_fd=folder).st_mode):
        os.unlink(name, dir_fd=folder)
        return
    inner = os.open(name, FOLDER, dir_fd=folder)
    try:
        os.fchmod(inner, 0o700)
        for one in os.listdir(inner):
            remove_all(inner, one)
    finally:
        os.close(inner)
    os.rmdir(name, dir_fd=folder)


def tree(folder: int, name: str, path: str = "") -> dict[str, tuple[bytes, bool]]:
    """The files of a folder by their path in it. A link or anything else counts as a file that says what it is."""
    mode = os.lstat(name, dir_fd=folder).st_mode
    if stat.S_ISREG(mode):
        found = read_file(folder, name, path)
        return {path: (found[0] if found else b"", bool(mode & 0o100))}
    if not stat.S_ISDIR(mode):
        return {path: (f"kind {stat.S_IFMT(mode)}".encode(), False)}
    files: dict[str, tuple[bytes, bool]] = {}
    inner = os.open(name, FOLDER, dir_fd=folder)
    try:
        for one in set(os.listdir(inner)) - {"__pycache__"}:  # what Python leaves is nobody's work
            files.update(tree(inner, one, f"{path}/{one}" if path else one))
    finally:
        os.close(inner)
    return files


def try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
