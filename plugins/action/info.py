# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.options import info_args
from ansible_collections.berth.projects.plugins.plugin_utils.project_action import Order, ProjectAction
from ansible_collections.berth.projects.plugins.plugin_utils.report_tables import status_table


class ActionModule(ProjectAction):
    """Checks and merges on the control node, lets the module look, and adds a table for people."""

    module = "berth.projects.info"
    options = staticmethod(info_args)

    def _finish(self, answer: dict[str, Any], order: Order) -> dict[str, Any]:
        if not answer.get("failed"):
            answer["table"] = status_table({order.host: answer})
        return answer
