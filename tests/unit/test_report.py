# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people read: one line a project, one a reason, and a table."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.plugin_utils.report import diff_of, plan_lines, status_table


def entry(name: str = "web", action: str = "none", **keys: Any) -> dict[str, Any]:
    """One of ``projects`` in a module's result."""
    return {
        "name": name,
        "changed": action != "none",
        "action": action,
        "steps": [],
        "reasons": [],
        "container_id": None,
        "image": "berth-base:latest",
        "status": "running",
        "warnings": [],
        "error": None,
        **keys,
    }


def reason(aspect: str, before: Any, after: Any) -> dict[str, Any]:
    return {"aspect": aspect, "before": before, "after": after}


PORTS = reason("ports", {"127.0.0.1:1/tcp": 80}, {"127.0.0.1:1/tcp": None, "127.0.0.1:2/tcp": 80})

STOP = reason("state", "running", "stopped")


@pytest.mark.parametrize(
    ("projects", "check_mode", "lines"),
    [
        ([], False, []),
        ([entry()], False, ["h: 1 project unchanged"]),
        ([entry("a"), entry("b")], True, ["h: 2 projects unchanged"]),
        (
            [entry(action="replace", reasons=[PORTS])],
            False,
            [
                "h: web: replace",
                "    ports: 127.0.0.1:1/tcp: 80 → (none)",
                "    ports: 127.0.0.1:2/tcp: (none) → 80",
            ],
        ),
        (
            [entry(action="stop", reasons=[STOP]), entry("b")],
            True,
            ["h: web: would stop", "    state: running → stopped", "h: 1 project unchanged"],
        ),
        (
            [entry(reasons=[STOP])],
            False,
            ["h: web: waits", "    state: running → stopped"],
        ),
        (
            [entry(reasons=[STOP])],
            True,
            ["h: web: waits", "    state: running → stopped"],
        ),
        ([entry(error="It broke.")], False, ["h: web: failed"]),
        ([entry(action="replace", error="It broke.")], False, ["h: web: replace failed"]),
        (
            [entry(action="replace", reasons=[reason("env", {}, {})])],
            False,
            ["h: web: replace", "    env: made from another definition"],
        ),
        (
            [
                entry(
                    action="replace",
                    reasons=[reason("mounts", {"x": True}, {"x": False})],
                )
            ],
            False,
            ["h: web: replace", "    mounts: x: true → false"],
        ),
    ],
)
def test_a_run_is_one_line_a_project_and_one_a_reason(projects: Any, check_mode: bool, lines: list[str]) -> None:
    assert plan_lines("h", projects, check_mode) == lines


def test_a_diff_has_what_differs_before_and_after() -> None:
    projects = [entry("quiet"), entry(action="replace", reasons=[PORTS, reason("state", "absent", "started")])]
    assert diff_of("h", projects) == [
        {
            "before_header": "h: web (replace)",
            "after_header": "h: web (replace)",
            "before": "ports.127.0.0.1:1/tcp: 80\nstate: absent\n",
            "after": "ports.127.0.0.1:2/tcp: 80\nstate: started\n",
        }
    ]


def found(name: str = "web", action: str = "none", **keys: Any) -> dict[str, Any]:
    """One of ``projects`` in the result of module ``info``."""
    details: dict[str, Any] = {
        "health": "healthy",
        "health_log": None,
        "created": None,
        "age": "3 d",
        "ports": [],
        "image": "tool:1",
    }
    return {**entry(name, action), **details, **keys}


def host(*projects: dict[str, Any], orphans: Any = ()) -> dict[str, Any]:
    return {"projects": list(projects), "orphans": list(orphans)}


def test_the_table_lines_up_and_shows_what_is_not_there_as_a_dash() -> None:
    table = status_table(
        {
            "h1": host(found(ports=["127.0.0.1:1->80/tcp", "127.0.0.1:2->81/tcp"]), found("longer-name", "update")),
            "h2": host(found("new", "create", status="absent", health=None, age=None)),
        }
    )
    assert table.splitlines()[:4] == [
        "HOST  PROJECT      STATE    HEALTH   IMAGE   AGE  PORTS                                     PENDING",
        "h1    web          running  healthy  tool:1  3 d  127.0.0.1:1->80/tcp, 127.0.0.1:2->81/tcp  -",
        "h1    longer-name  running  healthy  tool:1  3 d  -                                         update",
        "h2    new          absent   -        tool:1  -    -                                         create",
    ]


def test_no_projects_are_told_in_words() -> None:
    assert status_table({}) == status_table({"h": host()}) == "No projects are declared."


def test_what_is_pending_and_what_is_worth_a_word_comes_below() -> None:
    project = found(action="replace", reasons=[PORTS], warnings=["base outdated"])
    assert status_table({"h": host(project)}).splitlines()[2:] == [
        "",
        "Notes:",
        "  h web: base outdated",
        "  h web: replace: ports: 127.0.0.1:1/tcp: 80 → (none)",
        "  h web: replace: ports: 127.0.0.1:2/tcp: (none) → 80",
    ]


def test_an_error_is_in_the_table_and_in_full_below() -> None:
    lines = status_table({"h": host(found(error="It is not ours."))}).splitlines()
    assert lines[1].endswith("error")
    assert lines[-1] == "  h web: It is not ours."


def test_what_waits_for_an_agent_at_work_is_told_as_waiting() -> None:
    lines = status_table({"h": host(found(reasons=[STOP]))}).splitlines()
    assert lines[1].split()[-1] == "waits"
    assert lines[2:] == ["", "Notes:", "  h web: waits: state: running → stopped"]


@pytest.mark.parametrize(
    ("kind", "words"),
    [("undeclared", "berth_prune removes it"), ("kept", "replaced or removed earlier"), ("stray", "left alone")],
)
def test_orphans_come_last_with_what_they_are(kind: str, words: str) -> None:
    orphan = {"kind": kind, "name": "berth-old", "status": "exited"}
    lines = status_table({"h": host(orphans=[orphan])}).splitlines()
    assert lines[:3] == ["No projects are declared.", "", "Not declared:"]
    assert lines[4].split()[:3] == ["h", "berth-old", "exited"] and words in lines[4]


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"memory": 4 * 1024**3}, "    resources: memory: (none) → 4096 MiB"),
        ({"nano_cpus": 1_500_000_000}, "    resources: nano_cpus: (none) → 1.5 CPUs"),
        ({"pids": 512}, "    resources: pids: (none) → 512"),
    ],
)
def test_what_the_engine_counts_in_small_units_is_told_in_those_of_people(values: dict[str, int], line: str) -> None:
    reason = {"aspect": "resources", "before": dict.fromkeys(values), "after": values}
    project = {"name": "web", "action": "update", "changed": True, "error": None, "reasons": [reason]}
    assert plan_lines("host", [project], check_mode=False)[1] == line
