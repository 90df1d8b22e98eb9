# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role ``egress``: the image of the proxy is made where it is missing, and nothing is done where it is not wanted."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Callable

import pytest
from proxy_image import proxy_image

PLAYBOOK = """
- name: Have the image of the proxy
  hosts: all
  gather_facts: false
  tasks:
    - name: Use the role
      ansible.builtin.import_role:
        name: berth.projects.egress
"""

Play = Callable[..., "tuple[int, str]"]


@pytest.fixture
def play(engine: None, tmp_path: Path) -> Play:
    """Runs the role; returns how many tasks have changed something, and the output."""

    def run(*options: str) -> tuple[int, str]:
        playbook = tmp_path / "play.yml"
        playbook.write_text(PLAYBOOK)
        command = [str(Path(sys.executable).parent / "ansible-playbook"), str(playbook), "-i", "host,", *options]
        command += ["-e", "ansible_connection=local", "-e", f"ansible_python_interpreter={sys.executable}"]
        environment = {**os.environ, "ANSIBLE_FORCE_COLOR": "false", "ANSIBLE_NOCOLOR": "true"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        found = re.search(r"changed=(\d+)", done.stdout)
        assert done.returncode == 0 and found, done.stdout + done.stderr
        return int(found[1]), done.stdout

    return run


@pytest.mark.slow_image
def test_an_image_that_is_current_is_left_alone(play: Play) -> None:
    proxy_image()
    assert play()[0] == 0
    assert play("--check")[0] == 0


def test_check_mode_says_what_would_be_made(play: Play) -> None:
    changed, output = play("--check", "-e", "berth_image_base=nothing.invalid/os:1")
    assert changed == 1
    assert "A real run would pull nothing.invalid/os:1, then build on it" in output


def test_where_another_image_is_named_nothing_is_done(play: Play) -> None:
    named = ("-e", "berth_egress_image=registry.invalid/other:1", "-e", "berth_image_base=nothing.invalid/os:1")
    changed, output = play(*named)
    assert changed == 0
    assert "skipped=1" in output
