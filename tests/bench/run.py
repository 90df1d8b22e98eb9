# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times an unchanged run of the whole playbook against a play of one ping, on the same inventory, in turns.

    make bench                  50 projects, 5 rounds; then a replace
    tests/bench/run.py 50 500   these numbers of projects

The projects are made on the local engine, from an image of 2 MB, in a scope of their own, and removed at the end.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

from bench_replace import replacing
from engine_names import Namespace, engine_client, remove_everything
from rows import ROUNDS, Row, timed
from tiny_image import build_tiny_image

BIN = Path(sys.executable).parent
PING = "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.ping:\n"


def main(sizes: Sequence[int]) -> None:
    print("| work | Berth | against | ratio | target |\n|---|---|---|---|---|", flush=True)
    for size in sizes:
        print(unchanged(size), flush=True)
    for mebibytes in (0, 500):
        print(replacing(mebibytes), flush=True)


def unchanged(size: int) -> Row:
    """Provision ``size`` projects that are as declared already."""
    api = engine_client()
    namespace = Namespace(f"bench{size}")
    remove_everything(api, namespace)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "inventory.json").write_text(json.dumps(inventory(size, namespace, folder, build_tiny_image(api))))
        (folder / "ping.yml").write_text(PING)
        (folder / "ansible.cfg").touch()
        try:
            play(folder, "berth.projects.provision")
            rounds = [
                (timed(lambda: play(folder, "berth.projects.provision")), timed(lambda: play(folder, "ping.yml")))
                for _round in range(ROUNDS + 1)
            ][1:]  # the first warms the caches
        finally:
            remove_everything(api, namespace)
            api.close()
    seconds, against = zip(*rounds)
    work = f"unchanged run of {size} projects, against a play of one ping"
    return Row(work, seconds, against, target=1.5 if size <= 50 else 2.5)


def inventory(size: int, namespace: Namespace, folder: Path, image: str) -> dict[str, Any]:
    """One host with ``size`` projects that use most of a definition."""
    projects = []
    for number in range(size):
        workspace = folder / f"work{number}"
        workspace.mkdir()
        projects.append(
            {
                "name": namespace.project(str(number)),
                "workspaces": [{"path": str(workspace)}],
                "ports": [{"host": 21000 + number, "container": 8000}],
                "env": {"STAGE": "bench", "NUMBER": number},
                "resources": {"cpus": 1, "memory": "128m", "pids": 100},
            }
        )
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "berth_scope": namespace.scope,
        "berth_state_dir": str(folder / "state"),
        "berth_image": image,
        "berth_projects": projects,
        "berth_project_defaults": {"user": {"uid": 1000}},
    }
    return {"all": {"hosts": {"bench": variables}}}


def play(folder: Path, playbook: str) -> None:
    command = [str(BIN / "ansible-playbook"), "-i", "inventory.json", playbook]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{playbook} failed:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [50])
