# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runtime and hardening do not go together with, and what a run warns of."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.plugin_utils.rules_isolation import (
    isolation_problems,
    isolation_warnings,
)


def one(**keys: Any) -> dict[str, Any]:
    return {"name": "web", **keys}


@pytest.mark.parametrize(
    ("keys", "where"),
    [
        ({"runtime": "runsc", "docker_access": True}, "berth_projects[0].runtime"),
        ({"hardening": "strict", "docker_access": True}, "berth_projects[0].hardening"),
        ({"runtime": "auto", "docker_access": True}, None),
        ({"runtime": "runsc", "hardening": "strict"}, None),
        ({"docker_access": False, "hardening": "strict"}, None),
    ],
)
def test_the_hosts_engine_does_not_go_together_with_what_keeps_from_the_host(
    keys: dict[str, Any], where: str | None
) -> None:
    assert [problem.where for problem in isolation_problems([one(**keys)])] == ([where] if where else [])


@pytest.mark.parametrize(
    ("address", "is_told"),
    [
        (None, False),
        ("127.0.0.1", False),
        ("127.1.2.3", False),
        ("::1", False),
        ("0.0.0.0", True),
        ("::", True),
        ("192.0.2.1", True),
        ("no address", False),
    ],
)
def test_a_port_that_others_reach_is_told(address: str | None, is_told: bool) -> None:
    port = {"host": 8080, "container": 80, **({"host_ip": address} if address else {})}
    told = list(isolation_warnings([one(ports=[port])]))
    assert bool(told) is is_told
    if is_told:
        assert "port 8080 listens on" in told[0]


def workspace(path: str, **keys: Any) -> dict[str, Any]:
    return {"path": path, **keys}


def test_a_folder_that_holds_another_projects_workspace_is_told_where_it_can_be_written() -> None:
    other = {"name": "api", "workspaces": [workspace("/srv/src/api")]}
    (told,) = isolation_warnings([one(workspaces=[workspace("/srv/src")]), other])
    assert told == ("project web: /srv/src contains workspaces of other projects (api), which its agent can change")
    (told,) = isolation_warnings([one(mounts=[{"source": "/srv", "target": "/mnt"}]), other])
    assert "/srv contains" in told
    assert list(isolation_warnings([one(workspaces=[workspace("/srv/src", read_only=True)]), other])) == []
    assert list(isolation_warnings([one(workspaces=[workspace("/srv/src/api-2")]), other])) == []
    assert list(isolation_warnings([one(workspaces=[workspace("/srv"), workspace("/srv/own")])])) == []


def test_one_workspace_for_two_projects_is_their_users_business() -> None:
    both = [{"name": name, "workspaces": [workspace("/srv/src")]} for name in ("web", "api")]
    assert list(isolation_warnings(both)) == []
