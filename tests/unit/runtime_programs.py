# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Python programs that run in a container, imported from the role that puts them there."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

RUNTIME = Path(__file__).resolve().parents[2] / "roles" / "image" / "files" / "runtime"


def program(name: str) -> ModuleType:
    """One of them, without leaving compiled files in the role's folder: they would go into images."""
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    if str(RUNTIME) not in sys.path:
        sys.path.append(str(RUNTIME))
    try:
        return importlib.import_module(name)
    finally:
        sys.dont_write_bytecode = writes
