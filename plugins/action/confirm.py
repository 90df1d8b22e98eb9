# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.plugin_utils.confirm import demand_confirmed, demand_found
from ansible_collections.berth.projects.plugins.plugin_utils.host_input import names_in


class ActionModule(ActionBase):
    """Lets a run that takes data away go on only if all of its projects, on all hosts, were named."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _VALID_ARGS = frozenset(("operation", "only", "names", "results"))

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        task_vars, args = task_vars or {}, self._task.args
        variable = args.get("results", "projects_result")
        hostvars = task_vars.get("hostvars", {})
        found = [hostvars[host].get(variable) or {} for host in task_vars.get("ansible_play_hosts", ())]
        known = {entry["name"] for one in found for entry in one.get("projects") or ()}
        names = sorted({name for one in found for name in one.get("to_confirm") or ()})
        try:
            demand_found(names_in(args.get("only")), known, known, "on any host of this run")
            if not self._task.check_mode:
                demand_confirmed(str(args.get("operation")), names, args.get("names"))
        except BerthError as error:
            return {**result, "failed": True, "msg": error.msg}
        return {**result, "changed": False, "projects": names}
