# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a playbook as a user does, and read what came of it."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent
CALLBACKS = Path(__file__).parent / "callback_plugins"
RECAP_LINE = re.compile(r"^(?P<host>\S+)\s+: (?P<counts>ok=\d+ .*)$", re.MULTILINE)
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}


@dataclass(frozen=True)
class TaskResult:
    """What one task did on one host; ``status`` is ok, failed, skipped or unreachable."""

    host: str
    task: str
    action: str
    status: str
    result: Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """A playbook's run. ``recap`` has the counts of the recap by host: ``run.recap["localhost"]["changed"]``."""

    rc: int
    stdout: str
    stderr: str
    recap: Mapping[str, Mapping[str, int]]
    results: Sequence[TaskResult]

    @property
    def output(self) -> str:
        """All that was printed. Since 2.19 errors and warnings go to stderr."""
        return self.stdout + self.stderr

    @property
    def changed(self) -> int:
        """How many tasks changed something, on all hosts."""
        return sum(counts["changed"] for counts in self.recap.values())

    @property
    def messages(self) -> str:
        """The messages of all tasks that failed, one a line."""
        return "\n".join(str(result.result.get("msg", "")) for result in self.results if result.status == "failed")

    def of(self, action: str, host: str = "localhost") -> list[TaskResult]:
        """The results of the tasks on a host that ran an action, for example ``berth.projects.container``."""
        return [result for result in self.results if result.action == action and result.host == host]

    def projects(self, host: str = "localhost") -> dict[str, Mapping[str, Any]]:
        """By name, the results of the projects that the host's last task with such a result tells of."""
        found = [result for result in self.results if result.host == host and "projects" in result.result]
        return {project["name"]: project for project in found[-1].result["projects"]} if found else {}

    def succeeded(self) -> Run:
        """The run itself; fails the test with all that was printed when the playbook failed."""
        assert self.rc == 0, self.output
        return self


def run_playbook(
    playbook: str | Path,
    folder: Path,
    *,
    variables: Mapping[str, Any] | None = None,
    hosts: Mapping[str, Mapping[str, Any]] | None = None,
    arguments: Iterable[str] = (),
    environment: Mapping[str, str] | None = None,
    programs: Path = BIN,
    timeout: float = 600,
    answer: tuple[str, str] | None = None,
) -> Run:
    """Run a playbook, from ``folder`` and with its files there.

    Args:
        playbook: A path, or a name like ``berth.projects.provision``.
        folder: An empty folder of the test, ``tmp_path``; the state of the projects is kept there too.
        variables: Variables of all hosts, such as ``berth_projects``.
        hosts: Variables by host; by default there is localhost, without any.
        arguments: More arguments of ansible-playbook, such as ``--check``.
        environment: Added to the environment.
        programs: The folder with the ``ansible-playbook`` to use.
        timeout: In seconds.
        answer: A part of a question, and what somebody at a terminal answers; without it there is no terminal.
    """
    inventory = folder / "inventory.json"
    config = folder / "ansible.cfg"  # empty, in place of the user's own
    config.touch()
    results = folder / "results.jsonl"
    results.unlink(missing_ok=True)
    common = {**LOCAL, "berth_state_dir": str(folder / "state"), **(variables or {})}
    inventory.write_text(json.dumps({"all": {"hosts": hosts or {"localhost": {}}, "vars": common}}, indent=1))
    command = [programs / "ansible-playbook", "-i", inventory, playbook, *arguments]
    known = {
        **os.environ,
        "ANSIBLE_CONFIG": str(config),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_CALLBACK_PLUGINS": str(CALLBACKS),
        "ANSIBLE_CALLBACKS_ENABLED": "results_to_file",
        "BERTH_TEST_RESULTS": str(results),
        **(environment or {}),
    }
    if answer:
        done = _at_terminal(command, folder, known, *answer, timeout)
    else:
        done = subprocess.run(
            command,
            cwd=folder,
            env=known,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )
    lines = results.read_text().splitlines() if results.exists() else []
    return Run(
        rc=done.returncode,
        stdout=done.stdout,
        stderr=done.stderr,
        recap=parse_recap(done.stdout),
        results=[TaskResult(**json.loads(line)) for line in lines],
    )


def _at_terminal(
    command: Sequence[str | Path],
    folder: Path,
    environment: Mapping[str, str],
    question: str,
    answer: str,
    timeout: float,
) -> subprocess.CompletedProcess[str]:
    """Run a command at a terminal, as its foreground process, and answer once it has asked."""
    master, slave = os.openpty()
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), slave)
    process = subprocess.Popen(["setsid", "--ctty", *command], cwd=folder, env=environment, **streams)
    os.close(slave)
    said, is_answered = "", False
    try:
        while select.select([master], [], [], timeout)[0]:
            try:
                said += os.read(master, 65536).decode(errors="replace")
            except OSError:  # the last one that had the terminal has gone
                break
            if question in said and not is_answered:
                os.write(master, f"{answer}\r".encode())
                is_answered = True
        return subprocess.CompletedProcess(command, process.wait(timeout), said.replace("\r\n", "\n"), "")
    finally:
        process.kill()
        os.close(master)


def parse_recap(stdout: str) -> dict[str, dict[str, int]]:
    """The counts of the play recap by host."""
    return {
        line["host"]: {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", line["counts"])}
        for line in RECAP_LINE.finditer(stdout)
    }
