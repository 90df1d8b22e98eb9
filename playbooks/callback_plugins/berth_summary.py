# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible loads the callbacks that lie beside a playbook: so these playbooks have it without any configuration."""

from __future__ import annotations

from ansible_collections.berth.projects.plugins.callback.summary import CallbackModule as Summary


class CallbackModule(Summary):
    """The collection's callback, for the playbooks of this folder."""

    CALLBACK_NEEDS_ENABLED = False
