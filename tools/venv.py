# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a virtual environment that runs this checkout, or do nothing when it already does.

Run by the Makefile with the system's Python, so it uses the standard library only:

    python3 tools/venv.py .venv requirements.txt

The checkout is linked in as ``ansible_collections/berth/projects``: Ansible looks for collections in
``sys.path`` too, so ``berth.projects.*`` resolves from any folder without Galaxy or an ``ansible.cfg``.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
LOCK = CHECKOUT / ".cache" / "venv.lock"
OLDEST_PYTHON = (3, 10)


class SetupError(Exception):
    """Something the user has to put right; the message says how."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Make a virtual environment that runs this checkout.")
    parser.add_argument("venv", type=Path, help="folder of the environment, relative to the checkout")
    parser.add_argument("requirements", type=Path, help="requirements file, relative to the checkout")
    arguments = parser.parse_args()
    venv = CHECKOUT / arguments.venv
    requirements = CHECKOUT / arguments.requirements
    try:
        check_python()
        with locked():
            set_up(venv, requirements)
    except (SetupError, OSError) as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    return 0


def check_python() -> None:
    if sys.version_info < OLDEST_PYTHON:
        raise SetupError(
            f"Python {sys.version.split()[0]} is too old, Berth needs {OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]} or newer. "
            "Name another one: make setup PYTHON=/path/to/python3"
        )


@contextmanager
def locked() -> Iterator[None]:
    """Let two `make` runs side by side wait for each other instead of writing into one environment."""
    LOCK.parent.mkdir(exist_ok=True)
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def set_up(venv: Path, requirements: Path) -> None:
    """Bring the environment to what the requirements say; returns at once when it is there already."""
    wanted = fingerprint(venv, requirements)
    stamp = venv / f".{requirements.stem}.stamp"
    if runs(venv) and stamp.is_file() and stamp.read_text() == wanted and linked(venv):
        return
    name = venv.relative_to(CHECKOUT)
    if not runs(venv) or not made_here(venv):
        print(f"setup: making {name} with Python {sys.version.split()[0]}", flush=True)
        make_venv(venv)
    print(f"setup: installing what {requirements.name} lists into {name} (a minute or so the first time)", flush=True)
    install(venv, requirements)
    link(venv)
    stamp.write_text(wanted)
    print(f"setup: {name} is ready", flush=True)


def fingerprint(venv: Path, requirements: Path) -> str:
    """A hash of all that an environment depends on; a moved checkout needs a new one, its scripts hold the path."""
    parts = [str(venv), *(f"{path.name}\n{path.read_text()}" for path in with_includes(requirements))]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def with_includes(requirements: Path) -> list[Path]:
    """The file and, through its ``-r`` lines, the files it includes."""
    included = re.findall(r"^-r\s+(\S+)", requirements.read_text(), flags=re.MULTILINE)
    return [requirements, *(path for name in included for path in with_includes(requirements.parent / name))]


def runs(venv: Path) -> bool:
    """Whether its Python and pip start; an interrupted set-up or an upgraded system Python leaves one that does not."""
    try:
        probe = subprocess.run([venv / "bin" / "python", "-c", "import pip"], capture_output=True, check=False)
    except OSError:
        return False
    return probe.returncode == 0


def made_here(venv: Path) -> bool:
    """Whether it was made at this path; the scripts of one that was moved or copied point elsewhere."""
    activate = venv / "bin" / "activate"
    return activate.is_file() and str(venv) in activate.read_text()


def make_venv(venv: Path) -> None:
    if importlib.util.find_spec("ensurepip") is None:
        install_ensurepip()
    run([sys.executable, "-m", "venv", "--clear", venv], f"could not make {venv}")


def install_ensurepip() -> None:
    """Debian and Ubuntu keep the part of Python that makes environments in a package of its own."""
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise SetupError(
            f"{sys.executable} cannot make virtual environments: its module ensurepip is missing. Install it "
            f"(Debian, Ubuntu: sudo apt-get install {package}), or name another Python: make setup PYTHON=…"
        )
    print(f"setup: installing {package} with apt-get", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-qq"], "apt-get update failed", environment)
    run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", package], "apt-get failed", environment)


def install(venv: Path, requirements: Path) -> None:
    command = [venv / "bin" / "python", "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    run([*command, "-r", requirements], f"pip could not install {requirements.name}")


def run(command: list[str | Path], failure: str, environment: dict[str, str] | None = None) -> None:
    """Run quietly; when it fails, show what it printed."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, check=False, text=True
    )
    if done.returncode != 0:
        raise SetupError(f"{failure}:\n{done.stdout.rstrip()}")


def link_path(venv: Path) -> Path:
    folders = sorted((venv / "lib").glob("python3.*/site-packages"))
    if len(folders) != 1:
        raise SetupError(f"{venv} holds more than one Python; remove it and run make setup again")
    return folders[0] / "ansible_collections" / "berth" / "projects"


def linked(venv: Path) -> bool:
    path = link_path(venv)
    return path.is_symlink() and path.resolve() == CHECKOUT


def link(venv: Path) -> None:
    path = link_path(venv)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink():
        path.unlink()
    path.symlink_to(CHECKOUT, target_is_directory=True)


if __name__ == "__main__":
    sys.exit(main())
