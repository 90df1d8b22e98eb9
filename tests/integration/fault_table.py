# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes ``docs/fault-matrix.md``: what calls each operation makes, and how many cases that comes to.

Run ``.venv/bin/python -m pytest tests/integration/fault_table.py`` to record them anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path

from fault_matrix import Operation
from fault_operations import OPERATIONS
from fault_proxy import KINDS, Call, Fault
from fault_scene import Scene

DOCS = Path(__file__).resolve().parents[2] / "docs" / "fault-matrix.md"
_INTRODUCTION = """# The fault matrix

Nothing is lost, and a re-run mends: these two promises are tested by making every call to the engine go wrong, in
every way in which that can happen. This page tells which calls those are. It is written from what the operations
really do, by `.venv/bin/python -m pytest tests/integration/fault_table.py`, and a test fails when it does not fit.

## What goes wrong with a call

| kind | what happens |
|---|---|
{kinds}

## What is looked at

Before each case a text that was never used before is written into the container's own layer, into the volume of the
agent's home and into a workspace. Then the operation runs, one call of it goes wrong, and

1. at this moment, all three texts can still be had: from a container, running or not, from a snapshot or from the
   volume (but for what `reset` is meant to lose);
2. where the module lives, it says what failed, never that it met a bug, and it leaves a container running
   (`away`, where the engine is gone for good, excepted);
3. **one** re-run ends without an error, and a check after it plans nothing;
4. then each text is where it belongs, the project has one container and its two volumes, no more snapshots than are to
   be kept, and nothing else: no container aside, no helper, no image without a name.

A case whose call was never made fails, so the number of cases is the number of calls times the number of kinds.

## How many

| operation | what is run | calls | of these, changes | kinds | cases | of these, in `make test` |
|---|---|---|---|---|---|---|
{rows}

`make test` runs a part: mostly, the module is killed after each change. `make test-all` runs every case.

## Which calls

`{{id}}` and `{{name}}` stand for any. What is made several times is a case of its own each time. Reads in a row
are in the order of the alphabet: some are made side by side.
{sections}"""


def told(calls: Iterable[Call]) -> list[str]:
    """A line for each kind of call, in the order in which they first come; of reads in a row, the order is chance."""
    counts = Counter(call.key for call in calls)
    rows = groupby(counts, key=lambda key: key.startswith("GET "))
    keys = (key for is_read, row in rows for key in (sorted(row) if is_read else row))
    return [f"`{key}`" + (f", {counts[key]} times" if counts[key] > 1 else "") for key in keys]


def documented(text: str, operation: Operation) -> list[str]:
    """The lines of an operation in the page; none where it is not in there."""
    _before, _title, section = text.partition(f"\n### {operation.name}\n")
    lines = section.partition("\n### ")[0].splitlines()
    return [line.partition(". ")[2] for line in lines if line[:1].isdigit()]


def page(recorded: Mapping[str, list[Call]]) -> str:
    """The whole page.

    Args:
        recorded: The calls by the name of the operation.
    """
    return _INTRODUCTION.format(
        kinds="\n".join(f"| `{kind}` | {what} |" for kind, what in KINDS.items()),
        rows="\n".join(_row(operation, recorded[operation.name]) for operation in OPERATIONS),
        sections="".join(_section(operation.name, recorded[operation.name]) for operation in OPERATIONS),
    )


def _row(operation: Operation, calls: list[Call]) -> str:
    cases = [Fault(call, kind) for kind in KINDS for call in calls]
    cells = (
        operation.name,
        operation.what,
        len(calls),
        sum(call.changes for call in calls),
        len(KINDS),
        len(cases),
        sum(map(operation.is_quick, cases)),
    )
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _section(name: str, calls: list[Call]) -> str:
    lines = (f"{number}. {line}" for number, line in enumerate(told(calls), 1))
    return f"\n### {name}\n\n" + "\n".join(lines) + "\n"


def test_write_the_page(scene: Scene) -> None:
    """No test: pytest brings the engine, the image and the clean-up."""
    DOCS.write_text(page({operation.name: operation.record(scene) for operation in OPERATIONS}))
