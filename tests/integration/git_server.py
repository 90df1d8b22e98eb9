# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A git server over HTTPS that asks for a token, where containers can reach this machine."""

from __future__ import annotations

import base64
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class GitServer:
    """``address`` is ``host:port``; ``certificate`` the file that its clients have to trust."""

    address: str
    certificate: Path
    repository: Path

    @property
    def url(self) -> str:
        return f"https://{self.address}/{self.repository.name}"


@contextmanager
def git_server(folder: Path, host: str, token: str) -> Iterator[GitServer]:
    """Serve one empty repository, to whoever gives ``token`` as the password.

    Args:
        folder: For the repository and the certificate.
        host: The address to listen at.
        token: What is to be given.
    """
    repository, certificate, key = folder / "project.git", folder / "certificate.pem", folder / "key.pem"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", repository], check=True)
    subprocess.run(["git", "-C", repository, "config", "http.receivepack", "true"], check=True)
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=git"]
    name = ["-addext", f"subjectAltName=IP:{host}", "-keyout", key, "-out", certificate]
    subprocess.run([*make, *name], check=True, capture_output=True)
    server = ThreadingHTTPServer((host, 0), _handler(folder, token))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield GitServer(f"{host}:{server.server_address[1]}", certificate, repository)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(folder: Path, token: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Hands each request to ``git http-backend``, as any web server does by CGI."""

        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            request = self._body()
            scheme, _blank, given = self.headers.get("Authorization", "").partition(" ")
            password = base64.b64decode(given).decode().partition(":")[2] if scheme == "Basic" else ""
            if password != token:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            done = subprocess.run(
                ["git", "http-backend"], input=request, env=self._cgi(), capture_output=True, check=True
            )
            head, _line, body = done.stdout.partition(b"\r\n\r\n")
            fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
            self.send_response(int(fields.pop("Status", "200").split()[0]))
            for field, value in {**fields, "Content-Length": str(len(body))}.items():
                self.send_header(field, value)
            self.end_headers()
            self.wfile.write(body)

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            return body

        def _cgi(self) -> dict[str, str]:
            path, _mark, query = self.path.partition("?")
            return {
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(folder),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "REMOTE_USER": "agent",
                "REMOTE_ADDR": self.client_address[0],
            }

        def log_message(self, *args: Any) -> None:
            """Say nothing: a test prints what it wants to."""

    return Handler
