# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Aspect network: what a container is made with, what it really reaches, and what can be changed as it runs."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.aspects import create_body
from ansible_collections.berth.projects.plugins.module_utils.aspects_network import (
    PROXY_VARIABLES,
    actual_network,
    change_network,
    create_network,
    egress_of,
    proxy_of,
    wanted_network,
)
from ansible_collections.berth.projects.plugins.module_utils.definition import Definition
from ansible_collections.berth.projects.plugins.module_utils.steps import Step
from ansible_collections.berth.projects.tests.unit.builders import SITE, container_of, definition

PROXY = "10.213.0.2"


def of(egress: str, host_access: bool = False, proxy: str | None = PROXY, **keys: Any) -> Definition:
    made = definition(network={"egress": egress, "host_access": host_access}, **keys)
    return made.behind(proxy) if egress == "restricted" else made


OPEN, RESTRICTED, NONE = of("open"), of("restricted"), of("none")
EACH = pytest.mark.parametrize(
    "wanted", [OPEN, of("open", True), RESTRICTED, of("restricted", True), NONE], ids=lambda one: str(one.network)
)


def joined(container: dict[str, Any], *names: str) -> dict[str, Any]:
    """The same container on these networks."""
    return {**container, "NetworkSettings": {"Networks": {name: {} for name in names}}}


def old() -> dict[str, Any]:
    """A container that an older Berth made, on the engine's own bridge."""
    container = joined(container_of(OPEN), "bridge")
    container["HostConfig"]["NetworkMode"] = "bridge"
    return container


def step_for(container: dict[str, Any], definition: Definition) -> Step | None:
    wanted = wanted_network(definition, SITE)
    return change_network(actual_network(container, wanted), wanted)


# What is wanted


@pytest.mark.parametrize(
    ("definition", "values"),
    [
        (OPEN, {"egress": "open", "proxy": None, "host": None, "berth-web.open": "connected"}),
        (
            of("open", True),
            {"egress": "open", "proxy": None, "host": "host.docker.internal", "berth-web.open": "connected"},
        ),
        (RESTRICTED, {"egress": "restricted", "proxy": PROXY, "host": None, "berth-web.inner": "connected"}),
        # its proxy reaches the host, not the container
        (
            of("restricted", True),
            {"egress": "restricted", "proxy": PROXY, "host": None, "berth-web.inner": "connected"},
        ),
        (NONE, {"egress": "none", "proxy": None, "host": None}),
    ],
)
def test_what_is_declared_becomes_values(definition: Definition, values: dict[str, Any]) -> None:
    assert wanted_network(definition, SITE) == values


def test_what_is_allowed_is_no_matter_of_the_container() -> None:
    other = definition(network={"egress": "restricted", "allow": ["example.com"]}).behind(PROXY)
    assert wanted_network(other, SITE) == wanted_network(RESTRICTED, SITE)
    assert create_body(other, SITE) == create_body(RESTRICTED, SITE)


# What a container is made with


def test_a_container_with_open_egress_is_on_a_bridge_of_its_own() -> None:
    assert create_network(OPEN, SITE) == {"HostConfig": {"NetworkMode": "berth-web.open", "ExtraHosts": []}}


def test_host_access_names_the_host() -> None:
    hosts = create_network(of("open", True), SITE)["HostConfig"]["ExtraHosts"]
    assert hosts == ["host.docker.internal:host-gateway"]


def test_a_container_without_egress_has_no_network() -> None:
    assert create_network(NONE, SITE) == {"HostConfig": {"NetworkMode": "none"}}


def test_a_container_with_restricted_egress_knows_its_proxy_and_no_resolver() -> None:
    body = create_network(RESTRICTED, SITE)
    assert body["HostConfig"] == {
        "NetworkMode": "berth-web.inner",
        "ExtraHosts": [f"berth-proxy:{PROXY}"],
        "Dns": ["127.0.0.1"],
        "DnsOptions": ["timeout:1", "attempts:1"],
    }
    assert body["Env"] == {**PROXY_VARIABLES, "BERTH_PROXY": "berth-proxy:3128"}


