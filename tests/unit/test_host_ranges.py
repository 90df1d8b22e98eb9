# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many host names in few words."""

from __future__ import annotations

import re

import pytest
from ansible_collections.berth.projects.plugins.plugin_utils.host_ranges import host_ranges
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("hosts", "ranges"),
    [
        ([], []),
        (["db"], ["db"]),
        (["db", "cache"], ["cache", "db"]),
        (["web1"], ["web1"]),
        ([f"web{number:03}" for number in range(1, 121)], ["web[001-120]"]),
        ([f"web{number}" for number in range(1, 13)], ["web[1-12]"]),
        (["web10", "web9"], ["web[9-10]"]),
        (["web099", "web100"], ["web[099-100]"]),
        (["web1", "web2", "web4", "db"], ["db", "web[1-2,4]"]),
        (["web1", "web01"], ["web01", "web1"]),
        (["web1.dc2.example", "web2.dc2.example"], ["web[1-2].dc2.example"]),
        (["r1-web1", "r2-web1", "r3-web1"], ["r[1-3]-web1"]),
        (["r1-web1", "r1-web2", "r2-web1", "r2-web2"], ["r[1-2]-web1", "r[1-2]-web2"]),
        (["10.0.0.1", "10.0.0.2", "10.0.0.3"], ["10.0.0.[1-3]"]),
    ],
)
def test_names_that_differ_in_a_number_are_put_together(hosts: list[str], ranges: list[str]) -> None:
    assert host_ranges(hosts) == ranges


NAMES = st.from_regex(r"[a-c]{0,2}[0-9]{0,3}(-[ab][0-9]{1,2})?", fullmatch=True).filter(bool)


@given(st.sets(NAMES, max_size=30))
def test_no_name_is_lost_and_none_is_made_up(hosts: set[str]) -> None:
    assert sorted(name for text in host_ranges(hosts) for name in spelled_out(text)) == sorted(hosts)


@given(st.lists(NAMES, max_size=20))
def test_the_order_of_the_names_does_not_matter(hosts: list[str]) -> None:
    assert host_ranges(hosts) == host_ranges(reversed(hosts))


def spelled_out(text: str) -> list[str]:
    found = re.fullmatch(r"(.*)\[(.+)\](.*)", text)
    if not found:
        return [text]
    before, inner, after = found.groups()
    names = []
    for part in inner.split(","):
        start, _dash, end = part.partition("-")
        names += [f"{before}{number:0{len(start)}}{after}" for number in range(int(start), int(end or start) + 1)]
    return names
