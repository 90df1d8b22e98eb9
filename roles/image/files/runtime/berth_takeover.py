# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Takes host state over into the agent's home. Script ``takeover`` starts it, as the agent.

What it owns is in ``taken.json`` of its folder in the home. Each round is: say in there what will be owned, do it, say
what is owned, and write ``generation`` last. A kill anywhere leaves a generation that differs, and the next run does it
again.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from berth_files import InTheWay, Problem
from berth_home import HOME, STATE, Home
from berth_kinds import KINDS, Kind, Owned, Report, Source

HOST_STATE = "/etc/berth"
EMPTY = "empty"
UNFINISHED = "unfinished"
GENERATION = f"{STATE}/generation"
TAKEN = f"{STATE}/taken.json"
LOCK = f"{STATE}/lock"
_VERSION = 1
_ROUNDS = 5


@dataclass
class Taken:
    """What was taken over: by the entry's identity, the entry and what it owns."""

    entries: dict[str, dict[str, Any]] = field(default_factory=dict)

    def owned(self, identity: str) -> Owned:
        return dict(self.entries.get(identity, {}).get("owned", {}))

    def remember(self, identity: str, entry: Mapping[str, Any], owned: Owned) -> None:
        self.entries[identity] = {"entry": dict(entry), "owned": owned}

    def as_bytes(self) -> bytes:
        return json.dumps({"version": _VERSION, "entries": self.entries}, indent=1, sort_keys=True).encode()


def main() -> int:
    try:
        return take_over(Home(HOME), Path(HOST_STATE))
    except Problem as problem:
        Report().error(str(problem))
    except OSError as error:
        Report().error(f"{error.filename or 'the home'}: {error.strerror}")
    except Exception as error:  # its text may have a value in it, where it happened has none
        where = traceback.extract_tb(error.__traceback__)[-1]
        Report().error(f"the take-over has a fault: {type(error).__name__} in {where.filename}, line {where.lineno}")
    return 1


def take_over(home: Home, host_state: Path) -> int:
    """Bring the home in line with host state, if it is not.

    Returns:
        The exit status: 0 if it is in line now.
    """
    if _generation_of(host_state) in (None, _taken_generation(home)):
        return 0
    with home.lock(LOCK):
        for _round in range(_ROUNDS):
            generation, before = _generation_of(host_state), _taken_generation(home)
            if generation in (None, before):
                return 0
            # Until all is done no generation is taken, the one before neither: it may be declared again.
            if before != UNFINISHED:
                home.write(GENERATION, f"{UNFINISHED}\n".encode())
            report = Report()
            _take_all(home, host_state, report)
            if report.errors:
                return 1
            if _generation_of(host_state) == generation:
                home.write(GENERATION, generation.encode() + b"\n")
                print(f"berth: taken over {generation}", flush=True)
                return 0
    raise Problem("the host state changed again and again while it was taken over; try again")


def _generation_of(host_state: Path) -> str | None:
    """The generation of host state, which is written after everything else; None where there is no host state."""
    try:
        return (host_state / "generation").read_text().strip()
    except FileNotFoundError:
        return None


def _taken_generation(home: Home) -> str:
    return (home.read(GENERATION) or EMPTY.encode()).decode(errors="replace").strip()


def _take_all(home: Home, host_state: Path, report: Report) -> None:
    wanted = _manifest(host_state)
    taken = _read_taken(home, report)
    gone = {identity: one["entry"] for identity, one in taken.entries.items() if identity not in wanted}
    # What goes, goes first. A login comes before all else: it is copied only where the others have made no file yet.
    in_order = sorted({**gone, **wanted}.items(), key=lambda one: (one[0] not in gone, one[1]["kind"] != "seed"))
    work = {
        identity: _kind(home, host_state if identity in wanted else None, entry, taken.owned(identity), report)
        for identity, entry in in_order
    }
    before = taken.as_bytes()
    work = {
        identity: kind
        for identity, kind in work.items()
        if report.attempt(f"~/{kind.target}", lambda identity=identity, kind=kind: _intend(taken, identity, kind))
    }
    if taken.as_bytes() != before:
        home.write(TAKEN, taken.as_bytes())
    intended = taken.as_bytes()
    for identity, kind in work.items():
        report.attempt(f"~/{kind.target}", lambda identity=identity, kind=kind: _do(taken, identity, kind, gone))
    if taken.as_bytes() != intended:
        home.write(TAKEN, taken.as_bytes())


def _intend(taken: Taken, identity: str, kind: Kind) -> None:
    owned = dict(kind.owned)
    for name, hashes in kind.intended().items():
        owned[name] = sorted({*owned.get(name, []), *hashes})
    taken.remember(identity, kind.entry, owned)


def _do(taken: Taken, identity: str, kind: Kind, gone: Mapping[str, Any]) -> None:
    failed_before = kind.report.errors
    try:
        owned = kind.apply()
    except InTheWay as problem:
        if identity not in gone:
            raise
        kind.report.give_up(problem)
    if identity not in gone:
        taken.remember(identity, kind.entry, owned)
    elif kind.report.errors == failed_before:
        del taken.entries[identity]


def _kind(home: Home, host_state: Path | None, entry: Mapping[str, Any], owned: Owned, report: Report) -> Kind:
    source = Source(host_state / entry["source"] if host_state else None)
    return KINDS[entry["kind"]](home, source, entry, owned, report)


def _manifest(host_state: Path) -> dict[str, dict[str, Any]]:
    """The manifest's entries by their identity."""
    path = host_state / "manifest.json"
    if not path.exists():
        return {}
    try:
        manifest = json.loads(path.read_bytes())
        version, entries = manifest["version"], manifest["take"]
        found = {_identity(entry): entry for entry in entries}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Problem(f"{path} is no manifest; provision again") from None
    unknown = sorted({str(entry["kind"]) for entry in entries} - set(KINDS))
    if version != _VERSION or unknown:
        what = f"version {version}" if version != _VERSION else f"kinds {', '.join(unknown)}"
        raise Problem(f"this image is too old for {path} ({what}): upgrade the project to a current base image")
    return found


def _identity(entry: Mapping[str, Any]) -> str:
    source, target = entry["source"], entry["target"]
    if not _is_inside(source) or not (target == "." or _is_inside(target)):
        raise ValueError(f"{source} to {target}")
    return " ".join(str(entry.get(name, "")) for name in ("kind", "target", "key")).strip()


def _is_inside(path: object) -> bool:
    return isinstance(path, str) and all(part not in ("", ".", "..") for part in path.split("/"))


def _read_taken(home: Home, report: Report) -> Taken:
    content = home.read(TAKEN)
    if content is None:
        return Taken()
    try:
        entries = json.loads(content)["entries"]
        for one in entries.values():
            _check_taken(one)
        return Taken(entries)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        aside = home.set_aside(TAKEN, f"{TAKEN}.damaged")
        report.warning(
            f"~/{TAKEN} was damaged and is kept as ~/{aside}: what was declared once and is no more may still be there"
        )
        return Taken()


def _check_taken(one: Any) -> None:
    """Raise what a wrong shape raises, as all of it is used later."""
    entry, owned = one["entry"], one["owned"]
    _identity(entry)
    KINDS[entry["kind"]].check(entry)
    for name, hashes in owned.items():
        if not isinstance(hashes, list) or not all(isinstance(text, str) for text in (name, *hashes)):
            raise ValueError(name)
        # a name is a path that may be removed; that of a key is any text
        if entry["kind"] != "keys" and not _is_inside(name):
            raise ValueError(name)


if __name__ == "__main__":
    sys.exit(main())
