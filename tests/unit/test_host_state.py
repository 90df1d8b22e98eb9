# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Host state: what differs of it, what is read and written, and when a container takes it over."""

from __future__ import annotations

import base64
import errno
import os
import stat
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.definition import User
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.host_files import (
    read_host_state,
    real_paths,
    with_copies,
    write_problem,
)
from ansible_collections.berth.projects.plugins.module_utils.host_state import (
    EMPTY,
    GENERATION,
    Copy,
    FoundFile,
    HostState,
    WantedFile,
    differences_by_aspect,
    differing_files,
    hash_of,
    host_state_from,
    is_generation_current,
)
from ansible_collections.berth.projects.plugins.module_utils.host_writer import HostWriter
from ansible_collections.berth.projects.tests.unit.builders import definition
from hypothesis import given
from hypothesis import strategies as st

ME = User(os.geteuid() or 1000, os.getegid() or 1000)
TEXTS = {"instructions.md": b"be kind", "secrets/git": b"s3cret", "skills/a/run": b"#!/bin/sh"}
CONTENTS = {hash_of(text): base64.b64encode(text).decode() for text in TEXTS.values()}


class Killed(BaseException):
    """What no code catches, as nothing does a SIGKILL."""


def state(*paths: str, **copies: Any) -> HostState:
    aspects = {"instructions.md": "instructions", "secrets/git": "secrets", "skills/a/run": "skills"}
    files = {
        path: WantedFile(hash_of(TEXTS[path]), aspects[path], executable=path.endswith("run"))
        for path in paths or TEXTS
    }
    return HostState(files, **copies)


def write(folder: Path, wanted: HostState, contents: dict[str, str] | None = None) -> list[str]:
    """What a run does; returns what differed."""
    found = read_host_state(str(folder))
    differing = differing_files(wanted, ME.uid, found)
    with suppress(OSError):
        folder.mkdir(exist_ok=True)
    HostWriter(CONTENTS if contents is None else contents).write(str(folder), wanted, differing, ME)
    return differing


def is_current(folder: Path, wanted: HostState) -> bool:
    found = read_host_state(str(folder))
    return not differing_files(wanted, ME.uid, found) and is_generation_current(wanted, ME.uid, found)


def test_what_is_written_is_found_as_wanted_and_not_written_again(tmp_path: Path) -> None:
    assert write(tmp_path / "web", state()) == sorted(TEXTS)
    assert is_current(tmp_path / "web", state())
    assert write(tmp_path / "web", state()) == []


def test_files_are_the_agents_alone_and_folders_open(tmp_path: Path) -> None:
    write(tmp_path / "web", state())
    found = read_host_state(str(tmp_path / "web"))
    assert {path: oct(one.mode) for path, one in found.items()} == {
        "instructions.md": "0o400",
        "secrets/git": "0o400",
        "skills/a/run": "0o500",
        GENERATION: "0o400",
    }
    assert {one.uid for one in found.values()} == {ME.uid}
    assert stat.S_IMODE((tmp_path / "web" / "skills").stat().st_mode) == 0o755


