# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads a local engine through its socket with as little as that takes.

An unchanged run only reads, and most of its time is start-up. Importing the SDK takes 0.1 s, and http.client, which
brings ssl and email along, 0.01 s; a call takes 0.65 ms of CPU through the SDK, and 0.08 ms here (SDK 7.2, Python
3.11). So reading a local engine goes this way; everything that changes something, and every engine elsewhere, goes
through the SDK.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO
from urllib.parse import quote, urlencode

SCHEME = "unix://"


class SocketReader:
    """GET requests to an engine on this host. Each thread has a connection of its own, which it keeps.

    Args:
        docker_host: ``unix:///path/to/socket``.
        timeout: How long to wait for an answer, in seconds.
    """

    def __init__(self, docker_host: str, timeout: float) -> None:
        self._path = docker_host[len(SCHEME) :] or "/var/run/docker.sock"
        self._timeout = timeout
        self._own = threading.local()

    def api_version(self) -> str:
        """The newest version of the API that the engine speaks, which it says in every answer."""
        return self._exchange("/_ping").headers.get("api-version", "0")

    def get(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        """The status and the JSON body of the answer.

        Raises:
            OSError: Nothing answers on the socket, or it may not be used.
        """
        status, body = self.get_bytes(path, query)
        return status, json.loads(body) if body else None

    def get_bytes(self, path: str, query: dict[str, str]) -> tuple[int, bytes]:
        """The status and the body of the answer as it is."""
        answer = self._exchange(quote(path) + ("?" + urlencode(query) if query else ""))
        return answer.status, answer.body

    def _exchange(self, target: str) -> _Answer:
        kept: _Connection | None = getattr(self._own, "connection", None)
        self._own.connection = None  # until it has answered: what failed half-way is of no use any more
        connection, answer = kept, None
        if kept is not None:
            with suppress(ConnectionError):  # the engine has closed it while it was idle: ask on a new one
                answer = kept.ask(target)
        if connection is None or answer is None:
            connection = _Connection(self._path, self._timeout)
            answer = connection.ask(target)
        if answer.is_last:
            connection.close()
        else:
            self._own.connection = connection
        return answer


@dataclass(frozen=True)
class _Answer:
    """``headers`` by their names in small letters; ``is_last`` where the engine closes the connection after it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_last: bool


class _Connection:
    """HTTP/1.1 (RFC 9112), as far as the answer to a GET without a body goes."""

    def __init__(self, path: str, timeout: float) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout)
        self._socket.connect(path)
        self._stream = self._socket.makefile("rb")

    def close(self) -> None:
        self._stream.close()
        self._socket.close()

    def ask(self, target: str) -> _Answer:
        """Send one request and read the whole answer.

        Raises:
            ConnectionError: The connection has ended, or this is no HTTP.
            OSError: No answer within the time.
        """
        self._socket.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode("ascii"))
        try:
            return _read_answer(self._stream)
        except (ValueError, IndexError) as error:
            raise ConnectionError("no HTTP answer") from error


def _read_answer(stream: BinaryIO) -> _Answer:
    """Read an answer; ValueError or IndexError where it is none."""
    version, status = _line(stream).split(None, 2)[:2]
    if not version.startswith("HTTP/1."):
        raise ValueError("not HTTP")
    headers = _headers(stream)
    is_last = version == "HTTP/1.0" or headers.get("connection", "").lower() == "close"
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = _chunks(stream)
    elif "content-length" in headers:
        body = _exactly(stream, int(headers["content-length"]))
    elif int(status) in (204, 304):
        body = b""
    else:
        body, is_last = stream.read(), True  # it goes up to the end of the connection
    return _Answer(int(status), headers, body, is_last)


def _headers(stream: BinaryIO) -> dict[str, str]:
    headers = {}
    while line := _line(stream):
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError("no header")
        headers[name.lower()] = value.strip()
    return headers


def _chunks(stream: BinaryIO) -> bytes:
    chunks = []
    while size := int(_line(stream).partition(";")[0], 16):
        chunks.append(_exactly(stream, size))
        _line(stream)
    _headers(stream)  # those that may follow
    return b"".join(chunks)


def _line(stream: BinaryIO) -> str:
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise ConnectionError("the connection ended in the middle of an answer")
    return line.decode("latin-1").rstrip("\r\n")


def _exactly(stream: BinaryIO, size: int) -> bytes:
    body = stream.read(size)
    if len(body) != size:
        raise ConnectionError("the connection ended in the middle of an answer")
    return body
