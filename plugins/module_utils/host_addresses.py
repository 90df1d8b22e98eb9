# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host's own addresses, as far as they are public. A proxy must not lead there, as it must not to private ones.

Only those of IPv4: the networks of a proxy have no IPv6.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network

from ansible_collections.berth.projects.plugins.module_utils.terms import PRIVATE_IPV4

_ROUTES = "/proc/net/fib_trie"
_PRIVATE = tuple(IPv4Network(network) for network in PRIVATE_IPV4)
"""What every proxy is kept from anyway. Python's own notion leaves out 100.64.0.0/10, where VPNs and pools are."""


def public_addresses() -> tuple[str, ...]:
    """Those of all interfaces, sorted; none where the kernel does not tell."""
    try:
        with open(_ROUTES, encoding="ascii") as file:
            lines = file.read().splitlines()
    except OSError:
        return ()
    return tuple(sorted({address for address in _own_addresses(lines) if not _is_private(address)}))


def _own_addresses(lines: Iterable[str]) -> Iterator[str]:
    """The trie of routes names an address in one line, and in a later one that it is the host's own."""
    address = ""
    for line in lines:
        words = line.split()
        if words[:1] == ["|--"]:
            address = words[1]
        elif words == ["/32", "host", "LOCAL"]:
            yield address


def _is_private(address: str) -> bool:
    return any(IPv4Address(address) in network for network in _PRIVATE)
