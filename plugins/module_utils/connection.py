# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a module is told which engine to talk to: the same options and variables as in other Docker modules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import env_fallback

DEFAULT_DOCKER_HOST = "unix:///var/run/docker.sock"

CONNECTION_ARGS: dict[str, dict[str, Any]] = {
    "docker_host": {
        "type": "str",
        "default": DEFAULT_DOCKER_HOST,
        "fallback": (env_fallback, ["DOCKER_HOST"]),
        "aliases": ["docker_url"],
    },
    "api_version": {
        "type": "str",
        "default": "auto",
        "fallback": (env_fallback, ["DOCKER_API_VERSION"]),
        "aliases": ["docker_api_version"],
    },
    "timeout": {"type": "int", "default": 60, "fallback": (env_fallback, ["DOCKER_TIMEOUT"])},
    "tls": {"type": "bool", "default": False, "fallback": (env_fallback, ["DOCKER_TLS"])},
    "validate_certs": {
        "type": "bool",
        "default": False,
        "fallback": (env_fallback, ["DOCKER_TLS_VERIFY"]),
        "aliases": ["tls_verify"],
    },
    "ca_path": {"type": "path", "aliases": ["ca_cert", "tls_ca_cert", "cacert_path"]},
    "client_cert": {"type": "path", "aliases": ["tls_client_cert", "cert_path"]},
    "client_key": {"type": "path", "aliases": ["tls_client_key", "key_path"], "no_log": False},
    "cert_folder": {"type": "path", "fallback": (env_fallback, ["DOCKER_CERT_PATH"])},
}


def tls_files(params: Mapping[str, Any]) -> dict[str, str | None]:
    """The certificate files to use: each option, else the file of that role in ``cert_folder``.

    Returns:
        ``{"ca": path or None, "cert": path or None, "key": path or None}``
    """
    folder = params.get("cert_folder")

    def pick(option: str, filename: str) -> str | None:
        return params.get(option) or (f"{folder}/{filename}" if folder else None)

    return {
        "ca": pick("ca_path", "ca.pem"),
        "cert": pick("client_cert", "cert.pem"),
        "key": pick("client_key", "key.pem"),
    }
