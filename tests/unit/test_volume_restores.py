# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is remembered of a restore that has begun, by kind of volume."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.volume_restores import RESTORED, Begun, Restores

ONE, OTHER = Begun("1" * 64, made=True), Begun("2" * 64, made=False)


@pytest.fixture
def restores(tmp_path: Path) -> Restores:
    return Restores(str(tmp_path))


def test_what_has_begun_is_known_until_it_ends(restores: Restores, tmp_path: Path) -> None:
    restores.begin("web", {"home": ONE, "agent": ONE})
    assert Restores(str(tmp_path)).begun("web") == {"home": ONE, "agent": ONE}
    assert restores.begun("api") == {}
    restores.end("web", ["home", "agent"])
    assert restores.begun("web") == {}
    assert list((tmp_path / "restores").iterdir()) == []


def test_volumes_end_by_themselves_and_a_later_restore_takes_the_place(restores: Restores) -> None:
    restores.begin("web", {"home": ONE, "agent": ONE})
    restores.begin("web", {"home": OTHER})
    assert restores.begun("web") == {"home": OTHER, "agent": ONE}
    restores.end("web", ["home"])
    assert restores.begun("web") == {"agent": ONE}


def test_an_end_without_a_beginning_writes_nothing(restores: Restores, tmp_path: Path) -> None:
    restores.end("web", ["home"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["", "{", "[]", "5", '{"home": 5}', '{"home": {"digest": "x"}}'])
def test_a_broken_file_is_as_none(restores: Restores, tmp_path: Path, content: str) -> None:
    (tmp_path / "restores").mkdir()
    (tmp_path / "restores" / "web.json").write_text(content)
    assert restores.begun("web") == {}


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BerthError, match=r"Cannot write .*web\.json: .*set state_dir"):
        Restores(str(tmp_path / "file")).begin("web", {"home": ONE})


@pytest.mark.parametrize(
    ("begun", "labels", "same"),
    [
        (ONE, {RESTORED: ONE.digest}, True),
        (ONE, {}, False),
        (ONE, {RESTORED: OTHER.digest}, False),
        (OTHER, {}, True),
        (OTHER, {RESTORED: OTHER.digest}, False),
    ],
)
def test_another_volume_of_the_same_name_is_known(begun: Begun, labels: dict[str, str], same: bool) -> None:
    assert begun.is_of(labels) is same
