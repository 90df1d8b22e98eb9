# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Words that both halves speak. They stand alone, so that the control node needs not load the planner to know them."""

from __future__ import annotations

from collections.abc import Mapping

FROM_DEFINITION = ("provision", "state")
"""The operations that usually find all as it should be, and so are planned first and carried out only then."""

ERASING = ("reset", "destroy")
"""The operations that take something away, and so need a confirmation."""

OPERATIONS = (*FROM_DEFINITION, "upgrade", "restore", *ERASING)

IMAGE = "image"
"""The aspect whose changes may wait for an upgrade."""

APPLYING = "playbook upgrade, or berth_apply_image_changes=true, does it"
"""What a warning about such a change says."""

OWN_VARIABLES: Mapping[str, str] = {
    "PROJECT_NAME": "it is the project's name",
    "PROJECT_PATH": "it follows from workspaces",
    "COLORTERM": "it is always truecolor",
    "TZ": "use timezone",
    "HOME": "it is always /home/agent",
    "USER": "it is always agent",
    "LOGNAME": "it is always agent",
    "HOSTNAME": "it is the project's name",
}
"""Environment keys that Berth itself sets, and which setting to use instead."""

POOL = "10.213.0.0/16"
"""Where subnets are taken from if nobody says otherwise. The engine's own pools have room for some thirty networks."""

PRIVATE_IPV4 = (
    # From IANA's registry of special-purpose addresses (RFC 6890), without those for documentation, where nobody is;
    # and multicast
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
)
PRIVATE_NETWORKS = (
    *PRIVATE_IPV4,
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
