# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A block of lines that Berth manages in a file of somebody else's. Pure."""

from __future__ import annotations

from dataclasses import dataclass

_BEGIN = "BEGIN berth (managed: edits in here are lost)"
_END = "END berth"


@dataclass(frozen=True)
class Markers:
    """The lines around a block, as comments of the file's kind: ``Markers("# ")``, ``Markers("<!-- ", " -->")``."""

    opening: str
    closing: str = ""

    @property
    def begin(self) -> bytes:
        return f"{self.opening}{_BEGIN}{self.closing}".encode()

    @property
    def end(self) -> bytes:
        return f"{self.opening}{_END}{self.closing}".encode()

    def are_in(self, text: bytes) -> bool:
        return any(self.kind_of(line) for line in text.split(b"\n"))

    def kind_of(self, line: bytes) -> str:
        """``begin``, ``end`` or nothing; blanks around a marker are an editor's."""
        return {self.begin.strip(): "begin", self.end.strip(): "end"}.get(line.strip(), "")


@dataclass(frozen=True)
class Found:
    """A file taken apart.

    Args:
        rest: All lines but the block, each with its end, as they stand.
        place: Where in ``rest`` the block was; None where there was none.
        damaged: Whether a marker had no partner. What it may have enclosed is in ``rest`` then: it is not lost.
    """

    rest: list[bytes]
    place: int | None
    damaged: bool


def find_block(content: bytes, markers: Markers) -> Found:
    rest: list[bytes] = []
    inside: list[bytes] | None = None
    place: int | None = None
    damaged = False
    for line in _lines(content):
        kind = markers.kind_of(line)
        if kind == "begin":
            damaged |= inside is not None
            rest += inside or []
            inside = []
        elif kind == "end" and inside is not None:
            place = len(rest) if place is None else place
            inside = None
        elif kind == "end":
            damaged = True
        else:
            (rest if inside is None else inside).append(line)
    return Found(rest + (inside or []), place, damaged or inside is not None)


def with_block(content: bytes | None, text: bytes, markers: Markers) -> bytes | None:
    """The file with the block in its place, or at the top, where it cannot touch what others wrote.

    Args:
        content: What stands in the file; None where there is none.
        text: The block's text; none for no block.

    Returns:
        None if the file should go: nothing but the block was in it.
    """
    found = find_block(content or b"", markers)
    if not text.strip():
        had_block = found.place is not None or found.damaged
        return None if content is None or (had_block and not found.rest) else b"".join(found.rest)
    if not text.endswith(b"\n"):
        text += b"\n"
    place = found.place or 0
    block = [markers.begin + b"\n", text, markers.end + b"\n"]
    return b"".join([*found.rest[:place], *block, *found.rest[place:]])


def _lines(content: bytes) -> list[bytes]:
    lines = [line + b"\n" for line in content.split(b"\n")]
    return [*lines[:-1], lines[-1][:-1]] if lines[-1] != b"\n" else lines[:-1]
