# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks as a user runs them: what they do, what they print, and what they refuse."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from engine_names import Namespace

from playbooks import Run, run_playbook

PROVISION = "berth.projects.provision"
CORE_217 = os.environ.get("BERTH_CORE_217")


@pytest.fixture
def variables(namespace: Namespace, tiny: str, folder: Path) -> dict[str, Any]:
    """Two projects, of which one has everything."""
    return {
        "berth_scope": namespace.scope,
        "berth_image": tiny,
        "berth_env": {"EDITOR": "vim", "PAGER": "less"},
        "berth_project_defaults": {"env": {"PAGER": None}, "timezone": "UTC"},
        "berth_projects": [
            {
                "name": namespace.project("one"),
                "workspaces": [{"path": str(folder)}],
                "ports": [{"host": 28491, "container": 80}],
                "env": {"DEBUG": "1"},
            },
            {"name": namespace.project("two")},
        ],
    }


def test_provision_makes_what_is_declared_and_a_second_run_changes_nothing(
    variables: dict[str, Any], namespace: Namespace, api: Any, tmp_path: Path
) -> None:
    planned = run_playbook(PROVISION, tmp_path, variables=variables, arguments=["--check", "--diff"]).succeeded()
    assert namespace.container() not in str(api.containers(all=True))
    first = run_playbook(PROVISION, tmp_path, variables=variables).succeeded()
    second = run_playbook(PROVISION, tmp_path, variables=variables).succeeded()

    one = namespace.project("one")
    assert f"localhost: {one}: would create" in planned.stdout
    assert f"localhost: {one}: create\n    state: absent → started" in first.stdout
    assert (planned.changed, first.changed, second.changed) == (1, 1, 0)
    assert "localhost: 2 projects unchanged" in second.stdout
    environment = api.inspect_container(namespace.container("one"))["Config"]["Env"]
    assert {"EDITOR=vim", "DEBUG=1", "TZ=UTC"} <= set(environment)
    assert "PAGER=less" not in environment


def test_a_changed_variable_changes_just_that_and_says_why(
    variables: dict[str, Any], namespace: Namespace, tmp_path: Path
) -> None:
    run_playbook(PROVISION, tmp_path, variables=variables).succeeded()
    variables["berth_projects"][0]["env"]["DEBUG"] = "an-unlikely-value"
    changed = run_playbook(PROVISION, tmp_path, variables=variables, arguments=["--diff", "-vvv"]).succeeded()
    assert f"localhost: {namespace.project('one')}: replace\n    env: DEBUG: #" in changed.stdout
    assert "localhost: 1 project unchanged" in changed.stdout
    actions = {name: project["action"] for name, project in changed.projects().items()}
    assert actions == {namespace.project("one"): "replace", namespace.project("two"): "none"}
    assert "an-unlikely-value" not in changed.output


def test_only_narrows_a_run(variables: dict[str, Any], namespace: Namespace, tmp_path: Path) -> None:
    gone = {"name": namespace.project("gone")}
    first = {**variables, "berth_projects": [gone]}
    run_playbook(PROVISION, tmp_path, variables=first).succeeded()
    only = ["-e", f"berth_only={namespace.project('two')}", "-e", "berth_prune=true"]
    run = run_playbook(PROVISION, tmp_path, variables=variables, arguments=only).succeeded()
    assert list(run.projects()) == [namespace.project("two")]  # and nothing is pruned by a run that does not see it


def test_only_refuses_a_name_that_nobody_declared(
    variables: dict[str, Any], namespace: Namespace, tmp_path: Path
) -> None:
    only = ["-e", f"berth_only={namespace.project('twoo')}"]
    run = run_playbook(PROVISION, tmp_path, variables=variables, arguments=only)
    assert run.rc != 0
    assert f"did you mean {namespace.project('two')}?" in run.messages


def test_stop_start_and_status(variables: dict[str, Any], namespace: Namespace, api: Any, tmp_path: Path) -> None:
    run_playbook(PROVISION, tmp_path, variables=variables).succeeded()
    one = namespace.project("one")

    stop = run_playbook("berth.projects.stop", tmp_path, variables=variables, arguments=["-e", f"berth_only={one}"])
    assert stop.succeeded().changed == 1
    assert api.inspect_container(f"berth-{one}")["State"]["Status"] == "exited"
    assert api.inspect_container(namespace.container("two"))["State"]["Status"] == "running"

    variables["berth_projects"][1]["env"] = {"NEW": "1"}
    status = run_playbook("berth.projects.status", tmp_path, variables=variables).succeeded()
    assert status.changed == 0
    (one_row,) = (line for line in status.stdout.splitlines() if f" {one} " in line and "exited" in line)
    assert one_row.split()[-1] == "start"
    assert "127.0.0.1:28491->80/tcp" in one_row
    assert f"localhost {namespace.project('two')}: replace: env: NEW: (none) → #" in status.stdout
    del variables["berth_projects"][1]["env"]

    start = run_playbook("berth.projects.start", tmp_path, variables=variables).succeeded()
    assert start.changed == 1
    assert api.inspect_container(f"berth-{one}")["State"]["Status"] == "running"
    assert run_playbook("berth.projects.start", tmp_path, variables=variables).succeeded().changed == 0


