# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A folder with a file for each project: what is read, which host it is for, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleError, AnsibleUndefinedVariable
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.plugin_utils.host_input import host_input
from ansible_collections.berth.projects.plugins.plugin_utils.projects_dir import (
    ProjectFile,
    ProjectsFolder,
    projects_folder,
    projects_for,
    read_folder,
    resolved,
)

PASSWORD = VaultSecret(b"a password of the tests")
INVENTORY = {"groups": {"all": ["web1", "web2", "db1"], "web": ["web1", "web2"]}, "group_names": ["web"]}


def folder(path: Path, files: Mapping[str, Any], *secrets: VaultSecret) -> ProjectsFolder:
    for name, content in files.items():
        (path / name).write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    loader = DataLoader()
    loader.set_vault_secrets([("default", secret) for secret in secrets])
    return projects_folder(str(path), loader)


def problem(path: Path, content: Any) -> str:
    """What is wrong with the only file."""
    (told,) = folder(path, {"billing.yml": content}).problems
    assert told.startswith(f"- {path}/billing.yml: ")
    return told.partition("billing.yml: ")[2]


class TestFiles:
    def test_yaml_and_json_count_and_nothing_else(self, tmp_path: Path) -> None:
        (tmp_path / "folder.yml").mkdir()
        found = folder(
            tmp_path,
            {
                "a.yml": {"hosts": "web1"},
                "b.yaml": {"hosts": "web1"},
                "c.json": '{"hosts": ["web1"]}',
                ".hidden.yml": "{",
                "README.md": "{",
                "d.yml~": "{",
                "e.yml.orig": "{",
            },
        )
        assert [file.definition["name"] for file in found.files] == ["a", "b", "c"]
        assert found.problems == ()

    def test_a_name_in_the_file_comes_over_that_of_the_file(self, tmp_path: Path) -> None:
        (file,) = folder(tmp_path, {"a.yml": {"name": "billing", "hosts": ["web1", "db1"], "timezone": "UTC"}}).files
        assert file == ProjectFile(
            f"{tmp_path}/a.yml", str(tmp_path), ("web1", "db1"), {"name": "billing", "timezone": "UTC"}
        )

    def test_can_be_encrypted(self, tmp_path: Path) -> None:
        whole = VaultLib().encrypt(b"hosts: web1\nenv: {A: b}\n", PASSWORD).decode()
        (file,) = folder(tmp_path, {"a.yml": whole}, PASSWORD).files
        assert file.definition == {"name": "a", "env": {"A": "b"}}

    @pytest.mark.parametrize("secrets", [[], [VaultSecret(b"another")]], ids=["no password", "another password"])
    def test_that_cannot_be_decrypted(self, tmp_path: Path, secrets: list[VaultSecret]) -> None:
        whole = VaultLib().encrypt(b"hosts: web1\n", PASSWORD).decode()
        (told,) = folder(tmp_path, {"a.yml": whole}, *secrets).problems
        assert "cannot be decrypted" in told
        assert "--ask-vault-pass" in told

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            ("", "must be a map"),
            ("[]", "must be a map"),
            ("text", "must be a map"),
            ({}, "lacks hosts: say which hosts or groups have this project, or hosts: all for all"),
            ({"env": {}}, "lacks hosts"),
            ({"hosts": None}, "hosts: must be the name of a host or of a group, or a list of these"),
            ({"hosts": 5}, "hosts: must be the name"),
            ({"hosts": ["web1", 5]}, "hosts: must be the name"),
            ({"hosts": {"web1": None}}, "hosts: must be the name"),
            ({"hosts": ""}, "hosts: must be the name"),
            ({"hosts": "{{ group_names }}"}, "hosts: may have no template in it"),
        ],
    )
    def test_of_which_no_project_can_be_made(self, tmp_path: Path, content: Any, told: str) -> None:
        assert problem(tmp_path, content).startswith(told)

    def test_that_are_no_yaml_are_told_by_their_line_and_nothing_of_their_content(self, tmp_path: Path) -> None:
        assert problem(tmp_path, "hosts: web1\nenv:\n  KEY: [private\n  OTHER: private\n") == "is no YAML: see line 4"

    def test_that_are_no_text(self, tmp_path: Path) -> None:
        (tmp_path / "a.yml").write_bytes(b"hosts: \xff\xfe")
        (told,) = folder(tmp_path, {}).problems
        assert "is no YAML" in told

    def test_that_lead_nowhere(self, tmp_path: Path) -> None:
        (tmp_path / "a.yml").symlink_to(tmp_path / "nowhere")
        (told,) = folder(tmp_path, {}).problems
        assert told.startswith(f"- {tmp_path}/a.yml: ")

    def test_an_empty_list_of_hosts_puts_a_project_aside(self, tmp_path: Path) -> None:
        found = folder(tmp_path, {"a.yml": {"hosts": []}})
        assert (found.problems, found.bound_to(["web1"])) == ((), [])


