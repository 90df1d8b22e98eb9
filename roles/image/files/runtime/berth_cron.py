# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a task runs: the five fields that Debian's cron knows, or one moment. Pure."""

from __future__ import annotations

import re
import time

from berth_files import Problem

SHORT = ("@annually", "@daily", "@hourly", "@midnight", "@monthly", "@weekly", "@yearly")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# what it is called, lowest, highest, names that count up from the lowest
_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 7, _DAYS),
)
_PART = re.compile(r"(?:(?P<all>\*)|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>[0-9]+))?", re.ASCII)
AT_FORMAT = "%Y-%m-%d %H:%M"


def check_cron(expression: str) -> str:
    """The expression with single blanks between its fields.

    Raises:
        Problem: Debian's cron would not take it, or not as it is meant; says which field and what is allowed.
    """
    fields = expression.split()
    if len(fields) == 1 and fields[0] in SHORT:
        return fields[0]
    if len(fields) != len(_FIELDS):
        raise Problem(
            f"cron expression {expression!r}: allowed are five fields (minute, hour, day of month, month, day of week) "
            f"or one of {', '.join(SHORT)}"
        )
    for text, (name, lowest, highest, names) in zip(fields, _FIELDS):
        if not all(_is_allowed(part, lowest, highest, names) for part in text.split(",")):
            also = f" or {names[0]}-{names[-1]}" if names else ""
            raise Problem(
                f"cron expression {expression!r}: {name} is {text!r}; allowed are *, {lowest}-{highest}{also}, ranges "
                "(a-b), steps (*/n, a-b/n) and lists of them (a,b)"
            )
    return " ".join(fields)


def check_at(text: str) -> str:
    """A moment as ``YYYY-MM-DD HH:MM``.

    Raises:
        Problem: It is none.
    """
    try:
        moment = time.strptime(text, AT_FORMAT)
    except ValueError:
        raise Problem(f"time {text!r}: allowed is YYYY-MM-DD HH:MM, in the container's time zone") from None
    return time.strftime(AT_FORMAT, moment)


def seconds_of(at: str) -> float:
    """The moment as seconds since the epoch, in the time zone of this container."""
    return time.mktime(time.strptime(at, AT_FORMAT))


def cron_of(at: str) -> str:
    """The line that fires at that moment, and each year again: who is run by it must look at the year."""
    moment = time.strptime(at, AT_FORMAT)
    return f"{moment.tm_min} {moment.tm_hour} {moment.tm_mday} {moment.tm_mon} *"


def _is_allowed(part: str, lowest: int, highest: int, names: tuple[str, ...]) -> bool:
    found = _PART.fullmatch(part)
    if not found:
        return False
    step = found["step"]
    if step is not None and (not 0 < int(step) <= highest or not (found["all"] or found["last"])):
        return False  # cron takes no step after a single value
    if found["all"]:
        return True
    ends = [_value(text, lowest, names) for text in (found["first"], found["last"] or found["first"])]
    return all(end is not None and lowest <= end <= highest for end in ends) and ends[0] <= ends[1]  # type: ignore


def _value(text: str, lowest: int, names: tuple[str, ...]) -> int | None:
    if text.lower() in names:
        return names.index(text.lower()) + lowest
    return int(text) if text.isdigit() and len(text) < 3 else None
