# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The agent's schedule: declared tasks and its own, the crontab made of them, and what becomes of a run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
from ansible_collections.berth.projects.tests.unit.runtime_programs import RUNTIME, program

berth_home = program("berth_home")
berth_tasks = program("berth_tasks")
berth_notices = program("berth_notices")
berth_run = program("berth_run")
berth_schedule = program("berth_schedule")

OWN_LINES = "MAILTO=me\n5 5 * * * mine\n"
SOON = time.strftime("%Y-%m-%d %H:%M", time.localtime(time.time() + 86400))
PAST = time.strftime("%Y-%m-%d %H:%M", time.localtime(time.time() - 86400))
AGENT_PROGRAM = """#!/bin/sh
echo "prompt=$(cat)" "arguments=$*" "folder=$(pwd)" "variable=${PROJECT_VARIABLE:-}"
exit "${STATUS:-0}"
"""


class Container:
    """A home, a folder for crontabs and an agent's program, with the commands run in this process."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "home"
        self.spool, self.workspace = folder / "spool", folder / "workspace"
        for one in (self.path, self.spool, self.workspace):
            one.mkdir()
        (folder / "cron").write_text("")
        (folder / "cron").chmod(0o755)
        (folder / "agent").write_text(AGENT_PROGRAM)
        (folder / "agent").chmod(0o755)
        (folder / "environment").write_bytes(b"PATH=/usr/bin:/bin\0PROJECT_VARIABLE=a b\nc\0PWD=/x\0")

    @property
    def home(self) -> Any:
        return berth_home.Home(str(self.path))

    def run(self, *arguments: str) -> int:
        status: int = berth_schedule.main(list(arguments))
        return status

    def add(self, name: str = "mine", *when: str, prompt: str = "do it") -> int:
        when = when or ("--cron", "0 9 * * mon-fri")
        return self.run("add", "--name", name, *when, "--prompt", prompt, "--workspace", str(self.workspace))

    def take(self, *tasks: dict[str, str]) -> list[str]:
        told: list[str] = berth_tasks.take(self.home, json.dumps(tasks).encode() if tasks else b"")
        return told

    def crontab(self) -> list[str]:
        path = self.spool / "agent"
        return path.read_text().splitlines() if path.exists() else []

    def tasks(self) -> list[str]:
        return [line for line in self.crontab() if "berth-schedule" in line]

    def notices(self) -> list[dict[str, Any]]:
        return list(berth_notices.all_notices(self.home).values())


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Container:
    made = Container(tmp_path)
    monkeypatch.setattr(berth_schedule, "HOME", str(made.path))
    monkeypatch.setattr(berth_tasks, "SPOOL", str(made.spool))
    monkeypatch.setattr(berth_tasks, "CRON", str(tmp_path / "cron"))
    monkeypatch.setattr(berth_tasks, "DECLARED_TASKS", str(tmp_path / "schedule.json"))
    monkeypatch.setattr(berth_run, "PROGRAM", (str(tmp_path / "agent"), "-p"))
    monkeypatch.setattr(berth_run, "ENVIRONMENT", str(tmp_path / "environment"))
    return made


def declared(name: str = "nightly", **when: str) -> dict[str, str]:
    return {"name": name, **(when or {"cron": "0 3 * * *"}), "prompt": "look", "workspace": "/workspace"}


def test_a_task_becomes_a_line_of_the_crontab_and_goes_with_it(container: Container) -> None:
    assert container.add() == 0
    assert container.tasks() == [f"0 9 * * mon-fri {berth_tasks.COMMAND} mine >/dev/null 2>&1"]
    assert (container.spool / "agent").stat().st_mode & 0o777 == 0o600
    assert container.run("remove", "mine") == 0
    assert not (container.spool / "agent").exists()


def test_lines_that_the_agent_put_there_itself_stay(container: Container) -> None:
    (container.spool / "agent").write_text(OWN_LINES)
    container.add()
    assert "\n".join(container.crontab()).endswith(OWN_LINES.strip())
    container.run("remove", "mine")
    assert (container.spool / "agent").read_text() == OWN_LINES


def test_all_it_keeps_is_for_the_agent_alone(container: Container) -> None:
    container.add()
    container.run("run", "mine")
    modes = {path.stat().st_mode & 0o077 for path in container.path.rglob("*")}
    assert modes == {0}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("bad/name",), "task name 'bad/name': allowed are letters"),
        (("mine", "--cron", "x"), "cron expression 'x'"),
        (("mine", "--at", "soon"), "time 'soon'"),
        (("mine", "--at", PAST), "is over"),
        (("there",), "task there is there already"),
        (("nightly",), "is declared in the project's definition"),
    ],
)
def test_what_cannot_be_added_is_said(
    container: Container, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
) -> None:
    container.add("there")
    container.take(declared())
    before = container.crontab()
    assert container.add(*arguments) == 1
    assert told in capsys.readouterr().out
    assert container.crontab() == before


def test_an_image_without_cron_says_so(
    container: Container, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(berth_tasks, "CRON", "/nowhere")
    assert container.add() == 1
    assert "this image has no cron" in capsys.readouterr().out
    with pytest.raises(berth_home.Problem, match="this image has no cron"):
        container.take(declared())
    assert container.take() == []


def test_declared_tasks_live_beside_the_agents_own(container: Container, capsys: pytest.CaptureFixture[str]) -> None:
    container.add()
    assert container.take(declared()) == []
    container.run("list")
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows] == ["NAME", "mine", "nightly"]
    assert ("agent" in rows[1], "definition" in rows[2]) == (True, True)
    container.take()
    assert [line.split()[-3] for line in container.tasks()] == ["mine"]


def test_a_declared_task_wins_over_one_of_the_same_name_which_comes_back_after_it(container: Container) -> None:
    container.add("nightly")
    (told,) = container.take(declared())
    assert "nightly is declared" in told
    assert container.take(declared()) == []
    assert [line[:9] for line in container.tasks()] == ["0 3 * * *"]
    container.take()
    assert [line[:9] for line in container.tasks()] == ["0 9 * * m"]


def test_a_declared_task_can_be_disabled_for_good_but_not_removed(
    container: Container, capsys: pytest.CaptureFixture[str]
) -> None:
    container.take(declared())
    assert container.run("remove", "nightly") == 1
    assert "is declared in the project's definition (schedule in berth_projects)" in capsys.readouterr().out
    assert container.run("disable", "nightly") == 0
    container.take(declared(cron="1 1 * * *"))
    assert container.tasks() == []
    container.run("enable", "nightly")
    assert len(container.tasks()) == 1


def test_a_task_that_is_not_there_is_said(container: Container, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("remove", "enable", "disable", "run"):
        assert container.run(command, "nothing") == 1
        assert "there is no task 'nothing'" in capsys.readouterr().out


def test_a_run_has_the_prompt_the_workspace_and_the_environment(container: Container) -> None:
    container.add(prompt="first line\nsecond")
    assert container.run("due", "mine") == 0
    (notice,) = container.notices()
    assert (notice["name"], notice["outcome"], notice["status"]) == ("mine", "done", 0)
    log = Path(notice["log"]).read_text()
    assert log == f"prompt=first line\nsecond arguments=-p folder={container.workspace} variable=a b\nc\n"


def test_a_run_that_failed_is_told_with_its_status(container: Container, monkeypatch: pytest.MonkeyPatch) -> None:
    container.add()
    monkeypatch.setenv("STATUS", "7")
    assert container.run("run", "mine") == 7
    (notice,) = container.notices()
    assert (notice["outcome"], notice["status"]) == ("failed", 7)


def test_a_workspace_that_is_gone_is_a_failed_run(container: Container, capsys: pytest.CaptureFixture[str]) -> None:
    container.add()
    container.workspace.rmdir()
    assert container.run("run", "mine") != 0
    (notice,) = container.notices()
    assert (notice["outcome"], notice["status"]) == ("failed", None)
    assert str(container.workspace) in notice["reason"]


def test_a_task_that_runs_still_is_left_out_and_counted(container: Container, tmp_path: Path) -> None:
    container.add()
    (tmp_path / "agent").write_text(
        f"#!/bin/sh\ntouch {tmp_path}/started\nwhile [ ! -e {tmp_path}/stop ]; do sleep 0.02; done\n"
    )
    patches = {"HOME": container.path, "SPOOL": container.spool}
    script = (
        f"import sys; sys.path.insert(0, {str(RUNTIME)!r}); sys.dont_write_bytecode = True\n"
        "import berth_home, berth_tasks, berth_run\n"
        f"berth_tasks.SPOOL = {str(patches['SPOOL'])!r}; berth_run.PROGRAM = ({str(tmp_path / 'agent')!r}, '-p')\n"
        f"berth_run.ENVIRONMENT = {str(tmp_path / 'environment')!r}\n"
        f"berth_run.run_due(berth_home.Home({str(patches['HOME'])!r}), 'mine')\n"
    )
    long = subprocess.Popen([sys.executable, "-c", script])
    while not (tmp_path / "started").exists():
        assert long.poll() is None
        time.sleep(0.02)
    assert container.run("due", "mine") == os.EX_TEMPFAIL
    assert container.run("due", "mine") == os.EX_TEMPFAIL
    (tmp_path / "stop").touch()
    assert long.wait() == 0
    done, skipped = container.notices()
    assert (done["outcome"], skipped["outcome"], skipped["count"]) == ("done", "skipped", 2)


def test_twenty_logs_of_a_task_are_kept(container: Container, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)
    container.add()
    for _round in range(23):
        container.run("due", "mine")
    logs = berth_notices.logs(container.home, "mine")
    assert len(logs) == 20
    assert len(container.notices()) == 23
    assert logs[-1] == Path(container.notices()[-1]["log"]).name


@pytest.mark.parametrize("origin", ["agent", "definition"])
def test_a_one_time_task_runs_once(container: Container, monkeypatch: pytest.MonkeyPatch, origin: str) -> None:
    task = declared("once", at=SOON)
    task["workspace"] = str(container.workspace)
    if origin == "agent":
        container.add("once", "--at", SOON)
    else:
        container.take(task)
    assert len(container.tasks()) == 1
    assert (container.run("due", "once"), container.notices()) == (0, []), "a year, or a day, too early"
    monkeypatch.setattr(time, "time", lambda: berth_schedule.seconds_of(SOON) + 1)
    assert container.run("due", "once") == 0
    assert [notice["outcome"] for notice in container.notices()] == ["done"]
    assert container.tasks() == []
    assert container.run("due", "once") == 0
    if origin == "definition":
        container.take(task)
        assert container.tasks() == [], "what ran does not come back"
        container.take({**task, "at": time.strftime("%Y-%m-%d %H:%M", time.localtime(time.time() + 86400))})
        assert len(container.tasks()) == 1, "another moment is another task"
    assert len(container.notices()) == 1


def at_in(hours: int, ago: float = 30) -> str:
    """The minute of so many seconds ago, by a clock that many hours ahead of UTC."""
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(time.time() + hours * 3600 - ago))


@pytest.fixture
def in_zone(container: Container, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Takes this process to a time zone; the container's is nine hours behind UTC."""
    environment = container.folder / "environment"
    environment.write_bytes(environment.read_bytes() + b"TZ=ZON9\0")

    def go(zone: str) -> None:
        monkeypatch.setenv("TZ", zone)
        time.tzset()

    yield go
    monkeypatch.undo()
    time.tzset()


