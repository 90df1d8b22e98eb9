# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Host state: the files that Berth keeps for a project on its host, and the container sees at ``/etc/berth``. Pure.

``docs/host-state.md`` says what they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.fingerprint import Values

GENERATION = "generation"
EMPTY = "empty"
"""The generation of a state without files. One that was never written counts as empty, too."""
UNFINISHED = "unfinished"
"""What a container has taken over where a take-over has failed: no generation, not even the one before."""

_READ_BY_ALL = 0o004
_PRIVATE_ASPECTS = frozenset(("auth", "credentials", "mcp_servers", "secrets"))


@dataclass(frozen=True)
class WantedFile:
    """One file of host state as it should be.

    Args:
        hash: SHA-256 of its content, in hexadecimal.
        aspect: What of the definition it comes from.
        source: The file on the host that it is a copy of; None where the control node has its content.
        public: Whether all in the container may read it: git ends with an error for whoever may not.
    """

    hash: str
    aspect: str
    executable: bool = False
    source: str | None = None
    public: bool = False

    @property
    def mode(self) -> int:
        return 0o444 if self.public else 0o500 if self.executable else 0o400


@dataclass(frozen=True)
class FoundFile:
    """One file of host state as it is; ``hash`` is empty for what is no regular file, and so is to go."""

    hash: str
    mode: int
    uid: int


@dataclass(frozen=True)
class Copy:
    """Files of the host that become files of host state.

    Args:
        source: An absolute folder of the host.
        target: The folder of host state.
        only: Names of the files; all that the folder has if None.
        but: Names that are left out of all.
        optional: Whether what is missing there is no error.
    """

    source: str
    target: str
    aspect: str
    only: tuple[str, ...] | None = None
    optional: bool = False
    but: tuple[str, ...] = ()


@dataclass(frozen=True)
class HostState:
    """What a project's host state should be. ``files`` by their path in its folder, without ``generation``."""

    files: Mapping[str, WantedFile] = field(default_factory=dict)
    copies: tuple[Copy, ...] = ()

    @property
    def generation(self) -> str:
        """What tells this state from any other."""
        if not self.files:
            return EMPTY
        content = [[path, one.hash, one.mode] for path, one in sorted(self.files.items())]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    @property
    def last_file(self) -> WantedFile:
        """``generation`` as a file. An empty one outlasts its agent, and another may come: there is no secret in it."""
        return WantedFile(hash_of(self.generation.encode()), "", public=not self.files)


def host_state_from(entry: Mapping[str, Any] | None) -> HostState:
    """Read what the control node says of one project: ``{"files": {path: {…}}, "copies": [{…}]}``."""
    entry = entry or {}
    files = {path: WantedFile(**one) for path, one in (entry.get("files") or {}).items()}
    return HostState(files, tuple(_copy(one) for one in entry.get("copies") or ()))


def _copy(entry: Mapping[str, Any]) -> Copy:
    only = entry["only"]
    return Copy(
        source=entry["source"],
        target=entry["target"],
        aspect=entry["aspect"],
        only=None if only is None else tuple(only),
        optional=entry["optional"],
        but=tuple(entry["but"]),
    )


def differing_files(wanted: HostState, uid: int, found: Mapping[str, FoundFile]) -> list[str]:
    """The paths of the files to be written or removed, ``generation`` not among them."""
    known = {path for path in found if path != GENERATION}
    return sorted(
        path for path in {*wanted.files, *known} if not _is_as_wanted(wanted.files.get(path), uid, found.get(path))
    )


def is_generation_current(wanted: HostState, uid: int | None, found: Mapping[str, FoundFile]) -> bool:
    """Whether the file that is written last is there, so that none of the others is still to be looked for.

    Args:
        uid: The agent's, who has to be able to read it; None where there is no agent any more.
    """
    there = found.get(GENERATION)
    if not wanted.files and there is None:
        return True
    if not wanted.files and there and there.hash == hash_of(EMPTY.encode()):
        return uid is None or there.uid == uid or bool(there.mode & _READ_BY_ALL)
    return uid is not None and _is_as_wanted(wanted.last_file, uid, there)


def differences_by_aspect(
    wanted: HostState, paths: Iterable[str], found: Mapping[str, FoundFile]
) -> dict[str, tuple[Values, Values]]:
    """For people: by aspect, what the files are now and what they will be; of private ones only that they change."""
    told: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
    for path in paths:
        there, to_be = found.get(path), wanted.files.get(path)
        aspect = to_be.aspect if to_be else "host state"
        is_private = to_be is None or aspect in _PRIVATE_ASPECTS
        before, after = told.setdefault(aspect, ({}, {}))
        before[path] = None if there is None else "there" if is_private else there.hash[:12]
        after[path] = None if to_be is None else "changed" if is_private else to_be.hash[:12]
    return dict(told)


def hash_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _is_as_wanted(wanted: WantedFile | None, uid: int, found: FoundFile | None) -> bool:
    if wanted is None or found is None:
        return wanted is None and found is None
    return found == FoundFile(wanted.hash, wanted.mode, uid)
