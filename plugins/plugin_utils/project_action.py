# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller half that the modules which work on projects share: check, merge, hand over."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.plugin_utils.agent_keys import (
    TEMPLATE_VARIABLES,
    has_host_state,
    is_restricted,
    load,
    without_agent_keys,
)
from ansible_collections.berth.projects.plugins.plugin_utils.collector import without_collector
from ansible_collections.berth.projects.plugins.plugin_utils.confirm import undeclared_problems
from ansible_collections.berth.projects.plugins.plugin_utils.host_input import (
    HostInput,
    check_only,
    host_input,
    names_in,
    refuse,
    resolve,
)
from ansible_collections.berth.projects.plugins.plugin_utils.recipe import (
    PREFIX,
    proxy_recipe_from_vars,
    recipe_from_vars,
)

if TYPE_CHECKING:
    from ansible_collections.berth.projects.plugins.plugin_utils.host_state import Rendered

_VARIABLE_OF = {
    "projects": "berth_projects",
    "projects_dir": "berth_projects_dir",
    "only": "berth_only",
    "defaults": "berth_project_defaults",
    "env": "berth_env",
    "image": "berth_image",
    "scope": "berth_scope",
    "state_dir": "berth_state_dir",
    "prune": "berth_prune",
    "apply_image_changes": "berth_apply_image_changes",
    "snapshot": "berth_snapshot",
    "name": "berth_snapshot",
    "destroy_data": "berth_destroy_data",
    "fail_on_drift": "berth_fail_on_drift",
    "parallel": "berth_parallel",
    "when_busy": "berth_when_busy",
    "ready_timeout": "berth_ready_timeout",
    "stop_timeout": "berth_stop_timeout",
    "lock_timeout": "berth_lock_timeout",
    "gvisor": "berth_engine_gvisor",
    "network_pool": "berth_network_pool",
    "egress_image": "berth_egress_image",
    "egress_template": "berth_egress_template",
    "egress_command": "berth_egress_command",
    "egress_reload": "berth_egress_reload",
    "mcp_servers": "berth_mcp_servers",
    "instructions": "berth_instructions",
}
"""The module's options that are a host's variables, and what they are called in messages."""

_CONTROLLER_ONLY = (
    "projects",
    "projects_dir",
    "defaults",
    "env",
    "image",
    "mcp_servers",
    "instructions",
    "templates",
    "only",
    "state",
    "base_image",
    "confirm",
    "egress_image",
    "egress_template",
    "egress_command",
    "egress_reload",
    "fail_on_drift",
)
"""Options that this half works into the payload, or sees to; the module proper never sees them."""


@dataclass(frozen=True)
class Order:
    """What a task asks for, checked.

    Args:
        host: The host's inventory name.
        args: The task's.
        checked: The host's variables.
        only: The names that narrow the task.
        selected: The definitions to work on.
        undeclared: Names to work on that no definition of the host has.
        is_alone: Whether the play has no other host, so that a name that this one does not know nobody knows.
        plan_file: Where the whole result goes at the end of the run, if anywhere.
    """

    host: str
    args: Mapping[str, Any]
    checked: HostInput
    only: list[str]
    selected: list[Mapping[str, Any]]
    undeclared: list[str]
    is_alone: bool
    plan_file: str | None

    @property
    def operation(self) -> str | None:
        return self.args.get("operation")

    @property
    def names(self) -> list[str]:
        """Those of all projects to work on."""
        return [*(definition["name"] for definition in self.selected), *self.undeclared]


@dataclass(frozen=True)
class Handover:
    """What a module is given.

    Args:
        options: Its own options, as they are.
        payload: The projects, with the names and hashes of the files of their host state.
        contents: What is in these files, for a module that writes them.
    """

    options: Mapping[str, Any]
    payload: Mapping[str, Any]
    contents: Mapping[str, str]

    def args(self, with_contents: bool = False) -> dict[str, Any]:
        """The module's arguments. All of the payload is one text, which is kept out of every log."""
        contents = {"contents": self.contents} if with_contents else {}
        return {**self.options, "payload": json.dumps({**self.payload, **contents})}


