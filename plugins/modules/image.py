#!/usr/bin/python
# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image
short_description: Make the base image of project containers
description:
  - Makes the image C(berth-base:latest), which keeps the image contract (entrypoint, launcher, health check, user).
  - The image is named by a hash of everything that goes in, and built again only when that changes.
  - Role P(berth.projects.image#role) calls this module and is the way to use it.
  - What goes in is described by the role's variables C(berth_image_*), which are read on the control node.
version_added: 0.1.0
author:
  - The Berth maintainers (@berth)
options:
  kind:
    description:
      - Which image.
      - V(base) is the base image. V(proxy) is C(berth-proxy:latest), that of the proxy of projects with restricted
        egress, for which role P(berth.projects.egress#role) calls this module.
    type: str
    choices: [base, proxy]
    default: base
  step:
    description:
      - How far to go.
      - V(plan) only looks and never changes anything.
      - V(base) also gets the image that the base image is made from, by pulling it or with debootstrap.
      - V(build) builds on a base that the engine already has.
      - V(all) does everything that is needed.
    type: str
    choices: [plan, base, build, all]
    default: all
  rebuild:
    description:
      - Build again although nothing changed, on a base that is pulled or debootstrapped again, without the build cache.
      - A base that cannot be pulled is used as it is.
    type: bool
    default: false
  build_dir:
    description:
      - The folder where debootstrap works, on a disk with 1 GB free, mounted without V(nodev) and V(noexec).
      - It is made when it is missing. Only root should be able to write there.
    type: path
    default: /var/lib/berth/build
  recipe:
    description:
      - What goes into the image, as JSON. Set by the action plugin from the variables; leave it alone.
    type: str
extends_documentation_fragment:
  - berth.projects.docker
attributes:
  check_mode:
    description: Can run in C(check_mode) and return what would change.
    support: full
  diff_mode:
    description: Returns details on what changed in diff mode.
    support: none
seealso:
  - module: community.docker.docker_image_build
"""

EXAMPLES = r"""
- name: Have a current base image with Go in it
  ansible.builtin.import_role:
    name: berth.projects.image
  vars:
    berth_image_base: debootstrap:trixie
    berth_image_apt_packages: [build-essential, curl, golang, ripgrep, sudo]

- name: See whether the base image is current
  berth.projects.image:
    step: plan
  register: base_image
"""

RETURN = r"""
action:
  description:
    - What was done, or would be in check mode, or is to be done after V(step=plan).
    - V(none), V(tag), V(build), V(rebuild), or V(pull), V(debootstrap) or V(auto) when the base is still to be got.
  returned: success
  type: str
  sample: build
base:
  description: The image that the base image is made from.
  returned: success
  type: str
  sample: berth-rootfs:trixie
image:
  description: The image's name; null while it depends on a base that is still to be got.
  returned: success
  type: str
  sample: berth-base:3f1c0e6f0a9b2d41
image_id:
  description: The image's id; null while there is none.
  returned: success
  type: str
  sample: sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef
needs:
  description:
    - Packages that must be installed on the host first. With any, the base was not got.
  returned: success
  type: list
  elements: str
  sample: [debootstrap]
message:
  description: The action as a sentence.
  returned: success
  type: str
  sample: build berth-base:3f1c0e6f0a9b2d41 from debian:trixie; this takes some minutes
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.berth.projects.plugins.module_utils.connection import CONNECTION_ARGS
from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.image_build import BUILD_DIR, ensure_image
from ansible_collections.berth.projects.plugins.module_utils.image_recipe import Recipe
from ansible_collections.berth.projects.plugins.module_utils.runner import run_module


def make_image(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    if not params["recipe"]:
        raise BerthError("The recipe is missing: module berth.projects.image must run through its action plugin.")
    return ensure_image(
        Engine.connect(params),
        Recipe.from_wire(params["recipe"]),
        step=params["step"],
        rebuild=params["rebuild"],
        build_dir=params["build_dir"],
        check_mode=module.check_mode,
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CONNECTION_ARGS,
            "step": {"type": "str", "choices": ["plan", "base", "build", "all"], "default": "all"},
            "rebuild": {"type": "bool", "default": False},
            "build_dir": {"type": "path", "default": BUILD_DIR},
            "kind": {"type": "str", "choices": ["base", "proxy"], "default": "base"},
            "recipe": {"type": "str"},
        },
        supports_check_mode=True,
    )
    run_module(module, make_image)


if __name__ == "__main__":
    main()
