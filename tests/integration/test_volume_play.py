# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module ``volume`` in a play: options, group defaults, warnings and errors as Ansible has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from engine_names import Namespace
from host import TestHost
from volume_host import VolumeHost

from playbooks import run_playbook

PLAY = """
- hosts: all
  gather_facts: false
  module_defaults:
    group/berth.projects.berth:
      scope: "{{ scope }}"
      state_dir: "{{ state }}"
  tasks:
    - berth.projects.volume: {project: "{{ project }}", action: backup, archive: "{{ archive }}"}
    - berth.projects.volume: {project: "{{ project }}", action: remove, volumes: [agent]}
    - berth.projects.volume: {project: "{{ project }}", action: restore, archive: "{{ archive }}", volumes: agent}
    - berth.projects.volume: {project: "{{ project }}"}
    - berth.projects.volume: {project: "{{ project }}", action: remove}
"""


def test_a_play_backs_up_and_restores(api: Any, namespace: Namespace, tiny: str, tmp_path: Path) -> None:
    host = VolumeHost(api, namespace, tmp_path / "state")
    host.make("home")
    (host.make("agent") / "login").write_text("secret")
    user = namespace.container()
    host.container(tiny, user, start=True)
    play = tmp_path / "play.yml"
    play.write_text(PLAY)
    archive = tmp_path / "backup.tar"
    variables = {
        "project": host.project,
        "scope": namespace.scope,
        "state": str(host.state_dir),
        "archive": str(archive),
    }
    run = run_playbook(play, tmp_path, variables=variables)
    backup, removed, restored, listed, refused = run.of("berth.projects.volume")
    assert [task.status for task in (backup, removed, restored, listed)] == ["ok"] * 4
    assert f"{user} runs and uses {host.name()}: files that change during the backup" in run.output
    assert backup.result["archive"] == str(archive)
    assert "warnings" not in listed.result
    assert [volume["size"] for volume in listed.result["volumes"]] == [0, len("secret")]
    assert refused.status == "failed"
    assert f"The volume {host.name()} is used by {user} (running). Nothing was removed." in refused.result["msg"]
    assert run.recap["localhost"]["changed"] == 3
    assert "DEPRECAT" not in run.output


@pytest.mark.parametrize("action", ["backup", "restore"])
def test_an_archive_must_be_named(namespace: Namespace, engine: None, tmp_path: Path, action: str) -> None:
    play = tmp_path / "play.yml"
    play.write_text(f"- hosts: all\n  tasks: [berth.projects.volume: {{project: web, action: {action}}}]\n")
    run = run_playbook(play, tmp_path)
    assert "all of the following are missing: archive" in run.messages


def test_a_project_goes_on_where_it_was(host: TestHost, namespace: Namespace, tmp_path: Path) -> None:
    """Its container is made by Berth, before and after its volumes come from an archive."""
    project, scope = namespace.project(), {"scope": host.scope}
    volumes = VolumeHost(host.api, namespace, host.state_dir)
    archive = tmp_path / "backup.tar"
    host.provision({"name": project})
    host.run(project, "sh", "-c", "echo mine > ~/notes; echo login > ~/.claude/login")
    backup = volumes.run("backup", archive, **scope)
    assert [volume["in_use_by"] for volume in backup["volumes"]] == [[namespace.container()]] * 2
    host.api.remove_container(namespace.container(), force=True)
    volumes.run("remove", **scope)
    volumes.run("restore", archive, **scope)
    assert host.provision({"name": project}).only["error"] is None
    assert host.run(project, "sh", "-c", "cat ~/notes ~/.claude/login") == "mine\nlogin\n"
    host.run(project, "sh", "-c", "echo more >> ~/notes")
    assert not host.provision({"name": project}).changed
