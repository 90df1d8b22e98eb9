# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks that keep, bring back and take away what is in the containers, as a user runs them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_names import Namespace
from tiny_image import build_tiny_image

from playbooks import Run, run_playbook

CORE_217 = os.environ.get("BERTH_CORE_217")


class Fleet:
    """Two projects on localhost, and the playbooks to run on them."""

    def __init__(self, api: Any, namespace: Namespace, image: str, folder: Path) -> None:
        self.api, self.namespace, self.folder = api, namespace, folder
        self.one, self.two = namespace.project("one"), namespace.project("two")
        self.variables: dict[str, Any] = {
            "berth_scope": namespace.scope,
            "berth_image": image,
            "berth_ready_timeout": 20,
            "berth_stop_timeout": 3,
            "berth_projects": [{"name": self.one}, {"name": self.two}],
        }

    def run(self, verb: str, *arguments: str, **options: Any) -> Run:
        extra = [part for argument in arguments for part in (["-e", argument] if "=" in argument else [argument])]
        return run_playbook(f"berth.projects.{verb}", self.folder, variables=self.variables, arguments=extra, **options)

    def shell(self, project: str, command: str) -> str:
        made = self.api.exec_create(f"berth-{project}", ["sh", "-c", command], user="root")
        output = self.api.exec_start(made["Id"]).decode()
        assert self.api.exec_inspect(made["Id"])["ExitCode"] == 0, output
        return str(output)

    def container_id(self, project: str) -> str:
        return str(self.api.inspect_container(f"berth-{project}")["Id"])

    def left_of(self, project: str) -> list[str]:
        """Names of everything on the engine and in the state folder that is the project's."""
        containers = self.api.containers(all=True, filters={"name": f"^/berth-{project}"})
        found = [name for entry in containers for name in entry["Names"]]
        found += [
            tag for image in self.api.images(filters={"reference": f"berth/{project}"}) for tag in image["RepoTags"]
        ]
        volumes = self.api.volumes(filters={"name": f"berth-{project}-"})["Volumes"] or []
        found += [volume["Name"] for volume in volumes]
        return found + [str(path) for path in (self.folder / "state").rglob(f"{project}*")]


@pytest.fixture
def fleet(api: Any, namespace: Namespace, tiny: str, tmp_path: Path) -> Fleet:
    return Fleet(api, namespace, tiny, tmp_path)


@pytest.fixture
def tags(api: Any, namespace: Namespace) -> Iterator[Any]:
    """Gives an image a name of the test's own, or moves the name to another image."""
    given: set[str] = set()

    def tag(image: str, name: str) -> str:
        api.tag(image, f"berth-test-{namespace.prefix}", name, force=True)
        given.add(f"berth-test-{namespace.prefix}:{name}")
        return f"berth-test-{namespace.prefix}:{name}"

    yield tag
    for name in given:
        api.remove_image(name, force=True)


def test_snapshots_are_taken_listed_and_removed(fleet: Fleet) -> None:
    fleet.run("provision").succeeded()
    first = fleet.run("snapshot").succeeded().projects()[fleet.one]
    fleet.shell(fleet.one, "echo later > /opt/later")
    second = fleet.run("snapshot", f"berth_only={fleet.one}").succeeded()
    taken = second.projects()[fleet.one]["taken"]
    assert f"localhost: {fleet.one}: took {taken} (" in second.stdout and "2 there now" in second.stdout

    listed = fleet.run("snapshot", "berth_snapshot_operation=list").succeeded()
    rows = [line.split() for line in listed.stdout.splitlines() if line.startswith("localhost ")]
    assert [(row[1], row[2]) for row in rows[:2]] == [
        (fleet.one, taken.partition(":")[2]),
        (fleet.one, first["taken"].partition(":")[2]),
    ]
    assert rows[0][-1] == "latest" and rows[2][1] == fleet.two
    assert listed.changed == 0

    wrong = fleet.run("snapshot", "berth_snapshot_operation=remove", "berth_snapshot=yesterday")
    assert "berth_snapshot: must be latest, or a snapshot's name" in wrong.messages
    name = first["taken"].partition(":")[2]
    removing = ("berth_snapshot_operation=remove", f"berth_snapshot={name}", f"berth_only={fleet.one}")
    assert f"removed {name}; 1 there now" in fleet.run("snapshot", *removing).succeeded().stdout
    again = fleet.run("snapshot", *removing, "--check").succeeded()
    assert f"has no snapshot {name}" in again.stdout and again.changed == 0


