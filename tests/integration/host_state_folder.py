# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Host state for a container by hand: a folder as the module leaves it on a host."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

UID = 1000


class HostState:
    """The folder; ``bind`` mounts it. Every file is the agent's, and for it alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        path.chmod(0o755)

    @property
    def bind(self) -> str:
        return f"{self.path}:/etc/berth:ro"

    def declare(self, files: Mapping[str, str], take: list[dict[str, Any]] | None = None) -> str:
        """Make the folder hold these files; a manifest comes from ``take``, the generation is written last."""
        content = dict(files)
        if take is not None:
            entries = [{"aspect": "test", **entry} for entry in take]
            content["manifest.json"] = json.dumps({"version": 1, "take": entries})
        for there in sorted(self.path.rglob("*"), reverse=True):
            there.rmdir() if there.is_dir() else there.unlink()
        for name, text in content.items():
            self._write(name, text)
        generation = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        self._write("generation", generation)
        return generation

    def _write(self, name: str, text: str) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o500 if text.startswith("#!") else 0o400)
        os.chown(path, UID, UID)
