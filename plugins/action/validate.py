# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from typing import Any, Callable

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.plugin_utils.agent_keys import has_host_state, is_restricted, load
from ansible_collections.berth.projects.plugins.plugin_utils.confirm import undeclared_problems
from ansible_collections.berth.projects.plugins.plugin_utils.host_input import (
    VARIABLES,
    HostInput,
    check_only,
    host_input,
    names_in,
    refuse,
    resolve,
)
from ansible_collections.berth.projects.plugins.plugin_utils.host_variables import variables_of
from ansible_collections.berth.projects.plugins.plugin_utils.recipe import PREFIX, recipe_from_vars


class ActionModule(ActionBase):
    """Checks the variables of every host of the run, on the control node, without a connection to any of them."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _VALID_ARGS = frozenset(("only", "operation", "undeclared"))

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            result.update(self._check(task_vars or {}))
        except BerthError as error:
            result.update(failed=True, msg=error.msg)
        return result

    @cached_property
    def _projects_folder(self) -> Callable[[str, Any], Any]:
        """Reads a folder once for all hosts of the task."""
        return cache(load("projects_dir").projects_folder)

    def _check(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        hosts = task_vars["ansible_play_hosts_all"]
        problems: list[str] = []
        inputs = [self._input(host, task_vars, problems) for host in hosts]
        if not problems:
            problems.extend(problem for entry in inputs for problem in self._rendering_problems(entry))
        only = names_in(self._task.args.get("only"))
        if boolean(self._task.args.get("undeclared", False)):
            declared = {name for entry in inputs for name in entry.names}
            problems = problems or undeclared_problems(only, declared)
        else:
            problems = problems or check_only(only, inputs)
        refuse(dict.fromkeys(problems))  # what is wrong with a folder is so for all hosts
        return {
            "changed": False,
            "hosts": len(inputs),
            "projects": sum(len(entry.definitions) for entry in inputs),
        }

    def _rendering_problems(self, entry: HostInput) -> list[str]:
        """Why what is for the agents or the proxies cannot be rendered; nothing is loaded for what nobody has."""
        has_state = any(has_host_state(definition, entry.shared) for definition in entry.definitions)
        restricted = [one for one in entry.definitions if is_restricted(one)]
        if not has_state and not restricted:
            return []
        search = load("templates").searcher(self._loader, self._task.get_search_path())
        found: list[str] = []
        if has_state:
            found += load("host_state").state_problems(
                entry.definitions, entry.shared, search, entry.host, entry.places
            )
        if restricted:
            found += self._proxy_problems(restricted, entry, search)
        return found

    @staticmethod
    def _proxy_problems(
        restricted: Sequence[Mapping[str, Any]], entry: HostInput, search: Callable[[str], str]
    ) -> list[str]:
        try:
            load("proxies").render_proxies(restricted, entry.egress, search, entry.host)
        except BerthError as error:
            return [f"- {error.msg}"]
        return []

    def _input(self, host: str, task_vars: dict[str, Any], problems: list[str]) -> HostInput:
        """Check one host; what is wrong goes to ``problems``."""
        source, template = self._source(host, task_vars)
        names = [name for name in source if name in VARIABLES or name.startswith(PREFIX)]
        found, unresolved = resolve(host, names, source, template)
        problems.extend(unresolved)
        from_files: list[tuple[str, Mapping[str, Any]]] = []
        if found.get("berth_projects_dir"):
            from_files, wrong = load("projects_dir").projects_for(
                host, str(found["berth_projects_dir"]), self._loader, source, template, self._projects_folder
            )
            problems.extend(wrong)
        checked = host_input(host, found, from_files)
        problems.extend(checked.problems or self._run_problems(found))
        try:
            recipe_from_vars({name: value for name, value in found.items() if name.startswith(PREFIX)})
        except BerthError as error:
            problems.append(f"- host {host}: {error.msg}")
        return checked

    def _run_problems(self, found: Mapping[str, Any]) -> list[str]:
        """What is wrong with the variables that are about the run as a whole."""
        problems: list[str] = []
        if boolean(found.get("berth_fail_on_drift") or False, strict=False):
            operation = str(self._task.args.get("operation") or "provision")
            problems += load("drift").gate_problems(operation, self._task.check_mode)
        if found.get("berth_plan_file"):
            try:
                load("plan_file").checked_place(str(found["berth_plan_file"]))
            except BerthError as error:
                problems.append(error.msg)
        return problems

    def _source(self, host: str, task_vars: Mapping[str, Any]) -> tuple[Mapping[str, Any], Callable[[Any], Any]]:
        """The variables that a task on the host has, and what resolves them."""
        if host == task_vars["inventory_hostname"]:
            return task_vars, self._templar.template
        manager, play = self._task.get_variable_manager(), self._task.get_play()
        variables = variables_of(host, task_vars["hostvars"], manager, play, self._task)
        template: Callable[[Any], Any] = self._templar.copy_with_new_env(available_variables=variables).template
        return variables, template
