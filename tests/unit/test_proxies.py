# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the proxy of a project is made, started, reloaded and stopped on an engine, and what happens where that fails."""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.aspect import Site
from ansible_collections.berth.projects.plugins.module_utils.definition import Definition
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError, EngineError
from ansible_collections.berth.projects.plugins.module_utils.gate import Gate
from ansible_collections.berth.projects.plugins.module_utils.host_state import hash_of
from ansible_collections.berth.projects.plugins.module_utils.names import PROXY_IMAGE
from ansible_collections.berth.projects.plugins.module_utils.proxies import Proxies
from ansible_collections.berth.projects.plugins.module_utils.proxy_files import (
    Applied,
    config_folder,
    proxy_folder,
    read_applied,
    read_config,
)
from ansible_collections.berth.projects.plugins.module_utils.terms import POOL
from ansible_collections.berth.projects.tests.unit.builders import (
    SETTINGS,
    container_of,
    networks_for,
    restricted,
)
from ansible_collections.berth.projects.tests.unit.fake_engine import FakeEngine

NAME = "berth-web.proxy"
CONFIGS = {hash_of(text): base64.b64encode(text).decode() for text in (b"one", b"two")}
ONE, TWO = (replace(SETTINGS, config=config) for config in CONFIGS)
WEB = restricted("example.com", settings=ONE)
MAKING = [f"create {NAME}", "connect 4e3 berth-web.inner"]


def applied(definition: Definition) -> Applied:
    assert definition.proxy
    return Applied(definition.proxy.config, definition.network.allow)


class Bench:
    """An engine with the networks and the image of a proxy, and a folder for its files."""

    def __init__(self, state_dir: Path) -> None:
        self.site = Site(str(state_dir), "default")
        self.engine = FakeEngine()
        self.engine.network_list = networks_for("restricted")
        self.engine.add_image("sha256:bb", {"Labels": {}}, PROXY_IMAGE)
        self.proxies = Proxies(self.engine, self.site, CONFIGS, 5)

    def have(self, definition: Definition = WEB, is_up: bool = True) -> list[str]:
        """The calls that it takes."""
        begun = len(self.engine.calls)
        self.proxies.have(definition, is_up)
        return self.engine.calls[begun:]

    @property
    def gate(self) -> Gate:
        return Gate(self.engine, self.site, POOL, self.proxies)

    @property
    def proxy(self) -> dict[str, Any]:
        return self.engine.container(NAME) or {}

    @property
    def applied(self) -> Applied:
        return read_applied(self.site, "web")

    @property
    def config(self) -> str:
        return read_config(self.site, "web")

    def change(self, **state: Any) -> None:
        self.engine._containers[self.proxy["Id"]]["State"].update(state)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def made(bench: Bench) -> Bench:
    """One with a proxy that runs as declared."""
    bench.have()
    return bench


# Making one


def test_a_proxy_is_put_on_its_second_network_before_it_starts(bench: Bench) -> None:
    assert bench.have() == [*MAKING, "start 4e3"]
    assert set(bench.proxy["NetworkSettings"]["Networks"]) == {"berth-web.inner", "berth-web.egress"}
    assert (bench.config, bench.applied) == (ONE.config, applied(WEB))


def test_one_that_is_as_it_should_be_goes_on(made: Bench) -> None:
    assert made.have() == []


