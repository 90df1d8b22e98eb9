# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a snapshot's image says of itself: its configuration and its labels. Pure.

The engine merges a container's environment and labels into whatever image a commit makes. So a snapshot's configuration
is made anew from that of the image below, which knows nothing of the container.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.definition import normal_reference
from ansible_collections.berth.projects.plugins.module_utils.names import (
    SNAPSHOT_BASE,
    SNAPSHOT_BASE_ID,
    SNAPSHOT_BELOW,
    SNAPSHOT_CONTAINER,
    SNAPSHOT_FLAT,
    SNAPSHOT_LAYERS,
    SNAPSHOT_PACKAGES,
    SNAPSHOT_PARENT,
    SNAPSHOT_PART,
    SNAPSHOT_PROJECT,
    SNAPSHOT_SCOPE,
    SNAPSHOT_STOPPED_AT,
    SNAPSHOT_TAKEN,
    lineage_labels,
)

_KEPT = (
    "User",
    "ExposedPorts",
    "Env",
    "Entrypoint",
    "Cmd",
    "Volumes",
    "WorkingDir",
    "StopSignal",
    "Healthcheck",
    "Shell",
)
_KEPT_LABELS = (SNAPSHOT_BASE, SNAPSHOT_BASE_ID, SNAPSHOT_PACKAGES)
_OURS = "berth."
_SNAPSHOT = "berth.snapshot."

Config = Mapping[str, Any]


def snapshot_labels(
    container: Mapping[str, Any], below: Config, project: str, scope: str, tag: str, flat: bool, size_below: int = 0
) -> dict[str, str]:
    """The labels of a snapshot.

    Args:
        container: As ``GET /containers/{id}/json`` shows it.
        below: The configuration of the image that the container was made from.
        project: Whose it is.
        scope: The same.
        tag: When it is taken.
        flat: Whether all layers become one.
        size_below: The size of that image in bytes.
    """
    old = lineage_labels(below.get("Labels") or {}, project)
    root = {SNAPSHOT_BASE: normal_reference(container["Config"]["Image"]), SNAPSHOT_BASE_ID: container["Image"]}
    root.update({key: old[key] for key in _KEPT_LABELS if key in old})
    was_flat = old.get(SNAPSHOT_FLAT) == "true"
    return {
        **{key: value for key, value in old.items() if not key.startswith(_SNAPSHOT)},
        **root,
        SNAPSHOT_PROJECT: project,
        SNAPSHOT_SCOPE: scope,
        SNAPSHOT_TAKEN: tag,
        SNAPSHOT_PARENT: container["Image"],
        SNAPSHOT_BELOW: str(size_below),
        SNAPSHOT_CONTAINER: container["Id"],
        SNAPSHOT_STOPPED_AT: "" if container["State"]["Running"] else container["State"]["FinishedAt"],
        SNAPSHOT_LAYERS: "0" if flat else str(layers_below(below, project) + 1),
        **({SNAPSHOT_FLAT: "true"} if flat or was_flat else {}),
    }


def layers_below(config: Config, project: str) -> int:
    """How many snapshots of a project lie below, down to the root or to where they were flattened."""
    text = lineage_labels(config.get("Labels") or {}, project).get(SNAPSHOT_LAYERS, "")
    return int(text) if text.isdigit() else 0


def clean_config(below: Config, labels: Mapping[str, str]) -> dict[str, Any]:
    """The configuration of a snapshot: that of the image below, with the snapshot's labels."""
    return {**{key: below[key] for key in _KEPT if below.get(key)}, "Labels": dict(labels)}


def config_without_image(container: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration to go on with where the image below is gone: the container's, without what is its own.

    Which variables are the image's cannot be told any more, so only the path is kept.
    """
    config = container["Config"]
    labels = {key: value for key, value in (config.get("Labels") or {}).items() if _is_of_image(key)}
    path = [entry for entry in config.get("Env") or [] if entry.startswith("PATH=")]
    kept = {key: config[key] for key in _KEPT if config.get(key) and key not in ("Env", "ExposedPorts", "Volumes")}
    return {**kept, "Env": path, "Labels": labels}


def covering_config(container: Mapping[str, Any], below: Config, labels: Mapping[str, str]) -> dict[str, Any]:
    """What to give a commit so that nothing of the container's own is left in the image's configuration.

    For stores that take no configuration without its layers. A variable without a value un-sets it in containers made
    from the image; a label cannot be un-set, but an empty one owns nothing.
    """
    own = dict(_pair(entry) for entry in below.get("Env") or [])
    env = {**{key: None for key, _value in map(_pair, container["Config"].get("Env") or [])}, **own}
    return {
        **clean_config(below, {**_emptied(container), **labels}),
        "Env": [key if value is None else f"{key}={value}" for key, value in sorted(env.items())],
    }


def part_config(container: Mapping[str, Any], owner: str) -> dict[str, Any]:
    """What to give the commit whose image lives only until its layers have another configuration.

    Args:
        container: As ``GET /containers/{id}/json`` shows it.
        owner: ``<scope>/<project>``.
    """
    return {"Labels": {**_emptied(container), SNAPSHOT_PART: owner}}


def _pair(entry: str) -> tuple[str, str | None]:
    key, equals, value = entry.partition("=")
    return key, value if equals else None


def _is_of_image(label: str) -> bool:
    return not label.startswith(_OURS) or label.startswith(_SNAPSHOT) or label == f"{_OURS}contract"


def _emptied(container: Mapping[str, Any]) -> dict[str, str]:
    """Berth's own labels of a container without their values: a commit cannot leave them out."""
    return {key: "" for key in container["Config"].get("Labels") or {} if key.startswith(_OURS)}