@pytest.mark.parametrize("missing", ["nowhere", "file"])
def test_a_folder_that_cannot_be_read(tmp_path: Path, missing: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BerthError, match=r"berth_projects_dir: the folder .* on the control node cannot be read"):
        read_folder(str(tmp_path / missing), missing, lambda path: None)


class TestBinding:
    @pytest.mark.parametrize(
        ("hosts", "is_bound"),
        [
            ("web1", True),
            ("web", True),
            ("all", True),
            (["db1", "web"], True),
            ("db1", False),
            (["db1", "web2"], False),
        ],
    )
    def test_by_host_by_group_or_to_all(self, tmp_path: Path, hosts: Any, is_bound: bool) -> None:
        found = folder(tmp_path, {"a.yml": {"hosts": hosts}})
        assert bool(found.bound_to(["web1", "web"])) is is_bound
        assert found.binding_problems({"web1", "web2", "db1", "web"}) == []

    @pytest.mark.parametrize(
        ("hosts", "told"),
        [
            ("wbe1", "the inventory has no host and no group 'wbe1'; did you mean web1?"),
            (["web1", "nosuch"], "the inventory has no host and no group 'nosuch'"),
            ("*.example", "the inventory has no host and no group '*.example'. Patterns are not taken here"),
        ],
    )
    def test_to_what_the_inventory_does_not_have(self, tmp_path: Path, hosts: Any, told: str) -> None:
        found = folder(tmp_path, {"a.yml": {"hosts": hosts}})
        (problem,) = found.binding_problems({"web1", "db1", "web"})
        assert problem.startswith(f"- {tmp_path}/a.yml: hosts: {told}")


class TestProjectsOfAHost:
    def of(
        self, path: Path, files: Mapping[str, Any], template: Any = lambda value: value
    ) -> tuple[list[Any], list[str]]:
        folder(path, files)
        return projects_for("web1", str(path), DataLoader(), INVENTORY, template)

    def test_are_those_bound_to_it(self, tmp_path: Path) -> None:
        files = {"a.yml": {"hosts": "web"}, "b.yml": {"hosts": "web2"}, "c.yml": {"hosts": "web1"}}
        assert self.of(tmp_path, files) == (
            [(f"{tmp_path}/a.yml", {"name": "a"}), (f"{tmp_path}/c.yml", {"name": "c"})],
            [],
        )

    def test_all_that_is_wrong_is_told_at_once(self, tmp_path: Path) -> None:
        def template(value: Any) -> Any:
            raise AnsibleUndefinedVariable("'vault_x' is undefined. String: {{ vault_x }} private")

        projects, problems = self.of(
            tmp_path, {"a.yml": {"hosts": "web"}, "b.yml": {}, "c.yml": {"hosts": "nosuch"}}, template
        )
        assert projects == []
        assert len(problems) == 3
        assert f"- host web1: {tmp_path}/a.yml: cannot be resolved: 'vault_x' is undefined." in problems
        assert "private" not in "".join(problems)

    def test_of_a_folder_that_is_missing(self, tmp_path: Path) -> None:
        projects, (told,) = projects_for(
            "web1", str(tmp_path / "nowhere"), DataLoader(), INVENTORY, lambda value: value
        )
        assert (projects, told.startswith("- berth_projects_dir: the folder ")) == ([], True)


