# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backup holds all of a project's volumes, a restore brings it back as it was, and neither is lost by a mishap."""

from __future__ import annotations

import os
import random
import signal
import stat
import struct
import tarfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.engine_volumes import VolumeStore
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from engine_names import Namespace
from volume_host import VolumeHost, tree

KILL = "import os, signal\ndef die(): os.kill(os.getpid(), signal.SIGKILL)\n"
KILL_IN_BACKUP = f"""{KILL}
whole = engine_volumes.VolumeStore._pieces
def cut(self, doing, pieces):
    for number, piece in enumerate(whole(self, doing, pieces)):
        if number == 20:
            die()
        yield piece
engine_volumes.VolumeStore._pieces = cut
"""
KILL_IN_RESTORE = f"""{KILL}
from ansible_collections.berth.projects.plugins.module_utils import volume_restore
whole = volume_restore.section_pieces
def cut(*args):
    for number, piece in enumerate(whole(*args)):
        if number == 2:
            die()
        yield piece
volume_restore.section_pieces = cut
"""
KILL_BEFORE_THE_END = f"""{KILL}
from ansible_collections.berth.projects.plugins.module_utils import volume_restores
volume_restores.Restores.end = lambda *args: die()
"""
KILL_AFTER_THE_END = f"""{KILL}
from ansible_collections.berth.projects.plugins.module_utils import volume_restores
end = volume_restores.Restores.end
volume_restores.Restores.end = lambda *args: (end(*args), die())
"""


@pytest.fixture
def host(api: Any, namespace: Namespace, tiny: str, tmp_path: Path) -> VolumeHost:
    return VolumeHost(api, namespace, tmp_path / "state")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "backup.tar"


@pytest.fixture
def full(host: VolumeHost) -> VolumeHost:
    """A host with both volumes, some files in each."""
    home, agent = host.make("home"), host.make("agent")
    (home / "notes").write_text("mine")
    (home / "big").write_bytes(random.Random(1).randbytes(5 << 20))
    (agent / "login").write_text("secret")
    os.chown(agent / "login", 1000, 1000)
    return host


def strange_files(folder: Path) -> None:
    """One of everything that a home can have in it."""
    (folder / "empty").mkdir()
    (folder / "closed").mkdir(mode=0o700)
    program = folder / "closed" / "program"
    program.write_bytes(b"#!/bin/sh\n")
    os.chown(program, 4321, 99)
    program.chmod(0o4755)
    os.link(program, folder / "hard link")
    (folder / "link").symlink_to("closed/program")
    (folder / "dangling").symlink_to("/nowhere")
    os.mkfifo(folder / "fifo", 0o620)
    capable = folder / "capable"
    capable.write_bytes(b"x")
    os.setxattr(capable, "security.capability", struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0))
    (folder / ".wh.whiteout").write_text("no whiteout")
    (folder / "two\nlines").write_text("")
    (folder / "grüße").write_text("")
    Path(os.fsdecode(os.fsencode(folder) + b"/latin\xe9")).write_text("")
    (folder / ("n" * 200)).write_text("long")
    deep = folder.joinpath(*["d" * 100] * 4)
    deep.mkdir(parents=True)
    (deep / "file").write_text("deep")
    (folder / "sticky").mkdir()
    (folder / "sticky").chmod(0o1777)
    os.utime(folder / "sticky", (981173106, 981173106))
    os.chown(folder, 1000, 1001)
    folder.chmod(0o2750)


