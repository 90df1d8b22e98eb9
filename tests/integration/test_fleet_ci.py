# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Berth in continuous integration: the gate for drift, the plan as a file, and the examples of the documentation."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from fleet import NOBODY, SAID_OF_NOBODY, Fleet, actions, summary

from playbooks import BIN

ROOT = Path(__file__).resolve().parents[2]
GATE = ("--check", "-e", "berth_fail_on_drift=true")
PLAN = ("-e", "berth_plan_file=plan.json")


@pytest.fixture
def pair(fleet: Fleet) -> Fleet:
    """Two hosts as declared."""
    fleet.add("left", "right")
    for host in fleet.hosts:
        fleet.hosts[host]["berth_projects"] = [
            fleet.project(host, name, env={"A": "a private value"}) for name in ("one", "two")
        ]
    fleet.run().succeeded()
    return fleet


def plan_of(fleet: Fleet) -> dict[str, Any]:
    path = fleet.folder / "plan.json"
    assert path.stat().st_mode & 0o777 == 0o600
    read: dict[str, Any] = json.loads(path.read_text())
    path.unlink()
    return read


class TestTheGate:
    def test_is_open_where_nothing_would_change(self, pair: Fleet) -> None:
        assert pair.run(*GATE).succeeded().changed == 0

    def test_fails_for_each_host_that_would_change_after_all_were_looked_at(self, pair: Fleet) -> None:
        for host in pair.hosts:
            pair.hosts[host]["berth_projects"][0]["env"]["A"] = "another private value"
        pair.add("fine")
        run = pair.run(*GATE)
        assert run.rc != 0
        for host in ("left", "right"):
            (result,) = run.of("berth.projects.container", host)
            assert result.status == "failed"
            assert result.result["msg"].splitlines() == [
                "1 of 2 projects would change (berth_fail_on_drift):",
                f"- {pair.name(host)}: would replace (env)",
            ]
        assert run.of("berth.projects.container", "fine")[0].status == "ok"
        assert summary(run)[0] == "3 hosts: 2 would change, 1 unchanged"
        assert pair.run("--check").succeeded().changed == 2  # nothing was
        assert "private value" not in run.output

    def test_of_one_host_fails_as_well(self, pair: Fleet) -> None:
        pair.hosts = {"left": pair.hosts["left"]}
        pair.run(*GATE).succeeded()
        pair.hosts["left"]["berth_projects"][0]["state"] = "absent"
        run = pair.run(*GATE)
        assert run.rc != 0
        assert f"- {pair.name('left')}: would remove (state)" in run.messages

    def test_counts_what_pruning_would_remove(self, pair: Fleet) -> None:
        pair.hosts["left"]["berth_projects"].pop()
        pair.run(*GATE).succeeded()
        assert f"- {pair.name('left', 'two')}: would remove" in pair.run(*GATE, "-e", "berth_prune=true").messages

    @pytest.mark.parametrize("hosts", [1, 2])
    def test_is_refused_where_the_run_would_change_things(self, pair: Fleet, hosts: int) -> None:
        pair.hosts = dict(list(pair.hosts.items())[:hosts])
        pair.hosts["left"]["berth_projects"][0]["state"] = "absent"
        run = pair.run(*GATE[1:])
        assert "berth_fail_on_drift: is for --check, and this run would change things: add --check" in run.messages
        assert pair.run("--check").succeeded().changed == 1
        upgrade = pair.run(*GATE, playbook="berth.projects.upgrade")
        assert "berth_fail_on_drift: is for playbooks provision, start and stop, not for upgrade" in upgrade.messages


