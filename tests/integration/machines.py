# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers that stand for machines: what lets an engine run in one, and how files get into it."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Mapping
from typing import Any

# All that --privileged gives but SYS_RESOURCE, which a container of a container may not have.
CAPABILITIES = (
    "AUDIT_CONTROL AUDIT_READ BLOCK_SUSPEND DAC_READ_SEARCH IPC_LOCK IPC_OWNER LEASE LINUX_IMMUTABLE MAC_ADMIN "
    "MAC_OVERRIDE NET_ADMIN NET_BROADCAST SYS_ADMIN SYS_BOOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO "
    "SYS_TIME SYS_TTY_CONFIG SYSLOG WAKE_ALARM"
)
# overlay2 does not work on overlay2: the inner engine's files have to be on a volume.
ENGINE_FOLDER = "/var/lib/docker"
# For the container's first process: the engine wants to write to both.
MAKE_WRITABLE = """
mount -o remount,rw /proc/sys || true
mount -o remount,rw /sys || true
"""


def machine_settings(**more: Any) -> dict[str, Any]:
    """The ``HostConfig`` of a container in which an engine can run. It also needs a volume on ``ENGINE_FOLDER``."""
    return {
        "CapAdd": CAPABILITIES.split(),
        "SecurityOpt": ["seccomp=unconfined", "apparmor=unconfined"],
        "MaskedPaths": [],
        "ReadonlyPaths": [],
        "CgroupnsMode": "host",
        "Binds": ["/sys/fs/cgroup:/sys/fs/cgroup:rw"],
        "Tmpfs": {"/run": "", "/run/lock": ""},
        **more,
    }


def put_files(
    api: Any, container: str, folder: str, files: Mapping[str, bytes], *, mode: int = 0o755, owner: int = 0
) -> None:
    """Write files to a folder that is there in a container, which need not run."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for member, content in _members(files, mode, owner):
            tar.addfile(member, io.BytesIO(content))
    api.put_archive(container, folder, archive.getvalue())


def _members(files: Mapping[str, bytes], mode: int, owner: int) -> Iterable[tuple[tarfile.TarInfo, bytes]]:
    for name, content in files.items():
        member = tarfile.TarInfo(name)
        member.size, member.mode, member.uid, member.gid = len(content), mode, owner, owner
        yield member, content
