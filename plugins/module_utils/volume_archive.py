# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The archive of a project's volumes: one tar, with the tar of each volume in it and a manifest at its end.

``home.tar`` and ``agent.tar`` are just what the engine gave. ``manifest.json`` says whose they are, how long, and what
their checksums are, and has a checksum itself: ``{"manifest": {...}, "sha256": "..."}``. An archive without its
manifest is not finished. Everything is streamed; no more than a piece of it is in memory.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO

from ansible_collections.berth.projects.plugins.module_utils.engine_volumes import CHUNK, ROOT
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.volume_tar import (
    BLOCK,
    TarCheck,
    TarProblem,
    padded,
    parse_header,
)

VERSION = 1
MANIFEST = "manifest.json"
_LONGEST_MANIFEST = 1 << 20  # bytes
_SECTION_NAME = re.compile(r"[a-z]+\.tar")


@dataclass(frozen=True)
class Section:
    """The tar of one volume, without what fills it up. ``size`` in bytes."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What an archive holds.

    Args:
        volumes: The sections by kind of volume, ``home`` and ``agent``.
        created: When it was made, in ISO 8601.
    """

    project: str
    created: str
    volumes: Mapping[str, Section]
    version: int = VERSION

    @property
    def digest(self) -> str:
        """What tells this archive from every other, in 64 hexadecimal digits."""
        return hashlib.sha256(_canonical(asdict(self))).hexdigest()


class ArchiveWriter:
    """An archive in the making. See ``writing``."""

    def __init__(self, file: io.FileIO, path: str) -> None:
        self._file = file
        self._path = path

    def add(self, kind: str, pieces: Iterable[bytes]) -> Section:
        """Write the tar of a volume as it comes.

        Raises:
            TarProblem: It is not whole. Nothing of it is left in the archive.
            BerthError: It cannot be written.
        """
        start = self._file.tell()
        check, checksum, size = TarCheck(ROOT), hashlib.sha256(), 0
        try:
            self._write(bytes(BLOCK))  # the header's place, until the size is known
            for piece in pieces:
                check.feed(piece)
                checksum.update(piece)
                self._write(piece)
                size += len(piece)
            check.finish()
        except TarProblem:
            with _told(self._path):
                self._file.seek(start)
                self._file.truncate()
            raise
        self._write(bytes(padded(size) - size))
        with _told(self._path):
            self._file.seek(start)
            self._write(_header(f"{kind}.tar", size))
            self._file.seek(0, os.SEEK_END)
        return Section(size, checksum.hexdigest())

    def finish(self, manifest: Manifest) -> None:
        content = json.dumps({"manifest": asdict(manifest), "sha256": manifest.digest}, indent=1).encode()
        self._write(_header(MANIFEST, len(content)))
        self._write(content + bytes(padded(len(content)) - len(content) + 2 * BLOCK))

    def _write(self, content: bytes) -> None:
        rest = memoryview(content)
        with _told(self._path):
            while rest:
                rest = rest[self._file.write(rest) :]


@contextmanager
def writing(path: str) -> Iterator[ArchiveWriter]:
    """Make an archive at ``path``, in the place of what is there: it appears when it is whole, or not at all.

    It is readable for its owner alone. What a killed run left beside it is taken away.

    Raises:
        BerthError: It cannot be written.
    """
    part = f"{path}.part"
    with _told(part):
        with suppress(FileNotFoundError):
            os.unlink(part)
        descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb", buffering=0) as file:  # a buffer would meet a full disk once more when it is closed
            yield ArchiveWriter(file, part)
            with _told(part):
                os.fsync(descriptor)
        with _told(path):
            os.rename(part, path)
            _sync_folder(os.path.dirname(path))
    except BaseException:
        with suppress(OSError):
            os.unlink(part)
        raise


def verified(file: BinaryIO, path: str) -> tuple[Manifest, dict[str, int]]:
    """Read an archive from its beginning to its end.

    Returns:
        Its manifest, and by kind of volume where in the file the volume's tar begins.

    Raises:
        BerthError: It is damaged, not finished, of another version, or no archive of ours.
    """
    try:
        return _Reader(file).read()
    except TarProblem as problem:
        raise BerthError(
            f"The archive {path} {problem}. Nothing was changed. Take another copy of it, or another archive."
        ) from problem
    except OSError as error:
        raise BerthError(f"Cannot read {path}: {error.strerror}.") from error


def section_pieces(file: BinaryIO, path: str, start: int, section: Section) -> Iterator[bytes]:
    """The tar of a volume in pieces, from an archive that has been verified.

    Raises:
        BerthError: It is no longer what was verified.
    """
    checksum, left = hashlib.sha256(), section.size
    try:
        file.seek(start)
        while left:
            piece = file.read(min(CHUNK, left))
            if not piece:
                break
            left -= len(piece)
            checksum.update(piece)
            if not left and checksum.hexdigest() != section.sha256:
                break
            yield piece
    except OSError as error:
        raise BerthError(f"Cannot read {path}: {error.strerror}.") from error
    if left or checksum.hexdigest() != section.sha256:
        raise BerthError(
            f"The archive {path} was changed while it was being restored. Restore it again when it is whole."
        )


