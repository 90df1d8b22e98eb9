# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Docker engine that only lists containers: what no real one can be made to list, and many of them."""

from __future__ import annotations

import json
import shutil
import socketserver
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event, Thread
from typing import Any


def listed(project: str, scope: str = "default", **keys: Any) -> dict[str, Any]:
    """An entry of ``GET /containers/json`` for a project's container; ``labels`` are added to Berth's."""
    added = keys.pop("labels", {})
    return {
        "Id": f"{abs(hash(project)):064x}"[-64:],
        "Names": [f"/berth-{project}"],
        "Image": "berth-base:latest",
        "ImageID": "sha256:1",
        "State": "running",
        "Status": "Up 2 hours (healthy)",
        "Created": 1700000000,
        "Ports": [],
        "Labels": {"berth.managed": "true", "berth.project": project, "berth.scope": scope, **added},
        **keys,
    }


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path: str, containers: Sequence[dict[str, Any]], hangs: bool) -> None:
        self.containers = json.dumps(list(containers)).encode()
        self.hangs = hangs
        self.ended = Event()
        self.asked: list[str] = []
        super().__init__(path, _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        assert isinstance(self.server, _Server)
        self.server.asked.append(self.path)
        if self.server.hangs:
            self.server.ended.wait()
        body = b"OK" if self.path == "/_ping" else self.server.containers
        self.send_response(200)
        self.send_header("Api-Version", "1.41")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""


class ListingEngine:
    """The stub, as a test sees it. ``asked`` are the paths it was asked for, with their queries."""

    def __init__(self, server: _Server, path: Path) -> None:
        self.docker_host = f"unix://{path}"
        self.asked = server.asked


@contextmanager
def listing_engine(*containers: dict[str, Any], hangs: bool = False) -> Iterator[ListingEngine]:
    """Serve a list until the block ends. ``hangs``: take connections and never answer."""
    folder = Path(tempfile.mkdtemp(prefix="berth-list-"))  # a socket's path must be short
    path = folder / "engine.sock"
    with _Server(str(path), containers, hangs) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield ListingEngine(server, path)
        finally:
            server.ended.set()
            server.shutdown()
            thread.join()
            shutil.rmtree(folder)
