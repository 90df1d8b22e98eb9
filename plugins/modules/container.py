# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: container
short_description: Keep a host's project containers as declared
version_added: 0.1.0
author: The Berth maintainers (@berth)
description:
  - Observes all of a host's projects, plans what is to be done for each, and does it side by side, in one call.
  - What the engine can change in a running container is changed there. What it cannot makes a new container take the
    old one's place. The old one is stopped, and a snapshot is taken of it, which the new one is made from. The old one
    comes back if the new one does not become ready.
  - What lives in a container is lost by O(operation=reset), and by O(operation=destroy) with O(destroy_data), alone.
  - Only containers that carry Berth's labels and a project's name are touched.
  - The definitions are merged and checked on the control node. Nothing is done on the host when one is wrong, or when a
    declared folder is missing there.
options:
  operation:
    description:
      - What is to be done.
      - V(provision) makes the projects as declared.
      - V(state) starts and stops containers, and leaves everything else about them as it is.
      - V(upgrade) puts containers on the declared image and packages where these have changed since, one project after
        the other, and stops at the first that does not become ready. A snapshot of each is the way back.
      - V(restore) puts a container made from O(snapshot) in the place of what there is.
      - V(reset) erases containers, snapshots and volumes, and makes fresh ones. Needs O(confirm).
      - V(destroy) snapshots and removes containers, or with O(destroy_data) erases all that a project has. Needs
        O(confirm). Here O(only) may name projects that are not declared any more.
    type: str
    choices: [provision, state, upgrade, restore, reset, destroy]
    default: provision
  snapshot:
    description: What to restore. V(latest), a snapshot's time or its whole reference.
    type: str
    default: latest
  destroy_data:
    description: Whether V(destroy) takes snapshots, volumes and host state, too.
    type: bool
    default: false
  confirm:
    description:
      - The names of the projects that may lose data, as a list or with commas between them.
      - Each project that V(reset) or V(destroy) works on must be named. Not needed in check mode.
    type: raw
  fail_on_drift:
    description:
      - In check mode, fail if anything would change. Refused outside of check mode, and for other operations than
        V(provision) and V(state).
    type: bool
    default: false
  network_pool:
    description:
      - Where the subnets of the projects' networks are taken from, 16 addresses each; in a private range. What other
        networks of the engine or routes of the host have is left out.
    type: str
    default: 10.213.0.0/16
  ready_timeout:
    description:
      - How long a container may take to become ready, in seconds. So long may one that runs take to take over what
        changed for its agent, and a proxy to reload its configuration, too.
    type: int
    default: 120
  stop_timeout:
    description: How long a container may take to end when asked to, in seconds. It is killed then.
    type: int
    default: 10
  lock_timeout:
    description: How long to wait for another run on the same host, in seconds.
    type: int
    default: 600
extends_documentation_fragment:
  - berth.projects.projects
  - berth.projects.projects.run
  - berth.projects.docker
  - berth.projects.attributes
seealso:
  - module: berth.projects.info
  - module: berth.projects.image
"""

EXAMPLES = r"""
- name: Keep two projects on this host
  berth.projects.container:
    projects:
      - name: billing
        workspaces:
          - path: /srv/src/billing
        ports:
          - host: 8080
            container: 8000
        resources:
          cpus: 2
          memory: 4g
      - name: docs
        workspaces:
          - path: /srv/src/docs
        state: stopped

- name: See what would be done, and why
  berth.projects.container:
    projects: "{{ berth_projects }}"
    defaults:
      timezone: Europe/Berlin
  check_mode: true
  diff: true

- name: Stop one project, whatever else its definition says
  berth.projects.container:
    projects: "{{ berth_projects }}"
    only: billing
    state: stopped
    operation: state

- name: See what a reset of it would take away
  berth.projects.container:
    projects: "{{ berth_projects }}"
    only: billing
    operation: reset
  check_mode: true

