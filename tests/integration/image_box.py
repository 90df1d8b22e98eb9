# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A throw-away container of an image that keeps the contract, for tests of what runs in it."""

from __future__ import annotations

import io
import tarfile
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

READY = "berth: ready"


@dataclass(frozen=True)
class Put:
    """A file, or with ``target`` a symlink, or with a path that ends in ``/`` a folder, to put in before the start."""

    path: str
    text: str = ""
    uid: int = 0
    gid: int = 0
    mode: int = 0o755
    target: str = ""


class Box:
    """A created container; ``start`` it. ``volumes`` are made for it alone and go with it."""

    def __init__(
        self,
        api: Any,
        image: str,
        *,
        env: Mapping[str, str] | None = None,
        volumes: Sequence[str] = (),
        binds: Sequence[str] = (),
        put: Sequence[Put] = (),
        command: Sequence[str] | None = None,
    ) -> None:
        self.api = api
        name = f"berth-test-{uuid.uuid4().hex[:12]}"
        self.volumes = [f"{name}-{index}" for index in range(len(volumes))]
        mounts = [f"{volume}:{target}" for volume, target in zip(self.volumes, volumes)]
        self.id = api.create_container(
            image,
            name=name,
            command=list(command) if command else None,
            environment=dict(env or {}),
            host_config=api.create_host_config(init=True, binds=[*mounts, *binds]),
        )["Id"]
        self.put(put)

    def put(self, entries: Sequence[Put]) -> None:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for one in entries:
                entry = tarfile.TarInfo(one.path.strip("/"))
                entry.uid, entry.gid, entry.mode = one.uid, one.gid, one.mode
                entry.type = tarfile.DIRTYPE if one.path.endswith("/") else tarfile.REGTYPE
                if one.target:
                    entry.type, entry.linkname = tarfile.SYMTYPE, one.target
                entry.size = len(one.text.encode())
                tar.addfile(entry, io.BytesIO(one.text.encode()))
        self.api.put_archive(self.id, "/", buffer.getvalue())

    def start(self, seconds: float = 30) -> list[str]:
        """Start it and wait until it is ready or has ended; returns what this start printed."""
        before = len(self.lines())
        self.api.start(self.id)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            running = self.state()["Running"]
            lines = self.lines()[before:]
            if READY in lines or not running:
                return lines
            time.sleep(0.02)
        raise AssertionError(f"neither ready nor ended after {seconds} s: {self.lines()}")

    def lines(self) -> list[str]:
        text: str = self.api.logs(self.id).decode()
        return text.splitlines()

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = self.api.inspect_container(self.id)["State"]
        return state

    def run(self, *command: str, user: str = "", tty: bool = False, workdir: str | None = None) -> tuple[int, str]:
        """Run a command in it; returns its status and all it printed."""
        started = self.api.exec_create(self.id, list(command), user=user, tty=tty, stdin=tty, workdir=workdir)["Id"]
        output = self.api.exec_start(started, tty=tty).decode().replace("\r\n", "\n")
        return int(self.api.exec_inspect(started)["ExitCode"]), output

    def read(self, *command: str) -> str:
        """What a command that must succeed prints, without the last line's end."""
        status, output = self.run(*command)
        assert status == 0, output
        return output.rstrip("\n")

    def owner(self, path: str) -> str:
        return self.read("stat", "-c", "%u:%g", path)

    def remove(self) -> None:
        self.api.remove_container(self.id, force=True)
        for volume in self.volumes:
            self.api.remove_volume(volume)
