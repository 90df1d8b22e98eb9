# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""List the shell scripts of a collection's copy, told by their first line: python3 tools/shell_scripts.py FOLDER"""

from __future__ import annotations

import re
import sys
from pathlib import Path

SHEBANG = re.compile(rb"#!\s*/(usr/)?bin/(env )?(ba|da)?sh\b")


def main(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and ".git" not in path.parts and ".j2" not in path.suffixes:
            with path.open("rb") as file:
                if SHEBANG.match(file.readline()):
                    print(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
