# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a schema cannot say: rules between the parts of a definition, and between the projects of a host. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from ipaddress import ip_address
from typing import Any
from zoneinfo import available_timezones

from ansible_collections.berth.projects.plugins.module_utils.definition import (
    AGENT_FOLDER,
    DOCKER_SOCKET,
    HOME,
    HOST_STATE,
    WORKSPACE_ROOT,
    is_within,
    memory_bytes,
    normal_path,
    overlap,
    workspace_name,
)
from ansible_collections.berth.projects.plugins.module_utils.terms import OWN_VARIABLES
from ansible_collections.berth.projects.plugins.plugin_utils.agent_secrets import SECRET_VALUE
from ansible_collections.berth.projects.plugins.plugin_utils.rules_isolation import (
    isolation_problems,
    isolation_warnings,
)
from ansible_collections.berth.projects.plugins.plugin_utils.schema import Problem

Definition = Mapping[str, Any]
Path = tuple  # of the steps to a place, as in Problem

LEAST_MEMORY = 6 * 1024**2  # the engine refuses less
_ENGINE_ROOTS = (
    "/var/lib/docker",
    "/var/lib/containerd",
    "/run/docker",
    "/run/containerd",
    "/var/run/docker",
    "/var/run/containerd",
)
_RESERVED_TARGETS = (
    "/",
    "/proc",
    "/sys",
    "/dev",
    "/run/berth",
    HOME,
    AGENT_FOLDER,
    WORKSPACE_ROOT,
    "/usr/local/lib/berth",
)
_EVERY_ADDRESS = ("0.0.0.0", "::")

_SECRET_KEY = re.compile(
    r"((^|_)(TOKENS?|SECRETS?|PASSPHRASE|API_?KEY|ACCESS_KEY|PRIVATE_KEY|CREDENTIALS?|PWD|PASS|PAT)|PASSWORD|PASSWD"
    r"|SSHPASS)(_ID)?$",
    re.I,
)
_COUNT_KEY = re.compile(r"(^|_)MAX_([A-Z]+_)*TOKENS$")  # how many a model may make, as CLAUDE_CODE_MAX_OUTPUT_TOKENS


def host_problems(definitions: Sequence[Definition], state_dir: str | None) -> Iterator[Problem]:
    """What is wrong with the projects of one host, each merged and allowed by the schema."""
    yield from _twice_named(definitions)
    yield from _ports_taken_twice(definitions)
    for index, definition in enumerate(definitions):
        place = ("berth_projects", index)
        yield from _folder_problems(place, definition, state_dir)
        yield from _mount_problems(place, definition)
        yield from _user_problems(place, definition)
        yield from _resource_problems(place, definition)
        yield from _timezone_problems(place, definition)
    yield from isolation_problems(definitions)


def host_warnings(definitions: Sequence[Definition]) -> Iterator[str]:
    """What is allowed and yet worth a word."""
    yield from isolation_warnings(definitions)
    for definition in definitions:
        for key in sorted(definition.get("env") or {}):
            if looks_secret(key, definition["env"][key]):
                yield (
                    f"project {definition['name']}: env.{key} looks like a secret. Whoever may inspect the container "
                    "reads its environment; a secret belongs in secrets, which become files for the agent only"
                )
        if definition.get("docker_access"):
            yield (
                f"project {definition['name']}: docker_access gives the agent the host's engine, "
                "and with it whatever root can do on the host"
            )


def looks_secret(key: str, value: Any) -> bool:
    """Whether an environment entry is named or shaped like a credential."""
    return bool(_SECRET_KEY.search(key) and not _COUNT_KEY.search(key)) or bool(SECRET_VALUE.search(str(value)))


def _twice_named(definitions: Sequence[Definition]) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, definition in enumerate(definitions):
        name = definition["name"]
        if name in first:
            text = f"{name!r} is the name of berth_projects[{first[name]}] already; names are unique on a host"
            yield Problem(("berth_projects", index, "name"), text)
        first.setdefault(name, index)


def _ports_taken_twice(definitions: Sequence[Definition]) -> Iterator[Problem]:
    taken: dict[tuple[int, str], list[tuple[str, str]]] = {}
    for index, definition in enumerate(definitions):
        if definition.get("state") == "absent":
            continue
        for number, port in enumerate(definition.get("ports") or ()):
            address, protocol = _address(port), port.get("protocol") or "tcp"
            if address is None:
                text = "must be an IPv4 or IPv6 address, such as 127.0.0.1"
                yield Problem(("berth_projects", index, "ports", number, "host_ip"), text)
                continue
            others = taken.setdefault((port["host"], protocol), [])
            for other_address, other in others:
                if address == other_address or {address, other_address} & set(_EVERY_ADDRESS):
                    text = f"{protocol} port {port['host']} of the host is taken by project {other} already"
                    yield Problem(("berth_projects", index, "ports", number, "host"), text)
                    break
            others.append((address, definition["name"]))


def _address(port: Mapping[str, Any]) -> str | None:
    """The address of the host that a port listens on, in its one canonical form."""
    try:
        return str(ip_address(port.get("host_ip") or "127.0.0.1"))
    except ValueError:
        return None


