# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people read of hosts: projects, what is not declared, and snapshots, as tables."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.terms import APPLYING
from ansible_collections.berth.projects.plugins.plugin_utils.report_tables import (
    snapshot_lines,
    snapshot_table,
    status_table,
)
from ansible_collections.berth.projects.plugins.plugin_utils.text import size_text
from ansible_collections.berth.projects.tests.unit.test_report import IMAGE, PORTS, STOP, entry

UPGRADE = f"base outdated: {APPLYING}"


def found(name: str = "web", action: str = "none", **keys: Any) -> dict[str, Any]:
    """One of ``projects`` in the result of module ``info``."""
    details: dict[str, Any] = {
        "health": "healthy",
        "health_log": None,
        "created": None,
        "age": "3 d",
        "ports": [],
        "egress": "open",
        "runtime": "runc",
        "denied": 0,
        "denied_last": [],
        "image": "tool:1",
        "snapshots": [],
        "snapshots_size": 0,
    }
    return {**entry(name, action), **details, **keys}


def host(*projects: dict[str, Any], orphans: Any = ()) -> dict[str, Any]:
    return {"projects": list(projects), "orphans": list(orphans)}


def test_the_table_lines_up_and_shows_what_is_not_there_as_a_dash() -> None:
    table = status_table(
        {
            "h1": host(
                found(ports=["127.0.0.1:1->80/tcp"], snapshots=[{}, {}], snapshots_size=512_000_000),
                found("longer-name", "update"),
            ),
            "h2": host(found("new", "create", status="absent", health=None, age=None, egress=None, runtime=None)),
        }
    )
    assert table.splitlines()[:4] == [
        "HOST  PROJECT      STATE    HEALTH   IMAGE   AGE  SNAPSHOTS   PORTS                NETWORK  RUNTIME  PENDING",
        "h1    web          running  healthy  tool:1  3 d  2 (512 MB)  127.0.0.1:1->80/tcp  open     runc     -",
        "h1    longer-name  running  healthy  tool:1  3 d  -           -                    open     runc     update",
        "h2    new          absent   -        tool:1  -    -           -                    -        -        create",
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
    ("project", "pending"),
    [
        (found(warnings=[UPGRADE]), "upgrade"),
        (found(reasons=[IMAGE], warnings=[UPGRADE]), "upgrade"),
        (found(reasons=[IMAGE, STOP], warnings=[UPGRADE]), "waits, upgrade"),
        (found(action="update", reasons=[IMAGE, STOP], warnings=[UPGRADE]), "update, upgrade"),
        (found(action="replace", reasons=[IMAGE]), "replace"),
    ],
    ids=["base outdated", "held", "held, and an agent at work", "held, and something else", "no lineage"],
)
def test_an_image_that_has_yet_to_be_applied_is_pending_as_an_upgrade(project: dict[str, Any], pending: str) -> None:
    assert status_table({"h": host(project)}).splitlines()[1].endswith(f"  {pending}")


def orphan(type_: str, kind: str, name: str, project: str = "old", **keys: Any) -> dict[str, Any]:
    details = {"status": "", "id": "1", "created": 0, "size": None}
    return {"type": type_, "kind": kind, "name": name, "project": project, **details, **keys}


def test_orphans_come_last_with_what_they_are_and_what_removes_them() -> None:
    orphans = [
        orphan("container", "undeclared", "berth-old", status="running", size=12_000_000),
        orphan("image", "undeclared", "berth/old:1", size=80_000_000),
        orphan("volume", "undeclared", "berth-old-home"),
        orphan("state", "undeclared", "old"),
        orphan("state", "undeclared", "older", project="older"),
        orphan("image", "unused", "berth-base:1", project="", size=4_000_000_000),
    ]
    assert status_table({"h": host(orphans=orphans)}).splitlines() == [
        "No projects are declared.",
        "",
        "Not declared:",
        "  HOST  TYPE       NAME            PROJECT  STATE    SIZE    WHAT                       REMOVED BY",
        "  h     container  berth-old       old      running  12 MB   no definition names it     prune",
        "  h     image      berth/old:1     old      -        80 MB   snapshot                   destroy",
        "  h     volume     berth-old-home  old      -        -       the agent's data           destroy",
        "  h     state      old             old      -        -       Berth's files on the host  destroy",
        "  h     state      older           older    -        -       Berth's files on the host  prune",
        "  h     image      berth-base:1    -        -        4.0 GB  nothing is made from it    docker",
        "",
        "  prune:    berth.projects.provision -e berth_prune=true; of each container a snapshot stays",
        "  destroy:  berth.projects.destroy -e berth_only=PROJECT -e berth_destroy_data=true, and a confirmation",
        "  docker:   docker rm or docker rmi; Berth leaves it alone",
    ]


