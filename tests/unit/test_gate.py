# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How networks are made on an engine, and what is in the way of that."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils import gate as gate_module
from ansible_collections.berth.projects.plugins.module_utils.aspect import Site
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError, EngineError
from ansible_collections.berth.projects.plugins.module_utils.gate import Gate, _routes
from ansible_collections.berth.projects.plugins.module_utils.networks import wanted_networks
from ansible_collections.berth.projects.plugins.module_utils.proxies import Proxies
from ansible_collections.berth.projects.plugins.module_utils.terms import POOL
from ansible_collections.berth.projects.tests.unit.builders import (
    container_of,
    definition,
    network_entry,
    networks_for,
    restricted,
)
from ansible_collections.berth.projects.tests.unit.fake_engine import FakeEngine

OPEN = definition()
RESTRICTED = restricted("example.com")
ROUTES = """\
Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010011AC	0003	0	0	0	00000000	0	0	0
tun0	00000000	010011AC	0003	0	0	0	00000080	0	0	0
tun0	00000080	010011AC	0003	0	0	0	00000080	0	0	0
eth0	0000D50A	00000000	0001	0	0	0	00FFFFFF	0	0	0
eth0	0001D50A	00000000	0001	0	0	0	F0FFFFFF	0	0	0
"""
"""The default route, its two halves as a VPN writes them, 10.213.0.0/24, and 10.213.1.0/28."""


def gate_of(engine: FakeEngine, pool: str = POOL) -> Gate:
    site = Site("/var/lib/berth", "default")
    return Gate(engine, site, pool, Proxies(engine, site, {}, 5))


def subnets(engine: FakeEngine) -> dict[str, str]:
    return {one["Name"]: one["IPAM"]["Config"][0]["Subnet"] for one in engine.network_list}


def foreign(subnet: str, name: str = "mine") -> dict[str, Any]:
    return {"Id": name, "Name": name, "Labels": {}, "Driver": "bridge", "IPAM": {"Config": [{"Subnet": subnet}]}}


# Where networks are made


def test_an_open_project_has_one_network_at_the_start_of_the_pool() -> None:
    engine = FakeEngine()
    assert gate_of(engine).have_networks(OPEN) == OPEN
    assert (engine.calls, subnets(engine)) == (["make-network berth-web.open"], {"berth-web.open": "10.213.0.0/28"})


def test_a_restricted_project_has_two_and_learns_its_proxys_address() -> None:
    engine = FakeEngine()
    settled = gate_of(engine).have_networks(RESTRICTED.behind(None))
    assert subnets(engine) == {"berth-web.inner": "10.213.0.0/28", "berth-web.egress": "10.213.0.16/28"}
    assert settled == RESTRICTED.behind("10.213.0.2")


def test_a_project_without_egress_has_none() -> None:
    engine = FakeEngine()
    gate_of(engine).have_networks(definition(network={"egress": "none"}))
    assert engine.calls == []


def test_networks_that_are_there_are_used_as_they_are() -> None:
    engine = FakeEngine()
    engine.network_list = networks_for("restricted")
    assert gate_of(engine).have_networks(RESTRICTED.behind("10.213.9.2")).network.proxy == "10.213.0.2"
    assert engine.calls == []


def test_an_inner_network_is_made_anew_where_its_container_knows_the_proxy() -> None:
    engine = FakeEngine()
    settled = gate_of(engine).have_networks(RESTRICTED.behind("10.213.9.18"))
    assert subnets(engine) == {"berth-web.inner": "10.213.9.16/28", "berth-web.egress": "10.213.0.0/28"}
    assert settled.network.proxy == "10.213.9.18"


def test_an_inner_network_is_made_elsewhere_where_that_was_taken_meanwhile() -> None:
    engine = FakeEngine()
    engine.network_list = [foreign("10.213.9.16/28")]
    settled = gate_of(engine).have_networks(RESTRICTED.behind("10.213.9.18"))
    assert (subnets(engine)["berth-web.inner"], settled.network.proxy) == ("10.213.0.0/28", "10.213.0.2")


def test_what_networks_have_is_left_to_them() -> None:
    engine = FakeEngine()
    engine.network_list = [foreign("10.213.0.0/27"), foreign("172.17.0.0/16", "bridge")]
    gate_of(engine).have_networks(OPEN)
    assert subnets(engine)["berth-web.open"] == "10.213.0.32/28"


def test_a_subnet_that_was_taken_since_it_was_looked_for_makes_way_for_the_next() -> None:
    engine = FakeEngine()
    gate = gate_of(engine)
    gate.have_networks(definition(name="api"))
    engine.network_list += [foreign("10.213.0.16/28"), foreign("10.213.0.32/28", "yours")]
    gate.have_networks(OPEN)
    assert subnets(engine)["berth-web.open"] == "10.213.0.48/28"


