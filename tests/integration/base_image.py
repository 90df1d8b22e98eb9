# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The real base image as the role makes it, and containers of it."""

from __future__ import annotations

from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.image_build import ensure_image
from ansible_collections.berth.projects.plugins.plugin_utils.recipe import recipe_from_vars

ENGINE = {
    "docker_host": "unix:///var/run/docker.sock",
    "api_version": "auto",
    "timeout": 60,
    "tls": False,
    "validate_certs": False,
    "ca_path": None,
    "client_cert": None,
    "client_key": None,
    "cert_folder": None,
}


def base_image() -> str:
    """Its reference; builds it where it is missing, some minutes."""
    made: dict[str, Any] = ensure_image(Engine.connect(ENGINE), recipe_from_vars({}), step="all")
    return str(made["image"])
