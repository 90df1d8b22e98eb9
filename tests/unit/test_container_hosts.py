# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which listed containers are hosts of an inventory, and what is told of them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.names import HELPER, aside_name, ownership_labels
from ansible_collections.berth.projects.plugins.plugin_utils.container_hosts import (
    connection_variables,
    container_variables,
    default_hostname,
    group_names,
    project_containers,
)
from ansible_collections.berth.projects.plugins.plugin_utils.inventory_engines import NamedEngine, named_engines
from hypothesis import given
from hypothesis import strategies as st

ID = "0123456789ab" + "c" * 52
PROJECTS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,39}[a-z0-9])?", fullmatch=True)
NAMES = st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,60}", fullmatch=True)


def listed(name: str = "berth-web", labels: dict[str, str] | None = None, **keys: Any) -> dict[str, Any]:
    """An entry of ``GET /containers/json``."""
    return {
        "Id": ID,
        "Names": [f"/{name}"],
        "Image": "berth-base:latest",
        "State": "running",
        "Status": "Up 3 minutes (healthy)",
        "Labels": ownership_labels("web", "team") if labels is None else labels,
        **keys,
    }


def engine(entry: Any = "unix:///s") -> NamedEngine:
    (one,) = named_engines([entry], timeout=5)
    return one


WEB = project_containers([listed()])[0]


def test_a_projects_container_is_a_host() -> None:
    (told,) = project_containers([listed()])
    assert told == {
        "project": "web",
        "scope": "team",
        "name": "berth-web",
        "id": ID,
        "image": "berth-base:latest",
        "state": "running",
        "health": "healthy",
        "ports": [],
        "labels": ownership_labels("web", "team"),
    }


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        (aside_name("web", ID), ownership_labels("web", "team")),
        ("berth-web.proxy", ownership_labels("web", "team")),
        ("web", ownership_labels("web", "team")),
        ("berth-other", ownership_labels("web", "team")),
        ("berth-web", {}),
        ("berth-web", {"berth.project": "web", "berth.scope": "team"}),
        ("berth-web", {"berth.managed": "true", "berth.scope": "team"}),
        ("berth-web", {"berth.managed": "true", "berth.project": "web"}),
        ("berth-", {"berth.managed": "true", "berth.project": "", "berth.scope": "team"}),
        ("berth-web", {**ownership_labels("web", "team"), "berth.managed": "false"}),
        ("happy_noether", {HELPER: "team/web"}),
    ],
)
def test_a_container_without_the_labels_or_the_name_is_none(name: str, labels: dict[str, str]) -> None:
    assert project_containers([listed(name, labels)]) == []


@given(PROJECTS, NAMES)
def test_whatever_it_is_called_only_the_projects_own_name_counts(project: str, name: str) -> None:
    found = project_containers([listed(name, ownership_labels(project, "team"))])
    assert bool(found) is (name == f"berth-{project}")


def test_links_of_other_containers_are_no_names() -> None:
    assert project_containers([listed(Names=["/other/alias", "/berth-web"])]) == [WEB]
    assert project_containers([listed(Names=["/other/berth-web", "/other"])]) == []


def test_labels_and_ports_that_an_engine_leaves_out_or_null_are_none() -> None:
    bare = listed(Ports=None, Labels=None)
    assert project_containers([bare]) == []
    assert project_containers([listed(Ports=None)]) == [WEB]


def health_shown(**entry: Any) -> Any:
    """What the inventory tells of the health of the container listed so."""
    return project_containers([listed(**entry)])[0]["health"]


@pytest.mark.parametrize(
    ("status", "health"),
    [
        ("Up 3 minutes (healthy)", "healthy"),
        ("Up About an hour (unhealthy)", "unhealthy"),
        ("Up Less than a second (health: starting)", "starting"),
        ("Up 3 minutes", "none"),
        ("Up 3 minutes (Paused)", "none"),
        ("Exited (137) 2 hours ago", "none"),
        ("Restarting (1) 5 seconds ago", "none"),
        ("Created", "none"),
        ("", "none"),
        (None, "none"),
    ],
)
def test_health_is_read_from_the_text_for_people(status: str | None, health: str) -> None:
    assert health_shown(Status=status) == health


def test_and_taken_as_it_is_from_engines_that_say_it() -> None:
    assert health_shown(Status="Up 3 minutes (healthy)", Health={"Status": "starting"}) == "starting"
    assert health_shown(Status="Exited (0) 1 hour ago", Health={"Status": "none"}) == "none"


