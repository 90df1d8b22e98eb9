# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The scheduled tasks of a container: the declared ones and the agent's own, and the crontab made of both.

All is in ``schedule`` of Berth's folder in the home; the crontab is made from it whenever something changes and at each
start, because a fresh container has none. One-time tasks are done when they start, so none ever runs twice.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import berth_notices
from berth_block import Markers, with_block
from berth_cron import check_at, check_cron, cron_of, seconds_of
from berth_files import Problem
from berth_home import AGENT, STATE, Home

SPOOL = "/var/spool/cron/crontabs"
CRON = "/usr/sbin/cron"
COMMAND = "/usr/local/lib/berth/berth-schedule due"
DECLARED_TASKS = "/etc/berth/schedule.json"
FOLDER = f"{STATE}/schedule"
TASKS = f"{FOLDER}/tasks.json"
LOCK = f"{FOLDER}/lock"
MISSED_SECONDS = 120
"""cron starts a task within its minute; only after that was it missed."""

NO_CRON = (
    "this image has no cron, so scheduled tasks do not run: add cron to berth_image_apt_packages or to the project's "
    "packages"
)
DECLARED = "is declared in the project's definition (schedule in berth_projects)"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_MARKERS = Markers("# ")

Task = dict[str, str]


@dataclass
class Tasks:
    """All that is remembered. A task is ``{"cron" or "at", "prompt", "workspace"}``.

    Args:
        done: One-time declared tasks that ran or were missed, with their moment: another moment is another task.
    """

    own: dict[str, Task] = field(default_factory=dict)
    declared: dict[str, Task] = field(default_factory=dict)
    disabled: list[str] = field(default_factory=list)
    done: dict[str, str] = field(default_factory=dict)

    def all(self) -> dict[str, Task]:
        """Declared tasks hide the agent's own of the same name."""
        return {name: task for name, task in sorted({**self.own, **self.declared}.items()) if not self.is_done(name)}

    def active(self) -> dict[str, Task]:
        return {name: task for name, task in self.all().items() if name not in self.disabled}

    def is_done(self, name: str) -> bool:
        task = self.declared.get(name)
        return bool(task) and name in self.done and self.done[name] == task.get("at")

    def finish(self, name: str) -> None:
        """A one-time task has had its time."""
        if name in self.declared:
            self.done[name] = self.declared[name]["at"]
        else:
            self.forget(name)

    def forget(self, name: str) -> None:
        self.own.pop(name, None)
        self.disabled = [one for one in self.disabled if one != name or one in self.declared]

    def as_bytes(self) -> bytes:
        return json.dumps(vars(self), indent=1, sort_keys=True).encode()


def load(home: Home) -> Tasks:
    content = home.read(TASKS)
    if content is None:
        return Tasks()
    try:
        return _tasks(**json.loads(content))
    except (Problem, ValueError, TypeError, AttributeError, RecursionError):
        aside = home.set_aside(TASKS, f"{TASKS}.damaged")
        print(f"berth: warning: ~/{TASKS} was damaged and is kept as ~/{aside}; the agent's own tasks are in there")
        declared = Path(DECLARED_TASKS)
        return Tasks(declared=_declared_tasks(declared.read_bytes() if declared.exists() else b""))


def _tasks(own: Any, declared: Any, disabled: Any, done: Any) -> Tasks:
    """Raises one of many exceptions for what is of another shape than a task list that was saved."""
    for names in (disabled, [*done, *done.values()]):
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError
    own, declared = (
        {name: checked_task(name, task, "/workspace") for name, task in tasks.items()} for tasks in (own, declared)
    )
    return Tasks(own, declared, disabled, done)


@contextmanager
def changing(home: Home) -> Iterator[Tasks]:
    """The tasks, to be changed by one process at a time. Afterwards they are saved, and the crontab is as they say."""
    with home.lock(LOCK):
        tasks = load(home)
        before = tasks.as_bytes()
        yield tasks
        _settle_missed(home, tasks)
        if tasks.as_bytes() != before:
            home.write(TASKS, tasks.as_bytes())
        _write_crontab(tasks)


