# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an aspect is: one row of the table in ``aspects.py``.

An aspect turns a definition into ``values``, a flat map. The same map is what its fingerprint covers, what is compared
with the real container, and what a person sees as the reason of a change. Its ``create`` is its share of the body of
``POST /containers/create``.

Containers come as the dicts of ``GET /containers/{id}/json``. Nothing here, nor in the rows, talks to an engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Callable

from ansible_collections.berth.projects.plugins.module_utils.definition import Definition
from ansible_collections.berth.projects.plugins.module_utils.fingerprint import Values, short_hash
from ansible_collections.berth.projects.plugins.module_utils.steps import Step

Body = Mapping[str, Any]
Container = Mapping[str, Any]


@dataclass(frozen=True)
class Site:
    """What a container depends on besides its definition.

    Args:
        state_dir: The folder of host state on its host.
        scope: Whose it is.
        addresses: The host's own that are public; looked for only where a project has a proxy.
    """

    state_dir: str
    scope: str
    addresses: tuple[str, ...] = ()

    def host_state(self, project: str) -> str:
        return f"{self.state_dir}/projects/{project}"


@dataclass(frozen=True)
class Source:
    """What a container is made from.

    Args:
        image: What the engine finds it by.
        root: The values of aspect image that were declared when the lineage began. A container made from a snapshot is
            compared by these, however many snapshots lie in between.
    """

    image: str
    root: Values


@dataclass(frozen=True)
class Aspect:
    """One row of the table.

    Args:
        name: As in the definition table and in the label ``berth.fingerprint.<name>``.
        wanted: The values that the definition asks for.
        actual: The values that a real container has, given those that are wanted.
        create: This aspect's share of the create body. ``Env`` is a map here.
        live_step: From the values before and after, the step that makes the change as the container runs, or None where
            the engine cannot. An aspect that only ever comes with a new container has none at all, and a fingerprint.
        checked: Compare with the real container even where the fingerprint fits.
        private: Show values as hashes only.
    """

    name: str
    wanted: Callable[[Definition, Site], Values]
    actual: Callable[[Container, Values], Values]
    create: Callable[[Definition, Site], Body]
    live_step: Callable[[Values, Values], Step | None] | None = None
    checked: bool = False
    private: bool = False

    def shown(self, values: Values) -> Values:
        """The values as a person may see them."""
        return {key: short_hash(value) for key, value in values.items()} if self.private else dict(values)


def environment_of(container: Container) -> dict[str, str]:
    """The environment of a real container as a map."""
    entries = (entry.partition("=") for entry in container["Config"].get("Env") or [])
    return {key: value for key, _equals, value in entries}
