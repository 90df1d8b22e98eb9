# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The block of lines that Berth manages in a file of the agent's: everything around it survives."""

from __future__ import annotations

import pytest
from ansible_collections.berth.projects.tests.unit.runtime_programs import program
from hypothesis import given
from hypothesis import strategies as st

berth_block = program("berth_block")
with_block = berth_block.with_block
MARKERS = [berth_block.Markers("<!-- ", " -->"), berth_block.Markers("# ")]

markers = st.sampled_from(MARKERS)
# what people write, also with bytes that are no text, and whole markers now and then
contents = st.binary(max_size=60) | st.lists(
    st.sampled_from([b"a\n", b"\n", b"b\r\n", b"  c", MARKERS[0].begin + b"\n", MARKERS[0].end + b"\n", b" " * 3]),
    max_size=8,
).map(b"".join)
texts = st.text(max_size=40).map(str.encode)


@given(contents, texts, markers)
def test_a_block_that_came_and_went_leaves_the_file_as_it_was(
    content: bytes, text: bytes, kind: berth_block.Markers
) -> None:
    if kind.are_in(content) or kind.are_in(text):
        return
    there = with_block(content, text, kind)
    assert there is not None
    assert there.endswith(content)
    assert with_block(there, b"", kind) == (content if content or not text.strip() else None)


@given(contents, texts, texts, markers)
def test_a_block_is_replaced_where_it_stands(
    content: bytes, text: bytes, other: bytes, kind: berth_block.Markers
) -> None:
    if kind.are_in(text) or kind.are_in(other) or not other.strip():
        return
    once = with_block(content, other, kind)
    assert with_block(with_block(content, text, kind), other, kind) == once
    assert with_block(once, other, kind) == once


@given(contents, texts)
def test_whatever_markers_are_lost_no_line_outside_a_whole_block_is(content: bytes, text: bytes) -> None:
    kind = MARKERS[0]
    if kind.are_in(text) or not text.strip():
        return
    found = berth_block.find_block(content, kind)
    after = with_block(content, text, kind)
    again = berth_block.find_block(after, kind)
    assert again.rest == found.rest
    assert not again.damaged
    if kind.end not in content:  # so there is no whole block
        lines = [line for line in berth_block._lines(content) if not kind.kind_of(line)]
        assert b"".join(found.rest) == b"".join(lines)


def test_the_text_stands_between_two_comments_at_the_top() -> None:
    assert with_block(b"# Mine\n", b"Be brief.", MARKERS[0]) == (
        b"<!-- BEGIN berth (managed: edits in here are lost) -->\nBe brief.\n<!-- END berth -->\n# Mine\n"
    )


def test_a_block_that_somebody_moved_stays_where_it_is() -> None:
    block = with_block(None, b"old", MARKERS[1])
    assert with_block(b"above\n" + block + b"below", b"new", MARKERS[1]) == (
        b"above\n" + with_block(None, b"new", MARKERS[1]) + b"below"
    )


@pytest.mark.parametrize("lost", ["begin", "end"])
def test_a_lone_marker_goes_and_what_it_enclosed_stays(lost: str) -> None:
    kind = MARKERS[0]
    block = with_block(b"mine\n", b"old", kind)
    damaged = block.replace(getattr(kind, lost) + b"\n", b"")
    assert berth_block.find_block(damaged, kind).damaged
    assert with_block(damaged, b"new", kind) == with_block(None, b"new", kind) + b"old\nmine\n"


def test_a_second_copy_of_the_block_goes() -> None:
    block = with_block(None, b"old", MARKERS[0])
    assert with_block(block + b"mine\n" + block, b"new", MARKERS[0]) == (
        with_block(None, b"new", MARKERS[0]) + b"mine\n"
    )


def test_an_editors_line_ends_hide_no_marker() -> None:
    block = with_block(b"mine\n", b"old", MARKERS[0]).replace(b"\n", b"\r\n")
    assert with_block(block, b"", MARKERS[0]) == b"mine\r\n"
