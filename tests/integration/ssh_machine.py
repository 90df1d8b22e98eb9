# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine that is reached by SSH: a container of a bare Debian with sshd, sudo, Python, and this machine's engine."""

from __future__ import annotations

import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.connection import DEFAULT_DOCKER_HOST
from bare_image import bare_image

USER = "ops"
SOCKET = DEFAULT_DOCKER_HOST[len("unix://") :]
PREPARE = f"""
set -e
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends openssh-server sudo python3 procps
useradd --create-home --shell /bin/bash {USER}
echo '{USER} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/{USER}
mkdir -p /run/sshd
"""
NO_FILES = {"ansible_remote_tmp": "/proc/nothing-can-be-made-here"}
"""A variable of a host that lets each task fail for which Ansible would put a file on it."""
NO_HOST_KEY = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=20"


@dataclass(frozen=True)
class SshMachine:
    """A running one. Its user ``ops`` may do nothing but ``sudo``, without a password."""

    api: Any
    id: str
    address: str
    key: Path

    @property
    def variables(self) -> dict[str, Any]:
        """Of the host in an inventory."""
        return {
            "ansible_connection": "ssh",
            "ansible_host": self.address,
            "ansible_user": USER,
            "ansible_ssh_private_key_file": str(self.key),
            "ansible_ssh_common_args": NO_HOST_KEY,
            "ansible_python_interpreter": "/usr/bin/python3",
        }

    def run(self, command: str) -> str:
        """What a command prints, as root; it must succeed."""
        made = self.api.exec_create(self.id, ["bash", "-c", command])
        output = self.api.exec_start(made["Id"]).decode(errors="replace")
        assert self.api.exec_inspect(made["Id"])["ExitCode"] == 0, output
        return str(output)

    def remove(self) -> None:
        self.api.remove_container(self.id, force=True, v=True)


def ssh_machine(api: Any, folder: Path) -> SshMachine:
    """Start one.

    Args:
        folder: Of the control node; it is at the same place on the machine, since both use one engine.
    """
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    image = bare_image(api, "bookworm", folder / "root")
    made = api.create_container(
        image,
        ["sleep", "infinity"],
        host_config={"Init": True, "Binds": [f"{SOCKET}:/var/run/docker.sock", f"{folder}:{folder}"]},
    )
    machine = SshMachine(api, made["Id"], "", key)
    try:
        api.start(machine.id)
        machine.run(PREPARE)
        public = key.with_suffix(".pub").read_text().strip()
        machine.run(f"install -d -m 700 -o {USER} ~{USER}/.ssh && echo '{public}' > ~{USER}/.ssh/authorized_keys")
        machine.run("/usr/sbin/sshd")
        address = api.inspect_container(machine.id)["NetworkSettings"]["IPAddress"]
        _wait_for(address)
    except BaseException:
        machine.remove()
        raise
    return SshMachine(api, made["Id"], address, key)


def _wait_for(address: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection((address, 22), timeout=5) as connection:
            if connection.recv(4) == b"SSH-":
                return
        time.sleep(0.1)  # a daemon that is not up yet has no event to wait for
    raise AssertionError(f"no SSH daemon answers at {address}")
