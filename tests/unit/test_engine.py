# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an engine's answers mean, where more than one thing can be read from them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from threading import Event, Lock
from typing import Any
from unittest.mock import Mock

import docker.errors
import pytest
import requests
from ansible_collections.berth.projects.plugins.module_utils import engine as engine_module
from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.errors import EngineError

PARAMS = {"docker_host": "tcp://nowhere:1", "api_version": "auto", "timeout": 1}
SINCE = "2026-01-02T03:04:05.678901234Z"
LINE = "berth: ready"


def engine_that(api: Any = None, reader: Any = None) -> Engine:
    """An engine without a connection, read through ``reader`` if there is one, else through ``api``."""
    engine = Engine.__new__(Engine)
    vars(engine).update(docker_host="unix:///s", _reader=reader, _prefix="/v1.41", _client=api, _client_lock=Lock())
    return engine


def frame(text: bytes) -> bytes:
    """A piece of output as the engine sends it."""
    return b"\x01\x00\x00\x00" + len(text).to_bytes(4, "big") + text


OUTPUTS = [
    (200, frame(b"berth: ready\n"), True),
    (200, frame(b"berth: warning: It is dark.\n") + frame(b"berth: ready\n"), True),
    (200, b"", False),
    (200, frame(b"berth: error: It is dark.\n"), False),
    (200, frame(b"berth: ready soon\n"), False),
    (500, b'{"message": "configured logging driver does not support reading"}', True),
]


@pytest.mark.parametrize(("status", "output", "printed"), OUTPUTS)
def test_a_line_is_looked_for_in_the_output_since_a_start(status: int, output: bytes, printed: bool) -> None:
    reader = Mock()
    reader.get_bytes.return_value = (status, output)
    assert engine_that(reader=reader).has_printed("c0ffee", LINE, SINCE) is printed
    query = {"stdout": "1", "since": "1767323045.678901234"}
    reader.get_bytes.assert_called_once_with("/v1.41/containers/c0ffee/logs", query)


@pytest.mark.parametrize(("status", "output", "printed"), OUTPUTS)
def test_and_through_the_sdk_too(status: int, output: bytes, printed: bool) -> None:
    api = Mock()
    api._url.side_effect = "/v1.41{}".format
    api._get.return_value = Mock(status_code=status, content=output)
    assert engine_that(api).has_printed("c0ffee", LINE, "2026-01-02T03:04:05Z") is printed
    query = {"stdout": "1", "since": "1767323045.0"}
    api._get.assert_called_once_with("/v1.41/containers/c0ffee/logs", params=query)


def test_a_pull_that_fails_along_the_way_is_a_failure() -> None:
    api = Mock()
    api.pull.return_value = iter([{"status": "Pulling"}, {"error": "no space left on device"}, {"status": "x"}])
    with pytest.raises(EngineError, match=r"^pulling image tool:1: the engine said: no space left on device$"):
        engine_that(api).pull("tool:1")
    api.pull.assert_called_once_with("tool", tag="1", stream=True, decode=True)


def test_a_pull_is_heard_to_its_end() -> None:
    events = iter([{"status": "Pulling"}, {"status": "Done"}])
    api = Mock()
    api.pull.return_value = events
    engine_that(api).pull("tool:1")
    assert list(events) == []


# The first connection: the SDK's client asks for the engine's version when it is made


def no_answer() -> Exception:
    return requests.exceptions.ConnectionError("Connection refused")


def refusal() -> Exception:
    response = Mock(status_code=500, reason="x")
    return docker.errors.APIError("500 Server Error", response, explanation="shutting down")


@pytest.mark.parametrize(
    ("failure", "told"),
    [(no_answer, r"no answer from the engine at tcp://nowhere:1 \(ConnectionError\)"), (refusal, "shutting down")],
)
def test_a_first_connection_that_fails_is_the_engines_failure(
    monkeypatch: pytest.MonkeyPatch, failure: Callable[[], Exception], told: str
) -> None:
    monkeypatch.setattr(engine_module, "sdk_client", Mock(side_effect=failure()))
    with pytest.raises(EngineError, match=f"^connecting to the engine: .*{told}"):
        assert Engine(PARAMS).api is not None


def test_a_first_connection_that_fails_within_a_call_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "sdk_client", Mock(side_effect=no_answer()))
    with pytest.raises(EngineError, match=r"^connecting to the engine: no answer") as told:
        Engine(PARAMS).containers()
    assert "listing" not in told.value.msg


def test_a_bug_while_connecting_is_not_taken_for_the_engines_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "sdk_client", Mock(side_effect=ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        assert Engine(PARAMS).api is not None


def test_a_connection_is_made_once_and_again_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Mock()
    made = Mock(side_effect=[no_answer(), client])
    monkeypatch.setattr(engine_module, "sdk_client", made)
    engine = Engine(PARAMS)
    with pytest.raises(EngineError):
        assert engine.api is not None
    assert engine.api is engine.api is client and made.call_count == 2


# A command in a container: whoever is in there may hold it up


def api_that_runs(output: Iterable[bytes], *codes: int | None) -> Mock:
    """A client whose command prints this, and whose exit status is asked for as often as there are codes."""
    api = Mock()
    api.exec_create.return_value = {"Id": "e"}
    api.exec_start.return_value = iter(output)
    api.exec_inspect.side_effect = [{"ExitCode": code} for code in codes]
    return api


def test_a_command_is_heard_to_its_end_and_its_exit_status_waited_for() -> None:
    api = api_that_runs([b"one\n", b"tw\xc3"], None, 3)
    assert engine_that(api).run("c0ffee", ["/x", "y"], "agent", 60) == (3, "one\ntw\ufffd")
    api.exec_create.assert_called_once_with("c0ffee", ["/x", "y"], user="agent")


@pytest.mark.parametrize("words", [[], [b"wait"]])
def test_a_command_that_is_held_up_is_not_waited_for_for_ever(words: list[bytes]) -> None:
    released = Event()

    def stopped() -> Iterator[bytes]:
        yield from words
        released.wait(30)

    try:
        with pytest.raises(EngineError, match=r"^running /x in container c0ffee: no answer in 0\.1 s"):
            engine_that(api_that_runs(stopped(), None)).run("c0ffee", ["/x"], "agent", 0.1)
    finally:
        released.set()


def test_a_command_that_prints_without_end_is_neither_kept_nor_waited_for() -> None:
    with pytest.raises(EngineError, match=r"no answer in 0\.1 s"):
        engine_that(api_that_runs(itertools.repeat(bytes(4096)), None)).run("c0ffee", ["/x"], "agent", 0.1)
    lines = (b"%d\n" % number for number in range(200_000))
    status, output = engine_that(api_that_runs(lines, 0)).run("c0ffee", ["/x"], "agent", 60)
    assert (status, len(output), output[-7:]) == (0, 1024 * 1024, "199999\n")


def test_a_connection_that_breaks_while_a_command_runs_is_the_engines_failure() -> None:
    def broken() -> Iterator[bytes]:
        yield b"one"
        raise ConnectionResetError

    with pytest.raises(EngineError, match=r"no answer from the engine at unix:///s \(ConnectionResetError\)"):
        engine_that(api_that_runs(broken())).run("c0ffee", ["/x"], "agent", 60)
