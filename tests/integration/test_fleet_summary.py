# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the end of a run over several hosts says, also where hosts failed, could not be reached, or none was left."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from fleet import NOBODY, SAID_OF_NOBODY, Fleet, summary

CORE_217 = os.environ.get("BERTH_CORE_217")
MOST_TASKS = 3


@pytest.fixture
def mixed(fleet: Fleet) -> Fleet:
    """Of five hosts one cannot be reached, and one lacks the image of one of its three projects."""
    fleet.add("fine-1", "fine-2", "fine-3", "broken")
    fleet.add("gone", **NOBODY)
    for host in ("fine-1", "fine-2", "fine-3", "gone"):
        fleet.hosts[host]["berth_projects"] = [fleet.project(host)]
    lacking = fleet.project("broken", "lacking", image="berth-nosuch:1")
    fleet.hosts["broken"]["berth_projects"] = [*(fleet.project("broken", name) for name in ("one", "two")), lacking]
    return fleet


def check_mixed(mixed: Fleet, programs: Path | None) -> None:
    options = {"programs": programs} if programs else {}
    first = mixed.run(**options)
    assert first.rc != 0
    head, *lines = summary(first)
    assert head == "5 hosts: 1 failed, 1 unreachable, 3 changed"
    assert lines[0].split()[:3] == ["failed", "broken", f"{mixed.name('broken', 'lacking')}:"]
    assert "berth-nosuch:1" in lines[0]
    assert lines[1].strip() == "besides: create 2"
    assert lines[2].startswith("  unreachable   gone ")
    assert any(words in lines[2] for words in SAID_OF_NOBODY), lines[2]
    assert {tuple(line.split()) for line in lines[3:6]} == {
        ("changed", f"fine-{number}", "create", mixed.name(f"fine-{number}")) for number in (1, 2, 3)
    }
    assert first.stdout.index("PLAY RECAP") < first.stdout.index("SUMMARY ***")

    second = mixed.run(**options)
    head, *lines = summary(second)
    assert head == "5 hosts: 1 failed, 1 unreachable, 3 unchanged"
    assert "fine-1" not in "".join(lines)


def test_what_became_of_each_host_is_told_and_what_matters_first(mixed: Fleet) -> None:
    check_mixed(mixed, None)


@pytest.mark.skipif(not CORE_217, reason="BERTH_CORE_217 does not say where ansible-core 2.17 is; make test does")
def test_it_is_told_on_the_oldest_core_as_well(mixed: Fleet) -> None:
    check_mixed(mixed, Path(CORE_217 or ""))


def test_it_is_told_even_if_no_host_is_left(fleet: Fleet) -> None:
    fleet.add(*(f"gone{number}" for number in range(1, 4)), **NOBODY)
    fleet.variables["berth_projects"] = [fleet.project("gone")]
    head, line, *_rest = summary(fleet.run())
    assert head == "3 hosts: 3 unreachable"
    assert line.startswith("  unreachable   gone[1-3] (3)  ")


def test_hosts_of_which_the_same_is_to_be_told_are_one_line(fleet: Fleet) -> None:
    fleet.add(*(f"web{number:02}" for number in range(1, 11)))
    fleet.variables["berth_projects"] = [fleet.project("any", workspaces=[{"path": "/not/there"}])]
    head, line, reason, *rest = summary(fleet.run("--forks", "2"))
    assert head == "10 hosts: 10 failed"
    assert f"project {fleet.name('any')}: /not/there" in reason
    assert line.startswith("  failed        web[01-10] (10)  ")
    assert [text for text in rest if text] == []


def test_an_unchanged_run_of_several_hosts_takes_three_tasks_a_host_at_most(fleet: Fleet) -> None:
    fleet.add("one", "two")
    for host in fleet.hosts:
        fleet.hosts[host]["berth_projects"] = [fleet.project(host)]
    fleet.run().succeeded()
    again = fleet.run().succeeded()
    assert summary(again)[0] == "2 hosts: 2 unchanged"
    for host in fleet.hosts:
        own = [result.task for result in again.results if result.host == host]
        assert len(own) <= MOST_TASKS, own
        assert sum(again.recap[host].values()) == len(own)
        assert [result.action for result in again.results if result.host == host and result.status == "ok"][-1:] == [
            "berth.projects.container"
        ]
    assert not [result for result in again.results if "setup" in result.action or "gather" in result.action]


