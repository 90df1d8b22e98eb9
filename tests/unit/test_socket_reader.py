# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading an engine through its socket: a connection is kept, and an engine that closed it is asked anew."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.socket_reader import SocketReader

RAW = {
    "/chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'4\r\n[1, \r\nA;x=y\r\n2, "three"\r\n1\r\n]\r\n0\r\n\r\n',
    "/to-the-end": b"HTTP/1.1 200 OK\r\nAPI-VERSION: 1.45\r\n\r\n[1, 2]",
    "/old": b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\n[1, 2]",
    "/nothing": b"HTTP/1.1 204 No Content\r\n\r\n",
    "/close": b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 6\r\n\r\n[1, 2]",
    "/cut-body": b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n[1, 2]",
    "/cut-chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n[1, 2]",
    "/cut-headers": b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n",
    "/no-chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nsize\r\n[1, 2]",
    "/no-status": b"HTTP/1.1\r\n\r\n",
    "/no-number": b"HTTP/1.1 fine OK\r\nContent-Length: 0\r\n\r\n",
    "/no-header": b"HTTP/1.1 200 OK\r\nheader\r\n\r\n",
    "/silence": b"",
}
"""Answers as they are on the wire; the connection ends after each."""


class FakeEngine(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Answers each GET with its path, and closes the connection after an answer to ``/last``."""

    daemon_threads = True
    connections = 0
    garbled = False

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        super().process_request(request, client_address)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        assert isinstance(self.server, FakeEngine)
        if self.server.garbled:
            self.wfile.write(b"this is not HTTP\r\n\r\n")
            self.close_connection = True
            return
        body = json.dumps({"path": self.path}).encode()
        if self.path in RAW:
            self.wfile.write(RAW[self.path])
            self.close_connection = True
            return
        self.send_response(404 if self.path.startswith("/missing") else 200)
        self.send_header("Api-Version", "1.45")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        # Without a word to the client, as a daemon does with a connection that was idle too long.
        self.close_connection = self.path == "/last"

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[FakeEngine]:
    with FakeEngine(str(tmp_path / "engine.sock"), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def reader(engine: FakeEngine) -> SocketReader:
    return SocketReader(f"unix://{engine.server_address}", timeout=5)


def test_an_answer_is_its_status_and_its_json(reader: SocketReader) -> None:
    assert reader.get("/containers/json", {"all": "1"}) == (200, {"path": "/containers/json?all=1"})
    assert reader.get("/missing", {}) == (404, {"path": "/missing"})


def test_what_is_asked_is_escaped(reader: SocketReader) -> None:
    assert reader.get("/images/a b?c/json", {"ps_args": "-eo pid,args"})[1] == {
        "path": "/images/a%20b%3Fc/json?ps_args=-eo+pid%2Cargs"
    }


def test_the_engine_says_its_version_in_every_answer(reader: SocketReader) -> None:
    assert reader.api_version() == "1.45"


def test_a_connection_is_kept(reader: SocketReader, engine: FakeEngine) -> None:
    for _attempt in range(3):
        reader.get("/info", {})
    assert engine.connections == 1


def test_a_connection_that_the_engine_closed_is_made_anew(reader: SocketReader, engine: FakeEngine) -> None:
    reader.get("/last", {})
    assert reader.get("/info", {}) == (200, {"path": "/info"})
    assert engine.connections == 2


def test_no_http_is_an_error_of_the_connection(reader: SocketReader, engine: FakeEngine) -> None:
    engine.garbled = True
    with pytest.raises(ConnectionError):
        reader.get("/info", {})


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/chunked", (200, [1, 2, "three"])),
        ("/to-the-end", (200, [1, 2])),
        ("/old", (200, [1, 2])),
        ("/nothing", (204, None)),
        ("/close", (200, [1, 2])),
    ],
)
def test_an_answer_may_come_in_any_form_that_http_has_for_it(
    reader: SocketReader, path: str, answer: tuple[int, Any]
) -> None:
    assert reader.get(path, {}) == answer
    assert reader.get("/info", {}) == (200, {"path": "/info"})


@pytest.mark.parametrize("path", [path for path in RAW if path.startswith(("/cut-", "/no-", "/silence"))])
@pytest.mark.parametrize("is_kept", [True, False])
def test_half_an_answer_is_never_taken_for_a_whole_one(reader: SocketReader, path: str, is_kept: bool) -> None:
    if is_kept:
        reader.get("/info", {})
    with pytest.raises(ConnectionError):
        reader.get(path, {})
    assert reader.get("/info", {}) == (200, {"path": "/info"})


def test_an_engine_that_takes_too_long_is_not_waited_for(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "silent.sock"))
        silent.listen()
        with pytest.raises(TimeoutError):
            SocketReader(f"unix://{tmp_path}/silent.sock", timeout=0.05).get("/info", {})


def test_a_socket_that_is_not_there_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        SocketReader(f"unix://{tmp_path}/nothing.sock", timeout=1).get("/info", {})
