# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The networks that a project should have, those that there are, and where there is room for more."""

from __future__ import annotations

from ipaddress import IPv4Network
from itertools import islice
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.names import ownership_labels
from ansible_collections.berth.projects.plugins.module_utils.networks import (
    PREFIX,
    FoundNetwork,
    Networks,
    NetworkSpec,
    free_subnets,
    network_body,
    network_misfit,
    network_names,
    proxy_address,
    subnet_of,
    wanted_networks,
)
from ansible_collections.berth.projects.plugins.module_utils.terms import POOL
from ansible_collections.berth.projects.tests.unit.builders import network_entry, networks_for
from hypothesis import given
from hypothesis import strategies as st

ADDRESSES = st.integers(0, 2**32 - 1)


def found(spec: NetworkSpec, **changes: Any) -> FoundNetwork:
    """What the engine lists of a network made as specified, with these keys of its entry changed."""
    (one,) = Networks([{**network_entry(spec), **changes}], "default").all
    return one


(OPEN,) = wanted_networks("web", "open")
INNER, EGRESS = wanted_networks("web", "restricted")


# What a project should have


@pytest.mark.parametrize(
    ("egress", "names"),
    [("open", ["berth-web.open"]), ("restricted", ["berth-web.inner", "berth-web.egress"]), ("none", [])],
)
def test_each_kind_of_egress_has_networks_of_its_own(egress: str, names: list[str]) -> None:
    specs = wanted_networks("web", egress)
    assert [spec.name for spec in specs] == names
    assert {spec.project for spec in specs} <= {"web"} and set(names) <= set(network_names("web"))


def test_only_the_network_of_a_container_with_restricted_egress_is_internal() -> None:
    assert [spec.internal for spec in (OPEN, INNER, EGRESS)] == [False, True, False]


def test_the_host_has_no_address_on_an_inner_network() -> None:
    assert INNER.options == {"com.docker.network.bridge.inhibit_ipv4": "true"}


def test_containers_on_the_proxys_way_out_do_not_reach_each_other() -> None:
    assert EGRESS.options == {"com.docker.network.bridge.enable_icc": "false"}


# What the engine is asked for


@pytest.mark.parametrize("spec", [OPEN, INNER, EGRESS], ids=lambda spec: spec.name)
def test_a_body_says_all_that_makes_a_network_what_it_is(spec: NetworkSpec) -> None:
    body = network_body(spec, IPv4Network("10.213.0.16/28"), "team-a")
    (config,) = body.pop("IPAM")["Config"]
    assert body == {
        "Name": spec.name,
        "CheckDuplicate": True,
        "Driver": "bridge",
        "Internal": spec.internal,
        "EnableIPv6": False,
        "Options": spec.options,
        "Labels": ownership_labels("web", "team-a"),
    }
    assert (config["Subnet"], config["Gateway"]) == ("10.213.0.16/28", "10.213.0.17")


def test_the_engine_gives_no_container_the_address_of_a_proxy() -> None:
    (config,) = network_body(INNER, IPv4Network("10.213.0.16/28"), "default")["IPAM"]["Config"]
    assert config["IPRange"] == "10.213.0.24/29"
    assert IPv4Network(f"{proxy_address('10.213.0.16/28')}/32").subnet_of(IPv4Network("10.213.0.16/29"))
    for spec in (OPEN, EGRESS):
        (config,) = network_body(spec, IPv4Network("10.213.0.16/28"), "default")["IPAM"]["Config"]
        assert "IPRange" not in config


@given(ADDRESSES)
def test_the_subnet_of_a_proxy_is_found_by_its_address(address: int) -> None:
    subnet = IPv4Network((address, PREFIX), strict=False)
    proxy = proxy_address(str(subnet))
    assert subnet_of(proxy) == subnet
    assert proxy not in (str(subnet.network_address), str(subnet.network_address + 1), str(subnet.broadcast_address))


# What there is


@pytest.mark.parametrize("spec", [OPEN, INNER, EGRESS], ids=lambda spec: spec.name)
def test_a_network_made_as_specified_fits(spec: NetworkSpec) -> None:
    assert network_misfit(found(spec), spec, "default") is None


@pytest.mark.parametrize(
    ("spec", "changes", "told"),
    [
        (OPEN, {"Driver": "macvlan"}, "its driver is macvlan and not bridge"),
        (OPEN, {"Driver": None}, "its driver is  and not bridge"),
        (OPEN, {"Internal": True}, "it is internal"),
        (INNER, {"Internal": False}, "it is not internal"),
        (INNER, {"EnableIPv6": True}, "it has IPv6"),
        (OPEN, {"EnableIPv6": True}, "it has IPv6"),
        (INNER, {"IPAM": {"Config": []}}, "it has not one IPv4 subnet"),
        (INNER, {"IPAM": {"Config": None}}, "it has not one IPv4 subnet"),
        (INNER, {"IPAM": None}, "it has not one IPv4 subnet"),
        (INNER, {"IPAM": {"Config": [{"Subnet": "10.1.0.0/28"}, {"Subnet": "10.2.0.0/28"}]}}, "not one IPv4 subnet"),
        (INNER, {"IPAM": {"Config": [{"Subnet": "fd00::/64"}]}}, "it has not one IPv4 subnet"),
        (INNER, {"Options": {}}, "its option com.docker.network.bridge.inhibit_ipv4 is not true"),
        (INNER, {"Options": None}, "its option com.docker.network.bridge.inhibit_ipv4 is not true"),
        (EGRESS, {"Options": {"com.docker.network.bridge.enable_icc": "true"}}, "enable_icc is not false"),
    ],
)
def test_a_network_of_ours_that_was_made_otherwise_is_not_used(
    spec: NetworkSpec, changes: dict[str, Any], told: str
) -> None:
    misfit = network_misfit(found(spec, **changes), spec, "default")
    assert misfit is not None and told in misfit
    assert f"'docker network rm {spec.name}'" in misfit and "run again" in misfit


