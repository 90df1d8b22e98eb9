# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs a container, on an engine of the test's own that has gVisor, and on one that has not."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils import facts
from host import TestHost
from island import Island, has_gvisor, island
from tiny_image import build_tiny_image

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces take root")
needs_gvisor = pytest.mark.skipif(not has_gvisor(), reason="no runsc on this machine (package runsc)")

GVISOR = "Starting gVisor"


@pytest.fixture(scope="module")
def place(engine: None) -> Iterator[Island]:
    with island() as made:
        yield made


@pytest.fixture
def host(place: Island, tmp_path: Path) -> Iterator[TestHost]:
    tmp_path.chmod(0o755)
    api = place.api
    made = TestHost(api, tmp_path / "state", "runtime", build_tiny_image(api), docker_host=place.docker_host)
    yield made
    for container in api.containers(all=True):
        api.remove_container(container["Id"], force=True, v=True)
    for network in api.networks():
        if network["Name"].startswith("berth-"):
            api.remove_network(network["Id"])


def kernel(host: TestHost) -> str:
    return host.run("web", "sh", "-c", "dmesg 2>&1 || true", user="root")


def settled(host: TestHost, **keys: Any) -> Mapping[str, Any]:
    """Provision, and see that a second run has nothing to do; returns the first one's entry."""
    wanted = {"name": "web", **keys}
    done = host.provision(wanted).only
    assert done["error"] is None, done["error"]
    assert not host.provision(wanted).changed
    return done


@needs_gvisor
@pytest.mark.parametrize("runtime", ["runsc", "auto"])
def test_gvisor_runs_what_demands_it_and_what_leaves_the_choice(host: TestHost, runtime: str) -> None:
    # the island's only resolver is on loopback, which gVisor does not reach: no network, no resolver
    done = settled(host, runtime=runtime, network={"egress": "none"})
    assert done["runtime"] == "runsc" and GVISOR in kernel(host)
    assert {"aspect": "runtime", "before": {"runtime": None}, "after": {"runtime": "runsc"}} in done["reasons"]
    assert host.look({"name": "web", "runtime": runtime, "network": {"egress": "none"}}).only["runtime"] == "runsc"


@needs_gvisor
def test_what_was_installed_goes_along_from_one_runtime_to_the_other(host: TestHost) -> None:
    for runtime in ("runc", "runsc", "runc"):
        settled(host, runtime=runtime, network={"egress": "none"})
        assert (GVISOR in kernel(host)) is (runtime == "runsc")
        host.run("web", "touch", f"/installed-under-{runtime}", user="root")
    assert host.run("web", "sh", "-c", "ls /installed-under-*").split() == [
        "/installed-under-runc",
        "/installed-under-runsc",
    ]


@needs_gvisor
def test_an_agent_at_work_in_gvisor_is_not_cut(host: TestHost) -> None:
    wanted = {"name": "web", "runtime": "runsc", "network": {"egress": "none"}}
    settled(host, **wanted)
    old = host.container("web")["Id"]
    script = "echo 'sleep 600; true' >/tmp/claude; sh /tmp/claude & echo $! >/tmp/pid; echo begun; wait"
    made = host.api.exec_create(old, ["sh", "-c", script], user="agent")
    working = host.api.exec_start(made["Id"], stream=True)
    assert next(working) == b"begun\n"
    for change, what in (({"env": {"A": "1"}}, "replace"), ({"state": "stopped"}, "stop")):
        left = host.provision({**wanted, **change}).only
        assert (left["action"], left["error"]) == ("none", None)
        assert f"{what} deferred: an agent is at work (claude)" in left["warnings"][0]
    host.api.pause(old)
    left = host.provision({**wanted, "env": {"A": "1"}}).only
    assert "replace deferred: an agent is at work (perhaps: gVisor" in left["warnings"][0]
    assert left["error"] is None and host.container("web")["Id"] == old
    host.run("web", "sh", "-c", "kill $(cat /tmp/pid)", user="root")
    assert host.provision({**wanted, "env": {"A": "1"}}).only["action"] == "replace"


@needs_gvisor
@pytest.mark.parametrize("is_there", [True, False], ids=["replaced", "created"])
def test_a_gvisor_that_hides_what_is_written_is_refused_before_anything_is_lost(
    host: TestHost, place: Island, is_there: bool
) -> None:
    # what newer versions do by default: they keep the upper layer to themselves
    place.restart_engine(True, "--overlay2=root:memory")
    name = "web" if is_there else "fresh"
    wanted = {"name": name, "network": {"egress": "none"}}
    try:
        if is_there:  # so that what the new one goes on from has the marker of a start in it
            settled(host, **wanted, runtime="runc")
            host.run(name, "touch", "/installed", user="root")
        failed = host.provision({**wanted, "runtime": "runsc"}).only
        assert "--overlay2=none" in failed["error"]
        assert host.names(name) == ([f"berth-{name}"] if is_there else [])
        if is_there:
            assert host.container(name)["HostConfig"]["Runtime"] == "runc"
            host.run(name, "ls", "/installed")
            assert not host.provision({**wanted, "runtime": "runc"}).changed
    finally:
        place.restart_engine()


@needs_gvisor
def test_a_project_with_the_hosts_engine_is_left_to_runc(host: TestHost) -> None:
    done = settled(host, runtime="auto", docker_access=True)
    assert done["runtime"] == "runc"


@needs_gvisor
def test_open_egress_under_gvisor_goes_by_the_hosts_resolver(
    host: TestHost, place: Island, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "_RESOLVERS", (str(place.resolver_file),))
    settled(host, runtime="runsc")
    assert host.run("web", "cat", "/etc/resolv.conf") == place.resolver_file.read_text()


@needs_gvisor
def test_a_host_whose_resolver_gvisor_cannot_reach_is_told(
    host: TestHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.53\nnameserver ::1\n")
    monkeypatch.setattr(facts, "_RESOLVERS", (str(tmp_path / "resolv.conf"),))
    failed = host.provision({"name": "web", "runtime": "runsc"}).only
    assert "a name server that is not on a loopback address" in failed["error"]
    assert host.names("web") == []


def test_what_demands_gvisor_where_there_is_none_fails_before_anything_starts(host: TestHost, place: Island) -> None:
    place.restart_engine(with_gvisor=False)
    try:
        failed = host.provision({"name": "web", "runtime": "runsc"}, {"name": "api", "runtime": "auto"})
        assert "/etc/docker/daemon.json" in failed.projects["web"]["error"]
        assert failed.projects["api"]["error"] is None and failed.projects["api"]["runtime"] == "runc"
        assert host.names("web") == []
        wanted = {"name": "web", "runtime": "runsc"}
        needs = host.provision(wanted, report_needs=True, gvisor=True, check=True).raw
        assert (needs["needs"], needs["projects"][0]["action"]) == (["runsc"], "create")
    finally:
        place.restart_engine()
