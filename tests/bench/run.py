# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""make bench: measures Berth beside its peers on this machine, and writes docs/speed.md and its plots.

    make bench                  all of it, half an hour or so
    make bench BENCH=quick      a few minutes; prints its tables and writes nothing
    make bench BENCH=clean      removes what a killed bench has left
    make bench BENCH="sizes replace"    these parts, of: sizes, replace, fleets; writes them

All that it makes on the engine begins with ``berthbench``. It refuses to start where something of that name is.
"""

from __future__ import annotations

import os
import platform
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

from ansible.release import __version__ as ansible_version
from bench_fleet import fleet_part
from bench_page import table, with_part
from bench_plot import plot
from bench_replace import replacing
from bench_scene import BenchError, names_in_use, remove_all
from bench_sizes import FULL, QUICK, cost_table, lines_of, measure, size_table, target_rows
from engine_names import engine_client
from rows import Row

DOCS = Path(__file__).resolve().parents[2] / "docs"
HEADER = ("work", "Berth", "against", "ratio", "target")


def main(words: Sequence[str]) -> int:
    is_quick = "quick" in words
    parts = [name for name in PARTS if name in words] or list(PARTS)
    unknown = set(words) - {*PARTS, "quick", "clean"}
    if unknown:
        print(f"bench: {', '.join(sorted(unknown))}: known are quick, clean, {', '.join(PARTS)}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))  # so that everything goes on that way, too
    api = engine_client()
    if "clean" in words:
        remove_all(api)
        return 0
    used = names_in_use(api)
    if used:
        print(f"bench: these are in the way: {', '.join(used[:5])} …", file=sys.stderr)
        print("bench: another bench is at work, or was killed; BENCH=clean removes what it has left", file=sys.stderr)
        return 1
    try:
        for name in parts:
            _show(name, PARTS[name](api, is_quick), is_quick)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted; removing what it made", file=sys.stderr)
        return 130
    finally:
        remove_all(api)
        api.close()
    return 0


def _show(part: str, made: tuple[str, dict[str, str]], is_quick: bool) -> None:
    text, plots = made
    print(f"\n{text}\n", flush=True)
    if is_quick:
        return
    page = DOCS / "speed.md"
    page.write_text(with_part(page.read_text(), part, f"{machine()}\n\n{text}"))
    for name, drawing in plots.items():
        (DOCS / name).write_text(drawing)


def sizes_part(api: Any, is_quick: bool) -> tuple[str, dict[str, str]]:
    """One host, by its number of projects."""
    extent = QUICK if is_quick else FULL
    measured = []
    for count in extent.sizes:
        print(f"bench: {count} projects …", file=sys.stderr, flush=True)
        measured.append(measure(api, count, extent))
    rows = target_rows({one.size: one for one in measured})
    lines = lines_of(measured)
    parts = [_targets(rows)] if rows else []
    drawing = plot("Seconds by the number of projects of a host", "projects", "seconds", lines, extent.sizes)
    return "\n\n".join([*parts, size_table(measured), cost_table(measured)]), {"speed.svg": drawing}


def replace_part(api: Any, is_quick: bool) -> tuple[str, dict[str, str]]:
    """A replace, without Ansible on either side."""
    return _targets([replacing(mebibytes) for mebibytes in ((0,) if is_quick else (0, 500))]), {}


def _targets(rows: Sequence[Row]) -> str:
    return table(HEADER, [row.cells() for row in rows])


def machine() -> str:
    """What the figures were measured on."""
    api = engine_client()
    try:
        info, version = api.info(), api.version()
    finally:
        api.close()
    facts = (
        f"{os.cpu_count()} cores ({processor()})",
        f"{info['MemTotal'] / 2**30:.0f} GiB",
        f"Linux {platform.release().partition('-')[0]}",
        f"Docker {version['Version']} ({info['Driver']})",
        f"ansible-core {ansible_version}",
        f"Python {platform.python_version()}",
    )
    return f"Measured on {', '.join(facts)}."


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


PARTS: dict[str, Callable[[Any, bool], tuple[str, dict[str, str]]]] = {
    "sizes": sizes_part,
    "replace": replace_part,
    "fleets": fleet_part,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
