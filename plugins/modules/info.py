# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: info
short_description: Tell what there is of a host's projects, and what a run would change
version_added: 0.1.0
author: The Berth maintainers (@berth)
description:
  - Looks at all of a host's projects in one call and changes nothing.
extends_documentation_fragment:
  - berth.projects.projects
  - berth.projects.docker
  - berth.projects.attributes
  - berth.projects.attributes.info
seealso:
  - module: berth.projects.container
"""

EXAMPLES = r"""
- name: Look at this host's projects
  berth.projects.info:
    projects: "{{ berth_projects }}"
  register: found

- name: Show them
  ansible.builtin.debug:
    msg: "{{ found.table.splitlines() }}"
"""

RETURN = r"""
projects:
  description: One entry a project, with what M(berth.projects.container) would return in check mode and what follows.
  returned: always
  type: list
  elements: dict
  contains:
    health:
      description: What the health check found last, or null when there is none.
      type: str
      sample: healthy
    health_log:
      description: What the last failing health check printed, or null.
      type: str
    created:
      description: When the container was made, in ISO 8601.
      type: str
    age:
      description: How long ago that is.
      type: str
      sample: 3 d
    ports:
      description: The ports that are reachable from the host.
      type: list
      elements: str
      sample: ["127.0.0.1:8080->8000/tcp"]
    egress:
      description: What the container was made to reach (V(open), V(restricted) or V(none)), or null.
      type: str
    proxy:
      description: The state of the proxy of restricted egress (V(missing) if there is none), or null.
      type: str
      sample: running
    denied:
      description: How many refused requests the output of the proxy tells of, of which the engine keeps some megabytes.
      type: int
    denied_last:
      description: The last five of them.
      type: list
      elements: dict
      contains:
        time:
          description: When, in ISO 8601.
          type: str
        request:
          description: The method and the target.
          type: str
          sample: CONNECT example.org:443
    snapshots:
      description: The project's snapshots, newest first, as M(berth.projects.snapshot) tells them.
      type: list
      elements: dict
    snapshots_size:
      description: Bytes that they together take on top of their base.
      type: int
orphans:
  description:
    - What there is of this scope that no definition names, as M(berth.projects.container) tells it; sizes that the
      engine has to look for included.
  returned: always
  type: list
  elements: dict
table:
  description: All of it as a table.
  returned: always
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.berth.projects.plugins.module_utils.info import look
from ansible_collections.berth.projects.plugins.module_utils.options import info_args
from ansible_collections.berth.projects.plugins.module_utils.runner import run_module


def main() -> None:
    module = AnsibleModule(argument_spec=info_args(), supports_check_mode=True)
    run_module(module, lambda module: look(module.params))


if __name__ == "__main__":
    main()
