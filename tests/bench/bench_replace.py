# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A replace, against the engine calls that it is made of: stop, commit, rename, create, start, ready, remove.

Both without Ansible, whose share is that of any play. The layer is written anew before each, so nothing is shared.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

from bench_scene import PREFIX
from engine_names import Namespace, engine_client, remove_everything
from host import TestHost
from rows import ROUNDS, Row, Target, timed
from tiny_image import build_tiny_image

STOP_TIMEOUT = 3  # seconds, on both sides


def replacing(mebibytes: int) -> Row:
    """Replace a container with a layer of that size."""
    api = engine_client()
    namespace = Namespace(f"{PREFIX}-replace{mebibytes}")
    remove_everything(api, namespace)
    with tempfile.TemporaryDirectory() as name:
        subject = _Subject(TestHost(api, Path(name), namespace.scope, build_tiny_image(api)), namespace.project())
        try:
            rounds = [subject.round(mebibytes) for _round in range(ROUNDS + 1)][1:]  # the first warms the caches
        finally:
            remove_everything(api, namespace)
            api.close()
    seconds, against, disk = zip(*rounds)
    note = f" (disk: {max(disk) / 1024**2:.0f} MiB more at its end)" if mebibytes else ""
    work = f"replace with a layer of {mebibytes} MiB, against the bare engine calls"
    return Row(work, seconds, against, Target(1.3), note)


class _Subject:
    """One project, replaced in turns by Berth and by hand."""

    def __init__(self, host: TestHost, project: str) -> None:
        self._host, self._api = host, host.api
        self._project = {"name": project, "snapshot": {"keep": 1}, "runtime": "runc"}
        self._own = Namespace(project)
        self._name = f"berth-{project}"
        self._round = 0

    def round(self, mebibytes: int) -> tuple[float, float, int]:
        """Seconds by Berth and by hand, and the bytes of disk that Berth's has taken; each on a fresh container."""
        self._begin(mebibytes)
        free = self._free()
        berth = timed(self._by_berth)
        used = free - self._free()
        self._begin(mebibytes)
        return berth, timed(self._by_hand), used

    def _begin(self, mebibytes: int) -> None:
        remove_everything(self._api, self._own)
        self._provision()
        command = f"dd if=/dev/urandom of=/big bs=1M count={mebibytes} 2>/dev/null; sync"
        self._host.run(self._own.prefix, "sh", "-c", command, user="root")

    def _by_berth(self) -> None:
        self._round += 1
        self._provision()

    def _provision(self) -> None:
        result = self._host.provision({**self._project, "env": {"ROUND": str(self._round)}}, stop_timeout=STOP_TIMEOUT)
        if result.raw.get("failed"):
            sys.exit(result.raw["msg"])

    def _by_hand(self) -> None:
        old = self._api.inspect_container(self._name)
        self._api.stop(old["Id"], timeout=STOP_TIMEOUT)
        image = self._api.commit(old["Id"], f"berth/{self._own.prefix}", "by-hand")
        self._api.rename(old["Id"], f"{self._name}.aside")
        config = old["Config"]
        body: dict[str, Any] = {
            "Image": image["Id"],
            "Env": config["Env"],
            "Labels": config["Labels"],
            "HostConfig": old["HostConfig"],
        }
        made = self._api.create_container_from_config(body, self._name)
        self._api.start(made["Id"])
        self._host.wait_until_ready(made["Id"])
        self._api.remove_container(old["Id"])

    def _free(self) -> int:
        """Bytes free on the engine's disk, once it has settled: it removes layers a moment after it says so."""
        root = self._api.info()["DockerRootDir"]
        last, deadline = -1, time.monotonic() + 5
        while time.monotonic() < deadline:
            os.sync()
            status = os.statvfs(root)
            free = status.f_bavail * status.f_frsize
            if free == last:
                break
            last = free
            time.sleep(0.2)
        return last
