# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From nothing to an agent at work: the playbook, the real base image, the real engine."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from engine_names import Namespace

from playbooks import run_playbook

PROVISION = "berth.projects.provision"

pytestmark = pytest.mark.slow_image


def docker_exec(api: Any, container: str, *command: str, user: str = "") -> str:
    made = api.exec_create(container, list(command), user=user)
    output: str = api.exec_start(made["Id"]).decode()
    assert api.exec_inspect(made["Id"])["ExitCode"] == 0, output
    return output.strip()


@pytest.fixture
def repository(folder: Path) -> Path:
    """A git repository of an ordinary user."""
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", folder], check=True)
    subprocess.run(["chown", "-R", "4321:4321", folder], check=True)
    return folder


def wait_until_healthy(api: Any, container: str) -> None:
    """It is by now, or the engine says so when it happens: events from the container's start on are told again."""
    state = api.inspect_container(container)["State"]
    if state["Health"]["Status"] == "healthy":
        return
    for event in api.events(filters={"container": container, "event": "health_status"}, since=1, decode=True):
        assert event["status"] == "health_status: healthy", event
        return


def test_an_agent_finds_its_workplace_and_keeps_its_home_through_a_replace(
    repository: Path, namespace: Namespace, api: Any, tmp_path: Path
) -> None:
    project: dict[str, Any] = {
        "name": namespace.project(),
        "workspaces": [{"path": str(repository), "name": "app"}],
        "timezone": "Europe/Berlin",
        "healthcheck": {"interval": 1, "disk_limit": 100},
    }
    variables = {"berth_scope": namespace.scope, "berth_projects": [project]}
    run_playbook(PROVISION, tmp_path, variables=variables, timeout=1800).succeeded()
    container = namespace.container()

    for user in ("root", "agent"):
        assert "Claude Code" in docker_exec(api, container, "claude", "--version", user=user)
    assert docker_exec(api, container, "sh", "-c", "id -u; pwd; date +%Z", user="agent").split()[:2] == [
        "4321",
        "/workspace/app",
    ]
    assert docker_exec(api, container, "date", "+%Z") in ("CET", "CEST")
    commit = "git config --global user.email a@example.org; git config --global user.name A; echo 1 > f; git add f; "
    docker_exec(api, container, "bash", "-lc", f"{commit} git commit --quiet -m first", user="agent")
    assert (repository / "f").stat().st_uid == 4321
    docker_exec(api, container, "sudo", "true", user="agent")
    wait_until_healthy(api, container)

    project["env"] = {"STAGE": "two"}
    replaced = run_playbook(PROVISION, tmp_path, variables=variables).succeeded()
    assert replaced.projects()[project["name"]]["action"] == "replace"
    assert docker_exec(api, container, "bash", "-lc", "git config user.name", user="agent") == "A"
    assert run_playbook(PROVISION, tmp_path, variables=variables).succeeded().changed == 0

    afresh = run_playbook(
        PROVISION, tmp_path, variables=variables, arguments=["--check", "-e", "berth_image_rebuild=true"]
    )
    assert "then build on it without the cache" in afresh.succeeded().stdout
