# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine that tests work on, and names on it that no other test uses."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

import docker
import docker.errors
from docker.utils import kwargs_from_env


def engine_client() -> Any:
    """A low-level client of the engine that the environment names, else of the local one."""
    return docker.APIClient(version="auto", timeout=120, **kwargs_from_env())


def address_of_bridge(api: Any) -> str:
    """The address of this machine on the engine's own bridge: the first, also where the engine does not tell it."""
    config = api.inspect_network("bridge")["IPAM"]["Config"][0]
    return str(config.get("Gateway") or IPv4Network(config["Subnet"])[1])


@dataclass(frozen=True)
class Namespace:
    """Names that no other test uses. What exists under them is removed when the test ends."""

    prefix: str

    @property
    def scope(self) -> str:
        return f"test-{self.prefix}"

    def project(self, name: str = "one") -> str:
        return f"{self.prefix}-{name}"

    def container(self, name: str = "one") -> str:
        return f"berth-{self.project(name)}"


def remove_everything(api: Any, namespace: Namespace) -> None:
    """Remove what there is of the namespace's projects: containers, networks, volumes and snapshots."""
    beginning = f"berth-{namespace.prefix}"
    with suppress(docker.errors.NotFound):
        for container in api.containers(all=True, filters={"name": f"^/{beginning}"}):
            api.remove_container(container["Id"], force=True, v=True)
    for network in api.networks(names=[beginning]):
        if network["Name"].startswith(beginning):
            api.remove_network(network["Id"])
    for volume in api.volumes(filters={"name": beginning})["Volumes"] or []:
        if volume["Name"].startswith(beginning):
            api.remove_volume(volume["Name"], force=True)
    for image in api.images(filters={"reference": f"berth/{namespace.prefix}*"}):
        for tag in image["RepoTags"] or []:
            api.remove_image(tag, force=True)
    for image in nameless_images(api, namespace):
        api.remove_image(image, force=True)


def nameless_images(api: Any, namespace: Namespace) -> list[str]:
    """The ids of images without a name that snapshots of the namespace's projects have left."""
    listed = api.images(filters={"dangling": True, "label": "berth.snapshot.part"})
    return [one["Id"] for one in listed if f"/{namespace.prefix}-" in one["Labels"]["berth.snapshot.part"]]