@pytest.mark.parametrize(
    ("type_", "kind"),
    [("container", "kept"), ("container", "leftover"), ("container", "stray"), ("image", "leftover")],
)
def test_every_other_kind_has_words_and_a_remedy(type_: str, kind: str) -> None:
    (row, _empty, legend) = status_table({"h": host(orphans=[orphan(type_, kind, "x")])}).splitlines()[-3:]
    assert row.split()[-1] + ":" == legend.split()[0]


# Snapshots


def snapshot(name: str, **keys: Any) -> dict[str, Any]:
    details = {"size": 12_000_000, "age": "3 d", "layers": 2, "base": "tool:1", "flat": False}
    marks = {"reference": f"berth/web:{name}", "latest": False, "in_use": False}
    return {"name": name, **details, **marks, **keys}


def kept(name: str, *snapshots: dict[str, Any], **keys: Any) -> dict[str, Any]:
    """One of ``projects`` in the result of module ``snapshot``."""
    done = {"changed": False, "taken": None, "removed": [], "warnings": [], "error": None, "size": 24_000_000}
    return {"name": name, "snapshots": list(snapshots), **done, **keys}


def test_snapshots_are_a_table_that_tells_none_where_there_is_none() -> None:
    projects = [kept("web", snapshot("T2", latest=True, in_use=True), snapshot("T1", layers=0, flat=True)), kept("api")]
    assert snapshot_table("h", projects).splitlines() == [
        "HOST  PROJECT  SNAPSHOT  SIZE   AGE  LAYERS   BASE    NOTE",
        "h     web      T2        12 MB  3 d  2        tool:1  latest, in use",
        "h     web      T1        12 MB  3 d  0, flat  tool:1",
        "h     api      none      -      -    -        -",
    ]
    assert snapshot_table("h", []) == "h: no projects are declared."


TAKEN = kept("web", snapshot("T2"), snapshot("T1"), changed=True, taken="berth/web:T2")


@pytest.mark.parametrize(
    ("operation", "project", "line"),
    [
        ("take", TAKEN, "took berth/web:T2 (12 MB); 2 there now (24 MB)"),
        ("take", {**TAKEN, "removed": ["T0"]}, "took berth/web:T2 (12 MB); removed T0; 2 there now (24 MB)"),
        ("take", kept("web", snapshot("T1")), "has not run since its last snapshot; 1 there now (24 MB)"),
        ("prune", kept("web", size=0, changed=True, removed=["T1", "T0"]), "removed T1, T0; none there now (0 B)"),
        (
            "prune",
            kept("web", size=0, changed=True),
            "cleared what a snapshot that was cut off has left; none there now (0 B)",
        ),
        ("prune", kept("web", size=0), "nothing to remove; none there now (0 B)"),
        ("remove", kept("web", size=0), "has no snapshot T7; none there now (0 B)"),
        ("take", kept("web", error="It broke."), "failed"),
    ],
)
def test_work_on_snapshots_is_one_line_a_project(operation: str, project: dict[str, Any], line: str) -> None:
    assert snapshot_lines("h", [project], operation, "T7", check_mode=False) == [f"h: web: {line}"]


@pytest.mark.parametrize(
    ("operation", "project", "line"),
    [
        ("take", kept("web", changed=True), "would take a snapshot"),
        ("remove", kept("web", changed=True, removed=["T1"]), "would remove T1"),
        ("prune", kept("web", changed=True), "would clear what a snapshot that was cut off has left"),
    ],
)
def test_so_is_what_would_be_done(operation: str, project: dict[str, Any], line: str) -> None:
    assert snapshot_lines("h", [project], operation, "T1", check_mode=True) == [f"h: web: {line}"]


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (None, "-"),
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (9_949, "9.9 kB"),
        (9_960, "10 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (512_000_000, "512 MB"),
        (1_260_000_000, "1.3 GB"),
        (5 * 10**18, "5000 PB"),
    ],
)
def test_sizes_are_told_in_units_of_people(size: int | None, text: str) -> None:
    assert size_text(size) == text
