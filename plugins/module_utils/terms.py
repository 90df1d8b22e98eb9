# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Words that both halves speak. They stand alone, so that the control node needs not load the planner to know them."""

from __future__ import annotations

from collections.abc import Mapping

FROM_DEFINITION = ("provision", "state")
"""The operations that usually find all as it should be, and so are planned first and carried out only then."""

OPERATIONS = (*FROM_DEFINITION, "upgrade", "restore", "reset", "destroy")

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
