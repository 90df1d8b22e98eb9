# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tar that streams by is known to be whole, in whatever pieces it comes."""

from __future__ import annotations

import io
import tarfile
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.volume_tar import TarCheck, TarProblem
from hypothesis import given
from hypothesis import strategies as st

ROOT = "berth-volume"
FORMATS = [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]
NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=300).filter(
    lambda name: name not in (".", "..")
)


def entry(name: str, content: bytes = b"", **attributes: Any) -> tuple[tarfile.TarInfo, bytes]:
    made = tarfile.TarInfo(name)
    made.size = len(content)
    for key, value in attributes.items():
        setattr(made, key, value)
    return made, content


def tar_of(*entries: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for made, content in entries:
            tar.addfile(made, io.BytesIO(content))
    return buffer.getvalue()


def check(content: bytes, size: int) -> TarCheck:
    """Give the tar in pieces of this size."""
    made = TarCheck(ROOT)
    for start in range(0, len(content), size):
        made.feed(content[start : start + size])
    made.finish()
    return made


@given(
    st.dictionaries(NAMES, st.binary(max_size=2000), max_size=5),
    st.sampled_from(FORMATS),
    st.integers(1, 3000),
)
def test_a_whole_tar_is_whole(files: dict[str, bytes], form: int, size: int) -> None:
    content = tar_of(*(entry(f"{ROOT}/{name}", data) for name, data in files.items()), form=form)
    assert check(content, size).entries == len(files)


SPECIAL = [
    entry(ROOT, type=tarfile.DIRTYPE),
    entry(f"{ROOT}/capable", b"x" * 600, pax_headers={"SCHILY.xattr.security.capability": "\x01\udcff\n"}),
    entry(f"{ROOT}/hard", type=tarfile.LNKTYPE, linkname=f"{ROOT}/capable"),
    entry(f"{ROOT}/long", type=tarfile.LNKTYPE, linkname=f"{ROOT}/" + "l" * 300),
    entry(f"{ROOT}/soft", type=tarfile.SYMTYPE, linkname="../../../etc/passwd"),
    entry(f"{ROOT}/fifo", type=tarfile.FIFOTYPE),
    entry(f"{ROOT}/last", b"y"),
]


@pytest.mark.parametrize("form", FORMATS)
def test_entries_of_all_kinds(form: int) -> None:
    assert check(tar_of(*SPECIAL, form=form), 333).entries == len(SPECIAL)


def test_one_that_ends_anywhere_else_is_not_whole() -> None:
    content = tar_of(*SPECIAL)
    whole = len(content.rstrip(b"\0")) // 512 * 512 + 512 + 1024
    check(content[:whole], 512)
    for length in range(0, whole, 128):
        with pytest.raises(TarProblem):
            check(content[:length], 512)


def test_a_file_of_zeros_that_was_cut_is_not_taken_for_the_end() -> None:
    content = tar_of(entry(f"{ROOT}/zeros", bytes(5000)))
    with pytest.raises(TarProblem, match="ends before its end"):
        check(content[: 512 + 3072], 512)


@pytest.mark.parametrize("rest", [b'{"message": "it broke"}', bytes(100) + b"x"])
def test_one_that_goes_on_after_its_end(rest: bytes) -> None:
    with pytest.raises(TarProblem, match="goes on after its end"):
        check(tar_of(*SPECIAL) + rest, 512)


def test_an_engines_words_instead_of_an_entry() -> None:
    content = tar_of(entry(ROOT, type=tarfile.DIRTYPE))[:512] + b'{"message": "it broke"}'.ljust(512)
    with pytest.raises(TarProblem, match="a header that is damaged"):
        check(content, 512)


@pytest.mark.parametrize(
    "bad",
    [
        entry(f"{ROOT}x/file"),
        entry(f"{ROOT}/a/../../b"),
        entry("/" + ROOT),
        entry(f"{ROOT}/hard", type=tarfile.LNKTYPE, linkname="etc/passwd"),
        entry("x" * 300),
        entry("../" + "ü" * 90),
    ],
)
@pytest.mark.parametrize("form", FORMATS)
def test_a_name_that_leads_out(bad: tuple[tarfile.TarInfo, bytes], form: int) -> None:
    with pytest.raises(TarProblem, match="leads out of the volume"):
        check(tar_of(bad, form=form), 512)


@pytest.mark.parametrize(
    "record", [b"0 a=b\n", b"x a=b\n", b"99 a=b\n", b"6 a=b", b"7 abc\n ", b"11 size=-1\n", b"11 size=\xff1\n"]
)
def test_an_extended_header_that_is_damaged(record: bytes) -> None:
    made = tarfile.TarInfo("x")
    made.type, made.size = tarfile.XHDTYPE, len(record)
    content = made.tobuf(tarfile.USTAR_FORMAT) + record.ljust(512, b"\0") + tar_of(entry(f"{ROOT}/file"))
    with pytest.raises(TarProblem, match="a header that is damaged"):
        check(content, 512)


def test_an_extended_header_that_is_too_large_to_hold() -> None:
    made = tarfile.TarInfo("x")
    made.type, made.size = tarfile.XHDTYPE, 1 << 30
    with pytest.raises(TarProblem, match="a header that is damaged"):
        check(made.tobuf(tarfile.USTAR_FORMAT), 512)