class _Reader:
    """Goes through an archive once. Raises TarProblem."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._sections: dict[str, Section] = {}
        self._starts: dict[str, int] = {}

    def read(self) -> tuple[Manifest, dict[str, int]]:
        content = b""
        while not content:
            entry = self._entry()
            if entry.name == MANIFEST:
                content = self._content(entry)
            else:
                self._read_section(entry)
        manifest = _manifest_from(content)
        if dict(manifest.volumes) != self._sections:
            raise TarProblem("is damaged: a volume in it is not as its manifest says")
        end = self._file.read(CHUNK)
        if not 2 * BLOCK <= len(end) < CHUNK or end.count(0) != len(end):
            raise TarProblem("is damaged at its end")
        return manifest, self._starts

    def _entry(self) -> tarfile.TarInfo:
        is_first = self._file.tell() == 0
        block = self._file.read(BLOCK)
        if is_first and (len(block) < BLOCK or block.count(0) == BLOCK):
            raise TarProblem("is no archive that module volume has finished")
        if len(block) < BLOCK or block.count(0) == BLOCK:
            raise TarProblem("is cut off: it has no manifest at its end")
        try:
            entry = parse_header(block)
        except TarProblem:
            if is_first:
                raise TarProblem("is no archive of module volume, or is damaged at its beginning") from None
            raise
        known = entry.name == MANIFEST or _SECTION_NAME.fullmatch(entry.name)
        if not known or entry.type != tarfile.REGTYPE:
            raise TarProblem("is no archive of module volume: something else is in it")
        return entry

    def _content(self, entry: tarfile.TarInfo) -> bytes:
        if not 0 < entry.size <= _LONGEST_MANIFEST:
            raise TarProblem("is damaged: its manifest cannot be one")
        content = self._file.read(entry.size)
        if len(content) < entry.size:
            raise TarProblem("is cut off in its manifest")
        self._skip_padding(entry.size)
        return content

    def _read_section(self, entry: tarfile.TarInfo) -> None:
        kind = entry.name.partition(".")[0]
        if kind in self._starts:
            raise TarProblem(f"is damaged: it has two volumes {kind}")
        self._starts[kind] = self._file.tell()
        check, checksum, left = TarCheck(ROOT), hashlib.sha256(), entry.size
        problem = None
        while left:
            piece = self._file.read(min(CHUNK, left))
            if not piece:
                raise TarProblem(f"is cut off in volume {kind}")
            left -= len(piece)
            checksum.update(piece)
            problem = problem or _problem_of(check, piece)
        if problem is None:
            problem = _problem_of(check, None)
        if problem:
            raise TarProblem(f"is damaged: volume {kind} in it {problem}")
        self._skip_padding(entry.size)
        self._sections[kind] = Section(entry.size, checksum.hexdigest())

    def _skip_padding(self, size: int) -> None:
        length = padded(size) - size
        if self._file.read(length) != bytes(length):
            raise TarProblem("is damaged or cut off")


def _problem_of(check: TarCheck, piece: bytes | None) -> str | None:
    try:
        if piece is None:
            check.finish()
        else:
            check.feed(piece)
    except TarProblem as problem:
        return str(problem)
    return None


def _manifest_from(content: bytes) -> Manifest:
    try:
        wrapped = json.loads(content)
        written = wrapped["manifest"]
        if hashlib.sha256(_canonical(written)).hexdigest() != wrapped["sha256"]:
            raise ValueError
        version = written["version"]
        if version == VERSION:
            volumes = {kind: Section(entry["size"], entry["sha256"]) for kind, entry in written["volumes"].items()}
            return Manifest(written["project"], written["created"], volumes)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise TarProblem("is damaged: its manifest is not as it was written") from None
    raise TarProblem(
        f"is of version {version!r}, and this Berth reads version {VERSION}: restore it with a release of Berth that "
        f"writes version {version!r}"
    )


def _canonical(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, sort_keys=True, separators=(",", ":")).encode()


def _header(name: str, size: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o600
    return entry.tobuf(tarfile.GNU_FORMAT)  # one block for names as short as these, and for any size


def _sync_folder(folder: str) -> None:
    """Make sure that a rename in it outlasts a power cut."""
    descriptor = os.open(folder or ".", os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _told(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BerthError(
            f"Cannot write {path}: {error.strerror}. Nothing is left of it. Choose a folder that the user who runs the "
            "module may write to and that has room, with archive."
        ) from error
