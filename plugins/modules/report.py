# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: report
short_description: Show what was found on all hosts of the play as one table
version_added: 0.1.0
author: The Berth maintainers (@berth)
description:
  - Prints the results of M(berth.projects.info) of all hosts as one table. Playbook C(berth.projects.status) does that.
  - This is an action; it runs on the control node only.
options:
  results:
    description: The variable that each host registered its result in.
    type: str
    default: projects_found
  only:
    description:
      - The names that narrowed M(berth.projects.info). One that no host has a project of fails the task, once the table
        is shown; it is not known of hosts that failed or could not be reached, and then does not.
    type: list
    elements: str
extends_documentation_fragment:
  - berth.projects.attributes
  - berth.projects.attributes.info
seealso:
  - module: berth.projects.info
"""

EXAMPLES = r"""
- name: Look at this host's projects
  berth.projects.info:
    projects: "{{ berth_projects }}"
  register: projects_found

- name: Show what was found
  berth.projects.report:
  run_once: true
"""

RETURN = r"""
table:
  description: The table.
  returned: success
  type: str
"""
