# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of bare distributions, for tests that need a machine with nothing on it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

MIRROR = "http://deb.debian.org/debian"


def bare_image(api: Any, suite: str, folder: Path) -> str:
    """The one that the role `image` has left on this engine, else one made by debootstrap."""
    reference = f"berth-rootfs:{suite}"
    if not api.images(reference):
        if not shutil.which("debootstrap"):
            pytest.skip("debootstrap is not installed")
        reference = f"berth-test-rootfs:{suite}"
    if not api.images(reference):
        subprocess.run(["debootstrap", "--variant=minbase", suite, folder, MIRROR], check=True)
        with subprocess.Popen(["tar", "-C", folder, "-c", "."], stdout=subprocess.PIPE) as tar:
            api.import_image_from_stream(tar.stdout, *reference.split(":"))
        shutil.rmtree(folder)
    return reference