- name: Go back to an earlier snapshot
  berth.projects.container:
    projects: "{{ berth_projects }}"
    only: billing
    operation: restore
    snapshot: 20260102T030405678901Z

- name: Remove all that is left of a project that is not declared any more
  berth.projects.container:
    projects: "{{ berth_projects }}"
    only: old
    operation: destroy
    destroy_data: true
    confirm: old
"""

RETURN = r"""
drifted:
  description: That the task failed for nothing but O(fail_on_drift).
  returned: when it did
  type: bool
others:
  description: How many projects came to which action besides those that failed, which alone are in RV(projects) then.
  returned: when projects failed, and no plan file is written
  type: dict
  sample: {create: 1, none: 48}
projects:
  description: One entry for each project that was worked on. In check mode, what would be done.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The project's name.
      type: str
      sample: billing
    changed:
      description: Whether any step was done. A replace that failed and was taken back is none.
      type: bool
    action:
      description: The strongest of the steps.
      type: str
      sample: replace
    steps:
      description: What there was to do, in order. The first that fails ends it.
      type: list
      elements: str
      sample: [replace]
    reasons:
      description: Why, aspect by aspect, with the values that differ. Private values are told by a hash.
      type: list
      elements: dict
      sample: [{aspect: ports, before: {"127.0.0.1:8080/tcp": null}, after: {"127.0.0.1:8080/tcp": 8000}}]
    container_id:
      description: The project's container, if there is one.
      type: str
    image:
      description: The image that the definition names.
      type: str
      sample: berth-base:latest
    runtime:
      description: What runs the container, C(runc) or C(runsc) (gVisor).
      type: str
      sample: runc
    status:
      description: The container's state as the engine calls it, or V(absent).
      type: str
      sample: running
    warnings:
      description: What is worth a word, such as a change that waits for an agent at work.
      type: list
      elements: str
    error:
      description: Why the project failed, or null.
      type: str
    snapshot:
      description: The snapshot that was taken of a container before it was replaced or removed, or null.
      type: str
      sample: berth/billing:20260102T030405678901Z
    losses:
      description: Of V(reset) and V(destroy), what goes, or would go.
      type: list
      elements: dict
      contains:
        kind:
          description: V(container), V(snapshot) or V(volume).
          type: str
        name:
          description: Its name on the engine.
          type: str
        size:
          description: In bytes, or null where the engine cannot tell.
          type: int
        kept:
          description: How its content stays all the same, or null.
          type: str
needs:
  description:
    - What the host lacks (V(engine), V(sdk), V(runsc), V(image), V(proxy)). If it lacks anything, nothing was changed.
  returned: always
  type: list
  elements: str
to_confirm:
  description: The projects to name in O(confirm); empty if nothing is to be done.
  returned: V(reset) and V(destroy)
  type: list
  elements: str
orphans:
  description: What there is of this scope that no definition names.
  returned: unless a project failed
  type: list
  elements: dict
  contains:
    type:
      description: V(container), V(image), V(volume), V(network) or V(state) (files on the host).
      type: str
    kind:
      description:
        - V(undeclared), V(kept) aside after a replace, V(leftover) of work that was cut off, V(unused) (an image that
          nothing was made from), or V(stray) (Berth's labels under a name that is not Berth's).
      type: str
    name:
      description: Its name.
      type: str
    project:
      description: The project it was made for.
      type: str
    status:
      description: A container's state.
      type: str
    id:
      description: The engine's.
      type: str
    created:
      description: When it was made, in seconds since the epoch.
      type: int
    size:
      description: In bytes, or null where it was not looked for.
      type: int
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.berth.projects.plugins.module_utils.options import container_args
from ansible_collections.berth.projects.plugins.module_utils.reconcile import reconcile
from ansible_collections.berth.projects.plugins.module_utils.runner import run_module


def main() -> None:
    module = AnsibleModule(argument_spec=container_args(), supports_check_mode=True)
    run_module(module, lambda module: reconcile(module.params, module.check_mode))


if __name__ == "__main__":
    main()
