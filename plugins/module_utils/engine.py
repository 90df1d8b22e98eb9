# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one door to Docker: every call to an engine goes through here."""

from __future__ import annotations

import calendar
import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.connection import DEFAULT_DOCKER_HOST
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError, EngineError, EngineUnavailable
from ansible_collections.berth.projects.plugins.module_utils.sdk import demand_sdk, failure_of, sdk_client
from ansible_collections.berth.projects.plugins.module_utils.socket_reader import SCHEME, SocketReader

_FRAME_HEAD = 8
_MOST_KEPT = 1024 * 1024  # bytes of what a command prints
_PAUSE = 0.05  # seconds
OLDEST_API = (1, 41)  # Docker 20.10


class Engine:
    """A Docker daemon.

    Bodies and answers are those of the Docker Engine API, as plain dicts. Every method raises EngineError, with what
    was being done and what the engine said.

    Args:
        params: A module's parameters, with those of ``CONNECTION_ARGS``. Nothing is asked of the engine yet.
    """

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._params = params
        self.docker_host: str = params["docker_host"]
        wanted = params["api_version"]
        self._prefix = "" if wanted in (None, "", "auto") else f"/v{wanted}"
        local = self.docker_host.startswith(SCHEME)
        self._reader = SocketReader(self.docker_host, params["timeout"]) if local else None
        self._client: Any = None
        self._client_lock = threading.Lock()
        self._info: dict[str, Any] | None = None

    @classmethod
    def connect(cls, params: Mapping[str, Any]) -> Engine:
        """An engine that answers and is new enough, and can be changed: the SDK is there.

        Raises:
            EngineUnavailable: There is no SDK, or nothing answers on the local socket.
            EngineError: There is an engine, but it may not be used, is too old, or is elsewhere and silent.
        """
        demand_sdk()
        return cls.reach(params)

    @classmethod
    def reach(cls, params: Mapping[str, Any]) -> Engine:
        """An engine that answers and is new enough. To read a local one takes no SDK.

        Raises:
            EngineUnavailable: The engine is elsewhere and there is no SDK, or nothing answers on the local socket.
            EngineError: There is an engine, but it may not be used, is too old, or is elsewhere and silent.
        """
        engine = cls(params)
        try:
            spoken = engine._api_version()
        except BerthError:
            raise
        except Exception as error:
            if failure_of(error) is None:
                raise
            raise _no_answer(engine.docker_host, error) from error
        if tuple(int(part) for part in spoken.split(".")) < OLDEST_API:
            raise EngineError(
                f"The engine at {engine.docker_host} speaks API {spoken}; Berth needs 1.41 (Docker 20.10) or newer. "
                "Upgrade the engine, or point docker_host at a newer one."
            )
        return engine

    @property
    def is_local(self) -> bool:
        """Whether the engine's files are files of this host."""
        return self._reader is not None

    @property
    def api(self) -> Any:
        """The SDK's ``APIClient``, made when it is first needed: it asks the engine for its version."""
        with self.calling("connecting to the engine"):
            return self._made_client()

    def _made_client(self) -> Any:
        with self._client_lock:
            if self._client is None:
                self._client = sdk_client(self.docker_host, self._params)
            return self._client

    @contextmanager
    def calling(self, doing: str) -> Iterator[None]:
        """Turn what a call to the engine raises into EngineError: ``<doing>: <what the engine said>``."""
        try:
            yield
        except BerthError:
            raise
        except Exception as error:
            failure = failure_of(error)
            if failure is None:
                raise
            said, status = failure
            if said:
                raise EngineError(f"{doing}: the engine said: {said}", status) from error
            why = type(error).__name__
            raise EngineError(f"{doing}: no answer from the engine at {self.docker_host} ({why})") from error

    # Reading the world

    def containers(self, label: str | None = None) -> list[dict[str, Any]]:
        """Every container, running or not, as ``GET /containers/json`` lists it.

        With ``label`` (``key`` or ``key=value``), only those that carry it.
        """
        query = {"filters": json.dumps({"label": [label]})} if label else {}
        listed: list[dict[str, Any]] = self._get("listing containers", "/containers/json", all="1", **query)
        return listed

    def images(self) -> list[dict[str, Any]]:
        """Every image that is not an intermediate one, as ``GET /images/json`` lists it."""
        listed: list[dict[str, Any]] = self._get("listing images", "/images/json")
        return listed

    def volumes(self, label: str) -> list[dict[str, Any]]:
        """The volumes that carry a label, as ``GET /volumes`` lists them."""
        answer = self._get("listing volumes", "/volumes", filters=json.dumps({"label": [label]}))
        return answer.get("Volumes") or []

    def networks(self) -> list[dict[str, Any]]:
        """Every network, as ``GET /networks`` lists them."""
        listed: list[dict[str, Any]] = self._get("listing networks", "/networks")
        return listed

    def container(self, name_or_id: str, size: bool = False) -> dict[str, Any] | None:
        """One container as ``GET /containers/{id}/json`` shows it, or None when there is none.

        With ``size``, also ``SizeRw`` and ``SizeRootFs``: the bytes of its layer, and of all that it shows.
        """
        query = {"size": "1"} if size else {}
        return self._find(f"inspecting container {name_or_id}", f"/containers/{name_or_id}/json", **query)

    def image(self, reference: str) -> dict[str, Any] | None:
        """One image as ``GET /images/{name}/json`` shows it, or None when there is none."""
        return self._find(f"inspecting image {reference}", f"/images/{reference}/json")

    def info(self) -> dict[str, Any]:
        """What the engine says of itself and its host (``GET /info``); asked once a connection."""
        if self._info is None:
            self._info = self._get("asking the engine about its host", "/info")
        return self._info

    def processes(self, container_id: str) -> list[str]:
        """The command lines that run in a container."""
        doing = f"listing the processes of container {container_id[:12]}"
        try:
            answer = self._get(doing, f"/containers/{container_id}/top", ps_args="-eo pid,args")
        except EngineError as error:
            if '"ps"' not in error.msg:
                raise
            raise EngineError(
                f"{doing}: the engine's host has no program ps, which it takes to see whether an agent is at work. "
                "Install it there (package procps), or run with berth_when_busy=force.",
                error.status,
            ) from error
        return [row[-1] for row in answer.get("Processes") or []]

    def printed(self, container_id: str) -> list[str]:
        """The lines that a container has printed on its standard output; none where the engine keeps no output."""
        status, output = self._output(container_id, stdout="1")
        return [] if status >= 400 else _unframed(output).decode("utf-8", "replace").splitlines()

    def has_printed(self, container_id: str, line: str, since: str | None = None) -> bool:
        """Whether a container has printed a line since a time of the engine's (``2026-01-02T03:04:05.678901234Z``).

        True where the engine keeps no output that could tell. Without a time, all that it keeps is looked at.
        """
        query = {}
        if since:
            seconds, _dot, fraction = since.rstrip("Z").partition(".")
            query = {"since": f"{calendar.timegm(time.strptime(seconds, '%Y-%m-%dT%H:%M:%S'))}.{fraction or 0}"}
        status, output = self._output(container_id, stdout="1", **query)
        return status >= 400 or f"{line}\n".encode() in output

    def _output(self, container_id: str, **query: str) -> tuple[int, bytes]:
        doing = f"reading the output of container {container_id[:12]}"
        return self._bytes(doing, f"/containers/{container_id}/logs", query)

    def _bytes(self, doing: str, path: str, query: dict[str, str]) -> tuple[int, bytes]:
        with self.calling(doing):
            if self._reader:
                return self._reader.get_bytes(self._prefix + path, query)
            answer = self.api._get(self.api._url(path), params=query)
            return answer.status_code, answer.content

    def file_stamp(self, container_id: str, path: str) -> str | None:
        """What changes with each writing of a file, in what the engine would take a snapshot of; None where it is not.

        It has the time of the last change in nanoseconds, which no archive of the file has.
        """
        with self.calling(f"looking into container {container_id[:12]}"):
            url = self.api._url("/containers/{0}/archive", container_id)
            answer = self.api.head(url, params={"path": path}, timeout=self.api.timeout)
            if answer.status_code == 404:
                return None
            self.api._raise_for_status(answer)
            return str(answer.headers["X-Docker-Container-Path-Stat"])

    def _find(self, doing: str, path: str, **query: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._get(doing, path, **query)
        except EngineError as error:
            if error.status == 404:
                return None
            raise
        return found

    def _get(self, doing: str, path: str, **query: str) -> Any:
        with self.calling(doing):
            status, answer = self._read(path, **query)
        if status >= 400:
            said = answer.get("message") if isinstance(answer, Mapping) else None
            raise EngineError(f"{doing}: the engine said: {said or status}", status)
        return answer

    def _api_version(self) -> str:
        if self._reader:
            return self._reader.api_version()
        return str(self._made_client().version()["ApiVersion"])

    def _read(self, path: str, **query: str) -> tuple[int, Any]:
        if self._reader:
            return self._reader.get(self._prefix + path, query)
        response = self.api._get(self.api._url(path), params=query)
        return response.status_code, response.json()

    # Changing it

    def pull(self, reference: str) -> None:
        repository, tag = _split_reference(reference)
        with self.calling(f"pulling image {reference}"):
            for event in self.api.pull(repository, tag=tag, stream=True, decode=True):
                if event.get("error"):  # with status 200 all the same
                    raise EngineError(f"pulling image {reference}: the engine said: {event['error']}")

    def create(self, name: str, body: Mapping[str, Any]) -> str:
        """Create a container; returns its id."""
        with self.calling(f"creating container {name}"):
            answer = self.api.create_container_from_config(dict(body), name)
            return str(answer["Id"])

    def start(self, container_id: str) -> None:
        with self.calling(f"starting container {container_id[:12]}"):
            self.api.start(container_id)

    def start_and_listen(self, container_id: str, seconds: float) -> Iterator[str]:
        """Start a container and yield each line it prints, until it ends or ``seconds`` have passed.

        The output is attached to before the start, so no line is missed and none of an earlier start is seen.
        """
        with self.calling(f"starting container {container_id[:12]}"):
            stream = self.api.attach(container_id, stdout=True, stderr=True, stream=True, logs=False)
        watchdog = threading.Timer(seconds, stream.close)
        watchdog.daemon = True
        watchdog.start()
        try:
            self.start(container_id)
            with self.calling(f"listening to container {container_id[:12]}"):
                yield from _lines(stream)
        finally:
            watchdog.cancel()
            stream.close()

    def run(self, container_id: str, command: Sequence[str], user: str, seconds: float) -> tuple[int, str]:
        """Run a command in a running container; returns its exit status and what it printed, the last MiB of it.

        Who is in the container may hold it up for ever, so one that has not ended after ``seconds`` is an error. The
        engine has no way to end it.

        Args:
            user: Empty for the container's own.
        """
        doing = f"running {command[0]} in container {container_id[:12]}"
        deadline = time.monotonic() + seconds
        with self.calling(doing):
            made = self.api.exec_create(container_id, list(command), user=user)
            output = _printed_until(deadline, self.api.exec_start(made["Id"], stream=True))
            # The output ends a moment before the engine knows how the command did.
            while (status := self.api.exec_inspect(made["Id"])["ExitCode"]) is None:
                if time.monotonic() >= deadline:
                    raise EngineError(f"{doing}: no answer in {seconds:g} s; something in the container holds it up")
                time.sleep(_PAUSE)
            return int(status), output.decode("utf-8", "replace")

    def stop(self, container_id: str, seconds: int) -> None:
        """Ask the container to end; kill it after ``seconds``."""
        with self.calling(f"stopping container {container_id[:12]}"):
            self.api.stop(container_id, timeout=seconds)

    def pause(self, container_id: str) -> None:
        with self.calling(f"pausing container {container_id[:12]}"):
            self.api.pause(container_id)

    def unpause(self, container_id: str) -> None:
        with self.calling(f"unpausing container {container_id[:12]}"):
            self.api.unpause(container_id)

    def rename(self, container_id: str, name: str) -> None:
        with self.calling(f"renaming container {container_id[:12]} to {name}"):
            self.api.rename(container_id, name)

    def remove(self, container_id: str) -> None:
        """Remove a container, never a volume of it. One that is gone already is no error."""
        try:
            with self.calling(f"removing container {container_id[:12]}"):
                self.api.remove_container(container_id, v=False, force=True)
        except EngineError as error:
            if error.status != 404:
                raise

    def update(self, container_id: str, body: Mapping[str, Any]) -> None:
        """Change limits or the restart policy of a container as it runs.

        The SDK's own ``update_container`` knows neither NanoCpus nor PidsLimit (5.0.3 to 7.2), so the body is posted
        as it is.
        """
        with self.calling(f"updating container {container_id[:12]}"):
            url = self.api._url("/containers/{0}/update", container_id)
            self.api._raise_for_status(self.api._post_json(url, data=dict(body)))


def _unframed(output: bytes) -> bytes:
    """What was printed, without the head of 8 bytes before each piece: of a container that has no terminal."""
    pieces, at = [], 0
    while at + _FRAME_HEAD <= len(output):
        end = at + _FRAME_HEAD + int.from_bytes(output[at + 4 : at + _FRAME_HEAD], "big")
        pieces.append(output[at + _FRAME_HEAD : end])
        at = end
    return b"".join(pieces)


def _printed_until(deadline: float, chunks: Iterator[bytes]) -> bytes:
    """The last of what a stream has had until it ended, or until a moment of the monotonic clock.

    A thread reads it, and is left alone with it after that: not every connection's read can be given a time limit.
    """
    kept = bytearray()
    failed: list[Exception] = []

    def read() -> None:
        try:
            for chunk in chunks:
                kept.extend(chunk)
                del kept[:-_MOST_KEPT]
                if time.monotonic() >= deadline:
                    return
        except Exception as error:
            failed.append(error)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(max(0.0, deadline - time.monotonic()))
    if failed:
        raise failed[0]
    return bytes(kept)


def _no_answer(docker_host: str, error: BaseException) -> EngineError | EngineUnavailable:
    """Tell apart the three ways in which an engine stays silent: each wants something else done."""
    if isinstance(error, PermissionError) or "Permission denied" in str(error):
        return EngineError(
            f"This user may not use the engine at {docker_host}. Add the user to the group docker "
            "('usermod -aG docker USER', then log in again), or run the play with become."
        )
    if docker_host == DEFAULT_DOCKER_HOST:
        return EngineUnavailable(
            f"No Docker engine answers at {docker_host}. Start it ('systemctl start docker'), install one "
            "(role berth.projects.engine does both), or set docker_host.",
            need="engine",
        )
    return EngineError(
        f"No Docker engine answers at {docker_host} ({type(error).__name__}). Check docker_host or DOCKER_HOST, "
        "the TLS options, and that the engine runs."
    )


def _split_reference(reference: str) -> tuple[str, str | None]:
    """``name[:tag][@digest]`` as the pull call wants it: repository and tag or digest."""
    if "@" in reference:
        repository, digest = reference.split("@", 1)
        return repository, digest
    head, _slash, last = reference.rpartition("/")
    name, colon, tag = last.partition(":")
    return (f"{head}/{name}" if head else name), (tag if colon else "latest")


def _lines(chunks: Iterator[bytes]) -> Iterator[str]:
    """Cut a stream of chunks into lines."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace").rstrip("\r")
    if rest:
        yield rest.decode("utf-8", "replace")
