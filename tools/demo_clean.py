# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove one project with everything that it keeps on this machine: python3 tools/demo_clean.py NAME"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import docker
from ansible_collections.berth.projects.plugins.module_utils.records import default_state_dir


def main(project: str) -> None:
    engine = docker.APIClient(version="auto")
    labels = ["berth.managed=true", f"berth.project={project}"]
    for container in engine.containers(all=True, filters={"label": labels}):
        print(f"demo: removing the container {container['Names'][0].lstrip('/')}")
        engine.remove_container(container["Id"], force=True)
    for network in engine.networks(filters={"label": labels}):
        print(f"demo: removing the network {network['Name']}")
        engine.remove_network(network["Id"])
    ours = {f"berth-{project}-home", f"berth-{project}-agent"}
    for volume in engine.volumes()["Volumes"] or []:
        if volume["Name"] in ours:
            print(f"demo: removing the volume {volume['Name']}")
            engine.remove_volume(volume["Name"])
    for image in engine.images(name=f"berth/{project}"):
        for tag in image["RepoTags"] or []:
            print(f"demo: removing the snapshot {tag}")
            engine.remove_image(tag)
    state = Path(default_state_dir())
    shutil.rmtree(state / "projects" / project, ignore_errors=True)
    (state / "records" / f"{project}.json").unlink(missing_ok=True)


if __name__ == "__main__":
    main(sys.argv[1])
