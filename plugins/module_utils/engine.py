# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one door to Docker: every call to an engine goes through this file, and only this file imports the SDK."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.connection import DEFAULT_DOCKER_HOST, tls_files
from ansible_collections.berth.projects.plugins.module_utils.errors import EngineError, EngineUnavailable

try:
    import docker
    from docker.errors import APIError, DockerException, TLSParameterError
    from docker.tls import TLSConfig
    from requests.exceptions import RequestException

    HAS_DOCKER_SDK = True
except ImportError:
    HAS_DOCKER_SDK = False

OLDEST_API = (1, 41)  # Docker 20.10


class Engine:
    """A Docker daemon.

    Bodies and answers are those of the Docker Engine API, as plain dicts. Every method raises EngineError, with what
    was being done and what the engine said.
    """

    def __init__(self, api: Any, docker_host: str) -> None:
        self.api = api
        self.docker_host = docker_host
        self._info: dict[str, Any] | None = None

    @classmethod
    def connect(cls, params: Mapping[str, Any]) -> Engine:
        """Open a connection and check that the engine answers and is new enough.

        Args:
            params: A module's parameters, with those of ``CONNECTION_ARGS``.

        Raises:
            EngineUnavailable: There is no SDK, or nothing answers on the local socket.
            EngineError: There is an engine, but it may not be used, is too old, or is elsewhere and silent.
        """
        docker_host = params["docker_host"]
        if not HAS_DOCKER_SDK:
            raise EngineUnavailable(
                f"The Docker SDK for Python cannot be imported by {sys.executable}. Install it for that Python: "
                "the package python3-docker on Debian and Ubuntu, or 'pip install docker'; "
                "or let role berth.projects.engine do it.",
                need="sdk",
            )
        try:
            api = docker.APIClient(
                base_url=_base_url(docker_host, params),
                version=params["api_version"] or "auto",
                timeout=params["timeout"],
                tls=_tls(params),
                use_ssh_client=docker_host.startswith("ssh://"),
                max_pool_size=64,
            )
            if params["api_version"] not in (None, "", "auto"):
                api.version()
        except TLSParameterError as error:
            raise EngineError(f"The TLS options for the engine at {docker_host} do not fit: {error}") from error
        except (DockerException, RequestException, OSError) as error:
            raise _no_answer(docker_host, error) from error
        spoken = tuple(int(part) for part in api.api_version.split("."))
        if spoken < OLDEST_API:
            raise EngineError(
                f"The engine at {docker_host} speaks API {api.api_version}; Berth needs 1.41 (Docker 20.10) or newer. "
                "Upgrade the engine, or point docker_host at a newer one."
            )
        return cls(api, docker_host)

    @contextmanager
    def calling(self, doing: str) -> Iterator[None]:
        """Turn the SDK's errors into EngineError: ``<doing>: <what the engine said>``."""
        try:
            yield
        except APIError as error:
            said = error.explanation or str(error)
            raise EngineError(f"{doing}: the engine said: {said}", error.status_code) from error
        except (DockerException, RequestException, OSError) as error:
            why = type(error).__name__
            raise EngineError(f"{doing}: no answer from the engine at {self.docker_host} ({why})") from error

    # Reading the world

    def containers(self) -> list[dict[str, Any]]:
        """Every container, running or not, as ``GET /containers/json`` lists it."""
        with self.calling("listing containers"):
            answer: list[dict[str, Any]] = self.api.containers(all=True)
            return answer

    def images(self) -> list[dict[str, Any]]:
        """Every image that is not an intermediate one, as ``GET /images/json`` lists it."""
        with self.calling("listing images"):
            answer: list[dict[str, Any]] = self.api.images()
            return answer

    def container(self, name_or_id: str) -> dict[str, Any] | None:
        """One container as ``GET /containers/{id}/json`` shows it, or None when there is none."""
        return self._inspect("container", name_or_id, self.api.inspect_container)

    def image(self, reference: str) -> dict[str, Any] | None:
        """One image as ``GET /images/{name}/json`` shows it, or None when there is none."""
        return self._inspect("image", reference, self.api.inspect_image)

    def _inspect(self, kind: str, name: str, call: Any) -> dict[str, Any] | None:
        try:
            with self.calling(f"inspecting {kind} {name}"):
                answer: dict[str, Any] = call(name)
                return answer
        except EngineError as error:
            if error.status == 404:
                return None
            raise

    def info(self) -> dict[str, Any]:
        """What the engine says of itself and its host (``GET /info``); asked once a connection."""
        if self._info is None:
            with self.calling("asking the engine about its host"):
                self._info = self.api.info()
        return self._info

    def processes(self, container_id: str) -> list[str]:
        """The command lines that run in a container, without its init."""
        with self.calling(f"listing the processes of container {container_id[:12]}"):
            answer = self.api.top(container_id, "-eo pid,args")
        return [row[-1] for row in answer.get("Processes") or []]

    # Changing it

    def pull(self, reference: str) -> None:
        repository, tag = _split_reference(reference)
        with self.calling(f"pulling image {reference}"):
            self.api.pull(repository, tag=tag)

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
            yield from _lines(stream)
        finally:
            watchdog.cancel()
            stream.close()

    def stop(self, container_id: str, seconds: int) -> None:
        """Ask the container to end; kill it after ``seconds``."""
        with self.calling(f"stopping container {container_id[:12]}"):
            self.api.stop(container_id, timeout=seconds)

    def unpause(self, container_id: str) -> None:
        with self.calling(f"unpausing container {container_id[:12]}"):
            self.api.unpause(container_id)

    def rename(self, container_id: str, name: str) -> None:
        with self.calling(f"renaming container {container_id[:12]} to {name}"):
            self.api.rename(container_id, name)

    def remove(self, container_id: str) -> None:
        """Remove a container, never a volume of it."""
        with self.calling(f"removing container {container_id[:12]}"):
            self.api.remove_container(container_id, v=False, force=True)

    def update(self, container_id: str, body: Mapping[str, Any]) -> None:
        """Change limits or the restart policy of a container as it runs.

        The SDK's own ``update_container`` knows neither NanoCpus nor PidsLimit (5.0.3 to 7.2), so the body is posted
        as it is.
        """
        with self.calling(f"updating container {container_id[:12]}"):
            url = self.api._url("/containers/{0}/update", container_id)
            self.api._raise_for_status(self.api._post_json(url, data=dict(body)))

    def connect_network(self, network: str, container_id: str) -> None:
        with self.calling(f"connecting container {container_id[:12]} to network {network}"):
            self.api.connect_container_to_network(container_id, network)


def _base_url(docker_host: str, params: Mapping[str, Any]) -> str:
    if docker_host.startswith("tcp://") and (params["tls"] or params["validate_certs"]):
        return "https://" + docker_host[len("tcp://") :]
    return docker_host


def _tls(params: Mapping[str, Any]) -> Any:
    if not (params["tls"] or params["validate_certs"]):
        return False
    files = tls_files(params)
    pair = (files["cert"], files["key"]) if files["cert"] and files["key"] else None
    return TLSConfig(client_cert=pair, ca_cert=files["ca"], verify=bool(params["validate_certs"]))


def _no_answer(docker_host: str, error: BaseException) -> EngineError | EngineUnavailable:
    """Tell apart the three ways in which an engine stays silent: each wants something else done."""
    text = str(error)
    if "Permission denied" in text or "PermissionError" in text:
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
