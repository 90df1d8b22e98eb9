# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each way out of a container, tried with each kind of egress and under each runtime, on a host of the test's own.

What is expected is the table of docs/isolation.md.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils import facts, survey
from engine_names import engine_client
from host import TestHost
from island import HOST6, HOST_ADDRESS, WORLD, WORLD6, Island, island
from proxy_image import proxy_image
from tiny_image import build_tiny_image

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces take root")

PAGE = Path(__file__).resolve().parents[2] / "docs" / "isolation.md"
EGRESS = ("open", "restricted", "none")
RUNTIMES = ("runc", "runsc")
ALLOW = [
    "allowed.example",
    "*.wild.example",
    "leads-to-host.example",
    "leads-inside.example",
    "leads-to-link.example",
    "leads-to-loopback.example",
]
OPENED = 7777  # the port of the host that host_access names


@dataclass(frozen=True)
class Way:
    """One way out.

    Args:
        words: As the page calls it.
        script: What tries it; prints what it reached.
        reached: By egress, what is to be reached; nothing where egress is not named.
    """

    words: str
    script: str
    reached: Mapping[str, str]


def direct(address: str, port: int = 80) -> str:
    return f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | timeout 10 nc {address} {port}"


def connect(target: str) -> str:
    """Says hello once the proxy has answered, as programs do."""
    return (
        f"cd $(mktemp -d); mkfifo say; timeout 10 nc berth-proxy 3128 <say >heard & exec 3>say;"
        f" printf 'CONNECT {target} HTTP/1.1\\r\\n\\r\\n' >&3;"
        " timeout 10 sh -c 'until grep -q HTTP heard; do :; done; printf hello >&3'; wait; cat heard"
    )


def http(host: str, port: int = 80) -> str:
    """As programs do that heed the proxy's variables. Whoever asks stays on the line until there is an answer."""
    return (
        f'if [ "$http_proxy" ]; then set -- http://{host}:{port}/ berth-proxy 3128; else set -- / {host} {port}; fi;'
        " cd $(mktemp -d); mkfifo say; timeout 10 nc $2 $3 <say & exec 3>say;"
        f' printf "GET $1 HTTP/1.0\\r\\nHost: {host}:{port}\\r\\n\\r\\n" >&3; wait'
    )


def asked(name: str, *server: str) -> str:
    return f"timeout 10 nslookup {name} {' '.join(server)}"


WORLD_IF_OPEN = {"open": "world"}
HOST_IF_OPEN = {"open": "host"}
NOTHING: Mapping[str, str] = {}