def test_its_configuration_is_there_before_it_is_and_readable_for_whoever_it_runs_as(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    create = bench.engine.create

    def watched(name: str, body: Mapping[str, Any]) -> str:
        seen.append(bench.config)
        return create(name, body)

    monkeypatch.setattr(bench.engine, "create", watched)
    before = os.umask(0o077)
    try:
        bench.have()
    finally:
        os.umask(before)
    assert seen == [ONE.config]
    folder = Path(config_folder(bench.site, "web"))
    assert stat.S_IMODE((folder / "proxy.conf").stat().st_mode) == 0o644
    assert {stat.S_IMODE(one.stat().st_mode) for one in (folder, folder.parent)} == {0o755}


def test_the_proxy_of_a_stopped_project_is_made_and_not_started(bench: Bench) -> None:
    assert bench.have(is_up=False) == MAKING
    assert (bench.engine.names[NAME], bench.applied) == ("created", Applied())
    assert bench.have(is_up=False) == []
    assert bench.have() == ["start 4e3"]
    assert bench.applied == applied(WEB)


def test_one_that_was_made_otherwise_makes_way(made: Bench) -> None:
    other = restricted("example.com", settings=ONE, ports=[{"host": 1, "container": 2}])
    assert made.have(other) == ["remove 4e3", f"create {NAME}", "connect 4e4 berth-web.inner", "start 4e4"]


def test_one_whose_networks_were_made_anew_makes_way(made: Bench) -> None:
    for network in made.engine.network_list:
        network["Id"] = f"newer {network['Name']}"
    assert made.have()[0] == "remove 4e3"
    assert made.have() == []


def test_one_that_was_cut_off_before_it_joined_its_second_network_makes_way(bench: Bench) -> None:
    bench.engine._broken = ("connect",)
    with pytest.raises(EngineError):
        bench.have()
    bench.engine.mend()
    assert bench.have() == ["remove 4e3", f"create {NAME}", "connect 4e4 berth-web.inner", "start 4e4"]


def test_without_settings_or_an_image_none_is_made(bench: Bench) -> None:
    with pytest.raises(BerthError, match="configuration of its proxy is missing"):
        bench.have(replace(WEB, proxy=None))
    with pytest.raises(BerthError, match="There is no image mine:1 on this engine"):
        bench.have(replace(WEB, proxy=replace(ONE, image="mine:1")))
    assert bench.engine.calls == []


def test_a_container_of_that_name_that_is_not_ours_stops_it_before_anything_is_made(bench: Bench) -> None:
    stranger = container_of(restricted())
    stranger["Name"], stranger["Config"]["Labels"] = f"/{NAME}", {}
    bench.engine.hold(stranger)
    for use in (bench.have, lambda: bench.proxies.start("web")):
        with pytest.raises(BerthError, match=f"There is a container {NAME} that is not this project's"):
            use()
    assert (bench.engine.calls, bench.config) == ([], "")


def test_a_stranger_of_that_name_is_not_stopped_either(bench: Bench) -> None:
    stranger = container_of(restricted())
    stranger["Name"], stranger["Config"]["Labels"] = f"/{NAME}", {}
    bench.engine.hold(stranger)
    bench.proxies.stop("web")
    assert bench.engine.names == {NAME: "running"}


# Starting one


def test_a_proxy_that_dies_before_it_is_ready_is_told_with_its_last_lines(bench: Bench) -> None:
    bench.engine.output_of[NAME] = tuple(f"line {number}" for number in range(20))
    with pytest.raises(BerthError) as failed:
        bench.have()
    assert failed.value.msg.startswith(f"The proxy {NAME} did not become ready. Its last lines: line 5 | ")
    assert failed.value.msg.endswith("| line 19.")
    assert bench.applied == Applied()


def test_a_proxy_that_dies_without_a_word_is_told_too(bench: Bench) -> None:
    bench.engine.output_of[NAME] = ()
    with pytest.raises(BerthError, match=r"did not become ready\. It printed nothing\."):
        bench.have()


@pytest.mark.parametrize("status", ["restarting", "running"])
def test_a_proxy_that_dies_again_and_again_is_told_by_every_run_until_it_is_mended(bench: Bench, status: str) -> None:
    """The engine restarts it, so now and then it even runs. What was applied before was by another container."""
    bench.have()
    other = restricted("example.com", settings=ONE, ports=[{"host": 1, "container": 2}])
    bench.engine.output_of[NAME] = ("dark",)
    for _run in range(2):
        with pytest.raises(BerthError, match="Its last lines: dark"):
            bench.have(other)
        bench.change(Status=status)
    bench.engine.output_of.clear()
    assert bench.have(other) == ["stop 4e4 5", "start 4e4"]
    assert (bench.applied, bench.have(other)) == (applied(other), [])


@pytest.mark.parametrize(
    ("state", "calls"),
    [
        ({"Status": "exited", "Running": False}, ["start 4e3"]),
        ({"Status": "paused"}, ["stop 4e3 5", "start 4e3"]),
        ({"Health": {"Status": "unhealthy"}}, ["stop 4e3 5", "start 4e3"]),
        ({"Health": {"Status": "starting"}}, []),
    ],
)
def test_a_proxy_that_does_not_work_is_started_afresh(made: Bench, state: dict[str, Any], calls: list[str]) -> None:
    made.change(**state)
    assert made.have() == calls


def test_a_proxy_that_says_nothing_is_only_started(bench: Bench) -> None:
    bench.engine.output_of[NAME] = ()
    assert bench.have(replace(WEB, proxy=replace(ONE, says_ready=False))) == [*MAKING, "start 4e3"]
    assert bench.applied == applied(WEB)


# Changing what it allows


def test_another_configuration_is_taken_over_as_it_runs(made: Bench) -> None:
    assert made.have(replace(WEB, proxy=TWO)) == ["run 4e3 /reload as "]
    assert (made.config, made.applied) == (TWO.config, applied(replace(WEB, proxy=TWO)))
    assert made.have(replace(WEB, proxy=TWO)) == []


def test_a_proxy_that_has_no_command_for_that_is_started_afresh(made: Bench) -> None:
    assert made.have(replace(WEB, proxy=replace(TWO, reload=()))) == ["stop 4e3 5", "start 4e3"]


def test_a_file_that_was_changed_by_hand_is_put_right_and_read_again(made: Bench) -> None:
    Path(config_folder(made.site, "web"), "proxy.conf").write_bytes(b"allow all")
    assert made.have() == ["run 4e3 /reload as "]
    assert made.config == ONE.config


@pytest.mark.parametrize(("said", "told"), [((1, " bad\n line "), "bad line"), ((3, ""), "exit status 3")])
def test_a_configuration_that_is_not_taken_is_told_and_tried_again(
    made: Bench, said: tuple[int, str], told: str
) -> None:
    made.engine.said = said
    for _run in range(2):
        with pytest.raises(BerthError, match=f"does not take its new configuration, .* the one before: {told}"):
            made.have(replace(WEB, proxy=TWO))
        assert made.applied == applied(WEB)
    made.engine.said = (0, "")
    assert made.have(replace(WEB, proxy=TWO)) == ["run 4e3 /reload as "]


def test_a_stopped_proxy_gets_its_configuration_and_reads_it_when_it_starts(made: Bench) -> None:
    made.proxies.stop("web")
    assert (made.have(replace(WEB, proxy=TWO), is_up=False), made.config) == ([], TWO.config)
    assert made.have(replace(WEB, proxy=TWO)) == ["start 4e3"]
    assert made.applied == applied(replace(WEB, proxy=TWO))


def test_one_that_is_not_to_run_any_more_gets_its_configuration_and_stops(made: Bench) -> None:
    assert made.have(replace(WEB, proxy=TWO), is_up=False) == ["stop 4e3 5"]
    assert (made.engine.names[NAME], made.config, made.applied) == ("exited", TWO.config, applied(WEB))
    assert made.have(replace(WEB, proxy=TWO), is_up=False) == []


def test_one_that_was_started_as_it_is_after_that_only_has_to_read_it(made: Bench) -> None:
    """Playbook start does so; an agent that is at work by then keeps its connections."""
    made.have(replace(WEB, proxy=TWO), is_up=False)
    made.proxies.start("web")
    assert made.have(replace(WEB, proxy=TWO)) == ["run 4e3 /reload as "]


def test_files_that_cannot_be_written_are_told(bench: Bench) -> None:
    Path(proxy_folder(bench.site, "web")).parent.write_text("in the way")
    with pytest.raises(BerthError, match=r"Cannot (read|write) .*: Not a directory"):
        bench.have()
    assert bench.engine.calls == []


# Starting and stopping what there is


def test_what_there_is_is_started_and_stopped_once(made: Bench) -> None:
    begun = len(made.engine.calls)
    for use in (made.proxies.start, made.proxies.stop, made.proxies.stop, made.proxies.start):
        use("web")
    assert made.engine.calls[begun:] == ["stop 4e3 5", "start 4e3"]
    for use in (made.proxies.start, made.proxies.stop):
        use("nobody")
    assert len(made.engine.calls) == begun + 2


# For a container


def test_a_container_that_has_no_use_for_a_proxy_gets_its_ports(made: Bench) -> None:
    made.gate.open_for(replace(WEB, network=replace(WEB.network, egress="open")))
    assert made.engine.names[NAME] == "exited"


@pytest.mark.parametrize(("state", "status"), [("started", "running"), ("stopped", "created")])
def test_a_container_gets_its_networks_and_then_its_proxy(tmp_path: Path, state: str, status: str) -> None:
    bench = Bench(tmp_path)
    bench.engine.network_list.clear()
    settled = bench.gate.open_for(replace(WEB.behind(None), state=state))
    assert bench.engine.calls[:3] == ["make-network berth-web.inner", "make-network berth-web.egress", f"create {NAME}"]
    assert (bench.engine.names[NAME], settled.network.proxy) == (status, "10.213.0.2")


def test_a_proxy_that_cannot_be_brought_back_is_told_and_stops_nothing(made: Bench) -> None:
    made.proxies.stop("web")
    made.engine._broken = ("start",)
    assert made.gate.bring_back("web", is_restricted=True).startswith("Its proxy could not be started again")
    made.engine.mend()
    assert made.gate.bring_back("web", is_restricted=True) == ""
    assert made.engine.names[NAME] == "running"
    assert made.gate.bring_back("web", is_restricted=False) == ""
    assert made.engine.names[NAME] == "exited"
