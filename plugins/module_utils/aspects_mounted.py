# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Aspects of what a container is made of and opens to: image, mounts, ports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.aspect import Body, Container, Site
from ansible_collections.berth.projects.plugins.module_utils.definition import (
    AGENT_FOLDER,
    DOCKER_SOCKET,
    HOME,
    HOST_STATE,
    Definition,
    Packages,
    Port,
    normal_reference,
)
from ansible_collections.berth.projects.plugins.module_utils.fingerprint import Values
from ansible_collections.berth.projects.plugins.module_utils.names import (
    PROJECT,
    SNAPSHOT_BASE,
    SNAPSHOT_PACKAGES,
    agent_volume,
    home_volume,
    lineage_labels,
    ownership_labels,
)
from ansible_collections.berth.projects.plugins.module_utils.packages import packages_from_label

# image


def wanted_image(definition: Definition, site: Site) -> Values:
    return image_values(definition.image, definition.packages)


def actual_image(container: Container, wanted: Values) -> Values:
    found = container["Config"].get("Labels") or {}
    labels = lineage_labels(found, found.get(PROJECT, ""))
    reference = labels.get(SNAPSHOT_BASE) or normal_reference(container["Config"]["Image"])
    return image_values(reference, packages_from_label(labels.get(SNAPSHOT_PACKAGES, "")))


def image_values(reference: str, packages: Packages) -> Values:
    """The root of a lineage: an image, and what was installed on it."""
    lists = {"apt": packages.apt, "npm": packages.npm, "pip": packages.pip}
    return {"reference": reference, **{f"packages.{kind}": " ".join(names) for kind, names in lists.items() if names}}


def create_image(definition: Definition, site: Site) -> Body:
    return {"Image": definition.image}


# mounts


def _mount_list(definition: Definition, site: Site) -> list[dict[str, Any]]:
    """The mounts of a container in the form of the engine's mounts API, which refuses a source that is missing."""

    def mount(kind: str, source: str, target: str, read_only: bool = False) -> dict[str, Any]:
        return {"Type": kind, "Source": source, "Target": target, "ReadOnly": read_only}

    labels = ownership_labels(definition.name, site.scope)
    mounts = [
        mount("bind", site.host_state(definition.name), HOST_STATE, True),
        {**mount("volume", home_volume(definition.name), HOME), "VolumeOptions": {"Labels": labels}},
        {**mount("volume", agent_volume(definition.name), AGENT_FOLDER), "VolumeOptions": {"Labels": labels}},
    ]
    mounts += [mount("bind", entry.path, entry.target, entry.read_only) for entry in definition.workspaces]
    mounts += [mount(entry.type, entry.source, entry.target, entry.read_only) for entry in definition.mounts]
    if definition.resolver:
        mounts.append(mount("bind", definition.resolver, "/etc/resolv.conf", True))
    if definition.docker_access:
        mounts.append(mount("bind", DOCKER_SOCKET, DOCKER_SOCKET))
    return mounts


def _mount_values(mounts: list[dict[str, Any]]) -> Values:
    def text(entry: Mapping[str, Any]) -> str:
        mode = "read-only" if entry.get("ReadOnly") else ""
        return " ".join(part for part in (entry["Type"], mode, entry.get("Source") or "") if part)

    return {entry["Target"]: text(entry) for entry in mounts}


def wanted_mounts(definition: Definition, site: Site) -> Values:
    return _mount_values(_mount_list(definition, site))


def actual_mounts(container: Container, wanted: Values) -> Values:
    host = container["HostConfig"]
    values = dict(_mount_values(host.get("Mounts") or []))
    for bind in host.get("Binds") or []:  # not ours: somebody made this container by hand
        values[bind.split(":")[1]] = f"bind {bind.split(':')[0]}"
    return values


def create_mounts(definition: Definition, site: Site) -> Body:
    return {
        "HostConfig": {"Mounts": [_engine_mount(entry) for entry in _mount_list(definition, site)]},
        "WorkingDir": definition.working_dir,
        "Env": {
            "PROJECT_PATH": definition.working_dir,
            "BERTH_WORKSPACES": ":".join(sorted(entry.target for entry in definition.workspaces)),
        },
    }


def _engine_mount(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if value != ""}


# ports


def wanted_ports(definition: Definition, site: Site) -> Values:
    """Those that the container itself has; an internal network has none, and there the proxy has them."""
    return {} if definition.network.is_restricted else wanted_port_values(definition.ports)


def wanted_port_values(ports: Iterable[Port]) -> Values:
    """By where on the host, the port of the container."""
    return {_port_key(port.host_ip, port.host, port.protocol): port.container for port in ports}


def actual_ports(container: Container, wanted: Values) -> Values:
    values = {}
    for inside, bindings in (container["HostConfig"].get("PortBindings") or {}).items():
        port, _slash, protocol = inside.partition("/")
        for binding in bindings or []:
            values[_port_key(binding.get("HostIp") or "0.0.0.0", binding["HostPort"], protocol or "tcp")] = int(port)
    return values


def _port_key(host_ip: str, host_port: int | str, protocol: str) -> str:
    address = f"[{host_ip}]" if ":" in host_ip else host_ip
    return f"{address}:{host_port}/{protocol}"


def create_ports(definition: Definition, site: Site) -> Body:
    bindings = {} if definition.network.is_restricted else port_bindings(definition.ports)
    return {"ExposedPorts": {inside: {} for inside in bindings}, "HostConfig": {"PortBindings": bindings}}


def port_bindings(ports: Iterable[Port]) -> dict[str, list[dict[str, str]]]:
    """As the engine wants them: by port and protocol of the container, where on the host."""
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in ports:
        inside = f"{port.container}/{port.protocol}"
        bindings.setdefault(inside, []).append({"HostIp": port.host_ip, "HostPort": str(port.host)})
    return bindings
