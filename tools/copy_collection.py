# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copy the checkout's own files, without what git ignores, to the folder given.

ansible-test and ansible-lint want a collection in a folder ``ansible_collections/NAMESPACE/NAME``, and must not
see the environments and caches of the checkout.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent


def main(target: Path) -> None:
    # safe.directory: the checkout may belong to another user than the one who lints it, as in many CI systems.
    listing = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        check=True,
    )
    if target.exists():
        shutil.rmtree(target)
    for name in sorted(set(filter(None, listing.stdout.decode().split("\0")))):
        source = CHECKOUT / name
        if source.is_symlink() or source.is_file():
            copy = target / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy, follow_symlinks=False)
    # A repository of its own, or ansible-test finds that of the checkout, in which the copy is ignored.
    for command in (["init", "--quiet", "--initial-branch=main"], ["add", "--all"]):
        subprocess.run(["git", *command], cwd=target, check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
