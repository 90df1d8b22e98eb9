# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A proxy in front of the engine's socket that notes each call, and can make one of them go wrong."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import struct
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition, Thread

from fault_http import Head, Send, Wire, pass_body, read_head, tunnel

KINDS = {
    "error": "the engine answers with an error (500) and does nothing",
    "timeout": "no answer comes, and the engine does nothing",
    "cut-before": "the connection is cut before the engine is asked",
    "cut-after": "the connection is cut after the engine has acted, without its answer",
    "kill-before": "the module is killed (SIGKILL) before the engine is asked",
    "kill-after": "the module is killed (SIGKILL) after the engine has acted, without its answer",
    "away": "the connection is cut before the engine is asked, and so is every later one of the run",
}
"""What can go wrong with a call."""

_AFTER = ("cut-after", "kill-after")
_REFUSAL = b'{"message":"fault: the engine was told to fail here"}'
_PATIENCE = 60  # seconds for what the engine still does when a run has ended


@dataclass(frozen=True, order=True)
class Call:
    """One call of a run: ``POST /containers/{id}/stop`` and which of those it is, from 1."""

    key: str
    occurrence: int = 1

    @property
    def changes(self) -> bool:
        """Whether it is there to change something; attaching only listens."""
        return not self.key.startswith(("GET ", "HEAD ")) and not self.key.endswith("/attach")

    def __str__(self) -> str:
        return self.key if self.occurrence == 1 else f"{self.key} #{self.occurrence}"


@dataclass(frozen=True)
class Fault:
    """What is to go wrong: one of KINDS, at one call."""

    call: Call
    kind: str

    def __str__(self) -> str:
        return f"{self.kind} at {self.call}"


@dataclass
class Watch:
    """What went through the proxy during one run.

    Args:
        calls: In the order in which they came.
        met: Whether the fault's call was made.
    """

    fault: Fault | None = None
    calls: list[Call] = field(default_factory=list)
    met: bool = False
    counts: Counter[str] = field(default_factory=Counter)

    def note(self, key: str) -> str | None:
        """Count a call; the kind of what is to go wrong with it, or None."""
        self.counts[key] += 1
        call = Call(key, self.counts[key])
        self.calls.append(call)
        if self.fault is None:
            return None
        if self.met and self.fault.kind == "away":
            return "away"
        if call != self.fault.call:
            return None
        self.met = True
        return self.fault.kind


class FaultProxy:
    """Listens on a socket of its own until ``close``.

    Args:
        engine: The path of the engine's socket.
    """

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self._folder = Path(tempfile.mkdtemp(prefix="berth-faults-"))  # a socket's path must be short
        self._watch = Watch()
        self._state = Condition()
        self._busy = 0
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self._folder / "engine.sock"))
        self._listener.listen(64)
        Thread(target=self._accept, daemon=True).start()

    @property
    def docker_host(self) -> str:
        return f"unix://{self._folder}/engine.sock"

    @contextmanager
    def watching(self, fault: Fault | None = None) -> Iterator[Watch]:
        """Note the calls of one run and let one go wrong; at the end, wait for what the engine is still doing."""
        with self._state:
            self._watch = watch = Watch(fault)
        yield watch
        with self._state:
            self._watch = Watch()
            if not self._state.wait_for(lambda: self._busy == 0, _PATIENCE):
                raise AssertionError(f"the engine is still busy {_PATIENCE} s after the run with {fault}")

    def close(self) -> None:
        self._listener.close()
        shutil.rmtree(self._folder)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                Thread(target=self._serve, args=(Wire.of(client),), daemon=True).start()

    def _serve(self, client: Wire) -> None:
        """One connection of the module's: requests one after the other."""
        try:
            with suppress(OSError):
                while (request := read_head(client)) and self._counted(client, request):
                    pass
        finally:
            client.close()

    def _counted(self, client: Wire, request: Head) -> bool:
        with self._state:
            self._busy += 1
            kind = self._watch.note(request.call)
        try:
            return self._exchange(client, request, kind)
        finally:
            with self._state:
                self._busy -= 1
                self._state.notify_all()

    def _exchange(self, client: Wire, request: Head, kind: str | None) -> bool:
        """Serve one request; whether the connection can be used for another."""
        if kind is None or kind in _AFTER:
            upstream = Wire.to(self._engine)
            try:
                return _Exchange(client, upstream, request, kind).run()
            finally:
                upstream.close()
        if kind == "error":
            return _refuse(client, request)
        if kind == "timeout":
            client.wait_for_end()
        if kind == "kill-before":
            kill_peer(client)
        return False


class _Exchange:
    """One request that the engine is asked, and its answer, which may never reach the module."""

    def __init__(self, client: Wire, upstream: Wire, request: Head, kind: str | None) -> None:
        self._client = client
        self._upstream = upstream
        self._request = request
        self._kind = kind
        self._send: Send = client.send if kind is None else _drop

    def run(self) -> bool:
        body = self._ask()
        answer = self._answer_head()
        if answer is None:
            return False
        if answer.is_tunnel or (self._kind and self._request.follows):
            body.join()
            if self._kind is None:
                tunnel(self._client, self._upstream)
            return self._finish(False)
        if not answer.has_no_body(self._request.first[0]):
            pass_body(answer, self._upstream, self._send, to_the_end=True)
        body.join(timeout=1)  # the engine may have answered without reading all
        has_end = answer.is_chunked or answer.length is not None or answer.has_no_body(self._request.first[0])
        return self._finish(has_end and not body.is_alive() and not answer.closes and not self._request.closes)

    def _ask(self) -> Thread:
        """Hand the request on; its body in a thread, because the engine may answer while it still reads."""
        if "expect" in self._request.headers:
            self._client.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._upstream.send(self._request.without("expect"))
        body = Thread(target=self._pass_request_body, daemon=True)
        body.start()
        return body

    def _pass_request_body(self) -> None:
        try:
            pass_body(self._request, self._client, self._upstream.send)
        except OSError:  # the module has given up half-way: the engine would wait for the rest
            with suppress(OSError):
                self._upstream.socket.shutdown(socket.SHUT_WR)

    def _answer_head(self) -> Head | None:
        while answer := read_head(self._upstream):
            self._send(answer.raw)
            if answer.status >= 200 or answer.status == 101:
                return answer
        return None

    def _finish(self, is_reusable: bool) -> bool:
        if self._kind == "kill-after":
            self._upstream.hang_up()
            kill_peer(self._client)
        return is_reusable and self._kind is None


def _refuse(client: Wire, request: Head) -> bool:
    if "expect" not in request.headers:
        pass_body(request, client, _drop)
    head = f"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nContent-Length: {len(_REFUSAL)}"
    client.send(head.encode() + b"\r\n\r\n" + (b"" if request.first[0] == "HEAD" else _REFUSAL))
    return "expect" not in request.headers


def _drop(data: bytes) -> None:
    pass


def kill_peer(client: Wire) -> None:
    """Kill the process at the other end, and wait until it is dead: only then are its sockets closed."""
    os.kill(peer_of(client.socket), signal.SIGKILL)
    client.wait_for_end()


def peer_of(sock: socket.socket) -> int:
    """The process that connected."""
    size = struct.calcsize("3i")
    pid, _uid, _gid = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return int(pid)
