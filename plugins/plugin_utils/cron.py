# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When scheduled tasks run: checks what Debian's cron takes, as in crontab(5). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

NICKNAMES = ("@hourly", "@daily", "@weekly", "@monthly", "@yearly")
AT_FORMAT = "%Y-%m-%d %H:%M"

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    ("day of the week", 0, 7, {name: number for number, name in enumerate(_DAYS)}),
)
_PART = re.compile(r"(?P<first>\*|\w+)(-(?P<last>\w+))?(/(?P<step>\d+))?", re.ASCII)


def cron_problem(text: str) -> str | None:
    """What is wrong with a cron expression; None if nothing is."""
    if text.startswith("@"):
        return None if text in NICKNAMES else f"must be one of {', '.join(NICKNAMES)}, or have five fields"
    fields = text.split()
    if len(fields) != len(_FIELDS) or set("\r\n") & set(text):
        return "must have five fields in one line: minute, hour, day of the month, month, day of the week"
    return next(_field_problems(fields), None)


def at_problem(text: str) -> str | None:
    """What is wrong with the time of a one-time task. One that is over is right: the task was done then."""
    try:
        moment = datetime.strptime(text, AT_FORMAT)
    except ValueError:
        return 'must be a time as "2026-01-31 18:00"'
    return None if moment.strftime(AT_FORMAT) == text else 'must be a time as "2026-01-31 18:00"'


def _field_problems(fields: list[str]) -> Iterator[str]:
    for field, (name, least, most, names) in zip(fields, _FIELDS):
        if not all(_is_right(part, least, most, names) for part in field.split(",")):
            words = f", or {' to '.join([*names][:: len(names) - 1])}" if names else ""
            yield (
                f"the {name} must be from {least} to {most}{words}: a number, a range (a-b), *, either of these two "
                "with a step (*/n), or a list of such with commas"
            )


def _is_right(part: str, least: int, most: int, names: dict[str, int]) -> bool:
    match = _PART.fullmatch(part)
    if not match:
        return False
    first, last, step = match.group("first", "last", "step")
    if step is not None and (not 0 < int(step) <= most or (first != "*" and last is None)):
        return False  # cron takes no step after a single number
    if first == "*":
        return last is None
    numbers = [_number(word, names) for word in (first, last) if word is not None]
    return all(number is not None and least <= number <= most for number in numbers) and (
        last is None or int(numbers[0] or 0) <= int(numbers[1] or 0)
    )


def _number(word: str, names: dict[str, int]) -> int | None:
    return int(word) if word.isdigit() and len(word) < 3 else names.get(word.lower())
