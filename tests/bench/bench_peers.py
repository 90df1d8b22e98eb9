# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Berth is held against: the same containers by the same engine, made by others."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ansible_collections.berth.projects.plugins.module_utils.aspect import Site
from ansible_collections.berth.projects.plugins.module_utils.aspects import create_body
from ansible_collections.berth.projects.plugins.module_utils.definition import definition_from
from ansible_collections.berth.projects.plugins.plugin_utils.host_input import VARIABLES, host_input
from bench_scene import PREFIX, PROVISION, BenchError, Scene, run_command

PEERS = Path(__file__).resolve().parents[2] / ".venvs" / "peers" / "bin"
_NANO = 1_000_000_000


class Contender(Protocol):
    """Brings the scene's containers to be there and running; run again, it finds that they are.

    ``most`` is the largest number of containers that it is measured with. One that ``is_slow`` makes them once only.
    """

    name: str
    most: int
    is_slow: bool

    def prepare(self) -> None: ...

    def run(self) -> object: ...


@dataclass
class Berth:
    """Playbook ``provision``, all of it."""

    scene: Scene
    name: str = "Berth"
    most: int = 500
    is_slow: bool = False

    def prepare(self) -> None:
        """The scene is made for it."""

    def run(self) -> object:
        return self.scene.play(PROVISION)


def bodies(scene: Scene) -> dict[str, dict[str, Any]]:
    """By name, what Berth asks the engine for, so that the others ask for the same; host state is an empty folder."""
    checked = host_input("bench", {name: scene.variables[name] for name in VARIABLES if name in scene.variables})
    if checked.problems:
        raise BenchError("\n".join(checked.problems))
    empty = scene.folder / "empty"
    empty.mkdir(exist_ok=True)
    site = Site(scene.variables["berth_state_dir"], scene.variables["berth_scope"])
    made = {}
    for entry in checked.definitions:
        body = create_body(definition_from(entry), site)
        host = {**body["HostConfig"], "Mounts": [_own(mount, empty) for mount in body["HostConfig"]["Mounts"]]}
        made[str(entry["name"])] = {**body, "HostConfig": host, "Labels": {}}
    return made


def _own(mount: Mapping[str, Any], empty: Path) -> dict[str, Any]:
    source = str(empty) if mount["Target"] == "/etc/berth" else mount.get("Source", "")
    own = {key: value for key, value in mount.items() if key != "VolumeOptions"}
    return {**own, "Source": source}


def has_own_network(body: Mapping[str, Any]) -> bool:
    """Whether Berth gives the container a network of its own; then the others do, too."""
    return body["HostConfig"].get("NetworkMode", "bridge") not in ("bridge", "default")


def subnet(number: int) -> str:
    """A small one for each: of the engine's own choice there are thirty."""
    return f"10.219.{number // 16}.{number % 16 * 16}/28"


class BareEngine:
    """The calls alone, by the SDK from eight threads: list, then create and start, or inspect."""

    most = 500
    is_slow = False

    def __init__(self, scene: Scene) -> None:
        self.name = "bare engine calls"
        self._scene = scene
        self._bodies: dict[str, dict[str, Any]] = {}

    def prepare(self) -> None:
        self._bodies = {f"{PREFIX}-{name}": body for name, body in bodies(self._scene).items()}

    def run(self) -> object:
        there = {name.lstrip("/") for one in self._scene.api.containers(all=True) for name in one["Names"]}
        with ThreadPoolExecutor(max_workers=8) as pool:
            return list(pool.map(lambda item: self._ensure(*item, there), enumerate(self._bodies)))

    def _ensure(self, number: int, name: str, there: set[str]) -> object:
        api, body = self._scene.api, self._bodies[name]
        if name in there:
            return api.inspect_container(name)
        if has_own_network(body):
            pool = {"Config": [{"Subnet": subnet(number)}]}
            api.create_network(name, driver="bridge", ipam=pool)
            body = {**body, "HostConfig": {**body["HostConfig"], "NetworkMode": name}, "NetworkingConfig": {}}
        made = api.create_container_from_config(body, name)
        return api.start(made["Id"])


class Compose:
    """``docker compose up --detach``, of the version that is installed."""

    most = 500
    is_slow = False

    def __init__(self, scene: Scene, command: Sequence[str], version: str) -> None:
        self.name = f"Compose {version}"
        self._scene = scene
        self._command = command

    def prepare(self) -> None:
        (self._scene.folder / "compose.json").write_text(json.dumps(compose_file(bodies(self._scene))))

    def run(self) -> object:
        options = ["-p", PREFIX, "-f", "compose.json", "up", "--detach"]
        return run_command([*self._command, *options], self._scene.folder)


