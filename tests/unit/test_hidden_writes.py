# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A container whose sandbox keeps what it writes from the engine is found out at its start, and stopped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.gate import Gate
from ansible_collections.berth.projects.plugins.module_utils.launch import READY_FILE, Launcher
from ansible_collections.berth.projects.plugins.module_utils.proxies import Proxies
from ansible_collections.berth.projects.plugins.module_utils.records import Records
from ansible_collections.berth.projects.plugins.module_utils.terms import POOL
from ansible_collections.berth.projects.tests.unit.builders import CONTAINER_ID, SITE, container_of, definition
from ansible_collections.berth.projects.tests.unit.fake_engine import FakeEngine


class Sandbox(FakeEngine):
    """An engine that sees the file which the entrypoint writes as it is before the start, and as it is after it."""

    def __init__(self, before: str | None, after: str | None) -> None:
        super().__init__()
        self._seen = before
        self._after = after
        self.asked: list[str] = []

    def start_and_listen(self, container_id: str, seconds: float) -> Iterator[str]:
        self._seen = self._after
        yield from super().start_and_listen(container_id, seconds)

    def file_stamp(self, container_id: str, path: str) -> str | None:
        self.asked.append(path)
        return self._seen


def start(engine: FakeEngine, container: Mapping[str, Any], folder: Path) -> None:
    engine.hold(container)
    gate = Gate(engine, SITE, POOL, Proxies(engine, SITE, {}, 5))
    Launcher(engine, SITE, Records(str(folder)), 5, gate).start("web", CONTAINER_ID)


def stopped(**keys: Any) -> dict[str, Any]:
    return container_of(definition(**keys), status="exited")


@pytest.mark.parametrize("before", [None, "of an earlier start"])
def test_a_container_that_writes_where_the_engine_looks_is_started(tmp_path: Path, before: str | None) -> None:
    engine = Sandbox(before, "of this start")
    start(engine, stopped(runtime="runsc"), tmp_path)
    assert engine.calls == ["start c0f"] and set(engine.asked) == {READY_FILE}


@pytest.mark.parametrize("seen", [None, "of an earlier start"], ids=["fresh", "made from a snapshot"])
def test_a_container_that_hides_what_it_writes_is_stopped_and_told(tmp_path: Path, seen: str | None) -> None:
    engine = Sandbox(seen, seen)
    with pytest.raises(BerthError) as error:
        start(engine, stopped(runtime="runsc"), tmp_path)
    assert engine.calls == ["start c0f", "stop c0f 0"]
    for word in ("--overlay2=none", "/etc/docker/daemon.json", "berth_engine_gvisor", "runtime: runc"):
        assert word in error.value.msg


@pytest.mark.parametrize("keys", [{"runtime": "runc"}, {"runtime": "runsc", "hardening": "strict"}], ids=str)
def test_one_without_a_sandbox_or_without_a_layer_to_write_to_is_not_looked_into(
    tmp_path: Path, keys: dict[str, Any]
) -> None:
    engine = Sandbox(None, None)
    start(engine, stopped(**keys), tmp_path)
    assert engine.asked == []
