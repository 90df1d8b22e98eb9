# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Skills: folders of the control node."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.plugin_utils import agent_skills
from ansible_collections.berth.projects.plugins.plugin_utils.agent_skills import (
    skill_files,
    skill_name,
    skill_problems,
)


@pytest.fixture
def skill(tmp_path: Path) -> Path:
    folder = tmp_path / "greet"
    (folder / "scripts").mkdir(parents=True)
    (folder / "SKILL.md").write_text("---\nname: greet\n---\n")
    (folder / "scripts" / "hello").write_text("#!/bin/sh\n")
    (folder / "scripts" / "hello").chmod(0o755)
    return folder


def files_of(entry: Any) -> Any:
    agent_skills._read.cache_clear()
    return skill_files(entry, str)


def told_of(*skills: Any) -> list[str]:
    return [f"{problem.where}: {problem.text}" for problem in skill_problems((), {"skills": list(skills)})]


@pytest.mark.parametrize(
    ("entry", "name"),
    [("/a/greet", "greet"), ("greet/", "greet"), ({"path": "/a/greet"}, "greet"), ({"path": "x", "name": "y"}, "y")],
)
def test_a_skill_is_called_as_its_folder_unless_it_has_a_name(entry: Any, name: str) -> None:
    assert skill_name(entry) == name


def test_all_files_of_a_skill_are_read_with_whether_they_may_be_run(skill: Path) -> None:
    assert files_of(str(skill)) == (
        ("SKILL.md", b"---\nname: greet\n---\n", False),
        ("scripts/hello", b"#!/bin/sh\n", True),
    )


def test_what_tools_leave_in_a_folder_is_left_out(skill: Path) -> None:
    for name in (".git", "__pycache__"):
        (skill / name).mkdir()
        (skill / name / "x").write_text("x")
    assert len(files_of(str(skill))) == 2


def test_a_path_is_looked_for_by_the_search_that_is_given(skill: Path) -> None:
    agent_skills._read.cache_clear()
    assert len(skill_files({"path": "greet"}, lambda path: str(skill.parent / path))) == 2


def test_a_folder_without_a_skill_is_told(tmp_path: Path) -> None:
    with pytest.raises(BerthError, match=r"has no SKILL\.md"):
        files_of(str(tmp_path))
    with pytest.raises(BerthError, match=r"there is no folder .*/none on the control node"):
        files_of(str(tmp_path / "none"))


def test_a_link_that_leads_nowhere_is_told(skill: Path) -> None:
    (skill / "link").symlink_to("nothing")
    with pytest.raises(BerthError, match="leads nowhere"):
        files_of(str(skill))


def test_a_link_to_a_folder_is_followed_wherever_it_leads(skill: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "guide.md").write_text("guide")
    for name in ("one", "two"):
        (skill / name).symlink_to(shared)
    assert [path for path, _content, _executable in files_of(str(skill))] == [
        "SKILL.md",
        "one/guide.md",
        "scripts/hello",
        "two/guide.md",
    ]


@pytest.mark.parametrize("target", ["..", "../..", "."])
def test_a_link_that_leads_in_a_circle_is_told(skill: Path, target: str) -> None:
    (skill / "scripts" / "again").symlink_to(target)
    with pytest.raises(BerthError, match=r"/again(/greet)? leads back to a folder that it is in"):
        files_of(str(skill))


def test_a_folder_that_cannot_be_read_is_told(skill: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.listdir

    def listed(path: str) -> list[str]:
        if path.endswith("scripts"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "listdir", listed)
    with pytest.raises(BerthError, match=r"skills: .*/scripts cannot be read: Permission denied"):
        files_of(str(skill))


def test_a_skill_has_a_size_that_can_travel(skill: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_skills, "LARGEST", 10)
    with pytest.raises(BerthError, match="more than"):
        files_of(str(skill))


def test_two_skills_of_one_name_are_refused() -> None:
    assert told_of("/a/greet", "/b/greet") == ["skills[1]: the name 'greet' is that of skills[0] already: set name"]
    assert told_of("/a/greet", {"path": "/b/greet", "name": "other"}) == []


@pytest.mark.parametrize("entry", ["/", "/a/.hidden", "/a/my skill", {"path": ".."}])
def test_a_folder_whose_name_cannot_be_a_skills_wants_one(entry: Any) -> None:
    (text,) = told_of(entry)
    assert text.startswith("skills[0]: the folder's name cannot be that of a skill")
