# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps the proxies of projects with restricted egress: makes, starts, reloads and stops their containers."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from contextlib import suppress

from ansible_collections.berth.projects.plugins.module_utils.aspect import Site
from ansible_collections.berth.projects.plugins.module_utils.definition import Definition
from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.engine_networks import NetworkStore
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.names import READY, inner_network, proxy_name
from ansible_collections.berth.projects.plugins.module_utils.networks import Networks
from ansible_collections.berth.projects.plugins.module_utils.proxy_files import (
    APPLIED,
    CONFIG,
    Applied,
    config_folder,
    proxy_folder,
    read_applied,
    read_config,
    read_content,
)
from ansible_collections.berth.projects.plugins.module_utils.sidecar import is_ailing, sidecar_body, sidecar_misfit
from ansible_collections.berth.projects.plugins.module_utils.whole_file import write_whole_bytes
from ansible_collections.berth.projects.plugins.module_utils.world import (
    Listed,
    is_own_proxy,
    listed_from,
    proxy_clash,
)

_STOP_TIMEOUT = 5  # seconds
_LINES_SHOWN = 15


class Proxies:
    """Shared by the threads of one run.

    Args:
        engine: Where.
        site: On which host.
        contents: By SHA-256, their configurations, in base64.
        ready_timeout: How long one may take to become ready, or to reload its configuration, in seconds.
    """

    def __init__(self, engine: Engine, site: Site, contents: Mapping[str, str], ready_timeout: int) -> None:
        self._engine = engine
        self._store = NetworkStore(engine)
        self._site = site
        self._contents = contents
        self._ready_timeout = ready_timeout

    def have(self, definition: Definition, is_up: bool) -> None:
        """Have the proxy of a definition as it should be: with its configuration in effect, if it is to run.

        One that is to run and is as it should be goes on with its connections. One that was not seen ready since it was
        made, or that ends again and again, is started afresh: a command to reload would find nobody.

        Args:
            definition: With the proxy's settings and its address.
            is_up: Whether it is to run; else it is stopped, as the project's container is. What it was last seen to
                have read stays known: it reads its configuration anew when it starts.
        """
        project, settings = definition.name, definition.proxy
        if settings is None:
            raise BerthError("The configuration of its proxy is missing.")
        image = self._engine.image(settings.image)
        if image is None:
            raise BerthError(f"There is no image {settings.image} on this engine, which its proxy is made from.")
        body = sidecar_body(definition, self._site, image["Id"])
        found = self._found(project)
        if found and sidecar_misfit(found, body, Networks(self._engine.networks(), self._site.scope), project):
            self._engine.remove(found.id)
            found = None
        before = read_content(self._site, project)
        is_changed = self._write_config(definition)
        wanted = Applied(settings.config, definition.network.allow)
        if found is None:
            container_id = self._engine.create(proxy_name(project), body)
            self._store.join(inner_network(project), container_id, definition.network.proxy)
        else:
            container_id = found.id
        applied = read_applied(self._site, project) if found else Applied()
        if not is_up:
            if found is None:
                self._forget_applied(project)
            elif found.is_running:  # it holds ports of the host
                self._engine.stop(found.id, _STOP_TIMEOUT)
            return
        if found is None or is_ailing(found, applied):
            self._forget_applied(project)
            self._run_afresh(definition, container_id, is_running=bool(found and found.is_running))
        elif is_changed or applied != wanted:
            try:
                self._reload(definition, container_id)
            except BerthError:
                if before is not None:  # should the proxy be started again, it must not read what it has just refused
                    self._write_content(project, before)
                raise
        self._write(f"{proxy_folder(self._site, project)}/{APPLIED}", wanted.to_json())

    def start(self, project: str) -> None:
        """Start the proxy that there is, whatever it allows."""
        found = self._found(project)
        if found and not found.is_running:
            self._engine.start(found.id)

    def stop(self, project: str) -> None:
        """Stop it where there is one; what somebody else has given that name is left alone."""
        container = self._engine.container(proxy_name(project))
        found = listed_from(container) if container else None
        if found and found.is_running and is_own_proxy(found, project, self._site.scope):
            self._engine.stop(found.id, _STOP_TIMEOUT)

    def _run_afresh(self, definition: Definition, container_id: str, is_running: bool) -> None:
        if is_running:
            self._engine.stop(container_id, _STOP_TIMEOUT)
        if definition.proxy and not definition.proxy.says_ready:
            self._engine.start(container_id)
            return
        last: list[str] = []
        for line in self._engine.start_and_listen(container_id, self._ready_timeout):
            if line == READY:
                return
            last = [*last, line][-_LINES_SHOWN:]
        said = f"Its last lines: {' | '.join(last)}." if last else "It printed nothing."
        raise BerthError(f"The proxy {proxy_name(definition.name)} did not become ready. {said}")

    def _reload(self, definition: Definition, container_id: str) -> None:
        command = definition.proxy.reload if definition.proxy else ()
        if not command:
            self._run_afresh(definition, container_id, is_running=True)
            return
        status, output = self._engine.run(container_id, command, "", self._ready_timeout)
        if status != 0:
            told = " ".join(output.split())[-500:] or f"exit status {status}"
            raise BerthError(
                f"The proxy {proxy_name(definition.name)} does not take its new configuration, and goes on with the "
                f"one before: {told}"
            )

    def _found(self, project: str) -> Listed | None:
        """The container of the proxy, looked for anew: what was there at the start of the run may have changed."""
        container = self._engine.container(proxy_name(project))
        entry = listed_from(container) if container else None
        if entry and not is_own_proxy(entry, project, self._site.scope):
            raise BerthError(proxy_clash(entry))
        return entry

    def _write_config(self, definition: Definition) -> bool:
        """Have the configuration in place; whether it was not."""
        wanted = definition.proxy.config if definition.proxy else ""
        if read_config(self._site, definition.name) == wanted:
            return False
        self._write_content(definition.name, base64.b64decode(self._contents[wanted]))
        return True

    def _write_content(self, project: str, content: bytes) -> None:
        self._write(f"{config_folder(self._site, project)}/{CONFIG}", content)

    def _forget_applied(self, project: str) -> None:
        path = f"{proxy_folder(self._site, project)}/{APPLIED}"
        try:
            with suppress(FileNotFoundError):
                os.unlink(path)
        except OSError as error:
            raise BerthError(f"Cannot remove {path}: {error.strerror}.") from error

    def _write(self, path: str, content: bytes) -> None:
        """Nothing private is in these files, and the proxy's user, whoever that is, must be able to read them."""
        try:
            for folder in (os.path.dirname(os.path.dirname(path)), os.path.dirname(path)):
                os.makedirs(folder, exist_ok=True)
                os.chmod(folder, 0o755)
            write_whole_bytes(path, content, 0o644)
        except OSError as error:
            raise BerthError(f"Cannot write {path}: {error.strerror}.") from error
