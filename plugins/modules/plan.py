# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: plan
short_description: Tell what a run would change on a host, and why
version_added: 0.1.0
author: The Berth maintainers (@berth)
description:
  - Observes all of a host's projects and plans what is to be done for each, in one call. It changes nothing.
  - M(berth.projects.container) begins with this, and goes on only if there is something to do. So this is what it does
    in check mode.
options:
  operation:
    description: As for M(berth.projects.container).
    type: str
    choices: [provision, state]
    default: provision
extends_documentation_fragment:
  - berth.projects.projects
  - berth.projects.projects.run
  - berth.projects.docker
  - berth.projects.attributes
  - berth.projects.attributes.info
seealso:
  - module: berth.projects.container
"""

EXAMPLES = r"""
- name: See what would be done, and why
  berth.projects.plan:
    projects: "{{ berth_projects }}"
  register: planned

- name: Fail where a host is not as declared
  ansible.builtin.assert:
    that: planned.projects | selectattr('changed') | length == 0
"""

RETURN = r"""
projects:
  description: One entry a project, as M(berth.projects.container) returns it in check mode.
  returned: always
  type: list
  elements: dict
needs:
  description: What the host lacks (V(engine), V(sdk), V(runsc), V(image), V(proxy)).
  returned: always
  type: list
  elements: str
orphans:
  description: What there is of this scope that no definition names, as M(berth.projects.container) tells it.
  returned: unless a project failed
  type: list
  elements: dict
is_due:
  description:
    - Whether M(berth.projects.container) has anything to do. It may have something to write down about a project that
      it leaves as it is.
  returned: success
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.berth.projects.plugins.module_utils.options import plan_args
from ansible_collections.berth.projects.plugins.module_utils.preview import preview
from ansible_collections.berth.projects.plugins.module_utils.runner import run_module


def main() -> None:
    module = AnsibleModule(argument_spec=plan_args(), supports_check_mode=True)
    run_module(module, lambda module: preview(module.params))


if __name__ == "__main__":
    main()
