# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks of projects, and the proxies of those with restricted egress: made, changed, mended and cleared away.

The proxy here is a stand-in that allows nothing; what the real one lets through is tested elsewhere.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable

import docker.errors
import docker.types
import pytest
from engine_names import Namespace
from host import TestHost
from tiny_proxy import build_tiny_proxy

ONE = "example.com"
TWO = "*.example.org"


@pytest.fixture
def port() -> int:
    """A port of the host that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def name(namespace: Namespace) -> str:
    return namespace.project()


def project(name: str, egress: str, *allow: str, **keys: Any) -> dict[str, Any]:
    network = {"egress": egress, **({"allow": list(allow)} if egress == "restricted" else {})}
    return {"name": name, "network": network, **keys}


def provision(host: TestHost, *projects: Mapping[str, Any], **options: Any) -> None:
    done = host.provision(*projects, **options)
    assert [entry["error"] for entry in done.projects.values() if entry["error"]] == []


def networks(api: Any, name: str) -> dict[str, Mapping[str, Any]]:
    """By the last part of their names, the networks of a project."""
    listed = api.networks(names=[f"berth-{name}."])
    return {one["Name"].rpartition(".")[2]: one for one in listed}


def joined(api: Any, container: str) -> set[str]:
    return set(api.inspect_container(container)["NetworkSettings"]["Networks"])


def settled(host: TestHost, wanted: Mapping[str, Any], **options: Any) -> Mapping[str, Any]:
    """Provision, and see that a second run has nothing to do; returns the first one's entry."""
    planned = host.provision(wanted, check=True, **options).only
    done = host.provision(wanted, **options).only
    assert done["error"] is None
    assert (planned["action"], planned["steps"], planned["reasons"]) == (
        done["action"],
        done["steps"],
        done["reasons"],
    )
    again = host.provision(wanted, **options).only
    assert (again["changed"], again["action"], again["error"]) == (False, "none", None)
    return done


def test_open_egress_is_a_bridge_of_the_projects_own(host: TestHost, api: Any, namespace: Namespace) -> None:
    one, two = project(namespace.project("one"), "open"), {"name": namespace.project("two")}
    assert host.provision(one, two).actions == {one["name"]: "create", two["name"]: "create"}
    for name in (one["name"], two["name"]):
        assert joined(api, f"berth-{name}") == {f"berth-{name}.open"}
        assert set(networks(api, name)) == {"open"}
    assert not host.provision(one, two).changed


def test_no_egress_is_no_network_at_all(host: TestHost, api: Any, name: str) -> None:
    settled(host, project(name, "none"))
    assert host.container(name)["HostConfig"]["NetworkMode"] == "none"
    assert networks(api, name) == {}
    assert host.run(name, "ls", "/sys/class/net").split() == ["lo"]


@pytest.mark.parametrize("state", ["started", "stopped"])
def test_no_egress_stays_so_whatever_the_container_was_put_on(host: TestHost, api: Any, name: str, state: str) -> None:
    wanted = {**project(name, "none"), "state": state}
    provision(host, project(name, "none"))
    container = host.container(name)["Id"]
    api.disconnect_container_from_network(f"berth-{name}", "none")
    api.connect_container_to_network(f"berth-{name}", "bridge")
    assert "leave bridge" in [step.partition(" ")[2] for step in settled(host, wanted)["steps"]]
    assert joined(api, f"berth-{name}") <= {"none"}
    settled(host, {**wanted, "state": "stopped"})
    settled(host, {**wanted, "state": "started"})
    assert host.container(name)["Id"] == container
    assert joined(api, f"berth-{name}") <= {"none"}
    assert host.run(name, "ls", "/sys/class/net").split() == ["lo"]


def test_restricted_egress_is_an_internal_network_and_a_proxy(host: TestHost, api: Any, name: str) -> None:
    settled(host, project(name, "restricted", ONE))
    found = networks(api, name)
    assert (found["inner"]["Internal"], found["egress"]["Internal"]) == (True, False)
    assert joined(api, f"berth-{name}") == {f"berth-{name}.inner"}
    assert joined(api, f"berth-{name}.proxy") == {f"berth-{name}.inner", f"berth-{name}.egress"}
    assert host.run(name, "nc", "berth-proxy", "3128") == ONE
    assert host.run(name, "sh", "-c", "echo $https_proxy $HTTP_PROXY").split() == ["http://berth-proxy:3128"] * 2


