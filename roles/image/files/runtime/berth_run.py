# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a scheduled task: the agent's program with the task's prompt, in its workspace, with a log and a notice."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping

import berth_notices
from berth_cron import seconds_of
from berth_files import Held, Problem
from berth_home import Home
from berth_tasks import Task, changing, load

PROGRAM = ("/usr/local/bin/claude", "-p")
ENVIRONMENT = "/dev/shm/berth/environment"
_ZONES_APART = 26 * 3600  # seconds, at most
_OF_A_SHELL = ("OLDPWD", "PWD", "SHLVL", "_")


def container_environment() -> dict[str, str]:
    """What the entrypoint was started with, as cron knows nothing of it.

    Raises:
        Problem: It is not there, or not the agent's own file.
    """
    try:
        with open(os.open(ENVIRONMENT, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if os.fstat(file.fileno()).st_uid != os.geteuid():
                raise Problem(f"{ENVIRONMENT} is not this user's own file; restart the container")
            content = file.read()
    except OSError as error:
        raise Problem(f"{ENVIRONMENT} cannot be read ({error.strerror}); restart the container") from None
    pairs = (entry.split(b"=", 1) for entry in content.split(b"\0") if b"=" in entry)
    found = {os.fsdecode(name): os.fsdecode(value) for name, value in pairs}
    return {name: value for name, value in found.items() if name not in _OF_A_SHELL}


def run_due(home: Home, name: str) -> int:
    """What cron starts: run a task if it is really its time. Returns the exit status of the agent's program.

    Raises:
        Problem: Its environment is not there; a notice says so. A one-time task is not done then.
    """
    try:
        environment = container_environment()
    except Problem as problem:
        # Nothing is settled: without the environment nobody knows the time zone, so it is not known what was missed.
        if _is_time(load(home).active().get(name), _ZONES_APART):
            berth_notices.add(home, name, outcome="failed", start=berth_notices.now(), reason=str(problem))
            raise
        return 0
    _go_by_time_of(environment)
    with changing(home) as tasks:
        task = tasks.active().get(name)
        if task is None or not _is_time(task):
            return 0
        if "at" in task:
            tasks.finish(name)
    return run(home, name, task, environment, is_shown=False)


def _is_time(task: Task | None, early: float = 0) -> bool:
    """Whether a task may run; cron starts a one-time task each year, and ``early`` seconds are allowed for."""
    return task is not None and ("at" not in task or time.time() + early >= seconds_of(task["at"]))


def _go_by_time_of(environment: Mapping[str, str]) -> None:
    """Take the container's time zone: cron itself has it, its jobs do not, and a read-only container is set to UTC."""
    if "TZ" in environment:
        os.environ["TZ"] = environment["TZ"]
        time.tzset()


def run(home: Home, name: str, task: Task, environment: Mapping[str, str], is_shown: bool) -> int:
    """Run a task, unless it is running.

    Args:
        is_shown: Whether its output goes to this process's output, too.

    Returns:
        The program's exit status; 75 for a task that is running still.
    """
    lock = f"{berth_notices.RUNNING}/{name}"
    try:
        with home.lock(lock, seconds=0) as held:
            run_name = berth_notices.add(home, name, outcome="running", start=berth_notices.now())
            os.ftruncate(held, 0)
            os.pwrite(held, run_name.encode(), 0)
            return _run(home, name, task, environment, run_name, is_shown)
    except Held:
        running = home.read(lock) or name.encode()
        berth_notices.note_skipped(home, name, os.fsdecode(running))
        if is_shown:
            print(f"berth-schedule: task {name} is running already", file=sys.stderr)
        return os.EX_TEMPFAIL


def _run(home: Home, name: str, task: Task, environment: Mapping[str, str], run_name: str, is_shown: bool) -> int:
    start, log = berth_notices.now(), berth_notices.new_log(home, name, run_name)
    known = {"start": start, "log": f"{home.path}/{log}"}
    berth_notices.add(home, name, run_name, outcome="running", **known)
    status: int | None = None
    reason = {}
    try:
        status = _start(home, task, environment, log, is_shown)
    except OSError as error:
        reason = {"reason": f"{error.filename or PROGRAM[0]}: {error.strerror}"}
    outcome = "done" if status == 0 else "failed"
    berth_notices.add(home, name, run_name, outcome=outcome, end=berth_notices.now(), status=status, **known, **reason)
    if is_shown and reason:
        print(f"berth-schedule: {reason['reason']}", file=sys.stderr)
    return os.EX_UNAVAILABLE if status is None else status


def _start(home: Home, task: Task, environment: Mapping[str, str], log: str, is_shown: bool) -> int:
    """The prompt comes on standard input, so it is in no list of processes."""
    with home.folder_of(log) as (folder, log_name), tempfile.TemporaryFile() as prompt:
        prompt.write(task["prompt"].encode())
        prompt.seek(0)
        flags = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW
        with open(os.open(log_name, flags, dir_fd=folder), "ab", buffering=0) as output:
            with subprocess.Popen(
                PROGRAM,
                stdin=prompt,
                stdout=subprocess.PIPE if is_shown else output,
                stderr=subprocess.STDOUT,
                cwd=task["workspace"],
                env=dict(environment),
            ) as process:
                if process.stdout:
                    for line in process.stdout:
                        output.write(line)
                        sys.stdout.buffer.write(line)
                        sys.stdout.buffer.flush()
            return process.returncode
