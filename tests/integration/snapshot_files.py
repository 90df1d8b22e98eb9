# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is in a snapshot, read from the engine without starting anything."""

from __future__ import annotations

import io
import tarfile
from typing import Any


def read_snapshot(api: Any, reference: str, path: str) -> str:
    """The text of a file in a snapshot's image."""
    made = api.create_container(reference)["Id"]
    try:
        content = b"".join(api.get_archive(made, path)[0])
    finally:
        api.remove_container(made)
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        file = tar.extractfile(tar.next())
        return file.read().decode()