def test_the_proxy_gets_nothing_that_it_does_not_need(host: TestHost, api: Any, name: str) -> None:
    provision(host, project(name, "restricted", ONE))
    made = api.inspect_container(f"berth-{name}.proxy")["HostConfig"]
    assert (made["CapDrop"], made["CapAdd"], made["ReadonlyRootfs"]) == (["ALL"], None, True)
    assert made["SecurityOpt"] == ["no-new-privileges:true"]
    status = api.exec_start(api.exec_create(f"berth-{name}.proxy", ["cat", "/proc/sys/net/ipv4/ip_forward"])["Id"])
    assert status == b"0\n"


def test_a_changed_list_is_read_by_the_proxy_and_restarts_nothing(host: TestHost, api: Any, name: str) -> None:
    provision(host, project(name, "restricted", ONE))
    before = [api.inspect_container(one)["State"]["StartedAt"] for one in (f"berth-{name}", f"berth-{name}.proxy")]
    done = settled(host, project(name, "restricted", TWO))
    assert (done["action"], done["steps"]) == ("update", ["proxy reload"])
    assert done["reasons"] == [
        {"aspect": "network", "before": {ONE: "allowed", TWO: None}, "after": {ONE: None, TWO: "allowed"}}
    ]
    assert host.run(name, "nc", "berth-proxy", "3128") == TWO
    after = [api.inspect_container(one)["State"]["StartedAt"] for one in (f"berth-{name}", f"berth-{name}.proxy")]
    assert before == after


def test_a_list_that_the_proxy_refuses_leaves_the_one_before_in_effect(host: TestHost, name: str) -> None:
    provision(host, project(name, "restricted", ONE))
    for _run in ("the first", "and the next"):
        failed = host.provision(project(name, "restricted", "broken.example")).only
        assert "does not take its new configuration" in failed["error"] and "line 1 is broken" in failed["error"]
        assert host.run(name, "nc", "berth-proxy", "3128") == ONE
    settled(host, project(name, "restricted", TWO))


def test_another_image_is_a_proxy_with_a_template_of_its_own(
    host: TestHost, api: Any, name: str, tmp_path: Path
) -> None:
    """It says nothing when it is ready, and knows no way to read a configuration anew, so it is restarted for that."""
    template = tmp_path / "mine.j2"
    template.write_text("{% for one in allow %}{{ one.domain }} {{ one.ports | join(',') }}\n{% endfor %}")
    other = replace(host, proxy_options={"egress_image": build_tiny_proxy(api), "egress_template": str(template)})
    settled(other, project(name, "restricted", "example.com:8443"))
    assert answer_of_proxy(other, name) == "example.com 8443\n"
    started = other.container(name)["State"]["StartedAt"]
    settled(other, project(name, "restricted", "example.org"))
    assert answer_of_proxy(other, name) == "example.org 443,80\n"
    assert other.container(name)["State"]["StartedAt"] == started


def answer_of_proxy(host: TestHost, name: str) -> str:
    """What the stand-in says, once it listens."""
    ask = "until nc berth-proxy 3128 2>/dev/null; do sleep 0.1; done"
    return host.run(name, "timeout", "20", "sh", "-c", ask)


@pytest.mark.parametrize("before", ["open", "restricted", "none"])
@pytest.mark.parametrize("after", ["open", "restricted", "none"])
def test_another_egress_is_a_new_container_and_leaves_nothing_of_the_old(
    host: TestHost, api: Any, name: str, before: str, after: str
) -> None:
    provision(host, project(name, before, ONE))
    host.run(name, "touch", "/home/agent/kept")
    host.run(name, "touch", "/installed", user="root")
    done = settled(host, project(name, after, ONE))
    assert done["action"] == ("none" if before == after else "replace")
    assert host.run(name, "ls", "/home/agent/kept", "/installed")
    expected = {"open": {"open"}, "restricted": {"inner", "egress"}, "none": set()}[after]
    assert set(networks(api, name)) == expected
    proxy = [f"berth-{name}.proxy"] if after == "restricted" else []
    assert host.names(name) == [f"berth-{name}", *proxy]


