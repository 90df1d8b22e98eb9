# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to containers behind Berth's back is noticed and mended, and what is not Berth's is left alone."""

from __future__ import annotations

import json
import os
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, Callable

import pytest
from ansible_collections.berth.projects.plugins.module_utils.aspect import Site
from ansible_collections.berth.projects.plugins.module_utils.aspects import create_body
from ansible_collections.berth.projects.plugins.module_utils.definition import User, definition_from
from ansible_collections.berth.projects.plugins.module_utils.networks import network_body, wanted_networks
from engine_names import Namespace
from host import Result, TestHost
from snapshot_files import read_snapshot

Drift = Callable[[Any, str], None]


def stopped(api: Any, container: str) -> None:
    api.stop(container, timeout=1)


def killed(api: Any, container: str) -> None:
    api.update_container(container, restart_policy={"Name": "no"})
    api.kill(container)
    api.wait(container)


def paused(api: Any, container: str) -> None:
    api.pause(container)


def limited(api: Any, container: str) -> None:
    api.update_container(container, mem_limit=64 * 1024**2, memswap_limit=128 * 1024**2)


def cpus_changed(api: Any, container: str) -> None:
    url = api._url("/containers/{0}/update", container)  # as 'docker update --cpus' does; the SDK has no way to
    api._raise_for_status(api._post_json(url, data={"NanoCpus": 500_000_000}))


def restart_policy_changed(api: Any, container: str) -> None:
    api.update_container(container, restart_policy={"Name": "always"})


def disconnected(api: Any, container: str) -> None:
    api.disconnect_container_from_network(container, f"{container}.open")


def renamed(api: Any, container: str) -> None:
    api.rename(container, f"{container}-mine-now")


def removed(api: Any, container: str) -> None:
    api.remove_container(container, force=True)


DRIFTS: tuple[tuple[Drift, str], ...] = (
    (stopped, "start"),
    (killed, "start"),
    (paused, "start"),
    (limited, "update"),
    (cpus_changed, "update"),
    (restart_policy_changed, "update"),
    (disconnected, "update"),
    (renamed, "update"),
    (removed, "create"),
)


@pytest.mark.parametrize(("drift", "action"), DRIFTS, ids=lambda value: getattr(value, "__name__", value))
def test_drift_is_noticed_and_mended(
    host: TestHost, namespace: Namespace, folder: Path, drift: Drift, action: str
) -> None:
    project = {
        "name": namespace.project(),
        "workspaces": [{"path": str(folder)}],
        "ports": [{"host": 28481, "container": 80}],
        "resources": {"cpus": 1, "memory": "256m"},
    }
    host.provision(project)
    host.run(project["name"], "sh", "-c", "echo kept > /home/agent/marker")

    drift(host.api, namespace.container())
    planned = host.provision(project, check=True).only
    mended = host.provision(project).only

    assert (planned["action"], planned["steps"]) == (mended["action"], mended["steps"])
    assert (mended["action"], mended["error"]) == (action, None)
    assert not host.provision(project).changed
    shown = host.container(project["name"])
    assert shown["State"]["Status"] == "running"
    assert shown["NetworkSettings"]["Ports"]["80/tcp"] == [{"HostIp": "127.0.0.1", "HostPort": "28481"}]
    assert host.run(project["name"], "cat", "/home/agent/marker").strip() == "kept"


def test_a_container_without_limits_that_was_limited_by_hand_gets_them_lifted(
    host: TestHost, namespace: Namespace
) -> None:
    """The engine cannot lift a memory limit as the container runs, so this one takes a new container."""
    project = {"name": namespace.project()}
    host.provision(project)
    limited(host.api, namespace.container())
    assert host.provision(project).only["action"] == "replace"
    assert host.container(project["name"])["HostConfig"]["Memory"] == 0


def test_a_cpu_quota_set_by_hand_is_taken_away(host: TestHost, namespace: Namespace) -> None:
    """The engine refuses to change from a quota to CPUs, so this one takes a new container as well."""
    project = {"name": namespace.project()}
    host.provision(project)
    host.api.update_container(namespace.container(), cpu_quota=20_000, cpu_period=100_000)
    result = host.provision({**project, "resources": {"cpus": 1}}).only
    assert (result["action"], result["error"]) == ("replace", None)
    assert host.container(project["name"])["HostConfig"]["NanoCpus"] == 10**9


