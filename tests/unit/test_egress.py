# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the template of a proxy's configuration gets, and what it makes of it."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.terms import PRIVATE_NETWORKS
from ansible_collections.berth.projects.plugins.plugin_utils.egress import proxy_values, split_entry
from ansible_collections.berth.projects.plugins.plugin_utils.proxies import OWN_TEMPLATE
from ansible_collections.berth.projects.plugins.plugin_utils.templates import rendered
from hypothesis import given
from hypothesis import strategies as st

HOST = "host.docker.internal"
NETWORKS = [ip_network(text) for text in PRIVATE_NETWORKS]
LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,6}[a-z0-9])?", fullmatch=True)
DOMAIN = st.lists(LABEL, min_size=2, max_size=4).map(".".join)
PORT = st.one_of(st.none(), st.integers(1, 65535))
ENTRY = st.builds(
    lambda domain, is_wildcard, port: f"{'*.' if is_wildcard else ''}{domain}{f':{port}' if port else ''}",
    DOMAIN,
    st.booleans(),
    PORT,
)


def values(*allow: str) -> dict[str, Any]:
    return proxy_values({"name": "p", "network": {"egress": "restricted", "allow": list(allow)}})


def config(*allow: str) -> list[str]:
    return rendered(str(OWN_TEMPLATE), values(*allow)).splitlines()


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("example.com", ("example.com", False, None)),
        ("Example.COM:22", ("example.com", False, 22)),
        ("*.example.org", ("example.org", True, None)),
        ("*.a.example.org:8443", ("a.example.org", True, 8443)),
    ],
)
def test_an_entry_is_taken_apart(entry: str, expected: tuple[str, bool, int | None]) -> None:
    assert split_entry(entry) == expected


def test_a_domain_that_names_no_port_has_those_of_the_web() -> None:
    assert values("b.example", "a.example:22")["allow"] == [
        {"domain": "a.example", "wildcard": False, "ports": [22]},
        {"domain": "b.example", "wildcard": False, "ports": [443, 80]},
    ]


def test_ports_of_a_domain_come_together_and_a_wildcard_is_another_entry() -> None:
    assert values("a.example:22", "A.example", "*.a.example:22", "a.example:22")["allow"] == [
        {"domain": "a.example", "wildcard": False, "ports": [443, 80, 22]},
        {"domain": "a.example", "wildcard": True, "ports": [22]},
    ]


def test_the_host_is_none_of_the_domains() -> None:
    found = values("a.example", f"{HOST}:11434", f"{HOST}:80")
    assert (found["host"], found["host_ports"]) == (HOST, [80, 11434])
    assert [entry["domain"] for entry in found["allow"]] == ["a.example"]


@given(st.lists(ENTRY, max_size=6), st.randoms())
def test_the_order_of_entries_does_not_matter(entries: list[str], random: Any) -> None:
    shuffled = random.sample(entries, len(entries))
    assert values(*entries) == values(*shuffled)


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "169.254.169.254", "172.31.255.255"),
        *("192.0.0.192", "192.168.1.1", "198.18.0.1", "224.0.0.1", "239.255.255.255", "255.255.255.255"),
        "168.63.129.16",
        *("::", "::1", "::7f00:1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "2002:7f00:1::", "2001::1"),
        *("64:ff9b::a00:1", "64:ff9b:1::a00:1", "100::1", "5f00::1", "3fff::1"),
    ],
)
def test_what_is_no_public_host_is_private(address: str) -> None:
    assert any(ip_address(address) in network for network in NETWORKS)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "8.8.8.8", "140.82.121.4", "172.32.0.1", "2606:4700::1111", "2a00:1450::"]
)
def test_what_is_a_public_host_is_not(address: str) -> None:
    assert not any(ip_address(address) in network for network in NETWORKS)


@given(st.ip_addresses(v=4))
def test_what_python_calls_private_is_private(address: Any) -> None:
    """But for the networks of RFC 5737, where nobody is."""
    documentation = [ip_network(text) for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")]
    if address.is_private and not any(address in network for network in documentation):
        assert any(address in network for network in NETWORKS)


def test_no_network_is_written_so_that_squid_takes_it_for_all_of_ipv4() -> None:
    mapped = ip_network("::ffff:0:0/96")
    assert not [one for one in NETWORKS if one.version == 6 and one.overlaps(mapped)]


@given(st.lists(ENTRY, max_size=6))
def test_what_is_not_permitted_is_denied_before_any_rule_that_resolves(entries: list[str]) -> None:
    rules = [line.split() for line in config(*entries) if line.startswith("http_access ")]
    kinds = {match[1]: match[2] for line in config(*entries) if (match := re.match(r"acl (\S+) (\S+)", line))}
    resolving = [rule for rule in rules if any(kinds.get(name.lstrip("!")) == "dst" for name in rule[2:])]
    assert rules[-1] == ["http_access", "deny", "all", "marked"]
    for rule in resolving:
        assert ["http_access", "deny", "!permitted", "marked"] in rules[: rules.index(rule)]


@given(st.lists(ENTRY, max_size=6))
def test_no_name_is_looked_up_for_a_comparison(entries: list[str]) -> None:
    named = [line for line in config(*entries) if re.match(r"acl \S+ (dstdomain|dstdom_regex) ", line)]
    assert all(line.split()[3] == "-n" for line in named)


@given(DOMAIN, DOMAIN)
def test_the_expression_of_a_wildcard_is_of_names_below_alone(domain: str, other: str) -> None:
    (line,) = (line for line in config(f"*.{domain}") if re.match(r"acl name\d+ dstdom_regex", line))
    expression = re.compile(line.rpartition(" ")[2], re.IGNORECASE)
    assert expression.search(f"sub.{domain}")
    assert expression.search(f"a.b.{domain}")
    assert not expression.search(domain)
    assert not expression.search(f"x{domain}") or domain.startswith(f"x{domain}")
    assert not expression.search(f"sub.{domain}.{other}") or f"sub.{domain}.{other}".endswith(f".{domain}")
