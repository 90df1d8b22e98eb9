# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many engines in one process: a socket for each, all of which repeat what one real engine has said.

    engine_stub.py FOLDER COUNT    listens on FOLDER/0 … and prints "ready"

A path that is asked for the first time is asked of the engine on this machine; from then on it is answered from memory.
So a fleet costs its control node what it would, and this machine next to nothing.
"""

from __future__ import annotations

import selectors
import socket
import sys
from contextlib import suppress
from pathlib import Path
from threading import Lock, Thread
from urllib.parse import parse_qsl, unquote

from ansible_collections.berth.projects.plugins.module_utils.socket_reader import SocketReader

ENGINE = "unix:///var/run/docker.sock"


class Answers:
    """What the engine has said, as it goes over the wire."""

    def __init__(self, reader: SocketReader) -> None:
        self._reader = reader
        self._version = reader.api_version()
        self._known: dict[str, bytes] = {}
        self._lock = Lock()

    def to(self, target: str) -> bytes:
        with self._lock:
            if target not in self._known:
                self._known[target] = self._ask(target)
            return self._known[target]

    def _ask(self, target: str) -> bytes:
        path, _mark, query = target.partition("?")
        status, body = self._reader.get_bytes(unquote(path), dict(parse_qsl(query)))
        head = f"HTTP/1.1 {status} -\r\nApi-Version: {self._version}\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body


def main(folder: Path, count: int) -> None:
    answers = Answers(SocketReader(ENGINE, timeout=60))
    waiting = selectors.DefaultSelector()
    for number in range(count):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(folder / str(number)))
        listener.listen(64)
        waiting.register(listener, selectors.EVENT_READ)
    print("ready", flush=True)
    while True:
        for key, _events in waiting.select():
            assert isinstance(key.fileobj, socket.socket)
            client, _address = key.fileobj.accept()
            Thread(target=serve, args=(client, answers), daemon=True).start()


def serve(client: socket.socket, answers: Answers) -> None:
    """Answer each request of a connection; there are only such without a body."""
    with client, client.makefile("rb") as stream, suppress(OSError):
        while words := stream.readline().split():
            while stream.readline().strip():
                pass
            client.sendall(answers.to(words[1].decode()))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
