# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``berth_plan_file``: what a run did or would do on all hosts, as one JSON file on the control node."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.plugin_utils.host_runs import HostRun

VERSION = 1


def plan_data(
    runs: Sequence[HostRun], scopes: Mapping[str, str | None], check_mode: bool, error: str | None
) -> dict[str, Any]:
    """What goes into the file; the same run makes the same file.

    Args:
        runs: One for each host of the run.
        scopes: The scope of each host; None where it is not known.
        check_mode: Whether nothing was done.
        error: Why the run as a whole ended before any host was looked at.
    """
    return {
        "version": VERSION,
        "check": check_mode,
        "error": error,
        "hosts": {run.host: _host(run, scopes.get(run.host)) for run in sorted(runs, key=lambda run: run.host)},
    }


def _host(run: HostRun, scope: str | None) -> dict[str, Any]:
    return {
        "scope": scope,
        "status": run.status,
        "projects": sorted(run.projects, key=lambda project: str(project["name"])),
        "orphans": list(run.orphans),
        "needs": list(run.needs),
        "error": run.error,
    }


def checked_place(path: str) -> str:
    """The file's absolute path.

    Raises:
        BerthError: It cannot be written.
    """
    full = os.path.abspath(os.path.expanduser(path))
    folder = os.path.dirname(full)
    if not os.path.isdir(folder):
        raise BerthError(f"berth_plan_file: there is no folder {folder} on the control node")
    if os.path.isdir(full):
        raise BerthError(f"berth_plan_file: {full} is a folder; name a file in it")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise BerthError(f"berth_plan_file: nothing can be written in {folder} on the control node")
    return full


def write_plan(path: str, data: Mapping[str, Any]) -> None:
    """Write the file as a whole, for its owner alone; where that fails, none is left that is not of this run.

    Raises:
        BerthError: It cannot be written.
    """
    full = checked_place(path)
    text = json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False, default=str) + "\n"
    try:
        number, temporary = tempfile.mkstemp(dir=os.path.dirname(full), prefix=f".{os.path.basename(full)}.")
        try:
            with open(number, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, full)
        except OSError:
            os.unlink(temporary)
            raise
    except OSError as error:
        with suppress(OSError):
            os.unlink(full)
        raise BerthError(f"berth_plan_file: {full} cannot be written: {error.strerror}") from error