def _folder_problems(place: Path, definition: Definition, state_dir: str | None) -> Iterator[Problem]:
    for index, workspace in enumerate(definition.get("workspaces") or ()):
        yield from _source_problems((*place, "workspaces", index, "path"), workspace["path"], state_dir)
    for index, mount in enumerate(definition.get("mounts") or ()):
        where, source, kind = (*place, "mounts", index, "source"), mount.get("source"), mount.get("type", "bind")
        if kind == "tmpfs":
            if source:
                yield Problem(where, "is not for a tmpfs, which is memory: leave it out")
        elif not source:
            yield Problem(
                (*place, "mounts", index), f"lacks source: the {'volume' if kind == 'volume' else 'path on the host'}"
            )
        elif kind == "volume":
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]+", source):
                yield Problem(where, "must be the name of a volume: letters, digits, dots, hyphens and underscores")
            elif re.fullmatch(r"berth-.+-(home|agent)", source):
                yield Problem(where, "is a project's own volume, with its logins: share a volume of another name")
        elif not source.startswith("/"):
            yield Problem(where, "must be an absolute path, starting with / (for a named volume, set type: volume)")
        else:
            yield from _source_problems(where, source, state_dir)


def _source_problems(where: Path, path: str, state_dir: str | None) -> Iterator[Problem]:
    """Paths of the host that nothing may be mounted from."""
    normal = normal_path(path)
    if normal == "/":
        yield Problem(where, "must not be /: the agent would own the host")
        return
    if normal in (DOCKER_SOCKET, "/run/docker.sock"):
        yield Problem(where, "is the engine's socket, which is root on the host: say so with docker_access: true")
        return
    for root in _ENGINE_ROOTS:
        if overlap(normal, root):
            yield Problem(where, f"covers or is in the engine's own folder {root}: mount from somewhere else")
    own = normal_path(state_dir or "/var/lib/berth")
    if overlap(normal, own):
        yield Problem(where, f"covers or is in Berth's own state folder {own}: other projects' files are in there")


def _mount_problems(place: Path, definition: Definition) -> Iterator[Problem]:
    """Targets that clash with each other or with what Berth mounts."""
    taken: dict[str, str] = {}
    names: dict[str, int] = {}
    for index, workspace in enumerate(definition.get("workspaces") or ()):
        where, name = (*place, "workspaces", index), workspace_name(workspace)
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name):
            yield Problem(where, f"the folder's name {name!r} cannot be that of a mount: give the workspace a name")
        elif name in names:
            yield Problem(where, f"the mount name {name!r} is that of workspaces[{names[name]}] already: set name")
        names.setdefault(name, index)
        taken[f"{WORKSPACE_ROOT}/{name}"] = f"workspaces[{index}]"
    if definition.get("docker_access"):
        taken[DOCKER_SOCKET] = "docker_access"
    for index, mount in enumerate(definition.get("mounts") or ()):
        where, target = (*place, "mounts", index, "target"), normal_path(mount["target"])
        covers = any(is_within(own, target) for own in (*_RESERVED_TARGETS, HOST_STATE))
        if covers or is_within(target, HOST_STATE):
            yield Problem(where, f"{target} is Berth's or the system's own; mount somewhere else")
        elif target in taken:
            yield Problem(where, f"{target} is the target of {taken[target]} already")
        taken.setdefault(target, f"mounts[{index}]")


def env_problems(place: Path, env: Mapping[str, Any]) -> Iterator[Problem]:
    """Keys that Berth itself sets; for each layer of variables, so that the path leads to where the key is."""
    for key, value in env.items():
        if value is None:  # takes away what a layer below has set
            continue
        if key in OWN_VARIABLES:
            yield Problem((*place, key), f"is set by Berth itself: {OWN_VARIABLES[key]}")
        elif key.startswith("BERTH_"):
            yield Problem((*place, key), "starts with BERTH_, which is kept for Berth itself: take another name")


def _user_problems(place: Path, definition: Definition) -> Iterator[Problem]:
    """Looked at once all layers are merged: a project may set the gid alone over a default uid."""
    user = definition.get("user")
    if user and user.get("uid") is None:
        yield Problem((*place, "user"), "lacks uid")


def _resource_problems(place: Path, definition: Definition) -> Iterator[Problem]:
    limits = definition.get("resources") or {}
    if limits.get("cpus") is not None and not math.isfinite(limits["cpus"]):
        yield Problem((*place, "resources", "cpus"), "must be a number, such as 1.5")
    if limits.get("memory") is not None and memory_bytes(limits["memory"]) < LEAST_MEMORY:
        yield Problem((*place, "resources", "memory"), "must be 6m or more, which is the least the engine takes")
    nofile = limits.get("nofile")
    if nofile and nofile["soft"] > nofile["hard"]:
        yield Problem((*place, "resources", "nofile", "soft"), f"must not be above hard, which is {nofile['hard']}")


def _timezone_problems(place: Path, definition: Definition) -> Iterator[Problem]:
    """Checked by name where the control node has the tz database; the container warns otherwise."""
    name = definition.get("timezone")
    if not name:
        return
    known = _timezones()
    if known and name not in known:
        yield Problem((*place, "timezone"), f"{name!r} is not in the tz database; names are like Europe/Berlin or UTC")


@cache
def _timezones() -> frozenset[str]:
    """Asked once: it walks the whole database."""
    return frozenset(available_timezones())