def test_a_one_time_task_runs_by_the_containers_time(container: Container, in_zone: Callable[[str], None]) -> None:
    in_zone("ZON9")
    container.take({**declared("once", at=at_in(-9)), "workspace": str(container.workspace)})
    in_zone("ZON12")
    assert container.run("due", "once") == 0
    assert [notice["outcome"] for notice in container.notices()] == ["done"]


def test_a_one_time_task_is_not_missed_before_its_time_in_the_container(
    container: Container, in_zone: Callable[[str], None]
) -> None:
    in_zone("ZON9")
    container.add("each", "--cron", "* * * * *")
    container.take(declared("later", at=at_in(-9, ago=-3600)))
    in_zone("UTC0")
    assert container.run("due", "each") == 0
    in_zone("UTC0")
    (container.folder / "environment").unlink()
    assert [container.run("due", name) for name in ("each", "later", "gone")] == [1, 1, 0]
    outcomes = [(notice["name"], notice["outcome"]) for notice in container.notices()]
    assert outcomes == [("each", "done"), ("each", "failed"), ("later", "failed")]
    assert len(container.tasks()) == 2


def test_a_one_time_task_that_the_container_slept_through_is_told_once(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    container.add("once", "--at", SOON)
    container.take(declared("other", at=SOON))
    monkeypatch.setattr(time, "time", lambda: berth_schedule.seconds_of(SOON) + 3600)
    for _round in range(2):
        assert container.run("refresh") == 0
        container.take(declared("other", at=SOON))
    notices = [(notice["name"], notice["outcome"], notice["start"]) for notice in container.notices()]
    assert sorted(notices) == [("once", "missed", SOON), ("other", "missed", SOON)]
    assert container.crontab() == []


def test_a_run_that_the_containers_end_cut_short_is_told_at_the_next_start(container: Container) -> None:
    berth_notices.add(container.home, "mine", outcome="running", start="then")
    container.run("refresh")
    assert [notice["outcome"] for notice in container.notices()] == ["interrupted"]


def test_a_fresh_container_gets_its_crontab_back(container: Container) -> None:
    container.add()
    (container.spool / "agent").unlink()
    container.run("refresh")
    assert len(container.tasks()) == 1


def test_logs_and_notifications_are_shown_and_forgotten(
    container: Container, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert container.run("logs") == 1
    container.add(prompt="one\ntwo\nthree")
    container.run("due", "mine")
    capfdbinary.readouterr()
    container.run("logs", "mine", "--tail", "1")
    assert capfdbinary.readouterr().out.splitlines()[1:] == [b"c"]
    container.run("notifications", "--clear")
    assert b"mine  done" in capfdbinary.readouterr().out
    assert container.notices() == []
    assert container.run("logs", "../x") == 1


EMPTY: dict[str, Any] = {"own": {}, "declared": {}, "disabled": [], "done": {}}
TASK = {"cron": "0 0 * * *", "prompt": "x", "workspace": "/"}
DAMAGED = [
    "{",
    "[]",
    "[" * 5000,
    '{"own": {}}',
    *(
        json.dumps({**EMPTY, **change})
        for change in (
            {"own": []},
            {"own": {"x": 5}},
            {"own": {"x": {"cron": "0 0 * * *"}}},
            {"own": {"x\n": TASK}},
            {"own": {"x": {**TASK, "prompt": 5}}},
            {"declared": None},
            {"declared": {"x": {**TASK, "cron": "soon"}}},
            {"disabled": "x"},
            {"disabled": [1]},
            {"done": []},
            {"done": {"x": []}},
            {"more": 1},
        )
    ),
]


@pytest.mark.parametrize("content", DAMAGED)
def test_damaged_tasks_are_kept_aside_and_the_declared_ones_come_back(
    container: Container, capsys: pytest.CaptureFixture[str], tmp_path: Path, content: str
) -> None:
    container.add()
    (container.path / berth_tasks.TASKS).write_text(content)
    (tmp_path / "schedule.json").write_text(json.dumps([declared()]))
    assert container.run("refresh") == 0
    assert "berth: warning:" in capsys.readouterr().out
    assert [line.split()[-3] for line in container.tasks()] == ["nightly"]
    assert container.home.read(f"{berth_tasks.TASKS}.damaged") == content.encode()


def test_a_link_in_the_crontabs_place_is_not_followed(container: Container, tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("x")
    (container.spool / "agent").symlink_to(tmp_path / "victim")
    assert container.add() == 1
    assert (tmp_path / "victim").read_text() == "x"


@pytest.mark.parametrize("how", ["link", "another's"])
def test_an_environment_that_is_not_the_agents_own_file_is_refused(
    container: Container, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    if how == "link":
        (tmp_path / "environment").rename(tmp_path / "other")
        (tmp_path / "environment").symlink_to(tmp_path / "other")
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 4321)
    with pytest.raises(berth_home.Problem, match="restart the container"):
        berth_run.container_environment()
    assert container.notices() == []


@pytest.mark.parametrize("when", [("--cron", "0 9 * * *"), ("--at", SOON)])
def test_a_task_whose_environment_is_gone_is_told_and_not_done(
    container: Container, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: tuple[str, str]
) -> None:
    container.add("mine", *when)
    environment = (tmp_path / "environment").rename(tmp_path / "elsewhere")
    monkeypatch.setattr(time, "time", lambda: berth_schedule.seconds_of(SOON) + 1)
    assert container.run("due", "mine") == 1
    (notice,) = container.notices()
    assert (notice["name"], notice["outcome"]) == ("mine", "failed")
    assert notice["reason"].endswith("cannot be read (No such file or directory); restart the container")
    assert len(container.tasks()) == 1
    environment.rename(tmp_path / "environment")
    assert container.run("due", "mine") == 0
    assert [one["outcome"] for one in container.notices()] == ["failed", "done"]
