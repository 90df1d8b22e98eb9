# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read from the events of a build."""

from __future__ import annotations

from ansible_collections.berth.projects.plugins.module_utils.build_output import BuildOutput, lines_of, read_build


def test_the_id_that_is_told_last_is_that_of_the_image() -> None:
    events = [{"aux": {"ID": "sha256:step"}}, {"stream": "Step 2/2\n"}, {"aux": {"ID": "sha256:image"}}]
    assert read_build(events) == BuildOutput(("Step 2/2",), "sha256:image")


def test_a_build_that_fails_has_no_image_but_what_failed_and_how_it_ended() -> None:
    events = [
        {"aux": {"ID": "sha256:step"}},
        {"stream": "E: no such package\n"},
        {"error": "it returned a non-zero code: 100", "errorDetail": {"code": 100, "message": "…"}},
    ]
    assert read_build(events) == BuildOutput(
        ("E: no such package",), error="it returned a non-zero code: 100", code=100
    )


def test_a_failure_that_is_not_that_of_a_command_has_no_status() -> None:
    assert read_build([{"error": "no space left on device"}]).code is None


def test_an_answer_that_just_ends_has_neither_image_nor_error() -> None:
    assert read_build([{"stream": "Step 1/9\n"}]) == BuildOutput(("Step 1/9",))


def test_lines_lose_their_colours_and_what_a_progress_bar_showed_before() -> None:
    assert lines_of("\x1b[91mE: no\x1b[0m\n\n 10%\r 50%\r100%\r\n") == ["E: no", "100%"]


def test_the_tail_is_the_last_thirty_lines() -> None:
    output = BuildOutput(tuple(str(number) for number in range(100)))
    assert output.tail.split("\n") == [str(number) for number in range(70, 100)]
