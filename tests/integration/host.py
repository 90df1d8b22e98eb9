# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host without Ansible in between: both halves of module ``container`` in one process, on the real engine.

A play of one task takes seconds, these calls a fraction of one. What Ansible adds is tested through the playbooks.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.connection import DEFAULT_DOCKER_HOST
from ansible_collections.berth.projects.plugins.module_utils.host_state import hash_of
from ansible_collections.berth.projects.plugins.module_utils.info import look
from ansible_collections.berth.projects.plugins.module_utils.options import container_args, info_args, snapshot_args
from ansible_collections.berth.projects.plugins.module_utils.preview import preview
from ansible_collections.berth.projects.plugins.module_utils.reconcile import reconcile
from ansible_collections.berth.projects.plugins.module_utils.snapshot_work import work_on_snapshots
from ansible_collections.berth.projects.plugins.module_utils.terms import FROM_DEFINITION
from ansible_collections.berth.projects.plugins.plugin_utils.agent_keys import is_restricted, without_agent_keys
from ansible_collections.berth.projects.plugins.plugin_utils.host_input import host_input, refuse
from ansible_collections.berth.projects.plugins.plugin_utils.host_state import render_states
from ansible_collections.berth.projects.plugins.plugin_utils.proxies import OWN_RELOAD, render_proxies
from tiny_proxy import build_tiny_proxy


@dataclass(frozen=True)
class Result:
    """What module ``container`` returned, with its projects by name."""

    raw: Mapping[str, Any]

    @property
    def changed(self) -> bool:
        return bool(self.raw["changed"])

    @property
    def projects(self) -> dict[str, Mapping[str, Any]]:
        return {project["name"]: project for project in self.raw["projects"]}

    @property
    def actions(self) -> dict[str, str]:
        return {name: project["action"] for name, project in self.projects.items()}

    @property
    def only(self) -> Mapping[str, Any]:
        (project,) = self.raw["projects"]
        return project


@dataclass(frozen=True)
class TestHost:
    """Runs Berth against the engine with its own scope and state folder.

    The proxy of restricted egress is a stand-in that allows nothing, unless ``proxy_image`` names Berth's own, or
    ``proxy_options`` (``egress_image`` and its like) another one.
    """

    __test__ = False

    api: Any
    state_dir: Path
    scope: str
    image: str
    proxy_image: str = ""
    docker_host: str = DEFAULT_DOCKER_HOST
    proxy_options: Mapping[str, Any] = field(default_factory=dict)

    def provision(
        self, *projects: Mapping[str, Any], check: bool = False, prune: bool = False, **options: Any
    ) -> Result:
        """What ``berth.projects.provision`` does with these projects. Failures of projects are in the result."""
        params = self.params(*projects, prune=prune, **options)
        if params["operation"] in FROM_DEFINITION:  # as the control node's half of module container does it
            planned = preview(params)
            if check or not planned["is_due"]:
                return Result(planned)
        return Result(reconcile(params, check))

    def params(self, *projects: Mapping[str, Any], **options: Any) -> dict[str, Any]:
        """What the control node hands to the modules that work on projects, for these projects and options."""
        variables = {
            "berth_projects": [{"runtime": "runc", **project} for project in projects],
            "berth_image": self.image,
            "berth_state_dir": str(self.state_dir),
        }
        checked = host_input("testhost", variables)
        refuse(checked.problems)
        rendered = render_states(checked.definitions, variables)
        proxies = {one["name"]: self._proxy(one) for one in checked.definitions if is_restricted(one)}
        args = {**info_args(), **snapshot_args(), **container_args()}
        params = {name: spec.get("default") for name, spec in args.items()}
        params.update(
            docker_host=self.docker_host,
            scope=self.scope,
            state_dir=str(self.state_dir),
            ready_timeout=20,
            stop_timeout=3,
            payload=json.dumps(
                {
                    "projects": [without_agent_keys(definition) for definition in checked.definitions],
                    "declared": checked.names,
                    "states": rendered.states,
                    "proxies": {name: entry for name, (entry, _content) in proxies.items()},
                    "contents": {**rendered.contents, **dict(content for _entry, content in proxies.values())},
                }
            ),
        )
        return {**params, **options}

    def _proxy(self, definition: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, str]]:
        """What the control node says of a project's proxy, here the stand-in for the real one."""
        if self.proxy_options:
            made = render_proxies([definition], self.proxy_options, str, "testhost")
            return dict(made.entries[definition["name"]]), next(iter(made.contents.items()))
        if self.proxy_image:
            made = render_proxies([definition], {}, str, "testhost")
            entry = {**made.entries[definition["name"]], "image": self.proxy_image}
            return entry, next(iter(made.contents.items()))
        content = "\n".join(definition["network"].get("allow") or ()).encode()
        entry = {
            "image": build_tiny_proxy(self.api),
            "config": hash_of(content),
            "command": [],
            "reload": OWN_RELOAD,
            "says_ready": True,
        }
        return entry, (hash_of(content), base64.b64encode(content).decode())

    def snapshot(
        self, *projects: Mapping[str, Any], operation: str = "take", check: bool = False, **options: Any
    ) -> Result:
        """What module ``snapshot`` does with these projects."""
        return Result(work_on_snapshots(self.params(*projects, operation=operation, **options), check))

    def look(self, *projects: Mapping[str, Any]) -> Result:
        """What module ``info`` tells of these projects."""
        return Result(look(self.params(*projects)))

    def snapshots(self, name: str) -> list[str]:
        """The names of a project's snapshots on the engine, ``latest`` among them."""
        listed = self.api.images(name=f"berth/{name}")
        return sorted(tag.partition(":")[2] for image in listed for tag in image["RepoTags"] or [])

    def container(self, name: str) -> dict[str, Any]:
        """A project's container as the engine shows it."""
        shown: dict[str, Any] = self.api.inspect_container(f"berth-{name}")
        return shown

    def names(self, prefix: str) -> list[str]:
        """The names of all containers that start with ``berth-<prefix>``."""
        listed = self.api.containers(all=True, filters={"name": f"^/berth-{prefix}"})
        return sorted(entry["Names"][0].lstrip("/") for entry in listed)

    def run(self, name: str, *command: str, user: str = "agent") -> str:
        """What a command in a project's container prints; it must succeed."""
        made = self.api.exec_create(f"berth-{name}", list(command), user=user)
        output = self.api.exec_start(made["Id"]).decode()
        code = self.api.exec_inspect(made["Id"])["ExitCode"]
        assert code == 0, f"{command} ended with {code}: {output}"
        return str(output)

    def wait_until_ready(self, container_id: str) -> None:
        """Read what a container prints until its entrypoint says so."""
        said = b""
        for chunk in self.api.logs(container_id, stream=True, follow=True):
            said += chunk
            if b"berth: ready" in said:
                return
        raise AssertionError(f"the container ended: {said!r}")
