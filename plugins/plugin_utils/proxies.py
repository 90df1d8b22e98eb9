# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Renders the configurations of the proxies of restricted egress, on the control node."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.host_state import hash_of
from ansible_collections.berth.projects.plugins.module_utils.names import PROXY_IMAGE
from ansible_collections.berth.projects.plugins.plugin_utils.egress import proxy_values
from ansible_collections.berth.projects.plugins.plugin_utils.templates import rendered

OWN_TEMPLATE = Path(__file__).resolve().parents[2] / "roles" / "egress" / "templates" / "squid.conf.j2"
OWN_RELOAD = ["/usr/local/lib/berth-proxy/reload"]


@dataclass(frozen=True)
class Proxies:
    """The proxies of a host's projects.

    Args:
        entries: By project, ``{"image", "config", "command", "reload", "says_ready"}``; ``config`` is a hash.
        contents: By that hash (SHA-256 in hexadecimal), the configuration, in base64.
    """

    entries: Mapping[str, Mapping[str, Any]]
    contents: Mapping[str, str]


def render_proxies(
    definitions: Sequence[Mapping[str, Any]],
    options: Mapping[str, Any],
    search: Callable[[str], str],
    host: str,
) -> Proxies:
    """Render the configuration of each proxy.

    Args:
        definitions: Of the projects with restricted egress, merged and checked.
        options: ``egress_image``, ``egress_template``, ``egress_command`` and ``egress_reload``, where they are given.
        search: Finds a path on the control node.
        host: Its inventory name, for messages.

    Raises:
        BerthError: The template is missing or wrong.
    """
    template = _template(options.get("egress_template"), search)
    image = options.get("egress_image")
    entries, contents = {}, {}
    for definition in definitions:
        try:
            content = rendered(template, proxy_values(definition)).encode()
        except BerthError as error:
            raise BerthError(f"host {host}, project {definition['name']}: {error.msg}") from error
        digest = hash_of(content)
        contents[digest] = base64.b64encode(content).decode()
        entries[definition["name"]] = {
            "image": image or PROXY_IMAGE,
            "config": digest,
            "command": list(options.get("egress_command") or ()),
            "reload": list(options.get("egress_reload") or (() if image else OWN_RELOAD)),
            "says_ready": not image,
        }
    return Proxies(entries, contents)


def _template(given: str | None, search: Callable[[str], str]) -> str:
    if not given:
        return str(OWN_TEMPLATE)
    path = search(given)
    if not os.path.isfile(path):
        raise BerthError(f"berth_egress_template: there is no file {given} on the control node")
    return path
