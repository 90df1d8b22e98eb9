# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the template of a proxy's configuration gets of a definition. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.aspects_network import HOST_NAME, PROXY_PORT

PORTS = (443, 80)
"""Those that a domain is allowed on if it names none."""

PRIVATE_NETWORKS = (
    # IPv4, from IANA's registry of special-purpose addresses (RFC 6890), without those for documentation, where nobody
    # is; and multicast
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/4",
    "240.0.0.0/4",
    # Azure's platform answers its machines at a public address; other clouds' do at link-local and shared ones
    "168.63.129.16/32",
    # IPv6 likewise; what stands for an IPv4 address (NAT64, 6to4, Teredo) leads wherever that does. Not ::ffff:0:0/96:
    # to squid those are IPv4 addresses, so the above holds for them, and that network is all of IPv4.
    "::/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
)
"""Where no allowed name may lead: hosts that are no public ones, the engine's own networks among them."""


def proxy_values(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The variables of the template.

    Returns:
        ``project``, ``port`` (the proxy's own), ``allow`` (``[{"domain", "wildcard", "ports"}]``, sorted, each domain
        once), ``host_ports`` (those of ``host.docker.internal``) and ``private_networks``.
    """
    ports: dict[tuple[str, bool], set[int]] = {}
    for entry in definition["network"].get("allow") or ():
        domain, wildcard, port = split_entry(entry)
        ports.setdefault((domain, wildcard), set()).update(PORTS if port is None else (port,))
    host_ports = ports.pop((HOST_NAME, False), set())
    return {
        "project": definition["name"],
        "port": PROXY_PORT,
        "allow": [
            {"domain": domain, "wildcard": wildcard, "ports": sorted(numbers, reverse=True)}
            for (domain, wildcard), numbers in sorted(ports.items())
        ],
        "host": HOST_NAME,
        "host_ports": sorted(host_ports),
        "private_networks": list(PRIVATE_NETWORKS),
    }


def split_entry(entry: str) -> tuple[str, bool, int | None]:
    """``*.Example.org:22`` → ``("example.org", True, 22)``; the schema has looked at its form."""
    domain, _colon, port = entry.lower().partition(":")
    wildcard = domain.startswith("*.")
    return domain[2:] if wildcard else domain, wildcard, int(port) if port else None
