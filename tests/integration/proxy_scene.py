# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One proxy between two networks, and what is around it: a resolver, servers and clients, all in the test's process.

The outer network has addresses that are nobody's (RFC 5737), so the proxy takes its gateway, which is this machine, for
a host of the world. The gateway of the inner network is this machine, too, at a private address; Berth's has none, and
here it lets a test be a client with sockets of its own.
"""

from __future__ import annotations

import random
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Network, ip_address
from pathlib import Path
from typing import Any

import docker.errors
from ansible_collections.berth.projects.plugins.plugin_utils.egress import proxy_values
from ansible_collections.berth.projects.plugins.plugin_utils.proxies import OWN_TEMPLATE
from ansible_collections.berth.projects.plugins.plugin_utils.templates import rendered

READY = "berth: ready"
RELOAD = "/usr/local/lib/berth-proxy/reload"
PORT = 3128
WORLD_NETWORKS = IPv4Network("203.0.113.0/24")
INNER_NETWORKS = IPv4Network("10.214.0.0/16")
TIMEOUT = 10  # seconds
A, AAAA = b"\0\1", b"\0\x1c"


class Resolver:
    """A DNS server. A name leads to addresses with blanks between them, or to what a function says each time."""

    def __init__(self, address: str) -> None:
        self.names: dict[str, str | Callable[[], str]] = {}
        self.asked: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):  # Linux says that it is not connected, and wakes who waits for it all the same
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                query, peer = self._socket.recvfrom(4096)
                if query:
                    self._socket.sendto(self._answer(query), peer)

    def _answer(self, query: bytes) -> bytes:
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode())
            at += query[at] + 1
        question, kind = query[12 : at + 5], query[at + 1 : at + 3]
        name = ".".join(labels).lower()
        self.asked.append(name)
        leads_to = self.names.get(name)
        said = leads_to() if callable(leads_to) and kind == A else leads_to
        flags = b"\x81\x80" if leads_to else b"\x81\x83"
        found = [ip_address(one).packed for one in (said.split() if isinstance(said, str) else ())]
        found = [one for one in found if len(one) == {A: 4, AAAA: 16}.get(kind)]
        # each to be kept for 0 seconds
        records = b"".join(b"\xc0\x0c" + kind + b"\0\1" + bytes(4) + bytes([0, len(one)]) + one for one in found)
        return query[:2] + flags + b"\0\1" + bytes([0, len(found)]) + bytes(4) + question + records


class Server:
    """Answers each connection's first request with its own name; keeps what it heard."""

    def __init__(self, address: str, port: int, name: str) -> None:
        self.heard: list[str] = []
        self.answer: Callable[[socket.socket, str], None] = self._say_name
        self.name = name
        self._socket = socket.create_server((address, port), backlog=512)
        self.port = int(self._socket.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    @contextmanager
    def answering(self, answer: Callable[[socket.socket, str], None]) -> Iterator[None]:
        """Answer like this for a while: ``answer`` gets the connection, and the head of the request."""
        usual, self.answer = self.answer, answer
        try:
            yield
        finally:
            self.answer = usual

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection = self._socket.accept()[0]
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            head = read_head(connection)
            self.heard.append(head)
            if head:
                self.answer(connection, head)

    def _say_name(self, connection: socket.socket, _head: str) -> None:
        body = f"here is {self.name}".encode()
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


def read_head(connection: socket.socket) -> str:
    """A request or an answer up to the blank line, or up to the end; byte by byte, so nothing behind it is taken."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte:
            break
        head += byte
    return head.decode(errors="replace")


def read_rest(connection: socket.socket) -> str:
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts).decode(errors="replace")


def wait_for(condition: Callable[[], Any], what: str, seconds: float = TIMEOUT) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not after {seconds} s"
        time.sleep(0.02)


@dataclass
class Scene:
    """A proxy that is made by ``start``; ``world`` and ``private`` are the addresses of this machine beside it."""

    api: Any
    image: str
    folder: Path
    inner: str
    outer: str
    address: str
    world: str
    private: str
    resolver: Resolver
    servers: list[Server] = field(default_factory=list)
    container: str = ""

    def server(self, port: int, name: str, address: str = "") -> Server:
        """A server in the world, or at another address."""
        self.servers.append(Server(address or self.world, port, name))
        return self.servers[-1]

    def world_at(self, port: int) -> Server:
        """The server that was made in the world at a port."""
        return next(one for one in self.servers if (one.port, one.name) == (port, "world"))

    def write(self, *allow: str, more: str = "") -> None:
        """Write the configuration, as Berth does, with a line ``more`` at its end."""
        content = rendered(str(OWN_TEMPLATE), proxy_values({"name": "p", "network": {"allow": list(allow)}}))
        self.write_text(f"{content}\n{more}\n")

    def write_text(self, content: str) -> None:
        new = self.folder / "new"
        new.write_text(content)
        new.chmod(0o644)
        new.rename(self.folder / "proxy.conf")

    def start(self, env: Mapping[str, str] | None = None, wait: bool = True, has_ipv6: bool = False) -> None:
        """Run the proxy with all that it is denied, and wait until it is ready."""
        sysctls = {"net.ipv4.ip_forward": "0", **({"net.ipv6.conf.all.disable_ipv6": "0"} if has_ipv6 else {})}
        options = self.api.create_host_config(
            network_mode=self.outer,
            binds=[f"{self.folder}:/etc/berth-proxy:ro"],
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            read_only=True,
            tmpfs={"/run": "mode=1777", "/tmp": "mode=1777"},
            pids_limit=512,
            sysctls=sysctls,
            init=True,
            runtime="runc",
            dns=[self.world],
            extra_hosts={"host.docker.internal": self.private},
        )
        self.container = self.api.create_container(
            self.image,
            name=f"berth-test-{secrets.token_hex(6)}",
            environment={"BERTH_PROXY_ADDRESS": self.address, **(env or {})},
            host_config=options,
        )["Id"]
        self.api.connect_container_to_network(self.container, self.inner, ipv4_address=self.address)
        self.api.start(self.container)
        if wait:
            wait_for(lambda: READY in self.lines() or not self.state()["Running"], "ready", 30)
            assert self.state()["Running"], self.lines(stderr=True)

    def reload(self) -> tuple[int, str]:
        return self.run(RELOAD)

    def allow(self, *entries: str, more: str = "") -> None:
        """Have the proxy allow these, and nothing else."""
        self.write(*entries, more=more)
        assert self.reload() == (0, "")

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = self.api.inspect_container(self.container)["State"]
        return state

    def lines(self, stderr: bool = False) -> list[str]:
        text: str = self.api.logs(self.container, stdout=True, stderr=stderr).decode()
        return text.splitlines()

    def denied(self) -> list[str]:
        """What was refused so far, without the times."""
        return [line.split(" ", 3)[3] for line in self.lines() if line.startswith("berth: denied ")]

    def run(self, *command: str, user: str = "") -> tuple[int, str]:
        started = self.api.exec_create(self.container, list(command), user=user)["Id"]
        output = self.api.exec_start(started).decode()
        return int(self.api.exec_inspect(started)["ExitCode"]), output

    def outer_address(self) -> str:
        networks = self.api.inspect_container(self.container)["NetworkSettings"]["Networks"]
        return str(networks[self.outer]["IPAddress"])

    def connect(self, address: str = "", port: int = PORT) -> socket.socket:
        return socket.create_connection((address or self.address, port), timeout=TIMEOUT)

    def ask(self, *head: str, body: bytes = b"") -> tuple[int, str]:
        """Send one request; returns the status, and all that was answered."""
        with self.connect() as connection:
            connection.sendall("\r\n".join([*head, "Connection: close", "", ""]).encode() + body)
            answer = read_rest(connection)
        return int(answer.split(" ", 2)[1]) if answer.startswith("HTTP/") else 0, answer

    def get(self, url: str) -> tuple[int, str]:
        return self.ask(f"GET {url} HTTP/1.1", f"Host: {url.partition('//')[2].partition('/')[0]}")

    def tunnel(self, target: str) -> tuple[int, socket.socket]:
        """What is answered to CONNECT, and the connection."""
        connection = self.connect()
        connection.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
        return int(read_head(connection).split(" ", 2)[1]), connection

    def reached(self, target: str) -> tuple[int, str]:
        """CONNECT, a request through the tunnel, and what comes back."""
        status, connection = self.tunnel(target)
        with connection:
            if status != 200:
                return status, ""
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
            return status, read_rest(connection)

    def remove_container(self) -> None:
        if self.container:
            self.api.remove_container(self.container, force=True)
            self.container = ""


@contextmanager
def proxy_scene(api: Any, image: str, folder: Path) -> Iterator[Scene]:
    folder.chmod(0o755)
    made: list[str] = []
    resolver: Resolver | None = None
    scene: Scene | None = None
    try:
        inner, subnet = _network(api, INNER_NETWORKS, made, internal=True)
        outer, world = _network(api, WORLD_NETWORKS, made)
        resolver = Resolver(str(world[1]))
        scene = Scene(api, image, folder, inner, outer, str(subnet[2]), str(world[1]), str(subnet[1]), resolver)
        yield scene
    finally:
        for server in scene.servers if scene else ():
            server.close()
        if scene:
            scene.remove_container()
        if resolver:
            resolver.close()
        for name in made:
            api.remove_network(name)


def _network(api: Any, pool: IPv4Network, made: list[str], **options: Any) -> tuple[str, IPv4Network]:
    """A network with a subnet that no other has; others may be making some at the same time."""
    subnets: Sequence[IPv4Network] = list(pool.subnets(new_prefix=28))
    for subnet in random.sample(subnets, min(len(subnets), 16)):
        name = f"berth-test-{secrets.token_hex(6)}"
        config = docker.types.IPAMPool(subnet=str(subnet), gateway=str(subnet[1]))
        with suppress(docker.errors.APIError):
            api.create_network(name, driver="bridge", ipam=docker.types.IPAMConfig(pool_configs=[config]), **options)
            made.append(name)
            return name, subnet
    raise AssertionError(f"no subnet of {pool} is free")