def test_what_is_not_declared_any_more_goes_with_its_folders(tmp_path: Path) -> None:
    write(tmp_path, state())
    assert write(tmp_path, state("instructions.md")) == ["secrets/git", "skills/a/run"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [GENERATION, "instructions.md"]
    write(tmp_path, HostState())
    assert (tmp_path / GENERATION).read_text() == EMPTY
    assert is_current(tmp_path, HostState())


@pytest.mark.parametrize(
    ("meddle", "differing"),
    [
        (lambda folder: (folder / "secrets" / "git").unlink(), ["secrets/git"]),
        (lambda folder: (folder / "secrets" / "git").chmod(0o444), ["secrets/git"]),
        (lambda folder: (folder / "secrets" / "extra").write_text("x"), ["secrets/extra"]),
        (lambda folder: (folder / "link").symlink_to("/etc/passwd"), ["link"]),
        (lambda folder: (folder / "instructions.md.berth-part").write_text("cut off"), ["instructions.md.berth-part"]),
    ],
    ids=["gone", "open", "extra", "link", "part"],
)
def test_what_somebody_or_a_kill_has_left_is_put_right(tmp_path: Path, meddle: Any, differing: list[str]) -> None:
    write(tmp_path, state())
    meddle(tmp_path)
    assert not is_current(tmp_path, state())
    assert write(tmp_path, state()) == differing
    assert is_current(tmp_path, state())


def test_a_link_in_the_place_of_a_folder_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder = tmp_path / "web"
    folder.mkdir()
    (folder / "secrets").symlink_to(elsewhere)
    write(folder, state())
    assert list(elsewhere.iterdir()) == []
    assert is_current(folder, state())


def test_a_folder_in_the_place_of_a_file_makes_way(tmp_path: Path) -> None:
    (tmp_path / "instructions.md" / "deep").mkdir(parents=True)
    (tmp_path / "instructions.md" / "deep" / "file").write_text("x")
    write(tmp_path, state())
    assert is_current(tmp_path, state())


@pytest.mark.parametrize("calls", range(1, 12))
def test_a_run_that_is_cut_off_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    write(tmp_path, state("instructions.md"))
    before = (tmp_path / GENERATION).read_text()
    wanted = state("secrets/git", "skills/a/run")
    with monkeypatch.context() as patched:
        _cut_off(patched, calls)
        try:
            write(tmp_path, wanted)
        except Killed:
            assert (tmp_path / GENERATION).read_text() == before  # so nobody takes half of it over
    write(tmp_path, wanted)
    assert is_current(tmp_path, wanted)


def _cut_off(patched: pytest.MonkeyPatch, calls: int) -> None:
    """Let the process end, as it were, at one of the calls that change something."""
    left = [calls]

    def counted(name: str) -> Any:
        real = getattr(os, name)

        def call(*args: Any, **keys: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            return real(*args, **keys)

        return call

    for name in ("replace", "open", "mkdir", "unlink", "fchmod"):
        patched.setattr(os, name, counted(name))


def test_a_state_that_cannot_be_written_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(BerthError) as error:
        write(tmp_path / "file" / "web", state())
    assert "Not a directory" in error.value.msg


def test_the_generation_tells_states_apart_by_names_contents_and_modes() -> None:
    one = state("secrets/git")
    others = [
        HostState(),
        state(),
        HostState({"secrets/other": one.files["secrets/git"]}),
        HostState({"secrets/git": replace(one.files["secrets/git"], hash=hash_of(b"other"))}),
        HostState({"secrets/git": replace(one.files["secrets/git"], executable=True)}),
    ]
    assert len({one.generation, *(other.generation for other in others)}) == 6
    assert one.generation == HostState(dict(one.files)).generation


def test_a_state_that_never_was_and_an_empty_one_are_the_same() -> None:
    assert is_generation_current(HostState(), 5, {})
    assert is_generation_current(HostState(), 5, {GENERATION: FoundFile(hash_of(b"empty"), 0o400, 5)})
    assert not is_generation_current(state(), 5, {})


def test_an_empty_state_is_for_all_to_read_as_its_agent_may_be_another_next_time(tmp_path: Path) -> None:
    write(tmp_path, state())
    write(tmp_path, HostState())
    found = read_host_state(str(tmp_path))
    assert {path: oct(one.mode) for path, one in found.items()} == {GENERATION: "0o444"}
    assert is_generation_current(HostState(), ME.uid + 1, found)


@pytest.mark.parametrize(("uid", "is_current"), [(7, True), (5, False), (None, True)])
def test_an_empty_state_that_the_agent_cannot_read_is_to_be_written_again(uid: int | None, is_current: bool) -> None:
    there = {GENERATION: FoundFile(hash_of(b"empty"), 0o400, 7)}
    assert is_generation_current(HostState(), uid, there) == is_current


def test_private_files_are_told_of_without_even_a_hash() -> None:
    wanted = state()
    found = {"secrets/git": FoundFile(hash_of(b"old"), 0o400, 5), "gone": FoundFile(hash_of(b"x"), 0o400, 5)}
    told = differences_by_aspect(wanted, ["gone", "instructions.md", "secrets/git"], found)
    assert told == {
        "host state": ({"gone": "there"}, {"gone": None}),
        "instructions": ({"instructions.md": None}, {"instructions.md": hash_of(b"be kind")[:12]}),
        "secrets": ({"secrets/git": "there"}, {"secrets/git": "changed"}),
    }


@given(st.dictionaries(st.sampled_from(["a", "b/c", "b/d", "e"]), st.binary(max_size=8)), st.integers(0, 3))
def test_a_state_differs_from_what_is_there_where_a_file_does(files: dict[str, bytes], uid: int) -> None:
    wanted = HostState({path: WantedFile(hash_of(content), "skills") for path, content in files.items()})
    found = {path: FoundFile(hash_of(content), 0o400, 1) for path, content in files.items()}
    assert differing_files(wanted, uid, found) == (sorted(files) if uid != 1 else [])


# Copies of the host's own files


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    folder = tmp_path / "ssh"
    folder.mkdir()
    (folder / "id_ed25519").write_text("key")
    (folder / "id_ed25519.pub").write_text("public")
    (folder / "sockets").mkdir()
    return folder


def copied(folder: Path, **options: Any) -> HostState:
    return with_copies(HostState(copies=(Copy(str(folder), "ssh", "credentials", **options),)))[0]


def copy_problems(wanted: HostState, *writable: str) -> list[str]:
    return with_copies(wanted, real_paths(writable))[1]


def test_all_files_of_a_folder_are_copied_or_those_that_are_named(keys: Path) -> None:
    assert sorted(copied(keys).files) == ["ssh/id_ed25519", "ssh/id_ed25519.pub"]
    assert sorted(copied(keys, only=("id_ed25519",)).files) == ["ssh/id_ed25519"]
    assert sorted(copied(keys, but=("id_ed25519", "else")).files) == ["ssh/id_ed25519.pub"]
    assert copied(keys / "nowhere", optional=True).files == {}
    assert copied(keys, only=("nothing",), optional=True).files == {}


@pytest.mark.parametrize("code", [errno.EACCES, errno.ENOENT])
def test_a_folder_that_cannot_be_read_or_has_just_gone_is_told(
    keys: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refused(path: str) -> list[str]:
        raise OSError(code, os.strerror(code), path)

    monkeypatch.setattr(os, "listdir", refused)
    told = f"{keys}: cannot be read ({os.strerror(code)}). It is to be copied for the agent."
    assert copy_problems(HostState(copies=(Copy(str(keys), "ssh", "credentials"),))) == [told]


def test_a_copy_that_changes_is_written_again(keys: Path, tmp_path: Path) -> None:
    folder = tmp_path / "state"
    write(folder, copied(keys))
    assert is_current(folder, copied(keys))
    (keys / "id_ed25519").write_text("another")
    assert write(folder, copied(keys)) == ["ssh/id_ed25519"]
    assert (folder / "ssh" / "id_ed25519").read_text() == "another"


def test_a_copy_that_changes_as_it_is_read_is_not_taken_for_what_was_planned(keys: Path, tmp_path: Path) -> None:
    planned = copied(keys)
    (keys / "id_ed25519").write_text("another")
    with pytest.raises(BerthError, match="has changed just now"):
        write(tmp_path / "state", planned)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"folder": "nowhere"}, "is no folder on this host"),
        ({"only": ("missing",)}, "missing: is no file on this host"),
        ({"only": ("sockets",)}, "sockets: is no file on this host"),
        ({"large": True}, "is larger than 1 MiB"),
    ],
)
def test_a_copy_that_cannot_be_made_is_told_before_anything_is_done(
    keys: Path, options: dict[str, Any], problem: str
) -> None:
    if options.pop("large", False):
        (keys / "huge").write_bytes(bytes(1024 * 1024 + 1))
    source = keys / options.pop("folder", "")
    told = copy_problems(HostState(copies=(Copy(str(source), "ssh", "credentials", **options),)))
    assert len(told) == 1 and problem in told[0]


