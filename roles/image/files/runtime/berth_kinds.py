# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kinds of entries that a manifest can have, and how each gets host state into the home and out of it again.

Each remembers what it owns as ``{name: [hash of a content, …]}``. What it is about to own is saved before anything is
done, so that a run after a kill still knows which of two contents are Berth's: any other is the agent's, and kept.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable

import berth_json
import berth_tasks
from berth_block import Markers, find_block, with_block
from berth_files import InTheWay, Problem, hash_of, hash_of_tree
from berth_home import NEW_FOLDER, OLD_FOLDER, Home

Owned = dict[str, list[str]]


class Report:
    """What is told to whoever started the take-over. Paths and names only, never a content."""

    def __init__(self) -> None:
        self.errors = 0

    def warning(self, text: str) -> None:
        print(f"berth: warning: {text}", flush=True)

    def error(self, text: str) -> None:
        self.errors += 1
        print(f"berth: error: {text}", flush=True)

    def give_up(self, problem: InTheWay) -> None:
        """What is declared no more cannot be looked for behind a link."""
        self.warning(
            f"~/{problem.path} is a link, or of another kind than what Berth made there, and is left as it is; what "
            "was declared once and is no more may still be behind it"
        )

    def attempt(self, what: str, do: Callable[[], Any], is_removal: bool = False) -> bool:
        """Do something whose failure must not keep the rest from being done.

        Args:
            is_removal: A link in the way ends it then, for who declares nothing there has nothing to wait for.
        """
        try:
            do()
        except InTheWay as problem:
            if is_removal:
                self.give_up(problem)
                return True
            self.error(str(problem))
        except Problem as problem:
            self.error(str(problem))
        except OSError as error:
            self.error(f"{what}: {error.strerror}")
        except Exception as error:  # its text may have a value in it
            self.error(f"{what}: the take-over has a fault here: {type(error).__name__}")
        else:
            return True
        return False


class Source:
    """One file or folder of host state. What is missing is empty."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def text(self) -> bytes:
        if self._path is None or not self._path.is_file():
            return b""
        return self._path.read_bytes()

    def files(self) -> dict[str, tuple[bytes, bool]]:
        """All files of a folder: ``{path in it: (content, may be run)}``."""
        if self._path is None:
            return {}
        found = {}
        for top, _folders, names in os.walk(self._path):
            for path in (Path(top, name) for name in names):
                mode = path.lstat().st_mode
                if stat.S_ISREG(mode):
                    found[str(path.relative_to(self._path))] = (path.read_bytes(), bool(mode & 0o100))
        return found


class Kind:
    """One entry of a manifest.

    Args:
        entry: What the manifest says.
        owned: What was owned before, by an earlier run or by one that was killed.
    """

    def __init__(self, home: Home, source: Source, entry: Mapping[str, Any], owned: Owned, report: Report) -> None:
        self.home, self.source, self.entry, self.owned, self.report = home, source, entry, owned, report
        self.target = str(entry["target"])

    @classmethod
    def check(cls, entry: Mapping[str, Any]) -> None:
        """Raise ValueError, KeyError or TypeError if the entry has not what this kind needs beside its target."""

    def intended(self) -> Owned:
        """What this entry will own, with the content's hash, if all goes well."""
        return {}

    def apply(self) -> Owned:
        """Do it; returns what it owns now. What could not be done is told by the report, and stays owned."""
        raise NotImplementedError

    def path(self, name: str) -> str:
        return name if self.target == "." else f"{self.target}/{name}"

    def shown(self, name: str) -> str:
        return f"~/{self.path(name)}"

    def is_ours(self, name: str, content_hash: str) -> bool:
        return content_hash in self.owned.get(name, [])


class Block(Kind):
    @classmethod
    def check(cls, entry: Mapping[str, Any]) -> None:
        opening, closing = entry["comment"]
        if not isinstance(opening, str) or not isinstance(closing, str):
            raise ValueError("comment")

    def apply(self) -> Owned:
        text, markers = self.source.text(), Markers(*self.entry["comment"])
        if markers.are_in(text):
            raise Problem(f"the text for ~/{self.target} has a line that Berth uses as a marker; change that line")
        damaged = False

        def change(content: bytes | None) -> bytes | None:
            nonlocal damaged
            damaged = find_block(content or b"", markers).damaged
            return with_block(content, text, markers)

        self.home.swap(self.target, change)
        if damaged:
            self.report.warning(
                f"one of Berth's marker lines in ~/{self.target} had no partner. The block was made anew; what stood "
                "near the lone marker was left there: look through it"
            )
        return {}


