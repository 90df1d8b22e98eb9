# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What became of the runs of scheduled tasks: one file each, and the log of each."""

from __future__ import annotations

import json
import re
import time
from datetime import datetime, timezone
from typing import Any

from berth_files import Problem
from berth_home import STATE, Home

NOTICES = f"{STATE}/schedule/notifications"
LOGS = f"{STATE}/schedule/logs"
RUNNING = f"{STATE}/schedule/running"
LOGS_KEPT = 20
NOTICES_KEPT = 200


def stamp() -> str:
    """A name for this moment, in UTC, that sorts by time."""
    return datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S%fZ")


def now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")


def add(home: Home, task: str, run: str | None = None, **fields: Any) -> str:
    """Write what is known of a run: outcome, start, end, exit status, log. A later word replaces an earlier one.

    Args:
        run: The run's name; a new one by default.

    Returns:
        The run's name.
    """
    run = run or f"{stamp()}-{task}"
    home.write(f"{NOTICES}/{run}.json", json.dumps({"name": task, **fields}, indent=1, ensure_ascii=False).encode())
    for name in home.names(NOTICES)[:-NOTICES_KEPT]:
        home.remove(f"{NOTICES}/{name}")
    return run


def all_notices(home: Home) -> dict[str, dict[str, Any]]:
    """By the run's name, in the order of time."""
    found = {}
    for name in home.names(NOTICES):
        try:
            notice = json.loads(home.read(f"{NOTICES}/{name}") or b"")
        except ValueError:
            continue
        if name.endswith(".json") and not name.startswith(".") and isinstance(notice, dict):
            found[name[: -len(".json")]] = notice
    return dict(sorted(found.items()))


def clear(home: Home) -> None:
    """All but those of runs that go on."""
    for run, notice in all_notices(home).items():
        if notice.get("outcome") != "running":
            home.remove(f"{NOTICES}/{run}.json")


def note_skipped(home: Home, task: str, running: str) -> None:
    """One file for all the runs that were left out because of the same long one."""
    run = f"{running}-skipped"
    count = all_notices(home).get(run, {}).get("count", 0) + 1
    add(home, task, run, outcome="skipped", start=now(), count=count, reason="the run before has not ended")


def settle_interrupted(home: Home) -> None:
    """At a start of the container: what was said to run then runs no more, unless its lock is held."""
    for run, notice in all_notices(home).items():
        if notice.get("outcome") != "running":
            continue
        task = str(notice.get("name"))
        try:
            with home.lock(f"{RUNNING}/{task}", seconds=0):
                add(home, task, run, **{**notice, "name": task, "outcome": "interrupted"})
        except Problem:
            pass


def new_log(home: Home, task: str, run: str) -> str:
    """An empty log for a run; the oldest beyond LOGS_KEPT go. Returns its path in the home."""
    path = f"{LOGS}/{task}/{re.sub('-.*', '', run)}.log"
    home.write(path, b"")
    for name in logs(home, task)[:-LOGS_KEPT]:
        home.remove(f"{LOGS}/{task}/{name}")
    return path


def logs(home: Home, task: str) -> list[str]:
    return [name for name in home.names(f"{LOGS}/{task}") if name.endswith(".log")]