class TestWhatIsKept:
    def test_all_files_with_owners_modes_links_and_capabilities(self, host: VolumeHost, archive: Path) -> None:
        strange_files(host.make("home"))
        (host.make("agent") / "login").write_text("secret")
        before = {kind: tree(host.folder(kind)) for kind in ("home", "agent")}
        assert len(before["home"]) == 20
        assert host.run("backup", archive)["changed"]
        host.run("remove")
        assert host.names() == []
        result = host.run("restore", archive)
        assert {kind: tree(host.folder(kind)) for kind in ("home", "agent")} == before
        assert result["changed"]
        assert [(volume["volume"], volume["name"]) for volume in result["volumes"]] == [
            ("home", host.name("home")),
            ("agent", host.name("agent")),
        ]

    def test_an_archive_is_its_owners_alone_and_a_tar_that_people_can_open(
        self, full: VolumeHost, archive: Path
    ) -> None:
        umask = os.umask(0)
        try:
            full.run("backup", archive)
        finally:
            os.umask(umask)
        assert stat.S_IMODE(archive.stat().st_mode) == 0o600
        with tarfile.open(archive) as outer:
            assert outer.getnames() == ["home.tar", "agent.tar", "manifest.json"]
            with tarfile.open(fileobj=outer.extractfile("home.tar")) as inner:
                assert inner.extractfile("berth-volume/notes").read() == b"mine"
        assert sorted(os.listdir(archive.parent)) == ["backup.tar", "state"]

    def test_an_empty_volume(self, host: VolumeHost, archive: Path) -> None:
        os.chown(host.make("agent"), 7, 8)
        before = tree(host.folder("agent"))
        result = host.run("backup", archive)
        assert [volume["volume"] for volume in result["volumes"]] == ["agent"]
        host.run("remove")
        host.run("restore", archive)
        assert tree(host.folder("agent")) == before

    def test_a_restored_volume_is_the_projects_own(self, full: VolumeHost, archive: Path, tiny: str) -> None:
        full.run("backup", archive)
        full.run("remove")
        full.run("restore", archive)
        labels = full.api.inspect_volume(full.name())["Labels"]
        assert labels["berth.managed"] == "true"
        assert labels["berth.project"] == full.project
        assert labels["berth.scope"] == full.namespace.scope
        assert full.run("remove")["changed"]

    def test_one_volume_alone(self, full: VolumeHost, archive: Path) -> None:
        full.run("backup", archive, volumes=["agent"])
        full.run("remove")
        with pytest.raises(BerthError, match=r"has no volume home; it has agent\. Nothing was changed"):
            full.run("restore", archive, volumes=["home"])
        full.run("restore", archive)
        assert full.names() == [full.name("agent")]

    def test_on_another_host(self, full: VolumeHost, archive: Path, tmp_path: Path) -> None:
        """One that has nothing of the project but the archive."""
        before = tree(full.folder())
        full.run("backup", archive)
        full.run("remove")
        VolumeHost(full.api, full.namespace, tmp_path / "elsewhere").run("restore", archive)
        assert tree(full.folder()) == before


def test_memory_is_bounded(host: VolumeHost, archive: Path) -> None:
    folder = host.make("home")
    with (folder / "large").open("wb") as file:
        for _number in range(150):
            file.write(os.urandom(1 << 20))
    growth = {}
    for action in ("backup", "restore"):
        run = host.run_apart(action, archive)
        assert run.returncode == 0, run.stderr
        growth[action] = int(run.stdout)
        if action == "backup":
            checksum = hash((folder / "large").read_bytes())
            host.run("remove")
    assert hash((folder / "large").read_bytes()) == checksum
    assert max(growth.values()) < 40_000, growth  # KiB, with what the SDK takes when it is imported


