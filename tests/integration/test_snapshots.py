# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots on a real engine: what is in them, what must never be, and what is left when one fails."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.engine_images import ImageStore
from ansible_collections.berth.projects.plugins.module_utils.errors import EngineError
from ansible_collections.berth.projects.plugins.module_utils.snapshots import keeps_layers_apart
from engine_names import Namespace, nameless_images
from host import TestHost

VALUE = "a-value-that-nobody-should-keep"
KEPT = "/bin/sh -c 'stat -c \"%a %u:%g %F\" /opt/tree/*; readlink /opt/tree/soft; stat -c %h /opt/tree/file'"


@pytest.fixture
def project(host: TestHost, namespace: Namespace) -> dict[str, Any]:
    """A project that runs, with a marker in its container's layer and a value in its environment."""
    made = {"name": namespace.project(), "env": {"PRIVATE": VALUE}}
    host.provision(made)
    host.run(made["name"], "sh", "-c", "echo here > /marker", user="root")
    return made


def without_env(project: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in project.items() if key != "env"}


def saved(api: Any, reference: str) -> dict[str, bytes]:
    """All files of ``docker save``, layers and all, by name."""
    content = b"".join(api.get_image(reference))
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}  # type: ignore[union-attr]


@pytest.fixture(params=["load", "flatten"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to a clean configuration: the engine takes one for layers it has, or it does not."""
    if request.param == "flatten":

        def refuse(*_args: Any) -> None:
            raise EngineError("this store wants the layers, too", 500)

        monkeypatch.setattr(ImageStore, "load_config", refuse)
    return str(request.param)


def test_a_snapshot_is_an_image_like_any_other_to_another_project(
    host: TestHost, namespace: Namespace, project: dict[str, Any]
) -> None:
    taken = host.snapshot(project).only["taken"]
    other = {"name": namespace.project("two"), "image": taken}
    assert host.provision(other).only["error"] is None
    host.run(other["name"], "ls", "/marker")
    assert not host.provision(other).changed
    changed = {**other, "image": host.image}  # at once, as for every container that is not made from one of its own
    done = host.provision(changed).only
    assert (done["action"], done["error"], done["warnings"]) == ("replace", None, [])
    assert host.snapshot(other, operation="list").only["snapshots"][0]["base"] == taken
    assert not host.provision(changed).changed


@pytest.mark.usefixtures("way")
class TestASnapshot:
    def test_has_no_environment_and_no_ownership_of_its_container(
        self, host: TestHost, project: dict[str, Any], api: Any
    ) -> None:
        (taken,) = host.snapshot(project).raw["projects"]
        image = api.inspect_image(taken["taken"])
        assert VALUE not in json.dumps(image)
        # Where the engine's store takes no configuration of our own, labels are emptied and variables have no value.
        labels = image["Config"]["Labels"]
        assert not [key for key in ("berth.managed", "berth.project", "berth.scope") if labels.get(key)]
        given = [entry for entry in image["Config"]["Env"] if "=" in entry]
        assert given == api.inspect_image(host.image)["Config"]["Env"]
        for name, content in saved(api, taken["taken"]).items():
            assert VALUE.encode() not in content, name

    def test_gives_the_next_container_no_variable_that_was_removed(
        self, host: TestHost, project: dict[str, Any]
    ) -> None:
        result = host.provision(without_env(project)).only
        assert (result["action"], result["error"]) == ("replace", None)
        assert "PRIVATE" not in host.run(project["name"], "env")
        assert host.run(project["name"], "cat", "/marker") == "here\n"
        assert not host.provision(without_env(project)).changed

    def test_run_by_hand_is_not_taken_for_ours(
        self, host: TestHost, project: dict[str, Any], api: Any, namespace: Namespace
    ) -> None:
        (taken,) = host.snapshot(project).raw["projects"]
        made = api.create_container(taken["taken"], name=f"berth-{namespace.prefix}-by-hand", entrypoint=["sleep", "9"])
        api.start(made["Id"])
        assert not host.provision(project, prune=True).changed
        assert [one["name"] for one in host.look(project).raw["orphans"] if one["type"] == "container"] == []
        assert api.inspect_container(made["Id"])["State"]["Running"]

    def test_keeps_what_the_image_says_of_itself(self, host: TestHost, project: dict[str, Any], api: Any) -> None:
        (taken,) = host.snapshot(project).raw["projects"]
        below, config = (api.inspect_image(name)["Config"] for name in (host.image, taken["taken"]))
        for key in ("Entrypoint", "Cmd", "User", "WorkingDir", "ExposedPorts", "Volumes"):
            assert config.get(key) == below.get(key), key
        assert config["Healthcheck"]["Test"] == below["Healthcheck"]["Test"]

    def test_moves_latest_and_leaves_no_image_without_a_name(
        self, host: TestHost, project: dict[str, Any], api: Any, namespace: Namespace
    ) -> None:
        first = host.snapshot(project).only["taken"]
        second = host.snapshot(project).only["taken"]
        tags = [reference.partition(":")[2] for reference in (first, second)]
        assert host.snapshots(project["name"]) == [*tags, "latest"]
        assert api.inspect_image(f"berth/{project['name']}:latest")["Id"] == api.inspect_image(second)["Id"]
        assert nameless_images(api, namespace) == []


def has_containerd_store(api: Any) -> bool:
    return keeps_layers_apart(api.info())


class TestTaking:
    def test_pauses_a_running_container_only_meanwhile(self, host: TestHost, project: dict[str, Any], api: Any) -> None:
        container = host.container(project["name"])
        host.snapshot(project)
        events = api.events(
            since=0, until=0, decode=True, filters={"container": container["Id"], "event": ["pause", "unpause", "die"]}
        )
        assert [event["status"] for event in events] == ["pause", "unpause"]
        assert host.container(project["name"])["State"]["Status"] == "running"

    def test_a_stopped_container_again_is_no_change(self, host: TestHost, project: dict[str, Any]) -> None:
        host.provision({**project, "state": "stopped"})
        assert host.snapshot(project, check=True).changed
        assert host.snapshot(project).changed
        assert not host.snapshot(project, check=True).changed
        assert not host.snapshot(project).changed

    def test_in_check_mode_takes_none(self, host: TestHost, project: dict[str, Any]) -> None:
        assert host.snapshot(project, check=True).changed
        assert host.snapshots(project["name"]) == []

    def test_of_a_project_without_a_container_says_so(self, host: TestHost, namespace: Namespace) -> None:
        result = host.snapshot({"name": namespace.project()}).only
        assert "There is no container" in result["error"]

    def test_keeps_as_many_as_are_declared(self, host: TestHost, project: dict[str, Any]) -> None:
        wanted = {**project, "snapshot": {"keep": 2}}
        names = [host.snapshot(wanted).only["taken"].partition(":")[2] for _round in range(4)]
        assert host.snapshots(project["name"]) == [*names[2:], "latest"]

    def test_with_too_little_space_starts_nothing(
        self, host: TestHost, project: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        module = "ansible_collections.berth.projects.plugins.module_utils.snapshots.free_bytes"
        monkeypatch.setattr(module, lambda folder: 1024**2)
        before = host.container(project["name"])
        result = host.provision(without_env(project)).only
        assert "has 1 MiB free" in result["error"]
        after = host.container(project["name"])
        assert (after["Id"], after["State"]) == (before["Id"], before["State"])  # it was not even stopped
        assert host.snapshots(project["name"]) == []

    @pytest.mark.parametrize("call", ["commit", "load_config", "tag"])
    def test_that_fails_leaves_no_image_and_latest_where_it_was(
        self,
        host: TestHost,
        project: dict[str, Any],
        api: Any,
        namespace: Namespace,
        monkeypatch: pytest.MonkeyPatch,
        call: str,
    ) -> None:
        if call == "load_config" and has_containerd_store(api):
            pytest.skip("is not called on an engine with this store")
        before = host.snapshot(project).only["taken"]
        real, calls = getattr(ImageStore, call), []

        def fail_once(*args: Any) -> Any:
            answer = real(*args)
            calls.append(args)
            if len(calls) == 1:
                raise EngineError("no answer")
            return answer

        monkeypatch.setattr(ImageStore, call, fail_once)
        assert "no answer" in host.snapshot(project).only["error"]
        assert nameless_images(api, namespace) == []
        assert host.snapshots(project["name"]) == [before.partition(":")[2], "latest"]
        assert api.inspect_image(f"berth/{project['name']}:latest")["Id"] == api.inspect_image(before)["Id"]


class TestRemoving:
    def test_the_latest_moves_the_name_to_the_one_before(
        self, host: TestHost, project: dict[str, Any], api: Any
    ) -> None:
        first, second = (host.snapshot(project).only["taken"] for _round in range(2))
        assert host.snapshot(project, operation="remove", name="latest").only["removed"] == [second.partition(":")[2]]
        assert host.snapshots(project["name"]) == [first.partition(":")[2], "latest"]
        assert api.inspect_image(f"berth/{project['name']}:latest")["Id"] == api.inspect_image(first)["Id"]
        assert host.snapshot(project, operation="remove", name="latest").changed
        assert host.snapshots(project["name"]) == []

    def test_one_that_a_container_was_made_from_is_refused(self, host: TestHost, project: dict[str, Any]) -> None:
        host.provision(without_env(project))
        result = host.snapshot(project, operation="remove", name="latest").only
        assert f"the container berth-{project['name']} was made from it" in result["error"]
        assert len(host.snapshots(project["name"])) == 2

    def test_one_that_is_not_there_changes_nothing(self, host: TestHost, project: dict[str, Any]) -> None:
        assert not host.snapshot(project, operation="remove", name="20260102T030405678901Z").changed


def test_two_scopes_do_not_share_snapshots(
    host: TestHost, project: dict[str, Any], api: Any, tmp_path: Path, tiny: str
) -> None:
    host.provision({**project, "state": "absent"})
    for volume in ("home", "agent"):
        api.remove_volume(f"berth-{project['name']}-{volume}")
    other = TestHost(api, tmp_path / "other", f"{host.scope}-other", tiny)
    result = other.provision(project).only
    assert f"There are snapshots of a project of this name in the scope {host.scope!r}" in result["error"]


@pytest.fixture
def tree(host: TestHost, project: dict[str, Any]) -> dict[str, Any]:
    """The project with all kinds of files in its layer."""
    host.run(
        project["name"],
        "sh",
        "-c",
        "mkdir -p /opt/tree/empty && cd /opt/tree && echo text > file && chown 12:34 file && chmod 4750 file"
        " && ln file hard && ln -s file soft && mkfifo fifo && rm -rf /opt/berth/nothing && rm /etc/shadow",
        user="root",
    )
    return project


class TestALineage:
    def test_is_flattened_after_as_many_layers_as_declared(self, host: TestHost, tree: dict[str, Any]) -> None:
        before = host.run(tree["name"], "sh", "-c", KEPT, user="root")
        wanted = {**tree, "snapshot": {"squash_after": 2}}
        layers, warnings = [], []
        for number in range(4):
            result = host.provision({**wanted, "env": {"ROUND": str(number)}}).only
            assert result["error"] is None
            warnings.append("flattened" in "".join(result["warnings"]))
            layers.append(len(host.api.inspect_image(f"berth/{tree['name']}:latest")["RootFS"]["Layers"]))
        assert (layers, warnings) == ([2, 3, 1, 2], [False, False, True, False])
        assert host.run(tree["name"], "sh", "-c", KEPT, user="root") == before
        assert host.run(tree["name"], "ls", "/etc/").find("shadow") == -1
        assert not host.provision({**wanted, "env": {"ROUND": "3"}}).changed

    def test_keeps_capabilities_when_it_is_flattened(self, host: TestHost, tree: dict[str, Any], api: Any) -> None:
        """Written into the tar that goes in: the small image has no setcap."""
        capability = b"\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
        entry = tarfile.TarInfo("capable")
        entry.mode = 0o755
        entry.pax_headers = {"SCHILY.xattr.security.capability": capability.decode("latin1")}
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT, encoding="latin1") as tar:
            tar.addfile(entry)
        api.put_archive(f"berth-{tree['name']}", "/opt/tree", buffer.getvalue())
        for number in range(4):
            host.provision({**tree, "snapshot": {"squash_after": 2}, "env": {"ROUND": str(number)}})
        content = b"".join(api.get_archive(f"berth-{tree['name']}", "/opt/tree/capable")[0])
        with tarfile.open(fileobj=io.BytesIO(content), encoding="latin1") as tar:
            headers = tar.getmembers()[0].pax_headers
        assert headers["SCHILY.xattr.security.capability"].encode("latin1") == capability

    def test_tells_of_files_whose_attributes_no_snapshot_keeps(self, host: TestHost, project: dict[str, Any]) -> None:
        if has_containerd_store(host.api):
            pytest.skip("the engine does not say where a layer lies")
        upper = host.container(project["name"])["GraphDriver"]["Data"]["UpperDir"]
        os.setxattr(f"{upper}/marker", "user.note", b"mine")
        result = host.provision(without_env(project)).only
        assert "does not keep the POSIX ACLs and extended attributes of /marker" in "".join(result["warnings"])

    def test_shows_what_it_takes_on_the_disk(self, host: TestHost, project: dict[str, Any]) -> None:
        host.run(project["name"], "dd", "if=/dev/urandom", "of=/big", "bs=1M", "count=20", user="root")
        host.provision(without_env(project))
        shown = host.look(without_env(project)).only
        # Containerd's store keeps a layer twice, packed and unpacked, and counts what is packed of the base.
        assert 20 * 1024**2 <= shown["snapshots_size"] < 44 * 1024**2
        assert [one["in_use"] for one in shown["snapshots"]] == [True]


@pytest.mark.exhaustive
def test_a_container_outlives_130_replacements(host: TestHost, project: dict[str, Any]) -> None:
    """With the fewest flattenings that can be declared; the engine refuses about the 125th layer."""
    wanted = {**project, "snapshot": {"squash_after": 100, "keep": 1}}
    for number in range(135):
        result = host.provision({**wanted, "env": {"ROUND": str(number)}}).only
        assert (number, result["error"]) == (number, None)
    assert host.run(project["name"], "cat", "/marker") == "here\n"