def test_a_run_of_one_host_has_no_summary(fleet: Fleet) -> None:
    fleet.add("alone")
    fleet.hosts["alone"]["berth_projects"] = [fleet.project("alone")]
    assert summary(fleet.run().succeeded()) == []
    again = fleet.run().succeeded()
    assert len([result for result in again.results if result.status != "skipped"]) == 1


def test_what_is_wrong_in_the_variables_is_told_once_and_not_again_at_the_end(fleet: Fleet) -> None:
    fleet.add("one", "two")
    fleet.hosts["two"]["berth_projects"] = [{"nme": "x"}]
    run = fleet.run()
    assert "berth_projects[0].nme: is not a known key" in run.messages
    assert summary(run) == []


def test_a_playbook_of_ones_own_has_it_if_it_is_enabled(fleet: Fleet) -> None:
    fleet.add("one", "two")
    for host in fleet.hosts:
        fleet.hosts[host]["berth_projects"] = [fleet.project(host)]
    own = fleet.folder / "own.yml"
    own.write_text("- hosts: all\n  gather_facts: false\n  roles: [berth.projects.projects]\n")
    enabled = {"ANSIBLE_CALLBACKS_ENABLED": "results_to_file,berth.projects.summary"}
    assert summary(fleet.run(playbook=str(own), environment=enabled).succeeded())[0] == "2 hosts: 2 changed"
    assert summary(fleet.run(playbook=str(own)).succeeded()) == []
    once = fleet.run(environment=enabled).succeeded()
    assert once.stdout.count("SUMMARY ***") == 1


def test_a_playbook_of_ones_own_works_on_the_engine_that_is_named(fleet: Fleet) -> None:
    fleet.add("one", berth_engine={"docker_host": "unix:///nowhere/engine.sock"}, berth_prepare=False)
    fleet.hosts["one"]["berth_projects"] = [fleet.project("one")]
    own = fleet.folder / "own.yml"
    own.write_text("- hosts: all\n  gather_facts: false\n  roles: [berth.projects.projects]\n")
    run = fleet.run(playbook=str(own))
    assert run.rc != 0
    assert "unix:///nowhere/engine.sock" in run.messages


@pytest.mark.parametrize("core", [None, CORE_217])
def test_variables_of_the_play_count_for_every_host(fleet: Fleet, core: str | None) -> None:
    """Ansible's ``hostvars`` does not have them, so what looks at other hosts needs another way."""
    fleet.add("one", "two")
    plan = fleet.folder / "plan.json"
    for host in fleet.hosts:
        fleet.hosts[host].update(project_name=fleet.name(host), allowed=["example.com"])
    project = {"name": "{{ project_name }}", "state": "stopped", "network": {"allow": "{{ allowed }}"}}
    play = {
        "hosts": "all",
        "gather_facts": False,
        "vars": {
            "berth_projects": [project],
            "berth_project_defaults": {"network": {"egress": "restricted"}},
            "berth_plan_file": str(plan),
            "berth_prune": True,
            "berth_prepare": False,
            "berth_egress_image": fleet.tiny,
        },
        "roles": ["berth.projects.projects"],
    }
    own = fleet.folder / "own.yml"
    own.write_text(json.dumps([play]))
    enabled = {"ANSIBLE_CALLBACKS_ENABLED": "results_to_file,berth.projects.summary"}
    options = {"programs": Path(core)} if core else {}
    fleet.run("--check", playbook=str(own), environment=enabled, **options).succeeded()
    told = json.loads(plan.read_text())["hosts"]
    assert {host: [one["action"] for one in entry["projects"]] for host, entry in told.items()} == {
        "one": ["create"],
        "two": ["create"],
    }


@pytest.mark.parametrize("core", [None, CORE_217])
def test_a_variable_of_another_host_that_cannot_be_resolved_stops_the_run_before_any_host(
    fleet: Fleet, core: str | None
) -> None:
    fleet.add("one", "two")
    for host in fleet.hosts:
        fleet.hosts[host]["berth_projects"] = [fleet.project(host)]
    fleet.hosts["two"]["berth_env"] = {"STAGE": "{{ stagee }}"}
    run = fleet.run(**({"programs": Path(core)} if core else {}))
    assert "host two: berth_env: cannot be resolved" in run.messages
    assert not [result for result in run.results if result.action == "berth.projects.container"]
