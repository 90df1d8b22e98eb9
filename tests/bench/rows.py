# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of the bench table: runs in turns, so that what else the machine does weighs on both sides."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

ROUNDS = 5


@dataclass(frozen=True)
class Target:
    """What a ratio should be: at the most ``limit``, or as a speed-up (the other's time by Berth's) at the least."""

    limit: float
    is_speedup: bool = False

    def __str__(self) -> str:
        return f"≥ {self.limit:g} times faster" if self.is_speedup else f"≤ {self.limit:g}"


@dataclass(frozen=True)
class Row:
    """Berth's seconds of each run, and those of what it is held against.

    Args:
        seconds: Of Berth's runs.
        against: Of the others; where there are as many, the same place means the same round.
        target: What the ratio should be; None where nothing is asked.
        note: For people, after the work.
    """

    work: str
    seconds: Sequence[float]
    against: Sequence[float]
    target: Target | None = None
    note: str = ""

    @property
    def ratio(self) -> float:
        """Berth's time by the other's: the median of the rounds where both ran in turns, else of the medians."""
        if len(self.seconds) == len(self.against):
            return statistics.median(one / other for one, other in zip(self.seconds, self.against))
        return statistics.median(self.seconds) / statistics.median(self.against)

    @property
    def is_met(self) -> bool:
        if self.target is None:
            return True
        return 1 / self.ratio >= self.target.limit if self.target.is_speedup else self.ratio <= self.target.limit

    @property
    def shown_ratio(self) -> str:
        if self.target and self.target.is_speedup:
            return f"{1 / self.ratio:.1f} times faster"
        return f"{self.ratio:.2f}"

    def cells(self) -> list[str]:
        seconds, against = (f"{statistics.median(runs):.2f} s" for runs in (self.seconds, self.against))
        verdict = f"{self.target} {'met' if self.is_met else '**missed**'}" if self.target else ""
        return [f"{self.work}{self.note}", seconds, against, self.shown_ratio, verdict]

    def __str__(self) -> str:
        return f"| {' | '.join(self.cells())} |"


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
