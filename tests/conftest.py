# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every test may use: an engine that answers, and names on it that are cleaned up."""

from __future__ import annotations

import fcntl
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from engine_names import Namespace, engine_client, remove_everything

ENGINE_PLAY = """
- hosts: localhost
  gather_facts: false
  roles: [berth.projects.engine]
"""


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> None:
    """An engine that answers: the role `engine` installs and starts one where none does."""
    shared = tmp_path_factory.getbasetemp().parent
    with (shared / "engine.lock").open("w") as lock:  # the workers of pytest-xdist come here together
        fcntl.flock(lock, fcntl.LOCK_EX)
        with suppress(Exception):
            engine_client().ping()
            return
        play = shared / "engine.yml"
        play.write_text(ENGINE_PLAY)
        config = shared / "ansible.cfg"
        config.touch()
        command = [Path(sys.executable).with_name("ansible-playbook"), "-i", "localhost,", "-c", "local", play]
        started = subprocess.run(
            [*command, "-e", f"ansible_python_interpreter={sys.executable}"],
            env={**os.environ, "ANSIBLE_CONFIG": str(config)},
            capture_output=True,
            text=True,
            check=False,
        )
        if started.returncode != 0:
            pytest.exit(f"No Docker engine answers, and starting one failed:\n{started.stdout}{started.stderr}")


@pytest.fixture(scope="session")
def api(engine: None) -> Iterator[Any]:
    """A low-level client of the engine, ``docker.APIClient``."""
    client = engine_client()
    yield client
    client.close()


@pytest.fixture
def namespace(api: Any) -> Iterator[Namespace]:
    """A prefix for the names of projects, and a scope: ``namespace.project("one")``."""
    own = Namespace(f"t{secrets.token_hex(4)}")
    yield own
    remove_everything(api, own)
