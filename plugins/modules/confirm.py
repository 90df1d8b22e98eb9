# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: confirm
short_description: Go on only if every project that may lose data was named
version_added: 0.1.0
author: The Berth maintainers (@berth)
description:
  - Fails unless all projects of all hosts of the play that M(berth.projects.container) would reset or destroy were
    named, so that nothing is lost on one host while another is refused.
  - Fails also where O(only) names a project of which nothing was found on any host.
  - Use it with C(run_once), after M(berth.projects.container) in check mode, as playbooks C(berth.projects.reset) and
    C(berth.projects.destroy) do. In check mode no project needs to be named.
  - This is an action; it runs on the control node only.
options:
  operation:
    description: What is to be confirmed.
    type: str
    choices: [reset, destroy]
    required: true
  only:
    description: Names of the projects that the run works on, as a list or with commas between them. All, if empty.
    type: raw
  names:
    description: The names that were given as a confirmation, as a list or with commas between them.
    type: raw
  results:
    description: The variable that each host registered the result of M(berth.projects.container) in.
    type: str
    default: projects_result
extends_documentation_fragment:
  - berth.projects.attributes
  - berth.projects.attributes.info
seealso:
  - module: berth.projects.container
"""

EXAMPLES = r"""
- name: See what goes
  berth.projects.container:
    projects: "{{ berth_projects }}"
    operation: reset
  check_mode: true
  register: projects_result

- name: Demand that every project was named
  berth.projects.confirm:
    operation: reset
    names: "{{ berth_confirm | default('') }}"
  run_once: true
"""

RETURN = r"""
projects:
  description: The names of the projects that are to be named.
  returned: always
  type: list
  elements: str
"""