def test_a_link_that_leads_out_of_the_folder_is_not_copied(keys: Path, tmp_path: Path) -> None:
    (tmp_path / "shadow").write_text("hashes")
    (keys / "x").symlink_to(tmp_path / "shadow")
    (told,) = copy_problems(HostState(copies=(Copy(str(keys), "ssh", "credentials"),)))
    assert "x: is a link that leads out of" in told
    (keys / "x").unlink()
    (keys / "x").symlink_to("id_ed25519")
    assert copied(keys).files["ssh/x"].hash == hash_of(b"key")


@pytest.mark.parametrize("place", ["", "..", "inside"])
def test_nothing_is_copied_from_where_an_agent_may_write(keys: Path, tmp_path: Path, place: str) -> None:
    (keys / "inside").mkdir()
    (tmp_path / "workspace").symlink_to(keys / place)
    state_of_keys = HostState(copies=(Copy(str(keys), "ssh", "credentials", ("id_ed25519",)),))
    assert "leads to where an agent may write" in copy_problems(state_of_keys, str(tmp_path / "workspace"))[0]
    assert copy_problems(state_of_keys, str(tmp_path / "elsewhere")) == []


def test_only_root_and_the_agent_itself_can_write_for_the_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = replace(definition(), host_state=state(), user=User(1234, 1234))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "declare user: {uid: 1000}" in str(write_problem(wanted))
    assert write_problem(replace(wanted, host_state=HostState())) is None
    assert write_problem(replace(wanted, user=User(1000, 5))) is None
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert write_problem(wanted) is None


def test_what_the_control_node_says_becomes_a_state() -> None:
    entry = {
        "files": {
            "a": {"hash": "x", "aspect": "skills", "executable": True, "public": False},
            "b": {"hash": "y", "aspect": "credentials", "executable": False, "public": True},
        },
        "copies": [
            {"source": "/k", "target": "ssh", "aspect": "credentials", "only": ["id"], "optional": False, "but": ["x"]}
        ],
    }
    files = {"a": WantedFile("x", "skills", True), "b": WantedFile("y", "credentials", public=True)}
    assert host_state_from(entry) == HostState(files, (Copy("/k", "ssh", "credentials", ("id",), but=("x",)),))
    assert oct(files["b"].mode) == "0o444"
    assert host_state_from(None) == HostState()
