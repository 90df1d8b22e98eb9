# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A project as its user wrote it, in one form: every default filled in, every unit resolved, nothing of order left."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from ipaddress import ip_address
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.host_state import HostState

HOME = "/home/agent"
AGENT_FOLDER = "/home/agent/.claude"
WORKSPACE_ROOT = "/workspace"
HOST_STATE = "/etc/berth"
DOCKER_SOCKET = "/var/run/docker.sock"

_MEMORY_UNITS = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_MEMORY = re.compile(r"^\s*([0-9]+(?:\.[0-9]+)?)\s*([bkmgt]?)(?:i?b)?\s*$", re.IGNORECASE)


@dataclass(frozen=True)
class Workspace:
    """A folder of the host that the agent works in."""

    path: str
    name: str
    read_only: bool = False

    @property
    def target(self) -> str:
        return f"{WORKSPACE_ROOT}/{self.name}"


@dataclass(frozen=True)
class Mount:
    """Anything else that is mounted: ``type`` is ``bind``, ``volume`` or ``tmpfs`` (which has no source)."""

    type: str
    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True)
class Port:
    """A port of the container that is reachable from the host."""

    host: int
    container: int
    protocol: str = "tcp"
    host_ip: str = "127.0.0.1"


@dataclass(frozen=True)
class User:
    uid: int
    gid: int


@dataclass(frozen=True)
class Healthcheck:
    """Times in seconds; ``disk_limit`` is the percentage from which a disk counts as full."""

    enabled: bool = True
    interval: int = 60
    timeout: int = 10
    retries: int = 3
    start_period: int = 30
    disk_limit: int = 90


@dataclass(frozen=True)
class Resources:
    """Limits, None for none: ``nano_cpus`` in 10^-9 CPUs, sizes in bytes, ``nofile`` as soft and hard."""

    nano_cpus: int | None = None
    memory: int | None = None
    pids: int | None = None
    nofile: tuple[int, int] | None = None
    shm_size: int | None = None


@dataclass(frozen=True)
class Packages:
    """Packages that are added to the image, by who installs them; false when there are none.

    Each list is sorted and has nothing twice, however it was given: neither is a difference.
    """

    apt: tuple[str, ...] = ()
    npm: tuple[str, ...] = ()
    pip: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for one in fields(self):
            object.__setattr__(self, one.name, tuple(sorted(set(getattr(self, one.name)))))

    def __bool__(self) -> bool:
        return bool(self.apt or self.npm or self.pip)


@dataclass(frozen=True)
class Network:
    """What a project reaches.

    Args:
        egress: ``open`` (a bridge of its own), ``restricted`` (what its proxy allows) or ``none``.
        allow: What the proxy allows, as it was written, sorted: ``example.com``, ``*.example.com``, ``example.com:22``.
        host_access: Whether it may reach its host as ``host.docker.internal``.
        proxy: The address of its proxy, once that is settled; empty where it can only be another than the one before.
    """

    egress: str = "open"
    allow: tuple[str, ...] = ()
    host_access: bool = False
    proxy: str | None = None

    @property
    def is_restricted(self) -> bool:
        return self.egress == "restricted"


@dataclass(frozen=True)
class ProxySettings:
    """How the proxy of a project is made, for one with restricted egress.

    Args:
        image: The reference of its image.
        config: SHA-256 of its configuration, in hexadecimal.
        command: What it is started with; empty for what the image says.
        reload: What makes it read a changed configuration; empty where it has to be restarted for that.
        says_ready: Whether it prints the line that Berth's own prints.
    """

    image: str
    config: str
    command: tuple[str, ...] = ()
    reload: tuple[str, ...] = ()
    says_ready: bool = True


@dataclass(frozen=True)
class SnapshotPolicy:
    """When a container's own files become an image: before a replace or not.

    Args:
        keep: How many snapshots are kept.
        squash_after: After how many layers of snapshots these are made into one.
    """

    on_replace: bool = True
    keep: int = 3
    squash_after: int = 20


