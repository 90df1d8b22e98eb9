# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``berth_fail_on_drift``: a run in check mode that fails where anything would change. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.terms import FROM_DEFINITION


def gate_problems(operation: str, check_mode: bool) -> list[str]:
    """Why a run cannot be a gate for drift."""
    if operation not in FROM_DEFINITION:
        return [f"- berth_fail_on_drift: is for playbooks provision, start and stop, not for {operation}: leave it out"]
    if not check_mode:
        return ["- berth_fail_on_drift: is for --check, and this run would change things: add --check, or leave it out"]
    return []


def drift_message(projects: Sequence[Mapping[str, Any]], needs: Sequence[str]) -> str:
    """What would change, one line a project.

    Args:
        projects: As module ``container`` returns them.
        needs: What the host lacks, which a run brings in.
    """
    drifted = [project for project in projects if project["changed"]]
    count = f"{len(drifted)} of {len(projects)} projects would change"
    lines = [f"- the host lacks {', '.join(needs)}"] if needs else []
    return "\n".join([f"{count} (berth_fail_on_drift):", *lines, *(f"- {_drift(project)}" for project in drifted)])


def _drift(project: Mapping[str, Any]) -> str:
    aspects = sorted({str(reason["aspect"]) for reason in project["reasons"]})
    why = f" ({', '.join(aspects)})" if aspects else ""
    return f"{project['name']}: would {project['action']}{why}"
