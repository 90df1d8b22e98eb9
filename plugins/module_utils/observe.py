# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads an engine and its host: four lists at the most, and one inspect a project."""

from __future__ import annotations

import os
import posixpath
import re
import stat
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.aspect import Site
from ansible_collections.berth.projects.plugins.module_utils.aspects_isolation import GVISOR, runtime_of
from ansible_collections.berth.projects.plugins.module_utils.definition import DOCKER_SOCKET, Definition, User, overlap
from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.errors import EngineError
from ansible_collections.berth.projects.plugins.module_utils.fingerprint import VERSION
from ansible_collections.berth.projects.plugins.module_utils.lineage import Lineage, Snapshots
from ansible_collections.berth.projects.plugins.module_utils.names import (
    FINGERPRINT_VERSION,
    READY,
    container_name,
    proxy_name,
)
from ansible_collections.berth.projects.plugins.module_utils.records import Record, Records
from ansible_collections.berth.projects.plugins.module_utils.world import (
    Host,
    Listing,
    Unproven,
    View,
    is_own_proxy,
    name_clash,
    proxy_clash,
    snapshot_clash,
    volume_clash,
)

AGENT_COMMANDS = ("claude",)
_KEYS = re.compile(
    r"\.(ssh|aws|gnupg|kube|azure|netrc|npmrc|pypirc|git-credentials|pgpass|vault-token)|id_(rsa|dsa|ecdsa|ed25519)(_sk)?"
    r"|.+\.(pem|key|p12|pfx|kdbx)"
)
_INTERPRETERS = ("node", "sh", "ash", "bash", "dash")
_QUESTIONS = (["--version"], ["-v"], ["--help"], ["-h"])
_PROC = "/proc/[0-9]*/cmdline"
_READ_PROCESSES = f"PATH=/usr/bin:/bin; for one in {_PROC}; do cat $one; echo; done 2>/dev/null; exit 0"
_PATIENCE = 20  # seconds for that
_INHABITED = ("running", "paused")
UNSEEN = "perhaps: gVisor does not tell what runs in it"
"""Stands for the agents of a container that cannot be looked into."""


def view_projects(
    engine: Engine | None,
    listing: Listing,
    snapshots: Snapshots,
    projects: Sequence[str],
    records: Records,
    parallel: int,
) -> dict[str, View]:
    """What there is of each named project; nothing but its record where there is no engine yet."""
    if engine is None:
        return {project: View(record=records.read(project)) for project in projects}
    with ThreadPoolExecutor(max_workers=parallel) as pool:
        views = pool.map(lambda project: _view(engine, listing, snapshots.of(project), project, records), projects)
        return dict(zip(projects, views))


def _view(engine: Engine, listing: Listing, lineage: Lineage, project: str, records: Records) -> View:
    record = records.read(project)
    proxy = listing.named(proxy_name(project))
    view = View(
        record=record,
        lineage=lineage,
        image_users=listing.image_users,
        volumes=listing.volumes(project),
        parts=listing.parts(project),
        networks=listing.networks.of(project),
        strangers=listing.strangers(project, record.container_id),
        proxy=proxy if proxy and is_own_proxy(proxy, project, listing.scope) else None,
        proxy_clash=proxy_clash(proxy) if proxy and not is_own_proxy(proxy, project, listing.scope) else None,
        has_state=record.scope == listing.scope,
    )
    entry = listing.named(container_name(project))
    clash = (
        (name_clash(entry, project, listing.scope) if entry else None)
        or volume_clash(listing, project)
        or snapshot_clash(lineage, listing.scope)
    )
    if clash:
        return replace(view, clash=clash)
    asides = {aside.id: _container(engine, aside.id) for aside in listing.asides(project)}
    view = replace(view, asides=tuple(one for one in asides.values() if one))
    recorded = listing.with_id(view.record.container_id)
    if recorded and recorded.project != project:
        recorded = None
    current = entry or recorded
    container = (asides.get(current.id) or _container(engine, current.id)) if current else None
    if container is None:
        return view
    found = replace(view, container=container, is_ready=_is_ready(engine, container, view.record))
    if not entry or not recorded or recorded.id == entry.id or not recorded.is_aside:
        return found
    previous = asides.get(recorded.id)
    if entry.id == view.record.pending_id or (found.is_running and found.is_ready):
        return replace(found, previous=previous)
    # A run was cut off before this one was ready: back to the one that was.
    return replace(view, container=previous, unproven=Unproven(container, not was_ever_ready(engine, container)))


def _container(engine: Engine, container_id: str) -> dict[str, Any] | None:
    container = engine.container(container_id)
    if container and (container["Config"].get("Labels") or {}).get(FINGERPRINT_VERSION) != VERSION:
        return with_image_env(engine, container)
    return container


def _is_ready(engine: Engine, container: Mapping[str, Any], record: Record) -> bool:
    """Whether a container that runs was ever ready. The record knows of most; of others, their output tells."""
    state = container["State"]
    if not state["Running"]:
        return True
    if state["Status"] == "restarting":
        return False
    return container["Id"] == record.container_id or engine.has_printed(container["Id"], READY, state["StartedAt"])


def was_ever_ready(engine: Engine, container: Mapping[str, Any]) -> bool:
    """Whether a container was, or may have been, ready in any of its starts; one that never was started was not.

    Times say nothing here: the clock may have been set back.
    """
    if container["State"]["Status"] == "created":
        return False
    return not _keeps_all_output(container) or engine.has_printed(container["Id"], READY)