class TestThePlanAsAFile:
    def test_has_all_hosts_and_is_the_same_when_written_again(self, pair: Fleet) -> None:
        pair.hosts["left"]["berth_projects"][0]["env"]["A"] = "another private value"
        pair.hosts["right"]["berth_projects"].pop()
        pair.run("--check", *PLAN).succeeded()
        text = (pair.folder / "plan.json").read_text()
        plan = plan_of(pair)
        assert (plan["version"], plan["check"], plan["error"]) == (1, True, None)
        left, right = plan["hosts"]["left"], plan["hosts"]["right"]
        assert (left["status"], left["scope"]) == ("changed", pair.hosts["left"]["berth_scope"])
        assert [(one["name"], one["action"]) for one in left["projects"]] == [
            (pair.name("left"), "replace"),
            (pair.name("left", "two"), "none"),
        ]
        (reason,) = left["projects"][0]["reasons"]
        assert reason["aspect"] == "env" and reason["before"]["A"].startswith("#")
        assert right["status"] == "unchanged"
        assert {one["project"] for one in right["orphans"] if one["type"] != "image"} == {pair.name("right", "two")}
        assert "private value" not in text
        pair.run("--check", *PLAN, "--forks", "1").succeeded()
        assert (pair.folder / "plan.json").read_text() == text

    def test_of_a_real_run_is_what_was_done(self, pair: Fleet) -> None:
        pair.hosts["left"]["berth_projects"][0]["env"]["A"] = "another private value"
        run = pair.run(*PLAN).succeeded()
        plan = plan_of(pair)
        assert plan["check"] is False
        assert {one["name"]: one["action"] for one in plan["hosts"]["left"]["projects"]} == actions(run, "left")

    def test_is_written_also_where_hosts_failed_drifted_or_were_not_reached(self, pair: Fleet) -> None:
        pair.add("gone", **NOBODY, berth_projects=[{"name": "x"}])
        pair.hosts["left"]["berth_projects"] = [
            pair.project("left"),
            pair.project("left", "two", resources={"cpus": 9999}),
        ]
        pair.hosts["right"]["berth_projects"].append(pair.project("right", "three"))
        run = pair.run(*GATE, *PLAN)
        assert run.rc != 0
        hosts = plan_of(pair)["hosts"]
        assert {name: host["status"] for name, host in hosts.items()} == {
            "gone": "unreachable",
            "left": "failed",
            "right": "changed",
        }
        assert any(words in hosts["gone"]["error"] for words in SAID_OF_NOBODY), hosts["gone"]["error"]
        assert [bool(project["error"]) for project in hosts["left"]["projects"]] == [False, True]
        assert [project["action"] for project in hosts["right"]["projects"]] == ["none", "create", "none"]

    def test_of_a_run_that_was_refused_says_why(self, pair: Fleet) -> None:
        pair.hosts["left"]["berth_parallel"] = 0
        pair.run(*PLAN)
        plan = plan_of(pair)
        assert "berth_parallel: must be from 1 to 64" in plan["error"]
        assert {host["status"] for host in plan["hosts"].values()} == {"not_begun"}

    def test_of_one_host_is_written_as_well(self, pair: Fleet) -> None:
        pair.run("--limit", "left", *PLAN).succeeded()
        assert list(plan_of(pair)["hosts"]) == ["left"]

    @pytest.mark.parametrize("limit", ["left", "all"])
    def test_is_refused_before_any_change_if_it_cannot_be_written(self, pair: Fleet, limit: str) -> None:
        pair.hosts["left"]["berth_projects"][0]["state"] = "absent"
        run = pair.run("--limit", limit, "-e", "berth_plan_file=nowhere/plan.json")
        assert f"berth_plan_file: there is no folder {pair.folder}/nowhere on the control node" in run.messages
        assert pair.run("--check").succeeded().changed == 1


class TestTheExamples:
    """``examples/ci``, which ``docs/ci.md`` shows."""

    SCRIPT = ROOT / "examples" / "ci" / "drift.sh"
    WORKFLOW = ROOT / "examples" / "ci" / "github-workflow.yml"

    def gate(self, fleet: Fleet) -> subprocess.CompletedProcess[str]:
        """Run the script as a CI system does, in a checkout of the inventory."""
        return subprocess.run(
            [self.SCRIPT, "inventory.json"],
            cwd=fleet.folder,
            env={
                **os.environ,
                "ANSIBLE_CONFIG": str(fleet.folder / "ansible.cfg"),
                "PATH": f"{BIN}:{os.environ['PATH']}",
            },
            capture_output=True,
            text=True,
            check=False,
        )

    def test_the_script_passes_and_fails_and_says_what_would_change(self, pair: Fleet) -> None:
        pair.run().succeeded()
        passed = self.gate(pair)
        assert passed.returncode == 0, passed.stdout + passed.stderr
        assert "Nothing would change." in passed.stdout

        pair.hosts["left"]["berth_projects"][0]["env"]["A"] = "another"
        pair.run("--check").succeeded()  # which also writes the inventory
        failed = self.gate(pair)
        assert failed.returncode == 1
        assert f"left: {pair.name('left')}: replace" in failed.stdout.splitlines()
        assert json.loads((pair.folder / "plan.json").read_text())["hosts"]["left"]["status"] == "changed"

    def test_the_script_tells_failures_from_drift(self, pair: Fleet) -> None:
        pair.add("gone", **NOBODY, berth_projects=[{"name": "x"}])
        pair.run("--check")
        broken = self.gate(pair)
        assert broken.returncode == 2
        assert "gone: unreachable: " in broken.stdout

    def test_the_workflow_runs_that_script(self) -> None:
        workflow = yaml.safe_load(self.WORKFLOW.read_text())
        steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
        assert any("examples/ci/drift.sh" in step.get("run", "") for step in steps)

    def test_the_page_shows_the_very_files(self) -> None:
        page = (ROOT / "docs" / "ci.md").read_text()
        for path in (self.SCRIPT, self.WORKFLOW):
            content = path.read_text().split("SPDX-License-Identifier: GPL-3.0-or-later\n", 1)[1].strip()
            assert content in page, path.name
