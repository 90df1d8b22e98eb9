# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads host state, and the host's own files that go into it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from ansible_collections.berth.projects.plugins.module_utils.definition import Definition, is_within, overlap
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.host_state import (
    Copy,
    FoundFile,
    HostState,
    WantedFile,
    hash_of,
)

_LARGEST_COPY = 1024 * 1024  # bytes: what is larger is no key and no configuration


def read_host_state(folder: str) -> dict[str, FoundFile]:
    """The files in a project's folder of host state, by their path in it; nothing where there is no folder.

    Raises:
        BerthError: It cannot be read, as when another user's run has written it.
    """
    try:
        return dict(_read_below(folder, ""))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise BerthError(
            f"Cannot read {error.filename}: {error.strerror}. Run as the user that made it, or as root (become)."
        ) from error


def _read_below(folder: str, prefix: str) -> Iterator[tuple[str, FoundFile]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            path = f"{prefix}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from _read_below(entry.path, f"{path}/")
                continue
            status = entry.stat(follow_symlinks=False)
            content = read_file(entry.path) if entry.is_file(follow_symlinks=False) else None
            digest = "" if content is None else hash_of(content)
            yield path, FoundFile(digest, stat.S_IMODE(status.st_mode), status.st_uid)


def read_file(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def real_paths(paths: Iterable[str]) -> list[str]:
    """The paths with all links followed."""
    return [os.path.realpath(path) for path in paths]


def with_copies(state: HostState, exposed: Sequence[str] = ()) -> tuple[HostState, list[str]]:
    """The state with the files that its copies mean on this host, and why others cannot be copied.

    Args:
        state: What has the copies.
        exposed: The real paths of folders that agents may write to: what comes from there could be a link to anything.
    """
    if not state.copies:
        return state, []
    copied = [_copied(copy, exposed) for copy in state.copies]
    files = {path: file for found in copied if not isinstance(found, str) for path, file in found.items()}
    return replace(state, files={**state.files, **files}), [found for found in copied if isinstance(found, str)]


def _copied(copy: Copy, exposed: Sequence[str]) -> Mapping[str, WantedFile] | str:
    real = os.path.realpath(copy.source)
    if any(overlap(real, folder) for folder in exposed):
        return f"{copy.source}: leads to where an agent may write, which could put anything there. Keep it elsewhere."
    try:
        return _files_of(copy)
    except BerthError as error:
        return error.msg


def write_problem(definition: Definition) -> str | None:
    """Why this user cannot write files that are the agent's alone; None where it can."""
    me, user = os.geteuid(), definition.user
    if not definition.host_state.files or me == 0 or user is None or user.uid == me:
        return None
    return (
        f"The agent has uid {user.uid}, and this run is made as uid {me}, which cannot write files that only the agent "
        f"may read. Run as root (become), or declare user: {{uid: {me}}}."
    )


def _files_of(copy: Copy) -> Mapping[str, WantedFile]:
    if not os.path.isdir(copy.source):
        if copy.optional:
            return {}
        raise BerthError(f"{copy.source}: is no folder on this host. It is to be copied for the agent.")
    names = sorted({*_names_in(copy.source)} - {*copy.but}) if copy.only is None else copy.only
    files = {}
    for name in names:
        path = os.path.join(copy.source, name)
        content = _content(path, copy)
        if content is not None:
            files[f"{copy.target}/{name}"] = WantedFile(hash_of(content), copy.aspect, source=path)
    return files


def _names_in(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError as error:
        raise BerthError(f"{folder}: cannot be read ({error.strerror}). It is to be copied for the agent.") from error


def _content(path: str, copy: Copy) -> bytes | None:
    """What is in a file that is to be copied; None for what is none (a socket), if not asked for by name."""
    is_named = copy.only is not None and not copy.optional
    if not os.path.isfile(path):
        if is_named:
            raise BerthError(f"{path}: is no file on this host. It is to be copied for the agent.")
        return None
    if not is_within(os.path.realpath(path), os.path.realpath(copy.source)):
        raise BerthError(f"{path}: is a link that leads out of {copy.source}. Only files in there are copied.")
    try:
        if os.path.getsize(path) > _LARGEST_COPY:
            raise BerthError(f"{path}: is larger than 1 MiB, which no key and no configuration is.")
        return read_file(path)
    except OSError as error:
        raise BerthError(f"{path}: cannot be read ({error.strerror}). It is to be copied for the agent.") from error
