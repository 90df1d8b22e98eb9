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
class Row:
    """Seconds of each run, and of the runs it is held against in the same rounds; ``note`` is for people."""

    work: str
    seconds: Sequence[float]
    against: Sequence[float]
    target: float
    note: str = ""

    def __str__(self) -> str:
        ratio = statistics.median(one / other for one, other in zip(self.seconds, self.against))
        verdict = "met" if ratio <= self.target else "missed"
        seconds, against = (f"{statistics.median(runs):.2f} s" for runs in (self.seconds, self.against))
        return f"| {self.work}{self.note} | {seconds} | {against} | {ratio:.2f} | ≤ {self.target} {verdict} |"


def timed(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
