# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an image of Berth's is made of: everything that the control node knows of it, and its hash."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.names import BASE_REPOSITORY


@dataclass(frozen=True)
class RecipeFile:
    """A file of the build context: its text, and its mode as a number such as 0o755."""

    content: str
    mode: int


@dataclass(frozen=True)
class Recipe:
    """How to make the base image, or that of the proxy.

    The same variables give the same recipe on every control node. What only the host knows (the id of the base, the
    host's certificates) comes in later, see ``content_tag``.

    Args:
        base: ``auto``, an image reference, or ``debootstrap:<suite>``.
        suite: The distribution's suite: that of ``debootstrap:<suite>``, else the one ``auto`` looks for.
        mirror: Where debootstrap gets packages from.
        components: The archive's components debootstrap uses.
        ca: Whether the host's own certificates go in.
        dockerfile: Its text, with the parts that the host decides on.
        repository: What images made of it are called.
        files: The build context by path; the paths ``Dockerfile`` and ``certificates/*`` are added on the host.
    """

    base: str
    suite: str
    mirror: str
    components: tuple[str, ...]
    ca: bool
    dockerfile: str
    files: dict[str, RecipeFile]
    repository: str = BASE_REPOSITORY

    @property
    def latest(self) -> str:
        """The name of the newest of them."""
        return f"{self.repository}:latest"

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, 64 hexadecimal digits."""
        return hashlib.sha256(self.to_wire().encode()).hexdigest()

    def to_wire(self) -> str:
        """The recipe as canonical JSON, for a module's parameter."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_wire(cls, wire: str) -> Recipe:
        """The inverse of ``to_wire``."""
        data: dict[str, Any] = json.loads(wire)
        files = {path: RecipeFile(**entry) for path, entry in data.pop("files").items()}
        return cls(files=files, components=tuple(data.pop("components")), **data)
