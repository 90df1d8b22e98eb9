# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Merges what applies to all projects under each project's own. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.image_base import LATEST


def merge(below: Any, above: Any) -> Any:
    """Lay ``above`` over ``below``: maps key by key, anything else as a whole; ``None`` takes away what is below."""
    if not isinstance(below, Mapping) or not isinstance(above, Mapping):
        return above
    merged = dict(below)
    for key, value in above.items():
        merged[key] = merge(merged.get(key), value)
    return merged


def without_nulls(value: Any) -> Any:
    """Drop the keys that a ``null`` took away."""
    if isinstance(value, Mapping):
        return {key: without_nulls(entry) for key, entry in value.items() if entry is not None}
    return value


def merged_definition(
    project: Mapping[str, Any], defaults: Mapping[str, Any], env: Mapping[str, Any], image: str | None
) -> dict[str, Any]:
    """A project's whole definition: global settings, over them ``berth_project_defaults``, over them its own."""
    below = _layered({"image": image or LATEST, "env": env}, defaults)
    whole = _layered(below, project)
    merged: dict[str, Any] = without_nulls(whole)
    merged.setdefault("image", image or LATEST)
    if isinstance(whole.get("mcp_servers"), Mapping):
        merged["mcp_servers"] = {name: without_nulls(server) for name, server in whole["mcp_servers"].items()}
    return merged


def _layered(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay a definition over another: as maps are, but for two keys.

    A server of ``mcp_servers`` is replaced as a whole, and ``null`` is the one from the library. ``auth`` of another
    mode has nothing of what is below: the keys of a mode mean nothing to the others.
    """
    auth = above.get("auth")
    if isinstance(auth, Mapping) and auth.get("mode") and auth["mode"] != _mode(below):
        below = {**below, "auth": None}
    merged: dict[str, Any] = merge(below, above)
    servers = [layer.get("mcp_servers") for layer in (below, above)]
    if all(isinstance(layer, Mapping) for layer in servers):
        merged["mcp_servers"] = {name: server for layer in servers for name, server in (layer or {}).items()}
    return merged


def _mode(definition: Mapping[str, Any]) -> str:
    return (definition.get("auth") or {}).get("mode") or "anthropic"
