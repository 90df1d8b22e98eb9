# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes are told of and removed; one that is used, another scope's or nobody's is left, and looking makes none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from engine_names import Namespace
from volume_host import VolumeHost


@pytest.fixture
def host(api: Any, namespace: Namespace, tiny: str, tmp_path: Path) -> VolumeHost:
    return VolumeHost(api, namespace, tmp_path / "state")


class TestList:
    def test_tells_of_volumes_with_their_sizes_and_users(self, host: VolumeHost, tiny: str) -> None:
        (host.make("home") / "file").write_bytes(bytes(3000))
        host.make("agent")
        user = host.container(tiny, f"{host.namespace.prefix}-user")
        try:
            volumes = host.run("list")["volumes"]
        finally:
            host.api.remove_container(user)
        assert volumes == [
            {
                "name": host.name("home"),
                "volume": "home",
                "project": host.project,
                "size": 3000,
                "in_use_by": [f"{host.namespace.prefix}-user"],
            },
            {"name": host.name("agent"), "volume": "agent", "project": host.project, "size": 0, "in_use_by": []},
        ]

    def test_of_one_volume_alone(self, host: VolumeHost) -> None:
        host.make("home")
        host.make("agent")
        assert [volume["volume"] for volume in host.run("list", volumes=["agent"])["volumes"]] == ["agent"]

    def test_of_nothing(self, host: VolumeHost) -> None:
        assert host.run("list") == {"changed": False, "volumes": [], "archive": None, "warnings": []}
        assert not host.state_dir.exists()

    def test_not_of_another_scopes_nor_of_nobodys(self, host: VolumeHost) -> None:
        host.make("home")
        host.api.create_volume(host.name("agent"))
        result = host.run("list", scope="other")
        assert result["volumes"] == []
        assert [warning.partition(host.project)[2][:24] for warning in result["warnings"]] == [
            "-home belongs to the sco",
            "-agent that Berth did no",
        ]


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("action", ["list", "remove", "backup", "restore"])
def test_looking_for_a_volume_does_not_make_it(host: VolumeHost, tmp_path: Path, action: str, check: bool) -> None:
    archive = tmp_path / "backup.tar"
    if action in ("list", "remove"):
        assert not host.run(action, check=check)["changed"]
    else:
        with pytest.raises(BerthError, match="There is no volume" if action == "backup" else "Cannot read the archive"):
            host.run(action, archive, check=check)
    assert host.names() == []
    assert not archive.exists()


class TestCheckMode:
    def test_tells_what_would_be_done_and_touches_nothing(self, host: VolumeHost, tmp_path: Path) -> None:
        archive = tmp_path / "backup.tar"
        (host.make("home") / "file").write_text("mine")
        assert host.run("backup", archive, check=True)["changed"]
        assert not archive.exists()
        host.run("backup", archive)
        assert host.run("remove", check=True)["changed"]
        assert host.names() == [host.name()]
        host.run("remove")
        other = VolumeHost(host.api, host.namespace, tmp_path / "other")
        planned = other.run("restore", archive, check=True)
        assert planned["changed"]
        assert [(volume["name"], volume["size"]) for volume in planned["volumes"]] == [(host.name(), None)]
        assert host.names() == []
        assert not other.state_dir.exists()


class TestRemove:
    def test_and_again(self, host: VolumeHost) -> None:
        (host.make("home") / "file").write_bytes(bytes(100))
        result = host.run("remove")
        assert (result["changed"], [volume["size"] for volume in result["volumes"]]) == (True, [100])
        again = host.run("remove")
        assert (again["changed"], again["volumes"]) == (False, [])

    def test_names_those_who_use_it_and_removes_nothing(self, host: VolumeHost, tiny: str) -> None:
        host.make("home")
        host.make("agent")
        names = (host.namespace.container(), f"{host.namespace.prefix}-foreign")
        users = [
            host.container(tiny, names[0], start=True),
            host.container(tiny, names[1]),
        ]
        try:
            for check in (True, False):
                with pytest.raises(BerthError, match=r"Nothing was removed\. Remove those containers") as error:
                    host.run("remove", check=check)
                assert f"home is used by {names[1]} (created), {names[0]} (running)." in error.value.msg
        finally:
            for user in users:
                host.api.remove_container(user, force=True)
        assert host.names() == [host.name("agent"), host.name("home")]

    def test_one_alone_while_the_other_is_used(self, host: VolumeHost, tiny: str) -> None:
        host.make("home")
        host.make("agent")
        host.container(tiny, host.namespace.container())
        host.run("remove", volumes=["agent"])
        assert host.names() == [host.namespace.container(), host.name("home")]

    def test_with_what_a_killed_run_left(self, host: VolumeHost, tiny: str) -> None:
        """A helper of another project or scope is not this run's."""
        host.make("home")
        left = {}
        for owner in (f"{host.namespace.scope}/{host.project}", f"other/{host.project}"):
            mount = {"Type": "volume", "Source": host.name("agent"), "Target": "/x"}
            body = {"Image": tiny, "Labels": {"berth.volume-helper": owner}, "HostConfig": {"Mounts": [mount]}}
            name = f"berth-{host.project}.volume.{len(left)}"
            left[name] = host.api.create_container_from_config(body, name)["Id"]
        host.run("remove", volumes=["home"])
        assert host.names() == [host.name("agent"), f"berth-{host.project}.volume.1"]


def test_without_an_image_it_says_what_to_do(host: VolumeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host.make("home")
    monkeypatch.setattr(Engine, "images", lambda engine: [])
    for check in (True, False):
        with pytest.raises(BerthError, match=r"Make the base image first, with role berth\.projects\.image"):
            host.run("backup", tmp_path / "backup.tar", check=check)


@pytest.mark.parametrize("project", ["", "Web", "../web", "-web", "web\n", "a" * 42])
def test_a_name_that_no_project_can_have(host: VolumeHost, project: str) -> None:
    with pytest.raises(BerthError, match="a project's name has lower-case letters"):
        host.run("list", project=project)