def test_status_names_what_is_not_declared(variables: dict[str, Any], namespace: Namespace, tmp_path: Path) -> None:
    run_playbook(PROVISION, tmp_path, variables=variables).succeeded()
    gone = variables["berth_projects"].pop()
    status = run_playbook("berth.projects.status", tmp_path, variables=variables).succeeded()
    assert f"berth-{gone['name']}" in status.stdout.split("Not declared:")[1]


def test_start_of_what_was_never_provisioned_says_what_to_do(variables: dict[str, Any], tmp_path: Path) -> None:
    run = run_playbook("berth.projects.start", tmp_path, variables=variables)
    assert run.rc != 0
    assert "run berth.projects.provision first" in run.messages


class TestOneWrongHostOfTwo:
    """All variables of all hosts are checked before the first host changes."""

    @pytest.fixture
    def hosts(self, variables: dict[str, Any], namespace: Namespace) -> dict[str, dict[str, Any]]:
        projects = variables.pop("berth_projects")
        wrong = [{"name": namespace.project("three"), "ports": [{"host": 99999, "container": 80}], "evn": {}}]
        return {"good": {"berth_projects": projects}, "bad": {"berth_projects": wrong}}

    def refused(self, run: Run, namespace: Namespace, api: Any) -> None:
        assert run.rc != 0
        three = namespace.project("three")
        assert f"host bad, project {three}: berth_projects[0].ports[0].host: must be from 1 to 65535" in run.messages
        assert (
            f"host bad, project {three}: berth_projects[0].evn: is not a known key; did you mean env?" in run.messages
        )
        assert not [one for one in api.containers(all=True) if namespace.prefix in one["Names"][0]]

    @pytest.mark.parametrize(
        ("variable", "told"),
        [
            ({"berth_ready_timeout": 0}, "berth_ready_timeout: must be from 1 to 86400, and is 0"),
            ({"berth_image_variant": "bogus"}, "berth_image_variant: allowed is full or slim"),
            ({"berth_engine": {"bogus": 1}}, "berth_engine.bogus: is not a known key"),
            ({"berth_env": {"A": "{{ nothing_of_that_name }}"}}, "berth_env: cannot be resolved"),
        ],
        ids=["time", "image", "engine", "template"],
    )
    def test_stops_the_run_whatever_the_variable(
        self,
        hosts: dict[str, Any],
        variables: dict[str, Any],
        namespace: Namespace,
        api: Any,
        tmp_path: Path,
        variable: dict[str, Any],
        told: str,
    ) -> None:
        hosts["bad"] = {"berth_projects": [{"name": namespace.project("three")}], **variable}
        run = run_playbook(PROVISION, tmp_path, variables=variables, hosts=hosts)
        assert f"host bad: {told}" in run.messages
        assert not [one for one in api.containers(all=True) if namespace.prefix in one["Names"][0]]

    def test_stops_the_run(
        self, hosts: dict[str, Any], variables: dict[str, Any], namespace: Namespace, api: Any, tmp_path: Path
    ) -> None:
        self.refused(run_playbook(PROVISION, tmp_path, variables=variables, hosts=hosts), namespace, api)

    def test_stops_the_run_when_it_is_narrowed_to_that_host(
        self, hosts: dict[str, Any], variables: dict[str, Any], namespace: Namespace, api: Any, tmp_path: Path
    ) -> None:
        run = run_playbook(PROVISION, tmp_path, variables=variables, hosts=hosts, arguments=["--limit", "bad"])
        self.refused(run, namespace, api)

    def test_is_no_matter_when_the_run_is_narrowed_to_the_other(
        self, hosts: dict[str, Any], variables: dict[str, Any], tmp_path: Path
    ) -> None:
        arguments = ["--limit", "good"]
        run = run_playbook(PROVISION, tmp_path, variables=variables, hosts=hosts, arguments=arguments).succeeded()
        assert len(run.projects("good")) == 2

    def test_a_failing_host_does_not_stop_the_other(
        self, hosts: dict[str, Any], variables: dict[str, Any], namespace: Namespace, tmp_path: Path
    ) -> None:
        hosts["bad"]["berth_projects"] = [{"name": namespace.project("three"), "workspaces": [{"path": "/not/there"}]}]
        run = run_playbook(PROVISION, tmp_path, variables=variables, hosts=hosts)
        assert run.rc != 0
        assert f"project {namespace.project('three')}: /not/there" in run.messages
        assert run.recap["good"]["failed"] == 0
        assert len(run.projects("good")) == 2


