# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Upgrades of several hosts: they stop at a failure, the next run goes on there, and anything can be narrowed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fleet import NOBODY, Fleet, actions, summary
from tiny_image import build_tiny_image

UPGRADE = "berth.projects.upgrade"
CORE_217 = os.environ.get("BERTH_CORE_217")
HOSTS = ("host1", "host2", "host3", "host4")


class Rolling:
    """Four hosts with two projects each, on an image whose name can be given to another."""

    def __init__(self, fleet: Fleet, api: Any) -> None:
        self.fleet, self._api = fleet, api
        self._name = f"berth-test-{fleet.namespace.prefix}"
        fleet.add(*HOSTS)
        for host in HOSTS:
            self.tag(host, fleet.tiny)
            projects = [fleet.project(host, name, image=f"{self._name}:{host}") for name in ("one", "two")]
            fleet.hosts[host].update(berth_projects=projects, berth_ready_timeout=20)
        fleet.run().succeeded()

    def tag(self, host: str, image: str) -> None:
        self._api.tag(image, self._name, host, force=True)

    def newer_image(self) -> None:
        newer = build_tiny_image(self._api, ("LABEL test.rolling=1",))
        for host in HOSTS:
            self.tag(host, newer)

    def upgrade(self, *arguments: str, **options: Any) -> Any:
        return self.fleet.run(*arguments, playbook=UPGRADE, **options)

    def outdated(self) -> list[str]:
        """The projects, as ``host1-one``, that an upgrade would change."""
        shown = self.fleet.run("--check", "-e", "berth_serial=100%", playbook=UPGRADE)
        return [
            f"{host}-{name}"
            for host in HOSTS
            for name in ("one", "two")
            if actions(shown, host)[self.fleet.name(host, name)] != "none"
        ]

    def remove(self) -> None:
        for host in HOSTS:
            self._api.remove_image(f"{self._name}:{host}", force=True)


@pytest.fixture
def rolling(fleet: Fleet, api: Any) -> Iterator[Rolling]:
    made = Rolling(fleet, api)
    made.newer_image()
    yield made
    made.remove()


def all_of(*hosts: str) -> list[str]:
    return [f"{host}-{name}" for host in hosts for name in ("one", "two")]


def test_an_upgrade_that_failed_goes_on_where_it_stopped(rolling: Rolling) -> None:
    right = rolling.fleet.hosts["host2"]["berth_projects"]
    rolling.fleet.hosts["host2"]["berth_projects"] = [
        rolling.fleet.project("host2", name, image="berth-nosuch:1") for name in ("one", "two")
    ]
    stopped = rolling.upgrade()
    assert stopped.rc != 0
    assert summary(stopped)[0] == "4 hosts: 1 failed, 2 not begun, 1 changed"
    assert "  not begun     host[3-4] (2)  the run ended before them" in summary(stopped)
    assert not stopped.of("berth.projects.container", "host3")

    rolling.fleet.hosts["host2"]["berth_projects"] = right
    assert rolling.outdated() == all_of("host2", "host3", "host4")
    again = rolling.upgrade().succeeded()
    assert summary(again)[0] == "4 hosts: 3 changed, 1 unchanged"
    assert rolling.outdated() == []


def test_a_host_that_cannot_be_reached_is_passed_over_and_done_by_the_next_run(rolling: Rolling) -> None:
    rolling.fleet.hosts["host2"].update(NOBODY)
    passed = rolling.upgrade()
    assert passed.rc != 0
    assert summary(passed)[0] == "4 hosts: 1 unreachable, 3 changed"
    for name in NOBODY:
        del rolling.fleet.hosts["host2"][name]
    assert rolling.outdated() == all_of("host2")
    rolling.upgrade().succeeded()
    assert rolling.outdated() == []


def test_of_a_batch_only_those_are_passed_over_that_cannot_be_reached(rolling: Rolling) -> None:
    rolling.fleet.hosts["host1"].update(NOBODY)
    passed = rolling.upgrade("-e", "berth_serial=2")
    assert summary(passed)[0] == "4 hosts: 1 unreachable, 3 changed"


@pytest.mark.parametrize("core", [None, CORE_217])
def test_a_failure_ends_the_run_also_where_another_host_cannot_be_reached(rolling: Rolling, core: str | None) -> None:
    rolling.fleet.hosts["host1"].update(NOBODY)
    rolling.fleet.hosts["host2"]["berth_projects"][0] = rolling.fleet.project("host2", "one", image="berth-nosuch:1")
    stopped = rolling.upgrade("-e", "berth_serial=2", **({"programs": Path(core)} if core else {}))
    assert summary(stopped)[0] == "4 hosts: 1 failed, 1 unreachable, 1 not begun, 1 changed"
    assert not stopped.of("berth.projects.container", "host4")


def test_batches_end_with_the_one_that_has_a_failure(rolling: Rolling) -> None:
    wrong = rolling.fleet.project("host1", "two", image="berth-nosuch:1")
    right = rolling.fleet.hosts["host1"]["berth_projects"][1]
    rolling.fleet.hosts["host1"]["berth_projects"][1] = wrong
    stopped = rolling.upgrade("-e", "berth_serial=2")
    head, *lines = summary(stopped)
    assert head == "4 hosts: 1 failed, 2 not begun, 1 changed"
    assert "besides: replace 1" in "\n".join(lines)
    rolling.fleet.hosts["host1"]["berth_projects"][1] = right
    assert rolling.outdated() == ["host1-two", *all_of("host3", "host4")]
    rolling.upgrade("-e", "berth_serial=2").succeeded()
    assert rolling.outdated() == []


def test_all_variables_are_checked_before_the_first_batch_and_only_then(rolling: Rolling) -> None:
    rolling.fleet.hosts["host4"]["berth_parallel"] = 0
    refused = rolling.upgrade()
    assert "host host4: berth_parallel: must be from 1 to 64" in refused.messages
    assert not [result for result in refused.results if result.action == "berth.projects.container"]
    del rolling.fleet.hosts["host4"]["berth_parallel"]
    done = rolling.upgrade("--check").succeeded()
    checks = [result for result in done.results if result.action == "berth.projects.validate" and result.status == "ok"]
    assert len(checks) == 1


def test_hosts_and_projects_narrow_an_upgrade_and_any_other_playbook(rolling: Rolling) -> None:
    only = ["--limit", "host3,host2", "-e", f"berth_only={rolling.fleet.name('host2', 'two')}"]
    rolling.upgrade(*only).succeeded()
    assert rolling.outdated() == ["host1-one", "host1-two", "host2-one", *all_of("host3", "host4")]
    for playbook in ("provision", "snapshot", "status"):
        run = rolling.fleet.run(*only, playbook=f"berth.projects.{playbook}").succeeded()
        assert list(run.projects("host2")) == [rolling.fleet.name("host2", "two")], playbook
        assert not [result for result in run.results if result.host in ("host1", "host4")]
        assert not run.projects("host3")