def test_ports_are_passed_on_by_the_proxy_also_while_egress_changes(host: TestHost, name: str, port: int) -> None:
    ports = [{"host": port, "container": 8000}]
    for egress in ("open", "restricted", "open", "restricted"):
        settled(host, project(name, egress, ONE, ports=ports))
        made = host.api.exec_create(f"berth-{name}", ["sh", "-c", f"echo {egress} | nc -l -p 8000"])
        host.api.exec_start(made["Id"], detach=True)
        assert answer_of(port) == f"{egress}\n"
    shown = host.look(project(name, "restricted", ONE, ports=ports)).only
    assert shown["ports"] == [f"127.0.0.1:{port}->8000/tcp"]


def answer_of(port: int) -> str:
    """What is said on a port of this host, once somebody listens there."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        time.sleep(0.05)  # one that does not listen yet has no event to wait for
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            said = b"".join(iter(lambda: connection.recv(100), b""))
            if said:
                return said.decode()
    raise AssertionError(f"nothing answers on port {port}")


def test_a_replacement_that_fails_brings_the_old_one_back_with_its_ports(host: TestHost, name: str, port: int) -> None:
    ports = [{"host": port, "container": 8000}]
    wanted = project(name, "restricted", ONE, ports=ports)
    provision(host, wanted)
    started = host.container(name)["Id"]
    failed = host.provision(project(name, "open", ports=ports), ready_timeout=0).only
    assert failed["error"] and "running" in failed["error"]
    assert host.container(name)["Id"] == started
    assert host.run(name, "nc", "berth-proxy", "3128") == ONE
    assert not host.provision(wanted).only["error"]
    assert not host.provision(wanted).changed


@pytest.mark.parametrize(
    "damage",
    ["proxy stopped", "proxy removed", "proxy off its network", "configuration changed", "on another network"],
)
def test_what_is_broken_is_mended(host: TestHost, api: Any, name: str, damage: str) -> None:
    wanted = project(name, "restricted", ONE)
    provision(host, wanted)
    container, proxy = host.container(name)["Id"], f"berth-{name}.proxy"
    if damage == "proxy stopped":
        api.stop(proxy, timeout=1)
    elif damage == "proxy removed":
        api.remove_container(proxy, force=True)
    elif damage == "proxy off its network":
        api.disconnect_container_from_network(proxy, f"berth-{name}.inner")
    elif damage == "configuration changed":
        (host.state_dir / "proxies" / name / "config" / "proxy.conf").write_text("everything")
    else:
        api.connect_container_to_network(f"berth-{name}", "bridge")
    assert settled(host, wanted)["action"] == "update"
    assert host.container(name)["Id"] == container
    assert joined(api, f"berth-{name}") == {f"berth-{name}.inner"}
    assert host.run(name, "nc", "berth-proxy", "3128") == ONE


@pytest.mark.parametrize("egress", ["open", "restricted"])
def test_networks_that_were_pruned_while_nothing_ran_are_made_anew(
    host: TestHost, api: Any, name: str, egress: str
) -> None:
    wanted = project(name, egress, ONE)
    pool = {"network_pool": "10.214.64.0/25"}  # another test would take the subnet while nobody has it
    provision(host, wanted, **pool)
    address = networks(api, name)[{"open": "open", "restricted": "inner"}[egress]]["IPAM"]["Config"]
    provision(host, {**wanted, "state": "stopped"}, **pool)
    for one in networks(api, name).values():
        api.remove_network(one["Id"])
    container = host.container(name)["Id"]
    settled(host, wanted, **pool)
    assert host.container(name)["Id"] == container
    if egress == "restricted":
        assert networks(api, name)["inner"]["IPAM"]["Config"] == address
        assert host.run(name, "nc", "berth-proxy", "3128") == ONE


@pytest.fixture
def squatter(api: Any, name: str) -> Iterator[Callable[[str], None]]:
    """Takes a subnet for a network of somebody else's."""
    made: list[str] = []

    def take(subnet: str) -> None:
        ipam = docker.types.IPAMConfig(pool_configs=[docker.types.IPAMPool(subnet=subnet)])
        made.append(api.create_network(f"{name}-mine", driver="bridge", ipam=ipam)["Id"])

    yield take
    for one in made:
        api.remove_network(one)


