# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The set-up: what `make setup` leaves works from any folder, and is left alone while nothing changes."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]


def make(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = ["make", "--no-print-directory", "-C", str(CHECKOUT), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture
def venv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """tools/venv.py, with a checkout of its own in the test's folder."""
    spec = importlib.util.spec_from_file_location("berth_tools_venv", CHECKOUT / "tools" / "venv.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    (checkout / "requirements.txt").write_text("# nothing\n")
    monkeypatch.setattr(module, "CHECKOUT", checkout)
    monkeypatch.setattr(module, "LOCK", checkout / ".cache" / "venv.lock")
    return module


def test_make_alone_lists_the_targets(tmp_path: Path) -> None:
    shown = make(cwd=tmp_path)
    assert shown.returncode == 0
    for target in ("setup", "demo", "test", "test-all", "lint", "bench", "clean"):
        assert f"make {target} " in shown.stdout or f"make {target}:" in shown.stdout


def test_setup_says_and_does_nothing_the_second_time(tmp_path: Path) -> None:
    assert make("setup", cwd=tmp_path).returncode == 0
    again = make("setup", cwd=tmp_path)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


def test_the_collection_is_found_from_any_folder(tmp_path: Path) -> None:
    command = [CHECKOUT / ".venv" / "bin" / "ansible-doc", "--type", "role", "berth.projects.engine"]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "berth_engine_packages" in shown.stdout, shown.stderr


def test_an_unsuitable_python_is_refused_with_advice(venv: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    with pytest.raises(venv.SetupError, match=r"Berth needs 3\.10 or newer.*make setup PYTHON="):
        venv.check_python()


def test_a_user_without_root_is_told_which_package_is_missing(
    venv: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(venv.SetupError, match=r"sudo apt-get install python3\.\d+-venv"):
        venv.make_venv(tmp_path / "new")


def test_the_output_of_pip_is_shown_when_it_fails(venv: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "checkout" / "requirements.txt").write_text("this is no requirement\n")
    with pytest.raises(venv.SetupError, match=r"(?s)pip could not install requirements\.txt:.*this is no requirement"):
        venv.set_up(tmp_path / "checkout" / ".venv", tmp_path / "checkout" / "requirements.txt")


def test_a_set_up_is_done_again_only_for_a_reason(
    venv: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkout = tmp_path / "checkout"
    environment, requirements = checkout / ".venv", checkout / "requirements.txt"

    def did() -> list[str]:
        venv.set_up(environment, requirements)
        return [line.split()[1] for line in capsys.readouterr().out.splitlines()]

    assert did() == ["making", "installing", ".venv"]
    assert did() == []
    assert venv.link_path(environment).resolve() == checkout

    requirements.write_text("# another\n")
    assert did() == ["installing", ".venv"], "changed requirements"

    venv.link_path(environment).unlink()
    assert did() == ["installing", ".venv"], "a lost link"

    (environment / "bin" / "python").unlink()
    assert did() == ["making", "installing", ".venv"], "a Python that is gone"

    shutil.copytree(environment, checkout / "copied", symlinks=True)
    environment = checkout / "copied"
    assert did() == ["making", "installing", "copied"], "an environment made elsewhere"


def test_included_requirements_count_too(venv: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "base.txt").write_text("one\n")
    (tmp_path / "dev.txt").write_text("-r base.txt\ntwo\n")
    before = venv.fingerprint(tmp_path / ".venv", tmp_path / "dev.txt")
    (tmp_path / "base.txt").write_text("three\n")
    assert venv.fingerprint(tmp_path / ".venv", tmp_path / "dev.txt") != before
