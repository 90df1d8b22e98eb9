# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""References to secrets, and what looks like a secret."""

from __future__ import annotations

import pytest
from ansible_collections.berth.projects.plugins.plugin_utils.agent_secrets import (
    has_reference,
    is_one_line,
    one_line,
    references,
    resolved,
)
from hypothesis import given
from hypothesis import strategies as st

VALUES = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", []),
        ("Bearer x", []),
        ("${secret:a}", ["a"]),
        ("Bearer ${secret:a.b_c-d}, ${secret:e}", ["a.b_c-d", "e"]),
        ("${HOME}", []),
        ("$secret:a", []),
        ("${secret:}", [None]),
        ("${secret: a}", [None]),
        ("${secret:a b}", [None]),
        ("${secret.a}", [None]),
        ("${secret:a} ${secret:b", ["a", None]),
    ],
)
def test_a_reference_is_found_and_what_is_nearly_one_too(text: str, names: list[str | None]) -> None:
    assert list(references(text)) == names
    assert has_reference(text) is bool(names)


@given(VALUES, st.text(st.sampled_from("ab ${}:"), max_size=8))
def test_a_value_comes_in_the_place_of_its_reference_as_it_is(value: str, around: str) -> None:
    assert resolved(f"<{around}> ${{secret:a}}!", {"a": value}) == f"<{around}> {value}!"


def test_a_value_that_looks_like_a_reference_is_not_resolved_again() -> None:
    assert resolved("${secret:a}", {"a": "${secret:b}", "b": "x"}) == "${secret:b}"


def test_a_newline_at_the_end_of_a_value_is_not_part_of_the_line() -> None:
    assert resolved("Bearer ${secret:a}", {"a": "x\r\n"}) == "Bearer x"
    assert one_line("x\n") == "x"


@pytest.mark.parametrize(("value", "fine"), [("x", True), ("x\n", True), ("x\ny", False), ("\nx", False)])
def test_a_value_of_several_lines_is_known_as_such(value: str, fine: bool) -> None:
    assert is_one_line(value) is fine