def test_a_restore_goes_back_to_a_snapshot_and_says_how_to_return(fleet: Fleet) -> None:
    fleet.run("provision").succeeded()
    name = fleet.run("snapshot").succeeded().projects()[fleet.one]["snapshots"][0]["name"]
    fleet.shell(fleet.one, "echo later > /opt/later")
    restored = fleet.run("restore", f"berth_only={fleet.one}", f"berth_snapshot={name}").succeeded()
    assert "later" not in fleet.shell(fleet.one, "ls /opt")
    (line,) = (line for line in restored.stdout.splitlines() if "to go back: " in line)
    assert f"berth.projects.restore -e berth_only={fleet.one} -e berth_snapshot=" in line
    assert fleet.run("provision").succeeded().changed == 0

    back = line.partition(" -e ")[2].split(" -e ")
    fleet.run("restore", *back).succeeded()
    assert "later" in fleet.shell(fleet.one, "ls /opt")


def test_a_project_whose_container_is_gone_is_restored(fleet: Fleet) -> None:
    fleet.run("provision").succeeded()
    fleet.shell(fleet.one, "echo kept > /opt/kept")
    fleet.run("snapshot").succeeded()
    fleet.api.remove_container(f"berth-{fleet.one}", force=True)
    fleet.run("restore", f"berth_only={fleet.one}").succeeded()
    assert fleet.shell(fleet.one, "cat /opt/kept") == "kept\n"
    unknown = fleet.run("restore", f"berth_only={fleet.one}", "berth_snapshot=20200101T000000000000Z")
    assert "There is no snapshot '20200101T000000000000Z' of it. There are: 20" in unknown.messages


def test_an_upgrade_stops_at_the_first_that_does_not_become_ready_and_goes_on_when_run_again(
    fleet: Fleet, tiny: str, api: Any, tags: Any
) -> None:
    broken = build_tiny_image(api, ('ENTRYPOINT ["/bin/false"]',))
    newer = build_tiny_image(api, ("LABEL test.version=2",))
    for project, name in zip(fleet.variables["berth_projects"], ("first", "second")):
        project["image"] = tags(tiny, name)
    fleet.run("provision").succeeded()
    before = [fleet.container_id(name) for name in (fleet.one, fleet.two)]

    tags(broken, "first")
    tags(newer, "second")
    status = fleet.run("status").succeeded()
    rows = [line.split() for line in status.stdout.splitlines() if line.startswith("localhost ")]
    assert [row[-1] for row in rows[:2]] == ["upgrade", "upgrade"]

    failed = fleet.run("upgrade")
    assert failed.rc != 0 and f"The old container is running as berth-{fleet.one}" in failed.messages
    assert f"left as it is, because {fleet.one} failed before" in " ".join(failed.output.split())
    assert [fleet.container_id(name) for name in (fleet.one, fleet.two)] == before

    tags(newer, "first")
    mended = fleet.run("upgrade").succeeded()
    assert {project["action"] for project in mended.projects().values()} == {"replace"}
    assert mended.stdout.count("to go back: berth.projects.restore -e berth_only=") == 2
    assert fleet.run("upgrade").succeeded().changed == 0


def test_an_upgrade_goes_host_by_host_and_stops_at_the_first_that_fails(
    fleet: Fleet, tiny: str, api: Any, tags: Any
) -> None:
    image = tags(tiny, "host")
    hosts = {host: {"berth_projects": [{"name": fleet.namespace.project(host), "image": image}]} for host in ("a", "b")}
    del fleet.variables["berth_projects"]
    fleet.run("provision", hosts=hosts).succeeded()
    before = fleet.container_id(fleet.namespace.project("b"))
    tags(build_tiny_image(api, ('ENTRYPOINT ["/bin/false"]',)), "host")
    failed = fleet.run("upgrade", hosts=hosts)
    assert failed.rc != 0 and failed.recap["a"]["failed"] == 1
    assert not failed.of("berth.projects.container", "b")
    assert fleet.container_id(fleet.namespace.project("b")) == before


