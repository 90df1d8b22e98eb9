# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run that takes data away demands before it goes on. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.plugin_utils.host_input import names_in
from ansible_collections.berth.projects.plugins.plugin_utils.schema import nearest, schema_problems


def undeclared_problems(only: Iterable[str], known: Collection[str]) -> list[str]:
    """Problems with names in ``berth_only`` where they need not be declared: each must be able to be a project's."""
    problems = []
    for name in only:
        found = [] if name in known else schema_problems({"berth_projects": [{"name": name}]})
        problems += [f"berth_only: {name!r} is no name of a project: it {problem.text}" for problem in found]
    return problems


def demand_found(only: Iterable[str], found: Collection[str], known: Collection[str], where: str) -> None:
    """Refuse a name of which nothing was found: it is probably not meant so.

    Args:
        only: The names that were asked for.
        found: Those of which there is something.
        known: Whatever else there is; the one that was meant may be among it.
        where: ``on this host``, or on which.

    Raises:
        BerthError: There is such a name.
    """
    told = []
    for name in only:
        if name in found:
            continue
        near = nearest(name, known)
        told.append(f"{name!r}{f' (did you mean {near}?)' if near else ''}")
    if told:
        raise BerthError(
            f"Nothing was changed. berth_only: nothing is known {where} of {', '.join(told)}: not declared, and no "
            "container, snapshot, volume or state of that name."
        )


def demand_confirmed(operation: str, names: Collection[str], confirm: Any) -> None:
    """Refuse to go on unless each project that may lose something was named.

    Args:
        operation: ``reset`` or ``destroy``.
        names: Those that may.
        confirm: What was given: ``a,b`` or a list; or nothing.

    Raises:
        BerthError: One was not named.
    """
    confirmed = names_in(confirm, "berth_confirm")
    missing = [name for name in names if name not in confirmed]
    if missing:
        raise BerthError(
            f"Nothing was changed, because {operation} takes away what a project has, and not confirmed "
            f"{'is' if len(missing) == 1 else 'are'} {', '.join(missing)}. "
            f"To confirm, name what it may take: -e berth_confirm={','.join(names)}"
        )
