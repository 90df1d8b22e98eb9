# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host of its own, and all the world outside of it, in network namespaces: for tests of what can be reached.

The host has an engine and a resolver on a loopback address, as hosts with systemd-resolved do: an old engine asks such
a resolver on behalf of containers on internal networks, too. The world has a server on a few addresses.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import docker

HOST_ADDRESS = "198.51.100.1"
WORLD = "198.51.100.2"
RESOLVER = "127.0.0.53"
WORLD6, HOST6 = "2001:db8:b::2", "2001:db8:b::1"
NAMES = {
    "allowed.example": WORLD,
    "sub.wild.example": WORLD,
    "wild.example": WORLD,
    "other.example": WORLD,
    "leads-to-host.example": HOST_ADDRESS,
    "leads-inside.example": "172.17.0.1",
    "leads-to-link.example": "169.254.169.254",
    "leads-to-loopback.example": "127.0.0.1",
}
GVISOR = "/usr/bin/runsc"
SERVER = Path(__file__).with_name("island_server.py")


def has_gvisor() -> bool:
    return Path(GVISOR).exists()


class Island:
    """One such host, while it is up.

    Args:
        folder: For its files; its path is short, since that of a socket may not be long.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._host, self._world = (f"bt{secrets.token_hex(3)}{end}" for end in ("h", "w"))
        self._processes: list[subprocess.Popen[bytes]] = []
        self.docker_host = f"unix://{folder}/engine.sock"
        self.log = folder / "engine.log"
        self.asked_file = folder / "asked"
        self.asked_file.touch()
        self.resolver_file = folder / "world.conf"
        """A resolver that containers reach without the engine."""
        self.resolver_file.write_text(f"nameserver {WORLD}\n")

    @property
    def api(self) -> Any:
        return docker.APIClient(self.docker_host, version="auto", timeout=120)

    def asked(self) -> list[str]:
        """The names that the resolver of the host was asked for."""
        return self.asked_file.read_text().split()

    def up(self) -> None:
        for name in (self._host, self._world):
            _run("ip", "netns", "add", name)
        _run("ip", "link", "add", "up0", "netns", self._host, "type", "veth", "peer", "up0", "netns", self._world)
        for name, address, address6 in ((self._host, HOST_ADDRESS, HOST6), (self._world, WORLD, WORLD6)):
            inside = ("ip", "-n", name)
            _run(*inside, "link", "set", "lo", "up")
            _run(*inside, "addr", "add", f"{address}/24", "dev", "up0")
            _run(*inside, "addr", "add", f"{address6}/64", "dev", "up0", "nodad")
            _run(*inside, "link", "set", "up0", "up")
        _run("ip", "-n", self._host, "route", "add", "default", "via", WORLD)
        names = ["--names", json.dumps(NAMES), "--asked", str(self.asked_file)]
        ports = ["--http", "80", "--http", "443", "--http", "8080"]
        self._serve(self._world, "--name", "world", *ports, "--resolver", WORLD, *names)
        self._serve(
            self._host,
            "--name",
            "host",
            "--http",
            "80",
            "--http",
            "443",
            "--http",
            "7777",
            "--resolver",
            RESOLVER,
            *names,
        )
        self._start_engine()

    def public_addresses(self) -> tuple[str, ...]:
        """Those of the host, as Berth finds them where it runs on it."""
        module = "ansible_collections.berth.projects.plugins.module_utils.host_addresses"
        found = self.run_on_host(sys.executable, "-c", f"from {module} import *; print(*public_addresses())")
        return tuple(found.split())

    def run_on_host(self, *command: str) -> str:
        return _run("ip", "netns", "exec", self._host, *command)

    def restart_engine(self, with_gvisor: bool = True) -> None:
        engine = self._processes.pop()
        engine.terminate()
        engine.wait()
        self._start_engine(with_gvisor)

    def down(self) -> None:
        with suppress(Exception):
            for one in self.api.containers(all=True):
                self.api.remove_container(one["Id"], force=True)
        for process in reversed(self._processes):
            process.terminate()
            process.wait()
        for name in (self._host, self._world):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for mount in sorted((one for one in mounts if one.startswith(f"{self._folder}/")), reverse=True):
            subprocess.run(["umount", "-l", mount], check=True)
        subprocess.run(["rm", "-rf", str(self._folder)], check=True)

    def _serve(self, namespace: str, *arguments: str) -> None:
        command = ["ip", "netns", "exec", namespace, sys.executable, str(SERVER), *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        self._processes.append(process)
        assert process.stdout and process.stdout.readline() == b"ready\n"

    def _start_engine(self, with_gvisor: bool = True) -> None:
        (self._folder / "resolv.conf").write_text(f"nameserver {RESOLVER}\n")
        # Without its own network stack, which wants more rights than test machines give.
        runsc = {"path": GVISOR, "runtimeArgs": ["--network=host"]}
        configuration = {"runtimes": {"runsc": runsc}} if with_gvisor and has_gvisor() else {}
        (self._folder / "daemon.json").write_text(json.dumps(configuration))
        options = {
            "config-file": self._folder / "daemon.json",
            "data-root": self._folder / "root",
            "exec-root": self._folder / "run",
            "pidfile": self._folder / "pid",
            "host": self.docker_host,
        }
        inside = f'mount --bind {self._folder}/resolv.conf /etc/resolv.conf && exec dockerd "$@"'
        # Not "ip netns exec", whose fresh /sys has no control groups.
        entering = ["nsenter", f"--net=/run/netns/{self._host}", "unshare", "--mount"]
        command = [*entering, "sh", "-c", inside, "dockerd"]
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [*command, *(f"--{name}={value}" for name, value in options.items())], stdout=log, stderr=log
            )
        self._processes.append(process)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with suppress(Exception):
                self.api.ping()
                return
            time.sleep(0.1)  # an engine that is not up yet has no event to wait for
        raise AssertionError(self.log.read_text()[-2000:])


@contextmanager
def island() -> Iterator[Island]:
    """A host that goes with all that is on it."""
    folder = Path(f"/tmp/bt{secrets.token_hex(4)}")
    folder.mkdir()
    made = Island(folder)
    try:
        made.up()
        yield made
    finally:
        made.down()


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout
