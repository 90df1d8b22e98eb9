# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proxy of a project with restricted egress: the container beside the project's, as it should be. Pure.

It is remade whenever it is not so, because nothing lives in it. What it allows is in a file on the host, so a change of
that remakes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.aspect import Site
from ansible_collections.berth.projects.plugins.module_utils.aspects_mounted import port_bindings
from ansible_collections.berth.projects.plugins.module_utils.aspects_network import HOST_ENTRY
from ansible_collections.berth.projects.plugins.module_utils.definition import Definition
from ansible_collections.berth.projects.plugins.module_utils.fingerprint import canonical, fingerprint
from ansible_collections.berth.projects.plugins.module_utils.names import (
    FINGERPRINT,
    container_name,
    egress_network,
    inner_network,
    ownership_labels,
)
from ansible_collections.berth.projects.plugins.module_utils.networks import Networks
from ansible_collections.berth.projects.plugins.module_utils.proxy_files import Applied, config_folder
from ansible_collections.berth.projects.plugins.module_utils.world import Listed

CONFIG_FOLDER = "/etc/berth-proxy"
_LABEL = f"{FINGERPRINT}proxy"
_LOG = {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "3"}}
_MOST_PROCESSES = 512


def sidecar_body(definition: Definition, site: Site, image_id: str) -> dict[str, Any]:
    """The body of ``POST /containers/create`` for a project's proxy. Its second network is joined before the start.

    Args:
        definition: With ``proxy``, and with the proxy's address.
        site: Where.
        image_id: Of the proxy's image: another image makes another proxy.
    """
    settings, network = definition.proxy, definition.network
    if settings is None or not network.proxy:
        raise ValueError("there is no proxy to make")
    ports = sorted({port.container for port in definition.ports})
    env = {
        "BERTH_PROXY_ADDRESS": network.proxy,
        "BERTH_HOST_ADDRESSES": " ".join(site.addresses),
        "BERTH_FORWARD": " ".join(str(port) for port in ports),
        "BERTH_FORWARD_TO": container_name(definition.name),
    }
    body: dict[str, Any] = {
        "Image": image_id,
        "Hostname": f"{definition.name}-proxy"[:63],
        "Env": [f"{key}={value}" for key, value in env.items()],
        "ExposedPorts": {f"{port}/tcp": {} for port in ports},
        "HostConfig": {
            "NetworkMode": egress_network(definition.name),
            "PortBindings": port_bindings(definition.ports),
            "Mounts": [
                {
                    "Type": "bind",
                    "Source": config_folder(site, definition.name),
                    "Target": CONFIG_FOLDER,
                    "ReadOnly": True,
                }
            ],
            # It reads what an agent sends it, so it gets nothing that a proxy does not need.
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges:true"],
            "ReadonlyRootfs": True,
            "Tmpfs": {"/run": "mode=1777", "/tmp": "mode=1777"},
            "PidsLimit": _MOST_PROCESSES,
            # It stands on two networks, and must not be a way from one to the other but by what it allows.
            "Sysctls": {"net.ipv4.ip_forward": "0"},
            "ExtraHosts": [HOST_ENTRY] if network.host_access else [],
            "Init": True,
            "Runtime": "runc",
            "RestartPolicy": {"Name": "unless-stopped"},
            "LogConfig": _LOG,
        },
    }
    if settings.command:
        body["Cmd"] = list(settings.command)
    # The engine refuses a body with keys of None, and the label is over the very body that is sent.
    made_from = fingerprint({"body": canonical(body).decode()})
    body["Labels"] = {**ownership_labels(definition.name, site.scope), _LABEL: made_from}
    return body


def is_ailing(found: Listed, applied: Applied) -> bool:
    """Whether a proxy does not work, or was not seen to, so that it has to be started afresh."""
    return found.status != "running" or found.health == "unhealthy" or not applied.config


def sidecar_misfit(found: Listed, body: Mapping[str, Any], networks: Networks, project: str) -> str | None:
    """Why a proxy has to be made anew, in a word or two; None where it is as it should be.

    Args:
        found: As the engine lists it.
        body: As ``sidecar_body`` gives it.
        networks: Those that the engine has.
        project: Whose it is.
    """
    if found.labels.get(_LABEL) != body["Labels"][_LABEL]:
        return "another definition"
    for name in (inner_network(project), egress_network(project)):
        known = networks.named(name)
        joined = found.networks.get(name)
        if known is None or joined is None or joined not in ("", known.id):
            return f"not on {name}"
    return None
