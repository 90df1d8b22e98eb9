# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of all hosts as a file, and the gate for drift."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.plugin_utils.drift import drift_message, gate_problems
from ansible_collections.berth.projects.plugins.plugin_utils.host_runs import HostRun
from ansible_collections.berth.projects.plugins.plugin_utils.plan_file import checked_place, plan_data, write_plan

RUNS = [
    HostRun("web2").after_loss("no route"),
    HostRun("web1").after_result({"projects": [{"name": "b"}, {"name": "a"}], "orphans": [{"name": "o"}]}),
]


def test_all_hosts_are_in_it_by_name() -> None:
    data = plan_data(RUNS, {"web1": "default"}, True, None)
    assert list(data["hosts"]) == ["web1", "web2"]
    assert (data["version"], data["check"], data["error"]) == (1, True, None)
    assert data["hosts"]["web1"] == {
        "scope": "default",
        "status": "unchanged",
        "projects": [{"name": "a"}, {"name": "b"}],
        "orphans": [{"name": "o"}],
        "needs": [],
        "error": None,
    }
    assert (data["hosts"]["web2"]["status"], data["hosts"]["web2"]["error"]) == ("unreachable", "no route")


def test_the_order_in_which_hosts_answered_does_not_matter(tmp_path: Path) -> None:
    for name, runs in (("one", RUNS), ("two", RUNS[::-1])):
        write_plan(str(tmp_path / name), plan_data(runs, {}, False, None))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_it_takes_the_place_of_an_older_one_as_a_whole_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text("old")
    path.chmod(0o644)
    old = path.stat().st_ino
    write_plan(str(path), plan_data(RUNS, {}, False, None))
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_ino != old
    assert json.loads(path.read_text())["version"] == 1
    assert os.listdir(tmp_path) == ["plan.json"]


def test_one_that_cannot_be_written_leaves_none_of_an_earlier_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "plan.json"
    path.write_text("old")

    def full_disk(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(BerthError, match=r"berth_plan_file: .*plan\.json cannot be written: No space left on device"):
        write_plan(str(path), {})
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("path", "told"), [("nowhere/plan.json", "there is no folder"), ("folder", "is a folder")])
def test_a_place_that_is_none(tmp_path: Path, path: str, told: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(BerthError, match=f"berth_plan_file: .*{told}"):
        checked_place(str(tmp_path / path))


def test_a_relative_place_begins_where_the_run_was_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert checked_place("plan.json") == str(tmp_path / "plan.json")


@pytest.mark.parametrize(
    ("operation", "check_mode", "told"),
    [
        ("provision", True, None),
        ("state", True, None),
        ("provision", False, "is for --check"),
        ("upgrade", True, "not for upgrade"),
        ("destroy", False, "not for destroy"),
    ],
)
def test_what_can_be_a_gate_for_drift(operation: str, check_mode: bool, told: str | None) -> None:
    problems = gate_problems(operation, check_mode)
    assert (problems == []) if told is None else (told in problems[0])


def test_drift_is_told_by_project_and_aspect() -> None:
    reasons = [{"aspect": "ports"}, {"aspect": "env"}, {"aspect": "env"}]
    projects = [
        {"name": "web", "changed": True, "action": "replace", "reasons": reasons},
        {"name": "api", "changed": False, "action": "none", "reasons": []},
        {"name": "old", "changed": True, "action": "remove", "reasons": []},
    ]
    assert drift_message(projects, []).splitlines() == [
        "2 of 3 projects would change (berth_fail_on_drift):",
        "- web: would replace (env, ports)",
        "- old: would remove",
    ]


def test_what_the_host_lacks_is_drift_as_well() -> None:
    assert drift_message([], ["image", "proxy"]).splitlines() == [
        "0 of 0 projects would change (berth_fail_on_drift):",
        "- the host lacks image, proxy",
    ]
