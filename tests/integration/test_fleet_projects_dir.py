# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``berth_projects_dir`` through the playbooks: a file for each project, bound to hosts of the inventory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret
from fleet import Fleet, actions

CORE_217 = os.environ.get("BERTH_CORE_217")
PASSWORD = "a password of the tests"


@pytest.fixture
def two(fleet: Fleet) -> Fleet:
    """Two hosts, and a folder for their projects."""
    fleet.add("left", "right")
    (fleet.folder / "projects").mkdir()
    fleet.variables["berth_projects_dir"] = "{{ inventory_dir }}/projects"
    return fleet


def put(fleet: Fleet, name: str, content: Any) -> None:
    text = content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False)
    (fleet.folder / "projects" / name).write_text(text)


def encrypted(text: str) -> str:
    return str(VaultLib().encrypt(text.encode(), VaultSecret(PASSWORD.encode())).decode())


def with_password(fleet: Fleet) -> list[str]:
    (fleet.folder / "password").write_text(PASSWORD)
    return ["--vault-password-file", "password"]


@pytest.mark.parametrize(
    "core",
    [
        None,
        pytest.param(
            CORE_217,
            marks=pytest.mark.skipif(not CORE_217, reason="BERTH_CORE_217 does not say where ansible-core 2.17 is"),
        ),
    ],
    ids=["this core", "the oldest core"],
)
def test_projects_go_to_the_hosts_that_their_files_name(two: Fleet, api: Any, core: str | None) -> None:
    """With templates of each host, a vaulted value, and an encrypted file beside what the variable declares."""
    two.hosts["left"].update(berth_projects=[two.project("left", "own")], color="red", private="{{ also_private }}")
    two.hosts["right"].update(color="blue", private="{{ also_private }}")
    two.variables["also_private"] = "a value that nobody should see"
    vaulted = encrypted("a vaulted value").rstrip("\n").replace("\n", "\n    ")
    put(
        two,
        "both.yml",
        f"name: {two.namespace.project('both')}-{{{{ inventory_hostname }}}}\n"
        "hosts: all\nstate: stopped\nenv:\n  COLOR: '{{ color }}'\n  PRIVATE: '{{ private }}'\n"
        f"  VAULTED: !vault |\n    {vaulted}\n",
    )
    put(two, "one.yaml", encrypted(yaml.safe_dump({**two.project("right"), "hosts": ["right"]})))
    put(two, ".hidden.yml", "{")
    put(two, "notes.txt", "{")
    options = {"programs": Path(core)} if core else {}

    first = two.run(*with_password(two), "-vvv", "--diff", **options).succeeded()
    names = {host: two.namespace.project("both") + f"-{host}" for host in ("left", "right")}
    assert actions(first, "left") == {two.name("left", "own"): "create", names["left"]: "create"}
    assert actions(first, "right") == {names["right"]: "create", two.name("right"): "create"}
    environment = api.inspect_container(f"berth-{names['right']}")["Config"]["Env"]
    assert {"COLOR=blue", "PRIVATE=a value that nobody should see", "VAULTED=a vaulted value"} <= set(environment)
    assert "a value that nobody should see" not in first.output
    assert "a vaulted value" not in first.output

    assert two.run(*with_password(two), **options).succeeded().changed == 0
    alone = two.run(*with_password(two), "--limit", "right", **options).succeeded()
    assert (alone.changed, actions(alone, "right")) == (0, {names["right"]: "none", two.name("right"): "none"})


def test_pruning_counts_the_folder_as_declared(two: Fleet) -> None:
    for name in ("stays", "goes"):
        put(two, f"{name}.yml", {**two.project("left", name), "hosts": "left"})
    two.run().succeeded()
    (two.folder / "projects" / "goes.yml").unlink()
    pruned = two.run("-e", "berth_prune=true").succeeded()
    assert actions(pruned, "left") == {two.name("left", "stays"): "none", two.name("left", "goes"): "remove"}
    (two.folder / "projects" / "stays.yml").unlink()
    assert actions(two.run("-e", "berth_prune=true").succeeded(), "left")[two.name("left", "stays")] == "remove"


def test_other_playbooks_know_the_folder_too(two: Fleet) -> None:
    put(two, "one.yml", {**two.project("left"), "hosts": "left"})
    two.run().succeeded()
    shown = two.run(playbook="berth.projects.status").succeeded()
    assert f"left  {two.name('left')}  created" in shown.stdout
    assert f"berth-{two.name('left')}" not in shown.stdout.partition("Not declared")[2]
    taken = two.run("-e", f"berth_only={two.name('left')}", playbook="berth.projects.snapshot").succeeded()
    assert list(taken.projects("left")) == [two.name("left")]


