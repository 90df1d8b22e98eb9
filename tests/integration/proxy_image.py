# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The real image of the egress proxy, as role egress makes it."""

from __future__ import annotations

from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.image_build import ensure_image
from ansible_collections.berth.projects.plugins.plugin_utils.recipe import proxy_recipe_from_vars
from base_image import ENGINE


def proxy_image() -> str:
    """Its reference; builds it where it is missing, on the base that the base image has."""
    made: dict[str, Any] = ensure_image(Engine.connect(ENGINE), proxy_recipe_from_vars({}), step="all")
    return str(made["image"])
