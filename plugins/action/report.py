# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.plugin_utils.host_input import names_in
from ansible_collections.berth.projects.plugins.plugin_utils.report_tables import status_table


class ActionModule(ActionBase):
    """Prints one table of what module ``info`` found on the hosts of the play."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _VALID_ARGS = frozenset(("results", "only"))

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        variable = self._task.args.get("results", "projects_found")
        hosts = task_vars.get("ansible_play_hosts_all", [])
        found = {host: task_vars["hostvars"][host].get(variable) for host in hosts}
        table = status_table({host: entry for host, entry in found.items() if entry and "projects" in entry})
        silent = [host for host, entry in found.items() if not entry or "projects" not in entry]
        if silent:
            table += "\n\nNothing is known of: " + ", ".join(silent)
        Display().display("\n" + table)
        try:
            if not silent:
                _demand_known(names_in(self._task.args.get("only")), found.values())
        except BerthError as error:
            return {**result, "failed": True, "msg": error.msg}
        return {**result, "changed": False, "table": table}


def _demand_known(only: Iterable[str], results: Iterable[Any]) -> None:
    """Each host by itself passes over what others may have; a name that none of them knows is a mistake.

    Raises:
        BerthError: There is such a name.
    """
    known = {project["name"] for entry in results for project in entry["projects"]}
    unknown = [repr(name) for name in only if name not in known]
    if unknown:
        raise BerthError(f"berth_only: no host of this run has a project {' or '.join(unknown)}")
