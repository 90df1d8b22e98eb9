# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What there is on hosts as tables for people: projects, what is not declared, and snapshots. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.berth.projects.plugins.plugin_utils.report import reason_lines, waiting, waits_for_upgrade
from ansible_collections.berth.projects.plugins.plugin_utils.text import aligned, size_text

_COLUMNS = (
    "HOST",
    "PROJECT",
    "STATE",
    "HEALTH",
    "IMAGE",
    "AGE",
    "SNAPSHOTS",
    "PORTS",
    "NETWORK",
    "RUNTIME",
    "PENDING",
)


def status_table(hosts: Mapping[str, Mapping[str, Any]]) -> str:
    """Projects of hosts as a table, with what is pending below each; what is not declared at the end.

    Args:
        hosts: By name, the result of module ``info``.
    """
    rows = [_COLUMNS]
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
                    _snapshots(project),
                    ", ".join(project["ports"]) or "-",
                    project["egress"] or "-",
                    project["runtime"] or "-",
                    _pending(project),
                )
            )
            notes += [f"  {host} {project['name']}: {text}" for text in _notes(project)]
    lines = aligned(rows) if len(rows) > 1 else ["No projects are declared."]
    if notes:
        lines += ["", "Notes:", *notes]
    lines += orphan_lines([(host, orphan) for host, result in hosts.items() for orphan in result["orphans"]])
    return "\n".join(lines)


def _snapshots(project: Mapping[str, Any]) -> str:
    count = len(project["snapshots"])
    return f"{count} ({size_text(project['snapshots_size'])})" if count else "-"


def _pending(project: Mapping[str, Any]) -> str:
    if project["error"]:
        return "error"
    upgrade = ["upgrade"] if waits_for_upgrade(project) else []
    if project["action"] != "none":
        return ", ".join([str(project["action"]), *upgrade])
    waits = ["waits"] if project["reasons"] and waiting(project) == "waits" else []
    return ", ".join([*waits, *upgrade]) or "-"


def _notes(project: Mapping[str, Any]) -> Iterator[str]:
    if project["error"]:
        yield project["error"]
    yield from project["warnings"]
    if project["health_log"]:
        yield f"{project['health']}: {project['health_log']}"
    yield from _denied(project)
    for reason in project["reasons"]:
        yield from (f"{_pending(project)}: {line}" for line in reason_lines(reason))


def _denied(project: Mapping[str, Any]) -> Iterator[str]:
    """What the proxy has refused; the last of it by name."""
    count, last = project["denied"], project["denied_last"]
    if not count:
        return
    yield f"the proxy has denied {count} request{'s' if count > 1 else ''}; the last {len(last)}:"
    yield from (f"  {one['time']} {one['request']}" for one in last)


@dataclass(frozen=True)
class _Kind:
    """What an orphan is, and what removes it: a key of ``_REMEDIES``."""

    words: str
    remedy: str


_KINDS: Mapping[tuple[str, str], _Kind] = {
    ("container", "undeclared"): _Kind("no definition names it", "prune"),
    ("container", "kept"): _Kind("replaced earlier, and kept aside", "docker"),
    ("container", "leftover"): _Kind("left by a backup that was cut off", "backup"),
    ("container", "stray"): _Kind("Berth's labels, another's name", "docker"),
    ("image", "undeclared"): _Kind("snapshot", "destroy"),
    ("image", "leftover"): _Kind("left by a snapshot that was cut off", "prune"),
    ("image", "unused"): _Kind("nothing is made from it", "docker"),
    ("volume", "undeclared"): _Kind("the agent's data", "destroy"),
    ("network", "undeclared"): _Kind("of a project", "prune"),
    ("state", "undeclared"): _Kind("Berth's files on the host", "prune"),
}
_REMEDIES: Mapping[str, str] = {
    "prune": "berth.projects.provision -e berth_prune=true; of each container a snapshot stays",
    "destroy": "berth.projects.destroy -e berth_only=PROJECT -e berth_destroy_data=true, and a confirmation",
    "backup": "the next backup or restore of that project's volumes",
    "docker": "docker rm or docker rmi; Berth leaves it alone",
}


