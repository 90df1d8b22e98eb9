# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What answers on an island: each port says who it is, to HTTP and to anything else, and a resolver knows some names.

Runs by itself, in a namespace: ``island_server.py --name world --http 80 --resolver 198.51.100.2 --names {…}``.
"""

from __future__ import annotations

import argparse
import json
import socket
import socketserver
import threading
from pathlib import Path
from typing import Any

_TYPE_A = b"\x00\x01"


class Hello(socketserver.BaseRequestHandler):
    """Says its name at the first bytes that come, whatever they are."""

    def handle(self) -> None:
        self.request.settimeout(5)
        try:
            self.request.recv(2000)
        except OSError:
            return
        body = f"here is {self.server.called}\n".encode()  # type: ignore[attr-defined]
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
        self.request.sendall(head + body)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    address_family = socket.AF_INET6  # and IPv4 as well

    def __init__(self, port: int, called: str) -> None:
        self.called = called
        super().__init__(("::", port), Hello)


def resolve(address: str, names: dict[str, str], asked: Path) -> None:
    """Answer questions for the addresses of names, and write down each name that is asked for."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind((address, 53))

    def answer_all() -> None:
        while True:
            question, who = listener.recvfrom(2000)
            listener.sendto(answer(question, names, asked), who)

    threading.Thread(target=answer_all, daemon=True).start()


def answer(question: bytes, names: dict[str, str], asked: Path) -> bytes:
    labels, at = [], 12
    while question[at]:
        labels.append(question[at + 1 : at + 1 + question[at]].decode())
        at += question[at] + 1
    name, section = ".".join(labels).lower(), question[12 : at + 5]
    with asked.open("a") as file:
        file.write(f"{name}\n")
    address = names.get(name)
    is_found = address is not None and section[-4:-2] == _TYPE_A
    flags = b"\x81\x80" if address else b"\x81\x83"
    record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x05\x00\x04" + socket.inet_aton(address or "0.0.0.0")
    counts = b"\x00\x01" + (b"\x00\x01" if is_found else b"\x00\x00") + b"\x00\x00\x00\x00"
    return question[:2] + flags + counts + section + (record if is_found else b"")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--http", type=int, action="append", default=[])
    parser.add_argument("--resolver")
    parser.add_argument("--names", type=json.loads, default={})
    parser.add_argument("--asked", type=Path)
    given: Any = parser.parse_args()
    servers = [Server(port, given.name) for port in given.http]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    if given.resolver:
        resolve(given.resolver, given.names, given.asked)
    print("ready", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