def test_a_subnet_that_another_run_is_just_being_given_makes_way_for_the_next() -> None:
    said = "creating network: the engine said: failed to allocate gateway (10.213.0.1): Address already in use"
    engine = FakeEngine()
    engine.fail(1, False, EngineError(said, 500))
    gate_of(engine).have_networks(OPEN)
    assert subnets(engine)["berth-web.open"] == "10.213.0.16/28"


def test_a_pool_without_room_is_told_with_what_to_do() -> None:
    engine = FakeEngine()
    gate = gate_of(engine, "10.7.0.0/27")
    gate.have_networks(RESTRICTED.behind(None))
    with pytest.raises(BerthError) as failed:
        gate.have_networks(definition(name="api"))
    for told in ("no subnet left for the network berth-api.open", "all of 10.7.0.0/27", "berth_network_pool"):
        assert told in failed.value.msg
    assert len(engine.network_list) == 2


@pytest.mark.parametrize(
    "error", [EngineError("could not find plugin", 404), EngineError("is forbidden", 403), EngineError("overlaps", 500)]
)
def test_any_other_failure_is_no_reason_to_try_the_next_subnet(error: EngineError) -> None:
    engine = FakeEngine("make-network", error=error)
    with pytest.raises(EngineError, match=error.msg):
        gate_of(engine).have_networks(OPEN)
    assert engine.calls == ["make-network berth-web.open"]


def test_projects_made_side_by_side_get_a_subnet_each() -> None:
    engine, count = FakeEngine(), 16
    gate, together = gate_of(engine), threading.Barrier(count)

    def make(number: int) -> None:
        together.wait()
        gate.have_networks(restricted(name=f"p{number}").behind(None))

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(make, range(count)))
    assert len(set(subnets(engine).values())) == len(subnets(engine)) == 2 * count


# What is in the way


@pytest.mark.parametrize("wanted", [OPEN, RESTRICTED], ids=["open", "restricted"])
def test_a_foreign_network_of_that_name_stops_it_before_anything_is_made(wanted: Any) -> None:
    engine = FakeEngine()
    spec = wanted_networks("web", wanted.network.egress)[0]
    engine.network_list = [{**network_entry(spec), "Labels": {}}]
    with pytest.raises(BerthError, match=f"There is a network {spec.name} that is not this project's"):
        gate_of(engine).open_for(wanted)
    assert engine.calls == []


def test_a_network_that_goes_while_it_is_made_is_told() -> None:
    engine = FakeEngine()
    engine.network_list = networks_for("restricted")
    answers = [networks_for("restricted"), []]
    engine.networks = lambda: answers.pop(0)  # type: ignore[method-assign]
    with pytest.raises(BerthError, match=r"The network berth-web\.inner is gone just now: run again"):
        gate_of(engine).have_networks(RESTRICTED)


# Joining and leaving


def test_a_stopped_container_is_put_on_the_network_that_was_made_anew() -> None:
    engine = FakeEngine().hold(container_of(OPEN, status="exited"))
    engine.network_list.clear()
    gate = gate_of(engine)
    gate.have_networks(OPEN)
    own = str((engine.container("berth-web") or {})["Id"])
    with pytest.raises(EngineError, match="not found"):
        engine.start(own)
    gate.rejoin("berth-web.open", own)
    engine.start(own)
    assert engine.names == {"berth-web": "running"}


def test_a_network_that_is_gone_already_is_removed() -> None:
    gate_of(FakeEngine()).remove("gone")


def test_a_network_that_a_container_runs_on_is_not() -> None:
    engine = FakeEngine().hold(container_of(OPEN))
    with pytest.raises(EngineError, match="has active endpoints"):
        gate_of(engine).remove("first berth-web.open")


# Routes of the host


@pytest.fixture
def routes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "route"
    path.write_text(ROUTES)
    monkeypatch.setattr(gate_module, "_ROUTES", str(path))
    return path


def test_routes_are_read_but_for_the_default_one_also_in_two_halves(routes: Path) -> None:
    assert _routes() == ["10.213.0.0/24", "10.213.1.0/28"]


def test_a_host_whose_routes_cannot_be_read_has_none(routes: Path) -> None:
    routes.unlink()
    assert _routes() == []


@pytest.mark.parametrize(("is_here", "subnet"), [(True, "10.213.1.16/28"), (False, "10.213.0.0/28")])
def test_networks_keep_clear_of_where_the_hosts_routes_lead(routes: Path, is_here: bool, subnet: str) -> None:
    engine = FakeEngine()
    engine.is_here = is_here
    gate_of(engine).have_networks(OPEN)
    assert subnets(engine) == {"berth-web.open": subnet}