def _keeps_all_output(container: Mapping[str, Any]) -> bool:
    log = container["HostConfig"].get("LogConfig") or {}
    return log.get("Type", "json-file") == "json-file" and "max-size" not in (log.get("Config") or {})


def with_image_env(engine: Engine, container: Mapping[str, Any]) -> dict[str, Any]:
    """Add ``ImageEnv``, the image's own environment: the engine merges it into the container's."""
    image = engine.image(container["Image"]) or {}
    return {**container, "ImageEnv": (image.get("Config") or {}).get("Env") or []}


def folder_owner(definition: Definition) -> User | None:
    """Who owns the first workspace on this host."""
    if not definition.workspaces:
        return None
    try:
        status = os.stat(definition.workspaces[0].path)
    except OSError:
        return None
    return User(status.st_uid, status.st_gid)


def folder_problems(definition: Definition, site: Site) -> list[str]:
    """What is wrong, on this host, with the paths that a definition mounts; links are followed first."""
    folders = {workspace.path for workspace in definition.workspaces}
    sockets = [DOCKER_SOCKET] if definition.docker_access else []
    found = (_path_problem(path, path in folders, site) for path in definition.bind_sources)
    missing = (f"{path}: there is no engine's socket there" for path in sockets if not os.path.exists(path))
    return [*filter(None, found), *missing]


def key_warnings(definition: Definition) -> list[str]:
    """Keys and logins that lie open in what the agent works on: one look at the top of each workspace."""
    found = []
    for workspace in definition.workspaces:
        try:
            names = os.listdir(workspace.path)
        except OSError:
            continue
        keys = sorted(name for name in names if _KEYS.fullmatch(name))
        if keys:
            found.append(
                f"{workspace.path} contains what looks like keys or logins ({', '.join(keys)}): the agent reads them"
            )
    return found


def engine_folder_problem(definition: Definition, root: str) -> str | None:
    """Why a path cannot be mounted that leads to the engine's own folder."""
    for path in definition.bind_sources:
        if overlap(os.path.realpath(path), os.path.realpath(root)):
            return f"{path} covers, or leads to, the engine's own folder {root}: choose another."
    return None


def _path_problem(path: str, is_workspace: bool, site: Site) -> str | None:
    try:
        status = os.stat(path)
    except PermissionError:
        return f"{path}: the user that runs the module may not look there"
    except OSError:
        return f"{path}: is missing. Create it (a workspace is a folder, for example a git clone) or correct the path"
    if is_workspace and not stat.S_ISDIR(status.st_mode):
        return f"{path}: is no folder"
    real = os.path.realpath(path)
    if real == "/":
        return f"{path}: leads to /, and the agent would own the host"
    if real == os.path.realpath(DOCKER_SOCKET):
        return f"{path}: leads to the engine's socket; say so with docker_access: true"
    if overlap(real, os.path.realpath(site.state_dir)):
        return f"{path}: leads to Berth's own state folder {site.state_dir}"
    return None


def agents_at_work(engine: Engine, container: Mapping[str, Any]) -> tuple[str, ...]:
    """The agents that run in a container, by the name of their command; none where it does not run, or not any more."""
    if container["State"]["Status"] not in _INHABITED:
        return ()
    if runtime_of(container) == GVISOR:
        lines = _processes_in_gvisor(engine, container["Id"])
    else:
        lines = _processes(engine, container["Id"])
    if lines is None:
        return (UNSEEN,)
    return tuple(sorted({name for line in lines if (name := agent_of(line))}))


def _processes(engine: Engine, container_id: str) -> list[str]:
    try:
        return engine.processes(container_id)
    except EngineError:
        container = engine.container(container_id) or {"State": {}, "RestartCount": 0}
        if container["State"].get("Running") and not container.get("RestartCount"):
            raise
        return []  # it has ended, or ends and is restarted again and again: nobody is at work in there


def _processes_in_gvisor(engine: Engine, container_id: str) -> list[str] | None:
    """Read in the container: the engine looks its processes up among the host's, by numbers of gVisor's own.

    None where it runs and cannot be looked into, as one that is paused.
    """
    try:
        status, output = engine.run(container_id, ["/bin/sh", "-c", _READ_PROCESSES], "", _PATIENCE)
        if status == 0 and _PROC in output:  # at least itself
            return output.replace("\0", " ").splitlines()
    except EngineError:
        pass
    state = (engine.container(container_id) or {}).get("State") or {}
    return None if state.get("Status") in _INHABITED else []


def agent_of(command_line: str) -> str | None:
    """The agent that a command line starts, or None.

    An agent is a program or a script: ``claude …``, ``node /opt/…/claude …``, ``/bin/sh /usr/local/bin/claude …``.
    What only asks for a version or for help (as the health check does) is nobody's work.
    """
    words = command_line.split()
    if words and posixpath.basename(words[0]) in _INTERPRETERS and words[1:2] not in _QUESTIONS:
        words = _script_of(words[1:])
    program = posixpath.basename(words[0]) if words else ""
    return program if program in AGENT_COMMANDS and words[1:2] not in _QUESTIONS else None


def _script_of(words: list[str]) -> list[str]:
    """An interpreter's script and what it is given: the first word that is neither an option nor an option's value."""
    after_option = False
    for index, word in enumerate(words):
        if word.startswith("-"):
            after_option = True
        elif after_option and posixpath.basename(word) not in AGENT_COMMANDS:
            after_option = False
        else:
            return words[index:]
    return []


def host_of(info: Mapping[str, Any]) -> Host:
    return Host(cpus=info["NCPU"], memory=info["MemTotal"], root=info["DockerRootDir"])
