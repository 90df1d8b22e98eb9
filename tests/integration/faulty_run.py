# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the host's half of a module in a process of its own, so that it can be killed at any moment.

A module is started anew for each case, which with all its imports would take most of a second. So a helper process
imports everything once, and forks for each run. It has one thread only, which is what makes that safe; the test's
process, with the threads of the proxy, never forks.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError

MODULE_UTILS = "ansible_collections.berth.projects.plugins.module_utils"
RECONCILE = f"{MODULE_UTILS}.reconcile:reconcile"
_LONGEST = 60  # seconds a run may take; longer means that it hangs


@dataclass(frozen=True)
class Job:
    """One module: what ``main()`` calls, as ``package.module:function``, and with what.

    The function is called with the parameters and whether it is only to plan (False), as ``reconcile`` is.
    """

    params: Mapping[str, Any]
    function: str = RECONCILE


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Args:
        ended: ``returned``, ``killed``, ``hung``, or ``died`` of a fault of the test's own.
        errors: What the modules that ran said went wrong, and what they let through as an exception.
        results: What they returned.
    """

    ended: str
    errors: list[str] = field(default_factory=list)
    results: list[Mapping[str, Any]] = field(default_factory=list)


class Runner:
    """The helper process, until ``close``."""

    def __init__(self) -> None:
        self._line, there = Pipe()
        self._helper = subprocess.Popen(
            [sys.executable, "-c", "import faulty_run; faulty_run.serve()", str(there.fileno())],
            pass_fds=[there.fileno()],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        there.close()

    def run(self, jobs: Sequence[Job]) -> Outcome:
        """Run modules one after the other, up to the first that fails."""
        self._line.send(list(jobs))
        pid = self._line.recv()
        hung = not self._line.poll(_LONGEST)
        if hung:
            os.kill(pid, signal.SIGKILL)
        was_killed, told = self._line.recv()
        if hung or was_killed:
            return Outcome("hung" if hung else "killed")
        return pickle.loads(told) if told else Outcome("died")

    def close(self) -> None:
        self._line.close()
        self._helper.wait()


def serve() -> None:
    """The helper process: forks for each list of jobs; tells the fork's id at once, and its outcome when it ended."""
    line: Any = Connection(int(sys.argv[1]))
    for name in (RECONCILE.partition(":")[0], "docker"):
        import_module(name)
    with suppress(EOFError):
        while True:
            _run_apart(line)


def _run_apart(line: Any) -> None:
    jobs = line.recv()
    source, target = os.pipe()
    pid = os.fork()
    if pid == 0:
        line.close()
        _work(jobs, target)
    os.close(target)
    line.send(pid)
    with os.fdopen(source, "rb") as pipe:
        told = pipe.read()
    status = os.waitpid(pid, 0)[1]
    line.send((os.WIFSIGNALED(status), told))


def _work(jobs: Sequence[Job], target: int) -> None:
    """What the forked process does; it never returns."""
    try:
        outcome = Outcome("returned")
        for job in jobs:
            if not outcome.errors:
                _run(job, outcome)
        with os.fdopen(target, "wb") as pipe:
            pickle.dump(outcome, pipe)
    finally:
        os._exit(0)


def _run(job: Job, outcome: Outcome) -> None:
    module, _colon, function = job.function.partition(":")
    try:
        result = getattr(import_module(module), function)(job.params, False)
    except BerthError as error:
        outcome.errors.append(error.msg)
    except Exception as error:
        outcome.errors.append(f"Berth met a bug: it let {type(error).__name__} through: {error}")
    else:
        outcome.results.append(result)
        if result.get("failed"):
            outcome.errors.append(str(result["msg"]))
