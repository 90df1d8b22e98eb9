# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many host names in few words: ``web[001-120]``. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

_NUMBERS = re.compile(r"([0-9]+)")
_NO_NUMBER = -1


def host_ranges(hosts: Iterable[str]) -> list[str]:
    """The names, those that differ in one number only put together; in the order of names and numbers.

    Of the numbers in a name, the one that makes the fewest words is taken: ``rack1-web001`` is a ``web`` of a rack or a
    rack of a ``web``.
    """
    names = sorted(set(hosts), key=_natural)
    most = max((len(_NUMBERS.findall(name)) for name in names), default=0)
    tries = [_put_together(names, position) for position in range(most)]
    return min(tries, key=len, default=names)


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Sorts ``web9`` before ``web10``, and ``web09`` beside ``web9``."""
    parts = _NUMBERS.split(name)
    return [(1, int(part), part) if index % 2 else (0, 0, part) for index, part in enumerate(parts)]


def _put_together(names: Sequence[str], position: int) -> list[str]:
    """The names, with the number at this position as ranges."""
    families: dict[tuple[str, str, int], list[str]] = {}
    for name in names:
        parts = _NUMBERS.split(name)
        at = 2 * position + 1
        if at >= len(parts):
            families.setdefault((name, "", _NO_NUMBER), [])
            continue
        before, number, after = "".join(parts[:at]), parts[at], "".join(parts[at + 1 :])
        width = len(number) if len(number) > 1 and number.startswith("0") else 0
        family = (before, after, len(number)) if (before, after, len(number)) in families else (before, after, width)
        families.setdefault(family, []).append(number)
    return [_family(before, after, numbers) for (before, after, _width), numbers in families.items()]


def _family(before: str, after: str, numbers: Sequence[str]) -> str:
    if not numbers:
        return before
    ranges = list(_ranges(numbers))
    inner = ",".join(ranges)
    return f"{before}[{inner}]{after}" if len(numbers) > 1 else f"{before}{inner}{after}"


def _ranges(numbers: Sequence[str]) -> Iterator[str]:
    """``001-003``, ``007`` of sorted numbers."""
    start = end = numbers[0]
    for number in numbers[1:]:
        if int(number) != int(end) + 1:
            yield _range(start, end)
            start = number
        end = number
    yield _range(start, end)


def _range(start: str, end: str) -> str:
    return start if start == end else f"{start}-{end}"
