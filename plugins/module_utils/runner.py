# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the body of a module: one way in, one way out."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any, Callable

from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


def run_module(module: AnsibleModule, body: Callable[[AnsibleModule], dict[str, Any]]) -> None:
    """Call ``body`` and leave through ``exit_json`` or ``fail_json``.

    ``body`` returns the module's result; a result with a true ``failed`` fails the task with it.
    """
    try:
        result = body(module)
    except BerthError as error:
        module.fail_json(msg=error.msg)
    except Exception as error:
        module.fail_json(msg=_describe_bug(error))
    if result.get("failed"):
        module.fail_json(**result)
    module.exit_json(**result)


def _describe_bug(error: Exception) -> str:
    """Where an unexpected exception came from, without its text.

    Ansible prints an uncaught exception together with the module's parameters, and an exception's text may quote its
    input. Both can hold secrets, so only the type and the places in the code are told.
    """
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    places = " > ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}" for frame in frames)
    return f"Berth met a bug: {type(error).__name__} at {places}. None of its input is shown: please report this line."