def test_skills_beside_the_file_are_found(tmp_path: Path) -> None:
    (tmp_path / "skills" / "review").mkdir(parents=True)
    file = ProjectFile(
        "p/a.yml", str(tmp_path), ("all",), {"skills": ["skills/review", {"path": "skills/review"}, "x"]}
    )
    full = str(tmp_path / "skills" / "review")
    assert resolved(file, lambda value: value)["skills"] == [full, {"path": full}, "x"]


def test_an_error_of_ansible_becomes_ours() -> None:
    def template(value: Any) -> Any:
        raise AnsibleError("cannot")

    with pytest.raises(BerthError, match="cannot be resolved: cannot"):
        resolved(ProjectFile("p/a.yml", "/", ("all",), {}), template)


class TestTogetherWithTheVariable:
    """What ``host_input`` makes of projects from both."""

    def test_both_are_declared(self) -> None:
        found = host_input(
            "web1",
            {
                "berth_projects": [{"name": "one"}],
                "berth_projects_dir": "p",
                "berth_project_defaults": {"restart": "no"},
            },
            [("p/two.yml", {"name": "two"})],
        )
        assert found.problems == ()
        assert [definition["restart"] for definition in found.definitions] == ["no", "no"]
        assert found.names == ("one", "two")
        assert found.places == {"two": "p/two.yml"}

    def test_a_problem_is_told_with_its_file(self) -> None:
        found = host_input(
            "web1", {"berth_projects": [{"name": "one"}]}, [("p/two.yml", {"name": "two", "ports": [{"host": 99999}]})]
        )
        assert (
            "- host web1, project two: p/two.yml: ports[0].host: must be from 1 to 65535, and is 99999"
            in found.problems
        )
        assert "- host web1, project two: p/two.yml: ports[0]: lacks container" in found.problems

    def test_a_problem_with_the_whole_file(self) -> None:
        (told,) = host_input("web1", {}, [("p/a.yml", {"name": "NO"}), ("p/b.yml", {"name": "ok"})]).problems
        assert told.startswith("- host web1, project NO: p/a.yml: name: must be")

    @pytest.mark.parametrize(
        ("own", "files", "told"),
        [
            (["x"], ["x"], "p/0.yml: name: 'x' is the name of berth_projects[0] already"),
            ([], ["x", "x"], "p/1.yml: name: 'x' is the name of p/0.yml already"),
            (["y", "x"], ["z", "x"], "p/1.yml: name: 'x' is the name of berth_projects[1] already"),
        ],
    )
    def test_a_name_twice_is_told_with_both_places(self, own: list[str], files: list[str], told: str) -> None:
        variables = {"berth_projects": [{"name": name} for name in own]}
        (problem,) = host_input(
            "web1", variables, [(f"p/{index}.yml", {"name": name}) for index, name in enumerate(files)]
        ).problems
        assert problem == f"- host web1, project x: {told}; names are unique on a host"

    def test_the_folder_alone_is_a_declaration(self) -> None:
        found = host_input("web1", {"berth_projects_dir": "p", "berth_prune": True})
        assert (found.problems, found.is_declared, found.names) == ((), True, ())

    def test_a_variable_that_is_no_list_is_told_all_the_same(self) -> None:
        found = host_input("web1", {"berth_projects": {"a": 1}}, [("p/a.yml", {"name": "a"})])
        assert found.problems == ("- host web1: berth_projects: must be a list",)


def test_a_folder_is_read_once_until_something_in_it_changes(tmp_path: Path) -> None:
    assert folder(tmp_path, {"a.yml": {"hosts": "all"}}) is projects_folder(str(tmp_path), DataLoader())
    found = folder(tmp_path, {"b.yml": {"hosts": "all"}})
    assert [file.definition["name"] for file in found.files] == ["a", "b"]
    found = folder(tmp_path, {"b.yml": {"hosts": "all", "name": "other"}})
    assert [file.definition["name"] for file in found.files] == ["a", "other"]