def test_all_that_is_wrong_is_told_at_once() -> None:
    misfit = network_misfit(found(INNER, Internal=False, EnableIPv6=True, Options={}), INNER, "default")
    assert misfit is not None
    for told in ("it is not internal", "it has IPv6", "inhibit_ipv4 is not true"):
        assert told in misfit


@pytest.mark.parametrize(
    "labels",
    [
        None,
        {},
        ownership_labels("web", "team-b"),
        ownership_labels("api", "default"),
        {**ownership_labels("web", "default"), "berth.managed": "false"},
    ],
    ids=["none", "empty", "another scope", "another project", "not managed"],
)
def test_a_network_of_that_name_that_is_not_the_projects_is_refused(labels: dict[str, str] | None) -> None:
    misfit = network_misfit(found(OPEN, Labels=labels), OPEN, "default")
    assert misfit is not None and misfit.startswith("There is a network berth-web.open that is not this project's.")


def test_a_projects_networks_are_those_with_its_labels_and_a_name_of_its_own() -> None:
    mine = networks_for("open", "restricted")
    others = [
        {**network_entry(OPEN), "Name": "renamed"},
        *networks_for("open", project="api"),
        {**network_entry(OPEN), "Name": "berth-api.inner"},
    ]
    there = Networks([*mine, *others], "default")
    assert [one.name for one in there.of("web")] == sorted(entry["Name"] for entry in mine)
    assert [one.name for one in there.of("api")] == ["berth-api.open"]
    assert (there.of("nobody"), Networks().all) == ((), ())
    assert len(there.ours) == len(mine) + len(others)
    assert Networks(mine, "team-b").of("web") == ()


def test_a_network_is_found_by_its_name_whosever_it_is() -> None:
    there = Networks([{**network_entry(OPEN), "Name": "bridge", "Labels": None}], "default")
    assert there.named("bridge") is not None and there.named("host") is None


def test_subnets_of_all_networks_are_taken_and_those_of_ipv6_are_nobodys_concern() -> None:
    many = {"Config": [{"Subnet": "10.1.0.0/24"}, {"Subnet": "10.2.0.0/16"}, {"Subnet": "fd00::/64"}, {"Gateway": "x"}]}
    there = Networks([{**network_entry(OPEN), "IPAM": many}, *networks_for("restricted")], "default")
    assert there.subnets == {"10.1.0.0/24", "10.2.0.0/16", "10.213.0.0/28", "10.213.0.16/28"}
    assert there.all[0].subnet == ""


# Where there is room


def by_trying_all(pool: str, taken: list[str]) -> list[IPv4Network]:
    used = [IPv4Network(one, strict=False) for one in taken]
    return [
        one for one in IPv4Network(pool).subnets(new_prefix=PREFIX) if not any(one.overlaps(other) for other in used)
    ]


POOLS = st.builds(
    lambda address, prefix: str(IPv4Network((address, prefix), strict=False)), ADDRESSES, st.integers(22, 28)
)


@st.composite
def pools_and_taken(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A pool, and networks of every size, most of them near or in it."""
    pool = IPv4Network(draw(POOLS))
    near = st.integers(-64, pool.num_addresses + 64).map(lambda step: (int(pool.network_address) + step) % 2**32)
    taken = st.builds(
        lambda address, prefix: f"{IPv4Network(address)[0]}/{prefix}", near | ADDRESSES, st.integers(8, 32)
    )
    return str(pool), draw(st.lists(taken, max_size=8))


@given(pools_and_taken())
def test_the_free_subnets_are_all_that_overlap_nothing_lowest_first(case: tuple[str, list[str]]) -> None:
    pool, taken = case
    assert list(free_subnets(pool, taken)) == by_trying_all(pool, taken)


def test_an_empty_pool_has_room_for_as_many_networks_as_it_has_sixteens_of_addresses() -> None:
    free = list(free_subnets(POOL, []))
    assert (len(free), str(free[0]), str(free[-1])) == (4096, "10.213.0.0/28", "10.213.255.240/28")


@pytest.mark.parametrize("taken", ["0.0.0.0/0", "10.0.0.0/8", "10.213.0.0/16"])
def test_a_network_around_the_pool_leaves_no_room(taken: str) -> None:
    assert list(free_subnets(POOL, [taken])) == []


def test_subnets_are_found_one_by_one() -> None:
    assert [str(one) for one in islice(free_subnets("10.0.0.0/8", ["10.0.0.0/28"]), 2)] == [
        "10.0.0.16/28",
        "10.0.0.32/28",
    ]
