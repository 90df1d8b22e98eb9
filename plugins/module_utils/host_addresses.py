# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host's own addresses, as far as they are public. A proxy must not lead there, as it must not to private ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address

_IPV4 = "/proc/net/fib_trie"
_IPV6 = "/proc/net/if_inet6"


def public_addresses() -> tuple[str, ...]:
    """Those of all interfaces, sorted; none where the kernel does not tell."""
    found = {*_ipv4(_lines(_IPV4)), *_ipv6(_lines(_IPV6))}
    return tuple(sorted(found))


def _ipv4(lines: Iterable[str]) -> Iterator[str]:
    """The trie of routes names an address in one line, and in a later one that it is the host's own."""
    address = ""
    for line in lines:
        words = line.split()
        if words[:1] in (["|--"], ["+--"]):
            address = words[1]
        elif words == ["/32", "host", "LOCAL"] and not _is_private(IPv4Address(address)):
            yield address


def _ipv6(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        address = IPv6Address(int(line.split()[0], 16))
        if not _is_private(address):
            yield str(address)


_DOCUMENTATION = ("192.0.2.", "198.51.100.", "203.0.113.")
"""Nobody's addresses, which Python counts as private, and a proxy does not."""


def _is_private(address: IPv4Address | IPv6Address) -> bool:
    return (address.is_private or address.is_link_local or address.is_loopback) and not str(address).startswith(
        _DOCUMENTATION
    )


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().splitlines()
    except OSError:
        return []
