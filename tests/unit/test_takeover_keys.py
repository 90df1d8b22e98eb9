# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The map in ``~/.claude.json`` that Berth shares with the agent's program and with people."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.projects.tests.unit.runtime_programs import program
from hypothesis import given
from hypothesis import strategies as st

berth_json = program("berth_json")
berth_home = program("berth_home")

FILE = ".claude.json"
KEY = "mcpServers"
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
servers = st.dictionaries(st.sampled_from("abcde"), json_values, max_size=4)


@pytest.fixture
def home(tmp_path: Path) -> Any:
    return berth_home.Home(str(tmp_path))


def merge(home: Any, wanted: dict[str, Any], owned: dict[str, Any] | None = None) -> list[str]:
    hashes = {name: [berth_json.hash_of_value(value)] for name, value in (owned or {}).items()}
    told: list[str] = berth_json.merge_into(home, FILE, KEY, wanted, hashes)
    return told


def read(home: Any) -> Any:
    return json.loads(home.read(FILE))


@given(st.dictionaries(st.text(), json_values, max_size=5), servers, servers, servers)
def test_whatever_others_wrote_survives(
    others: dict[str, Any], theirs: dict[str, Any], first: dict[str, Any], second: dict[str, Any]
) -> None:
    data = {**others, KEY: theirs}
    one = berth_json.merged(berth_json.loads(berth_json.dumps(data)), KEY, first, set())
    two = berth_json.loads(berth_json.dumps(berth_json.merged(one, KEY, second, set(first))))
    expected = {name: value for name, value in theirs.items() if name not in first}
    assert berth_json.is_same(two, {**others, KEY: {**expected, **second}})
    assert [name for name in two if name != KEY] == [name for name in data if name != KEY]


def test_numbers_and_texts_of_any_size_are_as_they_were(home: Any) -> None:
    numbers = b'"big": 123456789012345678901234567890, "float": 1.5e-7, "huge": 1e400'
    home.write(FILE, b"{" + numbers + b', "half": "\\ud800", "z": "\xc3\xa9"}')
    merge(home, {"one": {}})
    after = read(home)
    assert after["big"] == 123456789012345678901234567890
    assert (after["float"], after["huge"], after["half"], after["z"]) == (1.5e-7, 10**400, "\ud800", "é")


def test_the_file_is_made_for_its_owner_alone(home: Any, tmp_path: Path) -> None:
    assert merge(home, {"one": {"command": "x"}}) == []
    assert read(home) == {KEY: {"one": {"command": "x"}}}
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_right_is_not_written_but_made_private(home: Any, tmp_path: Path) -> None:
    content = b'{"mcpServers":{"one":{}},"b":1}'
    home.write(FILE, content, 0o644)
    merge(home, {"one": {}}, {"one": {}})
    assert (home.read(FILE), (tmp_path / FILE).stat().st_mode & 0o777) == (content, 0o600)
    before = (tmp_path / FILE).stat()
    merge(home, {"one": {}}, {"one": {}})
    assert (tmp_path / FILE).stat().st_ino == before.st_ino


def test_a_server_of_the_agents_own_is_replaced_with_a_word_and_a_copy(home: Any) -> None:
    home.write(FILE, b'{"mcpServers": {"one": {"command": "mine"}, "two": {}}}')
    (told,) = merge(home, {"one": {"command": "declared"}})
    assert "one in mcpServers of ~/.claude.json was not as Berth had made it" in told
    assert json.loads(home.read(f"{FILE}.before-berth"))[KEY]["one"] == {"command": "mine"}
    assert read(home)[KEY] == {"one": {"command": "declared"}, "two": {}}
    assert merge(home, {"one": {"command": "other"}}, {"one": {"command": "declared"}}) == []


def test_what_is_declared_no_more_goes_and_the_rest_stays(home: Any) -> None:
    home.write(FILE, b'{"mcpServers": {"one": {}, "mine": {}}}')
    assert merge(home, {}, {"one": {}}) == []
    assert read(home) == {KEY: {"mine": {}}}


