# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Berth remembers on a host: whole or not at all, and by one run at a time."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils import records as module
from ansible_collections.berth.projects.plugins.module_utils.definition import User
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.records import Record, Records

RECORD = Record("c0ffee", 1000, 100)


@pytest.fixture
def records(tmp_path: Path) -> Records:
    made = Records(str(tmp_path / "state"))
    with made.locked(0):
        pass
    return made


def file_of(records: Records, project: str = "web") -> Path:
    return Path(records.state_dir) / "records" / f"{project}.json"


def test_what_was_written_is_read(records: Records) -> None:
    records.write("web", RECORD)
    assert records.read("web") == RECORD
    assert records.read("api") == Record()


def test_a_newer_record_takes_the_place_of_the_older(records: Records) -> None:
    records.write("web", RECORD)
    records.write("web", Record("beef", 1, 2))
    assert records.read("web") == Record("beef", 1, 2)
    assert os.listdir(file_of(records).parent) == ["web.json"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "5",
        "null",
        '"container_id"',
        "{}",
        '{"container_id": "x"}',
        "\x00\x00",
        '{"container_id": 5, "uid": "a", "gid": []}',
        '{"container_id": "x", "uid": "a", "gid": 1}',
        '{"container_id": "x", "uid": 1, "gid": []}',
        '{"container_id": ["x"], "uid": 1, "gid": 1}',
        '{"container_id": "x", "uid": 1, "gid": 1, "pending_id": 5}',
        '{"container_id": "x", "uid": 1, "gid": 1, "pending_id": ["y"]}',
    ],
)
def test_a_broken_file_is_as_none(records: Records, content: str) -> None:
    file_of(records).write_text(content)
    assert records.read("web") == Record()
    records.write("web", RECORD)
    assert records.read("web") == RECORD


def test_what_is_pending_is_read_as_it_was_written(records: Records) -> None:
    records.write("web", RECORD.pending("beef"))
    assert records.read("web") == Record("c0ffee", 1000, 100, "beef")


def test_a_file_of_before_there_was_a_pending_container_is_read(records: Records) -> None:
    file_of(records).write_text('{"container_id": "x", "uid": 1, "gid": 2}')
    assert records.read("web") == Record("x", 1, 2)


def test_bytes_that_are_no_text_are_as_none(records: Records) -> None:
    file_of(records).write_bytes(b"\xff\xfe{}")
    assert records.read("web") == Record()


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_write_that_is_cut_short_leaves_the_older_record(
    records: Records, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    records.write("web", RECORD)

    def full_disk(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, call, full_disk)
    with pytest.raises(BerthError, match=r"Cannot write .*web\.json: No space left on device.*berth_state_dir"):
        records.write("web", Record("beef", 1, 2))
    assert records.read("web") == RECORD


def test_a_reader_never_meets_half_a_record(records: Records) -> None:
    records.write("web", RECORD)
    other = Record("x" * 5000, 1, 2)
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            records.write("web", other)
            records.write("web", RECORD)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        seen = {records.read("web") for _attempt in range(300)}
    finally:
        stop.set()
        writer.join()
    assert seen <= {RECORD, other}


def test_a_state_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    records = Records(str(tmp_path / "file" / "state"))
    with pytest.raises(BerthError, match=r"Cannot make .*records: .*berth_state_dir"), records.locked(0):
        pass


def test_host_state_is_made_once_and_may_be_there(records: Records, tmp_path: Path) -> None:
    folder = tmp_path / "state" / "projects" / "web"
    records.prepare(str(folder))
    records.prepare(str(folder))
    assert folder.is_dir()


def test_host_state_can_be_read_by_the_agent_whatever_the_umask(records: Records, tmp_path: Path) -> None:
    folder = tmp_path / "web"
    before = os.umask(0o077)
    try:
        records.prepare(str(folder))
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o755


def test_host_state_that_cannot_be_made_is_told(records: Records, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BerthError, match=r"Cannot make .*file/web: .*berth_state_dir"):
        records.prepare(str(tmp_path / "file" / "web"))


def test_records_are_their_owners_only(records: Records) -> None:
    assert file_of(records).parent.stat().st_mode & 0o077 == 0


# The lock


def test_a_second_run_gives_up_after_its_time_and_says_what_to_do(records: Records) -> None:
    started = time.monotonic()
    with records.locked(0), pytest.raises(BerthError) as error, Records(records.state_dir).locked(0.2):
        pass
    assert 0.15 < time.monotonic() - started < 5
    assert f"Another run of Berth has held {records.state_dir}/lock" in error.value.msg
    assert "Run again when it has ended" in error.value.msg


def test_a_second_run_waits_for_the_first(records: Records) -> None:
    held, order = threading.Event(), []

    def first() -> None:
        with records.locked(0):
            held.set()
            time.sleep(0.1)
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    held.wait(5)
    with Records(records.state_dir).locked(5):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]


