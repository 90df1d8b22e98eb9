# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an unchanged run ships and loads. No clock is looked at; docs/speed.md says what each is worth in time."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.aspect import Site
from ansible_collections.berth.projects.plugins.module_utils.plan import Policy
from ansible_collections.berth.projects.plugins.module_utils.request import Request
from ansible_collections.berth.projects.plugins.module_utils.survey import look_at_folders
from ansible_collections.berth.projects.tests.unit.builders import definition

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
COLLECTION = "ansible_collections.berth.projects.plugins"
MODULE_UTILS = f"{COLLECTION}.module_utils."

MOST_FILES = 50
MOST_BYTES = 285_000

CHANGING = [
    "apply",
    "engine_images",
    "engine_volumes",
    "erase",
    "host_writer",
    "image_build",
    "image_debootstrap",
    "info",
    "launch",
    "packages_build",
    "reconcile",
    "replace",
    "snapshot_work",
    "snapshots",
    "volume_actions",
    "volume_archive",
    "volume_backup",
    "volume_restore",
    "volume_restores",
    "volume_tar",
    "volumes",
]
"""Of ``module_utils``, what only a run that changes something needs, or another module."""

HEAVY = [
    "asyncio",
    "docker",
    "email",
    "http.client",
    "logging",
    "multiprocessing",
    "requests",
    "ssl",
    "subprocess",
    "urllib.request",
]
"""What takes long to import, and is not needed to read a local engine."""

AGENT = [
    "agent_claude",
    "agent_credentials",
    "agent_mcp",
    "agent_skills",
    "auth",
    "cron",
    "host_state",
    "rules_agent",
    "templates",
]
"""Of ``plugin_utils``, what only projects need that declare something for the agent."""

PLANNING = ["aspects", "lineage", "orphans", "plan", "plan_provision", "planner", "records", "survey", "world"]
"""Of ``module_utils``, what plans; that is the host's part."""


def shipped(module: str) -> dict[str, Path]:
    """The files of ``module_utils`` that Ansible sends along with a module: whatever is imported anywhere in them."""
    found: dict[str, Path] = {}
    waiting = [PLUGINS / "modules" / f"{module}.py"]
    while waiting:
        for name in imported_in(waiting.pop()):
            path = PLUGINS / "module_utils" / f"{name}.py"
            if name not in found and path.exists():
                found[name] = path
                waiting.append(path)
    return found


def imported_in(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    return [name[len(MODULE_UTILS) :] for name in names if name.startswith(MODULE_UTILS)]


def loaded_by(statement: str) -> set[str]:
    """The modules that Python has loaded after an import that were not there for Ansible's own sake."""
    script = (
        "import ansible.module_utils.basic, ansible.plugins.action, json, sys\n"
        f"before = set(sys.modules)\n{statement}\nprint(json.dumps(sorted(set(sys.modules) - before)))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    return set(json.loads(done.stdout))


def test_module_plan_ships_little() -> None:
    files = shipped("plan")
    size = sum(path.stat().st_size for path in files.values())
    largest = sorted(files, key=lambda name: -files[name].stat().st_size)[:10]
    assert len(files) <= MOST_FILES, f"{len(files)} files: {', '.join(sorted(files))}"
    assert size <= MOST_BYTES, f"{size} bytes, the most of them in {', '.join(largest)}"


def test_module_plan_ships_nothing_that_could_change_a_thing() -> None:
    assert not set(CHANGING) & set(shipped("plan"))


def test_what_is_not_to_be_shipped_is_called_as_it_is_here() -> None:
    for folder, names in (("module_utils", [*CHANGING, *PLANNING]), ("plugin_utils", AGENT)):
        assert [name for name in names if not (PLUGINS / folder / f"{name}.py").exists()] == []


def test_module_plan_loads_nothing_heavy() -> None:
    assert not set(HEAVY) & loaded_by(f"import {COLLECTION}.modules.plan")


@pytest.mark.parametrize("action", ["container", "plan", "validate"])
def test_the_control_node_loads_neither_the_planner_nor_what_is_for_agents(action: str) -> None:
    loaded = loaded_by(f"import {COLLECTION}.action.{action}")
    assert not {f"{COLLECTION}.plugin_utils.{name}" for name in AGENT} & loaded
    assert not {f"{MODULE_UTILS}{name}" for name in PLANNING} & loaded


@pytest.mark.parametrize("count", [10, 40])
def test_links_are_followed_once_a_path_and_not_for_each_pair_of_projects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    followed = []
    real = os.path.realpath

    def counting(path: Any, **options: Any) -> Any:
        followed.append(path)
        return real(path, **options)

    projects = [definition(name=f"p{number}", workspaces=[{"path": str(tmp_path)}]) for number in range(count)]
    names = frozenset(project.name for project in projects)
    request = Request(tuple(projects), names, Site(str(tmp_path / "state"), "default"), Policy(), parallel=1)
    monkeypatch.setattr(os.path, "realpath", counting)
    look_at_folders(request)
    assert len(followed) <= 5 * count
