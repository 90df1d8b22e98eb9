# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The start of an image that has cron, in a tiny image with a program of that name: the environment, and obstacles."""

from __future__ import annotations

import io
import tarfile
from typing import Any, Callable

import pytest
from image_box import READY, Box, Put

SPOOL = "/var/spool/cron/crontabs"
ENVIRONMENT = "/dev/shm/berth/environment"
CRON = (
    Put("/bin/cron", "#!/bin/sh\n:\n"),
    Put("/var/spool/"),
    Put("/var/spool/cron/"),
    Put(f"{SPOOL}/", uid=1000, gid=1000),
)
SECRET = "only-in-the-environment"


def test_the_environment_is_for_the_agent_alone_and_in_no_layer(api: Any, box: Callable[..., Box]) -> None:
    one = box(env={"PROJECT_VARIABLE": f"{SECRET}\nb", "PATH": "/nowhere"}, put=CRON)
    assert one.start() == [READY]
    content = one.read("/bin/cat", ENVIRONMENT).split("\0")
    assert {f"PROJECT_VARIABLE={SECRET}\nb", "PATH=/nowhere", "HOME=/home/agent"} <= set(content)
    assert one.read("/bin/stat", "-c", "%U %a", ENVIRONMENT, "/dev/shm/berth").split() == [
        "agent",
        "400",
        "agent",
        "700",
    ]
    exported = io.BytesIO(b"".join(api.export(one.id)))
    assert SECRET.encode() not in exported.getvalue()
    with tarfile.open(fileobj=exported) as tar:
        assert "run/berth/ready" in tar.getnames()
    one.api.kill(one.id)
    assert one.start() == [READY]
    assert SECRET in one.read("/bin/cat", ENVIRONMENT)


@pytest.mark.parametrize(
    "obstacle",
    [
        Put(f"{SPOOL}/.agent.berth-new/", uid=1000),
        Put(f"{SPOOL}/.agent.berth-new", uid=1000, target="/etc/passwd"),
        Put(f"{SPOOL}/agent/", uid=1000),
        Put(f"{SPOOL}/agent", uid=1000, target="/etc/passwd"),
        Put("/run/crond.pid/"),
        Put("/bin/cron", "#!/bin/sh\nexit 1\n"),
    ],
)
def test_nothing_about_cron_keeps_the_container_from_starting(box: Callable[..., Box], obstacle: Put) -> None:
    one = box(put=[*CRON, obstacle])
    lines = one.start()
    assert lines[-1] == READY
    assert all(line.startswith("berth: warning: ") for line in lines[:-1])
    assert one.owner("/etc/passwd") == "0:0"


def test_an_account_file_that_cannot_be_written_for_cron_is_a_warning(box: Callable[..., Box]) -> None:
    group = "root:x:0:\nagent:x:1000:\ncrontab:x:101:\n"
    one = box(put=[*CRON, Put("/etc/group", group), Put("/etc/group.berth/"), Put("/etc/group.berth/x/")])
    lines = one.start()
    assert lines[-1] == READY
    assert any("cannot write /etc/group" in line for line in lines)
    assert not any(line.startswith("berth: error: ") for line in lines)
