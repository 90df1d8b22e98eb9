# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps Ansible from templating what was read from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.utils.unsafe_proxy import wrap_var


def untrusted(value: Any) -> Any:
    """Plain data, each text in it that Jinja2 could take for a template marked as none.

    ansible-core 2.19 trusts nothing that an inventory plugin brings; 2.17 would run a template in a container's label.
    There, marked texts look odd in listings, so others are left as they are.
    """
    if isinstance(value, Mapping):
        return {untrusted(key): untrusted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [untrusted(item) for item in value]
    if isinstance(value, str) and "{" in value:
        return wrap_var(value)
    return value
