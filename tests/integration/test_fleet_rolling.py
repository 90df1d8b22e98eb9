# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Upgrades host by host: they stop at a failure, and the next run goes on there."""

from __future__ import annotations

from typing import Any

import pytest
from fleet import Fleet, actions, summary
from tiny_image import build_tiny_image

UPGRADE = "berth.projects.upgrade"
HOSTS = ("host1", "host2", "host3")


@pytest.fixture
def newer(api: Any, fleet: Fleet) -> str:
    """Another image than what three hosts with a project each run on."""
    fleet.add(*HOSTS)
    for host in HOSTS:
        fleet.hosts[host]["berth_projects"] = [fleet.project(host, name) for name in ("one", "two")]
    fleet.run().succeeded()
    return build_tiny_image(api, ("LABEL test.newer=1",))


def upgraded(fleet: Fleet, image: str) -> list[str]:
    """The hosts whose projects all are on an image."""
    shown = fleet.run("--check", playbook="berth.projects.provision").succeeded()
    return [host for host in HOSTS if not any(project["reasons"] for project in shown.projects(host).values())]