class TestReset:
    def test_tells_what_would_go_and_does_nothing_without_a_confirmation(self, fleet: Fleet) -> None:
        fleet.run("provision").succeeded()
        fleet.run("snapshot").succeeded()
        before = fleet.container_id(fleet.one)
        checked = fleet.run("reset", "--check").succeeded()
        refused = fleet.run("reset", timeout=60)
        for run in (checked, refused):
            assert f"localhost: {fleet.one}: would reset" in run.stdout
            assert f"goes for good: container berth-{fleet.one} (" in run.stdout
            assert f"goes for good: snapshot berth/{fleet.one}:" in run.stdout
            assert f"goes for good: volume berth-{fleet.one}-home (" in run.stdout
            assert "goes for good: " in run.stdout and " in all" in run.stdout
        assert checked.changed == 1
        assert refused.rc != 0 and refused.changed == 0
        assert f"-e berth_confirm={fleet.one},{fleet.two}" in refused.messages
        partly = fleet.run("reset", f"berth_confirm={fleet.one}")
        assert f"not confirmed is {fleet.two}." in partly.messages
        assert fleet.container_id(fleet.one) == before

    def test_makes_the_confirmed_project_afresh_and_leaves_the_others(self, fleet: Fleet) -> None:
        fleet.run("provision").succeeded()
        fleet.shell(fleet.one, "echo mine > /home/agent/mine && echo mine > /opt/mine")
        fleet.run("snapshot").succeeded()
        other = fleet.container_id(fleet.two)
        done = fleet.run("reset", f"berth_only={fleet.one}", f"berth_confirm={fleet.one}").succeeded()
        assert done.changed == 1 and f"localhost: {fleet.one}: reset" in done.stdout
        assert "mine" not in fleet.shell(fleet.one, "ls /home/agent /opt")
        assert not fleet.api.images(filters={"reference": f"berth/{fleet.one}"})
        assert fleet.container_id(fleet.two) == other
        assert fleet.run("provision").succeeded().changed == 0

    @pytest.mark.skipif(not CORE_217, reason="BERTH_CORE_217 does not say where ansible-core 2.17 is; make test does")
    def test_does_not_wait_for_an_answer_on_the_oldest_ansible_core_either(self, fleet: Fleet) -> None:
        programs = Path(CORE_217 or "")
        fleet.run("provision", programs=programs).succeeded()
        refused = fleet.run("reset", programs=programs, timeout=60)
        assert f"-e berth_confirm={fleet.one},{fleet.two}" in refused.messages and refused.changed == 0
        done = fleet.run("reset", f"berth_confirm={fleet.one},{fleet.two}", programs=programs).succeeded()
        assert done.changed == 1


