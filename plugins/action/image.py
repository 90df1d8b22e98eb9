# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller half of module ``image``: renders the recipe from the variables ``berth_image_*``."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.plugin_utils.recipe import (
    proxy_recipe_from_vars,
    recipe_from_vars,
    role_defaults,
)

_RECIPES = {"base": recipe_from_vars, "proxy": proxy_recipe_from_vars}


class ActionModule(ActionBase):
    """Adds the recipe to the module's arguments."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        known = task_vars or {}
        try:
            make = _RECIPES[self._task.args.get("kind", "base")]
            recipe = make({name: self._templar.template(known[name]) for name in role_defaults() if name in known})
        except BerthError as error:
            raise AnsibleActionFail(error.msg) from error
        result.update(
            self._execute_module(
                module_name="berth.projects.image",
                module_args={**self._task.args, "recipe": recipe.to_wire()},
                task_vars=task_vars,
            )
        )
        return result
