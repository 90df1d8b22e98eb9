# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes host state: each file by a rename in its own folder, and last of all what says that it is complete."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress

from ansible_collections.berth.projects.plugins.module_utils.definition import User
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.host_files import read_file
from ansible_collections.berth.projects.plugins.module_utils.host_state import (
    GENERATION,
    HostState,
    WantedFile,
    hash_of,
)

_PART = ".berth-part"


class HostWriter:
    """Shared by the threads of one run.

    Args:
        contents: By SHA-256, what the control node has rendered, in base64.
    """

    def __init__(self, contents: Mapping[str, str]) -> None:
        self._contents = contents

    def write(self, folder: str, state: HostState, differing: Iterable[str], user: User) -> None:
        """Make the files that differ as they should be. The next run finds out what one that was cut off has left.

        Args:
            folder: The project's folder of host state, which is there.
            state: What it should be.
            differing: The paths of the files that are not so.
            user: Who reads them: the agent.

        Raises:
            BerthError: A file cannot be written.
        """
        try:
            for path in differing:
                wanted = state.files.get(path)
                if wanted is None:
                    _remove(folder, path)
                else:
                    _put(folder, path, self._content(wanted), wanted.mode, user)
            _put(folder, GENERATION, state.generation.encode(), state.last_file.mode, user)
        except OSError as error:
            raise BerthError(
                f"Cannot write the host state in {folder}: {error.strerror} ({error.filename})."
            ) from error

    def give(self, folder: str, user: User) -> None:
        """Make all files somebody else's, without a look at what is in them."""
        with suppress(OSError):  # the next run finds out, and does it
            for top, _folders, names in os.walk(folder):
                for name in names:
                    os.chown(os.path.join(top, name), user.uid, user.gid, follow_symlinks=False)

    def _content(self, wanted: WantedFile) -> bytes:
        if wanted.source is None:
            return base64.b64decode(self._contents[wanted.hash])
        content = read_file(wanted.source)
        if hash_of(content) != wanted.hash:
            raise BerthError(f"{wanted.source} has changed just now: run again.")
        return content


def _put(folder: str, path: str, content: bytes, mode: int, user: User) -> None:
    target = os.path.join(folder, path)
    _make_folders(folder, os.path.dirname(path))
    if os.path.isdir(target) and not os.path.islink(target):
        shutil.rmtree(target)
    part = f"{target}{_PART}"
    with suppress(FileNotFoundError):
        os.unlink(part)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        if os.geteuid() == 0:
            os.fchown(descriptor, user.uid, user.gid)
        file.write(content)
        file.flush()
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)
    os.replace(part, target)


def _make_folders(folder: str, path: str) -> None:
    """Folders are root's, and open to all: what is private in them is so by itself."""
    here = folder
    for name in filter(None, path.split("/")):
        here = os.path.join(here, name)
        if not os.path.isdir(here) or os.path.islink(here):
            with suppress(FileNotFoundError):
                os.unlink(here)
            os.mkdir(here)
        os.chmod(here, 0o755)


def _remove(folder: str, path: str) -> None:
    """Remove a file, and the folders that are empty then."""
    with suppress(FileNotFoundError, NotADirectoryError):
        os.unlink(os.path.join(folder, path))
    parent = os.path.dirname(path)
    while parent:
        try:
            os.rmdir(os.path.join(folder, parent))
        except OSError:
            return
        parent = os.path.dirname(parent)
