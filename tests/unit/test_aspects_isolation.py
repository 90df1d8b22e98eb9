# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a container may do, as it is declared and as it is found."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.aspects_isolation import (
    actual_hardening,
    create_hardening,
    wanted_hardening,
)
from ansible_collections.berth.projects.tests.unit.builders import SITE, container_of, definition, plan

STANDARD, STRICT = definition(), definition(hardening="strict")
DANGEROUS = {"NET_RAW", "NET_ADMIN", "SYS_ADMIN", "SYS_PTRACE", "MKNOD", "SYS_MODULE", "DAC_READ_SEARCH"}


def found(made_from: Any, **host: Any) -> dict[str, Any]:
    container = container_of(made_from)
    container["HostConfig"].update(host)
    return container


@pytest.mark.parametrize("made", [STANDARD, STRICT], ids=["standard", "strict"])
def test_a_container_is_found_as_it_was_made(made: Any) -> None:
    wanted = wanted_hardening(made, SITE)
    assert actual_hardening(container_of(made), wanted) == wanted
    assert plan(made, container_of(made)).action == "none"


@pytest.mark.parametrize("made", [STANDARD, STRICT], ids=["standard", "strict"])
def test_everything_is_dropped_but_what_is_named_and_nothing_dangerous_is(made: Any) -> None:
    host = create_hardening(made, SITE)["HostConfig"]
    assert host["CapDrop"] == ["ALL"] and not DANGEROUS & {*host["CapAdd"]}


def test_strict_has_less_than_standard_and_cannot_get_more() -> None:
    standard, strict = (create_hardening(one, SITE)["HostConfig"] for one in (STANDARD, STRICT))
    assert {*strict["CapAdd"]} < {*standard["CapAdd"]}
    assert strict["SecurityOpt"] == ["no-new-privileges:true"] and strict["ReadonlyRootfs"] is True
    assert not {"SecurityOpt", "ReadonlyRootfs", "Tmpfs"} & standard.keys()


def test_memory_is_not_put_over_what_the_project_mounts() -> None:
    made = definition(hardening="strict", mounts=[{"type": "volume", "source": "scratch", "target": "/tmp"}])
    assert sorted(create_hardening(made, SITE)["HostConfig"]["Tmpfs"]) == ["/run", "/var/spool/cron/crontabs"]
    assert plan(made, container_of(made)).action == "none"


@pytest.mark.parametrize(
    ("made", "host", "key", "told"),
    [
        (STANDARD, {"CapDrop": None, "CapAdd": None}, "capabilities", "the engine's"),
        (STANDARD, {"CapAdd": ["CAP_SYS_ADMIN"]}, "capabilities", "SYS_ADMIN"),
        (STANDARD, {"Privileged": True}, "capabilities", "ALL"),
        (STANDARD, {"SecurityOpt": ["seccomp=unconfined"]}, "security", "seccomp=unconfined"),
        (STRICT, {"SecurityOpt": None}, "security", None),
        (STRICT, {"ReadonlyRootfs": False}, "level", "standard"),
        (STRICT, {"Tmpfs": {"/run": "", "/etc": ""}}, "memory", "/etc /run"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_container_that_may_do_something_else_is_replaced(made: Any, host: Any, key: str, told: str | None) -> None:
    """Also where the fingerprint fits: somebody has made it by hand under the labels of one of ours."""
    planned = plan(made, found(made, **host))
    assert planned.action == "replace"
    (reason,) = (one for one in planned.reasons if one.aspect == "hardening")
    assert isinstance(reason.before, dict) and reason.before[key] == told
