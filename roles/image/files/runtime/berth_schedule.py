# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The agent's own schedule. Script ``berth-schedule`` starts it, as the agent."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Callable

import berth_notices
import berth_run
import berth_tasks
from berth_cron import seconds_of
from berth_files import Problem
from berth_home import HOME, Home
from berth_tasks import DECLARED, Task, Tasks, changing, checked_task, load


def main(arguments: list[str] | None = None) -> int:
    wanted = _parser().parse_args(arguments)
    try:
        return COMMANDS[wanted.command](Home(HOME), wanted) or 0
    except Problem as problem:
        return _failed(str(problem))
    except OSError as error:
        return _failed(f"{error.filename or 'the schedule'}: {error.strerror}")


def _failed(text: str) -> int:
    print(f"berth: error: {text}")
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="berth-schedule", description="Tasks that the agent does by itself at a given time, in the container's TZ."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser("add", help="add a task of your own")
    add.add_argument("--name", required=True)
    when = add.add_mutually_exclusive_group(required=True)
    when.add_argument("--cron", metavar="EXPRESSION", help="five fields, such as '0 9 * * mon-fri', or @daily and such")
    when.add_argument("--at", metavar="'YYYY-MM-DD HH:MM'", help="once, at this moment")
    add.add_argument("--prompt", required=True, help="what the agent is told")
    add.add_argument("--workspace", metavar="FOLDER", default=os.getcwd(), help="where it works; here by default")
    commands.add_parser("list", help="show all tasks, the declared ones too")
    for command, text in (
        ("remove", "remove a task of your own"),
        ("enable", "let a task run again"),
        ("disable", "keep a task from running"),
        ("run", "run a task now, and show its output"),
        ("due", argparse.SUPPRESS),
    ):
        commands.add_parser(command, help=text).add_argument("name")
    logs = commands.add_parser("logs", help="show the log of the latest run, of one task or of any")
    logs.add_argument("name", nargs="?")
    logs.add_argument("--tail", type=int, metavar="N", help="only the last N lines")
    notifications = commands.add_parser("notifications", help="show what became of the runs")
    notifications.add_argument("--clear", action="store_true", help="forget them then")
    commands.add_parser("refresh", help=argparse.SUPPRESS)
    commands.add_parser("take", help=argparse.SUPPRESS).add_argument("file", type=Path)
    return parser


def _add(home: Home, wanted: argparse.Namespace) -> None:
    task = checked_task(wanted.name, vars(wanted), wanted.workspace)
    task["workspace"] = os.path.abspath(task["workspace"])
    if not os.path.isdir(task["workspace"]):
        raise Problem(f"workspace {task['workspace']} is no folder")
    if "at" in task and seconds_of(task["at"]) <= time.time():
        raise Problem(f"{task['at']} is over: it is {berth_notices.now()} here")
    if not berth_tasks.has_cron():
        raise Problem(berth_tasks.NO_CRON)
    with changing(home) as tasks:
        if wanted.name in tasks.declared:
            raise Problem(f"task {wanted.name} {DECLARED}; take another name")
        if wanted.name in tasks.own:
            raise Problem(f"task {wanted.name} is there already; remove it first")
        tasks.own[wanted.name] = task


def _list(home: Home, _options: argparse.Namespace) -> None:
    tasks = load(home)
    rows = [("NAME", "WHEN", "STATE", "FROM", "WORKSPACE", "PROMPT")]
    for name, task in tasks.all().items():
        state = "disabled" if name in tasks.disabled else "enabled"
        origin = "definition" if name in tasks.declared else "agent"
        prompt = " ".join(task["prompt"].split())
        rows.append((name, task.get("cron") or task["at"], state, origin, task["workspace"], prompt[:60]))
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip())


def _remove(home: Home, wanted: argparse.Namespace) -> None:
    with changing(home) as tasks:
        _known(tasks, wanted.name)
        if wanted.name in tasks.declared:
            raise Problem(f"task {wanted.name} {DECLARED}: remove it there, or disable it here")
        tasks.forget(wanted.name)


def _enable(home: Home, wanted: argparse.Namespace) -> None:
    with changing(home) as tasks:
        _known(tasks, wanted.name)
        tasks.disabled = [name for name in tasks.disabled if name != wanted.name]


def _disable(home: Home, wanted: argparse.Namespace) -> None:
    with changing(home) as tasks:
        _known(tasks, wanted.name)
        tasks.disabled = sorted({*tasks.disabled, wanted.name})


def _known(tasks: Tasks, name: str) -> Task:
    found = tasks.all().get(name)
    if found is None:
        raise Problem(f"there is no task {name!r}; berth-schedule list shows those there are")
    return found


def _run(home: Home, wanted: argparse.Namespace) -> int:
    return berth_run.run(home, wanted.name, _known(load(home), wanted.name), os.environ, is_shown=True)


def _due(home: Home, wanted: argparse.Namespace) -> int:
    return berth_run.run_due(home, wanted.name)


def _logs(home: Home, wanted: argparse.Namespace) -> None:
    tasks = [wanted.name] if wanted.name else home.names(berth_notices.LOGS)
    if any("/" in name or name.startswith(".") for name in tasks):
        raise Problem(f"there is no task {wanted.name!r}; berth-schedule list shows those there are")
    found = sorted((log, task) for task in tasks for log in berth_notices.logs(home, task))
    if not found:
        raise Problem("there is no log: nothing has run yet")
    log, task = found[-1]
    text = home.read(f"{berth_notices.LOGS}/{task}/{log}") or b""
    lines = text.splitlines(keepends=True)
    print(f"== {task}, {log[: -len('.log')]}", flush=True)
    sys.stdout.buffer.write(b"".join(lines[-wanted.tail :] if wanted.tail else lines))


def _notifications(home: Home, wanted: argparse.Namespace) -> None:
    for notice in berth_notices.all_notices(home).values():
        words = [str(notice.get(key) or "") for key in ("start", "name", "outcome")]
        words += [f"{key}={notice[key]}" for key in ("end", "status", "count", "reason", "log") if notice.get(key)]
        print("  ".join(words))
    if wanted.clear:
        berth_notices.clear(home)


def _refresh(home: Home, _options: argparse.Namespace) -> None:
    berth_tasks.refresh(home)


def _take(home: Home, wanted: argparse.Namespace) -> None:
    for told in berth_tasks.take(home, wanted.file.read_bytes() if wanted.file.exists() else b""):
        print(f"berth: warning: {told}")


COMMANDS: dict[str, Callable[[Home, argparse.Namespace], int | None]] = {
    "add": _add,
    "disable": _disable,
    "due": _due,
    "enable": _enable,
    "list": _list,
    "logs": _logs,
    "notifications": _notifications,
    "refresh": _refresh,
    "remove": _remove,
    "run": _run,
    "take": _take,
}

if __name__ == "__main__":
    sys.exit(main())