class Keys(Kind):
    @classmethod
    def check(cls, entry: Mapping[str, Any]) -> None:
        if not isinstance(entry["key"], str):
            raise ValueError("key")

    def _wanted(self) -> dict[str, Any]:
        text = self.source.text()
        try:
            wanted = json.loads(text)[self.entry["key"]] if text.strip() else {}
        except (ValueError, KeyError, TypeError):
            wanted = None
        if not isinstance(wanted, dict):
            key = self.entry["key"]
            raise Problem(f"the host state for ~/{self.target} is no JSON with a map {key}; provision again")
        return wanted

    def intended(self) -> Owned:
        return {name: [berth_json.hash_of_value(value)] for name, value in self._wanted().items()}

    def apply(self) -> Owned:
        wanted = self._wanted()
        if wanted or self.owned:
            for told in berth_json.merge_into(self.home, self.target, self.entry["key"], wanted, self.owned):
                self.report.warning(told)
        return self.intended()


class Folders(Kind):
    def _wanted(self) -> dict[str, dict[str, tuple[bytes, bool]]]:
        wanted: dict[str, dict[str, tuple[bytes, bool]]] = {}
        for path, file in self.source.files().items():
            name, _slash, inner = path.partition("/")
            if inner:
                wanted.setdefault(name, {})[inner] = file
        return wanted

    def intended(self) -> Owned:
        wanted = {name: hash_of_tree(files) for name, files in self._wanted().items()}
        return {name: [new] for name, new in wanted.items() if name in self.owned or self._is_free(name, new)}

    def _is_free(self, name: str, new: str) -> bool:
        try:
            return self.home.hash_of_folder(self.path(name)) in (None, new)
        except Problem:
            return False

    def apply(self) -> Owned:
        wanted, now = self._wanted(), dict(self.owned)
        for leftover in (NEW_FOLDER, OLD_FOLDER):
            self.home.remove(self.path(leftover))
        for name in sorted({*wanted, *self.owned}):
            files = wanted.get(name)
            done = self.report.attempt(
                self.shown(name), lambda name=name, files=files: self._settle(name, files, now), files is None
            )
            if done and files is None:
                now.pop(name, None)
        return now

    def _settle(self, name: str, files: dict[str, tuple[bytes, bool]] | None, now: Owned) -> None:
        there, new = self.home.hash_of_folder(self.path(name)), files and hash_of_tree(files)
        if there == new:
            pass
        elif there is not None and name not in self.owned:
            self.report.warning(
                f"{self.shown(name)} is the agent's own and was left as it is; rename it to get the declared one"
            )
            return
        else:
            if there is not None and not self.is_ours(name, there):
                aside = self.home.set_aside(self.path(name), f"{self.target}.before-berth/{name}")
                self.report.warning(f"{self.shown(name)} had been changed in the container; it is kept as ~/{aside}")
            self.home.remove_tree(self.path(name))
            if files:
                self.home.make_tree(self.path(name), files)
        if new:
            now[name] = [new]


class Files(Kind):
    def intended(self) -> Owned:
        return {name: [hash_of(content)] for name, (content, _mode) in self.source.files().items()}

    def apply(self) -> Owned:
        wanted, now = self.source.files(), dict(self.owned)
        for name in sorted({*wanted, *self.owned}):
            content = wanted[name][0] if name in wanted else None
            if self.report.attempt(
                self.shown(name), lambda name=name, content=content: self._settle(name, content), content is None
            ):
                if content is None:
                    now.pop(name, None)
                else:
                    now[name] = [hash_of(content)]
        return now

    def _settle(self, name: str, content: bytes | None) -> None:
        path, mode = self.path(name), 0o644 if name.endswith(".pub") else 0o600
        self.home.sweep(path)
        there = self.home.find(path)
        if there and there[0] != content and not self.is_ours(name, hash_of(there[0])):
            aside = self.home.set_aside(path, f"{path}.before-berth")
            self.report.warning(f"~/{path} was the agent's own, or changed by it; it is kept as ~/{aside}")
        if content is None:
            self.home.remove(path)
            self._remove_empty_folders(name)
        elif there != (content, mode):
            self.home.write(path, content, mode)

    def _remove_empty_folders(self, name: str) -> None:
        while "/" in name:
            name = name.rpartition("/")[0]
            if not self.home.remove_if_empty(self.path(name)):
                return


class Seed(Kind):
    def apply(self) -> Owned:
        now = dict(self.owned)
        for name, (content, _mode) in sorted(self.source.files().items()):
            mark = hash_of(content)
            if mark in now.get(name, []):
                continue  # it was there once; if it is not any more, the agent has logged out

            def copy(path: str = self.path(name), content: bytes = content) -> None:
                self.home.sweep(path)
                if not self.home.exists(path):
                    self.home.add(path, content)

            if self.report.attempt(self.shown(name), copy):
                now[name] = [mark]
        return now


class Schedule(Kind):
    def apply(self) -> Owned:
        for told in berth_tasks.take(self.home, self.source.text()):
            self.report.warning(told)
        return {}


KINDS: dict[str, type[Kind]] = {
    "block": Block,
    "files": Files,
    "folders": Folders,
    "keys": Keys,
    "schedule": Schedule,
    "seed": Seed,
}
