# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run ansible-inventory as a user does, and read what it lists; and find what plays in containers need."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from playbooks import BIN

PEERS = Path(__file__).resolve().parents[2] / ".venvs" / "peers"


@dataclass(frozen=True)
class Inventory:
    """What ansible-inventory printed. ``groups`` has the hosts of each group that has any."""

    rc: int
    stdout: str
    stderr: str

    @property
    def _data(self) -> Mapping[str, Any]:
        assert self.rc == 0, self.stdout + self.stderr
        listed: Mapping[str, Any] = json.loads(self.stdout, object_hook=_plain)
        return listed

    @property
    def hosts(self) -> dict[str, dict[str, Any]]:
        """The variables of each host."""
        return dict(self._data["_meta"]["hostvars"])

    @property
    def groups(self) -> dict[str, set[str]]:
        return {name: set(told["hosts"]) for name, told in self._data.items() if "hosts" in told}

    @property
    def warnings(self) -> str:
        """All that was printed beside the list, its lines joined: Ansible breaks them as it likes."""
        return " ".join(self.stderr.split())


def _plain(found: dict[str, Any]) -> Any:
    """Since ansible-core 2.19, ansible-inventory marks each text from a plugin as one that is no template."""
    return found.get("__ansible_unsafe", found)


def write_source(folder: Path, options: Mapping[str, Any], name: str = "fleet.berth.yml") -> Path:
    """An inventory file for the plugin, of JSON, which is YAML as well."""
    path = folder / name
    path.write_text(json.dumps({"plugin": "berth.projects.containers", **options}))
    return path


def run_ansible(
    program: str,
    source: Path,
    *arguments: str,
    programs: Path = BIN,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run one of Ansible's programs on an inventory, from its folder and without the user's ``ansible.cfg``."""
    config = source.parent / "ansible.cfg"
    config.touch()
    return subprocess.run(
        [programs / program, "-i", source, *arguments],
        cwd=source.parent,
        env={**os.environ, "ANSIBLE_CONFIG": str(config), "ANSIBLE_NOCOLOR": "1", **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def list_inventory(
    folder: Path, options: Mapping[str, Any], *, programs: Path = BIN, environment: Mapping[str, str] | None = None
) -> Inventory:
    """What ``ansible-inventory --list`` makes of a file with these options."""
    source = write_source(folder, options)
    done = run_ansible("ansible-inventory", source, "--list", programs=programs, environment=environment)
    return Inventory(done.returncode, done.stdout, done.stderr)


def community_docker() -> Path:
    """What to put into ``ANSIBLE_COLLECTIONS_PATH`` so that community.docker is found; skips where there is none."""
    folders = [*_importable(), *PEERS.glob("lib/python3*/site-packages")]
    for folder in folders:
        if (folder / "ansible_collections" / "community" / "docker").is_dir():
            return folder
    return pytest.skip("the collection community.docker is not there: pip package ansible, in .venv or .venvs/peers")


def _importable() -> list[Path]:
    try:
        found = importlib.util.find_spec("ansible_collections.community.docker")
    except ImportError:
        return []
    return [Path(place).parents[2] for place in found.submodule_search_locations or ()] if found else []
