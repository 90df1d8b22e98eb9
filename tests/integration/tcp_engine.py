# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The local engine at an address of TCP, as one elsewhere is: what is said there is passed on to its socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread


@contextmanager
def tcp_engine(path: str) -> Iterator[str]:
    """The URL, ``tcp://127.0.0.1:<port>``, until the block ends.

    Args:
        path: The engine's socket.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=_accept, args=(listener, path), daemon=True).start()
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, path: str) -> None:
    with suppress(OSError):
        while True:
            client, _address = listener.accept()
            engine = socket.socket(socket.AF_UNIX)
            engine.connect(path)
            for source, target in ((client, engine), (engine, client)):
                Thread(target=_pass, args=(source, target), daemon=True).start()


def _pass(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
