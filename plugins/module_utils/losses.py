# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run takes away for good, or out of sight. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.engine_volumes import VolumeStore
from ansible_collections.berth.projects.plugins.module_utils.names import name_of
from ansible_collections.berth.projects.plugins.module_utils.plan import Policy
from ansible_collections.berth.projects.plugins.module_utils.terms import ERASING
from ansible_collections.berth.projects.plugins.module_utils.world import View


@dataclass(frozen=True)
class Loss:
    """One thing that goes. ``size`` in bytes, None where the engine does not tell it; ``kept`` says how it stays."""

    kind: str
    name: str
    size: int | None
    kept: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def losses_of(engine: Engine, view: View, sizes: Mapping[str, int | None], with_data: bool) -> list[Loss]:
    """What goes with a project's container, or with all its data.

    Args:
        engine: Asked for the sizes of the containers.
        view: What there is of it.
        sizes: Those of the engine's volumes, by name, in bytes.
        with_data: Whether snapshots and volumes go, too.
    """
    kept = None if with_data else "kept as a snapshot"
    containers = [one["Id"] for one in (view.container, view.unproven and view.unproven.container) if one]
    if with_data:
        containers += [one["Id"] for one in view.asides if one["Id"] not in containers]
    found = (engine.container(container_id, size=True) for container_id in containers)
    losses = [Loss("container", name_of(one), one.get("SizeRw") or 0, kept) for one in found if one]
    if with_data:
        losses += [Loss("snapshot", one.reference, one.own_size) for one in view.lineage.snapshots]
        losses += [Loss("volume", name, sizes.get(name)) for name in view.volumes]
    return losses


def losses_by_project(
    engine: Engine, projects: Iterable[str], views: Mapping[str, View], policy: Policy
) -> dict[str, list[Loss]]:
    """By project, what the run takes away; nothing for operations that take nothing.

    Sizes of volumes are asked for only here, because they take long.
    """
    if policy.operation not in ERASING:
        return {}
    with_data = policy.operation == "reset" or policy.destroy_data
    sizes = VolumeStore(engine).sizes() if with_data else {}
    return {project: losses_of(engine, views[project], sizes, with_data) for project in projects}
