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


class NoDebootstrap(Exception):
    """The root file system has to be made, and the program that makes it is not installed."""


def bare_image(api: Any, suite: str, folder: Path) -> str:
    """As ``bare_image_made``, for a test, which is skipped where that cannot be had."""
    try:
        return bare_image_made(api, suite, folder)
    except NoDebootstrap:
        pytest.skip("debootstrap is not installed")


def bare_image_made(api: Any, suite: str, folder: Path) -> str:
    """The one that the role `image` has left on this engine, else one made by debootstrap.

    Raises:
        NoDebootstrap: It is not there, and debootstrap is not installed.
    """
    reference = f"berth-rootfs:{suite}"
    if not api.images(reference):
        reference = f"berth-test-rootfs:{suite}"
    if not api.images(reference):
        if not shutil.which("debootstrap"):
            raise NoDebootstrap("debootstrap is not installed")
        subprocess.run(["debootstrap", "--variant=minbase", suite, folder, MIRROR], check=True)
        with subprocess.Popen(["tar", "-C", folder, "-c", "."], stdout=subprocess.PIPE) as tar:
            api.import_image_from_stream(tar.stdout, *reference.split(":"))
        shutil.rmtree(folder)
    return reference
