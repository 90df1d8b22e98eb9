# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The scripts that hand out a secret, with their folders moved: what they print, and that they run nothing else."""

from __future__ import annotations

import getpass
import subprocess
from pathlib import Path

import pytest
from ansible_collections.berth.projects.tests.unit.runtime_programs import RUNTIME


class Scripts:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("secrets", "lib", "bin"):
            (folder / name).mkdir()
        for name in ("common.sh", "secret", "git-credential"):
            text = (RUNTIME / name).read_text().replace("/usr/local/lib/berth", f"{folder}/lib")
            (folder / "lib" / name).write_text(text.replace("HOST_STATE=/etc/berth", f"HOST_STATE={folder}"))
        for name in ("cat", "id"):
            (folder / "bin" / name).write_text(f"#!/bin/sh\ntouch {folder}/ran\n")
            (folder / "bin" / name).chmod(0o755)

    def run(self, *command: str) -> tuple[int, bytes, str]:
        script = str(self.folder / "lib" / command[0])
        path = {"PATH": f"{self.folder}/bin:/usr/bin:/bin"}
        done = subprocess.run(["/bin/sh", script, *command[1:]], env=path, capture_output=True, check=False)
        return done.returncode, done.stdout, done.stderr.decode()


@pytest.fixture
def scripts(tmp_path: Path) -> Scripts:
    return Scripts(tmp_path)


@pytest.mark.parametrize("content", [b"s3cret", b"s3cret\n", b"s3cret\r\n", b"s3cret\r", b"s3cret\r\nsecond\r\n"])
def test_git_gets_the_first_line_without_its_end(scripts: Scripts, content: bytes) -> None:
    (scripts.folder / "secrets" / "token").write_bytes(content)
    assert scripts.run("git-credential", "token", "get") == (0, b"username=x-access-token\npassword=s3cret\n", "")


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n"])
def test_git_gets_nothing_of_a_secret_without_content(scripts: Scripts, content: bytes) -> None:
    (scripts.folder / "secrets" / "token").write_bytes(content)
    assert scripts.run("git-credential", "token", "get") == (0, b"", "")


def test_nothing_is_run_from_the_projects_path(scripts: Scripts) -> None:
    (scripts.folder / "secrets" / "token").write_bytes(b"a\r\nb")
    assert scripts.run("secret", "token") == (0, b"a\r\nb", "")
    for command, status in (("secret", 1), ("git-credential", 0)):
        done = scripts.run(command, "missing", "get")
        assert done[:2] == (status, b"")
        assert f"no secret missing that {getpass.getuser()} may read" in done[2]
    assert not (scripts.folder / "ran").exists()
