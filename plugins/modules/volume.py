# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: volume
short_description: List, remove, back up and restore the volumes of a project
version_added: 0.1.0
author: The Berth maintainers (@berth)
description:
  - A project has two volumes, the agent's home (C(berth-<project>-home)) and its C(.claude) folder
    (C(berth-<project>-agent)). They outlast its containers.
  - V(backup) writes them to one archive, and V(restore) makes them of it again, on the same or another host. Owners,
    modes, links, empty folders and file capabilities are kept. C(docs/volumes.md) says what is not.
  - Only volumes that carry the labels of the project and the scope are touched, and looking at a volume never makes
    one.
  - What is in a volume is read and written through a container that is made of an image of Berth's, never started, and
    removed at the end.
options:
  project:
    description: The project's name.
    type: str
    required: true
  action:
    description:
      - What to do.
      - V(list) tells what volumes there are, how large they are, and which containers use them.
      - V(remove) removes them with all that is in them. One that a container uses, running or not, is not removed.
      - V(backup) writes them to O(archive).
      - V(restore) reads all of O(archive) and verifies its checksums, and only then makes the volumes. A volume that
        holds something already is refused, and so is one that a running container uses.
      - A backup or restore that was cut off is done or completed by the same task.
    type: str
    choices: [list, remove, backup, restore]
    default: list
  volumes:
    description: Which of the project's volumes. All that there are, and all that are in the archive, if empty.
    type: list
    elements: str
    choices: [home, agent]
    default: []
  archive:
    description:
      - The archive, a path on the host. Needed by V(action=backup) and V(action=restore).
      - It holds all that is in the agent's home, logins too. It is readable for the user alone that runs the module.
    type: path
  force:
    description: Whether V(action=backup) may replace an archive that is there.
    type: bool
    default: false
  scope:
    description: The scope that the project belongs to, C(berth_scope). Volumes of other scopes are not touched.
    type: str
    default: default
  state_dir:
    description:
      - Where Berth keeps its state on the host, C(berth_state_dir).
      - Defaults to C(/var/lib/berth) for root, and to C(~/.local/state/berth) for others.
    type: path
  lock_timeout:
    description: How long to wait for another run on the same host, in seconds.
    type: int
    default: 600
extends_documentation_fragment:
  - berth.projects.docker
attributes:
  check_mode:
    description: Can run in C(check_mode) and return what would be changed, without changing anything.
    support: full
    details:
      - An archive to restore is read and verified in check mode, too.
  diff_mode:
    description: Returns what has changed, or would, in C(diff_mode).
    support: none
  idempotent:
    description: When run twice in a row with the same arguments, the second run changes nothing.
    support: partial
    details:
      - V(action=backup) makes a new archive each time. It refuses to replace one that is there, unless O(force) is set.
      - V(action=restore) into a volume that was there and empty is refused the second time.
  platform:
    description: Target OS families.
    support: full
    platforms: posix
seealso:
  - module: berth.projects.container
"""

EXAMPLES = r"""
- name: See what a project keeps
  berth.projects.volume:
    project: billing
  register: kept

- name: Back it up
  berth.projects.volume:
    project: billing
    action: backup
    archive: /srv/backup/billing-{{ now(utc=true).strftime('%Y%m%d') }}.tar
  become: true

- name: Restore the home alone, on this or another host
  berth.projects.volume:
    project: billing
    action: restore
    archive: /srv/backup/billing-20260314.tar
    volumes: home
  become: true

- name: Remove the volumes of a project that is gone for good
  berth.projects.volume:
    project: billing
    action: remove
  become: true
"""

RETURN = r"""
volumes:
  description: The volumes that were worked on. Of V(action=remove), those that were removed, as they were.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The volume's name on the engine.
      type: str
      sample: berth-billing-home
    volume:
      description: Which of the project's it is, V(home) or V(agent).
      type: str
      sample: home
    project:
      description: The project's name.
      type: str
      sample: billing
    size:
      description: How much is in it, in bytes. Null where there is no volume yet, or the engine cannot tell.
      type: int
      sample: 1073741824
    in_use_by:
      description: The containers that use it, running or not.
      type: list
      elements: str
      sample: [berth-billing]
archive:
  description: The archive, or null where none was named.
  returned: success
  type: str
  sample: /srv/backup/billing-20260314.tar
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.berth.projects.plugins.module_utils.connection import CONNECTION_ARGS
from ansible_collections.berth.projects.plugins.module_utils.runner import run_module
from ansible_collections.berth.projects.plugins.module_utils.volume_actions import ACTIONS, work_on_volumes
from ansible_collections.berth.projects.plugins.module_utils.volumes import KINDS


def volume_args() -> dict[str, dict[str, Any]]:
    return {
        "project": {"type": "str", "required": True},
        "action": {"type": "str", "choices": list(ACTIONS), "default": "list"},
        "volumes": {"type": "list", "elements": "str", "choices": list(KINDS), "default": []},
        "archive": {"type": "path"},
        "force": {"type": "bool", "default": False},
        "scope": {"type": "str", "default": "default"},
        "state_dir": {"type": "path"},
        "lock_timeout": {"type": "int", "default": 600},
        **CONNECTION_ARGS,
    }


def work(module: AnsibleModule) -> dict[str, Any]:
    result = work_on_volumes(module.params, module.check_mode)
    for warning in result.pop("warnings"):
        module.warn(warning)
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec=volume_args(),
        required_if=[("action", "backup", ["archive"]), ("action", "restore", ["archive"])],
        supports_check_mode=True,
    )
    run_module(module, work)


if __name__ == "__main__":
    main()