def test_each_host_has_its_own_templates_resolved_by_its_own_variables(
    variables: dict[str, Any], namespace: Namespace, api: Any, folder: Path, tmp_path: Path
) -> None:
    """Several hosts, so that module validate looks at all of them from the first."""
    variables["berth_projects"] = [
        {
            "name": "{{ own_project }}",
            "workspaces": [{"path": "{{ inventory_dir }}/" + folder.name}],
            "env": {"HOST": "{{ inventory_hostname }}"},
        }
    ]
    hosts = {host: {"own_project": namespace.project(host)} for host in ("first", "second")}
    run = run_playbook(PROVISION, tmp_path, variables=variables, hosts=hosts).succeeded()
    (checked,) = (result for result in run.results if result.action == "berth.projects.validate")
    assert (checked.result["hosts"], checked.result["projects"]) == (2, 2)
    for host in hosts:
        assert {name: project["action"] for name, project in run.projects(host).items()} == {
            namespace.project(host): "create"
        }
        shown = api.inspect_container(namespace.container(host))
        assert shown["State"]["Status"] == "running"
        assert f"HOST={host}" in shown["Config"]["Env"]
        assert str(folder) in [mount["Source"] for mount in shown["Mounts"]]
    again = run_playbook(PROVISION, tmp_path, variables=variables, hosts=hosts).succeeded()
    assert again.changed == 0


class TestAnEngineThatCannotBeUsed:
    def test_that_does_not_answer_at_a_given_address(self, variables: dict[str, Any], tmp_path: Path) -> None:
        engine = {"docker_host": "tcp://127.0.0.1:1"}
        run = run_playbook(PROVISION, tmp_path, variables={**variables, "berth_engine": engine})
        assert run.rc != 0
        assert "No Docker engine answers at tcp://127.0.0.1:1" in run.messages
        assert "Check docker_host" in run.messages

    def test_by_the_environment(self, variables: dict[str, Any], tmp_path: Path) -> None:
        environment = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
        run = run_playbook(PROVISION, tmp_path, variables=variables, environment=environment)
        assert "No Docker engine answers at unix:///nowhere/docker.sock" in run.messages

    def test_without_the_sdk(self, variables: dict[str, Any], tmp_path: Path) -> None:
        (tmp_path / "docker.py").write_text("raise ImportError('hidden by the test')\n")
        python = tmp_path / "python3"
        python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path} exec {sys.executable} "$@"\n')
        python.chmod(0o755)
        variables.update(berth_prepare=False, ansible_python_interpreter=str(python))
        run = run_playbook(PROVISION, tmp_path, variables=variables)
        assert "The Docker SDK for Python cannot be imported by" in run.messages
        assert "python3-docker" in run.messages


def test_nothing_is_asked_of_a_host_without_projects(variables: dict[str, Any], tmp_path: Path) -> None:
    del variables["berth_projects"]
    engine = {"docker_host": "tcp://127.0.0.1:1"}
    run = run_playbook(PROVISION, tmp_path, variables={**variables, "berth_engine": engine}).succeeded()
    assert run.changed == 0


def test_prune_without_a_declaration_is_refused(variables: dict[str, Any], tmp_path: Path) -> None:
    del variables["berth_projects"]
    run = run_playbook(PROVISION, tmp_path, variables={**variables, "berth_prune": True})
    assert run.rc != 0
    assert "berth_prune: removes what is not declared, and berth_projects is not defined" in run.messages


def test_a_value_in_env_is_in_no_message(variables: dict[str, Any], tmp_path: Path) -> None:
    variables["berth_projects"][0]["env"] = {"API_TOKEN": "very-private-value", "BAD": ["very-private-value"]}
    run = run_playbook(PROVISION, tmp_path, variables=variables, arguments=["-vvv", "--diff"])
    assert run.rc != 0
    assert (
        "berth_projects[0].env.BAD: must be a text (without the character NUL) or a number or true or false"
        in run.messages
    )
    assert "very-private-value" not in run.output


def test_an_env_that_looks_like_a_secret_is_warned_of(
    variables: dict[str, Any], namespace: Namespace, tmp_path: Path
) -> None:
    variables["berth_projects"][0]["env"] = {"API_TOKEN": "very-private-value"}
    run = run_playbook(PROVISION, tmp_path, variables=variables, arguments=["-vvv", "--diff"]).succeeded()
    assert f"project {namespace.project('one')}: env.API_TOKEN looks like a secret" in " ".join(run.output.split())
    assert "very-private-value" not in run.output


@pytest.mark.skipif(not CORE_217, reason="BERTH_CORE_217 does not say where ansible-core 2.17 is; make test does")
def test_everything_works_on_the_oldest_ansible_core(variables: dict[str, Any], tmp_path: Path) -> None:
    programs = Path(CORE_217 or "")
    for playbook, changed in ((PROVISION, 1), (PROVISION, 0), ("berth.projects.stop", 1), ("berth.projects.start", 1)):
        run = run_playbook(playbook, tmp_path, variables=variables, programs=programs).succeeded()
        assert run.changed == changed, playbook
    assert "running" in run_playbook("berth.projects.status", tmp_path, variables=variables, programs=programs).stdout
