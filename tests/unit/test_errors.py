# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is told of an exception, and how a module leaves with it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError, EngineError, message_of
from ansible_collections.berth.projects.plugins.module_utils.runner import run_module


class Left(Exception):
    """A module that has left."""


class FakeModule:
    def fail_json(self, **result: Any) -> None:
        raise Left("fail", result)

    def exit_json(self, **result: Any) -> None:
        raise Left("exit", result)


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:
        return caught


@pytest.mark.parametrize("error", [BerthError("Do this."), EngineError("Do this.", 500)])
def test_our_own_exceptions_are_told_as_they_are(error: BerthError) -> None:
    assert message_of(raised(error)) == "Do this."


@pytest.mark.parametrize("error", [ValueError("s3cret"), KeyError("s3cret"), OSError(2, "s3cret", "s3cret")])
def test_others_are_told_by_type_and_place_and_never_by_their_text(error: Exception) -> None:
    told = message_of(raised(error))
    assert told.startswith(f"Berth met a bug: {type(error).__name__} at test_errors.py:")
    assert " raised. None of its input is shown: please report this line." in told
    assert "s3cret" not in told


@pytest.mark.parametrize(
    ("error", "msg"), [(BerthError("Do this."), "Do this."), (ValueError("s3cret"), "Berth met a bug: ValueError at ")]
)
def test_a_module_fails_with_the_message_alone(error: Exception, msg: str) -> None:
    def body(module: Any) -> dict[str, Any]:
        raise error

    with pytest.raises(Left) as left:
        run_module(FakeModule(), body)  # type: ignore[arg-type]
    how, result = left.value.args
    assert (how, list(result)) == ("fail", ["msg"])
    assert result["msg"].startswith(msg) and "s3cret" not in result["msg"]


@pytest.mark.parametrize(("result", "how"), [({"changed": True}, "exit"), ({"failed": True, "msg": "x"}, "fail")])
def test_a_module_leaves_with_its_result(result: dict[str, Any], how: str) -> None:
    with pytest.raises(Left) as left:
        run_module(FakeModule(), lambda module: result)  # type: ignore[arg-type]
    assert left.value.args == (how, result)
