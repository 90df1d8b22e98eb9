# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that Berth runs in containers, where somebody else is who may not want them to end."""

from __future__ import annotations

from typing import Callable

import pytest
from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.errors import EngineError
from host import DEFAULT_DOCKER_HOST
from image_box import Box

CONNECTION = {"docker_host": DEFAULT_DOCKER_HOST, "api_version": "auto", "timeout": 60, "tls": False}


@pytest.fixture
def engine_here(engine: None) -> Engine:
    return Engine.connect({**CONNECTION, "validate_certs": False})


def shell(engine: Engine, box: Box, script: str, seconds: float) -> tuple[int, str]:
    return engine.run(box.id, ["sh", "-c", script], "agent", seconds)


def test_a_command_says_how_it_ended_and_what_it_printed(engine_here: Engine, box: Callable[..., Box]) -> None:
    one = box()
    one.start()
    assert shell(engine_here, one, "echo out; exit 3", 20) == (3, "out\n")
    status, output = shell(engine_here, one, "yes 0123456 | head -n 200000; echo last", 20)
    assert (status, len(output), output[-5:]) == (0, 1024 * 1024, "last\n")


@pytest.mark.parametrize("script", ["echo so far; kill -STOP $$", "yes"], ids=["stopped", "endless"])
def test_a_command_that_is_kept_from_ending_is_left_alone(
    engine_here: Engine, box: Callable[..., Box], script: str
) -> None:
    one = box()
    one.start()
    with pytest.raises(EngineError, match=r"^running sh in container .*: no answer in 2 s"):
        shell(engine_here, one, script, 2)
    assert shell(engine_here, one, "echo here", 20) == (0, "here\n")