def test_a_container_whose_subnet_was_taken_while_it_was_stopped_is_replaced(
    host: TestHost, api: Any, name: str, squatter: Callable[[str], None]
) -> None:
    wanted = project(name, "restricted", ONE)
    pool = {"network_pool": "10.214.65.0/25"}
    provision(host, wanted, **pool)
    (taken,) = networks(api, name)["inner"]["IPAM"]["Config"]
    provision(host, {**wanted, "state": "stopped"}, **pool)
    for one in networks(api, name).values():
        api.remove_network(one["Id"])
    squatter(taken["Subnet"])
    refused = host.provision(wanted, operation="state", **pool).only
    assert refused["steps"] == [] and "run berth.projects.provision first" in refused["error"]
    assert settled(host, wanted, **pool)["action"] == "replace"
    assert host.run(name, "nc", "berth-proxy", "3128") == ONE


def test_the_proxy_stops_with_its_project_and_starts_before_it(host: TestHost, api: Any, name: str) -> None:
    wanted = project(name, "restricted", ONE)
    provision(host, wanted)
    settled(host, {**wanted, "state": "stopped"})
    assert api.inspect_container(f"berth-{name}.proxy")["State"]["Running"] is False
    done = settled(host, wanted)
    assert done["steps"] == ["proxy start", "start"]


def test_the_proxy_stops_with_a_project_that_is_replaced_and_stopped_at_once(
    host: TestHost, api: Any, name: str
) -> None:
    wanted = project(name, "restricted", ONE)
    provision(host, wanted)
    done = settled(host, {**wanted, "state": "stopped", "env": {"A": "2"}})
    assert done["action"] == "replace"
    assert api.inspect_container(f"berth-{name}.proxy")["State"]["Running"] is False


def test_a_list_that_is_narrowed_while_a_project_is_stopped_holds_from_its_start(host: TestHost, name: str) -> None:
    wide, narrow = project(name, "restricted", ONE, TWO), project(name, "restricted", ONE)
    provision(host, wide)
    settled(host, {**wide, "state": "stopped"})
    assert settled(host, {**narrow, "state": "stopped"})["steps"] == ["proxy configure"]
    provision(host, narrow, operation="state")
    assert host.run(name, "nc", "berth-proxy", "3128") == ONE


def test_a_list_that_is_narrowed_as_a_project_stops_holds_from_its_start(host: TestHost, name: str) -> None:
    wide, narrow = project(name, "restricted", ONE, TWO), project(name, "restricted", ONE)
    provision(host, wide)
    assert settled(host, {**narrow, "state": "stopped"})["steps"] == ["stop", "proxy configure"]
    provision(host, narrow, operation="state")
    assert host.run(name, "nc", "berth-proxy", "3128") == ONE


def test_start_and_stop_see_to_the_proxy_as_well_and_leave_it_as_it_is(
    host: TestHost, api: Any, name: str, port: int
) -> None:
    wanted = project(name, "restricted", ONE)
    provision(host, wanted)
    made = api.inspect_container(f"berth-{name}.proxy")["Id"]
    provision(host, {**wanted, "state": "stopped"}, operation="state")
    assert api.inspect_container(f"berth-{name}.proxy")["State"]["Running"] is False
    provision(host, project(name, "restricted", ONE, TWO, ports=[{"host": port, "container": 80}]), operation="state")
    assert api.inspect_container(f"berth-{name}.proxy")["Id"] == made
    assert host.run(name, "nc", "berth-proxy", "3128") == ONE
    assert host.provision(wanted).only["action"] == "none"
    provision(host, {**wanted, "state": "stopped"}, operation="state")
    api.remove_container(f"berth-{name}.proxy")
    assert "run berth.projects.provision first" in host.provision(wanted, operation="state").only["error"]