@pytest.mark.parametrize("name", ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"])
def test_proxy_variables_are_set_in_both_cases(name: str) -> None:
    assert PROXY_VARIABLES[name] == PROXY_VARIABLES[name.lower()]
    assert ("berth-proxy:3128" in PROXY_VARIABLES[name]) is (name != "NO_PROXY")


def test_a_container_with_restricted_egress_has_no_ports_of_the_host() -> None:
    ports = [{"host": 8080, "container": 80}]
    assert create_body(of("restricted", ports=ports), SITE)["HostConfig"]["PortBindings"] == {}
    assert create_body(of("open", ports=ports), SITE)["HostConfig"]["PortBindings"] != {}


def test_a_container_is_not_made_before_its_proxy_has_an_address() -> None:
    with pytest.raises(ValueError, match="address is not settled"):
        create_network(of("restricted", proxy=None), SITE)


# What a container reaches


@EACH
def test_a_container_reaches_what_it_was_made_to_reach(wanted: Definition) -> None:
    values = wanted_network(wanted, SITE)
    assert actual_network(container_of(wanted), values) == values
    assert (egress_of(container_of(wanted)), proxy_of(container_of(wanted))) == (
        wanted.network.egress,
        wanted.network.proxy,
    )


@pytest.mark.parametrize("before", [OPEN, of("open", True), RESTRICTED, NONE], ids=lambda one: str(one.network))
@pytest.mark.parametrize("after", [OPEN, of("open", True), RESTRICTED, NONE], ids=lambda one: str(one.network))
def test_another_egress_and_host_access_take_a_new_container(before: Definition, after: Definition) -> None:
    wanted = wanted_network(after, SITE)
    found = actual_network(container_of(before), wanted)
    assert (found == wanted) is (before == after)
    assert before == after or change_network(found, wanted) is None


def test_another_address_of_the_proxy_takes_a_new_container() -> None:
    assert step_for(container_of(RESTRICTED), of("restricted", proxy="10.213.0.18")) is None


def test_a_proxy_whose_address_is_yet_to_be_settled_is_no_difference() -> None:
    wanted = wanted_network(of("restricted", proxy=None), SITE)
    assert actual_network(container_of(RESTRICTED), wanted) == wanted


def test_a_network_that_was_left_by_hand_is_joined_again() -> None:
    step = step_for(joined(container_of(OPEN)), OPEN)
    assert step == Step("connect", "join berth-web.open", {"leave": [], "join": ["berth-web.open"]})
    step = step_for(joined(container_of(RESTRICTED)), RESTRICTED)
    assert step == Step("connect", "join berth-web.inner", {"leave": [], "join": ["berth-web.inner"]})


def test_networks_that_were_joined_by_hand_are_left_alone_where_egress_is_open() -> None:
    wanted = wanted_network(OPEN, SITE)
    assert actual_network(joined(container_of(OPEN), "berth-web.open", "mine"), wanted) == wanted


def test_networks_that_were_joined_by_hand_are_left_where_egress_is_restricted() -> None:
    step = step_for(joined(container_of(RESTRICTED), "berth-web.inner", "mine", "berth-web.open"), RESTRICTED)
    assert step == Step(
        "connect", "leave berth-web.open, leave mine", {"leave": ["berth-web.open", "mine"], "join": []}
    )


@pytest.mark.parametrize(("definition", "own"), [(OPEN, "berth-web.open"), (RESTRICTED, "berth-web.inner")])
def test_the_engines_own_bridge_is_left_by_everybody(definition: Definition, own: str) -> None:
    step = step_for(joined(container_of(definition), own, "bridge"), definition)
    assert step == Step("connect", "leave bridge", {"leave": ["bridge"], "join": []})


def test_the_network_of_one_that_has_none_is_no_way_out() -> None:
    wanted = wanted_network(NONE, SITE)
    assert actual_network(joined(container_of(NONE), "none"), wanted) == wanted


def test_networks_that_were_joined_by_hand_are_left_where_there_is_to_be_none() -> None:
    step = step_for(joined(container_of(NONE), "bridge", "mine"), NONE)
    assert step == Step("connect", "leave bridge, leave mine", {"leave": ["bridge", "mine"], "join": []})
    wanted = wanted_network(NONE, SITE)
    assert actual_network(joined(container_of(NONE)), wanted) == wanted


@pytest.mark.parametrize("mode", ["bridge", "default", ""])
def test_a_container_of_an_older_berth_moves_to_its_own_network_as_it_runs(mode: str) -> None:
    container = old()
    container["HostConfig"]["NetworkMode"] = mode
    step = step_for(container, OPEN)
    assert step == Step(
        "connect", "leave bridge, join berth-web.open", {"leave": ["bridge"], "join": ["berth-web.open"]}
    )


def test_a_container_of_an_older_berth_is_replaced_for_anything_narrower() -> None:
    assert step_for(old(), RESTRICTED) is None
    assert step_for(old(), NONE) is None


def test_an_engine_that_lists_no_networks_of_a_container_says_that_it_is_on_none() -> None:
    container = {**container_of(OPEN), "NetworkSettings": {"Networks": None}}
    assert actual_network(container, wanted_network(OPEN, SITE))["berth-web.open"] is None


def test_other_names_in_the_hosts_file_are_no_proxy_and_no_host() -> None:
    container = container_of(OPEN)
    container["HostConfig"]["ExtraHosts"] = ["berth-proxy.example:1.2.3.4", "my-host.docker.internal:1.2.3.4"]
    assert (proxy_of(container), egress_of(container)) == (None, "open")
    assert actual_network(container, wanted_network(OPEN, SITE))["host"] is None
