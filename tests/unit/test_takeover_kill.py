# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A take-over that is killed at any of its steps: nothing of the agent's is lost, and the next one finishes."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.projects.tests.unit.runtime_programs import program
from ansible_collections.berth.projects.tests.unit.takeover_pair import FIRST, SECOND, Pair, make_pair

berth_json = program("berth_json")

# All that changes a file or a folder; to be killed while reading or syncing is to be killed before the next of these.
STEPS = ("mkdir", "rmdir", "unlink", "rename", "link", "fchmod")
MINE = {
    ".claude.json": '{"mcpServers": {"mine": {}, "one": {"command": "the agent\'s"}}, "numStartups": 3}',
    ".claude/CLAUDE.md": "# My own",
    ".claude/skills/review/SKILL.md": "the agent's",
    ".claude/skills/own/SKILL.md": "own",
    ".ssh/id_a": "the agent's",
    ".ssh/known_hosts": "mine.example A",
}


def take_over_and_die(pair: Pair, step: int) -> bool:
    """In a process of its own, killed just before or just after its step of that number; whether it came so far."""
    child = os.fork()
    if child == 0:
        left = [step]
        for name in STEPS:
            setattr(os, name, dying(getattr(os, name), left))
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os._exit(0 if pair.take_over() == 0 else 3)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "no step may fail"
    return os.WIFSIGNALED(status)


def dying(real: Any, left: list[int]) -> Any:
    def call(*arguments: Any, **options: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **options)

    return call


def end_state(pair: Pair) -> dict[str, Any]:
    tree: dict[str, Any] = pair.tree()
    return {path: json.loads(text) if path.endswith(".json") and "{" in text else text for path, text in tree.items()}


def texts(pair: Pair) -> str:
    return "\n".join(pair.tree().values())


@pytest.mark.parametrize("has_own_files", [True, False])
@pytest.mark.parametrize("change", ["from nothing", "to another", "to nothing"])
def test_a_kill_at_any_step_is_mended_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_own_files: bool, change: str
) -> None:
    monkeypatch.setattr(berth_json, "STALE_SECONDS", 0.0)
    monkeypatch.setattr(os, "fsync", lambda _: None)  # a killed process loses nothing that it wrote

    def prepared(name: str) -> Pair:
        (tmp_path / name).mkdir()
        pair = make_pair(tmp_path / name)
        for path, text in MINE.items() if has_own_files else ():
            pair.put(path, text)
        if change != "from nothing":
            pair.declare(FIRST)
            assert pair.take_over() == 0
        pair.declare({"from nothing": FIRST, "to another": SECOND, "to nothing": {}}[change])
        return pair

    whole = prepared("whole")
    assert whole.take_over() == 0
    prepared("start")
    step = 1
    while True:
        shutil.copytree(tmp_path / "start", tmp_path / str(step))
        pair = Pair(tmp_path / str(step) / "berth", tmp_path / str(step) / "home")
        was_killed = take_over_and_die(pair, step)
        if has_own_files:
            # what nobody but the agent has written is in the home at each instant
            for text in ("# My own", '"numStartups": 3', "own", "the agent's", "mine.example A"):
                assert text in texts(pair), f"step {step}"
        assert pair.take_over() == 0, f"step {step}"
        leftovers = [path for path in pair.home.rglob("*") if "berth-new" in path.name]
        assert end_state(pair) == end_state(whole), f"step {step}"
        assert leftovers == [], f"step {step}"
        if not was_killed:
            break
        step += 1
    assert step > 30