class TestKilled:
    def test_in_the_middle_of_a_backup(self, full: VolumeHost, archive: Path) -> None:
        killed = full.run_apart("backup", archive, KILL_IN_BACKUP)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert not archive.exists()
        assert len(full.names()) == 3  # with the helper
        full.run("backup", archive)
        assert full.names() == [full.name("agent"), full.name("home")]
        assert not Path(f"{archive}.part").exists()
        full.run("remove")
        full.run("restore", archive)
        assert (full.folder() / "notes").read_text() == "mine"

    def test_while_an_archive_is_replaced(self, full: VolumeHost, archive: Path) -> None:
        archive.write_text("the one before")
        with pytest.raises(BerthError, match=r"There is a file .* already"):
            full.run("backup", archive)
        killed = full.run_apart("backup", archive, "params['force'] = True\n" + KILL_IN_BACKUP)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert archive.read_text() == "the one before"
        full.run("backup", archive, force=True)
        assert tarfile.is_tarfile(archive)

    @pytest.mark.parametrize("there", [False, True], ids=["missing volumes", "an empty volume"])
    @pytest.mark.parametrize("patch", [KILL_IN_RESTORE, KILL_BEFORE_THE_END], ids=["in the middle", "before the end"])
    def test_in_a_restore(self, full: VolumeHost, archive: Path, patch: str, there: bool) -> None:
        before = {kind: tree(full.folder(kind)) for kind in ("home", "agent")}
        full.run("backup", archive)
        full.run("remove")
        if there:
            full.make("home")
        killed = full.run_apart("restore", archive, patch)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        planned = full.run("restore", archive, check=True)
        assert full.run("restore", archive)["changed"] is planned["changed"] is True
        assert {kind: tree(full.folder(kind)) for kind in ("home", "agent")} == before
        assert full.names() == [full.name("agent"), full.name("home")]

    def test_after_all_was_restored(self, full: VolumeHost, archive: Path) -> None:
        """As it looks to Ansible too, when the connection broke."""
        full.run("backup", archive)
        full.run("remove")
        killed = full.run_apart("restore", archive, KILL_AFTER_THE_END)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        (full.folder() / "notes").write_text("worked on since")
        again = full.run("restore", archive)
        assert not again["changed"]
        assert "was made from this archive before and is left as it is" in again["warnings"][0]
        assert (full.folder() / "notes").read_text() == "worked on since"

    def test_in_a_restore_and_then_the_volume_is_made_anew(self, full: VolumeHost, archive: Path) -> None:
        """What is in it now is somebody's work, whatever was begun before."""
        full.run("backup", archive)
        full.run("remove")
        full.run_apart("restore", archive, KILL_IN_RESTORE)
        (helper,) = [name for name in full.names() if ".volume." in name]
        full.api.remove_container(helper)
        full.api.remove_volume(full.name())
        (full.make("home") / "new").write_text("work")
        with pytest.raises(BerthError, match=r"home is not empty"):
            full.run("restore", archive)
        assert os.listdir(full.folder()) == ["new"]

    def test_in_a_restore_of_another_archive(self, full: VolumeHost, archive: Path, tmp_path: Path) -> None:
        full.run("backup", archive)
        full.run("backup", tmp_path / "other.tar", volumes=["home"])
        full.run("remove")
        full.run_apart("restore", archive, KILL_IN_RESTORE)
        with pytest.raises(BerthError, match="restore of another archive into it was cut off; restore that one again"):
            full.run("restore", tmp_path / "other.tar")