def test_ports_are_those_published_as_a_definition_has_them() -> None:
    ports = [
        {"PrivatePort": 9000, "Type": "tcp"},
        {"IP": "::", "PrivatePort": 8000, "PublicPort": 8080, "Type": "tcp"},
        {"IP": "127.0.0.1", "PrivatePort": 8000, "PublicPort": 8080, "Type": "tcp"},
        {"PrivatePort": 53, "PublicPort": 53, "Type": "udp"},
    ]
    assert project_containers([listed(Ports=ports)])[0]["ports"] == [
        {"host_ip": "", "host": 53, "container": 53, "protocol": "udp"},
        {"host_ip": "127.0.0.1", "host": 8080, "container": 8000, "protocol": "tcp"},
        {"host_ip": "::", "host": 8080, "container": 8000, "protocol": "tcp"},
    ]


def test_hosts_are_told_by_name() -> None:
    answer = [listed(f"berth-{name}", ownership_labels(name, "team")) for name in ("b", "c", "a")]
    assert [one["project"] for one in project_containers(answer)] == ["a", "b", "c"]


@given(PROJECTS, PROJECTS, NAMES, NAMES)
def test_two_containers_never_share_a_host_name(one: str, other: str, here: str, there: str) -> None:
    first = default_hostname({"project": one}, engine({"name": here}))
    second = default_hostname({"project": other}, engine({"name": there}))
    assert (first == second) is ((one, here) == (other, there))


def test_groups_tell_state_health_engine_and_scope() -> None:
    assert group_names(WEB, engine("ssh://build-1")) == [
        "berth_state_running",
        "berth_health_healthy",
        "berth_engine_build-1",
        "berth_scope_team",
    ]


def test_variables_do_not_take_the_names_of_those_that_users_set() -> None:
    names = set(container_variables(WEB, engine()))
    assert all(name.startswith("berth_container_") for name in names)
    assert {"berth_container_project", "berth_container_engine", "berth_container_docker_host"} <= names


# How plays get in

COMMON = {
    "ansible_host": "berth-web",
    "ansible_user": "agent",
    "ansible_python_interpreter": "/usr/bin/python3",
}
TLS = {"name": "b", "docker_host": "tcp://b:2376", "validate_certs": True, "cert_folder": "/certs"}


def variables(entry: Any, connection: str = "auto") -> dict[str, Any]:
    told = connection_variables(WEB, engine(entry), connection)
    return {name: value for name, value in told.items() if name not in COMMON}


def test_a_container_is_entered_under_its_name_as_its_agent() -> None:
    told = connection_variables(WEB, engine(), "auto")
    assert {name: told[name] for name in COMMON} == COMMON


def test_a_local_engine_is_talked_to_directly() -> None:
    assert variables("unix:///var/run/docker.sock") == {
        "ansible_connection": "community.docker.docker_api",
        "ansible_docker_docker_host": "unix:///var/run/docker.sock",
    }


@pytest.mark.parametrize("url", ["tcp://b:2375", "http://b:2375"])
def test_over_tcp_the_docker_program_is_taken_for_it_loses_no_output(url: str) -> None:
    assert variables(url) == {
        "ansible_connection": "community.docker.docker",
        "ansible_docker_extra_args": "-H tcp://b:2375",
    }


def test_a_version_of_the_api_goes_along() -> None:
    told = variables({"docker_host": "unix:///s", "api_version": "1.41"})
    assert told["ansible_docker_api_version"] == "1.41"


def test_over_ssh_and_tls_the_docker_program_is_taken() -> None:
    assert variables("ssh://ada@b") == {
        "ansible_connection": "community.docker.docker",
        "ansible_docker_extra_args": "-H ssh://ada@b",
    }
    files = "--tlscacert=/certs/ca.pem --tlscert=/certs/cert.pem --tlskey=/certs/key.pem"
    assert variables(TLS)["ansible_docker_extra_args"] == f"-H tcp://b:2376 --tlsverify {files}"
    assert variables("https://b:2376")["ansible_docker_extra_args"] == "-H tcp://b:2376 --tlsverify"
    unchecked = {"docker_host": "tcp://b:2376", "tls": True}
    assert variables(unchecked)["ansible_docker_extra_args"] == "-H tcp://b:2376 --tls"


def test_or_whatever_is_asked_for() -> None:
    assert variables("unix:///s", "docker")["ansible_docker_extra_args"] == "-H unix:///s"
    assert variables(TLS, "docker_api") == {
        "ansible_connection": "community.docker.docker_api",
        "ansible_docker_docker_host": "tcp://b:2376",
        "ansible_docker_tls": True,
        "ansible_docker_validate_certs": True,
        "ansible_docker_ca_path": "/certs/ca.pem",
        "ansible_docker_client_cert": "/certs/cert.pem",
        "ansible_docker_client_key": "/certs/key.pem",
    }
    assert connection_variables(WEB, engine(), "none") == {}


def test_a_path_that_would_be_cut_is_refused() -> None:
    with pytest.raises(BerthError, match=r"Engine b: .* cuts arguments at spaces"):
        variables({**TLS, "cert_folder": "/my certs"})
    assert variables({**TLS, "cert_folder": "/my certs"}, "docker_api")["ansible_docker_ca_path"] == "/my certs/ca.pem"
