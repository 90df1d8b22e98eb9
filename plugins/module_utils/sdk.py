# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Docker SDK for Python: only this file imports it, and not before something needs it (it takes 0.1 s)."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.connection import tls_files
from ansible_collections.berth.projects.plugins.module_utils.errors import EngineError, EngineUnavailable


def demand_sdk() -> None:
    """Check that the SDK is there, without importing it.

    Raises:
        EngineUnavailable: It is not.
    """
    if find_spec("docker") is None:
        raise _missing()


def sdk_client(docker_host: str, params: Mapping[str, Any]) -> Any:
    """A ``docker.APIClient`` for the engine.

    Raises:
        EngineUnavailable: The SDK cannot be imported.
        EngineError: The TLS options do not fit.
        Exception: What the SDK raises when the engine does not answer; see ``failure_of``.
    """
    try:
        docker = import_module("docker")
    except ImportError as error:
        raise _missing() from error
    secure = params["tls"] or params["validate_certs"]
    if secure and docker_host.startswith("tcp://"):
        docker_host = "https://" + docker_host[len("tcp://") :]
    try:
        tls = _tls_config(params) if secure else False
    except docker.errors.TLSParameterError as error:
        raise EngineError(f"The TLS options for the engine at {docker_host} do not fit: {error}") from error
    return docker.APIClient(
        base_url=docker_host,
        version=params["api_version"] or "auto",
        timeout=params["timeout"],
        tls=tls,
        use_ssh_client=docker_host.startswith("ssh://"),
        max_pool_size=64,
    )


def failure_of(error: BaseException) -> tuple[str | None, int | None] | None:
    """What an exception says of a call to the engine: its words and the HTTP status, both None if it did not answer.

    None for an exception that has nothing to do with the engine.
    """
    errors = sys.modules.get("docker.errors")
    if errors is not None and isinstance(error, errors.APIError):
        return error.explanation or str(error), error.status_code
    if isinstance(error, OSError) or (errors is not None and isinstance(error, errors.DockerException)):
        return None, None  # requests' own exceptions are OSErrors
    return None


def _tls_config(params: Mapping[str, Any]) -> Any:
    files = tls_files(params)
    pair = (files["cert"], files["key"]) if files["cert"] and files["key"] else None
    config = import_module("docker.tls").TLSConfig
    return config(client_cert=pair, ca_cert=files["ca"], verify=bool(params["validate_certs"]))


def _missing() -> EngineUnavailable:
    return EngineUnavailable(
        f"The Docker SDK for Python cannot be imported by {sys.executable}. Install it for that Python: "
        "the package python3-docker on Debian and Ubuntu, or 'pip install docker'; "
        "or let role berth.projects.engine do it.",
        need="sdk",
    )
