# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fingerprints: what a container was made from, in a label that tells nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Union

Scalar = Union[str, int, bool, None]
Values = Mapping[str, Scalar]
"""What an aspect compares: a flat map, so that order cannot matter and a difference has a name."""

VERSION = "1"
"""Raised whenever the same definition would give other values. Containers of another version are compared with what
the engine says of them and not by their labels."""


def canonical(data: Any) -> bytes:
    """Canonical JSON: keys sorted, no spaces, UTF-8."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def fingerprint(values: Values) -> str:
    """SHA-256 over the canonical JSON, in hex."""
    return hashlib.sha256(canonical(values)).hexdigest()


def short_hash(value: Scalar) -> str:
    """Stands for a value that is not to be shown: tells whether two differ, and no more."""
    return "#" + hashlib.sha256(canonical(value)).hexdigest()[:8]
