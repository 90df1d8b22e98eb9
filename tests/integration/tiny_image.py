# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An image of 2 MB that keeps the image contract, for tests that need containers but no tools in them.

It is busybox with the same runtime scripts as the real base image, imported as one layer: no registry, no build.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import struct
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RUNTIME = Path(__file__).resolve().parents[2] / "roles" / "image" / "files" / "runtime"
LIB = "usr/local/lib/berth"
FOLDERS = (
    "bin", "dev", "etc", "opt/berth/agents/bin", "proc", "root", "run", "sys", "usr/local/bin", LIB, "var",
)  # fmt: skip
LINKS = {
    "sbin": "bin",
    "usr/bin": "../bin",
    "usr/sbin": "../bin",
    "var/run": "../run",
    "usr/local/bin/claude": "../lib/berth/launcher",
}
TEXTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"
    "agent:x:1000:1000:Agent:/home/agent:/bin/sh\n",
    "etc/group": "root:x:0:\nusers:x:100:\nagent:x:1000:\n",
    f"{LIB}/agents": "claude\n",
}
# Says who runs it and where. "claude sleep N" stays, as an agent at work does.
FAKE_AGENT = """#!/bin/sh
case ${1:-} in
    --version) echo "0.0.0 (tiny)" ;;
    sleep) exec "$@" ;;
    *)
        echo "user=$(id -un) uid=$(id -u) gid=$(id -g) home=$HOME user_variable=$USER"
        echo "cwd=$(pwd) autoupdater_off=${DISABLE_AUTOUPDATER:-}"
        for argument in "$@"; do echo "argument=$argument"; done
        ;;
esac
"""
CONFIG = (
    "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LABEL berth.contract=1",
    "WORKDIR /workspace",
    "USER root",
    'ENTRYPOINT ["/usr/local/lib/berth/entrypoint"]',
    'HEALTHCHECK --interval=60s --timeout=30s --retries=3 CMD ["/usr/local/lib/berth/healthcheck"]',
)


def build_tiny_image(api: Any, changes: tuple[str, ...] = ()) -> str:
    """Make sure that the engine has the image.

    Args:
        api: A ``docker.APIClient``.
        changes: Further Dockerfile instructions, such as ``VOLUME /data``, for an image that differs.

    Returns:
        Its reference, ``berth-tiny:<hash of everything in it>``. Tests that run side by side share it, so leave it
        there or remove it at the end of a whole session.
    """
    layer = tiny_layer()
    config = [*CONFIG, *changes]
    digest = hashlib.sha256(layer + "\n".join(config).encode()).hexdigest()[:16]
    reference = f"berth-tiny:{digest}"
    if not api.images(name=reference):
        api.import_image_from_data(layer, repository="berth-tiny", tag=digest, changes=config)
    return reference


def tiny_layer(programs: Mapping[str, str] | None = None) -> bytes:
    """The root file system as a tar, with these programs besides; the same bytes for the same content."""
    busybox = _static_busybox()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for folder in FOLDERS:
            _add(tar, folder, kind=tarfile.DIRTYPE)
        _add(tar, "tmp", kind=tarfile.DIRTYPE, mode=0o1777)
        for folder in ("home", "workspace"):
            _add(tar, folder, kind=tarfile.DIRTYPE, owner=1000 if folder == "workspace" else 0)
        _add(tar, "home/agent", kind=tarfile.DIRTYPE, owner=1000)
        _add(tar, "home/agent/.claude", kind=tarfile.DIRTYPE, owner=1000, mode=0o700)
        _add(tar, "bin/busybox", busybox.read_bytes(), mode=0o755)
        for applet in subprocess.run([busybox, "--list"], check=True, capture_output=True, text=True).stdout.split():
            if applet != "busybox":
                _add(tar, f"bin/{applet}", kind=tarfile.SYMTYPE, target="busybox")
        for path, target in LINKS.items():
            _add(tar, path, kind=tarfile.SYMTYPE, target=target)
        for path, text in TEXTS.items():
            _add(tar, path, text.encode())
        _add(tar, "etc/shadow", b"root:*:19000:0:99999:7:::\nagent:*:19000:0:99999:7:::\n", mode=0o640)
        for script in sorted(RUNTIME.iterdir()):
            if script.is_file():
                _add(tar, f"{LIB}/{script.name}", script.read_bytes(), mode=0o755)
        _add(tar, "opt/berth/agents/bin/claude", FAKE_AGENT.encode(), mode=0o755)
        for path, text in (programs or {}).items():
            _add(tar, path, text.encode(), mode=0o755)
    return buffer.getvalue()


def _add(
    tar: tarfile.TarFile,
    path: str,
    content: bytes = b"",
    *,
    kind: bytes = tarfile.REGTYPE,
    mode: int | None = None,
    owner: int = 0,
    target: str = "",
) -> None:
    entry = tarfile.TarInfo(path)
    entry.type, entry.linkname, entry.size = kind, target, len(content)
    entry.uid = entry.gid = owner
    entry.mode = mode if mode is not None else (0o755 if kind == tarfile.DIRTYPE else 0o644)
    tar.addfile(entry, io.BytesIO(content))


def _static_busybox() -> Path:
    """The Debian package busybox-static; the package busybox needs libraries that the image does not have."""
    found = shutil.which("busybox")
    if not found or _needs_libraries(Path(found).read_bytes()):
        raise RuntimeError("The tests need a static busybox: install the package busybox-static.")
    return Path(found)


def _needs_libraries(program: bytes) -> bool:
    """Whether a 64-bit little-endian ELF program names an interpreter (a header of type PT_INTERP, 3)."""
    (table,) = struct.unpack_from("<Q", program, 32)
    size, count = struct.unpack_from("<HH", program, 54)
    return any(struct.unpack_from("<I", program, table + size * index)[0] == 3 for index in range(count))
