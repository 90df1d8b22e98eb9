# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asking several engines at once: what one of them does wrong is told of it alone."""

from __future__ import annotations

import time
from collections.abc import Mapping
from threading import Event
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils import sdk
from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.plugin_utils.engine_listing import list_engines
from ansible_collections.berth.projects.plugins.plugin_utils.inventory_engines import NamedEngine, named_engines
from listing_engine import listed, listing_engine


def engines(*urls: str, timeout: int = 5) -> tuple[NamedEngine, ...]:
    return named_engines([{"name": f"e{index}", "docker_host": url} for index, url in enumerate(urls)], timeout=timeout)


@pytest.fixture
def no_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(sdk, "import_module", missing)
    monkeypatch.setattr(sdk, "find_spec", lambda _name: None)


def test_answers_come_in_the_order_of_the_engines() -> None:
    with listing_engine(listed("a")) as first, listing_engine(listed("b"), listed("c")) as second:
        told = list_engines(engines(second.docker_host, first.docker_host))
    assert [[container["project"] for container in one.containers or ()] for one in told] == [["b", "c"], ["a"]]


def test_an_engine_is_asked_only_for_what_carries_the_label() -> None:
    with listing_engine() as engine:
        list_engines(engines(engine.docker_host))
    query = "all=1&filters=%7B%22label%22%3A+%5B%22berth.managed%3Dtrue%22%5D%7D"
    assert engine.asked == ["/_ping", f"/containers/json?{query}"]


def test_a_local_engine_is_listed_without_the_sdk_and_another_says_that_it_is_missing(no_sdk: None) -> None:
    with listing_engine(listed("a")) as engine:
        local, remote = list_engines(engines(engine.docker_host, "tcp://127.0.0.1:1"))
    assert local.containers and not local.failure
    assert remote.containers is None
    assert "The Docker SDK for Python cannot be imported by" in remote.failure


@pytest.mark.parametrize("url", ["unix:///nonexistent/engine.sock", "tcp://127.0.0.1:1", "ssh://127.0.0.1:1"])
def test_an_engine_that_is_not_there_has_a_failure_and_not_an_exception(url: str) -> None:
    (told,) = list_engines(engines(url, timeout=20))
    assert told.containers is None
    assert told.failure.startswith(f"No Docker engine answers at {url} (")


def test_so_has_one_that_lists_what_nobody_expects() -> None:
    with listing_engine({"Names": 5, "Labels": ["x"]}) as engine:
        (told,) = list_engines(engines(engine.docker_host))
    assert told.containers is None and told.failure.startswith("Berth met a bug: ")


def test_the_slowest_is_waited_for_no_longer_than_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    released = Event()
    reach = Engine.reach

    def stuck(params: Mapping[str, Any]) -> Engine:
        if params["docker_host"].startswith("tcp"):  # as in a look-up of a name, which no limit of a socket ends
            released.wait()
        return reach(params)

    monkeypatch.setattr(Engine, "reach", stuck)
    begun = time.monotonic()
    with listing_engine(listed("a")) as engine:
        told = list_engines(engines("tcp://a:1", "tcp://b:1", engine.docker_host, timeout=1))
    took = time.monotonic() - begun
    released.set()
    assert [one.failure for one in told] == ["It did not answer within 1 s."] * 2 + [""]
    assert 1 <= took < 2
