# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Puts a small file in its place in one step, so that neither a reader nor a crash meets half of one."""

from __future__ import annotations

import json
import os
from typing import Any


def write_whole(path: str, data: Any) -> None:
    """As JSON, readable for its owner and whoever the umask lets."""
    write_whole_bytes(path, json.dumps(data).encode())


def write_whole_bytes(path: str, content: bytes, mode: int | None = None) -> None:
    """With this mode; as the umask says, if None."""
    part = f"{path}.part"
    with open(part, "wb") as file:
        file.write(content)
        file.flush()
        if mode is not None:
            os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
    os.replace(part, path)
