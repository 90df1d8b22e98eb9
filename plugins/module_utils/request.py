# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a module run is asked for: its parameters, with the control node's payload opened."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.aspect import Site
from ansible_collections.berth.projects.plugins.module_utils.definition import (
    Definition,
    ProxySettings,
    definition_from,
)
from ansible_collections.berth.projects.plugins.module_utils.host_state import host_state_from
from ansible_collections.berth.projects.plugins.module_utils.lineage import LATEST_TAG
from ansible_collections.berth.projects.plugins.module_utils.plan import Policy
from ansible_collections.berth.projects.plugins.module_utils.records import default_state_dir


@dataclass(frozen=True)
class Request:
    """One run.

    Args:
        definitions: The projects to work on.
        declared: The names of all projects of the host, also of those that this run does not work on.
        undeclared: Names of projects to work on that no definition names.
        contents: What files of host state are made of, in base64 by SHA-256; only where they are to be written.
        recipes: What Berth's own images must be made from, each with the arguments of ``image_is_current``.
        report_needs: Return what the host lacks, instead of failing.
        installs_gvisor: Whether the caller installs gVisor where a project demands it.
    """

    definitions: tuple[Definition, ...]
    declared: frozenset[str]
    site: Site
    policy: Policy
    parallel: int
    prune: bool = False
    report_needs: bool = False
    installs_gvisor: bool = False
    recipes: tuple[Mapping[str, Any], ...] = ()
    undeclared: tuple[str, ...] = ()
    contents: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        return [definition.name for definition in self.definitions]


def request_from(params: Mapping[str, Any]) -> Request:
    """Read the parameters of module ``container`` or ``info``."""
    payload = json.loads(params["payload"])
    # Starting and stopping is about the proxy that there is, whatever is declared by now.
    proxies = {} if params.get("operation") == "state" else payload.get("proxies") or {}
    state_dir = (params["state_dir"] or default_state_dir()).rstrip("/")
    return Request(
        definitions=tuple(_definition(entry, payload.get("states") or {}, proxies) for entry in payload["projects"]),
        declared=frozenset(payload["declared"]),
        site=Site(state_dir, params["scope"]),
        policy=_policy(params),
        parallel=params["parallel"],
        prune=params.get("prune", False),
        report_needs=params.get("report_needs", False),
        installs_gvisor=bool(params.get("report_needs") and params.get("gvisor")),
        recipes=tuple(payload.get("recipes") or ()),
        undeclared=tuple(payload.get("undeclared") or ()),
        contents=payload.get("contents") or {},
    )


def _definition(entry: Mapping[str, Any], states: Mapping[str, Any], proxies: Mapping[str, Any]) -> Definition:
    name = entry["name"]
    proxy = proxies.get(name)
    return replace(
        definition_from(entry),
        host_state=host_state_from(states.get(name)),
        proxy=_proxy_settings(proxy) if proxy else None,
    )


def _proxy_settings(entry: Mapping[str, Any]) -> ProxySettings:
    return ProxySettings(
        image=entry["image"],
        config=entry["config"],
        command=tuple(entry["command"]),
        reload=tuple(entry["reload"]),
        says_ready=entry["says_ready"],
    )


def _policy(params: Mapping[str, Any]) -> Policy:
    operation = params.get("operation") or "provision"
    # The inventory's word is for provision alone: starting and stopping must replace nothing.
    applies = operation == "provision" and bool(params.get("apply_image_changes"))
    return Policy(
        operation=operation,
        force=params.get("when_busy") == "force",
        apply_images=operation == "upgrade" or applies,
        snapshot=params.get("snapshot") or LATEST_TAG,
        destroy_data=bool(params.get("destroy_data")),
    )
