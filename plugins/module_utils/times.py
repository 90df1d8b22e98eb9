# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Times as people read them. Pure."""

from __future__ import annotations

from datetime import datetime


def age(made: datetime, now: datetime) -> str:
    """How long ago a moment is, in its largest unit: ``5 s``, ``12 min``, ``3 h``, ``40 d``."""
    seconds = max(int((now - made).total_seconds()), 0)
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