def refresh(home: Home) -> None:
    """What a start of the container needs: the crontab, and a word on what did not run or did not end."""
    berth_notices.settle_interrupted(home)
    with changing(home):
        pass


def take(home: Home, declared: bytes) -> list[str]:
    """Take the declared tasks over; without any, those that were there go.

    Args:
        declared: ``schedule.json``, or nothing.

    Returns:
        What a person should know.

    Raises:
        Problem: They cannot be read, or cannot run here.
    """
    wanted = _declared_tasks(declared)
    if not wanted and not home.exists(TASKS):
        return []
    with changing(home) as tasks:
        hidden = sorted(set(wanted) & set(tasks.own) - set(tasks.declared))
        tasks.declared = wanted
        tasks.done = {name: at for name, at in tasks.done.items() if wanted.get(name, {}).get("at") == at}
        tasks.disabled = [name for name in tasks.disabled if name in wanted or name in tasks.own]
    if tasks.active() and not has_cron():
        raise Problem(NO_CRON)
    return [f"task {name} {DECLARED}; the agent's own of this name does not run meanwhile" for name in hidden]


def checked_task(name: str, fields: Mapping[str, Any], workspace: str) -> Task:
    """A task as it is remembered.

    Raises:
        Problem: Something in it is not allowed; says what is.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise Problem(f"task name {name!r}: allowed are letters, digits, -, _ and ., 64 at most, the first no sign")
    times = {key: fields[key] for key in ("cron", "at") if fields.get(key)}
    prompt = fields.get("prompt")
    if len(times) != 1:
        raise Problem(f"task {name}: exactly one of cron and at says when it runs")
    if not isinstance(prompt, str) or not prompt.strip():
        raise Problem(f"task {name}: the prompt is missing")
    ((key, text),) = times.items()
    when = check_cron(str(text)) if key == "cron" else check_at(str(text))
    return {key: when, "prompt": prompt, "workspace": str(fields.get("workspace") or workspace)}


def has_cron() -> bool:
    return os.access(CRON, os.X_OK) and os.path.isdir(SPOOL)


def _declared_tasks(content: bytes) -> dict[str, Task]:
    try:
        entries = json.loads(content) if content.strip() else []
        return {one["name"]: checked_task(one["name"], one, "/workspace") for one in entries}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Problem("the declared schedule is no list of tasks; provision again") from None


def _settle_missed(home: Home, tasks: Tasks) -> None:
    for name, task in tasks.active().items():
        if "at" in task and time.time() - seconds_of(task["at"]) > MISSED_SECONDS:
            berth_notices.add(home, name, outcome="missed", start=task["at"])
            tasks.finish(name)


def _write_crontab(tasks: Tasks) -> None:
    """By a rename straight into cron's folder: the program crontab is setgid, which a hardened container forbids."""
    if not has_cron():
        return
    path, new = f"{SPOOL}/{AGENT}", f"{SPOOL}/.{AGENT}.berth-new"
    lines = [
        f"{task.get('cron') or cron_of(task['at'])} {COMMAND} {name} >/dev/null 2>&1\n"
        for name, task in tasks.active().items()
    ]
    try:
        before = _read_crontab(path)
        after = with_block(before, "".join(lines).encode(), _MARKERS)
        if after == before:
            return
        if after is None:
            os.unlink(path)
            return
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as file:
            file.write(after if after.endswith(b"\n") else after + b"\n")  # cron ignores a last line without its end
        os.rename(new, path)
    except OSError as error:
        raise Problem(
            f"the crontab {path} cannot be written ({error.strerror}); restart the container, whose start gives it to "
            f"{AGENT}"
        ) from None


def _read_crontab(path: str) -> bytes | None:
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None
