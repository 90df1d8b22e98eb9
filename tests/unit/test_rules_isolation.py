# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What does not go together with isolation, and what opens a project further than it seems."""

from __future__ import annotations

import time
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.plugin_utils.rules_isolation import (
    isolation_problems,
    isolation_warnings,
)


def project(name: str, *workspaces: str, **keys: Any) -> dict[str, Any]:
    return {"name": name, "workspaces": [{"path": path} for path in workspaces], **keys}


@pytest.mark.parametrize(("key", "value"), [("runtime", "runsc"), ("hardening", "strict")])
def test_the_hosts_engine_leaves_nothing_of_isolation(key: str, value: str) -> None:
    (problem,) = isolation_problems([{"name": "a"}, {"name": "b", "docker_access": True, key: value}])
    assert problem.path == ("berth_projects", 1, key) and "docker_access" in problem.text
    assert not list(isolation_problems([{"name": "b", "docker_access": True, "runtime": "auto"}]))


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1"])
def test_a_port_that_others_than_the_host_reach_is_told(address: str) -> None:
    (text,) = isolation_warnings([project("web", ports=[{"host": 80, "container": 80, "host_ip": address}])])
    assert text == f"project web: port 80 listens on {address}: others than this host reach it"


@pytest.mark.parametrize("port", [{}, {"host_ip": None}, {"host_ip": "127.0.0.1"}, {"host_ip": "::1"}], ids=str)
def test_a_port_on_loopback_is_not_worth_a_word(port: dict[str, Any]) -> None:
    assert not list(isolation_warnings([project("web", ports=[{"host": 80, "container": 80, **port}])]))


def test_a_folder_with_workspaces_of_others_in_it_is_told_once_with_all_of_them() -> None:
    projects = [project("all", "/srv"), project("b", "/srv/b"), project("a", "/srv/a/x", "/srv/a/y")]
    assert list(isolation_warnings(projects)) == [
        "project all: /srv contains workspaces of other projects (a, b), which its agent can change"
    ]


def test_a_writable_bind_counts_as_a_workspace_does() -> None:
    bind = {"source": "/srv/", "target": "/data"}
    assert list(isolation_warnings([project("a", mounts=[bind]), project("b", "/srv/b")]))
    for harmless in ({**bind, "read_only": True}, {**bind, "type": "volume"}):
        assert not list(isolation_warnings([project("a", mounts=[harmless]), project("b", "/srv/b")]))


@pytest.mark.parametrize(
    "projects",
    [
        [project("a", "/srv/a", "/srv/a/deeper")],
        [project("a", "/srv/shared"), project("b", "/srv/shared")],
        [project("a", "/srv/a"), project("b", "/srv/ab"), project("c", "/srv/a.b"), project("d", "/srv/a-b")],
        [project("a", "/srv", state="absent"), project("b", "/srv/b")],
        [project("a", "/srv"), project("b", "/srv/b", state="absent")],
        [{"name": "a", "workspaces": [{"path": "/srv", "read_only": True}]}, project("b", "/srv/b")],
    ],
    ids=["its own", "the same", "names alike", "absent", "of an absent one", "read-only"],
)
def test_what_is_meant_or_harmless_is_not_told(projects: list[dict[str, Any]]) -> None:
    assert not list(isolation_warnings(projects))


def test_thousands_of_projects_are_not_each_held_against_all_others() -> None:
    projects = [project(f"p{number}", f"/srv/src/p{number}") for number in range(5000)]
    started = time.process_time()
    assert not list(isolation_warnings(projects))
    assert time.process_time() - started < 2  # each against all took a minute
