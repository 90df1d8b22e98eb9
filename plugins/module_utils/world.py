# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What there is on an engine, as far as it concerns Berth: read once, then only looked at.

Everything here is pure. ``observe.py`` fills it from an engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.definition import Definition, normal_reference
from ansible_collections.berth.projects.plugins.module_utils.host_state import FoundFile
from ansible_collections.berth.projects.plugins.module_utils.lineage import Lineage, Snapshot
from ansible_collections.berth.projects.plugins.module_utils.names import (
    CONTRACT,
    CONTRACT_VERSION,
    MANAGED,
    PROJECT,
    SCOPE,
    SNAPSHOT_BASE_ID,
    SNAPSHOT_PART,
    SNAPSHOT_PROJECT,
    agent_volume,
    container_name,
    home_volume,
    is_aside_name,
    lineage_labels,
    name_of,
    proxy_name,
)
from ansible_collections.berth.projects.plugins.module_utils.networks import FoundNetwork, Networks
from ansible_collections.berth.projects.plugins.module_utils.proxy_files import Applied
from ansible_collections.berth.projects.plugins.module_utils.records import Record

RUNNING = ("running", "restarting", "paused")
HEALTHS = ("healthy", "unhealthy", "starting")


@dataclass(frozen=True)
class Listed:
    """A container as the engine lists it. ``networks`` are the ids of those that it is on, by name."""

    id: str
    name: str
    status: str
    created: int
    labels: Mapping[str, str]
    image_id: str = ""
    volumes: tuple[str, ...] = ()
    networks: Mapping[str, str] = field(default_factory=dict)
    health: str | None = None

    @property
    def project(self) -> str:
        return self.labels.get(PROJECT, "")

    @property
    def has_its_name(self) -> bool:
        return self.name == container_name(self.project)

    @property
    def is_aside(self) -> bool:
        return is_aside_name(self.project, self.name)

    @property
    def is_proxy(self) -> bool:
        return self.name == proxy_name(self.project)

    @property
    def is_of_project(self) -> bool:
        """Whether its name is one that Berth gives to a container of its project."""
        return self.has_its_name or self.is_aside or self.is_proxy

    @property
    def is_running(self) -> bool:
        return self.status in RUNNING

    def is_labelled(self, scope: str) -> bool:
        return self.labels.get(MANAGED) == "true" and bool(self.project) and self.labels.get(SCOPE) == scope


