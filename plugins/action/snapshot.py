# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible.utils.display import Display
from ansible_collections.berth.projects.plugins.module_utils.options import snapshot_args
from ansible_collections.berth.projects.plugins.plugin_utils.project_action import Order, ProjectAction
from ansible_collections.berth.projects.plugins.plugin_utils.report import warnings_of
from ansible_collections.berth.projects.plugins.plugin_utils.report_tables import snapshot_lines, snapshot_table


class ActionModule(ProjectAction):
    """Checks and merges on the control node, lets the module work, and tells people what was taken and removed."""

    module = "berth.projects.snapshot"
    options = staticmethod(snapshot_args)
    has_host_state = False

    def _finish(self, answer: dict[str, Any], order: Order) -> dict[str, Any]:
        projects = answer.get("projects")
        if projects is None:
            return answer
        operation = order.operation or "take"
        table = snapshot_table(order.host, projects)
        if operation == "list":
            told = table
        else:
            name = str(order.args.get("name") or "")
            told = "\n".join(snapshot_lines(order.host, projects, operation, name, self._task.check_mode))
        Display().display(told)
        answer["table"] = table
        answer["warnings"] = [
            *answer.get("warnings", ()),
            *order.checked.warnings,
            *warnings_of(order.host, projects),
        ]
        return answer
