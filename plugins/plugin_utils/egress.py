# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the template of a proxy's configuration gets of a definition. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.aspects_network import HOST_NAME, PROXY_PORT
from ansible_collections.berth.projects.plugins.module_utils.terms import PRIVATE_NETWORKS

PORTS = (443, 80)
"""Those that a domain is allowed on if it names none."""


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
