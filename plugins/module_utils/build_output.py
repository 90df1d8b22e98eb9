# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the engine tells while it builds an image. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

TAIL = 30


@dataclass(frozen=True)
class BuildOutput:
    """A build's events, read to the end.

    Args:
        lines: What was printed, without colours; of a progress bar only what it showed last.
        image_id: The id that the engine told last; empty when it told none.
        error: What the engine says that failed, empty when nothing did.
        code: The exit status of the command that failed, if that is what did.
    """

    lines: tuple[str, ...]
    image_id: str = ""
    error: str = ""
    code: int | None = None

    @property
    def tail(self) -> str:
        """The last lines, as a text."""
        return "\n".join(self.lines[-TAIL:])


def read_build(events: Iterable[Mapping[str, Any]]) -> BuildOutput:
    """Read the events of a build, as ``POST /build`` sends them: ``stream``, ``aux``, ``error``, ``status``."""
    lines: list[str] = []
    image_id = ""
    for event in events:
        lines += lines_of(str(event.get("stream") or event.get("status") or ""))
        image_id = (event.get("aux") or {}).get("ID") or image_id
        if "error" in event:
            code = (event.get("errorDetail") or {}).get("code")
            return BuildOutput(tuple(lines), error=str(event["error"]), code=code)
    return BuildOutput(tuple(lines), image_id)


def lines_of(text: str) -> list[str]:
    """Lines of output without colours; of a progress bar only what it showed last."""
    plain = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)
    return [line.rstrip().rpartition("\r")[2] for line in plain.split("\n") if line.strip()]
