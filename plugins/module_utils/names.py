# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names and labels that Berth gives things on an engine, and how it knows them again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MANAGED = "berth.managed"
PROJECT = "berth.project"
SCOPE = "berth.scope"
FINGERPRINT = "berth.fingerprint."
FINGERPRINT_VERSION = "berth.fingerprint.version"
CONTRACT = "berth.contract"
CONTRACT_VERSION = "1"

BASE_REPOSITORY = "berth-base"
PACKAGES_REPOSITORY = "berth-packages"
PROXY_REPOSITORY = "berth-proxy"
PROXY_IMAGE = f"{PROXY_REPOSITORY}:latest"

READY = "berth: ready"
"""What an entrypoint prints when the container can be worked in."""

SNAPSHOT_BASE = "berth.snapshot.base"
SNAPSHOT_BASE_ID = "berth.snapshot.base_id"
SNAPSHOT_PACKAGES = "berth.snapshot.packages"
SNAPSHOT_PROJECT = "berth.snapshot.project"
SNAPSHOT_SCOPE = "berth.snapshot.scope"
SNAPSHOT_TAKEN = "berth.snapshot.taken"
SNAPSHOT_PARENT = "berth.snapshot.parent"
SNAPSHOT_BELOW = "berth.snapshot.below"
SNAPSHOT_CONTAINER = "berth.snapshot.container"
SNAPSHOT_STOPPED_AT = "berth.snapshot.stopped_at"
SNAPSHOT_LAYERS = "berth.snapshot.layers"
SNAPSHOT_FLAT = "berth.snapshot.flat"
SNAPSHOT_PART = "berth.snapshot.part"

HELPER = "berth.volume-helper"
"""The label of a container that only mounts a volume; its value is ``<scope>/<project>``."""

_ASIDE = re.compile(r"^(?P<project>berth-[a-z0-9-]+)\.old\.[0-9a-f]{12}$")


def lineage_labels(labels: Mapping[str, str], project: str) -> Mapping[str, str]:
    """The labels of an image or a container without those of another project's lineage.

    What is made from another project's snapshot inherits them; for its own project, its lineage begins there.
    """
    if labels.get(SNAPSHOT_PROJECT, "") in ("", project):
        return labels
    return {key: value for key, value in labels.items() if not key.startswith("berth.snapshot.")}


def container_name(project: str) -> str:
    return f"berth-{project}"


def aside_name(project: str, container_id: str) -> str:
    """The name under which a replaced container waits."""
    return f"berth-{project}.old.{container_id[:12]}"


def is_aside_name(project: str, name: str) -> bool:
    match = _ASIDE.match(name)
    return match is not None and match.group("project") == container_name(project)


def name_of(container: Mapping[str, Any]) -> str:
    """A container's name, of what inspect shows; the engine puts a slash before it."""
    return str(container["Name"]).lstrip("/")


def short_id(image_id: str) -> str:
    """What a person reads of an image's id: twelve digits, without the name of the hash."""
    return image_id.partition(":")[2][:12]


def proxy_name(project: str) -> str:
    """The container of a project's proxy. No project's name has a dot, so it is no project's container."""
    return f"berth-{project}.proxy"


def open_network(project: str) -> str:
    return f"berth-{project}.open"


def inner_network(project: str) -> str:
    """The one that a project with restricted egress shares with its proxy alone."""
    return f"berth-{project}.inner"


def egress_network(project: str) -> str:
    """The one that its proxy goes out by."""
    return f"berth-{project}.egress"


def home_volume(project: str) -> str:
    return f"berth-{project}-home"


def agent_volume(project: str) -> str:
    return f"berth-{project}-agent"


def snapshot_repository(project: str) -> str:
    return f"berth/{project}"


def ownership_labels(project: str, scope: str) -> dict[str, str]:
    """The labels of what is ours."""
    return {MANAGED: "true", PROJECT: project, SCOPE: scope}
