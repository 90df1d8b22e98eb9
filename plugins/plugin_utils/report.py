# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module's results as people read them: one line a project, one a reason. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.terms import APPLYING, IMAGE
from ansible_collections.berth.projects.plugins.plugin_utils.text import size_text


def plan_lines(
    host: str, projects: Sequence[Mapping[str, Any]], check_mode: bool, operation: str = "provision"
) -> list[str]:
    """What was done on a host, or would be: projects that nothing happens to are counted and not named.

    Args:
        host: Its inventory name.
        projects: Those of the result of module ``container``.
        check_mode: Whether nothing was done.
        operation: The module's.
    """
    told = [entry for entry in projects if _is_told(entry)]
    lines = [line for entry in told for line in _project_lines(host, entry, check_mode, operation)]
    quiet = len(projects) - len(told)
    if quiet:
        lines.append(f"{host}: {quiet} project{'s' if quiet > 1 else ''} unchanged")
    return lines


def warnings_of(host: str, projects: Sequence[Mapping[str, Any]]) -> list[str]:
    """The warnings of all projects, each with where it belongs."""
    return [f"host {host}, project {entry['name']}: {text}" for entry in projects for text in entry["warnings"]]


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


def _is_told(project: Mapping[str, Any]) -> bool:
    return bool(project["changed"] or project["error"] or project["reasons"])


def _project_lines(host: str, project: Mapping[str, Any], check_mode: bool, operation: str) -> Iterator[str]:
    yield f"{host}: {project['name']}: {_what(project, check_mode, operation)}"
    for reason in project["reasons"]:
        yield from (f"    {line}" for line in reason_lines(reason))
    if check_mode and project["changed"]:
        yield from (f"    {line}" for line in _loss_lines(project.get("losses") or ()))
    if project.get("snapshot"):
        yield f"    {_way_back(project)}"


def _what(project: Mapping[str, Any], check_mode: bool, operation: str) -> str:
    action = operation if "erase" in project["steps"] else str(project["action"])
    if project["error"]:
        return f"{action} failed" if action != "none" else "failed"
    if action == "none":
        return waiting(project)
    return f"would {action}" if check_mode else action


def waiting(project: Mapping[str, Any]) -> str:
    """What a project that is not as declared waits for, where a run does nothing about that."""
    others = any(reason["aspect"] != IMAGE for reason in project["reasons"])
    return "waits" if others or not waits_for_upgrade(project) else "waits for upgrade"


def waits_for_upgrade(project: Mapping[str, Any]) -> bool:
    """Whether another image, or other packages, have yet to be applied."""
    return any(APPLYING in text for text in project["warnings"])


def _loss_lines(losses: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What goes, one line a thing, and what that comes to."""
    for loss in losses:
        how = "goes for good" if loss["kept"] is None else "goes"
        after = "" if loss["kept"] is None else f", {loss['kept']}"
        yield f"{how}: {loss['kind']} {loss['name']} ({_size(loss['size'])}){after}"
    gone = [loss["size"] for loss in losses if loss["kept"] is None]
    if gone:
        least = "at least " if None in gone else ""
        yield f"goes for good: {least}{size_text(sum(size or 0 for size in gone))} in all"
    elif losses:
        yield "stays: snapshots and volumes"


def _size(size: int | None) -> str:
    return "size not known" if size is None else size_text(size)


def _way_back(project: Mapping[str, Any]) -> str:
    """What became of what was in the old container: the new one does not always go on with it."""
    name, reference = project["name"], str(project["snapshot"])
    if not any(step.startswith("replace from ") for step in project["steps"]):
        return f"kept: {reference}"
    return f"to go back: berth.projects.restore -e berth_only={name} -e berth_snapshot={reference.rpartition(':')[2]}"


def reason_lines(reason: Mapping[str, Any]) -> Iterator[str]:
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
