# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fault proxy hands everything on as it is, and makes just the call go wrong that it is told to."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any, Callable

import docker
import docker.errors
import pytest
import requests
from engine_names import Namespace
from fault_http import Head
from fault_proxy import Call, Fault, FaultProxy
from image_box import Box

PING = Call("GET /_ping")
LIST = Call("GET /containers/json")


@pytest.fixture
def proxy(engine: None) -> Iterator[FaultProxy]:
    made = FaultProxy("/var/run/docker.sock")
    yield made
    made.close()


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator[Any]:
    made = docker.APIClient(base_url=proxy.docker_host, version="1.41", timeout=2)
    yield made
    made.close()


@pytest.fixture
def running(box: Callable[..., Box]) -> str:
    """The id of a container that is ready."""
    made = box()
    made.start()
    return str(made.id)


class TestWhatIsHandedOn:
    def test_answers_and_the_engines_own_errors(self, client: Any, api: Any, tiny: str) -> None:
        assert client.inspect_image(tiny) == api.inspect_image(tiny)
        with pytest.raises(docker.errors.NotFound, match="No such container: nothing-of-the-kind"):
            client.inspect_container("nothing-of-the-kind")

    def test_a_body_in_chunks_and_one_of_known_length(self, client: Any, namespace: Namespace, tiny: str) -> None:
        content = b"".join(client.get_image(tiny))
        assert len(content) > 1_000_000
        assert "Loaded image" in "".join(event.get("stream", "") for event in client.load_image(content))
        pieces = (content[start : start + 100_000] for start in range(0, len(content), 100_000))
        assert "Loaded image" in "".join(event.get("stream", "") for event in client.load_image(pieces))

    def test_a_containers_output_as_it_comes(self, client: Any, running: str) -> None:
        output = b"".join(client.logs(running, stream=True, follow=False))
        assert b"berth: ready" in output

    def test_a_stream_that_goes_both_ways(self, proxy: FaultProxy, client: Any, running: str) -> None:
        execution = client.exec_create(running, ["cat"], stdin=True)
        stream = client.exec_start(execution["Id"], socket=True)
        stream._sock.sendall(b"there and back\n")
        assert stream.read(8 + 15)[8:] == b"there and back\n"
        stream._response.close()
        stream.close()
        with proxy.watching():  # waits until the tunnel has ended
            pass


class TestACallGoesWrong:
    def test_by_an_error(self, proxy: FaultProxy, client: Any) -> None:
        with proxy.watching(Fault(LIST, "error")) as watch:
            with pytest.raises(docker.errors.APIError, match="told to fail here"):
                client.containers()
            client.containers()
        assert watch.met
        assert [str(call) for call in watch.calls] == ["GET /containers/json", "GET /containers/json #2"]

    def test_by_silence(self, proxy: FaultProxy, client: Any) -> None:
        with proxy.watching(Fault(LIST, "timeout")), pytest.raises(requests.exceptions.ReadTimeout):
            client.containers()

    def test_before_the_engine_has_acted(self, proxy: FaultProxy, client: Any, running: str, api: Any) -> None:
        fault = Fault(Call("POST /containers/{id}/pause"), "cut-before")
        with proxy.watching(fault), pytest.raises(requests.exceptions.ConnectionError):
            client.pause(running)
        assert not api.inspect_container(running)["State"]["Paused"]

    def test_after_the_engine_has_acted(self, proxy: FaultProxy, client: Any, running: str, api: Any) -> None:
        fault = Fault(Call("POST /containers/{id}/pause"), "cut-after")
        with proxy.watching(fault), pytest.raises(requests.exceptions.ConnectionError):
            client.pause(running)
        assert api.inspect_container(running)["State"]["Paused"]

    def test_and_every_one_after_it(self, proxy: FaultProxy, client: Any) -> None:
        with proxy.watching(Fault(LIST, "away")):
            assert client.ping()
            for ask in (client.containers, client.ping):
                with pytest.raises(requests.exceptions.ConnectionError):
                    ask()
        assert client.ping()

    @pytest.mark.parametrize("kind", ["kill-before", "kill-after"])
    def test_by_the_death_of_who_asked(self, proxy: FaultProxy, kind: str) -> None:
        script = "import docker, sys; docker.APIClient(base_url=sys.argv[1], version='1.41').ping()"
        with proxy.watching(Fault(PING, kind)) as watch:
            ended = subprocess.run([sys.executable, "-c", script, proxy.docker_host], check=False)
        assert (ended.returncode, watch.met) == (-signal.SIGKILL, True)


@pytest.mark.parametrize(
    ("target", "key"),
    [
        ("GET /v1.41/containers/berth-a/json?size=1", "GET /containers/{id}/json"),
        ("GET /containers/json?all=1", "GET /containers/json"),
        ("POST /v1.50/containers/create?name=x", "POST /containers/create"),
        ("GET /v1.41/images/berth/one:latest/json", "GET /images/{name}/json"),
        ("POST /v1.41/images/json:1/tag", "POST /images/{name}/tag"),
        ("DELETE /v1.41/images/berth/one:latest", "DELETE /images/{name}"),
        ("POST /v1.41/images/load", "POST /images/load"),
        ("DELETE /v1.41/volumes/berth-a-home", "DELETE /volumes/{name}"),
        ("POST /v1.41/networks/bridge/connect", "POST /networks/{id}/connect"),
        ("POST /v1.41/exec/abc/start", "POST /exec/{id}/start"),
    ],
)
def test_a_call_is_known_by_what_it_does(target: str, key: str) -> None:
    assert Head(b"", (*target.split(), "HTTP/1.1"), {}).call == key


def test_calls_that_are_made_side_by_side_are_all_noted(proxy: FaultProxy, client: Any) -> None:
    with proxy.watching() as watch:
        threads = [threading.Thread(target=client.ping) for _number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(call.occurrence for call in watch.calls) == list(range(1, 9))