class TestDestroy:
    def test_keeps_what_a_later_provision_goes_on_from(self, fleet: Fleet) -> None:
        fleet.run("provision").succeeded()
        fleet.shell(fleet.one, "echo kept > /opt/kept && echo kept > /home/agent/kept")
        gone = fleet.run("destroy", f"berth_only={fleet.one}", f"berth_confirm={fleet.one}").succeeded()
        assert "stays: snapshots and volumes" in gone.stdout and f"kept: berth/{fleet.one}:" in gone.stdout
        assert not fleet.api.containers(all=True, filters={"name": f"^/berth-{fleet.one}"})
        again = fleet.run("destroy", f"berth_only={fleet.one}").succeeded()  # there is nothing to confirm
        assert again.changed == 0
        fleet.run("provision").succeeded()
        assert fleet.shell(fleet.one, "cat /opt/kept /home/agent/kept") == "kept\nkept\n"

    def test_with_data_leaves_nothing_of_a_project_that_is_not_declared_any_more(self, fleet: Fleet) -> None:
        fleet.run("provision").succeeded()
        fleet.run("snapshot").succeeded()
        assert fleet.left_of(fleet.two)
        fleet.variables["berth_projects"].pop()
        arguments = (f"berth_only={fleet.two}", "berth_destroy_data=true", f"berth_confirm={fleet.two}")
        assert fleet.run("destroy", *arguments).succeeded().changed == 1
        assert fleet.left_of(fleet.two) == []
        again = fleet.run("destroy", *arguments)
        assert again.rc != 0
        assert f"nothing is known on localhost of '{fleet.two}'" in again.messages
        wrong = fleet.run("destroy", "berth_only=Not_A_Name", "berth_confirm=Not_A_Name")
        assert "berth_only: 'Not_A_Name' is no name of a project" in wrong.messages
        assert fleet.left_of(fleet.one)

    def test_looks_at_all_hosts_before_anything_goes_on_any(self, fleet: Fleet) -> None:
        hosts = {"first": {"berth_projects": [{"name": fleet.one}]}, "second": {"berth_projects": []}}
        fleet.run("provision").succeeded()  # two is declared by neither of both
        arguments = ("berth_destroy_data=true", f"berth_only={fleet.one},{fleet.two}")
        refused = fleet.run("destroy", *arguments, f"berth_confirm={fleet.two}", hosts=hosts)
        assert f"not confirmed is {fleet.one}." in refused.messages and refused.changed == 0
        typo = fleet.run("destroy", f"berth_only={fleet.one}x", f"berth_confirm={fleet.one}x", hosts=hosts)
        assert f"nothing is known on any host of this run of '{fleet.one}x'" in typo.messages
        assert fleet.left_of(fleet.one) and fleet.left_of(fleet.two)
        fleet.run("destroy", *arguments, f"berth_confirm={fleet.one},{fleet.two}", hosts=hosts).succeeded()
        assert fleet.left_of(fleet.one) == fleet.left_of(fleet.two) == []


def test_pruning_removes_what_is_not_declared_and_keeps_its_data(fleet: Fleet) -> None:
    fleet.run("provision").succeeded()
    fleet.shell(fleet.two, "echo kept > /opt/kept")
    gone = fleet.variables["berth_projects"].pop()
    before = fleet.run("status").succeeded().stdout.split("Not declared:")[1]
    assert [line.split()[-1] for line in before.splitlines() if f"berth-{fleet.two} " in line] == ["prune"]
    pruned = fleet.run("provision", "berth_prune=true").succeeded()
    assert f"localhost: {fleet.two}: remove\n    state: running → not declared\n    kept: berth/" in pruned.stdout
    assert fleet.run("provision", "berth_prune=true").succeeded().changed == 0

    after = fleet.run("status").succeeded().stdout.split("Not declared:")[1]
    rows = [line.split() for line in after.splitlines() if f" {fleet.two} " in line]
    assert {(row[1], row[-1]) for row in rows} == {("image", "destroy"), ("volume", "destroy"), ("state", "destroy")}
    fleet.variables["berth_projects"].append(gone)
    fleet.run("provision").succeeded()
    assert fleet.shell(fleet.two, "cat /opt/kept") == "kept\n"

    def test_asks_once_at_a_terminal_and_takes_the_answer_for_all_hosts(self, fleet: Fleet) -> None:
        hosts = {
            "first": {"berth_projects": [{"name": fleet.one}]},
            "second": {"berth_projects": [{"name": fleet.two}]},
        }
        fleet.run("provision", hosts=hosts).succeeded()
        asked = f"To destroy {','.join(sorted((fleet.one, fleet.two)))}, type all these names"
        refused = fleet.run("destroy", hosts=hosts, answer=(asked, fleet.one))
        assert refused.rc != 0 and f"not confirmed is {fleet.two}." in refused.stdout
        assert len(fleet.api.containers(filters={"name": f"^/berth-({fleet.one}|{fleet.two})$"})) == 2
        done = fleet.run("destroy", hosts=hosts, answer=(asked, f"{fleet.one},{fleet.two}")).succeeded()
        assert {host: counts["changed"] for host, counts in done.recap.items()} == {"first": 1, "second": 1}
        assert not fleet.api.containers(all=True, filters={"name": f"^/berth-({fleet.one}|{fleet.two})$"})