@pytest.mark.parametrize("how", ["absent", "prune", "destroy", "destroy with data"])
def test_networks_and_proxy_go_with_their_project(host: TestHost, api: Any, name: str, how: str) -> None:
    wanted = project(name, "restricted", ONE)
    provision(host, wanted)
    if how == "absent":
        settled(host, {**wanted, "state": "absent"})
    elif how == "prune":
        assert host.provision(prune=True).only["action"] == "remove"
    else:
        provision(host, wanted, operation="destroy", destroy_data=how == "destroy with data")
    assert networks(api, name) == {} and host.names(name) == []


@pytest.mark.parametrize("operation", ["reset", "destroy"])
def test_a_proxy_goes_on_while_the_end_of_its_project_waits_for_an_agent(
    host: TestHost, api: Any, name: str, operation: str
) -> None:
    wanted = project(name, "restricted", ONE)
    provision(host, wanted)
    started = api.inspect_container(f"berth-{name}.proxy")["State"]["StartedAt"]
    working = "echo 'touch /tmp/up; sleep 600; true' > /tmp/claude; sh /tmp/claude >/dev/null 2>&1 &"
    host.run(name, "sh", "-c", f"{working} until [ -e /tmp/up ]; do sleep 0.1; done")
    done = host.provision(project(name, "restricted", ONE, TWO), operation=operation).only
    assert (done["error"], done["steps"]) == (None, []) and "an agent is at work" in done["warnings"][0]
    assert api.inspect_container(f"berth-{name}.proxy")["State"]["StartedAt"] == started


def test_what_no_definition_names_is_told(host: TestHost, api: Any, name: str) -> None:
    provision(host, project(name, "restricted", ONE))
    told = {(one["type"], one["kind"], one["name"]) for one in host.look().raw["orphans"]}
    assert {
        ("container", "undeclared", f"berth-{name}.proxy"),
        ("network", "undeclared", f"berth-{name}.inner"),
        ("network", "undeclared", f"berth-{name}.egress"),
    } <= told


@pytest.fixture
def foreign(api: Any, name: str) -> Iterator[str]:
    """A network of somebody else's under a name that the project needs."""
    made = api.create_network(f"berth-{name}.inner", driver="bridge", internal=True)["Id"]
    yield made
    with suppress(docker.errors.NotFound):
        api.remove_network(made)


def test_a_network_of_somebody_elses_is_an_error_before_anything_is_made(
    host: TestHost, api: Any, name: str, foreign: str
) -> None:
    failed = host.provision(project(name, "restricted", ONE)).only
    assert "There is a network" in failed["error"] and "not this project's" in failed["error"]
    assert host.names(name) == [] and set(networks(api, name)) == {"inner"}
    assert api.inspect_network(foreign)["Containers"] == {}


def test_a_pool_that_runs_out_is_told(host: TestHost, namespace: Namespace) -> None:
    two = [project(namespace.project(name), "open") for name in ("one", "two")]
    done = host.provision(*two, network_pool="10.214.213.0/28")
    failed = [entry["error"] for entry in done.projects.values() if entry["error"]]
    assert len(failed) == 1 and "There is no subnet left" in failed[0] and "berth_network_pool" in failed[0]
    assert sorted(done.projects[one["name"]]["action"] for one in two) == ["create", "create"]
    assert len(host.names(namespace.prefix)) == 1


def test_what_was_denied_is_told(host: TestHost, name: str) -> None:
    wanted = project(name, "restricted", ONE)
    provision(host, wanted)
    shown = host.look(wanted).only
    assert (shown["egress"], shown["proxy"], shown["denied"]) == ("restricted", "running", 1)
    assert shown["denied_last"] == [{"time": "2026-01-02T03:04:05Z", "request": "CONNECT evil.example:443"}]


def test_a_dead_proxy_is_a_matter_of_the_projects_health(host: TestHost, api: Any, name: str) -> None:
    wanted = project(name, "restricted", ONE)
    provision(host, wanted)
    api.stop(f"berth-{name}.proxy", timeout=1)
    shown = host.look(wanted).only
    assert (shown["health"], shown["health_log"]) == ("unhealthy", "its proxy is exited, so it reaches nothing")
