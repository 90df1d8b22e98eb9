# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Puts a small JSON file in its place in one step, so that neither a reader nor a crash meets half of one."""

from __future__ import annotations

import json
import os
from typing import Any


def write_whole(path: str, data: Any) -> None:
    part = f"{path}.part"
    with open(part, "w", encoding="utf-8") as file:
        json.dump(data, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
