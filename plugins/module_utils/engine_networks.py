# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine's calls that make networks, join and leave them, and take them away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.errors import EngineError


class NetworkStore:
    """Networks of one engine. Every method raises EngineError, with what was being done and what the engine said."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(self, body: Mapping[str, Any]) -> str:
        """Make a network; returns its id.

        Where there is one of that name the engine says 409, and where a subnet overlaps another's 403.
        """
        api = self._engine.api
        with self._engine.calling(f"creating network {body['Name']}"):
            answer = api._post_json(api._url("/networks/create"), data=dict(body))
            api._raise_for_status(answer)
            return str(answer.json()["Id"])

    def remove(self, network_id: str) -> None:
        """Remove a network that no running container is on. One that is gone already is no error."""
        try:
            with self._engine.calling(f"removing network {network_id}"):
                self._engine.api.remove_network(network_id)
        except EngineError as error:
            if error.status != 404:
                raise

    def join(self, network: str, container_id: str, address: str | None = None) -> None:
        """Put a container on a network, with an address of its own choice or the engine's."""
        with self._engine.calling(f"connecting container {container_id[:12]} to network {network}"):
            self._engine.api.connect_container_to_network(container_id, network, ipv4_address=address)

    def leave(self, network: str, container_id: str) -> None:
        """Take a container off a network, also off one that has gone meanwhile."""
        with self._engine.calling(f"disconnecting container {container_id[:12]} from network {network}"):
            self._engine.api.disconnect_container_from_network(container_id, network, force=True)
