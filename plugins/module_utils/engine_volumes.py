# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the engine does with volumes: finds, measures, makes and removes them, and streams what is in them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError, EngineError
from ansible_collections.berth.projects.plugins.module_utils.names import HELPER, container_name

ROOT = "berth-volume"
"""Where a helper mounts its volume, and so the first part of each name in the volume's tar."""

CHUNK = 1 << 20  # bytes
_PATIENCE = 20  # seconds; while the engine measures for another client
_POLL = 0.1  # seconds


class VolumeStore:
    """The volumes of an engine.

    A volume is never looked at in a way that could make one: what exists is known from a list. What is in a volume is
    read and written through a helper, a container that is created and never started.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find(self, names: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Those of the named volumes that exist, by name, as ``GET /volumes`` lists them."""
        wanted = list(names)
        with self._engine.calling("listing volumes"):
            url = self._engine.api._url("/volumes")
            answer = self._engine.api._get(url, params={"filters": json.dumps({"name": wanted})})
            listed = self._engine.api._result(answer, True)["Volumes"] or []  # of names, a part is enough to match
        return {volume["Name"]: volume for volume in listed if volume["Name"] in wanted}

    def sizes(self) -> dict[str, int | None]:
        """The size of every volume in bytes, by name; None where the engine cannot tell.

        The engine adds up all the files in them, so this takes time. Only API 1.42 and newer can leave out images and
        containers, which older ones measure besides. Older ones do it for one client at a time: while that goes on and
        on, nothing is known of any volume.
        """
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            sizes = self._measure()
            if sizes is not None:
                return sizes
            time.sleep(_POLL)
        return {}

    def _measure(self) -> dict[str, int | None] | None:
        """None while the engine does it for somebody else."""
        api = self._engine.api
        try:
            with self._engine.calling("measuring volumes"):
                answer = api._result(api._get(api._url("/system/df"), params={"type": "volume"}), True)
        except EngineError as error:
            if "already running" in error.msg:
                return None
            raise
        return {volume["Name"]: _size(volume) for volume in answer.get("Volumes") or []}

    def create(self, name: str, labels: Mapping[str, str]) -> None:
        """Make a volume.

        Raises:
            BerthError: There is one of that name already, with other labels: the engine hands that out unasked.
        """
        with self._engine.calling(f"creating volume {name}"):
            made = self._engine.api.create_volume(name, labels=dict(labels))
        if (made.get("Labels") or {}) != dict(labels):
            raise BerthError(f"There is a volume {name} that was made just now by somebody else. Look whose it is.")

    def remove(self, name: str) -> None:
        """Remove a volume with all that is in it; one that is not there is no error.

        Raises:
            EngineError: With status 409 where a container, running or not, uses it.
        """
        try:
            with self._engine.calling(f"removing volume {name}"):
                self._engine.api.remove_volume(name)
        except EngineError as error:
            if error.status != 404:
                raise

    # What is in them

    @contextmanager
    def helper(self, project: str, scope: str, volume: str, image: str, read_only: bool) -> Iterator[str]:
        """A container with a volume in it, for as long as the block runs; gives its id.

        Args:
            volume: A volume that exists.
            image: The id of an image that declares no volumes of its own. Nothing of it is run.
        """
        name = f"{container_name(project)}.volume.{os.urandom(4).hex()}"
        helper = self._engine.create(name, _helper_body(f"{scope}/{project}", volume, image, read_only))
        try:
            yield helper
        except BaseException:
            with suppress(EngineError):  # what went wrong first is what is told; the next run removes the helper
                self._engine.remove(helper)
            raise
        self._engine.remove(helper)

    def remove_helpers(self, project: str, scope: str, containers: Iterable[Mapping[str, Any]]) -> None:
        """Remove the helpers of runs that were killed. The caller holds the host's lock, so none is at work.

        Args:
            containers: As ``GET /containers/json`` lists them.
        """
        for container in containers:
            if is_helper(container) and container["Labels"][HELPER] == f"{scope}/{project}":
                self._engine.remove(container["Id"])

    @contextmanager
    def reading(self, helper: str, volume: str) -> Iterator[Iterator[bytes]]:
        """The volume in a helper as a tar, in pieces. The names in it begin with ``ROOT``.

        It may be left before its end, which ends the engine's work on it as well.
        """
        doing = f"reading volume {volume}"
        api = self._engine.api
        with self._engine.calling(doing):
            answer = api._get(
                api._url("/containers/{0}/archive", helper),
                params={"path": f"/{ROOT}"},
                headers={"Accept-Encoding": "identity"},
                stream=True,
            )
            api._raise_for_status(answer)
        try:
            yield self._pieces(doing, answer.iter_content(CHUNK))
        finally:
            answer.close()

    def _pieces(self, doing: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Only what the engine fails at is told as the engine's failure, not what is done with a piece."""
        while True:
            with self._engine.calling(doing):
                piece = next(pieces, None)
            if piece is None:
                return
            yield piece

    def write(self, helper: str, volume: str, pieces: Iterator[bytes]) -> None:
        """Unpack a tar, of which each name begins with ``ROOT``, into the volume in a helper.

        Owners and modes are those in the tar. A file that is there is replaced, every other one stays.
        """
        with self._engine.calling(f"writing volume {volume}"):
            self._engine.api.put_archive(helper, "/", pieces)


def is_helper(container: Mapping[str, Any]) -> bool:
    """Whether a container, as listed, is the helper of a run."""
    return HELPER in (container.get("Labels") or {})


def _helper_body(owner: str, volume: str, image: str, read_only: bool) -> dict[str, Any]:
    mount = {
        "Type": "volume",
        "Source": volume,
        "Target": f"/{ROOT}",
        "ReadOnly": read_only,
        "VolumeOptions": {"NoCopy": True},  # else an empty volume would be given what the image has there
    }
    return {
        "Image": image,
        "Entrypoint": ["/never-started"],
        "Cmd": [],
        "Labels": {HELPER: owner},
        "HostConfig": {"NetworkMode": "none", "Mounts": [mount]},
    }


def _size(volume: Mapping[str, Any]) -> int | None:
    size: int = (volume.get("UsageData") or {}).get("Size", -1)
    return size if size >= 0 else None
