# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role `engine` on this machine, in ways that leave its engine alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from playbooks import Run, run_playbook

PLAY = """
- hosts: all
  gather_facts: false
  roles: [berth.projects.engine]
"""
# Where this machine's engine is not, so that the role finds none.
NO_ENGINE = {"engine_socket": "/nonexistent/docker.sock", "engine_program_folders": ["/nonexistent"]}

AS_NOBODY = {
    "ansible_become": True,
    "ansible_become_user": "nobody",
    "ansible_become_method": "ansible.builtin.su",
    "ansible_become_flags": "-s /bin/sh",
    "ansible_python_interpreter": "/usr/bin/python3",
}


def run_role(folder: Path, overrides: dict[str, Any] | None = None, *arguments: str) -> Run:
    play = folder / "engine.yml"
    play.write_text(PLAY)
    return run_playbook(play, folder, arguments=[*arguments, "-e", json.dumps(overrides or {})])


def said(run: Run) -> list[str]:
    return [str(result.result["msg"]) for result in run.of("ansible.builtin.debug") if result.status == "ok"]


def test_leaves_a_working_engine_alone(engine: None, tmp_path: Path) -> None:
    run = run_role(tmp_path).succeeded()
    assert run.changed == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="without root the role stops before it plans anything")
def test_check_mode_says_what_a_real_run_would_do(tmp_path: Path) -> None:
    run = run_role(tmp_path, NO_ENGINE, "--check").succeeded()
    install, start = said(run)
    assert "Would install a Docker engine from the distribution's packages: docker.io" in install
    assert "Would start the Docker engine" in start
    assert run.changed == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="without root the role stops before it looks at the distribution")
def test_an_unknown_distribution_gets_advice(tmp_path: Path) -> None:
    run = run_role(tmp_path, {**NO_ENGINE, "engine_known_distributions": []}, "--check")
    assert run.rc != 0
    assert "Berth installs a Docker engine on Debian and Ubuntu only, and this host runs" in run.messages
    assert "https://docs.docker.com/engine/install/" in run.messages


def test_a_python_of_the_users_own_without_the_sdk_gets_advice(engine: None, tmp_path: Path) -> None:
    python = tmp_path / "venv" / "bin" / "python3"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    run = run_role(tmp_path, {"ansible_python_interpreter": str(python)})
    assert run.rc != 0
    assert f"{python} -m pip install docker" in run.messages
    assert run.changed == 0


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("su"), reason="becomes another user, which needs root and su")
class TestWithoutRoot:
    def test_nothing_is_started_but_told_who_can(self, tmp_path: Path) -> None:
        run = run_role(tmp_path, {**NO_ENGINE, **AS_NOBODY})
        assert "nobody may neither install nor start one" in run.messages, run.output

    def test_a_socket_without_rights_is_told_from_a_missing_engine(self, engine: None, tmp_path: Path) -> None:
        run = run_role(tmp_path, AS_NOBODY)
        assert "/var/run/docker.sock is there, but nobody may not write to it" in run.messages, run.output
        assert "usermod -aG" in run.messages
