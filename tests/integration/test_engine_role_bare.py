# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role `engine` on machines that have none: containers made of a bare distribution, in which an engine can run."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from bare_image import bare_image
from machines import ENGINE_FOLDER, MAKE_WRITABLE, machine_settings, put_files

from playbooks import parse_recap

pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(os.geteuid() != 0, reason="debootstrap needs root"),
]

CHECKOUT = Path(__file__).resolve().parents[2]
HOST_CERTIFICATES = Path("/usr/local/share/ca-certificates")
PREPARE = f"""
set -e
{MAKE_WRITABLE}
apt-get update -qq
apt-get install -y -qq --no-install-recommends python3 make ca-certificates
update-ca-certificates
"""
IS_ENABLED = "systemctl is-enabled docker"
HAS_LOG = "grep 'API listen on /var/run/docker.sock' /var/log/dockerd.log"
STOP = "kill $(cat /var/run/docker.pid); while [ -e /var/run/docker.pid ]; do sleep 0.2; done"
STOP_BY_SYSTEMD = "systemctl stop docker.socket docker"
PLAY = """
- hosts: all
  gather_facts: false
  roles: [berth.projects.engine]
"""


@dataclass(frozen=True)
class Done:
    rc: int
    output: str

    @property
    def changed(self) -> int:
        return parse_recap(self.output)["localhost"]["changed"]


@dataclass(frozen=True)
class Machine:
    """A container that stands for a machine."""

    api: Any
    id: str
    has_systemd: bool

    def run(self, command: str) -> Done:
        environment = {"PIP_CERT": "/etc/ssl/certs/ca-certificates.crt", "DEBIAN_FRONTEND": "noninteractive"}
        exec_id = self.api.exec_create(self.id, ["bash", "-c", command], environment=environment, workdir="/")["Id"]
        output = self.api.exec_start(exec_id).decode(errors="replace")
        return Done(self.api.exec_inspect(exec_id)["ExitCode"], output)

    def must_run(self, command: str) -> str:
        done = self.run(command)
        assert done.rc == 0, f"{command}:\n{done.output}"
        return done.output

    def role(self, *arguments: str) -> Done:
        """Run the role on the machine itself, with the distribution's Python."""
        options = ["-i localhost,", "-c local", "-e ansible_python_interpreter=/usr/bin/python3", *arguments]
        return self.run(f"/berth/.venv/bin/ansible-playbook {' '.join(options)} /engine.yml")

    def put(self, folder: str, files: dict[str, bytes]) -> None:
        put_files(self.api, self.id, folder, files)


AWAIT_SYSTEMD = "until systemctl is-system-running 2>/dev/null | grep -qE 'running|degraded'; do sleep 1; done"
SYSTEMD = "apt-get update -qq && apt-get install -y -qq systemd-sysv dbus && exec /sbin/init"


