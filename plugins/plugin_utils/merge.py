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
    below = merge({"image": image or LATEST, "env": env}, defaults)
    merged: dict[str, Any] = without_nulls(merge(below, project))
    merged.setdefault("image", image or LATEST)
    return merged
