# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: snapshot
short_description: Take, list and remove snapshots of project containers
version_added: 0.1.0
author: The Berth maintainers (@berth)
description:
  - A snapshot is an image of a container's own layer, named C(berth/<project>:<time>). The newest is also C(:latest).
  - It holds no value of the container's environment and none of the labels by which Berth knows its containers. Volumes
    and workspaces are not in it.
  - A running container is paused while its layer is copied. A snapshot that fails leaves nothing behind.
  - Module M(berth.projects.container) takes snapshots by itself before it replaces or removes a container, and goes
    back to one with O(berth.projects.container#module:operation=restore).
options:
  operation:
    description:
      - V(take) takes a snapshot of each project's container, and then removes the oldest beyond C(snapshot.keep). A
        stopped container that has not run since its last snapshot is left as it is.
      - V(list) only looks.
      - V(prune) removes the oldest beyond C(snapshot.keep), and what interrupted snapshots left.
      - V(remove) removes the one that O(name) says. One that a container was made from stays.
    type: str
    choices: [take, list, prune, remove]
    default: take
  name:
    description: Which snapshot to remove. Its time, its whole reference, or V(latest).
    type: str
    default: ''
  lock_timeout:
    description: How long to wait for another run on the same host, in seconds.
    type: int
    default: 600
extends_documentation_fragment:
  - berth.projects.projects
  - berth.projects.docker
  - berth.projects.attributes
seealso:
  - module: berth.projects.container
"""

EXAMPLES = r"""
- name: Take a snapshot of one project before something daring
  berth.projects.snapshot:
    projects: "{{ berth_projects }}"
    only: billing

- name: See what there is
  berth.projects.snapshot:
    projects: "{{ berth_projects }}"
    operation: list
  register: found

- name: Remove one
  berth.projects.snapshot:
    projects: "{{ berth_projects }}"
    only: billing
    operation: remove
    name: 20260102T030405678901Z
"""

RETURN = r"""
projects:
  description: One entry a project.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The project's name.
      type: str
    changed:
      description: Whether a snapshot was taken or removed, or in check mode would be.
      type: bool
    taken:
      description: The new snapshot, or null.
      type: str
      sample: berth/billing:20260102T030405678901Z
    removed:
      description: The times of the snapshots that were removed.
      type: list
      elements: str
    snapshots:
      description: The snapshots there are then, newest first.
      type: list
      elements: dict
      contains:
        name:
          description: When it was taken, in UTC.
          type: str
          sample: 20260102T030405678901Z
        reference:
          description: The image's name.
          type: str
        image_id:
          description: The image's id.
          type: str
        size:
          description: Bytes on top of the snapshot below it, or of the base.
          type: int
        age:
          description: How long ago it was taken.
          type: str
          sample: 3 d
        latest:
          description: Whether a new container goes on from it.
          type: bool
        in_use:
          description: Whether a container was made from it.
          type: bool
        parent:
          description: The snapshot below it, or null for the first.
          type: str
        base:
          description: The image at the root of the lineage.
          type: str
        base_id:
          description: That image's id.
          type: str
        layers:
          description: How many layers lie on top of the base, or of where the lineage was flattened.
          type: int
        flat:
          description: Whether the lineage was flattened, and so shares nothing with its base.
          type: bool
    size:
      description: Bytes that all snapshots together take on top of their base.
      type: int
    warnings:
      description: Such as files whose access control lists no snapshot can keep.
      type: list
      elements: str
    error:
      description: Why the project failed, or null.
      type: str
table:
  description: The snapshots of all projects as a table.
  returned: always
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.berth.projects.plugins.module_utils.options import snapshot_args
from ansible_collections.berth.projects.plugins.module_utils.runner import run_module
from ansible_collections.berth.projects.plugins.module_utils.snapshot_work import work_on_snapshots


def main() -> None:
    module = AnsibleModule(argument_spec=snapshot_args(), supports_check_mode=True)
    run_module(module, lambda module: work_on_snapshots(module.params, module.check_mode))


if __name__ == "__main__":
    main()