def test_status_refuses_a_name_that_no_host_knows_once_it_has_shown_what_there_is(two: Fleet) -> None:
    put(two, "one.yml", {**two.project("left"), "hosts": "left"})
    only = f"berth_only={two.name('left')},{two.name('lost')}"
    shown = two.run("-e", only, playbook="berth.projects.status")
    assert shown.rc != 0
    assert f"left  {two.name('left')}  absent" in shown.stdout
    assert f"berth_only: no host of this run has a project '{two.name('lost')}'" in shown.messages


def test_a_skill_beside_the_file_arrives(two: Fleet) -> None:
    skill = two.folder / "projects" / "skills" / "review"
    skill.mkdir(parents=True)
    (skill / "SKILL.md").write_text("---\nname: review\n---\n")
    put(two, "one.yml", {**two.project("left"), "hosts": "left", "skills": ["skills/review"]})
    two.run().succeeded()
    (arrived,) = (two.folder / "state" / "left").rglob("SKILL.md")
    assert arrived.read_text() == (skill / "SKILL.md").read_text()
    put(two, "one.yml", {**two.project("left"), "hosts": "left", "skills": ["skills/nosuch"]})
    assert f"project {two.name('left')}: " in (told := two.run().messages)
    assert "projects/one.yml: skills: there is no folder skills/nosuch on the control node" in told


class TestWhatIsWrong:
    """All of it is told before the first host changes, whatever the hosts of the run."""

    WRONG = (
        (
            "typo.yml",
            {"hosts": "lfet"},
            "projects/typo.yml: hosts: the inventory has no host and no group 'lfet'; did you mean left?",
        ),
        ("nohosts.yml", {"env": {}}, "projects/nohosts.yml: lacks hosts: say which hosts or groups have this project"),
        ("broken.yml", "hosts: left\nenv: {A: private-value\n", "projects/broken.yml: is no YAML: see line 3"),
        ("list.yml", "- private-value\n", "projects/list.yml: must be a map"),
        ("vaulted.yml", None, "projects/vaulted.yml: is encrypted, or has a value that is, and cannot be decrypted"),
        (
            "key.yml",
            {"hosts": "right", "evn": {"A": "private-value"}},
            "host right, project key: {folder}/projects/key.yml: evn: is not a known key; did you mean env?",
        ),
        (
            "port.yml",
            {"hosts": "right", "ports": [{"host": 99999, "container": 80}]},
            "host right, project port: {folder}/projects/port.yml: ports[0].host: must be from 1 to 65535",
        ),
        (
            "template.yml",
            {"hosts": "right", "env": {"A": "private-value {{ nothing_of_that_name }}"}},
            "host right: {folder}/projects/template.yml: cannot be resolved: 'nothing_of_that_name' is undefined",
        ),
    )

    def refused(self, two: Fleet, *arguments: str) -> str:
        two.hosts["left"]["berth_projects"] = [two.project("left")]
        run = two.run(*arguments)
        assert run.rc != 0
        assert (
            not run.of("berth.projects.container", "left")
            or run.of("berth.projects.container", "left")[0].status == "failed"
        )
        assert not (two.folder / "state" / "left").exists()
        assert "private-value" not in run.output
        return run.messages

    def test_is_told_of_all_files_at_once(self, two: Fleet) -> None:
        for name, content, _told in self.WRONG:
            put(two, name, encrypted("hosts: left") if content is None else content)
        messages = self.refused(two)
        for _name, _content, told in self.WRONG:
            assert told.format(folder=two.folder) in messages

    def test_is_told_also_if_the_run_is_narrowed_to_another_host(self, two: Fleet) -> None:
        for name, content, _told in self.WRONG[:4]:
            put(two, name, content)
        messages = self.refused(two, "--limit", "left")
        for _name, _content, told in self.WRONG[:4]:
            assert told in messages

    def test_a_name_twice_is_told_with_both_places(self, two: Fleet) -> None:
        put(two, "a.yml", {**two.project("left"), "hosts": "left"})
        name = two.name("left")
        place = f"host left, project {name}: {two.folder}/projects/a.yml: name"
        assert f"{place}: '{name}' is the name of berth_projects[0] already" in self.refused(two)

    def test_a_folder_that_is_missing(self, two: Fleet) -> None:
        two.variables["berth_projects_dir"] = "nowhere"
        assert "berth_projects_dir: the folder nowhere on the control node cannot be read" in self.refused(two)