class Listing:
    """Every container of an engine, by name and by id, its networks, and the volumes that carry Berth's labels."""

    def __init__(
        self,
        answer: Iterable[Mapping[str, Any]],
        scope: str,
        volumes: Iterable[Mapping[str, Any]] = (),
        networks: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self.scope = scope
        self.networks = Networks(networks, scope)
        self._volumes = {volume["Name"]: volume.get("Labels") or {} for volume in volumes}
        self.all = tuple(_listed(entry) for entry in answer)
        self._by_name = {entry.name: entry for entry in self.all}
        self._by_id = {entry.id: entry for entry in self.all}
        # Each project asks for its own: looking through all of them for each would take N times N steps.
        self._asides: dict[str, list[Listed]] = {}
        self._parts: dict[str, list[str]] = {}
        self._on_network: dict[str, list[Listed]] = {}
        users: dict[str, set[str]] = {}
        for entry in self.all:
            for network in entry.networks:
                self._on_network.setdefault(network, []).append(entry)
            users.setdefault(entry.image_id, set()).add(entry.id)
            self._parts.setdefault(entry.labels.get(SNAPSHOT_PART, ""), []).append(entry.id)
        for entry in self.labelled():
            if entry.is_aside:
                self._asides.setdefault(entry.project, []).append(entry)
        self.image_users: Mapping[str, frozenset[str]] = {image: frozenset(ids) for image, ids in users.items()}
        """By the ids of images, those of the containers that were made from them."""

    def named(self, name: str) -> Listed | None:
        return self._by_name.get(name)

    def scope_of_volume(self, name: str) -> str | None:
        """Whose volume it is; None where there is none, or none of Berth's."""
        return self._volumes.get(name, {}).get(SCOPE)

    def project_of_volume(self, name: str) -> str:
        return self._volumes.get(name, {}).get(PROJECT, "")

    def with_id(self, container_id: str | None) -> Listed | None:
        """The container of that id, if it carries our labels."""
        entry = self._by_id.get(container_id or "")
        return entry if entry and entry.is_labelled(self.scope) else None

    def asides(self, project: str) -> list[Listed]:
        """The containers of a project that wait under another name."""
        return self._asides.get(project, [])

    def strangers(self, project: str, recorded: str | None = None) -> dict[str, str]:
        """By the names of a project's networks, another container that stands on it, running or not.

        Args:
            project: Whose networks.
            recorded: The id of its container, which is its own under whatever name.
        """
        found = {}
        for network in self.networks.of(project):
            for entry in self._on_network.get(network.name, ()):
                is_own = entry.is_labelled(self.scope) and entry.project == project
                if not (is_own and (entry.is_of_project or entry.id == recorded)):
                    found[network.name] = entry.name
        return found

    def parts(self, project: str) -> tuple[str, ...]:
        """The ids of containers that an interrupted snapshot of a project has left: they inherit its images' label."""
        return tuple(self._parts.get(f"{self.scope}/{project}", ()))

    def volumes(self, project: str | None = None) -> tuple[str, ...]:
        """The names of the volumes that carry the labels of this scope, and are called as a project's are."""
        names = self._volumes if project is None else (home_volume(project), agent_volume(project))
        return tuple(sorted(name for name in names if self.scope_of_volume(name) == self.scope))

    @property
    def used_images(self) -> frozenset[str]:
        """The ids of all images that containers were made from."""
        return frozenset(self.image_users)

    def labelled(self) -> list[Listed]:
        """Everything that carries the labels of this scope, by name."""
        return sorted((entry for entry in self.all if entry.is_labelled(self.scope)), key=lambda entry: entry.name)


@dataclass(frozen=True)
class Image:
    id: str
    labels: Mapping[str, str]

    @property
    def keeps_contract(self) -> bool:
        return self.labels.get(CONTRACT) == CONTRACT_VERSION


class Images:
    """The images of an engine, found by any reference to them."""

    def __init__(self, answer: Iterable[Mapping[str, Any]]) -> None:
        self._by_reference: dict[str, Image] = {}
        for entry in answer:
            image = Image(entry["Id"], entry.get("Labels") or {})
            for reference in [entry["Id"], *(entry.get("RepoTags") or []), *(entry.get("RepoDigests") or [])]:
                self._by_reference[reference] = image

    def find(self, reference: str) -> Image | None:
        return self._by_reference.get(normal_reference(reference))


@dataclass(frozen=True)
class Unproven:
    """A container that was not seen ready. ``is_blank``: it surely never was, so nobody can have worked in it."""

    container: Mapping[str, Any]
    is_blank: bool


@dataclass(frozen=True)
class View:
    """What there is of one project.

    Args:
        container: The project's container, as ``GET /containers/{id}/json`` shows it, or None.
        record: What Berth remembers of it.
        is_ready: Of a running container: that it was seen to be ready in this start, or earlier.
        previous: The container that waits aside and was the last to be ready, where this one has yet to be.
        unproven: A container that a run which was cut off left under the project's name, instead of the recorded one.
        clash: Why the project's name cannot be used, or None.
        agents: The agents at work in the container, by name; asked for only when something would cut them.
        lineage: Its snapshots.
        asides: The other containers of the project that wait aside.
        image_users: By the ids of images, those of the containers of the engine that were made from them.
        volumes: The names of its volumes.
        parts: The ids of containers that an interrupted snapshot has left.
        files: The files of its host state, by their path in it.
        networks: Those that it has.
        strangers: By the names of those, a container on it that is not the project's own.
        proxy: The container of its proxy, as the engine lists it.
        proxy_clash: Why the name of its proxy cannot be used, or None.
        proxy_config: SHA-256 of the proxy's configuration on the host; empty where there is none.
        applied: What the proxy was last seen to work by.
        has_state: Whether Berth keeps files for it on the host, by a record that is of this scope.
    """

    container: Mapping[str, Any] | None = None
    record: Record = field(default_factory=Record)
    is_ready: bool = True
    previous: Mapping[str, Any] | None = None
    unproven: Unproven | None = None
    clash: str | None = None
    agents: tuple[str, ...] = ()
    lineage: Lineage = field(default_factory=Lineage)
    asides: tuple[Mapping[str, Any], ...] = ()
    image_users: Mapping[str, frozenset[str]] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    files: Mapping[str, FoundFile] = field(default_factory=dict)
    networks: tuple[FoundNetwork, ...] = ()
    strangers: Mapping[str, str] = field(default_factory=dict)
    proxy: Listed | None = None
    proxy_clash: str | None = None
    proxy_config: str = ""
    applied: Applied = field(default_factory=Applied)
    has_state: bool = False

    @property
    def container_id(self) -> str | None:
        return self.container["Id"] if self.container else None

    @property
    def name(self) -> str:
        return name_of(self.container) if self.container else ""

    @property
    def status(self) -> str:
        """The engine's word (created, running, paused, restarting, exited, dead, removing), or ``absent``.

        A container that waits aside is no container of the project's until it gets its name back.
        """
        return str(self.container["State"]["Status"]) if self.container and not self.is_aside else "absent"

    @property
    def is_aside(self) -> bool:
        return is_aside_name(self._labels.get(PROJECT, ""), self.name)

    @property
    def origin(self) -> Snapshot | None:
        """The snapshot that the container was made from, if it is still there."""
        return self.lineage.of_image(str(self.container["Image"])) if self.container else None

    @property
    def latest(self) -> Snapshot | None:
        """What a new container goes on from: where ``:latest`` is, or will be once a restore is finished.

        A restore moves it last of all. So when it is neither on what the container was made from nor on a snapshot of
        the container, that is still to be done.
        """
        latest, origin = self.lineage.latest, self.origin
        if origin and latest and latest is not origin and latest.container != self.container_id:
            return origin
        return latest

    @property
    def has_lineage(self) -> bool:
        """Whether the container was made from a snapshot of its project: it has inherited the labels then."""
        return SNAPSHOT_PROJECT in self._lineage_labels

    @property
    def base_id(self) -> str | None:
        """The id of the image at the root of the container's lineage."""
        return self._lineage_labels.get(SNAPSHOT_BASE_ID) or (str(self.container["Image"]) if self.container else None)

    @property
    def held_asides(self) -> tuple[Mapping[str, Any], ...]:
        """Other containers of the project whose layers a snapshot holds, so that nothing is lost with them."""
        return tuple(one for one in self.asides if one["Id"] != self.container_id and self.lineage.holder_of(one))

    @property
    def spent(self) -> tuple[Mapping[str, Any], ...]:
        """Those of them that are no way back any more: the project's container has proven itself."""
        proven = self.container_id == self.record.container_id or (self.is_running and self.is_ready)
        return self.held_asides if self.container and proven and not self.is_aside else ()

    def used_images(self, without: Iterable[str] = ()) -> frozenset[str]:
        """The ids of its snapshots that containers were made from, leaving out the containers of these ids."""
        gone = set(without)
        own = (snapshot.id for snapshot in self.lineage.snapshots)
        return frozenset(image for image in own if self.image_users.get(image, frozenset()) - gone)

    @property
    def seen(self) -> Record:
        """The record with what was just seen: that the container has become ready."""
        return self.record.proven(self.container_id) if self.is_running and self.is_ready else self.record

    def settled(self, definition: Definition | None, scope: str) -> Record:
        """What is to be remembered of a project that is left as it is."""
        user = definition.user if definition else None
        return self.seen.with_user(user).of_scope(scope) if self.container else self.seen

    @property
    def exists(self) -> bool:
        """Whether there is anything at all of the project."""
        return bool(
            self.container
            or self.unproven
            or self.asides
            or self.lineage.snapshots
            or self.lineage.parts
            or self.volumes
            or self.networks
            or self.proxy
            or self.has_state
        )

    @property
    def _labels(self) -> Mapping[str, str]:
        return (self.container["Config"].get("Labels") or {}) if self.container else {}

    @property
    def _lineage_labels(self) -> Mapping[str, str]:
        return lineage_labels(self._labels, self._labels.get(PROJECT, ""))

    @property
    def is_running(self) -> bool:
        return self.container is not None and self.container["State"]["Status"] in RUNNING


@dataclass(frozen=True)
class Host:
    """What the engine says of its host. ``memory`` in bytes, ``root`` the engine's own folder."""

    cpus: int
    memory: int
    root: str


def name_clash(entry: Listed, project: str, scope: str) -> str | None:
    """Why a container of a project's name is not ours to touch, or None when it is ours."""
    if entry.is_labelled(scope) and entry.project == project:
        return None
    other = entry.labels.get(SCOPE)
    if entry.labels.get(MANAGED) == "true" and other and other != scope:
        return (
            f"The container {entry.name} belongs to the scope {other!r}, and this run works on {scope!r}. "
            "Give the project another name, or run with that berth_scope."
        )
    return (
        f"There is a container {entry.name} that Berth did not make. Berth touches only its own: rename or remove that "
        "container, or give the project another name."
    )


def is_own_proxy(entry: Listed, project: str, scope: str) -> bool:
    return entry.is_labelled(scope) and entry.project == project


def proxy_clash(entry: Listed) -> str:
    """Why a container of the name of a project's proxy is not ours to touch."""
    return (
        f"There is a container {entry.name} that is not this project's. Berth touches only its own: rename or remove "
        "it, or give the project another name."
    )


def volume_clash(listing: Listing, project: str) -> str | None:
    """Why a project's volumes are not its own: they hold the home and the logins of another scope's."""
    for name in (home_volume(project), agent_volume(project)):
        other = listing.scope_of_volume(name)
        if other and other != listing.scope:
            return (
                f"The volume {name} belongs to the scope {other!r}, and this run works on {listing.scope!r}. "
                "Give the project another name, or run with that berth_scope."
            )
    return None


def snapshot_clash(lineage: Lineage, scope: str) -> str | None:
    """Why a project's snapshots are not its own: they hold what was installed for another scope's."""
    other = lineage.other_scope
    if other is None:
        return None
    return (
        f"There are snapshots of a project of this name in the scope {other!r}, and this run works on {scope!r}. "
        "Give the project another name, or run with that berth_scope."
    )


def _listed(entry: Mapping[str, Any]) -> Listed:
    joined = (entry.get("NetworkSettings") or {}).get("Networks") or {}
    return Listed(
        id=entry["Id"],
        name=own_name(entry.get("Names") or []),
        status=entry["State"],
        created=entry["Created"],
        labels=entry.get("Labels") or {},
        image_id=entry.get("ImageID") or "",
        volumes=tuple(mount["Name"] for mount in entry.get("Mounts") or () if mount.get("Type") == "volume"),
        networks={name: one.get("NetworkID") or "" for name, one in joined.items()},
        health=health_listed(entry),
    )


def listed_from(container: Mapping[str, Any]) -> Listed:
    """Of what inspect shows, what a list would."""
    joined = container["NetworkSettings"].get("Networks") or {}
    return Listed(
        id=container["Id"],
        name=name_of(container),
        status=container["State"]["Status"],
        created=0,
        labels=container["Config"].get("Labels") or {},
        image_id=container["Image"],
        networks={name: one.get("NetworkID") or "" for name, one in joined.items()},
        health=(container["State"].get("Health") or {}).get("Status"),
    )


def health_listed(entry: Mapping[str, Any]) -> str | None:
    """A listed container's health: ``healthy``, ``unhealthy``, ``starting``, or None: it does not run, or has no check.

    Engines before API 1.52 say it only in the text for people: ``Up 2 hours (healthy)``, ``Up 5 seconds (health:
    starting)``.
    """
    told = (entry.get("Health") or {}).get("Status")
    if told in HEALTHS:
        return str(told)
    status = entry.get("Status") or ""
    words = status.rpartition("(")[2].rstrip(")").removeprefix("health: ") if status.endswith(")") else ""
    return words if words in HEALTHS else None


def own_name(names: Iterable[str]) -> str:
    """A container's own name among those listed: links of other containers add ``/other/alias``."""
    return next((name.lstrip("/") for name in names if name.count("/") == 1), "")