def test_a_container_made_anew_by_hand_with_our_labels_is_compared_as_it_is(
    host: TestHost, namespace: Namespace
) -> None:
    project = {"name": namespace.project(), "ports": [{"host": 28482, "container": 80}]}
    host.provision(project)
    shown = host.container(project["name"])
    removed(host.api, namespace.container())
    body = {"Image": shown["Config"]["Image"], "Labels": shown["Config"]["Labels"], "HostConfig": {"Init": True}}
    host.api.create_container_from_config(body, namespace.container())
    result = host.provision(project).only
    assert result["action"] == "replace"
    assert {"mounts", "ports"} <= {reason["aspect"] for reason in result["reasons"]}


@pytest.mark.parametrize("version", [None, "0"], ids=["missing", "unknown"])
class TestAFingerprintOfAnotherScheme:
    """Such labels say nothing, so the real container is compared."""

    def test_does_not_replace_a_container_that_is_as_declared(
        self, host: TestHost, namespace: Namespace, folder: Path, version: str | None
    ) -> None:
        project = full_definition(namespace, folder)
        self.make(host, project, version)
        assert host.provision(project).only["action"] == "none"

    def test_does_replace_one_that_is_not(
        self, host: TestHost, namespace: Namespace, folder: Path, version: str | None
    ) -> None:
        project = full_definition(namespace, folder)
        self.make(host, project, version)
        result = host.provision({**project, "env": {"A": "2"}}).only
        assert result["action"] == "replace"
        assert [reason["aspect"] for reason in result["reasons"]] == ["env"]

    @staticmethod
    def make(host: TestHost, project: dict[str, Any], version: str | None) -> None:
        site = Site(str(host.state_dir), host.scope)
        definition = definition_from({"image": host.image, **project}).owned_by(User(4321, 4321)).run_by("runc")
        (network,) = wanted_networks(definition.name, "open")
        wanted = network_body(network, IPv4Network("10.214.7.0/28"), host.scope)
        host.api._raise_for_status(host.api._post_json(host.api._url("/networks/create"), data=wanted))
        body = create_body(definition, site)
        labels = {key: value for key, value in body["Labels"].items() if not key.startswith("berth.fingerprint.")}
        if version:
            labels["berth.fingerprint.version"] = version
        Path(site.host_state(project["name"])).mkdir(parents=True)
        made = host.api.create_container_from_config({**body, "Labels": labels}, f"berth-{project['name']}")
        host.api.start(made["Id"])
        host.wait_until_ready(made["Id"])


def full_definition(namespace: Namespace, folder: Path) -> dict[str, Any]:
    return {
        "name": namespace.project(),
        "workspaces": [{"path": str(folder), "name": "src"}],
        "mounts": [
            {"type": "tmpfs", "target": "/scratch"},
            {"source": str(folder), "target": "/ro", "read_only": True},
        ],
        "ports": [{"host": 28483, "container": 80}, {"host": 28484, "container": 53, "protocol": "udp"}],
        "env": {"A": "1", "EMPTY": ""},
        "timezone": "UTC",
        "healthcheck": {"interval": 45, "disk_limit": 95},
        "resources": {
            "cpus": 0.5,
            "memory": "128m",
            "pids": 99,
            "nofile": {"soft": 99, "hard": 100},
            "shm_size": "32m",
        },
    }


def orphans_of(result: Result) -> list[Any]:
    """The orphans of the test's own scope: images that nothing uses have none, and may be another test's."""
    return [orphan for orphan in result.raw["orphans"] if orphan["kind"] != "unused"]