class ProjectAction(ActionBase):
    """Base of these actions. Subclasses set ``module`` and its ``options``, and shape the result.

    ``has_host_state`` says whether the module looks at host state, and ``writes_host_state`` whether it writes any.
    """

    module = ""
    options: Callable[[], Mapping[str, Any]]
    has_host_state = True
    writes_host_state = False
    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        task_vars = task_vars or {}
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            with without_collector():
                result.update(self._run(task_vars))
        except BerthError as error:
            result.update(failed=True, msg=error.msg)
        return result

    def _run(self, task_vars: Mapping[str, Any]) -> dict[str, Any]:
        order = self._order(task_vars)
        self._demand(order)
        if not order.names and (order.only or not order.checked.is_declared):
            return {"changed": False, "needs": [], "projects": [], "orphans": []}
        return self._finish(self._answer(order, self._handover(order, task_vars), task_vars), order)

    def _answer(self, order: Order, handover: Handover, task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """What the host says."""
        return self._ask(self.module, handover.args(self.writes_host_state), task_vars)

    def _ask(self, module: str, module_args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        return dict(self._execute_module(module_name=module, module_args=module_args, task_vars=task_vars))

    def _demand(self, order: Order) -> None:
        """Look at what is asked for before anything is sent.

        Raises:
            BerthError: It must not be done.
        """

    def _finish(self, answer: dict[str, Any], order: Order) -> dict[str, Any]:
        raise NotImplementedError

    def _order(self, task_vars: Mapping[str, Any]) -> Order:
        host = str(task_vars.get("inventory_hostname", "localhost"))
        args = self._given(host, task_vars)
        from_files, wrong = self._from_folder(host, args.get("projects_dir"), task_vars)
        checked = host_input(host, {**_named(args), **_template_variables(args.get("templates") or {})}, from_files)
        only = names_in(args.get("only"))
        # Among several hosts, module validate has looked at the names of all of them before.
        is_alone = len(task_vars.get("ansible_play_hosts_all", ())) <= 1
        undeclared: list[str] = []
        problems = [*wrong, *checked.problems]
        if args.get("operation") == "destroy":
            undeclared = [name for name in only if name not in checked.names]
            problems += undeclared_problems(only, checked.names)
        elif is_alone and not problems:
            problems += check_only(only, [checked])
        refuse(problems)
        selected = [self._with_state(definition, args.get("state")) for definition in checked.selected(only)]
        plan_file = self._templar.template(task_vars.get("berth_plan_file")) or None
        return Order(host, args, checked, only, selected, undeclared, is_alone, plan_file)

    def _given(self, host: str, task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """The task's arguments; with ``variables``, also what the host's variables say of options not among them."""
        args = dict(self._task.args)
        if not boolean(args.pop("variables", False)):
            return args
        options = type(self).options()
        sources = {name: option for option, name in _VARIABLE_OF.items() if option in options and option not in args}
        found, problems = resolve(host, (*sources, *TEMPLATE_VARIABLES.values()), task_vars, self._templar.template)
        refuse(problems)
        given = {name: value for name, value in found.items() if value is not None and value != ""}
        templates = {kind: given[name] for kind, name in TEMPLATE_VARIABLES.items() if name in given}
        if templates:
            args.setdefault("templates", templates)
        return {**args, **{option: given[name] for name, option in sources.items() if name in given}}

    def _from_folder(
        self, host: str, path: str | None, task_vars: Mapping[str, Any]
    ) -> tuple[list[tuple[str, Mapping[str, Any]]], list[str]]:
        """The projects of ``berth_projects_dir``; nothing is loaded for it where that is not set."""
        if not path:
            return [], []
        found: tuple[list[tuple[str, Mapping[str, Any]]], list[str]] = load("projects_dir").projects_for(
            host, str(path), self._loader, task_vars, self._templar.template
        )
        return found

    @staticmethod
    def _with_state(definition: Mapping[str, Any], state: str | None) -> Mapping[str, Any]:
        return {**definition, "state": state} if state and definition.get("state") != "absent" else definition

    def _handover(self, order: Order, task_vars: Mapping[str, Any]) -> Handover:
        """Render host state, and keep what only this half knows out of what is sent."""
        rendered = self._rendered(order)
        contents = dict(rendered.contents) if rendered else {}
        payload: dict[str, Any] = {
            "projects": [without_agent_keys(definition) for definition in order.selected],
            "declared": order.checked.names,
            "states": rendered.states if rendered else {},
        }
        restricted = [one for one in order.selected if is_restricted(one)]
        if restricted:
            proxies = load("proxies").render_proxies(restricted, order.args, self._search(), order.host)
            payload["proxies"] = proxies.entries
            contents.update(proxies.contents)
        if order.undeclared:
            payload["undeclared"] = order.undeclared
        if order.args.get("base_image"):
            payload["recipes"] = self._recipes(task_vars, bool(restricted))
        options = {key: value for key, value in order.args.items() if key not in _CONTROLLER_ONLY}
        if order.only or order.args.get("operation", "provision") != "provision":
            options.pop("prune", None)  # what a narrowed run does not look at is not to be removed by it
        return Handover(options, payload, contents)

    def _rendered(self, order: Order) -> Rendered | None:
        """Host state of the projects that are to exist; None where none of them has any."""
        there = [definition for definition in order.selected if definition.get("state") != "absent"]
        has_any = any(has_host_state(definition, order.checked.shared) for definition in there)
        if not self.has_host_state or order.operation == "destroy" or not has_any:
            return None
        rendered: Rendered = load("host_state").render_states(
            there, order.checked.shared, self._search(), order.host, order.checked.places
        )
        return rendered

    def _search(self) -> Callable[[str], str]:
        """Finds templates on the control node."""
        searcher: Callable[[str], str] = load("templates").searcher(self._loader, self._task.get_search_path())
        return searcher

    def _recipes(self, task_vars: Mapping[str, Any], with_proxy: bool) -> list[dict[str, Any]]:
        """What Berth's own images must be made from, by the variables of role ``image``."""
        names = [name for name in task_vars if name.startswith(PREFIX)]
        given = {name: self._templar.template(task_vars[name]) for name in names}
        recipes = [recipe_from_vars(given), *([proxy_recipe_from_vars(given)] if with_proxy else ())]
        return [
            {
                "recipe_digest": recipe.digest,
                "base": recipe.base,
                "suite": recipe.suite,
                "ca_on": recipe.ca,
                "repository": recipe.repository,
                "rebuild": bool(boolean(given.get(f"{PREFIX}rebuild") or False, strict=False)),
            }
            for recipe in recipes
        ]


def _named(args: Mapping[str, Any]) -> dict[str, Any]:
    """The task's arguments by the names of the variables that they stand for."""
    return {name: args[option] for option, name in _VARIABLE_OF.items() if option in args}


def _template_variables(templates: Mapping[str, Any]) -> dict[str, Any]:
    """The variables that option ``templates`` stands for.

    Raises:
        BerthError: It names a template that there is not.
    """
    unknown = [str(name) for name in templates if name not in TEMPLATE_VARIABLES]
    if unknown:
        raise BerthError(f"templates: {', '.join(unknown)}: known are {', '.join(TEMPLATE_VARIABLES)}")
    return {TEMPLATE_VARIABLES[name]: path for name, path in templates.items()}
