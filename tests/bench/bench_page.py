# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables in Markdown, and their place in a page: what stands between two marks is the bench's own."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

BEGIN = "<!-- begin {part}: written by make bench -->"
END = "<!-- end {part} -->"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; the columns after the first are numbers, and stand on the right."""
    lines = [header, ["---", *("---:" for _column in header[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def seconds(runs: Sequence[float] | None) -> str:
    """The median as people read it, a dash where nothing ran: ``0.85 s``, ``62.3 s``."""
    if not runs:
        return "-"
    median = statistics.median(runs)
    return f"{median:.2f} s" if median < 10 else f"{median:.1f} s"


def size(count: float) -> str:
    """Bytes as people read them: ``212 kB``, ``1.4 MB``."""
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"


def with_part(page: str, part: str, text: str) -> str:
    """The page with another text in one of its parts.

    Raises:
        ValueError: The page has no such part.
    """
    begin, end = BEGIN.format(part=part), END.format(part=part)
    before, found, rest = page.partition(begin)
    _old, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"The page has no part {part!r}: it takes the lines {begin} and {end}.")
    return f"{before}{begin}\n{text.strip()}\n{end}{after}"
