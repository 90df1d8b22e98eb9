# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The public addresses of a host, of what its kernel tells."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils import host_addresses
from ansible_collections.berth.projects.plugins.module_utils.host_addresses import public_addresses
from ansible_collections.berth.projects.plugins.module_utils.terms import PRIVATE_NETWORKS
from hypothesis import given
from hypothesis import strategies as st

TRIE = """\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.213.0.0/28 2 0 2
        |-- 10.213.0.1
           /32 host LOCAL
     +-- 198.51.100.0/24 2 0 2
        |-- 198.51.100.0
           /24 link UNICAST
        |-- 198.51.100.7
           /32 host LOCAL
        |-- 198.51.100.255
           /32 link BROADCAST
Local:
     |-- 127.0.0.1
        /32 host LOCAL
     |-- 8.8.4.4
        /32 host LOCAL
     |-- 100.64.0.1
        /32 host LOCAL
     |-- 100.127.255.254
        /32 host LOCAL
     |-- 100.128.0.1
        /32 host LOCAL
     |-- 169.254.1.1
        /32 host LOCAL
"""


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(host_addresses, "_ROUTES", str(tmp_path / "trie"))
    return tmp_path


def test_only_the_hosts_own_and_public_ones_count(kernel: Path) -> None:
    (kernel / "trie").write_text(TRIE)
    assert public_addresses() == ("100.128.0.1", "198.51.100.7", "8.8.4.4")


@given(st.ip_addresses(v=4))
def test_an_address_is_public_or_one_that_every_proxy_is_kept_from(address: Any) -> None:
    kept_from = any(address in ip_network(network) for network in PRIVATE_NETWORKS)
    assert host_addresses._is_private(str(address)) is kept_from


def test_a_kernel_that_tells_nothing_is_no_error(kernel: Path) -> None:
    assert public_addresses() == ()