@pytest.mark.parametrize(
    ("content", "rest"),
    [
        (b'{"a": 1,', {}),
        (b"[1]", {}),
        (b"\xff\xfe", {}),
        (b'{"a": NaN}', {}),
        (b'{"a": 1, "mcpServers": [1]}', {"a": 1}),
    ],
)
def test_a_damaged_file_is_kept_aside_and_a_fresh_one_written(home: Any, content: bytes, rest: dict[str, Any]) -> None:
    home.write(FILE, content)
    (told,) = merge(home, {"one": {}})
    (kept,) = (name for name in os.listdir(home.path) if name.startswith(f"{FILE}.damaged-"))
    assert "was damaged" in told
    assert kept in told
    assert home.read(kept) == content
    assert read(home) == {**rest, KEY: {"one": {}}}


def test_a_file_without_content_is_no_damage(home: Any) -> None:
    home.write(FILE, b"")
    assert merge(home, {"one": {}}) == []


def test_a_file_that_is_being_written_is_read_again(home: Any) -> None:
    home.write(FILE, b'{"a": ')

    def finish() -> None:
        time.sleep(0.05)
        home.write(FILE, b'{"a": 1}')

    writer = threading.Thread(target=finish)
    writer.start()
    assert merge(home, {"one": {}}) == []
    writer.join()
    assert read(home) == {"a": 1, KEY: {"one": {}}}


def test_a_file_that_is_half_written_at_each_look_is_no_success(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[None] = []

    def another_half(_seconds: float) -> None:
        looks.append(None)
        home.write(FILE, b'{"a": "' + b"x" * len(looks))

    home.write(FILE, b'{"a": "')
    monkeypatch.setattr(time, "sleep", another_half)
    with pytest.raises(
        berth_home.Problem, match="is being written by another program all the time; the next run tries"
    ):
        merge(home, {"one": {}})
    assert len(looks) == 10
    assert [name for name in os.listdir(home.path) if "damaged" in name] == []


def test_a_writer_that_takes_no_lock_loses_nothing_it_wrote_before_the_swap(home: Any) -> None:
    """Each write of the other comes between our reading and our renaming, where it would be lost."""
    home.write(FILE, b'{"count": 0}')
    real, writes = berth_home.new_file, []

    def new_file_after_another_write(*arguments: Any) -> Any:
        if len(writes) < 5 and threading.current_thread() is threading.main_thread():
            writes.append(None)
            Path(home.path, FILE).write_text(json.dumps({"count": len(writes)}))
        return real(*arguments)

    berth_home.new_file = new_file_after_another_write
    try:
        merge(home, {"one": {}})
    finally:
        berth_home.new_file = real
    assert read(home) == {"count": 5, KEY: {"one": {}}}


def test_two_that_take_the_lock_lose_nothing(home: Any) -> None:
    home.write(FILE, b"{}")
    done = threading.Event()

    def count() -> None:
        while not done.is_set():
            with berth_json.client_lock(home, FILE):
                data = read(home)
                time.sleep(0.001)
                home.write(FILE, json.dumps({**data, "count": data.get("count", 0) + 1}).encode())
            counted.append(None)
            time.sleep(0.003)

    counted: list[None] = []
    writer = threading.Thread(target=count)
    writer.start()
    for number in range(20):
        merge(home, {f"s{number}": {}}, {f"s{number - 1}": {}})
    done.set()
    writer.join()
    assert read(home)["count"] == len(counted)
    assert read(home)[KEY] == {"s19": {}}
    assert not home.exists(f"{FILE}.lock")


def test_a_stale_lock_is_taken_over(home: Any, tmp_path: Path) -> None:
    lock = tmp_path / f"{FILE}.lock"
    lock.mkdir()
    os.utime(lock, (time.time() - 11, time.time() - 11))
    assert merge(home, {"one": {}}) == []
    assert not lock.exists()


def test_a_lock_that_is_held_is_waited_for_and_then_told(
    home: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"{FILE}.lock").mkdir()
    monkeypatch.setattr(berth_json, "WAIT_SECONDS", 0.1)
    with pytest.raises(berth_home.Problem, match="is locked by another program"):
        merge(home, {"one": {}})
    assert (tmp_path / f"{FILE}.lock").exists()


def test_a_link_in_the_files_place_is_not_followed(home: Any, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("{}")
    (tmp_path / FILE).symlink_to("elsewhere")
    with pytest.raises(berth_home.Problem, match=r"~/\.claude\.json is a link"):
        merge(home, {"one": {}})
    assert (tmp_path / "elsewhere").read_text() == "{}"
