# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real image of the proxy, with the configuration that Berth renders: what it lets through, and what it tells."""

from __future__ import annotations

import itertools
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from proxy_image import proxy_image
from proxy_scene import READY, Scene, proxy_scene, read_rest, wait_for

pytestmark = [
    pytest.mark.slow_image,
    pytest.mark.skipif(os.geteuid() != 0, reason="the test's resolver has a port that only root may take"),
]

FORWARDED = (80, 8081)
HOST = "host.docker.internal"


@pytest.fixture(scope="module")
def image(engine: None) -> str:
    return proxy_image()


@pytest.fixture(scope="module")
def scene(api: Any, image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A running proxy. Each test says what is allowed; names that are resolved are its own, as the proxy keeps them."""
    with proxy_scene(api, image, tmp_path_factory.mktemp("proxy")) as made:
        made.write()
        forward = {"BERTH_FORWARD": " ".join(map(str, FORWARDED)), "BERTH_FORWARD_TO": "project.example"}
        made.start(forward)
        for port in (22, 80, 443, 8080, 8081):
            made.server(port, "world")
            made.server(port, "private", made.private)
        yield made


@pytest.fixture
def fresh(api: Any, image: str, tmp_path: Path) -> Iterator[Scene]:
    """A proxy that is still to be started, for tests after which it is no good any more."""
    with proxy_scene(api, image, tmp_path) as made:
        yield made


def leads_to(scene: Scene, address: str, *names: str) -> None:
    scene.resolver.names.update(dict.fromkeys(names, address))


# What is allowed


@pytest.mark.parametrize("target", ["exact.example:443", "exact.example:80", "EXACT.example:443", "exact.example.:443"])
def test_an_allowed_name_is_reached_on_the_usual_ports(scene: Scene, target: str) -> None:
    leads_to(scene, scene.world, "exact.example")
    scene.allow("exact.example")
    assert scene.reached(target)[1].endswith("here is world")


def test_plain_http_reaches_an_allowed_name_which_hears_nothing_of_who_asks(scene: Scene) -> None:
    leads_to(scene, scene.world, "plain.example")
    scene.allow("plain.example")
    server = scene.world_at(80)
    assert scene.get("http://plain.example/path?query=1")[1].endswith("here is world")
    head = server.heard[-1].lower()
    assert head.startswith("get /path?query=1 http/1.1\r\nhost: plain.example\r\n")
    assert not re.search(r"^(via|x-forwarded-for|forwarded|proxy-.*|x-cache.*):", head, re.MULTILINE)


def test_nothing_is_kept_for_the_next_who_asks(scene: Scene) -> None:
    leads_to(scene, scene.world, "kept.example")
    scene.allow("kept.example")
    server = scene.world_at(80)

    def cacheable(connection: socket.socket, _head: str) -> None:
        lines = ["HTTP/1.1 200 OK", f"Date: {formatdate(usegmt=True)}", "Cache-Control: public, max-age=3600"]
        lines += ["Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT", "Content-Length: 2", "Connection: close", "", "ok"]
        connection.sendall("\r\n".join(lines).encode())

    before = len(server.heard)
    with server.answering(cacheable):
        answers = [scene.get("http://kept.example/same")[1] for _time in range(2)]
    assert [answer[-2:] for answer in answers] == ["ok", "ok"]
    assert len(server.heard) == before + 2


def test_a_wildcard_is_of_names_below_at_any_depth_and_not_of_the_domain_itself(scene: Scene) -> None:
    leads_to(scene, scene.world, "a.wild.example", "a.b.wild.example", "wild.example", "notwild.example")
    scene.allow("*.wild.example")
    names = ["a.wild.example", "a.b.wild.example", "wild.example", "notwild.example", "a.wild.example.evil.example"]
    assert [scene.reached(f"{name}:443")[0] for name in names] == [200, 200, 403, 403, 403]


def test_a_dot_in_a_wildcard_is_a_dot(scene: Scene) -> None:
    scene.allow("*.wild.example")
    assert scene.reached("a.wildXexample:443")[0] == 403


def test_an_exact_name_is_not_of_names_below(scene: Scene) -> None:
    leads_to(scene, scene.world, "sub.exact.example")
    scene.allow("exact.example")
    assert scene.reached("sub.exact.example:443")[0] == 403


def test_ports_that_are_named_are_the_only_ones(scene: Scene) -> None:
    leads_to(scene, scene.world, "git.example", "both.example")
    scene.allow("git.example:22", "both.example", "both.example:8080")
    tried = ["git.example:22", "git.example:443", "both.example:443", "both.example:8080", "both.example:22"]
    assert [scene.reached(target)[0] for target in tried] == [200, 403, 200, 200, 403]


def test_one_names_ports_are_not_anothers(scene: Scene) -> None:
    leads_to(scene, scene.world, "one.example", "two.example")
    scene.allow("one.example:22", "two.example:8080")
    assert [scene.reached(target)[0] for target in ("one.example:8080", "two.example:22")] == [403, 403]


def test_without_any_name_nothing_is_reached(scene: Scene) -> None:
    scene.allow()
    assert (scene.reached("exact.example:443")[0], scene.get("http://exact.example/")[0]) == (403, 403)


# What is not


@pytest.mark.parametrize(
    "target", ["{world}:443", "[::1]:443", "[::ffff:{world}]:443", "{number}:443", "0x{hexadecimal}:443"]
)
def test_an_address_is_no_name_however_it_is_written(scene: Scene, target: str) -> None:
    scene.allow("exact.example", "*.example")
    number = int.from_bytes(socket.inet_aton(scene.world), "big")
    written = target.format(world=scene.world, number=number, hexadecimal=f"{number:x}")
    before = len(scene.resolver.asked)
    assert (scene.reached(written)[0], scene.get(f"http://{written.rpartition(':')[0]}/")[0]) == (403, 403)
    assert scene.resolver.asked[before:] == [], "no address is looked up for a name"


def test_a_name_that_is_not_allowed_is_never_resolved(scene: Scene) -> None:
    scene.allow("exact.example", "*.wild.example")
    before = len(scene.resolver.asked)
    assert scene.reached("stolen.evil.example:443")[0] == 403
    assert scene.get("http://stolen.evil.example/")[0] == 403
    assert scene.reached("port.wild.example:22")[0] == 403
    time.sleep(0.5)  # what is not to happen could come late
    assert scene.resolver.asked[before:] == []


@pytest.mark.parametrize(
    "url", ["https://{0}/", "ftp://{0}:80/", "ftp://{0}:443/", "whois://{0}:80/x", "wais://{0}:80/"]
)
def test_the_proxy_speaks_nothing_but_http_itself(scene: Scene, url: str) -> None:
    leads_to(scene, scene.world, "spoken.example")
    scene.allow("spoken.example")
    before = [len(server.heard) for server in scene.servers]
    assert scene.get(url.format("spoken.example"))[0] in (400, 403, 501)
    assert [len(server.heard) for server in scene.servers] == before


@pytest.mark.parametrize("path", ["squid-internal-mgr/menu", "squid-internal-mgr/config"])
@pytest.mark.parametrize(
    "host", ["{address}:3128", "berth-proxy:3128", "berth-proxy", "inside.example", "localhost:3128"]
)
def test_the_proxys_own_pages_are_nobodys(scene: Scene, host: str, path: str) -> None:
    scene.allow("inside.example")
    assert scene.get(f"http://{host.format(address=scene.address)}/{path}")[0] == 403
    assert scene.ask(f"GET /{path} HTTP/1.1", "Host: berth-proxy:3128")[0] in (400, 403)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "192.168.1.1", "168.63.129.16"]
)
def test_an_allowed_name_must_not_lead_to_what_is_private(scene: Scene, address: str) -> None:
    name = f"leads-to-{address.replace('.', '-')}.example"
    leads_to(scene, address, name)
    scene.allow(name)
    assert (scene.reached(f"{name}:443")[0], scene.get(f"http://{name}/")[0]) == (403, 403)


def test_a_name_that_leads_to_a_private_host_which_would_answer_is_refused(scene: Scene) -> None:
    leads_to(scene, scene.private, "to-private.example")
    scene.allow("to-private.example")
    before = [len(server.heard) for server in scene.servers]
    assert (scene.reached("to-private.example:443")[0], scene.get("http://to-private.example/")[0]) == (403, 403)
    assert [len(server.heard) for server in scene.servers] == before


def test_one_private_address_among_several_is_enough(scene: Scene) -> None:
    leads_to(scene, f"{scene.world} {scene.private}", "mixed.example")
    leads_to(scene, f"{scene.private} {scene.world}", "mixed-too.example")
    scene.allow("mixed.example", "mixed-too.example")
    assert [scene.reached(f"{name}:443")[0] for name in ("mixed.example", "mixed-too.example")] == [403, 403]


def test_a_name_that_changes_where_it_leads_never_gets_through_to_what_is_private(scene: Scene) -> None:
    """DNS rebinding: some thousand requests over ten or so answers that last a second, public and private in turn."""
    flip = itertools.cycle([scene.world, scene.private])
    scene.resolver.names["flip.example"] = lambda: next(flip)
    scene.allow("flip.example", more="negative_dns_ttl 1 second")
    before, end = len(scene.resolver.asked), time.monotonic() + 10
    private = [server for server in scene.servers if server.name == "private"]
    heard = [len(server.heard) for server in private]

    def ask(number: int) -> set[int]:
        found = set()
        while time.monotonic() < end:
            answer = scene.reached("flip.example:443") if number % 2 else scene.get("http://flip.example/")
            assert "private" not in answer[1]
            found.add(answer[0])
        return found

    with ThreadPoolExecutor(6) as pool:
        statuses = set().union(*pool.map(ask, range(6)))
    assert statuses == {200, 403}
    assert len(scene.resolver.asked) - before >= 4
    assert [len(server.heard) for server in private] == heard


def test_with_ipv6_the_same_holds_for_its_addresses(fresh: Scene) -> None:
    """Docker turns it off in networks that have none; should an engine leave it on, squid takes it up."""
    fresh.server(443, "world")
    leads_to(fresh, fresh.world, "four.example")
    six = [
        "::1",
        "::ffff:127.0.0.1",
        f"::ffff:{fresh.private}",
        "fd00:ec2::254",
        "fe80::1",
        "64:ff9b::a00:1",
        "2002:a00::",
    ]
    names = {f"six{number}.example": address for number, address in enumerate(six)}
    fresh.resolver.names.update({name: f"{fresh.world} {address}" for name, address in names.items()})
    fresh.write("four.example", *names)
    fresh.start(has_ipv6=True)
    assert fresh.reached("four.example:443")[1].endswith("here is world")
    assert {address: fresh.reached(f"{name}:443")[0] for name, address in names.items()} == dict.fromkeys(six, 403)
    assert [line for line in fresh.lines(stderr=True) if "WARNING" in line or "ERROR" in line] == []


def test_the_host_is_reached_by_its_name_on_the_ports_that_are_named(scene: Scene) -> None:
    leads_to(scene, scene.private, "alias.docker.internal")
    scene.allow(f"{HOST}:8080", "*.docker.internal:8080")
    assert scene.reached(f"{HOST}:8080")[1].endswith("here is private")
    assert [scene.reached(f"{HOST}:{port}")[0] for port in (80, 443, 22)] == [403, 403, 403]
    assert scene.reached("alias.docker.internal:8080")[0] == 403


def test_the_host_is_not_reached_where_it_is_not_named(scene: Scene) -> None:
    scene.allow("exact.example")
    assert [scene.reached(f"{HOST}:{port}")[0] for port in (80, 443, 8080)] == [403, 403, 403]


# What it tells


def test_each_refusal_is_told_in_one_line_and_nothing_else_is(scene: Scene) -> None:
    leads_to(scene, scene.world, "told.example")
    scene.allow("told.example")
    before = len(scene.lines())
    assert scene.reached("told.example:443")[0] == 200
    assert scene.get("http://told.example/")[0] == 200
    assert scene.get("http://nowhere.example/secret-path?token=secret-query")[0] == 403
    assert scene.get("http://secret-user:secret-password@nowhere.example:8080/")[0] == 403
    assert scene.reached("nowhere.example:443")[0] == 403
    assert scene.reached("[2001:db8::1]:443")[0] == 403
    assert scene.reached("secret-user@told.example:443")[0] == 403
    wait_for(lambda: len(scene.lines()) >= before + 5, "five lines")
    lines = scene.lines()[before:]
    assert all(re.fullmatch(r"berth: denied \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ [A-Z]+ \S.*", line) for line in lines)
    assert [line.split(" ", 3)[3] for line in lines] == [
        "GET nowhere.example:80",
        "GET nowhere.example:8080",
        "CONNECT nowhere.example:443",
        "CONNECT [2001:db8::1]:443",
        "CONNECT (no name)",
    ]
    assert not [line for line in scene.lines(stderr=True) if "secret" in line]


def test_a_connection_without_a_request_is_no_refusal_and_no_warning(scene: Scene) -> None:
    scene.allow()
    before = len(scene.lines(stderr=True))
    scene.connect().close()
    assert scene.run("/usr/local/lib/berth-proxy/healthcheck") == (0, "")
    time.sleep(0.5)
    assert scene.lines(stderr=True)[before:] == []


# How it works


def test_it_has_no_privilege_and_cannot_write_to_its_own_files(scene: Scene) -> None:
    assert scene.run("id", "-un") == (0, "proxy\n")
    assert "CapEff:\t0000000000000000" in scene.run("cat", "/proc/1/status")[1]
    assert scene.run("touch", "/usr/local/lib/berth-proxy/start", user="root")[0] == 1


def test_it_listens_for_the_project_alone_and_passes_ports_on_from_outside_alone(scene: Scene) -> None:
    with pytest.raises(ConnectionRefusedError):
        scene.connect(scene.outer_address())
    for port in FORWARDED:
        with pytest.raises(ConnectionRefusedError):
            scene.connect(scene.address, port)


def test_hundreds_of_connections_at_once_are_fine(scene: Scene) -> None:
    leads_to(scene, scene.world, "many.example")
    scene.allow("many.example")
    with ThreadPoolExecutor(30) as pool:
        opened = list(pool.map(lambda _number: scene.tunnel("many.example:443"), range(300)))
    assert {status for status, _connection in opened} == {200}
    for _status, connection in opened:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
    assert {read_rest(connection)[-13:] for _status, connection in opened} == {"here is world"}
    for _status, connection in opened:
        connection.close()


def test_what_is_answered_bit_by_bit_arrives_so(scene: Scene) -> None:
    leads_to(scene, scene.world, "stream.example")
    scene.allow("stream.example")
    server = scene.world_at(80)
    go_on = threading.Event()

    def answer(connection: socket.socket, _head: str) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        go_on.wait(10)
        connection.sendall(b"6\r\nsecond\r\n0\r\n\r\n")

    with server.answering(answer), scene.connect() as connection:
        connection.sendall(b"GET http://stream.example/ HTTP/1.1\r\nHost: stream.example\r\nConnection: close\r\n\r\n")
        heard = ""
        while "first" not in heard:
            heard += connection.recv(4096).decode()
        go_on.set()
        heard += read_rest(connection)
    assert "second" in heard


# A changed configuration


def test_a_reload_ends_once_the_change_is_in_effect_and_leaves_connections_alone(scene: Scene) -> None:
    leads_to(scene, scene.world, "before.example", "after.example")
    scene.allow("before.example")
    started = scene.state()["StartedAt"]

    def shout(connection: socket.socket, _head: str) -> None:
        connection.sendall(connection.recv(9).upper())

    with scene.world_at(443).answering(shout):
        status, connection = scene.tunnel("before.example:443")
        with connection:
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
            scene.allow("after.example")
            assert (status, scene.tunnel("before.example:443")[0], scene.tunnel("after.example:443")[0]) == (
                200,
                403,
                200,
            )
            connection.sendall(b"in use")
            assert connection.recv(9) == b"IN USE"
    assert scene.state()["StartedAt"] == started


def test_each_of_many_reloads_has_its_own_change_in_effect(scene: Scene) -> None:
    leads_to(scene, scene.world, *(f"n{number}.example" for number in range(5)))
    for number in range(5):
        scene.allow(f"n{number}.example")
        others = [scene.reached(f"n{other}.example:443")[0] for other in range(5)]
        assert others == [200 if other == number else 403 for other in range(5)]


def test_reloads_at_the_same_time_do_not_get_in_each_others_way(scene: Scene) -> None:
    leads_to(scene, scene.world, "at-once.example")
    scene.write("at-once.example")
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _number: scene.reload(), range(4))) == {(0, "")}
    assert scene.reached("at-once.example:443")[0] == 200


@pytest.mark.parametrize("wrong", ["bogus", "acl x dst no_network/99", "http_access allow nobody", "include /no.conf"])
def test_a_configuration_that_is_wrong_is_refused_and_the_one_before_goes_on(scene: Scene, wrong: str) -> None:
    leads_to(scene, scene.world, "goes-on.example")
    scene.allow("goes-on.example")
    scene.write("other.example", more=wrong)
    status, output = scene.reload()
    assert status == 1
    assert re.fullmatch(r"berth: error: \S.*\n", output)
    assert scene.reached("goes-on.example:443")[0] == 200


def test_a_reload_at_the_very_start_waits_for_it(fresh: Scene) -> None:
    leads_to(fresh, fresh.world, "late.example")
    fresh.server(443, "world")
    fresh.write()
    fresh.start(wait=False)
    fresh.allow("late.example")
    assert fresh.reached("late.example:443")[0] == 200
    assert fresh.lines().count(READY) == 1


# Its end


def test_it_ends_at_once_also_with_connections_in_use(fresh: Scene) -> None:
    leads_to(fresh, fresh.world, "ends.example")
    fresh.server(443, "world")
    fresh.write("ends.example")
    fresh.start({"BERTH_FORWARD": "80", "BERTH_FORWARD_TO": "project.example"})
    opened = [fresh.tunnel("ends.example:443")[1] for _number in range(5)]
    before = time.monotonic()
    fresh.api.stop(fresh.container, timeout=20)
    assert time.monotonic() - before < 8
    assert not fresh.state()["Running"]
    for connection in opened:
        connection.close()


def test_a_proxy_that_dies_ends_its_container_so_that_the_engine_starts_it_again(fresh: Scene) -> None:
    fresh.write()
    fresh.start({"BERTH_FORWARD": "80", "BERTH_FORWARD_TO": "project.example"})
    fresh.run("sh", "-c", "kill -9 $(cat /run/berth/squid.pid)")
    wait_for(lambda: not fresh.state()["Running"], "ended")
    assert fresh.state()["ExitCode"] != 0
    fresh.api.start(fresh.container)
    wait_for(lambda: fresh.lines().count(READY) == 2, "ready again")


# Ports that are passed on


def test_a_port_is_passed_on_to_where_the_name_leads_at_that_moment(scene: Scene) -> None:
    for address, name in ((scene.world, "world"), (scene.private, "private")):
        leads_to(scene, address, "project.example")
        for port in FORWARDED:
            with scene.connect(scene.outer_address(), port) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
                assert read_rest(connection).endswith(f"here is {name}")


def test_who_has_said_all_still_gets_the_answer_through_a_port(scene: Scene) -> None:
    leads_to(scene, scene.world, "project.example")
    server = scene.world_at(8081)

    def answer(connection: socket.socket, _head: str) -> None:
        assert connection.recv(1) == b""  # the client has said all
        time.sleep(1.5)
        connection.sendall(b"late")

    with server.answering(answer), scene.connect(scene.outer_address(), 8081) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        assert read_rest(connection) == "late"


def test_what_passes_a_port_on_is_started_again(scene: Scene) -> None:
    leads_to(scene, scene.world, "project.example")
    kill = 'for one in /proc/[0-9]*; do [ "$(cat $one/comm)" != socat ] || kill -9 "${one#/proc/}"; done 2>/dev/null'
    scene.run("sh", "-c", kill)

    def answers() -> bool:
        with suppress(OSError), scene.connect(scene.outer_address(), 8081) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
            return read_rest(connection).endswith("here is world")
        return False

    wait_for(answers, "passed on again")
