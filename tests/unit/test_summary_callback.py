# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The callback: what it makes of Ansible's events, which it gets also of hosts that have left the play."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible import context
from ansible.parsing.dataloader import DataLoader
from ansible.utils.context_objects import CLIArgs
from ansible_collections.berth.projects.plugins.callback.summary import CallbackModule
from ansible_collections.berth.projects.plugins.plugin_utils import projects_dir
from ansible_collections.berth.projects.plugins.plugin_utils.projects_dir import projects_folder

CONTAINER = "berth.projects.container"
UNCHANGED = {"changed": False, "projects": [{"name": "x", "changed": False, "action": "none", "error": None}]}
CREATED = {"changed": True, "projects": [{"name": "x", "changed": True, "action": "create", "error": None}]}


class Scene:
    """A play of two hosts, and the callback that is told of its tasks."""

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self.callback = CallbackModule()
        self.shown: list[str] = []
        self.play_variables: dict[str, Any] = {}
        self.callback._display = SimpleNamespace(
            banner=self.shown.append, display=self.shown.append, error=self.shown.append
        )
        self.hosts = ["a", "b"]
        self.failures: dict[str, int] = {}
        hostvars = SimpleNamespace(_inventory=SimpleNamespace(get_host=lambda name: name))
        known = {"ansible_play_hosts_all": self.hosts, "hostvars": hostvars}
        manager = SimpleNamespace(
            get_vars=lambda play, host=None, task=None: {**known, **(variables if host in self.hosts else {})}
        )
        loader = DataLoader()
        self._play = SimpleNamespace(
            get_variable_manager=lambda: manager, get_loader=lambda: loader, get_vars=lambda: self.play_variables
        )
        self.begin()

    def begin(self) -> None:
        """Another play over the same hosts."""
        self.callback.v2_playbook_on_play_start(self._play)

    def task(self, kind: str, host: str, content: Mapping[str, Any], action: str = CONTAINER, **task: Any) -> None:
        result = SimpleNamespace(
            host=SimpleNamespace(get_name=lambda: host),
            task=SimpleNamespace(**{"action": action, "resolved_action": action, "check_mode": False, **task}),
            result=content,
        )
        getattr(self.callback, f"v2_runner_on_{kind}")(result)

    def end(self) -> str:
        self.callback.v2_playbook_on_stats(SimpleNamespace(failures=self.failures))
        return "\n".join(self.shown)


@pytest.fixture(autouse=True)
def options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "CLIARGS", CLIArgs({"check": False}))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    CallbackModule._active = None
    yield Scene({"berth_plan_file": str(tmp_path / "plan.json"), "berth_scope": "mine"})
    CallbackModule._active = None


def statuses(tmp_path: Path) -> dict[str, str]:
    hosts = json.loads((tmp_path / "plan.json").read_text())["hosts"]
    assert {host["scope"] for host in hosts.values()} == {"mine"}
    return {name: host["status"] for name, host in hosts.items()}


def test_a_play_that_works_on_no_projects_is_none_of_its_business(scene: Scene, tmp_path: Path) -> None:
    scene.task("ok", "a", {"changed": True}, "ansible.builtin.copy")
    scene.task("failed", "b", {"msg": "no"}, "ansible.builtin.copy")
    assert scene.end() == ""
    assert not (tmp_path / "plan.json").exists()


def test_what_prepared_a_host_counts_as_a_change(scene: Scene, tmp_path: Path) -> None:
    scene.task("ok", "a", {**UNCHANGED, "needs": ["engine"], "projects": []})
    scene.task("ok", "a", {"changed": True}, "ansible.builtin.apt")
    scene.task("ok", "a", UNCHANGED)
    scene.task("ok", "b", UNCHANGED)
    assert "a  host prepared" in scene.end()
    assert statuses(tmp_path) == {"a": "changed", "b": "unchanged"}


def test_a_failure_that_was_rescued_is_none(scene: Scene, tmp_path: Path) -> None:
    scene.task("failed", "a", {"msg": "no answer"}, "ansible.builtin.uri")
    scene.task("ok", "a", UNCHANGED)
    scene.end()
    assert statuses(tmp_path)["a"] == "unchanged"


