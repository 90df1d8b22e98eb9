# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the bench works on: names of its own, an inventory, playbooks; and how all of it goes again."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker.errors
from engine_names import Namespace, remove_everything
from tiny_image import build_tiny_image

PREFIX = "berthbench"
"""All that the bench makes is called this with something after it, or ``berth-`` or ``berth/`` before it as well."""

FIRST_PORT = 21000
_ATTEMPTS = 10
_PATIENCE = 15  # seconds for a command to end
PLAYS = {
    "ping": "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.ping:\n",
    "debug": "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.debug: {msg: nothing}\n",
}
PROVISION = "berth.projects.provision"
BIN = Path(sys.executable).parent


class BenchError(Exception):
    """Why there is nothing to measure."""


@dataclass(frozen=True)
class Run:
    """One command: seconds on the clock, seconds of the processor in all its processes, what it printed."""

    seconds: float
    cpu: float
    output: str


def names_in_use(api: Any) -> list[str]:
    """What there is on the engine under the bench's names."""
    containers = [name.lstrip("/") for one in api.containers(all=True) for name in one["Names"] or []]
    volumes = [one["Name"] for one in api.volumes()["Volumes"] or []]
    networks = [one["Name"] for one in api.networks()]
    snapshots = [tag for one in api.images() for tag in one["RepoTags"] or []]
    return sorted(name for name in [*containers, *volumes, *networks, *snapshots] if is_ours(name))


def is_ours(name: str) -> bool:
    return name.startswith((PREFIX, f"berth-{PREFIX}", f"berth/{PREFIX}"))


def remove_all(api: Any) -> None:
    """Remove whatever has the bench's names, also what a command that was stopped half-way is still making."""
    for _attempt in range(_ATTEMPTS):
        with suppress(docker.errors.APIError):  # a container has come meanwhile, and uses what was to go
            _remove_what_is_there(api)
        if not names_in_use(api):
            return
        time.sleep(0.5)
    raise BenchError(f"These are left, and BENCH=clean removes them: {', '.join(names_in_use(api))}")


def _remove_what_is_there(api: Any) -> None:
    """Containers side by side, then volumes, networks and snapshots."""
    gone = docker.errors.NotFound

    def remove(container: Mapping[str, Any]) -> None:
        with suppress(gone):
            api.remove_container(container["Id"], force=True, v=True)

    ours = [one for one in api.containers(all=True) if any(is_ours(name.lstrip("/")) for name in one["Names"] or [])]
    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(remove, ours))
    for volume in api.volumes()["Volumes"] or []:
        if is_ours(volume["Name"]):
            api.remove_volume(volume["Name"], force=True)
    for network in api.networks():
        if is_ours(network["Name"]):
            api.remove_network(network["Id"])
    remove_everything(api, Namespace(PREFIX))


class Scene:
    """A folder with an inventory of one host, whose projects use most of a definition."""

    def __init__(self, api: Any, folder: Path, size: int) -> None:
        self.api = api
        self.folder = folder
        self.size = size
        self.image = build_tiny_image(api)
        self._states = 0
        for name, text in PLAYS.items():
            (folder / f"{name}.yml").write_text(text)
        (folder / "ansible.cfg").touch()
        for number in range(size):
            (folder / f"work{number}").mkdir()
        self.variables = self._variables()
        self.write_inventory({"bench": self.variables})

    def begin_anew(self) -> None:
        """No container is left, and nothing on the host remembers one."""
        remove_all(self.api)
        self._states += 1
        self.variables = self._variables()
        self.write_inventory({"bench": self.variables})

    def write_inventory(self, hosts: Mapping[str, Mapping[str, Any]]) -> None:
        (self.folder / "inventory.json").write_text(json.dumps({"all": {"hosts": hosts}}))

    def play(
        self, playbook: str, *options: str, programs: Path = BIN, environment: Mapping[str, str] | None = None
    ) -> Run:
        """Run a playbook on the inventory.

        Raises:
            BenchError: It failed.
        """
        book = playbook if "." in playbook else f"{playbook}.yml"
        command = [str(programs / "ansible-playbook"), "-i", "inventory.json", book, *options]
        return run_command(command, self.folder, environment)

    def _variables(self) -> dict[str, Any]:
        return {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "berth_scope": f"test-{PREFIX}",
            "berth_state_dir": str(self.folder / f"state{self._states}"),
            "berth_image": self.image,
            "berth_projects": [self._project(number) for number in range(self.size)],
            "berth_project_defaults": {"user": {"uid": 1000}},
        }

    def _project(self, number: int) -> dict[str, Any]:
        return {
            "name": f"{PREFIX}-{number}",
            "workspaces": [{"path": str(self.folder / f"work{number}")}],
            "ports": [{"host": FIRST_PORT + number, "container": 8000}],
            "env": {"STAGE": "bench", "NUMBER": number},
            "resources": {"cpus": 1, "memory": "128m", "pids": 100},
            "runtime": "runc",  # what the others get, whatever else this engine has
        }


def run_command(command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> Run:
    """Run a command to its end; what it costs counts all the processes that it waited for.

    Raises:
        BenchError: It failed.
    """
    before, started = _spent(), time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
        start_new_session=True,
    )
    try:
        output, errors = process.communicate()
    except BaseException:
        _interrupt(process)
        raise
    run = Run(time.perf_counter() - started, _spent() - before, output)
    if process.returncode != 0:
        raise BenchError(f"{' '.join(command)} failed:\n{output}{errors}")
    return run


def _interrupt(process: subprocess.Popen[str]) -> None:
    """As Ctrl-C would: so Ansible ends its workers, which are in no group with it, and Compose what it is at."""
    process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def demand_unchanged(run: Run) -> None:
    """A run of a playbook that changed something is not what was to be measured.

    Raises:
        BenchError: It did.
    """
    if re.search(r"changed=[1-9]", run.output):
        raise BenchError(f"This run was to change nothing:\n{run.output}")


def _spent() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@contextmanager
def shipped_to(scene: Scene) -> Iterator[dict[str, str]]:
    """An environment in which Ansible leaves behind what it ships to the host."""
    remote = scene.folder / "remote"
    yield {"ANSIBLE_REMOTE_TMP": str(remote), "ANSIBLE_KEEP_REMOTE_FILES": "1"}
    subprocess.run(["rm", "-rf", str(remote)], check=True)


def shipped_files(scene: Scene) -> list[Path]:
    """The payloads that are there, one for each module that ran."""
    return sorted((scene.folder / "remote").glob("**/AnsiballZ_*.py"))