def test_the_lock_is_let_go_after_an_error(records: Records) -> None:
    with pytest.raises(RuntimeError), records.locked(0):
        raise RuntimeError
    with records.locked(0):
        pass


# Records


@pytest.mark.parametrize(
    ("record", "user"),
    [(Record(), None), (Record("x", 1, None), None), (Record("x", None, 1), None), (Record("x", 1, 2), User(1, 2))],
)
def test_a_user_is_remembered_with_both_ids_or_not_at_all(record: Record, user: User | None) -> None:
    assert record.user == user


def test_a_pending_container_leaves_the_proven_one_and_the_ids() -> None:
    assert RECORD.pending("beef") == Record("c0ffee", 1000, 100, "beef")


@pytest.mark.parametrize("container_id", ["beef", "feed", None])
def test_nothing_is_pending_once_something_is_proven(container_id: str | None) -> None:
    assert RECORD.pending("beef").proven(container_id) == Record(container_id, 1000, 100)


def test_a_user_takes_the_place_of_the_ids_alone() -> None:
    pending = RECORD.pending("beef")
    assert pending.with_user(User(1, 2)) == Record("c0ffee", 1, 2, "beef")
    assert pending.with_user(None) == pending


@pytest.mark.parametrize(("uid", "folder"), [(0, "/var/lib/berth"), (1000, "/home/me/.local/state/berth")])
def test_the_state_folder_is_the_systems_for_root_and_the_users_else(
    monkeypatch: pytest.MonkeyPatch, uid: int, folder: str
) -> None:
    monkeypatch.setattr(module.os, "geteuid", lambda: uid)
    monkeypatch.setenv("HOME", "/home/me")
    assert module.default_state_dir() == folder


# Of which scope, and what becomes of a project that is no more


def test_a_record_says_whose_it_is(records: Records) -> None:
    records.write("web", RECORD.of_scope("team-b"))
    assert records.read("web").scope == "team-b"


def test_a_record_from_before_there_were_scopes_in_it_is_read(records: Records) -> None:
    file_of(records).write_text('{"container_id": "c0ffee", "uid": 1000, "gid": 100}')
    assert records.read("web") == RECORD


def test_a_scope_that_is_none_makes_no_record(records: Records) -> None:
    file_of(records).write_text('{"container_id": "c0ffee", "uid": 1000, "gid": 100, "scope": 5}')
    assert records.read("web") == Record()


def test_all_records_are_read_by_the_names_of_their_projects(records: Records) -> None:
    records.write("web", RECORD)
    records.write("api", Record("beef"))
    file_of(records, "web").with_suffix(".json.part").touch()
    assert records.of_others(()) == {"api": Record("beef"), "web": RECORD}
    assert records.of_others({"web"}) == {"api": Record("beef")}


def test_where_nothing_was_written_yet_there_are_no_records(tmp_path: Path) -> None:
    assert Records(str(tmp_path / "nowhere")).of_others(()) == {}


def host_state_of(records: Records) -> Path:
    made = Path(records.state_dir) / "projects" / "web"
    made.mkdir(parents=True)
    (made / "settings.json").touch()
    return made


def test_a_forgotten_project_leaves_no_record_and_no_files(records: Records) -> None:
    records.write("web", RECORD)
    records.write("api", RECORD)
    files = host_state_of(records)
    records.forget("web", str(files))
    assert (list(records.of_others(())), files.exists()) == (["api"], False)


def test_what_was_never_written_can_be_forgotten(records: Records) -> None:
    records.forget("web", str(Path(records.state_dir) / "projects" / "web"))
    assert records.of_others(()) == {}


def test_a_record_stays_as_long_as_files_cannot_be_removed(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is what tells the next run of them."""

    def refuse(path: str) -> None:
        raise OSError(13, "Permission denied")

    records.write("web", RECORD)
    files = host_state_of(records)
    monkeypatch.setattr(module.shutil, "rmtree", refuse)
    with pytest.raises(BerthError, match=rf"^Cannot remove {files}: Permission denied"):
        records.forget("web", str(files))
    assert records.read("web") == RECORD
