# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What module ``info`` tells: the survey of a run that changes nothing, with what only people ask for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.aspects_mounted import actual_ports
from ansible_collections.berth.projects.plugins.module_utils.definition import Definition
from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.engine_volumes import VolumeStore
from ansible_collections.berth.projects.plugins.module_utils.fingerprint import Values
from ansible_collections.berth.projects.plugins.module_utils.info_network import (
    forwarded_ports,
    health_with_proxy,
    network_details,
)
from ansible_collections.berth.projects.plugins.module_utils.lineage import Snapshots
from ansible_collections.berth.projects.plugins.module_utils.orphans import Orphan
from ansible_collections.berth.projects.plugins.module_utils.records import Records
from ansible_collections.berth.projects.plugins.module_utils.request import request_from
from ansible_collections.berth.projects.plugins.module_utils.result import only_planned, result_of
from ansible_collections.berth.projects.plugins.module_utils.snapshot_work import describe
from ansible_collections.berth.projects.plugins.module_utils.survey import look_at_folders, survey
from ansible_collections.berth.projects.plugins.module_utils.times import age
from ansible_collections.berth.projects.plugins.module_utils.world import View


def look(params: Mapping[str, Any]) -> dict[str, Any]:
    """The result of module ``info``."""
    request, problems = look_at_folders(request_from(params))
    engine = Engine.connect(params)
    found = survey(engine, request, Records(request.site.state_dir))
    now = datetime.now(timezone.utc)
    projects = []
    for plan in found.plans:
        view, definition = found.views[plan.project], found.definitions.get(plan.project)
        wrong = problems.get(plan.project)
        told = plan.failed("; ".join(wrong)) if wrong else plan
        entry = result_of(told, view, definition, only_planned(told, view))
        kept = _snapshots(found.snapshots, view)
        details = _details(engine, view, definition, now)
        projects.append({**entry, "changed": False, "status": view.status, **details, **kept})
    orphans = measured(engine, found.orphans)
    return {"changed": False, "projects": projects, "orphans": [orphan.as_dict() for orphan in orphans]}


def _snapshots(snapshots: Snapshots, view: View) -> dict[str, Any]:
    """A project's snapshots, and the bytes that they take on top of their base."""
    return {
        "snapshots": describe(view.lineage, view.used_images()),
        "snapshots_size": snapshots.disk_use(view.lineage),
    }


def measured(engine: Engine, orphans: Iterable[Orphan]) -> list[Orphan]:
    """The orphans with the sizes that the engine has to look for; it is asked only if there are such."""
    found = list(orphans)
    sizes = VolumeStore(engine).sizes() if any(one.type == "volume" for one in found) else {}
    return [_measured(engine, one, sizes) for one in found]


def _measured(engine: Engine, orphan: Orphan, sizes: Mapping[str, int | None]) -> Orphan:
    if orphan.type == "volume":
        return replace(orphan, size=sizes.get(orphan.name))
    if orphan.type == "container":
        container = engine.container(orphan.id, size=True) or {}
        return replace(orphan, size=container.get("SizeRw") or 0)
    return orphan


def _details(engine: Engine, view: View, definition: Definition | None, now: datetime) -> dict[str, Any]:
    container, network = view.container, network_details(engine, view, definition)
    if container is None:
        return {"health": None, "health_log": None, "created": None, "age": None, "ports": [], **network}
    health = (container["State"].get("Health") or {}) if view.is_running else {}
    log = health.get("Log") or []
    failing = health.get("Status") == "unhealthy" and log
    status, problem = health_with_proxy(health.get("Status"), network, view.is_running)
    ports = {**actual_ports(container, {}), **forwarded_ports(view, definition)}
    return {
        "health": status,
        "health_log": problem or (log[-1].get("Output", "").strip() if failing else None),
        "created": container["Created"],
        "age": age(time_of_engine(container["Created"]), now),
        "ports": _ports(ports),
        **network,
    }


def time_of_engine(created: str) -> datetime:
    """An engine's timestamp, to the second."""
    return datetime.strptime(created[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)


def _ports(ports: Values) -> list[str]:
    """As ``docker ps`` shows them: ``127.0.0.1:8080->8000/tcp``."""
    keys = ((key.rpartition("/"), inside) for key, inside in ports.items())
    return sorted(f"{outside}->{inside}/{protocol}" for (outside, _slash, protocol), inside in keys)
