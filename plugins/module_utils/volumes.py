# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The volumes of one project: which there are, whose they are, and who uses them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.engine_volumes import VolumeStore, is_helper
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.names import (
    BASE_REPOSITORY,
    CONTRACT,
    CONTRACT_VERSION,
    MANAGED,
    PROJECT,
    SCOPE,
    agent_volume,
    container_name,
    home_volume,
)
from ansible_collections.berth.projects.plugins.module_utils.world import RUNNING, own_name

KINDS = {"home": home_volume, "agent": agent_volume}
"""What a volume of a project is called, by its kind."""


@dataclass(frozen=True)
class User:
    """A container that a volume is mounted in."""

    name: str
    status: str

    @property
    def is_running(self) -> bool:
        return self.status in RUNNING

    def __str__(self) -> str:
        return f"{self.name} ({self.status})"


@dataclass(frozen=True)
class Volume:
    """One volume of a project.

    Args:
        listed: As ``GET /volumes`` lists it, or None where there is none.
        users: The containers that use it, running or not.
    """

    kind: str
    name: str
    listed: Mapping[str, Any] | None
    users: tuple[User, ...]

    @property
    def exists(self) -> bool:
        return self.listed is not None

    @property
    def labels(self) -> Mapping[str, str]:
        return (self.listed or {}).get("Labels") or {}

    @property
    def running_users(self) -> list[User]:
        return [user for user in self.users if user.is_running]

    def problem(self, project: str, scope: str) -> str | None:
        """Why it is not ours to touch, or None when it is, or does not exist."""
        if not self.exists or self.is_owned(project, scope):
            return None
        other = self.labels.get(SCOPE)
        if self.labels.get(MANAGED) == "true" and other and other != scope:
            return f"The volume {self.name} belongs to the scope {other!r}, and this task works on {scope!r}."
        return (
            f"There is a volume {self.name} that Berth did not make: it lacks the labels of project {project!r}. Berth "
            "touches only its own; copy what you need of it and remove it by hand."
        )

    def is_owned(self, project: str, scope: str) -> bool:
        labels = self.labels
        return (labels.get(MANAGED), labels.get(PROJECT), labels.get(SCOPE)) == ("true", project, scope)

    def result(self, project: str, sizes: Mapping[str, int | None]) -> dict[str, Any]:
        """Its entry in ``volumes``."""
        return {
            "name": self.name,
            "volume": self.kind,
            "project": project,
            "size": sizes.get(self.name),
            "in_use_by": [user.name for user in self.users],
        }


@dataclass(frozen=True)
class Found:
    """What an engine has of a project's volumes.

    Args:
        volumes: By kind, also those that do not exist.
        containers: Every container, as ``GET /containers/json`` lists it.
    """

    project: str
    scope: str
    volumes: Mapping[str, Volume]
    containers: Sequence[Mapping[str, Any]]

    def pick(self, kinds: Iterable[str]) -> list[Volume]:
        """The volumes of these kinds, if all that exist are ours.

        Raises:
            BerthError: One is not.
        """
        picked = [self.volumes[kind] for kind in kinds]
        problems = [problem for volume in picked if (problem := volume.problem(self.project, self.scope))]
        if problems:
            raise BerthError(" ".join([*problems, "Nothing was changed."]))
        return picked


def find_volumes(engine: Engine, project: str, scope: str) -> Found:
    """Look for a project's volumes, in lists alone."""
    names = {kind: name_of(project) for kind, name_of in KINDS.items()}
    listed = VolumeStore(engine).find(names.values())
    containers = engine.containers()
    volumes = {
        kind: Volume(kind, name, listed.get(name), tuple(_users(containers, name))) for kind, name in names.items()
    }
    return Found(project, scope, volumes, containers)


def _users(containers: Iterable[Mapping[str, Any]], volume: str) -> Iterable[User]:
    for container in containers:
        mounted = [mount.get("Name") for mount in container.get("Mounts") or [] if mount.get("Type") == "volume"]
        if volume in mounted and not is_helper(container):
            yield User(own_name(container.get("Names") or []) or container["Id"][:12], container["State"])


def helper_image(engine: Engine, found: Found) -> str:
    """The id of an image that a helper can be made of. Nothing of it is run, so any of ours does.

    One that declares volumes would leave them behind, and is not taken.

    Raises:
        BerthError: The engine has none.
    """
    images = engine.images()
    known = {image["Id"] for image in images}
    for image_id in dict.fromkeys(_candidates(images, found)):
        shown = engine.image(image_id) if image_id in known else None
        if shown and not (shown.get("Config") or {}).get("Volumes"):
            return image_id
    raise BerthError(
        f"To look into a volume takes an image (a container is made of it and never started), and the engine at "
        f"{engine.docker_host} has neither one of project {found.project!r} nor {BASE_REPOSITORY}:latest. Make the "
        "base image first, with role berth.projects.image."
    )


def _candidates(images: Iterable[Mapping[str, Any]], found: Found) -> Iterable[str]:
    own = container_name(found.project)
    yield from (entry["ImageID"] for entry in found.containers if own_name(entry.get("Names") or []) == own)
    for wanted in (f"berth/{found.project}:latest", f"{BASE_REPOSITORY}:latest"):
        yield from (image["Id"] for image in images if wanted in (image.get("RepoTags") or []))
    yield from (image["Id"] for image in images if (image.get("Labels") or {}).get(CONTRACT) == CONTRACT_VERSION)
