# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Follows a tar as it streams by and tells whether it is whole. Pure; holds one header at a time.

The engine's own word is not enough: when a file shrinks while it is being read, the engine leaves out that file's end
and every file after it, and ends its answer as if all were well.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator

BLOCK = 512  # bytes; of headers and of padding
_LONGEST_EXTENSION = 1 << 20  # bytes; of what a header cannot hold: long names, capabilities
_WITHOUT_CONTENT = (
    tarfile.LNKTYPE,
    tarfile.SYMTYPE,
    tarfile.CHRTYPE,
    tarfile.BLKTYPE,
    tarfile.DIRTYPE,
    tarfile.FIFOTYPE,
)
_EXTENSIONS = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)


class TarProblem(Exception):
    """The tar is not whole, or holds what it must not. The text ends a sentence that begins with the tar."""


class TarCheck:
    """Give it the tar piece by piece with ``feed``, then call ``finish``. Both raise TarProblem.

    Args:
        root: What each name in it must begin with.
    """

    def __init__(self, root: str) -> None:
        self.entries = 0
        self._root = root
        self._buffer = bytearray()
        self._wanted = BLOCK
        self._skip = 0
        self._extension: tarfile.TarInfo | None = None
        self._overrides: dict[str, str] = {}
        self._end = 0

    def feed(self, piece: bytes) -> None:
        position = 0
        while position < len(piece):
            if self._end:
                self._follow_end(piece[position:])
                return
            if self._skip:
                step = min(self._skip, len(piece) - position)
                self._skip -= step
            else:
                step = min(self._wanted - len(self._buffer), len(piece) - position)
                self._buffer += piece[position : position + step]
                if len(self._buffer) == self._wanted:
                    self._take_block()
            position += step

    def finish(self) -> None:
        """The tar has ended."""
        if self._end < 2 * BLOCK:
            raise TarProblem("ends before its end")

    def _follow_end(self, rest: bytes) -> None:
        if rest.count(0) != len(rest):
            raise TarProblem("goes on after its end")
        self._end += len(rest)

    def _take_block(self) -> None:
        block = bytes(self._buffer)
        self._buffer.clear()
        self._wanted = BLOCK
        if self._extension is not None:
            self._take_extension(self._extension, block)
        elif block.count(0) == BLOCK:
            self._end = BLOCK
        else:
            self._take_header(block)

    def _take_header(self, block: bytes) -> None:
        entry = parse_header(block)
        if entry.type in _EXTENSIONS:
            if not 0 < entry.size <= _LONGEST_EXTENSION:
                raise TarProblem("has a header that is damaged")
            self._extension, self._wanted = entry, padded(entry.size)
            return
        self._check_name(self._overrides.get("path", entry.name))
        if entry.type == tarfile.LNKTYPE:
            self._check_name(self._overrides.get("linkpath", entry.linkname))
        size = _number(self._overrides["size"]) if "size" in self._overrides else entry.size
        self._skip = 0 if entry.type in _WITHOUT_CONTENT else padded(size)
        self._overrides = {}
        self.entries += 1

    def _take_extension(self, extension: tarfile.TarInfo, block: bytes) -> None:
        self._extension = None
        content = block[: extension.size]
        if extension.type == tarfile.XHDTYPE:
            self._overrides.update(_pax_records(content))
        elif extension.type == tarfile.GNUTYPE_LONGNAME:
            self._overrides["path"] = _text(content)
        elif extension.type == tarfile.GNUTYPE_LONGLINK:
            self._overrides["linkpath"] = _text(content)

    def _check_name(self, name: str) -> None:
        parts = name.rstrip("/").split("/")
        if parts[0] != self._root or ".." in parts:
            raise TarProblem("holds a name that leads out of the volume")


def parse_header(block: bytes) -> tarfile.TarInfo:
    """What a header of 512 bytes says.

    Raises:
        TarProblem: It is none, or its checksum does not fit.
    """
    try:
        entry = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise TarProblem("has a header that is damaged") from error
    if entry.size < 0:
        raise TarProblem("has a header that is damaged")
    return entry


def padded(size: int) -> int:
    """A size in bytes, with what fills it up to whole blocks."""
    return -(-size // BLOCK) * BLOCK


def _pax_records(content: bytes) -> Iterator[tuple[str, str]]:
    """The records of an extended header, each ``<length> <key>=<value>`` and a line feed."""
    while content:
        digits, _space, _rest = content[:20].partition(b" ")
        length = _number(digits.decode("ascii", "replace"))
        record, content = content[len(digits) + 1 : length], content[length:]
        key, equals, value = record.partition(b"=")
        if len(digits) + 1 + len(record) != length or not equals or not value.endswith(b"\n"):
            raise TarProblem("has a header that is damaged")
        yield _text(key), _text(value[:-1])


def _number(digits: str) -> int:
    if not digits.isdecimal():
        raise TarProblem("has a header that is damaged")
    return int(digits)


def _text(content: bytes) -> str:
    return content.rstrip(b"\0").decode("utf-8", "surrogateescape")