def orphan_lines(orphans: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """What no definition names, as a table, and below it what removes which of it.

    Args:
        orphans: Pairs of a host and one of its ``orphans``.
    """
    if not orphans:
        return []
    remedies = [_remedy(host, orphan, orphans) for host, orphan in orphans]
    columns = ("", "HOST", "TYPE", "NAME", "PROJECT", "STATE", "SIZE", "WHAT", "REMOVED BY")
    rows = [_orphan_row(host, orphan, remedy) for (host, orphan), remedy in zip(orphans, remedies)]
    legend = [("", f"{remedy}:", text) for remedy, text in _REMEDIES.items() if remedy in remedies]
    return ["", "Not declared:", *aligned([columns, *rows]), "", *aligned(legend)]


def _remedy(host: str, orphan: Mapping[str, Any], orphans: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """Files on the host stay as long as there is anything else of their project that pruning leaves."""
    remedy = _KINDS[orphan["type"], orphan["kind"]].remedy
    others = (one for at, one in orphans if at == host and one["project"] == orphan["project"])
    needed = any(_KINDS[one["type"], one["kind"]].remedy == "destroy" for one in others)
    return "destroy" if orphan["type"] == "state" and needed else remedy


def _orphan_row(host: str, orphan: Mapping[str, Any], remedy: str) -> tuple[str, ...]:
    cells = (orphan["type"], orphan["name"], orphan["project"] or "-", orphan["status"] or "-")
    return ("", host, *cells, size_text(orphan["size"]), _KINDS[orphan["type"], orphan["kind"]].words, remedy)


def snapshot_table(host: str, projects: Sequence[Mapping[str, Any]]) -> str:
    """The snapshots of a host's projects.

    Args:
        host: Its inventory name.
        projects: Those of the result of module ``snapshot``.
    """
    columns = ("HOST", "PROJECT", "SNAPSHOT", "SIZE", "AGE", "LAYERS", "BASE", "NOTE")
    rows = [row for project in projects for row in _snapshot_rows(host, project)]
    return "\n".join(aligned([columns, *rows])) if rows else f"{host}: no projects are declared."


def _snapshot_rows(host: str, project: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    if not project["snapshots"]:
        yield (host, project["name"], "none", "-", "-", "-", "-", "")
    for one in project["snapshots"]:
        marks = [word for word, is_so in (("latest", one["latest"]), ("in use", one["in_use"])) if is_so]
        layers = f"{one['layers']}, flat" if one["flat"] else str(one["layers"])
        cells = (one["name"], size_text(one["size"]), one["age"], layers, one["base"])
        yield (host, project["name"], *cells, ", ".join(marks))


def snapshot_lines(
    host: str, projects: Sequence[Mapping[str, Any]], operation: str, name: str, check_mode: bool
) -> list[str]:
    """What module ``snapshot`` did on a host, or would do: one line a project.

    Args:
        host: Its inventory name.
        projects: Those of the result.
        operation: ``take``, ``prune`` or ``remove``.
        name: The snapshot that was to be removed.
        check_mode: Whether nothing was done.
    """
    return [f"{host}: {entry['name']}: {_snapshot_work(entry, operation, name, check_mode)}" for entry in projects]


def _snapshot_work(project: Mapping[str, Any], operation: str, name: str, check_mode: bool) -> str:
    if project["error"]:
        return "failed"
    done = []
    if operation == "take" and project["changed"]:
        done.append(_taken(project, check_mode))
    if project["removed"]:
        done.append(f"{'would remove' if check_mode else 'removed'} {', '.join(project['removed'])}")
    if project["changed"] and not done:
        done.append(f"{'would clear' if check_mode else 'cleared'} what a snapshot that was cut off has left")
    if not done:
        done.append(_NOTHING[operation].format(name=name))
    kept = len(project["snapshots"])
    return "; ".join(done) + ("" if check_mode else f"; {kept or 'none'} there now ({size_text(project['size'])})")


def _taken(project: Mapping[str, Any], check_mode: bool) -> str:
    if check_mode:
        return "would take a snapshot"
    sizes = {one["reference"]: one["size"] for one in project["snapshots"]}
    return f"took {project['taken']} ({size_text(sizes.get(project['taken']))})"


_NOTHING: Mapping[str, str] = {
    "take": "has not run since its last snapshot",
    "prune": "nothing to remove",
    "remove": "has no snapshot {name}",
}
