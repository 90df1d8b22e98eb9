# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an inventory tells of a project container: its host name, variables and groups. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.connection import tls_files
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.names import MANAGED, PROJECT, SCOPE, container_name
from ansible_collections.berth.projects.plugins.module_utils.world import health_listed, own_name
from ansible_collections.berth.projects.plugins.plugin_utils.inventory_engines import NamedEngine

PREFIX = "berth_container_"
"""Of the variables. ``berth_image``, ``berth_scope`` and their like are what users set for playbooks."""

ROOT_GROUP = "berth"
GROUPED_BY = ("state", "health", "engine", "scope")

STATES = ("created", "running", "paused", "restarting", "removing", "exited", "dead")
USER = "agent"
PYTHON = "/usr/bin/python3"


def project_containers(answer: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The containers of projects, by name, from what ``GET /containers/json`` lists.

    Only those under their project's name: what waits aside, and what only serves a project, is nothing to work in.

    Returns:
        Plain data that can be cached: ``{project, scope, name, id, image, state, health, ports, labels}``, where
        ``ports`` are the published ones, as a definition has them.
    """
    listed = [_project_container(entry) for entry in answer if is_project_container(entry)]
    return sorted(listed, key=lambda container: str(container["name"]))


def is_project_container(entry: Mapping[str, Any]) -> bool:
    """Whether a listed container has both the labels and the name of a project's."""
    labels = entry.get("Labels") or {}
    project = labels.get(PROJECT)
    return bool(
        labels.get(MANAGED) == "true"
        and labels.get(SCOPE)
        and project
        and own_name(entry.get("Names") or []) == container_name(project)
    )


def _project_container(entry: Mapping[str, Any]) -> dict[str, Any]:
    labels = entry["Labels"]
    return {
        "project": labels[PROJECT],
        "scope": labels[SCOPE],
        "name": own_name(entry["Names"]),
        "id": entry["Id"],
        "image": entry["Image"],
        "state": entry["State"],
        "health": health_listed(entry) or "none",
        "ports": _published(entry.get("Ports") or []),
        "labels": dict(labels),
    }


def _published(ports: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    found = [
        {
            "host_ip": port.get("IP", ""),
            "host": port["PublicPort"],
            "container": port["PrivatePort"],
            "protocol": port["Type"],
        }
        for port in ports
        if port.get("PublicPort")
    ]
    return sorted(found, key=lambda port: (port["container"], port["protocol"], port["host_ip"], port["host"]))


def default_hostname(container: Mapping[str, Any], engine: NamedEngine) -> str:
    """``<project>@<engine>``: a project's name is unique on its engine, and another engine changes nothing in it."""
    return f"{container['project']}@{engine.name}"


def container_variables(container: Mapping[str, Any], engine: NamedEngine) -> dict[str, Any]:
    """The variables that tell of a container, such as ``berth_container_project``."""
    told = {PREFIX + key: value for key, value in container.items()}
    return {**told, f"{PREFIX}engine": engine.name, f"{PREFIX}docker_host": engine.docker_host}


def group_names(container: Mapping[str, Any], engine: NamedEngine) -> list[str]:
    """The groups of a container, before characters that a group may not have are replaced: ``berth_state_running``."""
    told = {**container, "engine": engine.name}
    return [f"{ROOT_GROUP}_{kind}_{told[kind]}" for kind in GROUPED_BY]


def connection_variables(container: Mapping[str, Any], engine: NamedEngine, connection: str) -> dict[str, Any]:
    """The variables by which Ansible gets into a container, as its user.

    Args:
        connection: ``docker_api``, ``docker``, ``none``, or ``auto``: the first for a local engine, and the second for
            others.
    """
    if connection == "none":
        return {}
    if connection == "auto":
        # Elsewhere docker_api loses what commands print (docs/engine-notes.md), takes no input to one by TLS, which
        # pipelining has, and knows no ssh program.
        connection = "docker_api" if engine.is_local else "docker"
    return {
        "ansible_connection": f"community.docker.{connection}",
        # The name and not the id: it stays through a replace, so an inventory that was cached goes on working.
        "ansible_host": container["name"],
        "ansible_user": USER,
        "ansible_python_interpreter": PYTHON,
        **(_api_variables(engine) if connection == "docker_api" else _cli_variables(engine)),
    }


def _api_variables(engine: NamedEngine) -> dict[str, Any]:
    params = engine.params
    version = params["api_version"]
    variables: dict[str, Any] = {"ansible_docker_docker_host": engine.docker_host}
    if version and version != "auto":
        variables["ansible_docker_api_version"] = version
    if engine.has_tls:
        files = tls_files(params)
        variables.update(
            ansible_docker_tls=True,
            ansible_docker_validate_certs=engine.checks_certificate,
            ansible_docker_ca_path=files["ca"],
            ansible_docker_client_cert=files["cert"],
            ansible_docker_client_key=files["key"],
        )
    return {name: value for name, value in variables.items() if value is not None}


def _cli_variables(engine: NamedEngine) -> dict[str, Any]:
    arguments = ["-H", re.sub(r"^https?://", "tcp://", engine.docker_host)]  # the program knows no http
    if engine.has_tls:
        files = tls_files(engine.params)
        arguments.append("--tlsverify" if engine.checks_certificate else "--tls")
        arguments += [f"--tls{role}={path}" for role, path in _cli_files(files) if path]
    if any(set(argument) & set(" \t\n") for argument in arguments):
        raise BerthError(
            f"Engine {engine.name}: community.docker.docker cannot be given {shlex.join(arguments)}, because it cuts "
            "arguments at spaces. Put the certificates where the path has none, or set connection to docker_api."
        )
    return {"ansible_docker_extra_args": " ".join(arguments)}


def _cli_files(files: Mapping[str, str | None]) -> list[tuple[str, str | None]]:
    return [("cacert", files["ca"]), ("cert", files["cert"]), ("key", files["key"])]
