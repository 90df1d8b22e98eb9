# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of any host of a play, as a task on that host has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def variables_of(host: str, hostvars: Any, manager: Any, play: Any, task: Any = None) -> Mapping[str, Any]:
    """A host's variables, templates not resolved yet.

    ``hostvars[host]`` is not enough: it lacks what the play, the role or the task set (``vars``, ``vars_files``).

    Args:
        host: Its inventory name.
        hostvars: Ansible's variable of that name.
        manager: Ansible's ``VariableManager``.
        play: The play.
        task: The task whose variables count as well, if any.
    """
    found = hostvars._inventory.get_host(host)  # of which Ansible has no public way
    return {**manager.get_vars(play=play, host=found, task=task), "hostvars": hostvars}
