# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible.utils.display import Display
from ansible_collections.berth.projects.plugins.plugin_utils.host_input import HostInput
from ansible_collections.berth.projects.plugins.plugin_utils.project_action import ProjectAction
from ansible_collections.berth.projects.plugins.plugin_utils.report import diff_of, plan_lines


class ActionModule(ProjectAction):
    """Checks and merges on the control node, lets the module reconcile, and tells people what was done."""

    module = "berth.projects.container"

    def _finish(self, answer: dict[str, Any], host: str, checked: HostInput) -> dict[str, Any]:
        projects = answer.get("projects") or []
        for line in plan_lines(host, projects, self._task.check_mode):
            Display().display(line)
        warnings = [f"host {host}, project {entry['name']}: {text}" for entry in projects for text in entry["warnings"]]
        answer["warnings"] = [*answer.get("warnings", ()), *checked.warnings, *warnings]
        if (
            answer.get("failed") and projects
        ):  # what went well was told above; the rest of the result would bury the reason
            answer["projects"] = [entry for entry in projects if entry["error"]]
            answer.pop("orphans", None)
        if self._task.diff:
            answer["diff"] = diff_of(host, projects)
        return answer