class TestWhatIsNotOurs:
    def test_a_container_of_our_name_that_berth_did_not_make_is_an_error(
        self, host: TestHost, namespace: Namespace
    ) -> None:
        made = host.api.create_container(host.image, name=namespace.container(), entrypoint=["sleep", "99"])
        result = host.provision({"name": namespace.project()}).only
        assert "Berth did not make" in result["error"]
        assert namespace.container() in result["error"]
        assert host.container(namespace.project())["Id"] == made["Id"]

    def test_a_project_of_another_scope_is_an_error_and_left_alone(self, host: TestHost, namespace: Namespace) -> None:
        host.provision({"name": namespace.project()})
        other = TestHost(host.api, host.state_dir, "another", host.image)
        result = other.provision({"name": namespace.project(), "env": {"A": "1"}}, prune=True).only
        assert repr(host.scope) in result["error"]
        assert not host.provision({"name": namespace.project()}).changed

    def test_the_home_of_another_scopes_project_is_not_mounted(self, host: TestHost, namespace: Namespace) -> None:
        """Also when that project has no container any more: its logins are in the volume."""
        host.provision({"name": namespace.project()})
        host.provision({"name": namespace.project(), "state": "absent"})
        other = TestHost(host.api, host.state_dir, f"{host.scope}-other", host.image)
        for check in (True, False):
            error = other.provision({"name": namespace.project()}, check=check).only["error"]
            assert f"The volume {namespace.container()}-home belongs to the scope {host.scope!r}" in error

    def test_another_container_with_our_labels_is_left_alone(self, host: TestHost, namespace: Namespace) -> None:
        """As one has that somebody runs from a copy of a project's container."""
        project = {"name": namespace.project()}
        host.provision(project)
        labels = host.container(project["name"])["Config"]["Labels"]
        copy = f"{namespace.container()}-copy"
        host.api.create_container(host.image, name=copy, labels=labels, entrypoint=["sleep", "99"])
        result = host.provision(project, prune=True)
        assert not result.changed
        assert [(orphan["kind"], orphan["name"]) for orphan in orphans_of(result)] == [("stray", copy)]
        removed(host.api, namespace.container())
        assert host.provision(project).only["action"] == "create"
        assert copy in host.names(namespace.prefix)

    def test_failing_projects_do_not_stop_the_others(self, host: TestHost, namespace: Namespace) -> None:
        host.api.create_container(host.image, name=namespace.container("a"), entrypoint=["sleep", "99"])
        result = host.provision({"name": namespace.project("a")}, {"name": namespace.project("b")})
        assert result.raw["failed"]
        assert namespace.project("a") in result.raw["msg"]
        assert "1 of 2 projects failed" in result.raw["msg"]
        assert host.container(namespace.project("b"))["State"]["Running"]


class TestPrune:
    def test_removes_what_is_no_longer_declared_and_keeps_a_snapshot_of_it(
        self, host: TestHost, namespace: Namespace
    ) -> None:
        one, two = {"name": namespace.project("one")}, {"name": namespace.project("two")}
        host.provision(one, two)
        host.run(two["name"], "sh", "-c", "echo here > /installed", user="root")
        planned = host.provision(one, prune=True, check=True)
        pruned = host.provision(one, prune=True)
        assert planned.actions == pruned.actions == {one["name"]: "none", two["name"]: "remove"}
        assert host.names(namespace.prefix) == [namespace.container("one")]
        assert read_snapshot(host.api, f"berth/{two['name']}:latest", "/installed") == "here\n"
        assert not host.provision(one, prune=True).changed

    def test_what_was_pruned_goes_on_from_its_snapshot_when_it_is_declared_again(
        self, host: TestHost, namespace: Namespace
    ) -> None:
        project = {"name": namespace.project()}
        host.provision(project)
        host.run(project["name"], "sh", "-c", "echo here > /installed", user="root")
        host.provision(prune=True)
        assert host.provision(project).only["action"] == "create"
        assert host.run(project["name"], "cat", "/installed") == "here\n"

    def test_is_off_by_default(self, host: TestHost, namespace: Namespace) -> None:
        one, two = {"name": namespace.project("one")}, {"name": namespace.project("two")}
        host.provision(one, two)
        result = host.provision(one)
        assert result.actions == {one["name"]: "none"}
        assert {(orphan["type"], orphan["kind"]) for orphan in orphans_of(result)} == {
            ("container", "undeclared"),
            ("volume", "undeclared"),
            ("network", "undeclared"),
            ("state", "undeclared"),
        }


def test_a_lost_record_changes_nothing(host: TestHost, namespace: Namespace, folder: Path) -> None:
    """The ids of the agent are then those that the container was made with."""
    project = {"name": namespace.project(), "workspaces": [{"path": str(folder)}]}
    host.provision(project)
    record = host.state_dir / "records" / f"{project['name']}.json"
    assert json.loads(record.read_text())["uid"] == 4321
    record.unlink()
    folder.chmod(0o777)
    os.chown(folder, 77, 77)
    assert not host.provision(project).changed
    assert json.loads(record.read_text())["uid"] == 4321
