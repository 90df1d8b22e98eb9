# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module ``volume`` without Ansible in between, and volumes whose files a test writes and reads itself."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.connection import CONNECTION_ARGS
from ansible_collections.berth.projects.plugins.module_utils.names import ownership_labels
from ansible_collections.berth.projects.plugins.module_utils.volume_actions import work_on_volumes
from engine_names import Namespace

# A run of the module in a process of its own: it can be killed, and its memory measured.
RUNNER = """
import json, resource, sys
from ansible_collections.berth.projects.plugins.module_utils import engine_volumes, volume_archive
from ansible_collections.berth.projects.plugins.module_utils.volume_actions import work_on_volumes
params, patch = json.loads(sys.argv[1]), sys.argv[2]
exec(patch)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
work_on_volumes(params, False)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@dataclass(frozen=True)
class VolumeHost:
    """A host with its own state folder, and a project on it."""

    api: Any
    namespace: Namespace
    state_dir: Path

    @property
    def project(self) -> str:
        return self.namespace.project()

    def name(self, kind: str = "home") -> str:
        return f"berth-{self.project}-{kind}"

    def params(self, action: str, archive: Path | None = None, **options: Any) -> dict[str, Any]:
        defaults = {name: spec.get("default") for name, spec in CONNECTION_ARGS.items()}
        own = {
            "project": self.project,
            "action": action,
            "volumes": [],
            "archive": str(archive) if archive else None,
            "force": False,
            "scope": self.namespace.scope,
            "state_dir": str(self.state_dir),
            "lock_timeout": 5,
        }
        return {**defaults, **own, **options}

    def run(self, action: str, archive: Path | None = None, check: bool = False, **options: Any) -> dict[str, Any]:
        """What the module returns. A failure is a BerthError."""
        return work_on_volumes(self.params(action, archive, **options), check)

    def run_apart(self, action: str, archive: Path, patch: str = "") -> subprocess.CompletedProcess[str]:
        """The same in another process, after some lines of Python that arrange for a mishap."""
        command = [sys.executable, "-c", RUNNER, json.dumps(self.params(action, archive)), patch]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def make(self, kind: str = "home") -> Path:
        """Make a volume as a project's container does; returns the folder that its files are in."""
        labels = ownership_labels(self.project, self.namespace.scope)
        return Path(self.api.create_volume(self.name(kind), labels=labels)["Mountpoint"])

    def folder(self, kind: str = "home") -> Path:
        return Path(self.api.inspect_volume(self.name(kind))["Mountpoint"])

    def names(self) -> list[str]:
        """The names of the project's volumes and of every container of it, by list calls alone."""
        listed = self.api.volumes(filters={"name": f"berth-{self.project}"})["Volumes"] or []
        containers = self.api.containers(all=True, filters={"name": f"^/berth-{self.project}"})
        return sorted([v["Name"] for v in listed] + [c["Names"][0].lstrip("/") for c in containers])

    def container(self, image: str, name: str, kind: str = "home", start: bool = False) -> str:
        """A container that uses a volume."""
        mounts = [{"Type": "volume", "Source": self.name(kind), "Target": "/data", "VolumeOptions": {"NoCopy": True}}]
        body = {"Image": image, "Entrypoint": ["sleep", "600"], "HostConfig": {"Mounts": mounts, "Init": True}}
        made: str = self.api.create_container_from_config(body, name)["Id"]
        if start:
            self.api.start(made)
        return made


def tree(folder: Path) -> dict[str, Any]:
    """All that a restore is to keep of the files in a folder, by name. Times in whole seconds."""
    first_names: dict[int, str] = {}
    found = {}
    for path in sorted([folder, *_below(folder)]):
        name, status = os.fsencode(os.path.relpath(path, folder)), os.lstat(path)
        linked = first_names.setdefault(status.st_ino, os.fsdecode(name))
        found[os.fsdecode(name)] = {
            "type": stat.S_IFMT(status.st_mode),
            "mode": stat.S_IMODE(status.st_mode),
            "owner": (status.st_uid, status.st_gid),
            "time": int(status.st_mtime),
            "linked": linked,
            "capability": _capability(path),
            "content": _content(path, status.st_mode),
        }
    return found


def _below(folder: Path) -> list[Path]:
    return [Path(where, name) for where, folders, files in os.walk(folder) for name in [*folders, *files]]


def _capability(path: Path) -> bytes | None:
    with suppress(OSError):
        return os.getxattr(path, "security.capability", follow_symlinks=False)
    return None


def _content(path: Path, mode: int) -> str | bytes | None:
    readers: Mapping[int, Callable[[Path], str | bytes]] = {stat.S_IFLNK: os.readlink, stat.S_IFREG: Path.read_bytes}
    reader = readers.get(stat.S_IFMT(mode))
    return reader(path) if reader else None
