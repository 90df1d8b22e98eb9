# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.plugin_utils.host_input import (
    VARIABLES,
    check_only,
    host_input,
    names_in,
    refuse,
)
from ansible_collections.berth.projects.plugins.plugin_utils.recipe import PREFIX, recipe_from_vars


class ActionModule(ActionBase):
    """Checks the variables of every host of the run, on the control node, without a connection to any of them."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _VALID_ARGS = frozenset(("only",))

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            result.update(self._check(task_vars or {}))
        except BerthError as error:
            result.update(failed=True, msg=error.msg)
        return result

    def _check(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        inputs = [host_input(host, self._variables(host, task_vars)) for host in task_vars["ansible_play_hosts_all"]]
        problems = [problem for entry in inputs for problem in entry.problems]
        only = names_in(self._task.args.get("only"))
        refuse(problems or check_only(only, inputs))
        names = [name for name in task_vars if name.startswith(PREFIX)]
        recipe_from_vars({name: self._templar.template(task_vars[name]) for name in names})
        return {
            "changed": False,
            "hosts": len(inputs),
            "projects": sum(len(entry.definitions) for entry in inputs),
        }

    def _variables(self, host: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        """A host's variables, resolved as that host sees them.

        What the play itself sets is known for the current host only. The others check that by themselves, in the task
        that does their work.
        """
        if host != task_vars["inventory_hostname"]:
            source = task_vars["hostvars"][host]
            return {name: source[name] for name in VARIABLES if name in source}
        return {name: self._templar.template(task_vars[name]) for name in VARIABLES if name in task_vars}