WAYS = {
    "allowed-https": Way(
        "an allowed name, by the proxy's CONNECT", connect("allowed.example:443"), {"restricted": "world"}
    ),
    "allowed-http": Way(
        "an allowed name, plain HTTP", http("allowed.example"), {"open": "world", "restricted": "world"}
    ),
    "allowed-wildcard": Way(
        "a name below an allowed `*.`", http("sub.wild.example"), {"open": "world", "restricted": "world"}
    ),
    "host-access": Way(
        "the port of the host that `host_access` names",
        http("host.docker.internal", OPENED),
        {"open": "host", "restricted": "host"},
    ),
    "not-allowed": Way("a name that is not allowed", http("other.example"), WORLD_IF_OPEN),
    "wildcard-itself": Way("the domain of an allowed `*.` itself", http("wild.example"), WORLD_IF_OPEN),
    "other-port": Way("an allowed name, another port", http("allowed.example", 8080), WORLD_IF_OPEN),
    "other-port-connect": Way("the same by CONNECT", connect("allowed.example:8080"), NOTHING),
    "address": Way("an address of the world", direct(WORLD), WORLD_IF_OPEN),
    "address-connect": Way("the same by CONNECT", connect(f"{WORLD}:443"), NOTHING),
    "address-http": Way("the same by the proxy, plain HTTP", http(WORLD), WORLD_IF_OPEN),
    "ipv6": Way("an IPv6 address of the world", direct(WORLD6), NOTHING),
    "ipv6-connect": Way("the same by CONNECT", connect(f"[{WORLD6}]:443"), NOTHING),
    "dns": Way("the engine's resolver", asked("other.example"), {"open": WORLD}),
    "dns-tunnel": Way("a name that only a resolver outside knows", asked("{name}.tunnel.example"), {"open": "asked"}),
    "dns-direct": Way("a resolver of the world", asked("other.example", WORLD), {"open": WORLD}),
    "proxy-tunnel": Way("the same by the proxy's CONNECT", connect("{name}.proxied.example:443"), NOTHING),
    "host": Way("the host by its address", direct(HOST_ADDRESS), HOST_IF_OPEN),
    "host-ipv6": Way("the host by its IPv6 address", direct(HOST6), NOTHING),
    "host-bridge": Way("the host by the engine's own bridge", direct("172.17.0.1"), HOST_IF_OPEN),
    "gateway": Way("the gateway of its network", direct("{gateway}"), HOST_IF_OPEN),
    "host-other-port": Way("another port of the host by its name", http("host.docker.internal"), HOST_IF_OPEN),
    "host-connect": Way("the host by CONNECT", connect(f"{HOST_ADDRESS}:80"), NOTHING),
    "gateway-connect": Way("a gateway by CONNECT", connect("10.213.0.1:80"), NOTHING),
    "leads-to-host": Way("an allowed name that leads to the host", http("leads-to-host.example"), HOST_IF_OPEN),
    "leads-inside": Way("one that leads to a private address", http("leads-inside.example"), HOST_IF_OPEN),
    "leads-to-link": Way("one that leads to a link-local address", http("leads-to-link.example"), NOTHING),
    "leads-to-loopback": Way("one that leads to loopback", http("leads-to-loopback.example"), NOTHING),
    "other-open": Way("another project with open egress", direct("{open_project}", 8000), NOTHING),
    "other-restricted": Way("another project with restricted egress", direct("{restricted_project}", 8000), NOTHING),
    "other-proxy": Way("another project's proxy", direct("{other_proxy}", 3128), NOTHING),
    "other-by-proxy": Way("another project by CONNECT", connect("{open_project}:8000"), NOTHING),
    "own-route": Way(
        "a route of its own making", f"ip route add {WORLD} dev eth0; {direct(WORLD, 8080)}", WORLD_IF_OPEN
    ),
}


@pytest.fixture(scope="module")
def place(engine: None) -> Iterator[Island]:
    main = engine_client()
    proxy = proxy_image()
    with island() as made:
        saved = b"".join(main.get_image(proxy))
        made.api.load_image(saved)
        build_tiny_image(made.api)
        yield made
    main.close()


@dataclass(frozen=True)
class Tried:
    """What was reached, by runtime, egress and way, and which names the host's resolver was asked for."""

    reached: Mapping[tuple[str, str, str], str]
    asked: frozenset[str]
    hosts: TestHost


