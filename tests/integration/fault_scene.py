# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A project behind the fault proxy: what is written into it, where that is found again, and what is left over."""

from __future__ import annotations

import io
import socket
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import docker.errors
from ansible_collections.berth.projects.plugins.module_utils.names import agent_volume, home_volume
from engine_names import Namespace, remove_everything
from fault_proxy import FaultProxy
from faulty_run import Job, Outcome, Runner
from host import Result, TestHost
from tiny_image import build_tiny_image

PLACES = {"layer": "/marker", "home": "/home/agent/marker", "workspace": "/workspace/src/marker"}
"""Where the markers are: in the container's own layer, in the volume of the agent's home, and in a workspace."""

KEEP = 2


class Scene:
    """A project that one faulty run after another is made on. Each case marks it anew, so an old marker proves nothing.

    Args:
        folder: Its workspace.
    """

    def __init__(
        self, api: Any, host: TestHost, namespace: Namespace, folder: Path, proxy: FaultProxy, runner: Runner
    ) -> None:
        self.api = api
        self.host = host
        self.proxy = proxy
        self.token = ""
        self.definition: dict[str, Any] = {}
        self.image = f"berth-test-{namespace.prefix}:1"
        self.restorable = ("", "")  # a snapshot's reference, and what its marker says
        self._runner = runner
        self._namespace = namespace
        self._folder = folder
        self._edition = 1
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._projects = 0
        self._tokens = 0

    @property
    def project(self) -> str:
        return str(self.definition["name"])

    @property
    def taken_port(self) -> int:
        """A port of the host that no container can have."""
        return int(self._listener.getsockname()[1])

    @property
    def container(self) -> str:
        return f"berth-{self.project}"

    def begin_anew(self) -> None:
        """Remove what there is, and make a project that was never seen before, with as many snapshots as are kept."""
        remove_everything(self.api, self._namespace)
        self.next_base()
        self._projects += 1
        self.definition = {
            "name": self._namespace.project(f"p{self._projects}"),
            "workspaces": [{"path": str(self._folder), "name": "src"}],
            "image": self.image,
            "snapshot": {"keep": KEEP, "squash_after": 100},
        }
        for _snapshot in range(KEEP + 1):
            self.provision_changed()

    def close(self) -> None:
        remove_everything(self.api, self._namespace)
        self._listener.close()
        with suppress(docker.errors.NotFound):
            self.api.remove_image(self.image)

    def next_base(self) -> None:
        """Let the project's image be another one under the same name."""
        self._edition = 3 - self._edition
        tiny = build_tiny_image(self.api, (f"LABEL berth.test.edition={self._edition}",))
        self.api.tag(tiny, *self.image.split(":"))

    def change(self) -> None:
        """Declare another environment, which takes a replace."""
        self._tokens += 1
        self.definition = {**self.definition, "env": {"ROUND": str(self._tokens)}}

    def provision_changed(self) -> Result:
        """Replace the container, which leaves a snapshot."""
        self.change()
        return self.provision()

    def mark(self) -> None:
        """Write a marker that was never there before into the layer, the home and the workspace."""
        self._tokens += 1
        self.token = f"token {self._tokens}"
        command = "; ".join(f"echo '{self.token}' > {path}" for path in PLACES.values())
        self.host.run(self.project, "sh", "-c", command, user="root")

    def provision(self, **options: Any) -> Result:
        """A run without a fault, which must not fail."""
        result = self.host.provision(self.definition, **options)
        assert not result.raw.get("failed"), result.raw.get("msg")
        return result

    def job(self, function: str, options: Mapping[str, Any]) -> Job:
        """The project as a module gets it, for a run in a process of its own."""
        return Job({**self.host.params(self.definition), **options}, function)

    def run_job(self, job: Job) -> Outcome:
        return self._runner.run([job])

    # Where things are

    def is_up(self) -> bool:
        with suppress(docker.errors.NotFound):
            return bool(self.api.inspect_container(self.container)["State"]["Running"])
        return False

    def runs_with(self, place: str) -> bool:
        """Whether the project's container has this case's marker there."""
        return self.marker(place) == self.token

    def marker(self, place: str) -> str | None:
        """What the marker in the project's container says."""
        return self._read(self.container, PLACES[place])

    def still_has(self, place: str) -> bool:
        """Whether this case's marker can be had at all: from a container that runs or not, a snapshot, a volume."""
        if place == "workspace":
            return (self._folder / "marker").read_text().strip() == self.token
        found = any(self._read(name, PLACES[place]) == self.token for name in self._containers())
        return found or (self._is_in_volume() if place == "home" else self._is_in_snapshot())

    def left_over(self) -> list[str]:
        """What a project that is as declared should not have on the engine."""
        name = f"berth-{self.project}"
        containers = [one for one in self._containers() if one != self.container]
        volumes = self.api.volumes(filters={"name": name})["Volumes"] or []
        known = (home_volume(self.project), agent_volume(self.project))
        others = [one["Name"] for one in volumes if one["Name"] not in known]
        surplus = self._surplus()
        return [
            *(f"container {one}" for one in containers),
            *(f"volume {one}" for one in others),
            *(f"snapshot {one} beyond the {KEEP} that are kept" for one in surplus),
            *(f"nameless image {one}" for one in self._nameless_images()),
        ]

    def _containers(self) -> list[str]:
        """All that belong to the project: by label, by name, or because they mount its volumes."""
        ways = (
            {"label": f"berth.project={self.project}"},
            {"name": f"^/berth-{self.project}([.]|$)"},
            {"volume": home_volume(self.project)},
            {"volume": agent_volume(self.project)},
        )
        found = (entry for way in ways for entry in self.api.containers(all=True, filters=way))
        return sorted({entry["Names"][0].lstrip("/") for entry in found})

    def snapshots(self) -> dict[str, str]:
        """The ids of the project's snapshots by their references, newest first, without ``:latest``."""
        listed = self.api.images(filters={"reference": f"berth/{self.project}"})
        ids = {tag: image["Id"] for image in listed for tag in image["RepoTags"] or []}
        return {tag: ids[tag] for tag in sorted(ids, reverse=True) if not tag.endswith(":latest")}

    def _surplus(self) -> list[str]:
        """The snapshots beyond those that are to be kept; what the container is made from, and the latest, stay."""
        stay = {self.api.inspect_container(self.container)["Image"]} if self.is_up() else set()
        stay |= {image["Id"] for image in self.api.images(filters={"reference": f"berth/{self.project}:latest"})}
        return [tag for tag, image in [*self.snapshots().items()][KEEP:] if image not in stay]

    def _nameless_images(self) -> list[str]:
        listed = self.api.images(filters={"dangling": True})
        return [image["Id"] for image in listed if self._is_own(image.get("Labels") or {})]

    def _is_own(self, labels: dict[str, str]) -> bool:
        marks = (value for key, value in labels.items() if key == "berth.project" or key.startswith("berth.snapshot"))
        return any(self.project in mark.split("/") for mark in marks)

    def _is_in_snapshot(self) -> bool:
        return any(self._peek(tag, PLACES["layer"]) == self.token for tag in self.snapshots())

    def _is_in_volume(self) -> bool:
        bind = f"{home_volume(self.project)}:/home/agent"
        return self._peek(self.host.image, PLACES["home"], binds=[bind]) == self.token

    def _peek(self, image: str, path: str, **options: Any) -> str | None:
        """Read a file of an image, through a container that never runs."""
        with self._unused_container(image, **options) as made:
            return self._read(made, path)

    @contextmanager
    def _unused_container(self, image: str, **options: Any) -> Iterator[str]:
        config = self.api.create_host_config(**options)
        made = self.api.create_container(
            image, ["true"], name=f"berth-{self._namespace.prefix}-peek", host_config=config
        )
        yield made["Id"]
        self.api.remove_container(made["Id"], force=True, v=False)

    def _read(self, container: str, path: str) -> str | None:
        try:
            pieces, _status = self.api.get_archive(container, path)
        except docker.errors.NotFound:
            return None
        with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as tar:
            content = tar.extractfile(tar.getmembers()[0])
            return content.read().decode().strip() if content else None
