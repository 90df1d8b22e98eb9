# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""debootstrap's folder on the host: it is gone afterwards, and never with what was mounted in it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils import image_debootstrap
from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.image_debootstrap import make_rootfs
from ansible_collections.berth.projects.plugins.plugin_utils.recipe import recipe_from_vars

NO_ENGINE: Any = Engine({"docker_host": "unix:///nowhere", "api_version": "auto", "timeout": 1})
RECIPE = recipe_from_vars({"berth_image_base": "debootstrap:trixie", "berth_image_mirror": "http://127.0.0.1:9/debian"})
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="debootstrap and mount need root")


def debootstrap_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = tmp_path / "fake-debootstrap"
    program.write_text(f"#!/bin/sh\nfor folder; do case $folder in */build/*) break ;; esac; done\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(image_debootstrap, "_debootstrap", lambda: str(program))


def test_a_failure_shows_the_last_lines_and_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    debootstrap_that(tmp_path, monkeypatch, "touch $folder/x; seq 100; echo 'E: no such mirror' >&2; exit 4")
    with pytest.raises(BerthError) as caught:
        make_rootfs(NO_ENGINE, RECIPE, str(tmp_path / "build"))
    lines = caught.value.msg.splitlines()
    assert "failed with status 4" in lines[0]
    assert lines[1:] == [*(str(number) for number in range(72, 101)), "E: no such mirror"]
    assert [path.name for path in (tmp_path / "build").iterdir()] == ["debootstrap-trixie.lock"]


def test_what_a_killed_run_left_is_cleared_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "build" / "debootstrap-trixie").mkdir(parents=True)
    (tmp_path / "build" / "debootstrap-trixie" / "leftover").touch()
    debootstrap_that(tmp_path, monkeypatch, "ls $folder; exit 1")
    with pytest.raises(BerthError) as caught:
        make_rootfs(NO_ENGINE, RECIPE, str(tmp_path / "build"))
    assert "leftover" not in caught.value.msg


@needs_root
def test_what_is_mounted_in_it_is_unmounted_not_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    precious = tmp_path / "precious data"
    precious.mkdir()
    (precious / "file").touch()
    script = f'mkdir -p "$folder/a b"; mount --bind \'{precious}\' "$folder/a b"; exit 1'
    debootstrap_that(tmp_path, monkeypatch, script)
    with pytest.raises(BerthError):
        make_rootfs(NO_ENGINE, RECIPE, str(tmp_path / "build"))
    assert (precious / "file").exists()
    assert not (tmp_path / "build" / "debootstrap-trixie").exists()


@needs_root
def test_what_cannot_be_unmounted_is_left_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounted = tmp_path / "build" / "debootstrap-trixie" / "busy"
    debootstrap_that(tmp_path, monkeypatch, "mkdir $folder/busy; mount -t tmpfs none $folder/busy; exit 1")
    monkeypatch.setattr(image_debootstrap, "UMOUNT", ["false"])
    try:
        with pytest.raises(BerthError, match=rf"{mounted} cannot be unmounted"):
            make_rootfs(NO_ENGINE, RECIPE, str(tmp_path / "build"))
        assert mounted.is_dir()
    finally:
        subprocess.run(["umount", str(mounted)], check=False)
