# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the program of an agent keeps in a JSON file, changed together with that program."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from berth_files import Problem, hash_of
from berth_home import Home

STALE_SECONDS = 10.0
WAIT_SECONDS = 12.0
_LOOK_AGAIN_SECONDS = 0.1


class Damaged(Exception):
    """The content is no JSON object."""


def loads(content: bytes) -> dict[str, Any]:
    """Read an object as JavaScript would, but with numbers of any size as they are.

    Raises:
        Damaged: It is none.
    """
    try:
        data = json.loads(content.decode("utf-8-sig"), parse_float=_number, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise Damaged from error
    if not isinstance(data, dict):
        raise Damaged
    return data


def dumps(data: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(data, ensure_ascii=False, indent=2).encode()
    except UnicodeEncodeError:  # half a surrogate pair, which only an escape can write
        return json.dumps(data, indent=2).encode()


def is_same(one: Any, other: Any) -> bool:
    """As JSON: 1, 1.0 and true differ, the order of keys does not count."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def merged(data: Mapping[str, Any], key: str, wanted: Mapping[str, Any], gone: set[str]) -> dict[str, Any]:
    """The object with ``wanted`` in its map ``key`` and the names ``gone`` out of it; all else as it was, in its order.

    Raises:
        Damaged: What stands at ``key`` is no map.
    """
    there = data.get(key, {})
    if not isinstance(there, dict):
        raise Damaged
    if key not in data and not wanted:
        return dict(data)
    kept = {name: value for name, value in there.items() if name not in gone or name in wanted}
    return {**data, key: {**kept, **wanted}}


@contextmanager
def client_lock(home: Home, path: str) -> Iterator[None]:
    """Hold the lock that the npm package proper-lockfile takes: a folder ``<file>.lock``.

    Its owner touches it every few seconds; one that was not touched for ten is nobody's any more.

    Raises:
        Problem: Another program has it all the time.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    with home.folder_of(f"{path}.lock") as (folder, name):
        while not _make_lock(folder, name, path):
            if time.monotonic() >= deadline:
                raise Problem(f"~/{path} is locked by another program (~/{path}.lock); the next run tries again")
            time.sleep(0.02)
        ours = _identity(folder, name)
        try:
            yield
        finally:
            if _identity(folder, name) == ours:
                os.rmdir(name, dir_fd=folder)


def _make_lock(folder: int, name: str, path: str) -> bool:
    try:
        os.mkdir(name, 0o700, dir_fd=folder)
        return True
    except FileExistsError:
        pass
    try:
        if time.time() - os.lstat(name, dir_fd=folder).st_mtime > STALE_SECONDS:
            os.rmdir(name, dir_fd=folder)
    except FileNotFoundError:
        pass
    except NotADirectoryError:
        raise Problem(f"~/{path}.lock is no folder, so it is no lock of the agent's program: remove it") from None
    return False


def _identity(folder: int, name: str) -> tuple[int, int] | None:
    try:
        found = os.lstat(name, dir_fd=folder)
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def hash_of_value(value: Any) -> str:
    return hash_of(json.dumps(value, sort_keys=True).encode())


def merge_into(
    home: Home, path: str, key: str, wanted: Mapping[str, Any], owned: Mapping[str, Collection[str]]
) -> list[str]:
    """Make the names of ``wanted`` those that Berth owns in the map ``key`` of a JSON file.

    Args:
        owned: The names that Berth has put there before, with the hashes of what it put there. Those not wanted any
            more go. What somebody else put there is replaced, too, but the file is copied before.

    Returns:
        What a person should know.

    Raises:
        Problem: The file cannot be changed now.
    """
    told: dict[str, None] = {}
    looks: dict[bytes, int] = {}

    def change(content: bytes | None) -> bytes | None:
        if content is None:
            return dumps({key: wanted}) if wanted else None
        data, damage = _read(content, key)
        if damage and content.strip():
            looks[content] = looks.get(content, 0) + 1
            if looks[content] < 3:  # it may be half written at this moment
                time.sleep(_LOOK_AGAIN_SECONDS)
                raise _LookAgain
            copy = home.keep_copy(path, content, f"{path}.damaged-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
            told[f"~/{path} was damaged ({damage}): what it was is kept as ~/{copy}"] = None
        for name in _replaced(data.get(key, {}), wanted, owned):
            copy = home.keep_copy(path, content, f"{path}.before-berth")
            told[
                f"{name} in {key} of ~/{path} was not as Berth had made it; what the project declares counts. "
                f"The file as it was is kept as ~/{copy}"
            ] = None
        new = merged(data, key, wanted, set(owned))
        return content if not damage and is_same(new, data) else dumps(new)

    with client_lock(home, path):
        for _round in range(10):
            try:
                home.swap(path, change, 0o600)
            except _LookAgain:
                continue
            break
        else:
            raise Problem(f"~/{path} is being written by another program all the time; the next run tries again")
    return list(told)


def _replaced(there: Mapping[str, Any], wanted: Mapping[str, Any], owned: Mapping[str, Collection[str]]) -> list[str]:
    """The names whose value is somebody else's, and would be lost."""
    return [
        name
        for name in sorted({*wanted, *owned} & set(there))
        if not (name in wanted and is_same(there[name], wanted[name]))
        and hash_of_value(there[name]) not in owned.get(name, ())
    ]


class _LookAgain(Exception):
    """What was read may be half of a file that is being written."""


def _read(content: bytes, key: str) -> tuple[dict[str, Any], str]:
    """The object, with a map or nothing at ``key``, and what was wrong."""
    try:
        data = loads(content)
    except Damaged:
        return {}, "no JSON object"
    if not isinstance(data.get(key, {}), dict):
        return {name: value for name, value in data.items() if name != key}, f"{key} is no map"
    return data, ""


def _number(text: str) -> float | int:
    value = float(text)
    if math.isfinite(value):
        return value
    mantissa, _e, exponent = text.lower().partition("e")
    if len(exponent) > 4 or "." in mantissa:
        raise ValueError
    return int(mantissa) * 10 ** int(exponent)


def _refuse(constant: str) -> float:
    raise ValueError(constant)
