# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.options import plan_args
from ansible_collections.berth.projects.plugins.plugin_utils.project_action import Order, ProjectAction
from ansible_collections.berth.projects.plugins.plugin_utils.report import warnings_of


class ActionModule(ProjectAction):
    """Checks and merges on the control node, and lets the module look."""

    module = "berth.projects.plan"
    options = staticmethod(plan_args)

    def _finish(self, answer: dict[str, Any], order: Order) -> dict[str, Any]:
        told = (answer.get("warnings", ()), order.checked.warnings, warnings_of(order.host, answer.get("projects", ())))
        return {**answer, "changed": False, "warnings": [text for texts in told for text in texts]}
