# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module's results as people read them: one line a project, one a reason. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def plan_lines(host: str, projects: Sequence[Mapping[str, Any]], check_mode: bool) -> list[str]:
    """What was done on a host, or would be: projects that nothing happens to are counted and not named."""
    told = [line for project in projects if _is_told(project) for line in _project_lines(host, project, check_mode)]
    quiet = sum(1 for project in projects if not _is_told(project))
    if quiet:
        told.append(f"{host}: {quiet} project{'s' if quiet > 1 else ''} unchanged")
    return told


def diff_of(host: str, projects: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The reasons in the form that ``--diff`` prints; private values are hashes already."""
    diffs = []
    for project in projects:
        if project["reasons"]:
            header = f"{host}: {project['name']} ({project['action']})"
            diffs.append(
                {
                    "before_header": header,
                    "after_header": header,
                    "before": _values(project["reasons"], "before"),
                    "after": _values(project["reasons"], "after"),
                }
            )
    return diffs


def status_table(hosts: Mapping[str, Mapping[str, Any]]) -> str:
    """Projects of hosts as a table, with what is pending below each; orphans at the end.

    Args:
        hosts: By name, the result of module ``info``.
    """
    columns = ("HOST", "PROJECT", "STATE", "HEALTH", "IMAGE", "AGE", "PORTS", "PENDING")
    rows = [columns]
    notes: list[str] = []
    for host, result in hosts.items():
        for project in result["projects"]:
            rows.append(
                (
                    host,
                    project["name"],
                    project["status"],
                    project["health"] or "-",
                    project["image"] or "-",
                    project["age"] or "-",
                    ", ".join(project["ports"]) or "-",
                    _pending(project),
                )
            )
            notes += [f"  {host} {project['name']}: {text}" for text in _notes(project)]
    lines = _aligned(rows) if len(rows) > 1 else ["No projects are declared."]
    if notes:
        lines += ["", "Notes:", *notes]
    orphans = [(host, orphan) for host, result in hosts.items() for orphan in result["orphans"]]
    if orphans:
        lines += ["", "Not declared:"]
        lines += _aligned(
            [("", "HOST", "CONTAINER", "STATE", "WHAT"), *(_orphan_row(host, orphan) for host, orphan in orphans)]
        )
    return "\n".join(lines)


_ORPHAN_KINDS = {
    "undeclared": "managed, and no definition names it (berth_prune removes it)",
    "kept": "replaced or removed earlier; kept with what was installed in it",
    "stray": "carries Berth's labels under a name that is not Berth's; left alone",
}


def _orphan_row(host: str, orphan: Mapping[str, Any]) -> tuple[str, ...]:
    return ("", host, orphan["name"], orphan["status"], _ORPHAN_KINDS[orphan["kind"]])


def _pending(project: Mapping[str, Any]) -> str:
    if project["error"]:
        return "error"
    if project["action"] == "none":
        return "waits" if project["reasons"] else "-"
    return str(project["action"])


def _notes(project: Mapping[str, Any]) -> Iterator[str]:
    if project["error"]:
        yield project["error"]
    yield from project["warnings"]
    for reason in project["reasons"]:
        yield from (f"{_pending(project)}: {line}" for line in _reason_lines(reason))


def _is_told(project: Mapping[str, Any]) -> bool:
    return bool(project["changed"] or project["error"] or project["reasons"])


def _project_lines(host: str, project: Mapping[str, Any], check_mode: bool) -> Iterator[str]:
    action = project["action"]
    if project["error"]:
        action = f"{action} failed" if action != "none" else "failed"
    elif check_mode and action != "none":
        action = f"would {action}"
    elif action == "none":
        action = "waits"
    yield f"{host}: {project['name']}: {action}"
    for reason in project["reasons"]:
        yield from (f"    {line}" for line in _reason_lines(reason))


def _reason_lines(reason: Mapping[str, Any]) -> Iterator[str]:
    before, after = reason["before"], reason["after"]
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        yield f"{reason['aspect']}: {_text(before)} → {_text(after)}"
        return
    for key in sorted({*before, *after}):
        yield f"{reason['aspect']}: {key}: {_text(before.get(key), key)} → {_text(after.get(key), key)}"
    if not {*before, *after}:
        yield f"{reason['aspect']}: made from another definition"


def _values(reasons: Sequence[Mapping[str, Any]], side: str) -> str:
    lines = []
    for reason in reasons:
        values = reason[side]
        if isinstance(values, Mapping):
            lines += [
                f"{reason['aspect']}.{key}: {_text(value)}"
                for key, value in sorted(values.items())
                if value is not None
            ]
        else:
            lines.append(f"{reason['aspect']}: {_text(values)}")
    return "".join(f"{line}\n" for line in lines)


_MEASURES: Mapping[str, tuple[int, str]] = {
    "memory": (1024**2, " MiB"),
    "shm_size": (1024**2, " MiB"),
    "nano_cpus": (10**9, " CPUs"),
}
"""What the engine counts in bytes and in 10^-9 CPUs, a person reads in these."""


def _text(value: Any, key: str = "") -> str:
    if key in _MEASURES and isinstance(value, int):
        unit, name = _MEASURES[key]
        return f"{value / unit:g}{name}" if value * 100 % unit == 0 else f"{value}"
    return "(none)" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
