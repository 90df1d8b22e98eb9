# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The oldest that a host may have: Python 3.9 and Docker SDK 5.0.3."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bare_image import bare_image
from engine_names import Namespace

from playbooks import run_playbook

PROVISION = "berth.projects.provision"
CERTIFICATES = Path("/usr/local/share/ca-certificates")
INSTALL = """
set -e
apt-get update -qq
apt-get install -y -qq --no-install-recommends python3-minimal python3-pip ca-certificates
update-ca-certificates
pip3 install --quiet docker==5.0.3 'requests<2.29' 'urllib3<2'
"""

pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(os.geteuid() != 0, reason="debootstrap needs root"),
]


@pytest.fixture
def old_python(api: Any, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A program that runs Debian 11's Python on this engine's host, as far as Berth can tell."""
    binds = ["/var/run/docker.sock:/var/run/docker.sock", f"{tmp_path}:{tmp_path}", f"{CERTIFICATES}:{CERTIFICATES}:ro"]
    image = bare_image(api, "bullseye", tmp_path_factory.mktemp("root"))
    environment = {"PIP_CERT": "/etc/ssl/certs/ca-certificates.crt", "DEBIAN_FRONTEND": "noninteractive"}
    host_config = {"Binds": binds, "Init": True}
    made = api.create_container(image, ["sleep", "infinity"], environment=environment, host_config=host_config)
    try:
        api.start(made["Id"])
        install = api.exec_create(made["Id"], ["bash", "-c", INSTALL])
        output = api.exec_start(install["Id"]).decode()
        assert api.exec_inspect(install["Id"])["ExitCode"] == 0, output
        program = tmp_path / "old-python"
        program.write_text(f'#!/bin/sh\nexec docker exec -i {made["Id"]} python3 "$@"\n')
        program.chmod(0o755)
        yield program
    finally:
        api.remove_container(made["Id"], force=True)


def test_provision_works_with_the_oldest_python_and_sdk(
    old_python: Path, namespace: Namespace, tiny: str, folder: Path, tmp_path: Path
) -> None:
    project: dict[str, Any] = {"name": namespace.project(), "workspaces": [{"path": str(folder)}]}
    variables: dict[str, Any] = {
        "ansible_python_interpreter": str(old_python),
        "berth_scope": namespace.scope,
        "berth_image": tiny,
        "berth_projects": [project],
    }

    def provision() -> Any:
        return run_playbook(PROVISION, tmp_path, variables=variables).succeeded()

    assert provision().projects()[project["name"]]["action"] == "create"
    assert provision().changed == 0
    project["resources"] = {"pids": 50, "cpus": 0.5}
    assert provision().projects()[project["name"]]["action"] == "update"
    project["env"] = {"A": "1"}
    assert provision().projects()[project["name"]]["action"] == "replace"
    assert provision().changed == 0
