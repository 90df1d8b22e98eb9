# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What modules that work on a host's projects have in common."""

    DOCUMENTATION = r"""
options:
  projects:
    description:
      - The projects of the host, each as described in the definition's reference (C(docs/definition.md)).
      - What is wrong with any is told before anything is changed.
    type: list
    elements: dict
  projects_dir:
    description:
      - A folder on the control node with a file for each further project, which names the hosts that have it
        (C(docs/fleet.md)). A relative path begins in the folder that the run was started in.
    type: str
    version_added: 0.1.0
  defaults:
    description: Merged under each project. Maps are merged by key, lists replaced as a whole, V(null) removes.
    type: dict
    default: {}
  env:
    description: Environment merged under each project's C(env), and under that of O(defaults).
    type: dict
    default: {}
  image:
    description: Image of the projects that name none.
    type: str
    default: berth-base:latest
  mcp_servers:
    description: A library of MCP servers by name, of which a project takes some by their names.
    type: dict
    default: {}
  instructions:
    description: Instructions for the agents of all projects, before those of each.
    type: str
  egress_image:
    description: The image of the proxy of restricted egress, in place of Berth's own. See C(docs/isolation.md).
    type: str
  egress_template:
    description: Path on the control node of a template for the proxy's configuration, in place of Berth's own.
    type: str
  egress_command:
    description: What O(egress_image) is started with; what it says itself if not given.
    type: list
    elements: str
  egress_reload:
    description:
      - A command in O(egress_image) that makes it read a changed configuration. Without one it is restarted for that.
    type: list
    elements: str
  templates:
    description:
      - Paths on the control node, of templates that take the place of Berth's own. See C(docs/agent.md).
      - Keys are C(instructions), C(mcp), C(settings), C(schedule) and C(environment).
    type: dict
    default: {}
  only:
    description: Names of the projects to work on, as a list or with commas between them. All, if empty.
    type: raw
  scope:
    description: What other scopes have is left alone. Two teams on one engine use two scopes.
    type: str
    default: default
  state_dir:
    description:
      - Where Berth keeps its state on the host.
      - Defaults to C(/var/lib/berth) for root, and to C(~/.local/state/berth) for others.
    type: path
  parallel:
    description: How many projects are worked on side by side.
    type: int
    default: 8
  variables:
    description:
      - Take what is not given here from the host's variables (C(berth_projects) for O(projects), C(berth_env) for
        O(env), C(berth_parallel) for O(parallel), and so on), as the playbooks of this collection do.
    type: bool
    default: false
  payload:
    description: For the control node's half of this module, which puts the checked definitions here. Not for playbooks.
    type: str
"""

    # What decides what a run of the projects would do.
    RUN = r"""
options:
  state:
    description: Stands in for the C(state) of each project that is not declared absent.
    type: str
    choices: [started, stopped]
  apply_image_changes:
    description:
      - Whether a changed image or changed packages are applied also to a container that was made from a snapshot. What
        was installed in it is in its last snapshot then.
      - Without it, such a change is reported and left to O(berth.projects.container#module:operation=upgrade).
    type: bool
    default: false
  prune:
    description:
      - Remove the containers of this scope whose projects are no longer declared. A snapshot is taken of each, and
        snapshots and volumes stay.
      - Remove also what work that was cut off has left, and host state of projects of which nothing else is left.
      - Needs O(projects), and does nothing together with O(only).
    type: bool
    default: false
  when_busy:
    description:
      - What becomes of a change that would cut an agent at work. V(defer) leaves it to a later run and says so.
    type: str
    choices: [defer, force]
    default: defer
  base_image:
    description:
      - Whether C(berth-base:latest) is to be as the variables C(berth_image_*) describe it.
      - If it is not, and O(report_needs) is set, nothing is changed and RV(needs) tells of it.
    type: bool
    default: false
  gvisor:
    description:
      - Whether a lack of gVisor is told by RV(needs), where a project demands it and O(report_needs) is set, instead of
        failing the project.
    type: bool
    default: false
  report_needs:
    description:
      - Return what the host lacks in RV(needs), instead of failing. Role C(berth.projects.projects) provides it then.
    type: bool
    default: false
"""
