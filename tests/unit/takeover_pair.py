# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host state and a home in two folders, for tests of the take-over between them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.berth.projects.tests.unit.runtime_programs import program

berth_home = program("berth_home")
berth_takeover = program("berth_takeover")

ENTRIES: list[dict[str, Any]] = [
    {"kind": "block", "source": "instructions.md", "target": ".claude/CLAUDE.md", "comment": ["<!-- ", " -->"]},
    {"kind": "keys", "source": "mcp.json", "target": ".claude.json", "key": "mcpServers"},
    {"kind": "folders", "source": "skills", "target": ".claude/skills"},
    {"kind": "seed", "source": "seed", "target": ".claude"},
    {"kind": "files", "source": "ssh", "target": ".ssh"},
    {"kind": "block", "source": "known_hosts", "target": ".ssh/known_hosts", "comment": ["# ", ""]},
]
FIRST = {
    "instructions.md": "Be brief.\n",
    "mcp.json": '{"mcpServers": {"one": {"command": "1"}, "two": {}}}',
    "skills/review/SKILL.md": "review",
    "skills/review/bin/run": "#!/bin/sh\n",
    "skills/write/SKILL.md": "write",
    "seed/.credentials.json": "login",
    "ssh/id_a": "private",
    "ssh/id_a.pub": "public",
    "ssh/more/config": "config",
    "known_hosts": "example.org ssh-ed25519 A\n",
}
SECOND = {
    **{path: text for path, text in FIRST.items() if not path.startswith(("skills/write", "ssh/more"))},
    "instructions.md": "Be exact.\n",
    "mcp.json": '{"mcpServers": {"one": {"command": "2"}, "three": {}}}',
    "skills/review/SKILL.md": "review well",
    "ssh/id_a": "another",
    "ssh/id_b": "b",
}


@dataclass(frozen=True)
class Pair:
    host_state: Path
    home: Path

    def declare(self, files: dict[str, str], entries: list[dict[str, Any]] | None = None) -> str:
        """Write host state as the module does; returns its generation."""
        shown = ENTRIES if entries is None else entries
        entries = [{"aspect": "x", **entry} for entry in shown]
        content = {**files, "manifest.json": json.dumps({"version": 1, "take": entries})}
        if not files:
            content = {}
        for path in sorted(self.host_state.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        for path, text in content.items():
            (self.host_state / path).parent.mkdir(parents=True, exist_ok=True)
            (self.host_state / path).write_text(text)
            (self.host_state / path).chmod(0o500 if "/bin/" in path else 0o400)
        generation = hashlib.sha256(json.dumps(content).encode()).hexdigest() if files else "empty"
        (self.host_state / "generation").write_text(generation)
        return generation

    def take_over(self) -> int:
        status: int = berth_takeover.take_over(berth_home.Home(str(self.home)), self.host_state)
        return status

    def tree(self) -> dict[str, str]:
        """The home without what Berth remembers: contents by path."""
        found = {path: path.relative_to(self.home) for path in self.home.rglob("*") if path.is_file()}
        return {str(name): path.read_text() for path, name in sorted(found.items()) if ".local" not in name.parts}

    def mode(self, path: str) -> int:
        return (self.home / path).stat().st_mode & 0o777

    def put(self, path: str, text: str) -> Path:
        (self.home / path).parent.mkdir(parents=True, exist_ok=True)
        (self.home / path).write_text(text)
        return self.home / path


def make_pair(folder: Path) -> Pair:
    pair = Pair(folder / "berth", folder / "home")
    pair.host_state.mkdir()
    pair.home.mkdir()
    return pair
