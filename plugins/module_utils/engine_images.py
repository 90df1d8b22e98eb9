# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine's calls that make images of containers, name them and take them away."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.errors import EngineError
from ansible_collections.berth.projects.plugins.module_utils.names import SNAPSHOT_PART

_SLOWEST_DISK = 10 * 1024**2  # bytes per second; how long a copy may take before the engine counts as silent
_TAR_END = 1024  # bytes, all of them zero
_GONE = (404,)
_IN_USE = (409,)


class ImageStore:
    """Images of one engine. Every method raises EngineError, with what was being done and what the engine said."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def commit(self, container_id: str, config: Mapping[str, Any], size: int, name: tuple[str, str] | None) -> str:
        """Make an image of a container's layer; the container is paused meanwhile.

        Args:
            container_id: Of which container.
            config: Merged by the engine over the container's own configuration. It can overwrite, never unset.
            size: Of the layer, in bytes: says how long the engine may take.
            name: Repository and tag, or None for an image without a name.

        Returns:
            The image's id.
        """
        api = self._engine.api
        query = {"container": container_id, "pause": "1"}
        if name:
            query["repo"], query["tag"] = name
        # Posted raw: the SDK's own commit always pauses before 7.0, and never takes a time limit.
        with self._engine.calling(f"taking a snapshot of container {container_id[:12]}"):
            answer = api._post_json(
                api._url("/commit"), data=dict(config), params=query, timeout=self._seconds(api.timeout, size)
            )
            api._raise_for_status(answer)
            return str(answer.json()["Id"])

    def load_config(self, config: Mapping[str, Any], diff_ids: Sequence[str], references: Sequence[str]) -> None:
        """Make an image of layers that the engine has already, with a configuration of our own.

        Args:
            config: The image's whole JSON without ``rootfs`` and ``history``.
            diff_ids: Its layers, lowest first; none of their content is sent.
            references: What to name it, as ``repository:tag``.
        """
        whole = {
            **config,
            "rootfs": {"type": "layers", "diff_ids": list(diff_ids)},
            "history": [{"created": config["created"], "created_by": "berth: snapshot"} for _layer in diff_ids],
        }
        with self._engine.calling(f"naming the snapshot {references[0]}"):
            for event in self._engine.api.load_image(_archive(whole, len(diff_ids), references)):
                if event.get("error"):  # with status 200 all the same
                    raise EngineError(f"naming the snapshot {references[0]}: the engine said: {event['error']}", 200)

    def flatten(self, container_id: str, owner: str) -> str:
        """Make a nameless image of one layer, of all that a container shows without its mounts.

        Args:
            container_id: Of which container; it should not be running.
            owner: ``<scope>/<project>``, for the image's one label.

        Returns:
            The image's id.
        """
        with self._engine.calling(f"flattening container {container_id[:12]}"):
            content = _whole_tar(self._engine.api.export(container_id), container_id)
            answer = self._engine.api.import_image_from_stream(content, changes=[f'LABEL {SNAPSHOT_PART}="{owner}"'])
            return _imported_id(answer, container_id)

    def configure(self, part: str, config: Mapping[str, Any], name: tuple[str, str]) -> None:
        """Give an image that says nothing of itself a configuration and a name, by way of a container never started.

        Args:
            part: Its id; its one label is that of ``flatten``, which the container inherits.
            config: The whole configuration.
            name: Repository and tag.
        """
        with self._engine.calling(f"naming the snapshot {name[0]}:{name[1]}"):
            made = self._engine.api.create_container_from_config({"Image": part, "Cmd": ["true"]})
        try:
            labels = {**config["Labels"], SNAPSHOT_PART: ""}
            self.commit(str(made["Id"]), {**config, "Labels": labels}, 0, name)
        finally:
            self._engine.remove(str(made["Id"]))

    def tag(self, image: str, reference: str) -> None:
        repository, _colon, tag = reference.rpartition(":")
        with self._engine.calling(f"naming the image {reference}"):
            self._engine.api.tag(image, repository, tag, force=True)

    def remove(self, reference: str) -> bool:
        """Take a name away, and the image with the last of them. False where something uses it still."""
        try:
            with self._engine.calling(f"removing image {reference}"):
                self._engine.api.remove_image(reference, force=False)
        except EngineError as error:
            if error.status in _IN_USE:
                return False
            if error.status not in _GONE:
                raise
        return True

    @staticmethod
    def _seconds(timeout: float, size: int) -> float:
        return timeout + size / _SLOWEST_DISK


def _whole_tar(chunks: Iterable[bytes], container_id: str) -> Iterator[bytes]:
    """Pass a tar on, and fail if it ends without its end mark: half an export must not become a snapshot."""
    end = b""
    for chunk in chunks:
        end = (end + chunk)[-_TAR_END:]
        yield chunk
    if end != bytes(_TAR_END):
        raise EngineError(f"flattening container {container_id[:12]}: the engine's export ended half-way")


def _archive(whole: Mapping[str, Any], layers: int, references: Sequence[str]) -> bytes:
    """What ``docker load`` reads: a manifest and a configuration. Layers that the engine has are never looked for."""
    content = json.dumps(whole).encode()
    name = f"{sha256(content).hexdigest()}.json"
    manifest = {
        "Config": name,
        "RepoTags": list(references),
        "Layers": [f"{number}/layer.tar" for number in range(layers)],
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, data in ((name, content), ("manifest.json", json.dumps([manifest]).encode())):
            entry = tarfile.TarInfo(path)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _imported_id(answer: Any, container_id: str) -> str:
    """The id in the answer to an import: lines of JSON, of which the last tells the id, or an error."""
    lines = [json.loads(line) for line in str(answer).splitlines() if line.strip()]
    for line in lines:
        if line.get("error"):
            raise EngineError(f"flattening container {container_id[:12]}: the engine said: {line['error']}", 200)
    if not lines or not str(lines[-1].get("status", "")).startswith("sha256:"):
        raise EngineError(f"flattening container {container_id[:12]}: the engine's answer ended without an image")
    return str(lines[-1]["status"])
