# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scheduled tasks in the real base image: cron really runs them, with the project's environment, at the local time."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from base_image import base_image
from host_state_folder import HostState
from image_box import READY, Box, Put

pytestmark = [pytest.mark.slow_image, pytest.mark.skipif(os.geteuid() != 0, reason="gives files to the agent's uid")]

CLI = "/opt/berth/agents/bin/claude"
# Leaves one file a run, named for its prompt.
FAKE_AGENT = """#!/bin/sh
[ "$*" != --version ] || exit 0
prompt=$(cat)
env >/tmp/env-$prompt
echo "arguments=$*" "folder=$(pwd)" "user=$(id -un)" "zone=$(date +%Z)" >>/tmp/ran-$prompt
echo said-$prompt
[ $prompt != long ] || sleep 70
"""
TAKE = [{"kind": "schedule", "source": "schedule.json", "target": ".local/state/berth/schedule"}]
ZONE = timezone(timedelta(hours=5, minutes=30))


def task(name: str, cron: str = "* * * * *") -> dict[str, str]:
    return {"name": name, "cron": cron, "prompt": name, "workspace": "/workspace"}


def schedule_here() -> str:
    """Declared tasks: one each minute, one that takes longer than that, one that is due by local time, one by UTC."""
    now = datetime.now(ZONE)
    local = ",".join(str((now + timedelta(minutes=minutes)).hour) for minutes in (0, 5))
    utc = ",".join(str((now - timedelta(hours=6, minutes=-minutes)).hour) for minutes in (0, 5))
    return json.dumps(
        [task("each"), task("long"), task("local", f"* {local} * * *"), task("other-zone", f"* {utc} * * *")]
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> HostState:
    return HostState(tmp_path_factory.mktemp("schedule") / "berth")


class Hardened:
    """An engine's client whose containers can gain no privilege by a program: none is setuid or setgid there."""

    def __init__(self, api: Any) -> None:
        self._api = api

    def __getattr__(self, name: str) -> Any:
        return getattr(self._api, name)

    def create_host_config(self, **options: Any) -> Any:
        return self._api.create_host_config(security_opt=["no-new-privileges"], **options)


@pytest.fixture(scope="module")
def one(api: Any, folder: HostState) -> Iterator[Box]:
    """A container that has run its tasks for two minutes."""
    folder.declare({"schedule.json": schedule_here(), "env/claude/MY_TOKEN": "s3cret"}, TAKE)
    made = Box(
        Hardened(api),
        base_image(),
        env={"TZ": "Asia/Kolkata", "PROJECT_VARIABLE": "a b\nc", "PATH": "/opt/mine/bin:/usr/local/bin:/usr/bin:/bin"},
        binds=[folder.bind],
    )
    try:
        made.start()
        made.read("rm", CLI)
        made.put([Put(CLI, FAKE_AGENT)])
        deadline = time.monotonic() + 150
        while "skipped" not in made.run("berth-schedule", "notifications")[1]:
            assert time.monotonic() < deadline, made.run("berth-schedule", "notifications")[1]
            time.sleep(1)
        yield made
    finally:
        made.remove()


def ran(one: Box, name: str) -> list[str]:
    return one.run("cat", f"/tmp/ran-{name}")[1].splitlines()


def test_a_declared_task_runs_each_minute_in_its_workspace_as_the_agent(one: Box) -> None:
    assert READY in one.lines()
    assert set(ran(one, "each")) == {"arguments=-p folder=/workspace user=agent zone=IST"}
    assert "said-each" in one.read("berth-schedule", "logs", "each")


def test_its_environment_is_the_projects_and_its_secrets_are_there(one: Box) -> None:
    environment = one.read("cat", "/tmp/env-each")
    assert "PROJECT_VARIABLE=a b\nc\n" in environment
    assert "PATH=/opt/mine/bin:/usr/local/bin:/usr/bin:/bin" in environment
    assert "MY_TOKEN=s3cret" in environment
    assert one.read("stat", "-c", "%U %a", "/dev/shm/berth/environment") == "agent 400"


def test_nothing_of_the_environment_is_in_a_snapshot(one: Box) -> None:
    assert "PROJECT_VARIABLE=" in one.read("cat", "/dev/shm/berth/environment")
    assert one.run("grep", "-rl", "PROJECT_VARIABLE=", "/run", "/var", "/etc", "/home")[1] == ""


def test_it_is_due_by_the_projects_time_zone(one: Box) -> None:
    assert len(ran(one, "local")) >= 1
    assert one.run("test", "-e", "/tmp/ran-other-zone")[0] == 1


def test_a_task_that_runs_still_is_left_out_and_told(one: Box) -> None:
    told = one.read("berth-schedule", "notifications")
    assert "skipped" in told
    assert "the run before has not ended" in told


def test_the_agent_schedules_itself_and_nobody_else_reads_it(one: Box) -> None:
    add = ("berth-schedule", "add", "--name", "own", "--cron", "0 4 * * *", "--prompt", "own")
    assert one.run(*add, user="agent", workdir="/workspace") == (0, "")
    assert "own" in one.read("berth-schedule", "list")
    assert one.read("stat", "-c", "%U %a", "/var/spool/cron/crontabs/agent") == "agent 600"
    assert one.run("berth-schedule", "run", "own", user="agent")[1] == "said-own\n"
    assert one.run("find", "/home/agent/.local", "-perm", "/077")[1] == ""


def test_the_health_check_notices_that_cron_is_gone(one: Box) -> None:
    assert one.run("/usr/local/lib/berth/healthcheck") == (0, "")
    one.read("sh", "-c", "kill $(cat /run/crond.pid); sleep 0.5")
    status, output = one.run("/usr/local/lib/berth/healthcheck", user="agent")
    assert (status, output) == (1, "cron does not run, so the scheduled tasks do not; restart the container\n")


def test_a_restart_has_cron_and_the_crontab_again(one: Box) -> None:
    one.read("rm", "-f", "/var/spool/cron/crontabs/agent")
    one.api.kill(one.id)
    assert one.start() == [READY]
    assert "berth-schedule due each" in one.read("cat", "/var/spool/cron/crontabs/agent")
    assert one.run("/usr/local/lib/berth/healthcheck") == (0, "")


def test_what_is_declared_no_more_goes_and_the_agents_own_stays(one: Box, folder: HostState) -> None:
    folder.declare({}, [])
    assert one.run("/usr/local/lib/berth/takeover")[0] == 0
    tasks = [line.split()[0] for line in one.read("berth-schedule", "list").splitlines()]
    assert tasks == ["NAME", "own"]
    assert one.read("grep", "-c", "berth-schedule", "/var/spool/cron/crontabs/agent") == "1"