class TestRefused:
    def test_a_restore_over_what_is_there(self, full: VolumeHost, archive: Path) -> None:
        full.run("backup", archive)
        for check in (True, False):
            with pytest.raises(
                BerthError, match=r"home is not empty.*Nothing was changed.*action=remove, volumes=home"
            ):
                full.run("restore", archive, check=check)
        assert (full.folder() / "notes").read_text() == "mine"

    def test_a_restore_over_empty_files_alone(self, full: VolumeHost, archive: Path) -> None:
        full.run("backup", archive)
        full.run("remove")
        (full.make("home") / "empty").touch()
        for check in (True, False):
            with pytest.raises(BerthError, match="home is not empty"):
                full.run("restore", archive, check=check)
        assert full.names() == [full.name("home")]

    def test_a_restore_into_a_volume_in_use(self, full: VolumeHost, archive: Path, tiny: str) -> None:
        full.run("backup", archive)
        full.run("remove")
        full.make("home")
        user = f"berth-{full.project}"
        full.container(tiny, user, start=True)
        with pytest.raises(BerthError, match=rf"home is used by {user}, which runs\. Nothing was changed\. Stop it"):
            full.run("restore", archive)
        full.api.kill(user)
        full.run("restore", archive)
        assert (full.folder() / "notes").read_text() == "mine"

    def test_a_damaged_archive_changes_nothing(self, full: VolumeHost, archive: Path) -> None:
        full.run("backup", archive)
        full.run("remove")
        with archive.open("r+b") as file:
            file.seek(3 << 20)
            file.write(b"damaged")
        for check in (True, False):
            with pytest.raises(BerthError, match=r"is damaged: .*Nothing was changed"):
                full.run("restore", archive, check=check)
        assert full.names() == []

    def test_the_archive_of_another_project(self, full: VolumeHost, archive: Path) -> None:
        full.run("backup", archive)
        with pytest.raises(BerthError, match=rf"holds volumes of project '{full.project}', not of '.*-two'"):
            full.run("restore", archive, project=full.namespace.project("two"))

    @pytest.mark.parametrize("action", ["backup", "remove", "restore"])
    def test_volumes_of_another_scope_or_of_nobody(self, full: VolumeHost, archive: Path, action: str) -> None:
        full.run("backup", archive)
        other = archive.with_name("other.tar") if action == "backup" else archive
        for check in (True, False):
            with pytest.raises(BerthError, match=f"belongs to the scope '{full.namespace.scope}'"):
                full.run(action, other, check=check, scope="other")
        assert (full.folder() / "notes").read_text() == "mine"
        full.run("remove")
        full.api.create_volume(full.name())
        with pytest.raises(BerthError, match=r"that Berth did not make: it lacks the labels of project"):
            full.run(action, other)
        assert full.names() == [full.name()]

    @pytest.mark.parametrize(
        ("path", "message"),
        [
            ("relative.tar", "name it by its whole path"),
            ("/nowhere/x.tar", "There is no folder /nowhere"),
            ("/tmp", "/tmp is a folder"),
        ],
    )
    def test_a_place_that_cannot_take_an_archive(self, full: VolumeHost, path: str, message: str) -> None:
        for check in (True, False):
            with pytest.raises(BerthError, match=message):
                full.run("backup", Path(path), check=check)

    def test_a_disk_without_room(self, full: VolumeHost, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        disk = os.statvfs(archive.parent)
        monkeypatch.setattr(os, "statvfs", lambda path: os.statvfs_result((disk.f_bsize, 4096, 1, 1, 1024, *disk[5:])))
        with pytest.raises(BerthError, match=r"has 4 MiB free, and this takes 6 MiB at least\. Make room"):
            full.run("backup", archive)
        assert not archive.exists()


class TestMishaps:
    def test_a_disk_that_fills_up_leaves_nothing(self, full: VolumeHost, archive: Path) -> None:
        full_disk = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"
        ignore = "import signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        run = full.run_apart("backup", archive, full_disk + ignore)
        assert "Cannot write" in run.stderr
        assert "File too large. Nothing is left of it." in run.stderr
        assert full.names() == [full.name("agent"), full.name("home")]
        assert [path.name for path in archive.parent.iterdir()] == ["state"]

    def test_a_full_volume_says_so_and_is_completed_later(self, full: VolumeHost, archive: Path) -> None:
        full.run("backup", archive, volumes=["home"])
        full.run("remove")
        labels = {"berth.managed": "true", "berth.project": full.project, "berth.scope": full.namespace.scope}
        options = {"type": "tmpfs", "device": "tmpfs", "o": "size=2m"}
        full.api.create_volume(full.name(), driver="local", driver_opts=options, labels=labels)
        with pytest.raises(BerthError, match=r"no space left on device.* restore the same archive again") as error:
            full.run("restore", archive)
        assert "The restore is not complete" in error.value.msg
        full.run("remove")
        full.run("restore", archive)
        assert (full.folder() / "notes").read_text() == "mine"

    def test_a_file_that_shrinks_while_it_is_read(
        self, full: VolumeHost, archive: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The engine then leaves out all that comes after it, and does not say so: the volume is read again."""
        big = full.folder() / "big"
        big.write_bytes(os.urandom(20 << 20))
        whole = VolumeStore._pieces

        def shrinking(self: Any, doing: str, pieces: Any) -> Any:
            for piece in whole(self, doing, pieces):
                yield piece
                if os.path.getsize(big) > 10 << 20:
                    os.truncate(big, 10 << 20)

        monkeypatch.setattr(VolumeStore, "_pieces", shrinking)
        full.run("backup", archive)
        before = tree(full.folder())
        full.run("remove")
        full.run("restore", archive)
        assert tree(full.folder()) == before

    def test_and_that_shrinks_again_and_again(
        self, full: VolumeHost, archive: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        big = full.folder() / "big"
        whole = VolumeStore._pieces

        def shrinking(self: Any, doing: str, pieces: Any) -> Any:
            for piece in whole(self, doing, pieces):
                yield piece
                os.truncate(big, 10 << 20)

        def grown(self: Any, *args: Any) -> Any:
            big.write_bytes(os.urandom(20 << 20))
            return reading(self, *args)

        reading = VolumeStore.reading
        monkeypatch.setattr(VolumeStore, "reading", grown)
        monkeypatch.setattr(VolumeStore, "_pieces", shrinking)
        with pytest.raises(
            BerthError, match=r"could not be read whole in 3 attempts: .* ends before its end.*Run again"
        ):
            full.run("backup", archive)
        assert [path.name for path in archive.parent.iterdir()] == ["state"]
