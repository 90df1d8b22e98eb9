# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures for tests of project containers on the real engine, with an image that is small and keeps the contract."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
from ansible_collections.berth.projects.plugins.module_utils import survey
from ansible_collections.berth.projects.plugins.module_utils.connection import DEFAULT_DOCKER_HOST
from engine_names import Namespace, engine_client
from fault_proxy import FaultProxy
from fault_scene import Scene
from faulty_run import Runner
from fleet import Fleet
from host import TestHost
from image_box import Box
from tiny_image import build_tiny_image


@pytest.fixture(scope="session")
def tiny(engine: None) -> str:
    """The reference of an image that keeps the contract and starts in no time."""
    client = engine_client()
    try:
        return build_tiny_image(client)
    finally:
        client.close()


@pytest.fixture(autouse=True)
def _quiet_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests give this machine addresses and take them away; what a proxy may not lead to stays the same."""
    monkeypatch.setattr(survey, "public_addresses", lambda: ("192.0.2.2",))


@pytest.fixture
def host(api: Any, namespace: Namespace, tiny: str, tmp_path: Path) -> TestHost:
    """A host with nothing on it, as far as its scope goes."""
    return TestHost(api, tmp_path / "state", namespace.scope, tiny)


@pytest.fixture
def fleet(namespace: Namespace, tiny: str, tmp_path: Path) -> Fleet:
    """An inventory without hosts yet."""
    return Fleet(tmp_path, namespace, tiny)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of the host that an ordinary user owns, to be a workspace."""
    path = tmp_path / "work"
    path.mkdir()
    os.chown(path, 4321, 4321)
    tmp_path.chmod(0o755)
    return path


@pytest.fixture
def box(api: Any, tiny: str) -> Iterator[Callable[..., Box]]:
    """Makes containers of the tiny image by hand, to look at the runtime scripts without Berth around them."""
    boxes: list[Box] = []

    def make(**options: Any) -> Box:
        boxes.append(Box(api, tiny, **options))
        return boxes[-1]

    yield make
    for one in boxes:
        one.remove()


@pytest.fixture(scope="module")
def scene(api: Any, tiny: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A project for one operation of the fault matrix, and what makes the calls of that go wrong."""
    namespace = Namespace(f"t{secrets.token_hex(4)}")
    folder = tmp_path_factory.mktemp("faults")
    folder.chmod(0o755)
    (folder / "work").mkdir()
    os.chown(folder / "work", 4321, 4321)
    proxy, runner = FaultProxy(DEFAULT_DOCKER_HOST[len("unix://") :]), Runner()
    made = Scene(api, TestHost(api, folder / "state", namespace.scope, tiny), namespace, folder / "work", proxy, runner)
    yield made
    runner.close()
    proxy.close()
    made.close()
