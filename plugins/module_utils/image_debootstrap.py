# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A root file system from a distribution's mirror, imported as an image: for hosts that reach no registry."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.image_base import rootfs_reference
from ansible_collections.berth.projects.plugins.module_utils.image_recipe import Recipe

SBIN = "/usr/local/sbin:/usr/sbin:/sbin"  # not in the PATH of every ssh session
SCRIPTS = "/usr/share/debootstrap/scripts"
DEBIAN_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
TAIL = 30
UMOUNT = ["umount"]
CHUNK = 1 << 20


def missing_packages(recipe: Recipe) -> list[str]:
    """The packages that this host lacks for it: any of ``debootstrap``, ``debian-archive-keyring``.

    Raises:
        BerthError: It could not be done on this host even with them.
    """
    if os.geteuid() != 0:
        raise BerthError(
            f"The root file system of {recipe.suite} must be made by debootstrap, and that needs root. Run this once "
            "as root (or with --become), or load an image into the engine and name it in berth_image_base."
        )
    missing = []
    if not _debootstrap():
        missing.append("debootstrap")
    if "ubuntu" not in recipe.mirror and not os.path.exists(DEBIAN_KEYRING):
        missing.append("debian-archive-keyring")
    if missing and not shutil.which("apt-get"):
        raise BerthError(
            f"{' and '.join(missing)} must be installed on this host to make the root file system of {recipe.suite}. "
            "Install them, or load an image into the engine and name it in berth_image_base."
        )
    return missing


def make_rootfs(engine: Engine, recipe: Recipe, build_dir: str) -> str:
    """Debootstrap the recipe's suite and import it as ``berth-rootfs:<suite>``; returns the image's id.

    The work is done in a folder of its own below ``build_dir``, which must be root's. It is removed at the end, and
    what a killed run left of it at the start.

    Raises:
        BerthError: debootstrap failed (with the end of its output), or what it mounted cannot be unmounted.
    """
    with _work_folder(Path(build_dir), recipe.suite) as folder:
        _debootstrap_into(folder, recipe)
        return _import(engine, folder, rootfs_reference(recipe.suite))


def _debootstrap() -> str | None:
    return shutil.which("debootstrap", path=f"{os.environ.get('PATH', '')}:{SBIN}")


def _debootstrap_into(folder: Path, recipe: Recipe) -> None:
    program = _debootstrap()
    if not program:
        raise BerthError("debootstrap is not installed on this host.")
    command = [
        program,
        "--variant=minbase",
        "--force-check-gpg",
        f"--components={','.join(recipe.components)}",
        recipe.suite,
        str(folder),
        recipe.mirror,
    ]
    if not os.path.exists(f"{SCRIPTS}/{recipe.suite}") and "ubuntu" not in recipe.mirror:
        command.append(f"{SCRIPTS}/sid")  # an older debootstrap knows no newer suite; Debian's all use this script
    environment = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:{SBIN}", "LC_ALL": "C"}
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode != 0:
        output = done.stdout.decode("utf-8", "replace").splitlines() + _end_of_log(folder)
        raise BerthError(
            f"debootstrap of {recipe.suite} from {recipe.mirror} failed with status {done.returncode}. The end of its "
            "output:\n" + "\n".join(output[-TAIL:])
        )
    for leftovers in ("var/cache/apt/archives", "var/lib/apt/lists"):
        for path in (folder / leftovers).glob("*"):
            if path.is_file():
                path.unlink()


def _end_of_log(folder: Path) -> list[str]:
    """debootstrap writes what its children said to a log of its own."""
    log = folder / "debootstrap" / "debootstrap.log"
    try:
        return log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL // 2 :]
    except OSError:
        return []


def _import(engine: Engine, folder: Path, reference: str) -> str:
    repository, tag = reference.split(":")
    with engine.calling(f"importing the image {reference}"):
        answer = engine.api.import_image(src=_tar_of(folder), repository=repository, tag=tag, stream_src=True)
    last = json.loads(answer.strip().splitlines()[-1])
    if "error" in last:
        raise BerthError(f"importing the image {reference}: the engine said: {last['error']}")
    return str(last["status"])


def _tar_of(folder: Path) -> Iterator[bytes]:
    """The folder as a tar stream. A tar that fails raises before the stream's end, so the engine drops it."""
    command = ["tar", "--create", "--numeric-owner", "--one-file-system", "--directory", str(folder)]
    command += [f"--exclude=./{name}/*" for name in ("dev", "proc", "sys", "tmp")]
    with subprocess.Popen([*command, "."], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as tar:
        while tar.stdout:
            chunk = tar.stdout.read(CHUNK)
            if not chunk:
                break
            yield chunk
        if tar.wait() != 0:
            raise BerthError(
                f"The root file system in {folder} cannot be read: tar failed with status {tar.returncode}."
            )


@contextmanager
def _work_folder(build_dir: Path, suite: str) -> Iterator[Path]:
    """An empty folder that only one run has at a time. Its name is fixed, so a killed run's leftovers are found."""
    build_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
    folder = build_dir / f"debootstrap-{suite}"
    with open(build_dir / f"debootstrap-{suite}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _remove(folder)
        folder.mkdir(mode=0o755)
        try:
            yield folder
        finally:
            _remove(folder)


def _remove(folder: Path) -> None:
    """Remove the folder, never what is mounted in it: the host's own /dev and /proc may be."""
    for mounted in reversed(_mounted_below(folder)):
        subprocess.run([*UMOUNT, mounted], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    still = _mounted_below(folder)
    if still:
        raise BerthError(
            f"{' and '.join(still)} cannot be unmounted, so {folder} was left. Unmount by hand and run again."
        )
    if folder.exists():
        shutil.rmtree(folder)


def _mounted_below(folder: Path) -> list[str]:
    top = os.path.realpath(folder)
    points = []
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        for line in mounts:
            point = (
                line.split()[4].encode().decode("unicode_escape").encode("latin-1").decode("utf-8", "surrogateescape")
            )
            if point == top or point.startswith(f"{top}/"):
                points.append(point)
    return points