@pytest.fixture(scope="module")
def monkeypatch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def tried(place: Island, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Tried:
    folder = tmp_path_factory.mktemp("ways")
    folder.chmod(0o755)
    api = place.api
    host = TestHost(api, folder / "state", "ways", build_tiny_image(api), proxy_image(), place.docker_host)
    others = [project("other-open", "open", "runc"), project("other-restricted", "restricted", "runc")]
    runtimes = [one for one in RUNTIMES if one in api.info()["Runtimes"]]
    monkeypatch.setattr(survey, "public_addresses", place.public_addresses)
    monkeypatch.setattr(facts, "_RESOLVERS", (str(place.resolver_file),))
    own = [project(f"{runtime}-{egress}", egress, runtime) for runtime in runtimes for egress in EGRESS]
    done = host.provision(*others, *own, ready_timeout=60)
    assert not [entry["error"] for entry in done.projects.values() if entry["error"]], done.raw
    for one in others:
        listening = api.exec_create(f"berth-{one['name']}", ["sh", "-c", "nc -ll -p 8000 -e echo here is another"])
        api.exec_start(listening["Id"], detach=True)
    values = {
        "open_project": address(api, "berth-other-open", "berth-other-open.open"),
        "restricted_project": address(api, "berth-other-restricted", "berth-other-restricted.inner"),
        "other_proxy": address(api, "berth-other-restricted.proxy", "berth-other-restricted.egress"),
    }
    reached: dict[tuple[str, str, str], str] = {}
    for runtime in runtimes:
        for egress in EGRESS:
            name = f"{runtime}-{egress}"
            found = try_all(host, name, {**values, "gateway": gateway(api, name, egress), "name": name})
            reached.update({(runtime, egress, way): whom for way, whom in found.items()})
    return Tried(reached, frozenset(place.asked()), host)


def project(name: str, egress: str, runtime: str) -> dict[str, Any]:
    network: dict[str, Any] = {"egress": egress}
    if egress == "restricted":
        network["allow"] = [*ALLOW, f"host.docker.internal:{OPENED}"]
    if egress != "none":
        network["host_access"] = True
    return {"name": name, "runtime": runtime, "network": network}


def address(api: Any, container: str, network: str) -> str:
    return str(api.inspect_container(container)["NetworkSettings"]["Networks"][network]["IPAddress"])


def gateway(api: Any, name: str, egress: str) -> str:
    if egress == "none":
        return "10.213.0.1"
    network = {"open": "open", "restricted": "inner"}[egress]
    return str(api.inspect_network(f"berth-{name}.{network}")["IPAM"]["Config"][0]["Gateway"])


def try_all(host: TestHost, name: str, values: Mapping[str, str]) -> dict[str, str]:
    """All ways side by side, as root in the container: what each has printed that tells whom it has reached."""
    lines = ["cd $(mktemp -d)"]
    for way, one in WAYS.items():
        script = re.sub(r"\{(\w+)\}", lambda match: values[match[1]], one.script)
        lines.append(f"( {script} ) >{way} 2>&1 &")
    lines += ["wait", *(f"echo === {way}; cat {way}; echo" for way in WAYS)]
    output = host.run(name, "sh", "-c", "\n".join(lines), user="root")
    parts = dict(part.partition("\n")[::2] for part in output.split("=== ")[1:])
    return {way: whom(parts[way]) for way in WAYS}


def whom(said: str) -> str:
    match = re.search(r"here is (\w+)|Address: ([0-9.]+)$", said, re.MULTILINE)
    return (match[1] or match[2]) if match else ""


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("egress", EGRESS)
@pytest.mark.parametrize("way", WAYS)
def test_a_way_leads_where_it_should_and_nowhere_else(tried: Tried, way: str, egress: str, runtime: str) -> None:
    if not any(found == runtime for found, _egress, _way in tried.reached):
        pytest.skip(f"the engine has no {runtime}")
    expected = WAYS[way].reached.get(egress, "")
    if way in ("dns-tunnel", "proxy-tunnel"):
        kind = {"dns-tunnel": "tunnel", "proxy-tunnel": "proxied"}[way]
        assert (f"{runtime}-{egress}.{kind}.example" in tried.asked) == (expected == "asked")
    else:
        assert tried.reached[runtime, egress, way] == expected


def test_the_page_has_this_very_table() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    for way in WAYS.values():
        cells = " | ".join(way.reached.get(egress, "no") if way.reached.get(egress) else "no" for egress in EGRESS)
        told = {"world": "yes", "host": "yes", WORLD: "yes", "asked": "yes"}
        for word, cell in told.items():
            cells = cells.replace(word, cell)
        assert f"| {way.words} | {cells} |" in rows
