# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A replace succeeds, or leaves the old container running; a run that was cut off is finished by the next."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from engine_names import Namespace
from host import TestHost
from snapshot_files import read_snapshot

BROKEN = "berth-test-broken:1"


@pytest.fixture
def broken(api: Any, tiny: str) -> Iterator[str]:
    """An image that keeps the contract by its label and whose entrypoint fails."""
    made = api.create_container(tiny, entrypoint=["sh", "-c", "echo 'berth: error: the sky fell'; exit 7"])
    repository, tag = BROKEN.split(":")
    api.commit(made["Id"], repository, tag)
    api.remove_container(made["Id"])
    yield BROKEN
    api.remove_image(BROKEN, force=True)


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.fixture
def project(host: TestHost, namespace: Namespace, folder: Path) -> dict[str, Any]:
    """A project that runs, with a marker in its container, its home and its workspace."""
    made = {"name": namespace.project(), "workspaces": [{"path": str(folder), "name": "src"}], "env": {"A": "1"}}
    host.provision(made)
    host.run(made["name"], "sh", "-c", "echo here > /home/agent/marker; echo here > /workspace/src/marker")
    host.run(made["name"], "sh", "-c", "echo here > /marker", user="root")
    return made


def assert_the_old_one_runs(host: TestHost, project: dict[str, Any], old: str) -> None:
    shown = host.container(project["name"])
    assert (shown["Id"], shown["State"]["Running"]) == (old, True)
    assert shown["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    assert host.api.images(name=f"berth/{project['name']}") == []
    assert_nothing_is_lost(host, project)


def assert_nothing_is_lost(host: TestHost, project: dict[str, Any]) -> None:
    """The project has one container, with all that was done in it."""
    assert host.names(project["name"]) == [f"berth-{project['name']}"]
    for path in ("/marker", "/home/agent/marker", "/workspace/src/marker"):
        assert host.run(project["name"], "cat", path).strip() == "here"


class TestAReplaceThatFails:
    def test_because_the_new_container_does_not_become_ready(
        self, host: TestHost, project: dict[str, Any], broken: str
    ) -> None:
        old = host.container(project["name"])["Id"]
        result = host.provision({**project, "image": broken}).only
        assert "before it was ready" in result["error"]
        assert "the sky fell" in result["error"]
        assert "The old container is running" in result["error"]
        assert_the_old_one_runs(host, project, old)
        assert not host.provision(project).changed

    def test_because_it_takes_too_long(self, host: TestHost, project: dict[str, Any], api: Any, tiny: str) -> None:
        made = api.create_container(tiny, entrypoint=["sleep", "60"])
        api.commit(made["Id"], *BROKEN.split(":"))
        api.remove_container(made["Id"])
        old = host.container(project["name"])["Id"]
        try:
            result = host.provision({**project, "image": BROKEN}, ready_timeout=1).only
            assert "did not become ready within 1 s" in result["error"]
            assert_the_old_one_runs(host, project, old)
        finally:
            api.remove_image(BROKEN)

    def test_because_the_engine_refuses_to_start_it(
        self, host: TestHost, project: dict[str, Any], taken_port: int
    ) -> None:
        old = host.container(project["name"])["Id"]
        result = host.provision({**project, "ports": [{"host": taken_port, "container": 80}]}).only
        assert str(taken_port) in result["error"]
        assert_the_old_one_runs(host, project, old)

    def test_because_the_image_has_volumes_that_nothing_is_mounted_on(
        self, host: TestHost, project: dict[str, Any], api: Any, tiny: str
    ) -> None:
        made = api.create_container(tiny)
        api.commit(made["Id"], *BROKEN.split(":"), changes=["VOLUME /var/lib/data"])
        api.remove_container(made["Id"])
        old = host.container(project["name"])["Id"]
        try:
            result = host.provision({**project, "image": BROKEN}).only
            assert "/var/lib/data" in result["error"]
            assert_the_old_one_runs(host, project, old)
        finally:
            api.remove_image(BROKEN)

    def test_of_a_stopped_container_starts_it_where_it_is_declared_as_started(
        self, host: TestHost, project: dict[str, Any], broken: str
    ) -> None:
        host.api.stop(f"berth-{project['name']}", timeout=1)
        old = host.container(project["name"])["Id"]
        assert host.provision({**project, "image": broken}).only["error"]
        assert_the_old_one_runs(host, project, old)

    def test_only_when_it_is_started_brings_the_old_one_back_then(
        self, host: TestHost, project: dict[str, Any], broken: str
    ) -> None:
        """A project declared as stopped is replaced without a start, so the new container proves itself later."""
        old = host.container(project["name"])["Id"]
        stopped = host.provision({**project, "image": broken, "state": "stopped"}).only
        assert (stopped["action"], stopped["error"]) == ("replace", None)
        assert not host.provision({**project, "image": broken, "state": "stopped"}).changed
        started = host.provision({**project, "image": broken}).only
        assert "The container that was there before runs again" in started["error"]
        shown = host.container(project["name"])
        assert (shown["Id"], shown["State"]["Running"]) == (old, True)

    def test_because_of_the_image_never_cuts_the_old_one(
        self, host: TestHost, project: dict[str, Any], api: Any, tiny: str
    ) -> None:
        made = api.create_container(tiny)
        api.commit(made["Id"], *BROKEN.split(":"), changes=["VOLUME /var/lib/data"])
        api.remove_container(made["Id"])
        before = host.container(project["name"])["State"]["StartedAt"]
        try:
            planned = host.provision({**project, "image": BROKEN}, check=True).only
            done = host.provision({**project, "image": BROKEN}).only
            assert planned["error"] == done["error"]
            assert host.container(project["name"])["State"]["StartedAt"] == before
        finally:
            api.remove_image(BROKEN)


class TestARunThatWasCutOff:
    """The states that a killed run leaves, made by hand; the next run converges and the old container is kept."""

    def test_after_the_old_one_was_set_aside(self, host: TestHost, project: dict[str, Any], api: Any) -> None:
        set_aside(host, project)
        result = host.provision({**project, "env": {"A": "2"}}).only
        assert (result["action"], result["error"]) == ("replace", None)
        assert not host.provision({**project, "env": {"A": "2"}}).changed
        assert_nothing_is_lost(host, project)

    def test_after_the_new_one_was_created(self, host: TestHost, project: dict[str, Any]) -> None:
        """It was never ready, so the run goes back to the old one and replaces that."""
        old, new = self.half_replaced(host, project)
        planned = host.provision({**project, "env": {"A": "2"}}, check=True).only
        result = host.provision({**project, "env": {"A": "2"}}).only
        assert (planned["action"], planned["steps"]) == (result["action"], result["steps"])
        assert (result["action"], result["error"]) == ("replace", None)
        assert result["container_id"] not in (old, new)
        assert not host.provision({**project, "env": {"A": "2"}}).changed

    def test_and_whose_definition_was_taken_back_since(self, host: TestHost, project: dict[str, Any]) -> None:
        """Then the old container is as declared: it only has to run again, with what was installed in it."""
        old, _new = self.half_replaced(host, project)
        result = host.provision(project).only
        assert (result["action"], result["container_id"], result["error"]) == ("start", old, None)
        assert host.run(project["name"], "cat", "/marker").strip() == "here"

    def test_after_the_new_one_was_ready(self, host: TestHost, project: dict[str, Any], api: Any) -> None:
        _old, new = self.half_replaced(host, project)
        api.start(new)
        host.wait_until_ready(new)
        result = host.provision({**project, "env": {"A": "2"}}).only
        assert (result["action"], result["container_id"]) == ("none", new)
        assert not host.provision({**project, "env": {"A": "2"}}).changed

    def test_while_the_new_one_was_waited_for(
        self, host: TestHost, project: dict[str, Any], api: Any, broken: str
    ) -> None:
        """It runs, or is restarted again and again, and was never ready: no run may take that for done."""
        wanted = {**project, "image": broken}
        old, new = self.half_replaced(host, wanted)
        api.start(new)
        for _run in range(2):
            result = host.provision({**wanted, "env": {"A": "2"}}).only
            assert "The old container is running" in result["error"]
            shown = host.container(project["name"])
            assert (shown["Id"], shown["State"]["Running"]) == (old, True)

    def test_while_a_removed_one_was_set_aside(self, host: TestHost, project: dict[str, Any]) -> None:
        """Its layer is in no snapshot yet, so it is no leftover: the removal is finished, snapshot and all."""
        set_aside(host, project)
        assert host.provision({**project, "state": "absent"}).only["action"] == "remove"
        assert not host.provision({**project, "state": "absent"}).changed
        assert host.names(project["name"]) == []
        assert read_snapshot(host.api, f"berth/{project['name']}:latest", "/marker") == "here\n"

    @staticmethod
    def half_replaced(host: TestHost, project: dict[str, Any]) -> tuple[str, str]:
        """Replace, then take back the record and the start: as if killed just after the create. The old and new id."""
        record = host.state_dir / "records" / f"{project['name']}.json"
        before = record.read_text()
        old = set_aside(host, project)
        record.unlink()
        host.provision({**project, "env": {"A": "2"}, "state": "stopped"})
        record.write_text(before)
        return old, str(host.container(project["name"])["Id"])


def set_aside(host: TestHost, project: dict[str, Any]) -> str:
    old = str(host.container(project["name"])["Id"])
    host.api.update_container(old, restart_policy={"Name": "no"})
    host.api.stop(old, timeout=1)
    host.api.rename(old, f"berth-{project['name']}.old.{old[:12]}")
    return old


class TestAContainerThatDoesNotComeUp:
    """It may have been ready once: no run may take it for as declared while it ends again and again."""

    def test_is_told_of_in_each_run(self, host: TestHost, namespace: Namespace, folder: Path) -> None:
        project = {"name": namespace.project(), "workspaces": [{"path": str(folder), "name": "src"}]}
        host.provision(project)
        host.run(project["name"], "sh", "-c", "rm /usr/local/lib/berth/common.sh", user="root")
        host.api.stop(namespace.container(), timeout=1)
        for _run in range(3):
            assert "before it was ready" in host.provision(project).only["error"]


class TestAProjectThatIsDeclaredAgain:
    def test_goes_on_from_its_snapshot(self, host: TestHost, project: dict[str, Any]) -> None:
        host.provision({**project, "state": "absent"})
        assert host.names(project["name"]) == []
        result = host.provision(project).only
        assert (result["action"], result["error"]) == ("create", None)
        assert_nothing_is_lost(host, project)
        assert not host.provision(project).changed

    def test_has_its_home_and_workspaces_also_where_its_snapshots_are_gone(
        self, host: TestHost, project: dict[str, Any]
    ) -> None:
        host.provision({**project, "state": "absent"})
        for image in host.api.images(name=f"berth/{project['name']}"):
            for tag in image["RepoTags"]:
                host.api.remove_image(tag)
        assert host.provision(project).only["action"] == "create"
        for path in ("/home/agent/marker", "/workspace/src/marker"):
            assert host.run(project["name"], "cat", path).strip() == "here"


class TestAReplaceWithoutASnapshot:
    """As declared by ``snapshot: {on_replace: false}``."""

    def test_keeps_the_old_container_aside(self, host: TestHost, project: dict[str, Any]) -> None:
        old = host.container(project["name"])["Id"]
        wanted = {**project, "env": {"A": "2"}, "snapshot": {"on_replace": False}}
        result = host.provision(wanted).only
        assert (result["action"], result["error"]) == ("replace", None)
        assert host.names(project["name"]) == [
            f"berth-{project['name']}",
            f"berth-{project['name']}.old.{old[:12]}",
        ]
        assert host.api.get_archive(old, "/marker")[1]["size"] == len("here\n")
        assert host.api.inspect_container(old)["State"]["Status"] == "exited"
        assert host.api.inspect_container(old)["HostConfig"]["RestartPolicy"]["Name"] == "no"
        assert host.api.images(name=f"berth/{project['name']}") == []
        assert not host.provision(wanted).changed


class TestAnAgentAtWork:
    @pytest.fixture
    def busy(self, host: TestHost, project: dict[str, Any]) -> dict[str, Any]:
        script = "echo 'sleep 600; true' > /tmp/claude; sh /tmp/claude"
        made = host.api.exec_create(f"berth-{project['name']}", ["sh", "-c", script], user="agent")
        host.api.exec_start(made["Id"], detach=True)
        wait_for_agent(host, project["name"])
        return project

    @pytest.mark.parametrize(
        ("change", "what"),
        [({"env": {"A": "2"}}, "replace"), ({"state": "stopped"}, "stop"), ({"state": "absent"}, "remove")],
        ids=["replace", "stop", "remove"],
    )
    def test_is_not_cut(self, host: TestHost, busy: dict[str, Any], change: dict[str, Any], what: str) -> None:
        old = host.container(busy["name"])["Id"]
        planned, result = host.provision({**busy, **change}, check=True).only, host.provision({**busy, **change}).only
        assert planned["warnings"] == result["warnings"]
        assert (result["action"], result["changed"]) == ("none", False)
        assert f"{what} deferred: an agent is at work (claude)" in result["warnings"][0]
        assert host.container(busy["name"])["Id"] == old
        assert host.container(busy["name"])["State"]["Running"]

    def test_still_gets_what_can_be_changed_live(self, host: TestHost, busy: dict[str, Any]) -> None:
        result = host.provision({**busy, "env": {"A": "2"}, "resources": {"pids": 77}}).only
        assert result["action"] == "update"
        assert {reason["aspect"] for reason in result["reasons"]} == {"env", "resources"}
        assert host.container(busy["name"])["HostConfig"]["PidsLimit"] == 77

    def test_is_cut_by_force(self, host: TestHost, busy: dict[str, Any]) -> None:
        result = host.provision({**busy, "env": {"A": "2"}}, when_busy="force").only
        assert (result["action"], result["error"]) == ("replace", None)


def wait_for_agent(host: TestHost, name: str) -> None:
    """An exec that is detached starts a moment later."""
    for _attempt in range(200):
        rows = host.api.top(f"berth-{name}", "-eo pid,args")["Processes"]
        if any(row[-1] == "sh /tmp/claude" for row in rows):
            return
    raise AssertionError("the agent did not start")


class TestWhatIsWrongOnTheHost:
    def test_a_link_does_not_lead_around_the_rules(self, host: TestHost, namespace: Namespace, tmp_path: Path) -> None:
        (tmp_path / "root").symlink_to("/")
        (tmp_path / "socket").symlink_to("/var/run/docker.sock")
        workspace = {"workspaces": [{"path": str(tmp_path / "root"), "name": "r"}]}
        with pytest.raises(BerthError, match="leads to /, and the agent would own the host"):
            host.provision({"name": namespace.project(), **workspace})
        mount = {"mounts": [{"source": str(tmp_path / "socket"), "target": "/sock"}]}
        with pytest.raises(BerthError, match="say so with docker_access"):
            host.provision({"name": namespace.project(), **mount})

    def test_another_users_state_folder_is_no_reason_to_replace(
        self, host: TestHost, namespace: Namespace, tmp_path: Path
    ) -> None:
        project = {"name": namespace.project()}
        host.provision(project)
        other = TestHost(host.api, tmp_path / "elsewhere", host.scope, host.image)
        assert "was made with another state folder" in other.provision(project).only["error"]
        assert not host.provision(project).changed

    def test_a_missing_folder_stops_the_run_before_its_first_change(self, host: TestHost, namespace: Namespace) -> None:
        fine = {"name": namespace.project("fine")}
        wrong = {"name": namespace.project("wrong"), "workspaces": [{"path": "/nowhere/at/all"}]}
        with pytest.raises(
            BerthError, match=rf"Nothing was changed(.|\n)*project {wrong['name']}: /nowhere/at/all: is missing"
        ):
            host.provision(fine, wrong)
        assert host.names(namespace.prefix) == []

    @pytest.mark.parametrize(
        ("resources", "told"),
        [({"cpus": 4096}, "resources.cpus is 4096, and this host has"), ({"memory": "900t"}, "resources.memory is")],
    )
    def test_a_limit_the_host_cannot_give_is_an_error(
        self, host: TestHost, namespace: Namespace, resources: dict[str, Any], told: str
    ) -> None:
        project = {"name": namespace.project(), "resources": resources}
        for check in (True, False):
            assert told in host.provision(project, check=check).only["error"]
        assert host.names(namespace.prefix) == []

    def test_an_image_without_the_contract_is_refused(
        self, host: TestHost, namespace: Namespace, api: Any, tiny: str
    ) -> None:
        made = api.create_container(tiny)
        api.commit(made["Id"], *BROKEN.split(":"), changes=["LABEL berth.contract=0"])
        api.remove_container(made["Id"])
        try:
            for check in (True, False):
                error = host.provision({"name": namespace.project(), "image": BROKEN}, check=check).only["error"]
                assert "berth.contract=1" in error
        finally:
            api.remove_image(BROKEN)

    def test_an_image_that_cannot_be_pulled_is_an_error(self, host: TestHost, namespace: Namespace) -> None:
        error = host.provision({"name": namespace.project(), "image": "localhost:1/nothing/here:1"}).only["error"]
        assert "pulling image localhost:1/nothing/here:1" in error

    def test_an_agent_in_roots_folder_gets_1000_and_a_warning(
        self, host: TestHost, namespace: Namespace, tmp_path: Path
    ) -> None:
        (tmp_path / "roots").mkdir()
        project = {"name": namespace.project(), "workspaces": [{"path": str(tmp_path / "roots")}]}
        warnings = host.provision(project).only["warnings"]
        assert any("belongs to root" in text for text in warnings)
        assert host.run(project["name"], "id", "-u").strip() == "1000"
        assert host.provision(project).only["warnings"] == []
