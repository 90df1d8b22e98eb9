# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As much of HTTP/1.1 as a proxy in front of an engine needs: heads, bodies, and streams that go both ways."""

from __future__ import annotations

import re
import select
import socket as sockets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedReader
from threading import Thread
from typing import cast
from urllib.parse import parse_qs, urlsplit

Send = Callable[[bytes], object]

_PIECE = 65536
_VERSION = re.compile(r"^/v\d+\.\d+(?=/)")
_STREAMS = ("application/vnd.docker.raw-stream", "application/vnd.docker.multiplexed-stream")
# What stands in a path for a name or an id. Names of images have slashes.
_PATTERNS = (
    (re.compile(r"^/images/(?!create$|json$|load$|get$|prune$|search$)(.+?)(/(json|history|tag|push|get))?$"),
     r"/images/{name}\2"),
    (re.compile(r"^/distribution/(.+)/json$"), "/distribution/{name}/json"),
    (re.compile(r"^/containers/(?!create$|json$|prune$)([^/]+)"), "/containers/{id}"),
    (re.compile(r"^/volumes/(?!create$|prune$)([^/]+)"), "/volumes/{name}"),
    (re.compile(r"^/networks/(?!create$|prune$)([^/]+)"), "/networks/{id}"),
    (re.compile(r"^/exec/([^/]+)"), "/exec/{id}"),
)  # fmt: skip


@dataclass(frozen=True)
class Wire:
    """One end of a connection: a socket, and a reader that may have read ahead of what was asked for."""

    socket: sockets.socket
    reader: BufferedReader

    @classmethod
    def of(cls, sock: sockets.socket) -> Wire:
        return cls(sock, cast(BufferedReader, sock.makefile("rb")))

    @classmethod
    def to(cls, path: str) -> Wire:
        sock = sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM)
        sock.connect(path)
        return cls.of(sock)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def wait_for_end(self) -> None:
        """Read and drop all that comes, until the other side has closed or is dead."""
        with suppress(OSError):
            while self.reader.read1(_PIECE):
                pass

    def hang_up(self) -> None:
        """End both ways now, also for a thread that reads from it."""
        with suppress(OSError):
            self.socket.shutdown(sockets.SHUT_RDWR)

    def close(self) -> None:
        self.hang_up()
        with suppress(OSError):
            self.reader.close()
        self.socket.close()


@dataclass(frozen=True)
class Head:
    """The first line and the headers of a request or an answer."""

    raw: bytes
    first: tuple[str, ...]
    headers: dict[str, str]

    @property
    def call(self) -> str:
        """A request as a key: ``POST /containers/{id}/stop``, without names, ids, version and query."""
        path = _VERSION.sub("", urlsplit(self.first[1]).path)
        for pattern, plain in _PATTERNS:
            path = pattern.sub(plain, path)
        return f"{self.first[0]} {path}"

    @property
    def follows(self) -> bool:
        """Whether a request asks for a stream that may never end."""
        target = urlsplit(self.first[1])
        asked = parse_qs(target.query)
        wanted = {word for key in ("follow", "stream") for word in asked.get(key, [])}
        return target.path.endswith("/events") or (
            target.path.endswith(("/logs", "/stats")) and bool(wanted & {"1", "true", "True"})
        )

    @property
    def status(self) -> int:
        return int(self.first[1])

    @property
    def is_chunked(self) -> bool:
        return "chunked" in self.headers.get("transfer-encoding", "").lower()

    @property
    def length(self) -> int | None:
        length = self.headers.get("content-length")
        return None if length is None else int(length)

    @property
    def closes(self) -> bool:
        return self.headers.get("connection", "").lower() == "close"

    def has_no_body(self, method: str) -> bool:
        return method == "HEAD" or self.status in (204, 304)

    @property
    def is_tunnel(self) -> bool:
        """Whether an answer turns the connection into a stream of the container's."""
        is_stream = self.headers.get("content-type", "") in _STREAMS
        return self.status == 101 or (is_stream and not self.is_chunked and self.length is None)

    def without(self, *names: str) -> bytes:
        """The head as it was, but for some headers."""
        lines = self.raw.split(b"\r\n")
        return b"\r\n".join(line for line in lines if line.split(b":")[0].decode("latin-1").lower() not in names)


def read_head(wire: Wire) -> Head | None:
    """The next head; None if the other side has closed."""
    lines = []
    while (line := wire.reader.readline()) not in (b"\r\n", b""):
        lines.append(line)
    if not lines or not line:
        return None
    pairs = (text.decode("latin-1").partition(":") for text in lines[1:])
    headers = {name.strip().lower(): value.strip() for name, _colon, value in pairs}
    return Head(b"".join(lines) + b"\r\n", tuple(lines[0].decode("latin-1").split(maxsplit=2)), headers)


def pass_body(head: Head, source: Wire, send: Send, to_the_end: bool = False) -> None:
    """Hand a body on as it comes, chunks and all.

    Args:
        to_the_end: What a body without a length means: it goes on until the other side closes, or there is none.

    Raises:
        ConnectionError: It ended half-way.
    """
    if head.is_chunked:
        while size := _pass_chunk(source, send):
            _pass_bytes(source, size + len(b"\r\n"), send)
    elif head.length is not None:
        _pass_bytes(source, head.length, send)
    elif to_the_end:
        while data := source.reader.read1(_PIECE):
            send(data)


def _pass_chunk(source: Wire, send: Send) -> int:
    """Hand on the line that says how long a chunk is; after the last chunk, all that is left."""
    line = source.reader.readline()
    if not line:
        raise ConnectionError("the body ended half-way")
    send(line)
    size = int(line.split(b";")[0], 16)
    while size == 0 and line not in (b"\r\n", b""):
        line = source.reader.readline()
        send(line)
    return size


def _pass_bytes(source: Wire, count: int, send: Send) -> None:
    while count:
        data = source.reader.read1(min(count, _PIECE))
        if not data:
            raise ConnectionError("the body ended half-way")
        send(data)
        count -= len(data)


def tunnel(one: Wire, other: Wire) -> None:
    """Hand on everything both ways, until both sides have ended or one has gone."""
    there = Thread(target=_pass_stream, args=(one, other), daemon=True)
    there.start()
    _pass_stream(other, one)
    there.join()


def _pass_stream(source: Wire, target: Wire) -> None:
    with suppress(OSError, ValueError):
        while data := source.reader.read1(_PIECE):
            target.send(data)
    if _is_gone(source):
        source.hang_up()
        target.hang_up()
    else:  # it may still read: what an exec with an input does
        with suppress(OSError):
            target.socket.shutdown(sockets.SHUT_WR)


def _is_gone(wire: Wire) -> bool:
    """Whether the other side has closed altogether, and not only said that it sends no more."""
    poll = select.poll()
    try:
        poll.register(wire.socket, 0)
    except ValueError:  # closed on this side
        return True
    return any(event & (select.POLLHUP | select.POLLERR) for _fd, event in poll.poll(0))
