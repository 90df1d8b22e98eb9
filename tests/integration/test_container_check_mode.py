# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode tells what a real run then does, and touches nothing."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from engine_names import Namespace
from host import TestHost


def everything(host: TestHost) -> tuple[Any, ...]:
    """What there is on the engine and in the state folder, as far as a run could change it."""
    containers = host.api.containers(all=True)
    shown = [host.api.inspect_container(entry["Id"]) for entry in containers if host.scope in str(entry["Labels"])]
    volumes = sorted(
        volume["Name"] for volume in host.api.volumes()["Volumes"] or [] if host.scope in str(volume["Labels"])
    )
    files = {path: path.read_bytes() for path in sorted(host.state_dir.rglob("*")) if path.is_file()}
    return [(one["Id"], one["Name"], one["State"]["StartedAt"], one["HostConfig"]) for one in shown], volumes, files


def test_before_anything_exists_it_plans_creations_and_makes_nothing(
    host: TestHost, namespace: Namespace, folder: Path
) -> None:
    before = everything(host)
    result = host.provision({"name": namespace.project(), "workspaces": [{"path": str(folder)}]}, check=True)
    assert result.only["action"] == "create"
    assert everything(host) == before
    assert not host.state_dir.exists()


def test_every_kind_of_change_is_planned_and_none_made(host: TestHost, namespace: Namespace) -> None:
    names = {action: namespace.project(action) for action in ("replace", "update", "stop", "start", "remove", "none")}
    first = [{"name": name} for name in names.values()]
    host.provision(*first)
    host.api.stop(f"berth-{names['start']}", timeout=1)
    changes: dict[str, dict[str, Any]] = {
        "replace": {"env": {"A": "1"}},
        "update": {"resources": {"pids": 50}},
        "stop": {"state": "stopped"},
        "remove": {"state": "absent"},
    }
    second = [{"name": name, **changes.get(action, {})} for action, name in names.items()]

    before, since = everything(host), time.time_ns()
    planned = host.provision(*second, check=True)
    assert everything(host) == before
    assert planned.changed
    assert planned.actions == {name: action for action, name in names.items()}
    mine = {"label": f"berth.scope={host.scope}", "type": "container"}
    seconds = since // 10**9
    events = host.api.events(since=seconds, until=int(time.time()) + 1, filters=mine, decode=True)
    touched = {event["Action"] for event in events if event["timeNano"] > since} - {"top"}
    assert not [action for action in touched if not action.startswith(("exec_", "health_status"))]

    done = host.provision(*second)
    assert [project["steps"] for project in done.raw["projects"]] == [
        project["steps"] for project in planned.raw["projects"]
    ]


def test_a_volume_is_not_made_by_looking(host: TestHost, namespace: Namespace) -> None:
    host.provision({"name": namespace.project()}, check=True)
    volumes = [volume["Name"] for volume in host.api.volumes()["Volumes"] or []]
    assert not [name for name in volumes if namespace.prefix in name]
