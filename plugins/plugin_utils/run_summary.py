# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of a run for people: what became of each host, those alike together, what matters first. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from ansible_collections.berth.projects.plugins.plugin_utils.host_ranges import host_ranges
from ansible_collections.berth.projects.plugins.plugin_utils.host_runs import STATUSES, HostRun

LARGEST = 12
"""Groups of hosts of one status; a screen has room for these and the rest."""
_REASONS = 3  # of one host
_WIDTH = 200  # of a reason
_NAMED = 3  # projects
_HOSTS_WIDTH = 44
_PLACE = re.compile(r"(connect to host |resolve hostname |Connection (?:closed|reset) by |Timeout )\S+")


def summary_lines(runs: Sequence[HostRun], check_mode: bool) -> list[str]:
    """The whole summary.

    Args:
        runs: One for each host of the run.
        check_mode: Whether nothing was done.
    """
    counts = Counter(run.status for run in runs)
    words = _words(check_mode)
    told = ", ".join(f"{counts[status]} {words[status]}" for status in STATUSES if counts[status])
    lines = [f"{len(runs)} hosts: {told}"]
    for status in STATUSES:
        of_status = [run for run in runs if run.status == status]
        if of_status and status != "unchanged":
            lines += _status_lines(words[status], of_status, check_mode)
    return lines


def _words(check_mode: bool) -> dict[str, str]:
    words = {status: status for status in STATUSES}
    return {**words, "not_begun": "not begun", "changed": "would change" if check_mode else "changed"}


def _status_lines(word: str, runs: Sequence[HostRun], check_mode: bool) -> Iterator[str]:
    groups = _groups(runs, check_mode)
    hosts = [_hosts_text([run.host for run in group]) for _told, group in groups[:LARGEST]]
    width = max(len(text) for text in hosts)
    for text, (told, _group) in zip(hosts, groups):
        first, *more = told or ("",)
        yield f"  {word:<12}  {text:<{width}}  {first}".rstrip()
        yield from (f"  {'':<12}  {'':<{width}}  {line}" for line in more)
    rest = [run.host for _told, group in groups[LARGEST:] for run in group]
    if rest:
        yield f"  {word:<12}  and {len(rest)} hosts more, of which each is told above: {_hosts_text(rest)}"


def _groups(runs: Sequence[HostRun], check_mode: bool) -> list[tuple[tuple[str, ...], list[HostRun]]]:
    """Hosts of which the same is to be told: in full, unless these are too many groups."""
    in_full = _grouped(runs, lambda run: _told(run, check_mode, _NAMED))
    return in_full if len(in_full) <= LARGEST else _grouped(runs, lambda run: _told(run, check_mode, 0))


def _grouped(
    runs: Sequence[HostRun], told: Callable[[HostRun], tuple[str, ...]]
) -> list[tuple[tuple[str, ...], list[HostRun]]]:
    groups: dict[tuple[str, ...], list[HostRun]] = {}
    for run in runs:
        groups.setdefault(tuple(_placeless(line, run.host) for line in told(run)), []).append(run)
    # The words of a host that is alone in its group are its own.
    own = [(told(group[0]) if len(group) == 1 else key, group) for key, group in groups.items()]
    return sorted(own, key=lambda entry: -len(entry[1]))


def _placeless(text: str, host: str) -> str:
    """A message without what differs from host to host though it says the same."""
    named = re.sub(rf"(?<![\w.-]){re.escape(host)}(?![\w-])", "HOST", text)
    return _PLACE.sub(r"\1HOST", named)


def _told(run: HostRun, check_mode: bool, named: int) -> tuple[str, ...]:
    if run.status == "not_begun":
        return ("the run ended before them",)
    done = _done(run, check_mode, named)
    if run.error is None:
        return (done,)
    reasons = list(_reasons(run))
    return (*reasons, f"besides: {done}") if done else tuple(reasons)


def _reasons(run: HostRun) -> Iterator[str]:
    """Why a host failed: by project where a project did."""
    failed = [project for project in run.projects if project.get("error")]
    for project in failed[:_REASONS]:
        yield _clipped(f"{project['name']}: {project['error']}")
    if len(failed) > _REASONS:
        yield f"and {len(failed) - _REASONS} projects more"
    if not failed:
        lines = [line.strip() for line in (run.error or "").splitlines() if line.strip()]
        yield from (_clipped(line) for line in lines[:_REASONS])
        if len(lines) > _REASONS:
            yield f"and {len(lines) - _REASONS} lines more, told above"


def _done(run: HostRun, check_mode: bool, named: int) -> str:
    """What was done, by action: the projects by name where they are few, else how many."""
    names: dict[str, list[str]] = {}
    for project in run.projects:
        if project.get("changed") and not project.get("error"):
            names.setdefault(str(project["action"]), []).append(str(project["name"]))
    would = "would " if check_mode else ""
    parts = [f"{would}{action} {_projects(found, named)}" for action, found in sorted(names.items())]
    counted = run.others or {}
    parts += [f"{would}{action} {count}" for action, count in sorted(counted.items()) if action != "none"]
    parts += [f"{counted['none']} unchanged"] if counted.get("none") else []
    if run.is_prepared:
        parts.append("would prepare the host" if check_mode else "host prepared")
    return ", ".join(parts)


def _projects(names: Sequence[str], named: int) -> str:
    return " ".join(sorted(names)) if len(names) <= named else str(len(names))


def _clipped(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…"


def _hosts_text(hosts: Sequence[str]) -> str:
    """As many names as there is room for, and how many hosts these are."""
    ranges = host_ranges(hosts)
    count = f" ({len(hosts)})" if len(hosts) > 1 else ""
    text = ""
    for index, one in enumerate(ranges):
        longer = f"{text},{one}" if text else one
        if text and len(longer) > _HOSTS_WIDTH:
            return f"{text},… {len(ranges) - index} more{count}"
        text = longer
    return text + count
