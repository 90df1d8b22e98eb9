# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the body of a module: one way in, one way out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

from ansible_collections.berth.projects.plugins.module_utils.errors import message_of

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


def run_module(module: AnsibleModule, body: Callable[[AnsibleModule], dict[str, Any]]) -> None:
    """Call ``body`` and leave through ``exit_json`` or ``fail_json``.

    ``body`` returns the module's result; a result with a true ``failed`` fails the task with it.
    """
    try:
        result = body(module)
    except Exception as error:
        module.fail_json(msg=message_of(error))
    if result.get("failed"):
        module.fail_json(**result)
    module.exit_json(**result)
