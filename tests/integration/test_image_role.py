# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Role ``image`` from end to end: the real base image, and what an agent finds in it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import docker
import pytest
from image_box import READY, Box

PLAYBOOK = """
- name: Have the base image
  hosts: all
  gather_facts: false
  tasks:
    - name: Use the role
      ansible.builtin.import_role:
        name: berth.projects.image
"""
TOOLS = [
    *("git", "curl", "wget", "gcc", "make", "ssh", "tree", "vim", "jq", "rg", "tmux", "cron", "sudo"),
    *("python3", "pip", "pytest", "black", "flake8", "mypy"),
    *("node", "npm", "yarn", "pnpm", "tsc", "eslint", "prettier", "claude"),
]
VERSION_OF = {"ssh": "ssh -V", "tmux": "tmux -V", "cron": "test -x /usr/sbin/cron"}

Play = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    def run(*options: str) -> subprocess.CompletedProcess[str]:
        playbook = tmp_path / "play.yml"
        playbook.write_text(PLAYBOOK)
        command = [str(Path(sys.executable).parent / "ansible-playbook"), str(playbook), "-i", "host,", *options]
        command += ["-e", "ansible_connection=local", "-e", f"ansible_python_interpreter={sys.executable}"]
        environment = {**os.environ, "ANSIBLE_FORCE_COLOR": "false", "ANSIBLE_NOCOLOR": "true"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return run


def changed(done: subprocess.CompletedProcess[str]) -> int:
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"changed=(\d+)", done.stdout)
    assert found
    return int(found.group(1))


def test_check_mode_says_what_would_be_made(play: Play) -> None:
    done = play("--check", "-e", "berth_image_base=nothing.invalid/os:1")
    assert changed(done) == 1
    assert "A real run would pull nothing.invalid/os:1, then build on it" in done.stdout


def test_a_variable_that_is_not_allowed_fails_before_the_engine_is_asked(play: Play) -> None:
    done = play("-e", "{berth_image_apt_packages: ['curl; id']}", "-e", "docker_host=unix:///nowhere")
    assert done.returncode != 0
    assert "berth_image_apt_packages: allowed is a list" in done.stdout + done.stderr


@pytest.fixture(scope="module")
def box() -> Iterator[Callable[..., Box]]:
    boxes: list[Box] = []

    def make(**options: object) -> Box:
        boxes.append(Box(docker.APIClient(version="auto"), "berth-base:latest", **options))  # type: ignore[arg-type]
        return boxes[-1]

    yield make
    for one in boxes:
        one.remove()


@pytest.mark.slow_image
def test_the_role_makes_the_image_once_and_an_agent_can_work_in_it(play: Play, box: Callable[..., Box]) -> None:
    changed(play())
    assert changed(play()) == 0
    one = box(
        env={"BERTH_UID": "1234", "BERTH_GID": "1234", "BERTH_WORKSPACES": "/workspace/a"},
        volumes=["/workspace/a", "/home/agent", "/home/agent/.claude"],
    )
    assert one.start() == [READY]
    missing = {tool: one.run("sh", "-c", VERSION_OF.get(tool, f"{tool} --version"), user="agent") for tool in TOOLS}
    assert {tool: output for tool, (status, output) in missing.items() if status != 0} == {}
    assert one.run("sudo", "id", "-u", user="agent") == (0, "0\n")
    assert one.run("claude", "--version") == one.run("claude", "--version", user="agent")
    assert "Claude Code" in one.read("claude", "--version")
    assert one.run("/usr/local/lib/berth/healthcheck") == (0, "")
    assert one.read("find", "/home/agent", "!", "-user", "agent") == ""
