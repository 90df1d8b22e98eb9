# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host's own addresses, as far as they are public. A proxy must not lead there, as it must not to private ones.

Only those of IPv4: the networks of a proxy have no IPv6.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address

_ROUTES = "/proc/net/fib_trie"
_DOCUMENTATION = ("192.0.2.", "198.51.100.", "203.0.113.")
"""Nobody's addresses, which Python counts as private, and a proxy does not."""


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
    return IPv4Address(address).is_private and not address.startswith(_DOCUMENTATION)
