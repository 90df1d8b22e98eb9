# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An archive of volumes is read back as it was written, and is refused when it is anything else."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import tarfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.volume_archive import (
    MANIFEST,
    Manifest,
    Section,
    section_pieces,
    verified,
    writing,
)
from ansible_collections.berth.projects.plugins.module_utils.volume_tar import TarProblem
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ROOT = "berth-volume"
CREATED = "2026-03-14T15:09:26Z"


def tar_of(*entries: tuple[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    """The tar of a volume with files of these names and contents."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        folder = tarfile.TarInfo(ROOT)
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, content in entries:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


HOME = tar_of((f"{ROOT}/notes", b"mine" * 200), (f"{ROOT}/ü", b"x"))
AGENT = tar_of()


def write(path: Path, **volumes: bytes) -> Manifest:
    with writing(str(path)) as writer:
        sections = {kind: writer.add(kind, pieces(content)) for kind, content in volumes.items()}
        manifest = Manifest("web", CREATED, sections)
        writer.finish(manifest)
    return manifest


def pieces(content: bytes, size: int = 700) -> list[bytes]:
    return [content[start : start + size] for start in range(0, len(content), size)]


def read(path: Path) -> tuple[Manifest, dict[str, bytes]]:
    with path.open("rb") as file:
        manifest, starts = verified(file, str(path))
        contents = {
            kind: b"".join(section_pieces(file, str(path), starts[kind], section))
            for kind, section in manifest.volumes.items()
        }
    return manifest, contents


def outer_tar(path: Path, *entries: tuple[str, bytes], kind: bytes = tarfile.REGTYPE) -> None:
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        for name, content in entries:
            entry = tarfile.TarInfo(name)
            entry.size, entry.type = len(content), kind
            tar.addfile(entry, io.BytesIO(content))


def manifest_text(volumes: dict[str, Any], **changes: Any) -> bytes:
    """A manifest that is sound by its checksum."""
    written = {"project": "web", "created": CREATED, "volumes": volumes, "version": 1, **changes}
    canonical = json.dumps(written, sort_keys=True, separators=(",", ":")).encode()
    return json.dumps({"manifest": written, "sha256": hashlib.sha256(canonical).hexdigest()}).encode()


def section_of(content: bytes) -> dict[str, Any]:
    return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "backup.tar"


class TestWritten:
    @pytest.mark.parametrize("volumes", [{"home": HOME, "agent": AGENT}, {"agent": AGENT}])
    def test_is_read_as_it_was_written(self, path: Path, volumes: dict[str, bytes]) -> None:
        manifest = write(path, **volumes)
        assert read(path) == (manifest, volumes)
        assert {kind: section.size for kind, section in manifest.volumes.items()} == {
            kind: len(content) for kind, content in volumes.items()
        }

    def test_is_a_tar_of_its_owners(self, path: Path) -> None:
        umask = os.umask(0)
        try:
            write(path, home=HOME)
        finally:
            os.umask(umask)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with tarfile.open(path) as tar:
            assert tar.getnames() == ["home.tar", MANIFEST]
        assert os.listdir(path.parent) == [path.name]

    def test_takes_the_place_of_what_was_left_and_of_the_one_before(self, path: Path, tmp_path: Path) -> None:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.write_text("not to be touched")
        Path(f"{path}.part").symlink_to(elsewhere)
        path.write_text("the one before")
        write(path, home=HOME)
        assert read(path)[1] == {"home": HOME}
        assert elsewhere.read_text() == "not to be touched"

    @pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
    def test_leaves_nothing_when_it_fails(self, path: Path, error: type[BaseException]) -> None:
        path.write_text("the one before")
        with pytest.raises(error), writing(str(path)) as writer:
            writer.add("home", pieces(HOME))
            raise error
        assert os.listdir(path.parent) == [path.name]
        assert path.read_text() == "the one before"

    def test_can_take_a_volume_again_that_was_not_whole(self, path: Path) -> None:
        with writing(str(path)) as writer:
            agent = writer.add("agent", pieces(AGENT))
            for _attempt in range(2):
                with pytest.raises(TarProblem, match="ends before its end"):
                    writer.add("home", pieces(HOME[:1500]))
            writer.finish(Manifest("web", CREATED, {"agent": agent, "home": writer.add("home", pieces(HOME))}))
        assert read(path)[1] == {"agent": AGENT, "home": HOME}

    def test_two_archives_are_told_apart_and_one_is_known_again(self, path: Path) -> None:
        one = write(path, home=HOME)
        assert read(path)[0].digest == one.digest
        assert Manifest("web", CREATED, {"home": Section(1, "x")}).digest != one.digest
        assert Manifest("web", "later", one.volumes).digest != one.digest

    def test_a_folder_that_is_not_there_is_told(self, path: Path) -> None:
        with pytest.raises(BerthError, match=r"Cannot write /nowhere/x\.tar\.part: No such file or directory"):
            write(Path("/nowhere/x.tar"), home=HOME)


class TestDamaged:
    def test_wherever_it_is_cut_off(self, path: Path) -> None:
        write(path, home=HOME, agent=AGENT)
        whole = path.read_bytes()
        for length in [*range(0, len(whole), 300), len(whole) - 1]:
            path.write_bytes(whole[:length])
            with pytest.raises(BerthError, match=r"Nothing was changed\."):
                read(path)

    @settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.data())
    def test_by_any_flipped_bit_that_matters(self, path: Path, data: st.DataObject) -> None:
        """What is taken for whole all the same has the same content: a header's checksum can be written in two ways."""
        manifest = write(path, home=HOME, agent=AGENT)
        whole = bytearray(path.read_bytes())
        position = data.draw(st.integers(0, len(whole) - 1))
        whole[position] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(whole)
        try:
            found = read(path)
        except BerthError as error:
            assert "Nothing was changed." in error.msg
        else:
            assert found == (manifest, {"home": HOME, "agent": AGENT})

    def test_in_a_volume_is_told_by_its_kind(self, path: Path) -> None:
        write(path, home=HOME, agent=AGENT)
        whole = bytearray(path.read_bytes())
        whole[whole.index(b"mine")] ^= 1
        path.write_bytes(whole)
        with pytest.raises(BerthError, match="is damaged: a volume in it is not as its manifest says"):
            read(path)

    def test_between_the_verification_and_the_use(self, path: Path) -> None:
        write(path, home=HOME)
        with path.open("rb") as file:
            manifest, starts = verified(file, str(path))
            whole = bytearray(path.read_bytes())
            whole[whole.index(b"mine")] ^= 1
            path.write_bytes(whole)
            given = []
            with pytest.raises(BerthError, match="was changed while it was being restored"):
                given.extend(section_pieces(file, str(path), starts["home"], manifest.volumes["home"]))
        assert given == []


class TestForeign:
    @pytest.mark.parametrize("content", [b"", b"text", b"x" * 5000, bytes(10240), os.urandom(4096)])
    def test_what_is_no_tar(self, path: Path, content: bytes) -> None:
        path.write_bytes(content)
        with pytest.raises(BerthError, match="is no archive"):
            read(path)

    @pytest.mark.parametrize(
        "name", ["etc/passwd", "../home.tar", "/home.tar", "home.tar/../x", "HOME.tar", "./home.tar"]
    )
    def test_a_tar_of_something_else(self, path: Path, name: str) -> None:
        outer_tar(path, (name, HOME), (MANIFEST, manifest_text({"home": section_of(HOME)})))
        with pytest.raises(BerthError, match="is no archive of module volume: something else is in it"):
            read(path)

    @pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
    def test_an_entry_that_is_no_file(self, path: Path, kind: bytes) -> None:
        outer_tar(path, ("home.tar", b""), kind=kind)
        with pytest.raises(BerthError, match="something else is in it"):
            read(path)

    def test_another_version(self, path: Path) -> None:
        outer_tar(path, ("home.tar", HOME), (MANIFEST, manifest_text({"home": "whatever"}, version=2)))
        with pytest.raises(BerthError, match=r"is of version 2, and this Berth reads version 1: restore it with"):
            read(path)

    @pytest.mark.parametrize(
        "manifest",
        [
            b"{",
            b"[]",
            b"null",
            b'{"manifest": 5, "sha256": "x"}',
            manifest_text({"home": 5}),
            manifest_text([]),  # type: ignore[arg-type]
            b"[" * 100000,
        ],
    )
    def test_a_manifest_that_is_none(self, path: Path, manifest: bytes) -> None:
        outer_tar(path, ("home.tar", HOME), (MANIFEST, manifest))
        with pytest.raises(BerthError, match="its manifest is not as it was written"):
            read(path)

    @pytest.mark.parametrize(
        ("entries", "said"),
        [
            ({}, "not as its manifest says"),
            ({"home": section_of(HOME), "agent": section_of(AGENT)}, "not as its manifest says"),
            ({"home": section_of(AGENT)}, "not as its manifest says"),
        ],
    )
    def test_a_manifest_of_another_archive(self, path: Path, entries: dict[str, Any], said: str) -> None:
        outer_tar(path, ("home.tar", HOME), (MANIFEST, manifest_text(entries)))
        with pytest.raises(BerthError, match=said):
            read(path)

    def test_a_volume_that_is_there_twice(self, path: Path) -> None:
        entries = [("home.tar", HOME), ("home.tar", HOME), (MANIFEST, manifest_text({"home": section_of(HOME)}))]
        outer_tar(path, *entries)
        with pytest.raises(BerthError, match="has two volumes home"):
            read(path)

    @pytest.mark.parametrize("name", ["../escaped", f"{ROOT}/../../etc/passwd", "/etc/passwd", "etc/passwd", "n" * 300])
    def test_a_name_in_a_volume_that_leads_out_of_it(self, path: Path, name: str) -> None:
        content = tar_of((name, b"x"))
        outer_tar(path, ("home.tar", content), (MANIFEST, manifest_text({"home": section_of(content)})))
        with pytest.raises(BerthError, match="volume home in it holds a name that leads out of the volume"):
            read(path)
