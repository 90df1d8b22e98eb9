# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Taking host state over into a home: what it makes, what it leaves alone, and how it goes again."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.projects.tests.unit.runtime_programs import program
from ansible_collections.berth.projects.tests.unit.takeover_pair import (
    ENTRIES,
    FIRST,
    SECOND,
    Pair,
    berth_home,
    berth_takeover,
    make_pair,
)

BLOCK = "<!-- BEGIN berth (managed: edits in here are lost) -->\n{}<!-- END berth -->\n"
MINE = {
    ".claude.json": '{"mcpServers": {"mine": {}}, "numStartups": 3}',
    ".claude/CLAUDE.md": "# My own",
    ".claude/skills/own/SKILL.md": "own",
    ".ssh/known_hosts": "mine.example A",
    ".ssh/id_mine": "m",
}


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return make_pair(tmp_path)


def test_all_that_is_declared_is_there(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    generation = pair.declare(FIRST)
    assert pair.take_over() == 0
    assert capsys.readouterr().out == f"berth: taken over {generation}\n"
    tree = pair.tree()
    assert json.loads(tree.pop(".claude.json")) == json.loads(FIRST["mcp.json"])
    assert tree == {
        ".claude/.credentials.json": "login",
        ".claude/CLAUDE.md": BLOCK.format("Be brief.\n"),
        ".claude/skills/review/SKILL.md": "review",
        ".claude/skills/review/bin/run": "#!/bin/sh\n",
        ".claude/skills/write/SKILL.md": "write",
        ".ssh/id_a": "private",
        ".ssh/id_a.pub": "public",
        ".ssh/known_hosts": "# BEGIN berth (managed: edits in here are lost)\nexample.org ssh-ed25519 A\n# END berth\n",
        ".ssh/more/config": "config",
    }
    modes = {path: pair.mode(path) for path in (".ssh/id_a", ".ssh/id_a.pub", ".claude/skills/review/bin/run", ".ssh")}
    assert modes == {
        ".ssh/id_a": 0o600,
        ".ssh/id_a.pub": 0o644,
        ".claude/skills/review/bin/run": 0o700,
        ".ssh": 0o700,
    }


def test_a_second_time_does_nothing_and_says_nothing(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    pair.declare(FIRST)
    pair.take_over()
    capsys.readouterr()
    before = [(path, path.stat().st_mtime_ns, path.stat().st_ino) for path in sorted(pair.home.rglob("*"))]
    assert pair.take_over() == 0
    assert [(path, path.stat().st_mtime_ns, path.stat().st_ino) for path in sorted(pair.home.rglob("*"))] == before
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("generation", [None, "empty"])
def test_nothing_declared_and_nothing_taken_is_nothing_to_do(pair: Pair, generation: str | None) -> None:
    if generation:
        pair.declare({})
    assert pair.take_over() == 0
    assert list(pair.home.iterdir()) == []


def test_a_change_replaces_what_is_berths_and_leaves_what_is_the_agents(pair: Pair) -> None:
    for path, text in MINE.items():
        pair.put(path, text)
    for files in (FIRST, SECOND):
        pair.declare(files)
        assert pair.take_over() == 0
    tree = pair.tree()
    assert json.loads(tree[".claude.json"]) == {
        "mcpServers": {"mine": {}, "one": {"command": "2"}, "three": {}},
        "numStartups": 3,
    }
    assert tree[".claude/CLAUDE.md"] == BLOCK.format("Be exact.\n") + "# My own"
    assert tree[".ssh/known_hosts"].endswith("# END berth\nmine.example A")
    assert {path for path in tree if path.startswith((".ssh", ".claude/skills"))} == {
        ".claude/skills/own/SKILL.md",
        ".claude/skills/review/SKILL.md",
        ".claude/skills/review/bin/run",
        ".ssh/id_a",
        ".ssh/id_a.pub",
        ".ssh/id_b",
        ".ssh/id_mine",
        ".ssh/known_hosts",
    }
    assert (tree[".ssh/id_a"], tree[".claude/skills/review/SKILL.md"]) == ("another", "review well")


@pytest.mark.parametrize("how", ["no files", "no entries"])
def test_what_is_declared_no_more_goes_without_a_trace(pair: Pair, how: str) -> None:
    for path, text in MINE.items():
        pair.put(path, text)
    pair.declare(FIRST)
    pair.take_over()
    pair.declare({} if how == "no files" else {"x": ""}, [])
    assert pair.take_over() == 0
    tree = pair.tree()
    assert tree.pop(".claude/.credentials.json") == "login", "a login is the agent's by then"
    assert json.loads(tree.pop(".claude.json")) == json.loads(MINE[".claude.json"])
    assert tree == {path: text for path, text in MINE.items() if path != ".claude.json"}
    assert json.loads((pair.home / berth_takeover.TAKEN).read_text())["entries"] == {}


def test_a_file_that_only_berth_had_written_goes(pair: Pair) -> None:
    pair.declare(FIRST)
    pair.take_over()
    pair.declare({})
    pair.take_over()
    assert set(pair.tree()) == {".claude.json", ".claude/.credentials.json"}


def test_a_file_of_the_agents_is_renamed_before_and_one_it_changed_as_well(
    pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    pair.put(".ssh/id_a", "the agent's")
    pair.declare(FIRST)
    pair.take_over()
    pair.put(".ssh/id_a", "changed by the agent")
    pair.declare(SECOND)
    assert pair.take_over() == 0
    tree = pair.tree()
    names = (".ssh/id_a", ".ssh/id_a.before-berth", ".ssh/id_a.before-berth-2")
    assert [tree[name] for name in names] == ["another", "the agent's", "changed by the agent"]
    assert capsys.readouterr().out.count("berth: warning: ~/.ssh/id_a was the agent's own, or changed by it") == 2


def test_a_folder_of_the_agents_own_is_left_alone_with_a_warning(
    pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    pair.put(".claude/skills/review/SKILL.md", "the agent's")
    for files in (FIRST, {}):
        pair.declare(files)
        assert pair.take_over() == 0
        assert pair.tree()[".claude/skills/review/SKILL.md"] == "the agent's"
    assert "berth: warning: ~/.claude/skills/review is the agent's own" in capsys.readouterr().out


@pytest.mark.parametrize("files", [SECOND, {}])
def test_a_folder_that_the_agent_changed_is_kept_beside(pair: Pair, files: dict[str, str]) -> None:
    pair.declare(FIRST)
    pair.take_over()
    pair.put(".claude/skills/review/notes", "the agent's")
    pair.put(".claude/skills/write/__pycache__/x.pyc", "nobody's")
    pair.declare(files)
    assert pair.take_over() == 0
    tree = pair.tree()
    assert tree[".claude/skills.before-berth/review/notes"] == "the agent's"
    assert ".claude/skills/review/notes" not in tree
    assert not any("write" in path for path in tree)


def test_a_seed_comes_once_and_never_over_a_file_that_is_there(pair: Pair) -> None:
    login = pair.put(".claude/.credentials.json", "newer")
    pair.declare(FIRST)
    pair.take_over()
    assert login.read_text() == "newer"
    login.unlink()  # the agent logs out
    pair.declare(SECOND)
    pair.take_over()
    assert not login.exists()
    pair.declare({**SECOND, "seed/.credentials.json": "another login"})
    pair.take_over()
    assert login.read_text() == "another login"


def test_a_login_is_laid_out_as_the_home_is(pair: Pair) -> None:
    login = {"login/.claude.json": '{"account": "me"}', "login/.claude/.credentials.json": "login", "mcp.json": "{}"}
    keys = {"kind": "keys", "source": "servers.json", "target": ".claude.json", "key": "mcpServers"}
    servers = {"servers.json": '{"mcpServers": {"one": {}}}'}
    pair.declare({**login, **servers}, [{"kind": "seed", "source": "login", "target": "."}, keys])
    pair.take_over()
    assert (pair.home / ".claude" / ".credentials.json").read_text() == "login"
    found = json.loads((pair.home / ".claude.json").read_text())
    assert found == {"account": "me", "mcpServers": {"one": {}}}


@pytest.mark.parametrize(("source", "target"), [(".", "x"), ("..", "x"), ("x", ".."), ("x", "a/../.."), ("x", "")])
def test_a_manifest_that_leads_out_of_its_folders_is_refused(pair: Pair, source: str, target: str) -> None:
    pair.declare({"x": "text"}, [{"kind": "files", "source": source, "target": target}])
    with pytest.raises(Exception, match="is no manifest"):
        pair.take_over()


def test_a_target_can_be_the_home_itself(pair: Pair) -> None:
    kinds = [("seed", "seed"), ("files", "ssh"), ("folders", "skills")]
    pair.declare(FIRST, [{"kind": kind, "source": source, "target": "."} for kind, source in kinds])
    assert pair.take_over() == 0
    made = [".credentials.json", "id_a", "id_a.pub", "more/config"]
    assert sorted(pair.tree()) == [*made, "review/SKILL.md", "review/bin/run", "write/SKILL.md"]
    pair.declare({})
    assert pair.take_over() == 0
    assert sorted(pair.tree()) == [".credentials.json"]


def test_a_login_is_there_before_berth_writes_into_the_same_file(pair: Pair) -> None:
    login = {"seed/.claude.json": '{"oauthAccount": "me"}'}
    pair.declare({**FIRST, **login}, [*ENTRIES, {"kind": "seed", "source": "seed", "target": "."}])
    assert pair.take_over() == 0
    assert json.loads(pair.tree()[".claude.json"]) == {"oauthAccount": "me", **json.loads(FIRST["mcp.json"])}


LINKS = {
    ".claude/CLAUDE.md": ".claude/CLAUDE.md",
    ".claude/skills": ".claude/skills",
    ".claude/skills/review": ".claude/skills/review",
    ".claude.json": ".claude.json",
    ".ssh": ".ssh",
    ".ssh/id_a": ".ssh/id_a",
    ".ssh/more": ".ssh/more",
}


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("dangling", [True, False])
def test_no_link_is_followed_and_the_other_entries_are_taken_over(
    pair: Pair, tmp_path: Path, capsys: pytest.CaptureFixture[str], link: str, dangling: bool
) -> None:
    outside = tmp_path / "outside"
    if not dangling:
        outside.mkdir()
        (outside / "file").write_text("untouched")
    (pair.home / link).parent.mkdir(parents=True, exist_ok=True)
    (pair.home / link).symlink_to(outside)
    generation = pair.declare(FIRST)
    status = pair.take_over()
    output = capsys.readouterr().out
    assert (status, f"~/{link}" in output) == (1, True)
    assert all(line.startswith("berth: error: ") for line in output.splitlines())
    assert f"taken over {generation}" not in output
    assert [path.name for path in outside.rglob("*")] == ([] if dangling else ["file"])
    assert len(pair.tree()) >= 5
    (pair.home / link).unlink()
    assert pair.take_over() == 0
    assert len(pair.tree()) == 10


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_link_in_the_way_of_what_is_declared_no_more_is_told_once_and_left(
    pair: Pair, tmp_path: Path, capsys: pytest.CaptureFixture[str], link: str, when: str
) -> None:
    target, outside = pair.home / link, tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("untouched")
    pair.declare(FIRST)
    if when == "after":
        pair.take_over()
        target.rename(tmp_path / "moved")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(outside)
    if when == "before":
        assert pair.take_over() == 1
    generation = pair.declare({"x": ""}, [])
    capsys.readouterr()
    assert pair.take_over() == 0
    told = capsys.readouterr().out.splitlines()
    assert told.pop() == f"berth: taken over {generation}"
    assert {line.partition(" is a link")[0] for line in told} <= {f"berth: warning: ~/{link}"}
    assert told or when == "before"
    assert [path.name for path in outside.rglob("*")] == ["file"]
    assert json.loads((pair.home / berth_takeover.TAKEN).read_text())["entries"] == {}


@pytest.mark.parametrize("before", [{}, SECOND], ids=["nothing", "another"])
def test_what_a_take_over_that_failed_has_done_goes_when_what_was_before_is_declared_again(
    pair: Pair, before: dict[str, str]
) -> None:
    pair.declare(before)
    pair.take_over()
    was = pair.tree()
    os.mkfifo(pair.home / ".claude.json") if not before else pair.put(".ssh/more", "no folder")
    pair.declare({path: text for path, text in FIRST.items() if "seed" not in path})
    assert pair.take_over() == 1
    assert pair.tree() != was
    (pair.home / (".ssh/more" if before else ".claude.json")).unlink()
    pair.declare(before)
    assert pair.take_over() == 0
    assert pair.tree() == was


def test_a_file_that_is_declared_no_more_does_not_keep_the_others_from_being_taken_over(pair: Pair) -> None:
    pair.declare(FIRST)
    pair.take_over()
    (pair.home / ".ssh" / "more").rename(pair.home / "elsewhere")
    (pair.home / ".ssh" / "more").symlink_to(pair.home / "elsewhere")
    pair.declare(SECOND)
    assert pair.take_over() == 0
    assert pair.tree()[".ssh/id_b"] == "b"


@pytest.mark.parametrize("path", [".local", ".local/state/berth", ".local/state/berth/taken.json"])
def test_a_link_in_the_way_of_what_berth_remembers_is_an_error(pair: Pair, tmp_path: Path, path: str) -> None:
    (pair.home / path).parent.mkdir(parents=True, exist_ok=True)
    (pair.home / path).symlink_to(tmp_path)
    pair.declare(FIRST)
    with pytest.raises(berth_home.Problem, match="is a link"):
        pair.take_over()


def test_a_pipe_in_a_files_place_does_not_keep_it_waiting(pair: Pair) -> None:
    (pair.home / ".ssh").mkdir()
    os.mkfifo(pair.home / ".ssh" / "id_a")
    pair.declare(FIRST)
    assert pair.take_over() == 1


def remembered(entry: Any = None, owned: Any = None) -> str:
    entry = {"kind": "files", "source": "ssh", "target": ".ssh"} if entry is None else entry
    return json.dumps(
        {"version": 1, "entries": {"files .ssh": {"entry": entry, "owned": {} if owned is None else owned}}}
    )


@pytest.mark.parametrize(
    "content",
    [
        '{"entries": [',
        '{"entries": []}',
        '{"entries": {"x": []}}',
        "[" * 5000,
        remembered(owned={"id_a": 5}),
        remembered(owned={"id_a": "hash"}),
        remembered(owned={"id_a": [5]}),
        remembered(owned={"../x": []}),
        remembered(owned=["id_a"]),
        remembered([]),
        remembered({"kind": "block", "source": "x", "target": "y"}),
        remembered({"kind": "block", "source": "x", "target": "y", "comment": "#"}),
        remembered({"kind": "keys", "source": "x", "target": "y"}),
        remembered({"kind": "files", "source": "x", "target": 3}),
    ],
)
def test_what_berth_remembers_may_be_lost_and_nothing_of_the_agents_is(
    pair: Pair, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    pair.put(".claude/CLAUDE.md", "# My own")
    pair.declare(FIRST)
    pair.take_over()
    before = pair.tree()
    (pair.home / berth_takeover.TAKEN).write_text(content)
    (pair.home / berth_takeover.GENERATION).unlink()
    capsys.readouterr()
    assert pair.take_over() == 0
    assert pair.tree() == before
    assert capsys.readouterr().out.startswith("berth: warning: ~/.local/state/berth/taken.json was damaged")


def test_a_fault_in_one_entry_is_told_without_its_text_and_the_others_go_on(
    pair: Pair, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise LookupError("s3cret")

    pair.declare(FIRST)
    monkeypatch.setattr(program("berth_json"), "merge_into", fail)
    assert pair.take_over() == 1
    assert capsys.readouterr().out == "berth: error: ~/.claude.json: the take-over has a fault here: LookupError\n"
    assert ".claude.json" not in pair.tree()
    assert len(pair.tree()) == 9
    monkeypatch.undo()
    assert pair.take_over() == 0
    assert len(pair.tree()) == 10


def test_a_manifest_for_a_later_image_is_refused(pair: Pair) -> None:
    pair.declare(FIRST, [{"kind": "magic", "source": "x", "target": "y"}])
    with pytest.raises(berth_home.Problem, match=r"too old .*\(kinds magic\): upgrade"):
        pair.take_over()


@pytest.mark.parametrize("target", ["../x", "/x", "a//b", "a/../b", "", 3])
def test_a_target_outside_the_home_is_refused(pair: Pair, target: object) -> None:
    pair.declare(FIRST, [{"kind": "files", "source": "ssh", "target": target}])
    with pytest.raises(berth_home.Problem, match="is no manifest"):
        pair.take_over()


def test_a_text_with_berths_own_marker_is_refused(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    pair.declare({**FIRST, "instructions.md": "a\n<!-- END berth -->\nb\n"})
    assert pair.take_over() == 1
    assert "a line that Berth uses as a marker" in capsys.readouterr().out


def test_two_at_once_are_one_after_the_other(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    pair.declare(FIRST)
    threads = [threading.Thread(target=pair.take_over) for _round in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert capsys.readouterr().out.count("berth: taken over ") == 1


def test_host_state_that_changes_meanwhile_is_taken_over_again(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    pair.declare(FIRST)
    real, changes = berth_takeover._take_all, []

    def change_after(*arguments: object) -> None:
        real(*arguments)
        if not changes:
            changes.append(pair.declare(SECOND))

    monkeypatch.setattr(berth_takeover, "_take_all", change_after)
    assert pair.take_over() == 0
    assert pair.tree()[".ssh/id_a"] == "another"
    assert (pair.home / berth_takeover.GENERATION).read_text().strip() == changes[0]


def test_it_takes_no_time_when_little_changed(pair: Pair) -> None:
    pair.declare(FIRST)
    pair.take_over()
    pair.declare({**FIRST, "instructions.md": "Be quick.\n"})
    began = time.monotonic()
    pair.take_over()
    assert time.monotonic() - began < 0.5, "a tenth of that on an idle machine"


def test_an_entry_that_moves_to_another_target_leaves_the_old_one(pair: Pair) -> None:
    pair.declare(FIRST)
    pair.take_over()
    moved = [{**entry, "target": ".keys"} if entry["kind"] == "files" else entry for entry in ENTRIES]
    pair.declare(FIRST, moved)
    assert pair.take_over() == 0
    tree = pair.tree()
    assert ".keys/id_a" in tree
    assert ".ssh/id_a" not in tree
