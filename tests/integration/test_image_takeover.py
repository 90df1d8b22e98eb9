# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The scripts that read host state, in a tiny image: what they tell, and that they run nothing of the project's."""

from __future__ import annotations

from typing import Callable

import pytest
from image_box import READY, Box, Put

TAKEOVER = "/usr/local/lib/berth/takeover"
OTHER = "berth: error: this container does not see the host state of its project; restart it\n"
TAKEN = (
    Put("/etc/berth/"),
    Put("/etc/berth/generation", "abc", uid=1000, mode=0o400),
    Put("/home/agent/.local/state/berth/generation", "abc\n", uid=1000),
)


@pytest.mark.parametrize("user", ["root", "agent"])
@pytest.mark.parametrize(
    ("put", "expected", "wanted"),
    [
        (TAKEN, ["abc"], (0, "")),
        (TAKEN, [], (0, "")),
        (TAKEN, ["ab"], (1, OTHER)),
        (TAKEN, [""], (1, OTHER)),
        ((), ["abc"], (1, OTHER)),
        ((), ["empty"], (1, OTHER)),
        ((), [""], (1, OTHER)),
        ((), [], (0, "")),
    ],
)
def test_a_caller_can_say_which_host_state_it_expects(
    box: Callable[..., Box], put: tuple[Put, ...], expected: list[str], wanted: tuple[int, str], user: str
) -> None:
    one = box(put=put)
    assert one.start() == [READY]
    assert one.run(TAKEOVER, *expected, user=user) == wanted