@dataclass(frozen=True)
class Definition:
    """One entry of ``berth_projects``, defaults merged in and validated.

    ``user`` is None until the host has settled whose files the agent works on, ``runtime`` is ``auto`` until the engine
    has settled that, and ``resolver`` is the host's file that takes the place of /etc/resolv.conf, if any.
    ``host_state`` is what the rest of the definition comes to, which the control node has rendered.
    """

    name: str
    image: str
    state: str = "started"
    packages: Packages = Packages()
    workspaces: tuple[Workspace, ...] = ()
    mounts: tuple[Mount, ...] = ()
    docker_access: bool = False
    ports: tuple[Port, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    timezone: str | None = None
    user: User | None = None
    healthcheck: Healthcheck = Healthcheck()
    resources: Resources = Resources()
    restart: str = "unless-stopped"
    runtime: str = "auto"
    hardening: str = "standard"
    resolver: str | None = None
    network: Network = Network()
    proxy: ProxySettings | None = None
    snapshot: SnapshotPolicy = SnapshotPolicy()
    host_state: HostState = field(default_factory=HostState)

    @property
    def working_dir(self) -> str:
        """The one workspace, or the folder that holds them all."""
        return self.workspaces[0].target if len(self.workspaces) == 1 else WORKSPACE_ROOT

    @property
    def is_strict(self) -> bool:
        return self.hardening == "strict"

    @property
    def bind_sources(self) -> tuple[str, ...]:
        """The host paths that must exist before the container can start."""
        folders = [workspace.path for workspace in self.workspaces]
        return tuple(folders + [mount.source for mount in self.mounts if mount.type == "bind"])

    @property
    def writable_sources(self) -> tuple[str, ...]:
        """The host paths that the agent may write to."""
        folders = [workspace.path for workspace in self.workspaces if not workspace.read_only]
        binds = [mount.source for mount in self.mounts if mount.type == "bind" and not mount.read_only]
        return tuple(folders + binds)

    def owned_by(self, user: User) -> Definition:
        return replace(self, user=user)

    def run_by(self, runtime: str, resolver: str | None = None) -> Definition:
        return replace(self, runtime=runtime, resolver=resolver)

    def behind(self, proxy: str | None) -> Definition:
        """The same with the address of its proxy."""
        return replace(self, network=replace(self.network, proxy=proxy))


def definition_from(written: Mapping[str, Any]) -> Definition:
    """Build a Definition from a mapping that passed validation on the control node.

    Args:
        written: The definition's keys as documented, defaults merged in; ``image`` is always there.
    """
    user = written.get("user")
    return Definition(
        name=written["name"],
        image=normal_reference(written["image"]),
        state=written.get("state") or "started",
        packages=packages_from(written.get("packages") or {}),
        workspaces=tuple(_workspace(entry) for entry in written.get("workspaces") or ()),
        mounts=tuple(_mount(entry) for entry in written.get("mounts") or ()),
        docker_access=bool(written.get("docker_access")),
        ports=tuple(_port(entry) for entry in written.get("ports") or ()),
        env=tuple(sorted((key, env_text(value)) for key, value in (written.get("env") or {}).items())),
        timezone=written.get("timezone"),
        user=User(int(user["uid"]), int(user.get("gid", user["uid"]))) if user else None,
        healthcheck=Healthcheck(**_whole(written.get("healthcheck") or {})),
        resources=_resources(written.get("resources") or {}),
        restart=written.get("restart") or "unless-stopped",
        runtime=written.get("runtime") or "auto",
        hardening=written.get("hardening") or "standard",
        network=_network(written.get("network") or {}),
        snapshot=SnapshotPolicy(**_whole(written.get("snapshot") or {})),
    )


def packages_from(written: Mapping[str, Any]) -> Packages:
    """Packages by who installs them: ``{"apt": […], "npm": […], "pip": […]}``, where each may be missing."""
    return Packages(**{field.name: tuple(written.get(field.name) or ()) for field in fields(Packages)})


def normal_reference(reference: str) -> str:
    """An image reference with its tag spelled out: ``debian`` and ``debian:latest`` are one image."""
    for prefix in ("docker.io/library/", "docker.io/"):
        reference = reference[len(prefix) :] if reference.startswith(prefix) else reference
    if "@" in reference or reference.startswith("sha256:"):
        return reference
    return reference if ":" in reference.rpartition("/")[2] else f"{reference}:latest"


def memory_bytes(size: int | str) -> int:
    """``512m``, ``1.5g``, ``2GiB`` or a number of bytes; units are powers of 1024, as in Docker.

    Raises:
        ValueError: The text is no size.
    """
    match = _MEMORY.match(str(size))
    if not match:
        raise ValueError("not a size")
    return int(float(match.group(1)) * _MEMORY_UNITS[match.group(2).lower()])


def env_text(value: Any) -> str:
    """What a YAML scalar looks like in an environment: ``true``, not Python's ``True``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def workspace_name(entry: Mapping[str, Any]) -> str:
    """A workspace is called as its folder is, unless the user gave it a name."""
    return str(entry.get("name") or posixpath.basename(normal_path(entry["path"])))


def normal_path(path: str) -> str:
    """One form of an absolute path. POSIX, and so Python, leaves two leading slashes as they are; Linux does not."""
    return posixpath.normpath("/" + path.lstrip("/"))


def overlap(one: str, other: str) -> bool:
    """Whether one of two paths is, or is in, the other."""
    return is_within(one, other) or is_within(other, one)


def is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _whole(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The keys that are given, with whole numbers as such: arithmetic in a template makes 9000.0 of 9000."""
    given = {key: value for key, value in entry.items() if value is not None}
    return {key: int(value) if isinstance(value, float) else value for key, value in given.items()}


def _port(entry: Mapping[str, Any]) -> Port:
    port = Port(**_whole(entry))
    return replace(port, host_ip=str(ip_address(port.host_ip)))


def _workspace(entry: Mapping[str, Any]) -> Workspace:
    return Workspace(normal_path(entry["path"]), workspace_name(entry), bool(entry.get("read_only")))


def _mount(entry: Mapping[str, Any]) -> Mount:
    kind = entry.get("type") or "bind"
    source = entry.get("source") or ""
    return Mount(
        type=kind,
        source=normal_path(source) if kind == "bind" else source,
        target=normal_path(entry["target"]),
        read_only=bool(entry.get("read_only")),
    )


def _network(entry: Mapping[str, Any]) -> Network:
    return Network(
        egress=entry.get("egress") or "open",
        allow=tuple(sorted({str(one).lower() for one in entry.get("allow") or ()})),
        host_access=bool(entry.get("host_access")),
    )


def _resources(entry: Mapping[str, Any]) -> Resources:
    def size(key: str) -> int | None:
        return memory_bytes(entry[key]) if entry.get(key) is not None else None

    cpus, pids, nofile = entry.get("cpus"), entry.get("pids"), entry.get("nofile")
    return Resources(
        nano_cpus=round(float(cpus) * 1e9) if cpus is not None else None,
        memory=size("memory"),
        pids=int(pids) if pids is not None else None,
        nofile=(int(nofile["soft"]), int(nofile["hard"])) if nofile else None,
        shm_size=size("shm_size"),
    )
