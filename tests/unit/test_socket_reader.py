# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading an engine through its socket: a connection is kept, and an engine that closed it is asked anew."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.socket_reader import SocketReader


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


def test_a_socket_that_is_not_there_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        SocketReader(f"unix://{tmp_path}/nothing.sock", timeout=1).get("/info", {})