@pytest.fixture(scope="module", params=["bookworm", "bookworm with systemd", "trixie"])
def machine(request: pytest.FixtureRequest, api: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A fresh machine with root, Python, make and this checkout, set up; it has no engine."""
    suite = request.param.split()[0]
    systemd = "systemd" in request.param
    image = bare_image(api, suite, tmp_path_factory.mktemp("root"))
    container = api.create_container(
        image,
        ["bash", "-c", SYSTEMD if systemd else "exec sleep infinity"],
        environment={"DEBIAN_FRONTEND": "noninteractive"},
        hostname="bare",
        volumes=[ENGINE_FOLDER],
        host_config=machine_settings(Init=not systemd),
    )
    machine = Machine(api, container["Id"], systemd)
    try:
        api.start(machine.id)
        if systemd:
            machine.must_run(
                "until systemctl is-system-running 2>/dev/null | grep -E 'running|degraded'; do sleep 1; done"
            )
        machine.must_run(f"mkdir -p {HOST_CERTIFICATES} /berth")
        machine.put(
            "/usr/local/share/ca-certificates", {p.name: p.read_bytes() for p in HOST_CERTIFICATES.glob("*.crt")}
        )
        machine.put("/", {"engine.yml": PLAY.encode()})
        machine.put("/berth", checkout_files())
        machine.must_run(PREPARE)
        machine.must_run("make -C /berth setup")
        yield machine
    finally:
        api.remove_container(machine.id, force=True, v=True)


def checkout_files() -> dict[str, bytes]:
    listing = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = (CHECKOUT / name for name in listing.stdout.splitlines())
    return {str(path.relative_to(CHECKOUT)): path.read_bytes() for path in paths if path.is_file()}


def test_a_machine_without_an_engine_gets_one(machine: Machine) -> None:
    planned = machine.role("--check")
    assert planned.rc == 0, planned.output
    assert "Would install a Docker engine" in planned.output
    assert "Would start the Docker engine" in planned.output
    assert "Would install the Docker SDK for Python" in planned.output
    assert machine.run("command -v dockerd").rc != 0

    installed = machine.role()
    assert installed.rc == 0, installed.output
    assert machine.must_run(IS_ENABLED if machine.has_systemd else HAS_LOG)
    machine.must_run("docker version && /usr/bin/python3 -c 'import docker; docker.from_env().ping()'")

    again = machine.role()
    assert (again.rc, again.changed) == (0, 0), again.output


def test_an_engine_that_was_stopped_is_started_and_a_broken_one_explained(machine: Machine) -> None:
    assert machine.role().rc == 0
    machine.must_run(STOP_BY_SYSTEMD if machine.has_systemd else STOP)

    machine.must_run("""echo '{"nonsense": 1}' > /etc/docker/daemon.json""")
    broken = machine.role()
    assert broken.rc != 0
    assert re.search(r"did not come up.*The end of its log.*nonsense", broken.output, re.DOTALL), broken.output

    machine.must_run("rm /etc/docker/daemon.json; systemctl reset-failed docker 2>/dev/null || true")
    mended = machine.role()
    assert (mended.rc, mended.changed) == (0, 1), mended.output


GVISOR = "-e berth_engine_gvisor=true"


def test_gvisor_is_brought_in_and_what_else_is_configured_stays(machine: Machine) -> None:
    assert machine.role().rc == 0
    machine.must_run("""echo '{"log-level": "info"}' > /etc/docker/daemon.json""")
    planned = machine.role("--check", GVISOR)
    assert planned.rc == 0 and "Would install gVisor" in planned.output, planned.output
    assert machine.run("command -v runsc").rc != 0

    installed = machine.role(GVISOR)
    assert installed.rc == 0, installed.output
    assert '"runsc"' in machine.must_run("docker info --format '{{json .Runtimes}}'")
    configuration = json.loads(machine.must_run("cat /etc/docker/daemon.json"))
    assert configuration["log-level"] == "info"
    knows_overlay = machine.run("runsc flags 2>&1 | grep -q -e -overlay2").rc == 0
    runtime = {"path": "/usr/bin/runsc", "runtimeArgs": ["--overlay2=none"] if knows_overlay else []}
    assert configuration["runtimes"] == {"runsc": runtime}

    again = machine.role(GVISOR)
    assert (again.rc, again.changed) == (0, 0), again.output
    machine.must_run("rm /etc/docker/daemon.json")


TEST_CONTAINERS = """
set -e
apt-get install -y -qq --no-install-recommends busybox-static git
make -C /berth setup-dev
cd /berth
git init --quiet
.venv/bin/python -m pytest -q tests/integration/test_container_*.py tests/integration/test_snapshots.py \
    tests/integration/test_network.py \
    -m 'not exhaustive'
"""
USE_CONTAINERD = """
set -e
echo '{"features": {"containerd-snapshotter": true}}' > /etc/docker/daemon.json
"""
TEST_SNAPSHOTS = """
cd /berth
docker info --format '{{.DriverStatus}}' | grep io.containerd.snapshotter
.venv/bin/python -m pytest -q tests/integration/test_snapshots.py -m 'not exhaustive'
"""


def test_containers_do_the_same_on_the_engine_of_each_release(machine: Machine) -> None:
    """Docker 20.10 (API 1.41) on Debian 12, 26.1 (API 1.45) on Debian 13."""
    if machine.has_systemd:
        pytest.skip("the engine is that of bookworm without systemd")
    assert machine.role().rc == 0
    done = machine.run(TEST_CONTAINERS)
    assert done.rc == 0, done.output


def test_snapshots_do_the_same_where_containerd_keeps_the_images(machine: Machine) -> None:
    """Its store wants the content of layers along with a configuration, so snapshots are taken another way."""
    if "trixie" not in machine.must_run("cat /etc/os-release"):
        pytest.skip("the engine of bookworm has no such store")
    machine.must_run(STOP + USE_CONTAINERD)
    assert machine.role().rc == 0
    done = machine.run(TEST_SNAPSHOTS)
    assert done.rc == 0, done.output
