# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: validate
short_description: Check the definitions of every host of the run, before any of them is touched
version_added: 0.1.0
author: The Berth maintainers (@berth)
description:
  - Merges and checks the variables C(berth_*) of all hosts of the play, on the control node, without a connection.
  - Use it with C(run_once), before M(berth.projects.container), so that a mistake of one host stops the run while every
    host is as it was.
  - This is an action; it runs on the control node only.
options:
  only:
    description: Names of projects, as a list or with commas between them. Each must be that of a project of some host.
    type: raw
  operation:
    description: What the run is going to do, by the names of O(berth.projects.container#module:operation).
    type: str
    default: provision
  undeclared:
    description: Whether O(only) may name projects that are not declared any more.
    type: bool
    default: false
extends_documentation_fragment:
  - berth.projects.attributes
  - berth.projects.attributes.info
seealso:
  - module: berth.projects.container
"""

EXAMPLES = r"""
- name: Check the variables of every host of the run
  berth.projects.validate:
  run_once: true
"""

RETURN = r"""
hosts:
  description: How many hosts were checked.
  returned: success
  type: int
projects:
  description: How many projects they have.
  returned: success
  type: int
"""
