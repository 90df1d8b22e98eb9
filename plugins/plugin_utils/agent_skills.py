# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Skills: folders of the control node, each with a ``SKILL.md``."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Callable

from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.plugin_utils.schema import Problem

Path = tuple  # of the steps to a place, as in Problem
SkillFile = tuple[str, bytes, bool]
"""Path in the skill's folder, content, and whether it may be run."""

LARGEST = 8 * 1024**2
"""Bytes of one skill's files together: they travel in the module's arguments."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LEFT_OUT = frozenset((".git", ".hg", ".svn", "__pycache__", ".DS_Store"))


def skill_path(entry: str | Mapping[str, Any]) -> str:
    return entry if isinstance(entry, str) else str(entry["path"])


def skill_name(entry: str | Mapping[str, Any]) -> str:
    """A skill is called as its folder is, unless the user gave it a name."""
    given = None if isinstance(entry, str) else entry.get("name")
    return str(given or posixpath.basename(posixpath.normpath(skill_path(entry))))


def skill_problems(place: Path, definition: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with the skills as they are written; their folders are looked at when they are read."""
    names: dict[str, int] = {}
    for index, entry in enumerate(definition.get("skills") or ()):
        name, where = skill_name(entry), (*place, "skills", index)
        if not _NAME.fullmatch(name):
            yield Problem(where, "the folder's name cannot be that of a skill: write {path: …, name: …}")
        elif name in names:
            yield Problem(where, f"the name {name!r} is that of skills[{names[name]}] already: set name")
        names.setdefault(name, index)


def skill_files(entry: str | Mapping[str, Any], search: Callable[[str], str]) -> tuple[SkillFile, ...]:
    """The files of a skill, by path.

    Raises:
        BerthError: There is no such folder, or it is no skill.
    """
    path = skill_path(entry)
    folder = search(path)
    if not os.path.isdir(folder):
        raise BerthError(f"skills: there is no folder {path} on the control node")
    try:
        return _read(folder)
    except OSError as error:
        raise BerthError(f"skills: {error.filename or folder} cannot be read: {error.strerror}") from error


@cache
def _read(folder: str) -> tuple[SkillFile, ...]:
    """Read once for all projects of a process."""
    found: list[SkillFile] = []
    size = 0
    for full in _paths_below(folder, ()):
        if not os.path.isfile(full):
            raise BerthError(f"skills: {full} is no file, or a link that leads nowhere")
        size += os.path.getsize(full)
        if size > LARGEST:
            raise BerthError(f"skills: the files in {folder} are more than {LARGEST // 1024**2} MiB together")
        with open(full, "rb") as file:
            found.append((os.path.relpath(full, folder), file.read(), os.access(full, os.X_OK)))
    if "SKILL.md" not in (path for path, _content, _executable in found):
        raise BerthError(f"skills: {folder} has no SKILL.md, which makes a folder a skill")
    return tuple(found)


def _paths_below(folder: str, above: tuple[tuple[int, int], ...]) -> Iterator[str]:
    """All but the folders in a folder, links followed; ``above`` are the folders that it is in, by device and inode."""
    status = os.stat(folder)
    here = (status.st_dev, status.st_ino)
    if here in above:
        raise BerthError(f"skills: {folder} leads back to a folder that it is in")
    for name in sorted(set(os.listdir(folder)) - _LEFT_OUT):
        path = os.path.join(folder, name)
        if os.path.isdir(path):
            yield from _paths_below(path, (*above, here))
        else:
            yield path
