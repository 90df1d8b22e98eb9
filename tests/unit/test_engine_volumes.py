# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an engine's answers about volumes mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import Mock

import pytest
from ansible_collections.berth.projects.plugins.module_utils import engine_volumes as module
from ansible_collections.berth.projects.plugins.module_utils.engine_volumes import VolumeStore
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError, EngineError
from ansible_collections.berth.projects.plugins.module_utils.names import HELPER

BUSY = EngineError("measuring volumes: the engine said: a disk usage operation is already running", 500)
DF = {"Volumes": [{"Name": "a", "UsageData": {"Size": 5}}, {"Name": "b", "UsageData": {"Size": -1}}, {"Name": "c"}]}


def store_that(answer: Any = None, **calls: Any) -> tuple[VolumeStore, Mock]:
    """A store on an engine that gives these answers, and that engine."""

    @contextmanager
    def calling(doing: str) -> Iterator[None]:
        yield

    engine = Mock(calling=calling)
    engine.api._result = Mock(side_effect=answer if isinstance(answer, list) else [answer])
    engine.api.configure_mock(**calls)
    return VolumeStore(engine), engine


def test_a_size_that_the_engine_does_not_know_is_none() -> None:
    store, engine = store_that(DF)
    assert store.sizes() == {"a": 5, "b": None, "c": None}
    assert engine.api._get.call_args.kwargs["params"] == {"type": "volume"}


def test_an_engine_without_volumes() -> None:
    assert store_that({"Volumes": None})[0].sizes() == {}
    assert store_that({"Volumes": None})[0].find(["a"]) == {}


def test_an_engine_that_measures_for_somebody_else_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_POLL", 0)
    assert store_that([BUSY, BUSY, DF])[0].sizes()["a"] == 5


def test_and_if_that_does_not_end_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_POLL", 0)
    monkeypatch.setattr(module, "_PATIENCE", 0.01)
    assert store_that([BUSY] * 1_000_000)[0].sizes() == {}


def test_any_other_failure_to_measure_is_one() -> None:
    with pytest.raises(EngineError, match="it broke"):
        store_that([EngineError("it broke", 500)])[0].sizes()


def test_a_part_of_a_name_is_another_volume() -> None:
    store, _engine = store_that({"Volumes": [{"Name": "berth-web-home"}, {"Name": "my-berth-web-home"}]})
    assert list(store.find(["berth-web-home", "berth-web-agent"])) == ["berth-web-home"]


@pytest.mark.parametrize(("labels", "ours"), [({"a": "1"}, True), ({"a": "2"}, False), (None, False), ({}, False)])
def test_a_volume_that_somebody_else_has_just_made_is_not_taken(labels: Any, ours: bool) -> None:
    store, _engine = store_that(**{"create_volume.return_value": {"Labels": labels}})
    if ours:
        store.create("x", {"a": "1"})
    else:
        with pytest.raises(BerthError, match="made just now by somebody else"):
            store.create("x", {"a": "1"})


def test_a_volume_that_is_gone_is_removed_and_one_in_use_is_not() -> None:
    store_that(**{"remove_volume.side_effect": EngineError("no such volume", 404)})[0].remove("x")
    with pytest.raises(EngineError, match="in use"):
        store_that(**{"remove_volume.side_effect": EngineError("in use", 409)})[0].remove("x")


class TestHelper:
    def test_is_removed_and_what_went_wrong_first_is_told(self) -> None:
        store, engine = store_that()
        engine.remove.side_effect = EngineError("cannot remove")
        with pytest.raises(BerthError, match="broken"), store.helper("web", "team", "v", "sha256:1", True):
            raise BerthError("broken")
        engine.remove.assert_called_once_with(engine.create.return_value)

    def test_that_cannot_be_removed_is_told(self) -> None:
        store, engine = store_that()
        engine.remove.side_effect = EngineError("cannot remove")
        with pytest.raises(EngineError, match="cannot remove"), store.helper("web", "team", "v", "sha256:1", True):
            pass

    @pytest.mark.parametrize("read_only", [True, False])
    def test_is_known_again_and_gives_the_volume_nothing(self, read_only: bool) -> None:
        store, engine = store_that()
        with store.helper("web", "team", "berth-web-home", "sha256:1", read_only):
            pass
        (name, body), _kwargs = engine.create.call_args
        assert name.startswith("berth-web.volume.")
        assert body["Labels"] == {HELPER: "team/web"}
        (mount,) = body["HostConfig"]["Mounts"]
        assert (mount["Source"], mount["ReadOnly"], mount["VolumeOptions"]) == (
            "berth-web-home",
            read_only,
            {"NoCopy": True},
        )

    def test_of_this_project_and_scope_alone_are_removed(self) -> None:
        store, engine = store_that()
        owners = ["team/web", "team/web2", "other/web", None]
        containers = [{"Id": str(owner), "Labels": {HELPER: owner} if owner else None} for owner in owners]
        store.remove_helpers("web", "team", containers)
        engine.remove.assert_called_once_with("team/web")
