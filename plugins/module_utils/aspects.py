# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of aspects: how each part of a definition is compared, and how it is applied. A new aspect is a new row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils import aspects_isolation as isolation
from ansible_collections.berth.projects.plugins.module_utils import aspects_live as live
from ansible_collections.berth.projects.plugins.module_utils import aspects_mounted as mounted
from ansible_collections.berth.projects.plugins.module_utils import aspects_network as network
from ansible_collections.berth.projects.plugins.module_utils import aspects_process as process
from ansible_collections.berth.projects.plugins.module_utils.aspect import Aspect, Site, Source
from ansible_collections.berth.projects.plugins.module_utils.definition import Definition
from ansible_collections.berth.projects.plugins.module_utils.fingerprint import VERSION, fingerprint
from ansible_collections.berth.projects.plugins.module_utils.names import (
    FINGERPRINT,
    FINGERPRINT_VERSION,
    ownership_labels,
)
from ansible_collections.berth.projects.plugins.module_utils.terms import IMAGE

ASPECTS: tuple[Aspect, ...] = (
    Aspect(IMAGE, mounted.wanted_image, mounted.actual_image, mounted.create_image),
    Aspect("mounts", mounted.wanted_mounts, mounted.actual_mounts, mounted.create_mounts, checked=True),
    Aspect("ports", mounted.wanted_ports, mounted.actual_ports, mounted.create_ports, checked=True),
    Aspect("env", process.wanted_env, process.actual_env, process.create_env, private=True),
    Aspect("identity", process.wanted_identity, process.actual_identity, process.create_identity),
    Aspect("runtime", isolation.wanted_runtime, isolation.actual_runtime, isolation.create_runtime, checked=True),
    Aspect(
        "hardening",
        isolation.wanted_hardening,
        isolation.actual_hardening,
        isolation.create_hardening,
        checked=True,
    ),
    Aspect(
        "resources",
        live.wanted_resources,
        live.actual_resources,
        live.create_resources,
        live.change_resources,
    ),
    Aspect("restart", live.wanted_restart, live.actual_restart, live.create_restart, live.change_restart),
    Aspect(
        "network",
        network.wanted_network,
        network.actual_network,
        network.create_network,
        network.change_network,
    ),
)


def fingerprint_labels(definition: Definition, site: Site, source: Source | None = None) -> dict[str, str]:
    """The labels that say what a container was made from, one for each aspect that only a new container can change.

    Args:
        definition: What it was made for.
        site: Where.
        source: The declared image, if None.
    """
    values = {aspect.name: aspect.wanted(definition, site) for aspect in ASPECTS if aspect.live_step is None}
    if source:
        values[IMAGE] = source.root
    return {FINGERPRINT_VERSION: VERSION, **{FINGERPRINT + name: fingerprint(of) for name, of in values.items()}}


def create_body(definition: Definition, site: Site, source: Source | None = None) -> dict[str, Any]:
    """The body of ``POST /containers/create`` for a definition: the shares of all aspects, and the labels."""
    body: dict[str, Any] = {}
    for aspect in ASPECTS:
        _merge_into(body, aspect.create(definition, site))
    body["Image"] = source.image if source else definition.image
    body["Env"] = [f"{key}={value}" for key, value in sorted(body["Env"].items())]
    body["Labels"] = {
        **ownership_labels(definition.name, site.scope),
        **fingerprint_labels(definition, site, source),
    }
    return body


def _merge_into(body: dict[str, Any], share: Mapping[str, Any]) -> None:
    for key, value in share.items():
        if isinstance(value, Mapping) and isinstance(body.get(key), dict):
            _merge_into(body[key], value)
        else:
            body[key] = dict(value) if isinstance(value, Mapping) else value