def test_of_two_failures_the_last_says_why(scene: Scene) -> None:
    scene.failures["a"] = 1
    scene.task("ok", "a", {**UNCHANGED, "needs": ["engine"], "projects": []})
    scene.task("failed", "a", {"msg": "no answer"}, "ansible.builtin.uri")
    scene.task("failed", "a", {"msg": "The Docker engine did not come up"}, "ansible.builtin.fail")
    told = scene.end()
    assert "failed        a  The Docker engine did not come up" in told
    assert "no answer" not in told


def test_a_failure_that_is_ignored_is_none(scene: Scene, tmp_path: Path) -> None:
    scene.callback.v2_runner_on_failed(SimpleNamespace(), ignore_errors=True)
    scene.task("ok", "a", UNCHANGED)
    scene.end()
    assert statuses(tmp_path)["a"] == "unchanged"


def test_a_host_whose_needs_nobody_saw_to_is_not_unchanged(scene: Scene) -> None:
    scene.task("ok", "a", {"changed": False, "needs": ["engine", "sdk"], "projects": []})
    assert "failed        a  lacks engine, sdk, and the run ended before that was brought in" in scene.end()


def test_drift_is_no_failure(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "CLIARGS", CLIArgs({"check": True}))
    scene.failures["a"] = 1
    scene.callback._plays[-1].check_mode = True
    scene.task("failed", "a", {**CREATED, "failed": True, "drifted": True, "msg": "1 of 1"})
    assert "would change  a  would create x" in scene.end()
    assert statuses(tmp_path)["a"] == "changed"


def test_what_was_only_shown_before_a_confirmation_is_not_done(scene: Scene, tmp_path: Path) -> None:
    scene.failures["a"] = 1
    for host, shown in (("a", CREATED), ("b", UNCHANGED)):
        scene.task("ok", host, {**shown, "changed": False}, check_mode=True)  # as the task's changed_when has it
    scene.task("failed", "a", {"msg": "not confirmed is x"}, "berth.projects.confirm")
    told = scene.end()
    assert "failed        a  not confirmed is x" in told and "besides" not in told
    assert statuses(tmp_path) == {"a": "failed", "b": "unchanged"}


def test_a_host_that_was_shown_what_would_go_and_then_left_alone_was_not_begun(scene: Scene, tmp_path: Path) -> None:
    scene.failures["a"] = 1
    for host in scene.hosts:
        scene.task("ok", host, {**CREATED, "changed": False}, check_mode=True)
    scene.task("failed", "a", {"msg": "not confirmed is x"}, "berth.projects.confirm")
    scene.end()
    assert statuses(tmp_path) == {"a": "failed", "b": "not_begun"}


def test_what_an_earlier_play_of_the_run_has_changed_stays_told(scene: Scene, tmp_path: Path) -> None:
    scene.task("ok", "a", CREATED)
    scene.task("ok", "b", UNCHANGED)
    scene.begin()
    for host in scene.hosts:
        scene.task("ok", host, UNCHANGED)
    assert "changed       a  create x" in scene.end()
    assert statuses(tmp_path) == {"a": "changed", "b": "unchanged"}


def test_a_host_that_an_earlier_play_has_lost_is_told_of(scene: Scene, tmp_path: Path) -> None:
    scene.task("ok", "a", {"changed": True}, "ansible.builtin.raw")
    scene.task("unreachable", "b", {"msg": "no route"}, "ansible.builtin.raw")
    scene.begin()
    scene.task("ok", "a", UNCHANGED)
    assert "unreachable   b  no route" in scene.end()
    assert statuses(tmp_path) == {"a": "unchanged", "b": "unreachable"}


def test_a_run_that_was_refused_says_so_in_the_file_alone(scene: Scene, tmp_path: Path) -> None:
    scene.failures["a"] = 1
    scene.task("failed", "a", {"msg": "Nothing was changed, because …"}, "berth.projects.validate")
    assert scene.end() == ""
    assert json.loads((tmp_path / "plan.json").read_text())["error"] == "Nothing was changed, because …"
    assert statuses(tmp_path) == {"a": "not_begun", "b": "not_begun"}


def test_a_second_one_keeps_still(scene: Scene) -> None:
    assert scene.callback.disabled is not True
    assert CallbackModule().disabled is True


def test_the_projects_of_a_folder_are_read_before_any_task_is_forked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "projects"
    folder.mkdir()
    (folder / "a.yml").write_text("hosts: all\n")
    Scene({"berth_projects_dir": str(folder)})
    monkeypatch.setattr(projects_dir, "read_folder", None)
    (file,) = projects_folder(str(folder), DataLoader()).files
    assert file.definition == {"name": "a"}
