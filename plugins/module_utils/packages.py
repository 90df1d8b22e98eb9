# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The image that a project's packages are built into: its name, its labels, and how it is built. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.definition import Packages, packages_from
from ansible_collections.berth.projects.plugins.module_utils.names import (
    PACKAGES_REPOSITORY,
    SNAPSHOT_BASE,
    SNAPSHOT_BASE_ID,
    SNAPSHOT_FLAT,
    SNAPSHOT_LAYERS,
    SNAPSHOT_PACKAGES,
    SNAPSHOT_PROJECT,
)

# Only names, and no regular expressions, which apt-get falls back to where no package has the name.
_APT = """\
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install -y --no-install-recommends -o APT::Cmd::Pattern-Only=true -- {packages}
apt-get clean
rm -rf /var/lib/apt/lists/*
"""

_INSTALLERS = {
    "apt": _APT.format(packages='"$@"'),
    "npm": f"""\
if ! command -v npm >/dev/null; then
{_APT.format(packages="nodejs npm")}fi
npm install --global --no-fund --no-audit --no-update-notifier -- "$@"
rm -rf /root/.npm
""",
    "pip": f"""\
if ! python3 -m pip --version >/dev/null 2>&1; then
{_APT.format(packages="python3-pip")}fi
export PIP_BREAK_SYSTEM_PACKAGES=1 PIP_ROOT_USER_ACTION=ignore
python3 -m pip install --no-cache-dir --disable-pip-version-check -- "$@"
""",
}
"""How each kind of packages is installed: shell scripts that get the packages as arguments, run by ``sh -e``."""

_ROOT = ("", "root", "0")


def derived_reference(base_reference: str, base_id: str, packages: Packages) -> str:
    """The tag of the image that has the packages: ``berth-packages:<16 hexadecimal digits>``.

    The reference counts besides the id, because the image's labels tell it: two names of one image are two lineages.

    Args:
        base_reference: What the image that they are added to is called.
        base_id: The id of the image that they are added to, ``sha256:…``.
        packages: At least one.
    """
    content = _canonical({"base": base_reference, "base_id": base_id, "packages": asdict(packages)})
    return f"{PACKAGES_REPOSITORY}:{hashlib.sha256(content.encode()).hexdigest()[:16]}"


def derived_labels(
    base_reference: str, base_id: str, packages: Packages, inherited: Mapping[str, str] | None = None
) -> dict[str, str]:
    """What an image says of the packages in it. Snapshots inherit it.

    Args:
        base_reference: What the base was called when the image was made. Another name of the same image gives the
            same derived image, so only ``base_id`` says for sure what it was made from.
        base_id: The base's id.
        packages: What was added.
        inherited: The base's own labels. Of those of a snapshot none is left: what is made of it is another's.
    """
    taken_off = {SNAPSHOT_PROJECT, SNAPSHOT_LAYERS, SNAPSHOT_FLAT} & {*(inherited or ())}
    return {
        **dict.fromkeys(sorted(taken_off), ""),
        SNAPSHOT_BASE: base_reference,
        SNAPSHOT_BASE_ID: base_id,
        SNAPSHOT_PACKAGES: _canonical(asdict(packages)),
    }


def packages_from_label(text: str | None) -> Packages:
    """The inverse of the label; what it does not understand, it takes for none."""
    try:
        written = json.loads(text or "{}")
    except ValueError:
        return Packages()
    if not isinstance(written, Mapping):
        return Packages()
    return packages_from({key: _texts(value) for key, value in written.items()})


def dockerfile(base_id: str, packages: Packages, user: str = "") -> str:
    """How to build the image.

    One layer for apt, npm and pip each, in this order: projects that differ in the later ones share the first.
    Everything else of the base stays, because nothing else is said. No package gets into the text of a shell command:
    they are its arguments, in the form of RUN that no shell reads.

    Args:
        base_id: The base's id: its tag may have moved by the time of the build.
        packages: What to install.
        user: That of the base, as its configuration has it; comes back after the installation as root.
    """
    steps = [_step(installer, getattr(packages, installer)) for installer in _INSTALLERS]
    as_root = user not in _ROOT
    lines = [f"FROM {base_id}", "USER root" if as_root else "", *steps, f"USER {user}" if as_root else ""]
    return "".join(f"{line}\n" for line in lines if line)


def _step(installer: str, packages: tuple[str, ...]) -> str:
    """A RUN in its JSON form. The name of the step is the script's ``$0``, so that a failure tells it."""
    if not packages:
        return ""
    return "RUN " + json.dumps(["/bin/sh", "-ec", _INSTALLERS[installer], f"packages.{installer}", *packages])


def _canonical(value: Any) -> str:
    """One text for one value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
