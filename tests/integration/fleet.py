# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several hosts for the playbooks, all on the one engine: each has a scope and a state folder of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine_names import Namespace

from playbooks import Run, run_playbook

PROVISION = "berth.projects.provision"
NOBODY = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_ssh_retries": 0}
"""Variables of a host that cannot be reached: nothing listens there."""

SAID_OF_NOBODY = ("Connection refused", "Data could not be sent to remote host")
"""What Ansible says of it: the words of ssh, or its own where ssh was still ending when the module was to be sent."""


@dataclass
class Fleet:
    """Hosts of one inventory.

    Args:
        folder: That of the test.
        tiny: The image of all projects.
        hosts: Variables by host; change them as an inventory is edited.
    """

    folder: Path
    namespace: Namespace
    tiny: str
    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)

    def add(self, *names: str, **variables: Any) -> None:
        for name in names:
            own = {
                "berth_scope": f"{self.namespace.scope}-{name}",
                "berth_state_dir": str(self.folder / "state" / name),
            }
            self.hosts[name] = {**own, **variables}

    def project(self, host: str, name: str = "one", **definition: Any) -> dict[str, Any]:
        """The definition of a project whose name no other host has: they share an engine."""
        return {"name": self.name(host, name), "state": "stopped", **definition}

    def name(self, host: str, name: str = "one") -> str:
        return self.namespace.project(f"{host}-{name}")

    def run(self, *arguments: str, playbook: str = PROVISION, **options: Any) -> Run:
        common: Mapping[str, Any] = {"berth_image": self.tiny, "berth_stop_timeout": 3, **self.variables}
        return run_playbook(playbook, self.folder, variables=common, hosts=self.hosts, arguments=arguments, **options)


def summary(run: Run) -> list[str]:
    """The lines of the summary at the end of a run; none if there is no summary."""
    _before, banner, end = run.stdout.partition("\nSUMMARY ***")
    return end.splitlines()[1:] if banner else []


def actions(run: Run, host: str) -> dict[str, str]:
    """By name, what a run did with the projects of a host."""
    return {name: project["action"] for name, project in run.projects(host).items()}
