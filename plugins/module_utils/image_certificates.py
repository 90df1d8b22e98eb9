# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The certificates that a host's administrator added to those of the distribution."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError

CA_FOLDER = "/usr/local/share/ca-certificates"


@dataclass(frozen=True)
class Certificates:
    """Certificate files by their path below the folder, sorted."""

    files: tuple[tuple[str, bytes], ...] = ()

    @property
    def digest(self) -> str:
        """A hash of names and content; empty when there are none."""
        if not self.files:
            return ""
        digest = hashlib.sha256()
        for name, content in self.files:
            digest.update(f"{len(name)}:{name}:{len(content)}:".encode())
            digest.update(content)
        return digest.hexdigest()


def read_ca_certificates(folder: str = CA_FOLDER) -> Certificates:
    """The ``*.crt`` files that ``update-ca-certificates`` would take, also from folders below.

    Raises:
        BerthError: There are some, and this user may not read them.
    """
    top = Path(folder)
    try:
        found = sorted(path for path in top.rglob("*.crt") if path.is_file())
        return Certificates(tuple((path.relative_to(top).as_posix(), path.read_bytes()) for path in found))
    except OSError as error:
        raise BerthError(
            f"The host's certificates in {folder} cannot be read ({error.strerror}: {error.filename}). "
            "Make them readable, or set berth_image_ca_certificates to false."
        ) from error
