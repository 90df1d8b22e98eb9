# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people read of a run: one line a project, one a reason, one for each thing that goes."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.terms import APPLYING
from ansible_collections.berth.projects.plugins.plugin_utils.report import diff_of, plan_lines, warnings_of


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
        "snapshot": None,
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
    assert plan_lines("host", [entry(action="update", reasons=[reason])], check_mode=False)[1] == line


IMAGE = reason("image", {"reference": "tool:1"}, {"reference": "tool:2"})
UPGRADE = f"image change pending: {APPLYING}"


@pytest.mark.parametrize(
    ("reasons", "word"),
    [([IMAGE], "waits for upgrade"), ([IMAGE, STOP], "waits")],
)
def test_a_changed_image_that_is_held_waits_for_an_upgrade(reasons: Any, word: str) -> None:
    assert plan_lines("h", [entry(reasons=reasons, warnings=[UPGRADE])], False)[0] == f"h: web: {word}"


@pytest.mark.parametrize(
    ("step", "line"),
    [
        ("replace", "kept: berth/web:20260102T030405678901Z"),
        ("remove", "kept: berth/web:20260102T030405678901Z"),
        (
            "replace from tool:2",
            "to go back: berth.projects.restore -e berth_only=web -e berth_snapshot=20260102T030405678901Z",
        ),
    ],
)
def test_the_way_back_is_told_where_the_new_container_does_not_go_on_with_the_old(step: str, line: str) -> None:
    done = entry(action=step.split(maxsplit=1)[0], steps=[step], snapshot="berth/web:20260102T030405678901Z")
    assert plan_lines("h", [done], False) == [f"h: web: {step.split(maxsplit=1)[0]}", f"    {line}"]


ALL = reason("data", "all there is", "none")


def loss(kind: str, name: str, size: int | None, kept: str | None = None) -> dict[str, Any]:
    return {"kind": kind, "name": name, "size": size, "kept": kept}


def test_what_would_go_is_told_one_line_a_thing_and_what_it_comes_to() -> None:
    losses = [loss("container", "berth-web", 12_000_000), loss("volume", "berth-web-home", 1_500_000_000)]
    erased = entry(action="remove", steps=["erase", "create"], reasons=[ALL], losses=losses)
    assert plan_lines("h", [erased], True, "reset") == [
        "h: web: would reset",
        "    data: all there is → none",
        "    goes for good: container berth-web (12 MB)",
        "    goes for good: volume berth-web-home (1.5 GB)",
        "    goes for good: 1.5 GB in all",
    ]
    assert plan_lines("h", [erased], False, "reset") == ["h: web: reset", "    data: all there is → none"]


def test_a_size_that_the_engine_cannot_tell_makes_the_sum_a_least_one() -> None:
    losses = [loss("snapshot", "berth/web:1", 2_000), loss("volume", "berth-web-home", None)]
    lines = plan_lines("h", [entry(action="remove", steps=["erase"], losses=losses)], True, "destroy")
    assert lines[1:] == [
        "    goes for good: snapshot berth/web:1 (2.0 kB)",
        "    goes for good: volume berth-web-home (size not known)",
        "    goes for good: at least 2.0 kB in all",
    ]


def test_what_a_plain_destroy_keeps_is_told() -> None:
    losses = [loss("container", "berth-web", 0, "kept as a snapshot")]
    gone = entry(action="remove", steps=["remove"], reasons=[reason("state", "running", "absent")], losses=losses)
    assert plan_lines("h", [gone], True, "destroy") == [
        "h: web: would remove",
        "    state: running → absent",
        "    goes: container berth-web (0 B), kept as a snapshot",
        "    stays: snapshots and volumes",
    ]


def test_nothing_is_said_to_go_where_a_run_does_nothing() -> None:
    waiting = entry(reasons=[ALL], losses=[loss("container", "berth-web", 0)])
    assert plan_lines("h", [waiting], True, "reset") == ["h: web: waits", "    data: all there is → none"]


def test_warnings_are_told_with_where_they_belong() -> None:
    assert warnings_of("h", [entry(), entry("api", warnings=["careful"])]) == ["host h, project api: careful"]
