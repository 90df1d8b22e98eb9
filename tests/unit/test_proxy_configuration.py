# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a definition to the configuration of its proxy."""

from __future__ import annotations

import base64
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.terms import PRIVATE_NETWORKS
from ansible_collections.berth.projects.plugins.plugin_utils.egress import proxy_values, split_entry
from ansible_collections.berth.projects.plugins.plugin_utils.proxies import render_proxies
from hypothesis import given
from hypothesis import strategies as st


def restricted(*allow: str, **keys: Any) -> dict[str, Any]:
    return {"name": "web", "network": {"egress": "restricted", "allow": list(allow), **keys}}


@pytest.mark.parametrize(
    ("entry", "parts"),
    [
        ("example.com", ("example.com", False, None)),
        ("*.Example.ORG", ("example.org", True, None)),
        ("github.com:22", ("github.com", False, 22)),
        ("*.x.example:8443", ("x.example", True, 8443)),
    ],
)
def test_an_entry_is_a_domain_perhaps_all_below_it_and_perhaps_a_port(entry: str, parts: Any) -> None:
    assert split_entry(entry) == parts


def test_a_domain_is_allowed_on_the_ports_that_are_named_and_else_on_the_usual_two() -> None:
    values = proxy_values(restricted("b.example:22", "a.example", "b.example", "*.b.example"))
    assert values["allow"] == [
        {"domain": "a.example", "wildcard": False, "ports": [443, 80]},
        {"domain": "b.example", "wildcard": False, "ports": [443, 80, 22]},
        {"domain": "b.example", "wildcard": True, "ports": [443, 80]},
    ]


def test_the_host_is_no_domain_among_others() -> None:
    values = proxy_values(restricted("host.docker.internal:5432", "host.docker.internal:11434", host_access=True))
    assert (values["allow"], values["host_ports"]) == ([], [5432, 11434])


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "172.16.5.4",
        "192.168.1.1",
        "127.0.0.1",
        "169.254.169.254",
        "100.100.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "fe80::1",
        "fd00::1",
        "64:ff9b::a00:1",
        "2002:a00:1::1",
        "ff02::1",
    ],
)
def test_no_allowed_name_may_lead_to_a_private_address(address: str) -> None:
    here = ip_address(address)
    networks = [ip_network(one) for one in PRIVATE_NETWORKS]
    assert any(here in one for one in networks if one.version == here.version)


@pytest.mark.parametrize("address", ["8.8.8.8", "172.15.0.1", "172.32.0.1", "100.128.0.1", "2606:4700::1", "2a00::1"])
def test_public_addresses_are_none_of_these(address: str) -> None:
    here = ip_address(address)
    networks = [ip_network(one) for one in PRIVATE_NETWORKS]
    assert not any(here in one for one in networks if one.version == here.version)


def configuration(definition: dict[str, Any], **options: Any) -> str:
    made = render_proxies([definition], options, str, "h")
    return base64.b64decode(made.contents[made.entries["web"]["config"]]).decode()


def test_what_no_rule_names_is_refused_before_anything_is_resolved() -> None:
    lines = [line for line in configuration(restricted("a.example")).splitlines() if line.startswith("http_access")]
    assert lines == [
        "http_access deny manager marked",
        "http_access deny !spoken marked",
        "http_access deny !permitted marked",
        "http_access deny private marked",
        "http_access allow permitted",
        "http_access deny all marked",
    ]


def test_where_nothing_is_allowed_all_is_refused() -> None:
    text = configuration(restricted())
    assert "http_access allow" not in text and "http_access deny all marked" in text.splitlines()


def test_a_wildcard_means_what_is_below_and_its_dots_are_dots() -> None:
    assert r"dstdom_regex -n -i [^.]\.a\.example$" in configuration(restricted("*.a.example"))


@given(st.permutations(["a.example", "b.example:22", "*.c.example", "host.docker.internal:1"]))
def test_the_order_of_the_list_is_no_difference(allow: list[str]) -> None:
    first = configuration(restricted(*sorted(allow), host_access=True))
    assert configuration(restricted(*allow, host_access=True)) == first


def test_another_image_is_run_as_its_user_says(tmp_path: Path) -> None:
    template = tmp_path / "mine.j2"
    template.write_text("{% for one in allow %}{{ one.domain }}\n{% endfor %}")
    options = {"egress_image": "pipelock:2", "egress_template": str(template), "egress_command": ["run"]}
    made = render_proxies([restricted("a.example")], options, str, "h")
    assert made.entries["web"]["says_ready"] is False
    assert (made.entries["web"]["image"], made.entries["web"]["command"], made.entries["web"]["reload"]) == (
        "pipelock:2",
        ["run"],
        [],
    )
    assert configuration(restricted("a.example"), **options) == "a.example\n"


def test_a_template_that_is_missing_or_wrong_is_told_with_the_project(tmp_path: Path) -> None:
    with pytest.raises(BerthError, match="berth_egress_template: there is no file"):
        configuration(restricted(), egress_template=str(tmp_path / "none"))
    (tmp_path / "wrong.j2").write_text("{{ nothing.of.this }}")
    with pytest.raises(BerthError, match=r"host h, project web: template .*wrong\.j2, line 1"):
        configuration(restricted(), egress_template=str(tmp_path / "wrong.j2"))