def installed_compose() -> tuple[list[str], str] | None:
    """The command and its version; None where there is none."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) is None:
            continue
        asked = subprocess.run([*command, "version", "--short"], capture_output=True, text=True, check=False)
        if asked.returncode == 0 and asked.stdout.strip():
            return command, asked.stdout.strip().partition("-")[0]
    return None


def compose_file(wanted: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A Compose file, as JSON has it, for the same containers."""
    services, volumes, networks = {}, {}, {}
    for number, (name, body) in enumerate(wanted.items()):
        host = body["HostConfig"]
        services[name] = {
            "image": body["Image"],
            "hostname": body["Hostname"],
            "working_dir": body["WorkingDir"],
            "environment": body["Env"],
            "volumes": [_compose_mount(mount) for mount in host["Mounts"]],
            "ports": _published(host),
            "init": True,
            "cpus": host["NanoCpus"] / _NANO,
            "mem_limit": host["Memory"],
            "pids_limit": host["PidsLimit"],
            "restart": host["RestartPolicy"]["Name"],
        }
        volumes.update({mount["Source"]: {} for mount in host["Mounts"] if mount["Type"] == "volume"})
        if has_own_network(body):
            services[name]["networks"] = [name]
            networks[name] = {"ipam": {"config": [{"subnet": subnet(number)}]}}
        else:
            services[name]["network_mode"] = "bridge"
    own = {"networks": networks} if networks else {}
    return {"services": services, "volumes": volumes, **own}


def _compose_mount(mount: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": mount["Type"],
        "source": mount["Source"],
        "target": mount["Target"],
        "read_only": mount["ReadOnly"],
    }


def _published(host: Mapping[str, Any]) -> list[str]:
    return [
        f"{binding['HostIp']}:{binding['HostPort']}:{port.partition('/')[0]}"
        for port, bindings in host["PortBindings"].items()
        for binding in bindings
    ]


class CommunityDocker:
    """A loop over ``community.docker.docker_container``: a task with an item for each container."""

    most = 50
    is_slow = True

    def __init__(self, scene: Scene) -> None:
        self.name = "community.docker loop"
        self._scene = scene

    def prepare(self) -> None:
        wanted = bodies(self._scene)
        (self._scene.folder / "community.json").write_text(json.dumps(community_play(wanted)))

    def run(self) -> object:
        interpreter = f"ansible_python_interpreter={PEERS / 'python'}"
        options = ["-i", "inventory.json", "community.json", "-e", interpreter]
        return run_command([str(PEERS / "ansible-playbook"), *options], self._scene.folder)


def community_play(wanted: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A play of one task; where each container has a network of its own, of one more before it."""
    containers = [_community_item(name, body) for name, body in wanted.items()]
    options = {key: f"{{{{ item.{key} }}}}" for key in containers[0]}
    tasks = [_loop("docker_container", {**options, "state": "started"}, containers)]
    if any(has_own_network(body) for body in wanted.values()):
        networks = [
            {"name": f"{PREFIX}-{name}", "ipam_config": [{"subnet": subnet(number)}]}
            for number, name in enumerate(wanted)
        ]
        tasks.insert(0, _loop("docker_network", {key: f"{{{{ item.{key} }}}}" for key in networks[0]}, networks))
    return [{"hosts": "all", "gather_facts": False, "tasks": tasks}]


def _loop(module: str, options: Mapping[str, Any], items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {f"community.docker.{module}": options, "loop": items, "loop_control": {"label": "{{ item.name }}"}}


def _community_item(name: str, body: Mapping[str, Any]) -> dict[str, Any]:
    host = body["HostConfig"]
    item = {
        "name": f"{PREFIX}-{name}",
        "image": body["Image"],
        "hostname": body["Hostname"],
        "working_dir": body["WorkingDir"],
        "env": dict(entry.split("=", 1) for entry in body["Env"]),
        "mounts": [_compose_mount(mount) for mount in host["Mounts"]],
        "published_ports": _published(host),
        "init": True,
        "cpus": host["NanoCpus"] / _NANO,
        "memory": str(host["Memory"]),
        "pids_limit": host["PidsLimit"],
        "restart_policy": host["RestartPolicy"]["Name"],
    }
    return {**item, "network_mode": f"{PREFIX}-{name}" if has_own_network(body) else "bridge"}


def contenders(scene: Scene) -> list[Contender]:
    """Berth and all that it can be held against on this machine."""
    compose = installed_compose()
    found: list[Contender] = [Berth(scene)]
    found += [Compose(scene, *compose)] if compose else []
    found += [CommunityDocker(scene)] if PEERS.is_dir() else []
    return [*found, BareEngine(scene)]
