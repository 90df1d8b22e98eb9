# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes and mends what a container reaches the world by: its networks, and its proxy where egress is restricted.

All of it is there before the container is created, so no container is ever on a wider network than declared.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from ipaddress import IPv4Network

from ansible_collections.berth.projects.plugins.module_utils.aspect import Site
from ansible_collections.berth.projects.plugins.module_utils.definition import Definition
from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.engine_networks import NetworkStore
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError, EngineError
from ansible_collections.berth.projects.plugins.module_utils.names import inner_network
from ansible_collections.berth.projects.plugins.module_utils.networks import (
    Networks,
    NetworkSpec,
    free_subnets,
    network_body,
    network_misfit,
    proxy_address,
    subnet_of,
    wanted_networks,
)
from ansible_collections.berth.projects.plugins.module_utils.proxies import Proxies

_ROUTES = "/proc/net/route"
_HALF = 1  # the length of the prefix of each half of all addresses
_TAKEN = ("overlaps with other", "failed to allocate gateway")
"""What the engine says where another network has the subnet, or is being given it at this very moment."""


class Gate:
    """Shared by the threads of one run.

    Args:
        engine: Where.
        site: On which host.
        pool: Where subnets are taken from, ``10.213.0.0/16``.
        proxies: What keeps the proxies.
    """

    def __init__(self, engine: Engine, site: Site, pool: str, proxies: Proxies) -> None:
        self._engine = engine
        self._store = NetworkStore(engine)
        self._site = site
        self._pool = pool
        self.proxies = proxies
        self._lock = threading.Lock()
        self._subnets: Iterator[IPv4Network] | None = None

    def open_for(self, definition: Definition) -> Definition:
        """Have all that a new container of this definition stands on.

        A proxy that it has no use for is stopped: it holds the ports of the host that the container is going to have.

        Returns:
            The definition with the address of its proxy, where there is one.

        Raises:
            BerthError: Something is in the way, or the engine could not.
        """
        if definition.network.is_restricted:
            settled = self.have_networks(definition)
            self.proxies.have(settled, is_up=definition.state == "started")
            return settled
        self.proxies.stop(definition.name)
        return self.have_networks(definition)

    def bring_back(self, project: str, is_restricted: bool) -> str:
        """After a replacement that failed, let the old container have its proxy again, or the host's ports.

        Returns:
            What is to be told of a proxy that does not start: without it the container reaches nothing, and runs.
        """
        if not is_restricted:
            self.proxies.stop(project)
            return ""
        try:
            self.proxies.start(project)
        except BerthError as error:
            return f"Its proxy could not be started again, so it reaches nothing until the next run: {error.msg}"
        return ""

    def have_networks(self, definition: Definition) -> Definition:
        """Have the networks of a definition; returns it with its proxy's address."""
        known = self._networks()
        for spec in wanted_networks(definition.name, definition.network.egress):
            self._have_network(spec, known, definition.network.proxy if spec.keeps_address else None)
        if not definition.network.is_restricted:
            return definition
        inner = self._networks().named(inner_network(definition.name))
        if inner is None:
            raise BerthError(f"The network {inner_network(definition.name)} is gone just now: run again.")
        return definition.behind(proxy_address(inner.subnet))

    def rejoin(self, network: str, container_id: str) -> None:
        """Put a stopped container on its network again, which was removed and made anew since it ran last."""
        self._store.leave(network, container_id)
        self._store.join(network, container_id)

    def join(self, network: str, container_id: str) -> None:
        self._store.join(network, container_id)

    def leave(self, network: str, container_id: str) -> None:
        self._store.leave(network, container_id)

    def remove(self, network_id: str) -> None:
        self._store.remove(network_id)

    def _networks(self) -> Networks:
        return Networks(self._engine.networks(), self._site.scope)

    def _have_network(self, spec: NetworkSpec, known: Networks, proxy: str | None) -> None:
        found = known.named(spec.name)
        if found:
            misfit = network_misfit(found, spec, self._site.scope)
            if misfit:
                raise BerthError(misfit)
            return
        if proxy and self._try_subnet(spec, subnet_of(proxy)):
            return
        while True:
            subnet = self._next_subnet()
            if subnet is None:
                raise BerthError(
                    f"There is no subnet left for the network {spec.name}: all of {self._pool} are taken by networks "
                    "of the engine ('docker network ls') and routes of the host. Remove networks that nobody uses "
                    "('docker network prune'), or set berth_network_pool to a larger one."
                )
            if self._try_subnet(spec, subnet):
                return

    def _try_subnet(self, spec: NetworkSpec, subnet: IPv4Network) -> bool:
        """Make the network there; False where another network has come to be there meanwhile."""
        try:
            self._store.create(network_body(spec, subnet, self._site.scope))
        except EngineError as error:
            if any(words in error.msg for words in _TAKEN):
                return False
            raise
        return True

    def _next_subnet(self) -> IPv4Network | None:
        """Each thread gets another one."""
        with self._lock:
            if self._subnets is None:
                routes = _routes() if self._engine.is_local else []
                self._subnets = free_subnets(self._pool, [*self._networks().subnets, *routes])
            return next(self._subnets, None)


def _routes() -> list[str]:
    """Where the host's own routes lead: a network there would cut the host off from it.

    That is but for the default one, also where it is written as two halves, as VPNs do to go before it.
    """
    try:
        with open(_ROUTES, encoding="ascii") as file:
            rows = [line.split() for line in file.readlines()[1:]]
    except OSError:
        return []
    found = (IPv4Network((_address(row[1]), bin(int(row[7], 16)).count("1")), strict=False) for row in rows)
    return [str(network) for network in found if network.prefixlen > _HALF]


def _address(hexadecimal: str) -> int:
    """The kernel prints addresses in the byte order of the machine, which is little-endian wherever Docker runs."""
    return int.from_bytes(bytes.fromhex(hexadecimal), "little")
