# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settles whose ids the agent of a project has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ansible_collections.berth.projects.plugins.module_utils.aspects_process import user_of
from ansible_collections.berth.projects.plugins.module_utils.definition import Definition, User
from ansible_collections.berth.projects.plugins.module_utils.observe import folder_owner
from ansible_collections.berth.projects.plugins.module_utils.world import View

DEFAULT_ID = 1000


def settle_users(
    definitions: Iterable[Definition], views: Mapping[str, View]
) -> tuple[dict[str, Definition], dict[str, str]]:
    """Give each definition its user, by name, and say by name where root's ids were left aside."""
    settled, warnings = {}, {}
    for definition in definitions:
        user, warning = settle_user(definition, views[definition.name])
        settled[definition.name] = definition.owned_by(user)
        if warning:
            warnings[definition.name] = warning
    return settled, warnings


def settle_user(definition: Definition, view: View) -> tuple[User, str | None]:
    """As declared, else as recorded, else as the container has it, else the owner of the first workspace.

    An agent never runs as root.
    """
    known = definition.user or view.record.user or (user_of(view.container) if view.container else None)
    if known:
        return known, None
    owner = folder_owner(definition) or User(DEFAULT_ID, DEFAULT_ID)
    if owner.uid and owner.gid:
        return owner, None
    return (
        User(owner.uid or DEFAULT_ID, owner.gid or DEFAULT_ID),
        f"{definition.workspaces[0].path} belongs to root or its group, and an agent never has root's ids: it gets "
        f"{DEFAULT_ID} instead and may be unable to write there. Change the folder's owner, or set user",
    )
