# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An engine of the test's own, on a disk that is small and that can be killed: what a user's only engine never is."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import docker
import pytest
from ansible_collections.berth.projects.plugins.module_utils.engine_images import ImageStore
from host import Result, TestHost
from tiny_image import build_tiny_image

pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.skipif(os.geteuid() != 0, reason="an engine of one's own, on a disk of one's own, takes root"),
]

DISK = "120m"


class OwnEngine:
    """A second engine, with its own folder on a small disk, and its own bridge."""

    def __init__(self, folder: Path) -> None:
        self.root, self._run, self._log = folder / "root", folder / "run", folder / "log"
        self.host = f"unix://{folder}/engine.sock"
        self.bridge = f"bt{secrets.token_hex(4)}"
        self._containerd: subprocess.Popen[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start_containerd(self) -> None:
        """As where systemd runs both: the containers' own processes outlive an engine that is killed."""
        self._run.mkdir(exist_ok=True)
        folders = ["--root", self._run / "containerd", "--state", self._run / "state"]
        command = ["containerd", "--config", "/dev/null", "--address", self._run / "containerd.sock", *folders]
        with self._log.open("ab") as log:
            self._containerd = subprocess.Popen(command, stdout=log, stderr=log)

    def start(self) -> None:
        options = {
            "data-root": self.root,
            "exec-root": self._run,
            "containerd": self._run / "containerd.sock",
            "pidfile": self._run / "pid",
            "host": self.host,
            "bridge": self.bridge,
            "iptables": "false",
            "ip-masq": "false",
        }
        command = ["dockerd", *(f"--{name}={value}" for name, value in options.items())]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self.wait_until_it_answers()

    def wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with suppress(Exception):
                docker.APIClient(self.host, version="auto").ping()
                return
            time.sleep(0.1)  # an engine that is not up yet has no event to wait for
        raise AssertionError(self._log.read_text()[-2000:])

    def kill(self, with_signal: int = signal.SIGKILL) -> None:
        if self._process:
            self._process.send_signal(with_signal)
            self._process.wait()
        self._process = None
        with suppress(
            FileNotFoundError
        ):  # a killed engine leaves it, and the next one would take it for a living one's
            (self._run / "pid").unlink()

    def end(self) -> None:
        """Both, with what they have mounted."""
        self.kill(signal.SIGTERM)
        if self._containerd:
            self._containerd.terminate()
            self._containerd.wait()
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for mount in sorted((one for one in mounts if one.startswith(str(self._run))), reverse=True):
            subprocess.run(["umount", "-l", mount], check=True)

    def restart(self) -> None:
        self.kill()
        self.start()


@pytest.fixture
def engine_folder() -> Iterator[Path]:
    """Short: the path of a socket may not be long."""
    folder = Path(f"/tmp/bt{secrets.token_hex(4)}")
    folder.mkdir()
    yield folder
    subprocess.run(["rm", "-rf", folder], check=True)


@pytest.fixture
def own_engine(engine_folder: Path) -> Iterator[OwnEngine]:
    own = OwnEngine(engine_folder)
    own.root.mkdir(exist_ok=True)
    with ExitStack() as undo:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", own.root], check=True)
        undo.callback(subprocess.run, ["umount", "-l", own.root], check=True)
        subprocess.run(["ip", "link", "add", own.bridge, "type", "bridge"], check=True)
        undo.callback(subprocess.run, ["ip", "link", "del", own.bridge], check=True)
        address = f"10.{secrets.randbelow(250)}.{secrets.randbelow(250)}.1/24"
        subprocess.run(["ip", "address", "add", address, "dev", own.bridge], check=True)
        subprocess.run(["ip", "link", "set", own.bridge, "up"], check=True)
        undo.callback(own.end)
        own.start_containerd()
        own.start()
        yield own


class OwnHost:
    """A project on that engine, with a marker in its container and one in its home."""

    def __init__(self, engine: OwnEngine, folder: Path) -> None:
        self.engine = engine
        api = docker.APIClient(engine.host, version="auto", timeout=60)
        self.host = TestHost(api, folder / "state", "own", build_tiny_image(api))
        self.project: dict[str, Any] = {"name": "one", "env": {"ROUND": "0"}}

    def provision(self, **changes: Any) -> Result:
        self.project = {**self.project, **changes}
        return self.host.provision(self.project, docker_host=self.engine.host)

    def mark(self) -> None:
        self.host.run("one", "sh", "-c", "echo here > /marker; echo here > /home/agent/marker", user="root")

    def assert_whole(self) -> None:
        for path in ("/marker", "/home/agent/marker"):
            assert self.host.run("one", "cat", path) == "here\n"

    def assert_converged(self) -> None:
        assert not self.provision().changed
        assert self.host.names("one") == ["berth-one"]
        dangling = self.host.api.images(filters={"dangling": True})
        assert [image["Id"] for image in dangling] == []


@pytest.fixture
def own_host(own_engine: OwnEngine, tmp_path: Path) -> OwnHost:
    made = OwnHost(own_engine, tmp_path)
    made.provision()
    made.mark()
    return made


class TestAFullDisk:
    @pytest.fixture(autouse=True)
    def nearly_full(self, own_host: OwnHost) -> None:
        """More than half the disk is the container's layer, so a copy of it has no room."""
        own_host.host.run("one", "dd", "if=/dev/urandom", "of=/big", "bs=1M", "count=70", user="root")

    def test_is_seen_before_anything_is_begun(self, own_host: OwnHost) -> None:
        old = own_host.host.container("one")["Id"]
        result = own_host.provision(env={"ROUND": "1"}).only
        assert "MiB free, and the snapshot takes 70 MiB" in result["error"]
        assert own_host.host.container("one")["Id"] == old
        own_host.assert_whole()

    def test_while_a_snapshot_is_taken_loses_nothing(self, own_host: OwnHost, monkeypatch: pytest.MonkeyPatch) -> None:
        module = "ansible_collections.berth.projects.plugins.module_utils.snapshots.free_bytes"
        monkeypatch.setattr(module, lambda folder: None)
        old = own_host.host.container("one")["Id"]
        result = own_host.provision(env={"ROUND": "1"}).only
        assert "no space left" in result["error"]
        assert "The old container is running" in result["error"]
        assert own_host.host.container("one")["Id"] == old
        own_host.assert_whole()
        own_host.host.run("one", "rm", "/big", user="root")
        assert own_host.provision().only["error"] is None
        own_host.assert_whole()
        own_host.assert_converged()


class TestAnEngineThatIsKilled:
    @pytest.mark.parametrize("call", ["commit", "load_config", "tag"])
    def test_while_a_snapshot_is_taken(self, own_host: OwnHost, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
        real = getattr(ImageStore, call)

        def killing(*args: Any) -> Any:
            answer = real(*args)
            own_host.engine.kill()
            return answer

        with monkeypatch.context() as patched:
            patched.setattr(ImageStore, call, killing)
            assert own_host.provision(env={"ROUND": "1"}).only["error"]
        own_host.engine.start()
        assert own_host.provision().only["error"] is None
        own_host.assert_whole()
        own_host.assert_converged()

    def test_and_comes_back_with_everything_running(self, own_host: OwnHost) -> None:
        own_host.provision(env={"ROUND": "1"})
        own_host.engine.restart()
        assert own_host.provision().only["error"] is None  # the engine may be about to start it itself
        own_host.assert_whole()
        own_host.assert_converged()
