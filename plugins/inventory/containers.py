# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: containers
short_description: Project containers as hosts
version_added: 0.1.0
author:
  - The Berth maintainers (@berth)
description:
  - Lists the containers of Berth's projects, on any number of Docker engines, so that plays can run in them.
  - Each engine is asked once, all of them at the same time, whatever the number of containers.
  - A host is called C(<project>@<engine>) and is in the groups C(berth), C(berth_state_<state>),
    C(berth_health_<health>), C(berth_engine_<engine>) and C(berth_scope_<scope>). In group names, characters that are
    not letters or digits become underscores.
  - Only containers that have both the labels and the name of a project are listed; what waits aside after a replace,
    and what serves a project without being its container, is not.
  - Reads a file called C(berth.yml), or one that ends with C(.berth.yml); C(.yaml) does as well.
extends_documentation_fragment:
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
options:
  plugin:
    description: What marks the file as one for this plugin.
    type: str
    required: true
    choices: [berth.projects.containers]
  engines:
    description:
      - The engines to list. Each is a URL (C(unix://), C(tcp://), C(http://), C(https://), C(ssh://)), or a map of
        C(name), which is used in host and group names, and the options that the modules have for an engine,
        C(docker_host), C(api_version), C(timeout), C(tls), C(validate_certs), C(ca_path), C(client_cert),
        C(client_key), C(cert_folder).
      - The name of one without C(name) is the host in its URL, and V(local) where there is none.
      - Without this option, the one engine that the environment names (E(DOCKER_HOST), E(DOCKER_TLS_VERIFY) and others
        as for the modules), else the local one. Where engines are given, the environment is not looked at.
    type: list
    elements: raw
  scope:
    description: List only the containers of these scopes. Without it, those of all.
    type: list
    elements: str
  states:
    description: List only the containers in these states. Without it, those in any.
    type: list
    elements: str
    choices: [created, running, paused, restarting, removing, exited, dead]
  timeout:
    description: How long to wait for an engine, in seconds.
    type: int
    default: 10
  unreachable:
    description:
      - What to do about an engine that cannot be listed.
      - V(warn) names it in a warning, and lists the others.
      - V(fail) fails the whole source. Ansible then goes on without it, unless it is told not to
        (C(any_unparsed_is_failed) in section C([inventory]) of the configuration, or
        E(ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED)).
    type: str
    choices: [warn, fail]
    default: warn
  connection:
    description:
      - How plays get into the containers. But for V(none), this needs the collection C(community.docker).
      - V(docker_api) is C(community.docker.docker_api), which talks to the engine itself.
      - V(docker) is C(community.docker.docker), which runs the program C(docker) on the control node.
      - V(auto) is V(docker_api) for an engine at a socket of the control node, and V(docker) for others. Over TCP the
        former loses output of commands, and it does neither TLS nor ssh well.
      - V(none) sets no variables for a connection.
    type: str
    choices: [auto, docker_api, docker, none]
    default: auto
  hostname:
    description:
      - A Jinja2 expression that makes a container's host name from its variables, for example
        V(berth_container_project) where all engines together have each name once.
      - It is an error if two containers get the same name.
      - Without it, C(<project>@<engine>).
    type: str
requirements:
  - Docker SDK for Python 5.0.3 or newer on the control node, for engines that are not behind a socket of it
notes:
  - "The variables of a host: C(berth_container_project), C(berth_container_scope), C(berth_container_name),
    C(berth_container_id), C(berth_container_image), C(berth_container_state), C(berth_container_health) (V(healthy),
    V(unhealthy), V(starting), or V(none)), C(berth_container_ports), C(berth_container_labels),
    C(berth_container_engine), C(berth_container_docker_host)."
  - What the cache keeps is what the engines said. An engine that did not answer is asked again.
"""

EXAMPLES = r"""
---
# local.berth.yml: the engine of this machine
plugin: berth.projects.containers
---
# fleet.berth.yml: running containers of several engines
plugin: berth.projects.containers
engines:
  - ssh://deploy@build1
  - name: build2
    docker_host: tcp://build2.example.org:2376
    validate_certs: true
    cert_folder: ~/.docker/build2
states: [running]
---
# team.berth.yml: containers of one scope, with groups of one's own
plugin: berth.projects.containers
scope: team-a
keyed_groups:
  - key: berth_container_project
    prefix: project
groups:
  serves: berth_container_ports | length > 0
compose:
  ansible_docker_working_dir: "'/workspace'"
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.inventory.group import to_safe_group_name
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.plugin_utils.container_hosts import (
    ROOT_GROUP,
    connection_variables,
    container_variables,
    default_hostname,
    group_names,
)
from ansible_collections.berth.projects.plugins.plugin_utils.engine_listing import list_engines
from ansible_collections.berth.projects.plugins.plugin_utils.inventory_engines import NamedEngine, named_engines
from ansible_collections.berth.projects.plugins.plugin_utils.untrusted import untrusted

_CACHE_FORMAT = 1  # to be raised when what project_containers returns changes


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Lists engines and makes hosts of their project containers."""

    NAME = "berth.projects.containers"

    def verify_file(self, path: str) -> bool:
        name = path.rsplit("/", 1)[-1]
        return super().verify_file(path) and f".{name}".endswith((".berth.yml", ".berth.yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        config = self._read_config_data(path)
        try:
            self._refuse_unknown(config)
            engines = named_engines(self.get_option("engines"), self.get_option("timeout"))
            self._add(list(self._wanted(engines, self._containers(engines, path, cache))))
        except BerthError as error:
            raise AnsibleParserError(error.msg) from error

    def _refuse_unknown(self, config: Mapping[str, Any]) -> None:
        unknown = sorted(str(key) for key in set(config) - set(self.option_definitions))
        if unknown:
            known = ", ".join(sorted(self.option_definitions))
            raise BerthError(f"{', '.join(unknown)}: no option of {self.NAME}; known are {known}.")

    def _containers(self, engines: Iterable[NamedEngine], path: str, cache: bool) -> dict[str, list[dict[str, Any]]]:
        """By the URLs of the engines that answered, their containers; from the cache where it may be and is there."""
        is_kept = self.get_option("cache")
        key = f"{self.get_cache_key(path)}_{_CACHE_FORMAT}"
        found: dict[str, list[dict[str, Any]]] = {}
        if is_kept and cache:
            with suppress(KeyError):
                found = self._cache[key]
        asked = list_engines(engine for engine in engines if engine.docker_host not in found)
        failures = [listing for listing in asked if listing.containers is None]
        told = [f"Engine {failed.engine.name} ({failed.engine.docker_host}): {failed.failure}" for failed in failures]
        if told and self.get_option("unreachable") == "fail":
            raise BerthError("Not all engines could be listed.\n" + "\n".join(told))
        for one in told:
            self.display.warning(f"{one} Its containers are not in the inventory.")
        found = {**found, **{one.engine.docker_host: one.containers for one in asked if one.containers is not None}}
        if is_kept:
            self._cache[key] = found
        return found

    def _wanted(
        self, engines: Iterable[NamedEngine], found: Mapping[str, list[dict[str, Any]]]
    ) -> Iterator[tuple[NamedEngine, dict[str, Any]]]:
        scopes, states = self.get_option("scope"), self.get_option("states")
        for engine in engines:
            for container in found.get(engine.docker_host, ()):
                if (not scopes or container["scope"] in scopes) and (not states or container["state"] in states):
                    yield engine, container

    def _add(self, containers: Iterable[tuple[NamedEngine, dict[str, Any]]]) -> None:
        hosts: dict[str, tuple[dict[str, Any], list[str]]] = {}
        for engine, container in containers:
            variables = {
                **untrusted(container_variables(container, engine)),
                **connection_variables(container, engine, self.get_option("connection")),
            }
            name = self._hostname(container, engine, variables)
            if name in hosts:
                raise BerthError(
                    f"Two containers would be the host {name}; one is {container['name']} on engine {engine.name}. "
                    "Let hostname make names that differ, for example with berth_container_engine in it."
                )
            hosts[name] = variables, group_names(container, engine)
        self.inventory.add_group(ROOT_GROUP)
        for name, (variables, groups) in hosts.items():
            self._add_host(name, variables, groups)

    def _hostname(self, container: Mapping[str, Any], engine: NamedEngine, variables: Mapping[str, Any]) -> str:
        expression = self.get_option("hostname")
        if not expression:
            return default_hostname(container, engine)
        try:
            name = self._compose(expression, variables)
        except Exception as error:
            raise BerthError(f"hostname cannot be worked out for container {container['name']}: {error}") from error
        if not isinstance(name, str) or not name:
            raise BerthError(f"hostname gives no name for container {container['name']}: it must give a text.")
        return str(name)

    def _add_host(self, name: str, variables: Mapping[str, Any], groups: Iterable[str]) -> None:
        self.inventory.add_host(name, group=ROOT_GROUP)
        for group in groups:
            # Forced, because by default Ansible leaves the dashes of names in, and then warns of them.
            safe = self.inventory.add_group(to_safe_group_name(group, force=True, silent=True))
            self.inventory.add_host(name, group=safe)
        for key, value in variables.items():
            self.inventory.set_variable(name, key, value)
        strict = self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), variables, name, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, name, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, name, strict=strict)
