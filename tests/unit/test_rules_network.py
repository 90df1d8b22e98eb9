# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules of what a project reaches, and what each of them says."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.aspects_network import PROXY_VARIABLES
from ansible_collections.berth.projects.plugins.plugin_utils.rules_network import network_problems, pool_problems

HOST = "host.docker.internal"
PORT = {"host": 8080, "container": 80}


def told(network: dict[str, Any] | None, has_own_proxy: bool = True, **keys: Any) -> list[str]:
    found = network_problems([{"name": "web", "network": network, **keys}], has_own_proxy)
    return [f"{problem.where}: {problem.text}".replace("berth_projects[0].", "", 1) for problem in found]


def restricted(*allow: str, **keys: Any) -> dict[str, Any]:
    return {"egress": "restricted", "allow": list(allow), **keys}


@pytest.mark.parametrize(
    ("network", "keys"),
    [
        (None, {}),
        ({}, {"ports": [PORT], "docker_access": True, "env": {"HTTP_PROXY": "http://proxy.example"}}),
        ({"egress": None, "allow": None, "host_access": None}, {}),
        ({"egress": "open", "host_access": True}, {"docker_access": True}),
        ({"egress": "open", "allow": []}, {}),
        ({"egress": "none"}, {"ports": [], "docker_access": False}),
        (restricted(), {}),
        (restricted("example.com", "*.example.com", "example.com:1", "example.com:65535"), {"ports": [PORT]}),
        (restricted(f"{HOST}:11434", host_access=True), {"env": {"A": "b"}}),
        (restricted(f"{HOST.upper()}:11434", host_access=True), {}),
    ],
)
def test_what_goes_together_is_no_problem(network: dict[str, Any] | None, keys: dict[str, Any]) -> None:
    assert told(network, **keys) == []


@pytest.mark.parametrize(
    ("network", "keys", "text"),
    [
        (
            {"allow": ["example.com"]},
            {},
            "network.allow: is for egress: restricted, and egress is open: set that, or leave allow out",
        ),
        (
            {"egress": "none", "allow": ["example.com"]},
            {},
            "network.allow: is for egress: restricted, and egress is none: set that, or leave allow out",
        ),
        (
            {"egress": "none", "host_access": True},
            {},
            "network.host_access: does not go together with egress: none, which has no network at all: use restricted",
        ),
        (
            {"egress": "none"},
            {"ports": [PORT]},
            "ports: cannot be reached with network.egress: none, which has no network at all: use restricted",
        ),
        (
            {"egress": "none"},
            {"docker_access": True},
            "docker_access: gives the whole host, and so does not go together with network.egress: none",
        ),
        (
            restricted(),
            {"docker_access": True},
            "docker_access: gives the whole host, and so does not go together with network.egress: restricted",
        ),
        (
            restricted(),
            {"ports": [PORT, {**PORT, "protocol": "udp"}]},
            "ports[1].protocol: must be tcp with network.egress: restricted, where a proxy passes it on",
        ),
        (
            restricted("example.com", "example.com:0"),
            {},
            "network.allow[1]: has the port 0, and ports are from 1 to 65535",
        ),
        (restricted("example.com:65536"), {}, "network.allow[0]: has the port 65536, and ports are from 1 to 65535"),
        (
            restricted(f"{HOST}:1"),
            {},
            "network.allow[0]: is the project's host: set host_access: true, or leave it out",
        ),
        (
            restricted(HOST, host_access=True),
            {},
            f"network.allow[0]: lacks the port of the host that is opened, as in {HOST}:11434",
        ),
        (
            restricted("example.com", host_access=True),
            {},
            "network.host_access: opens nothing with egress: restricted before allow names ports of the host, "
            f"as in {HOST}:11434",
        ),
    ],
)
def test_what_does_not_go_together_is_told_with_its_place(
    network: dict[str, Any], keys: dict[str, Any], text: str
) -> None:
    assert told(network, **keys) == [text]


@pytest.mark.parametrize("name", sorted(PROXY_VARIABLES))
def test_the_variables_that_name_the_proxy_are_not_to_be_set(name: str) -> None:
    expected = f"env.{name}: is set by Berth itself with network.egress: restricted"
    assert told(restricted(), env={name: "private"}) == [expected]


def test_another_proxy_passes_no_ports_on() -> None:
    text = "only Berth's own proxy passes ports on with restricted egress, not berth_egress_image"
    assert told(restricted(), has_own_proxy=False, ports=[PORT, {**PORT, "protocol": "udp"}]) == [
        f"ports[0]: {text}",
        f"ports[1]: {text}",
    ]


def test_each_project_of_a_host_is_looked_at() -> None:
    wrong = {"egress": "none", "host_access": True}
    found = network_problems([{"name": "a"}, {"name": "b", "network": wrong}, {"name": "c", "network": wrong}], True)
    assert [problem.path[:2] for problem in found] == [("berth_projects", 1), ("berth_projects", 2)]


@pytest.mark.parametrize("pool", [None, "10.213.0.0/16", "192.168.7.16/28", "100.64.0.0/10"])
def test_a_pool_is_a_network_by_its_first_address(pool: str | None) -> None:
    assert list(pool_problems(pool)) == []


@pytest.mark.parametrize("pool", ["10.213.0.1/16", "10.256.0.0/16", "10.213.0.0/33", "mine"])
def test_what_is_no_pool_is_told(pool: str) -> None:
    (problem,) = pool_problems(pool)
    assert problem.path == ("berth_network_pool",)
    assert problem.text == f"must be a network by its first address, such as 10.213.0.0/16, and is {pool}"


@pytest.mark.parametrize("pool", ["30.0.0.0/16", "100.0.0.0/8", "0.0.0.0/0", "172.0.0.0/8"])
def test_a_pool_of_public_addresses_is_told(pool: str) -> None:
    (problem,) = pool_problems(pool)
    assert problem.path == ("berth_network_pool",) and f"{pool} is among public addresses" in problem.text
