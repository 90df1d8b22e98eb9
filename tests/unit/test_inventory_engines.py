# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an inventory says of the engines to list: how each is reached, and what it is called."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.connection import CONNECTION_ARGS
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.plugin_utils.inventory_engines import (
    NamedEngine,
    name_of_url,
    named_engines,
)

VARIABLES = (
    "DOCKER_HOST",
    "DOCKER_TLS",
    "DOCKER_TLS_VERIFY",
    "DOCKER_CERT_PATH",
    "DOCKER_TIMEOUT",
    "DOCKER_API_VERSION",
)


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def named(*entries: Any) -> tuple[NamedEngine, ...]:
    return named_engines(entries, timeout=7)


@pytest.mark.parametrize("entries", [None, []])
def test_without_any_there_is_the_local_engine(entries: list[Any] | None) -> None:
    (engine,) = named_engines(entries, timeout=7)
    assert (engine.name, engine.docker_host, engine.seconds) == ("local", "unix:///var/run/docker.sock", 7)
    assert set(engine.params) == set(CONNECTION_ARGS)


def test_or_the_one_that_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://build1:2376")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", "/certs")
    (engine,) = named_engines(None, timeout=7)
    assert (engine.name, engine.docker_host, engine.has_tls) == ("build1", "tcp://build1:2376", True)
    assert engine.params["cert_folder"] == "/certs"


def test_the_environment_changes_nothing_in_engines_that_are_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://elsewhere:2376")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_TIMEOUT", "99")
    plain, local = named("tcp://build1:2375", {"name": "here"})
    assert (plain.has_tls, plain.seconds) == (False, 7)
    assert local.docker_host == "unix:///var/run/docker.sock"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("unix:///var/run/docker.sock", "local"),
        ("unix:///run/user/1000/docker.sock", "local"),
        ("tcp://build1:2375", "build1"),
        ("tcp://10.0.0.7:2375", "10.0.0.7"),
        ("https://build1.example.org", "build1.example.org"),
        ("ssh://deploy@build1", "build1"),
        ("ssh://deploy@build1:2222", "build1"),
    ],
)
def test_an_engine_is_called_after_its_host(url: str, name: str) -> None:
    assert name_of_url(url) == name
    assert [engine.name for engine in named(url)] == [name]


def test_a_map_says_more_than_a_url_and_takes_the_names_of_the_modules_options() -> None:
    (engine,) = named(
        {"name": "b", "docker_url": "tcp://h:2376", "tls_verify": "yes", "ca_cert": "/ca", "timeout": "3"}
    )
    assert (engine.name, engine.docker_host, engine.has_tls, engine.seconds) == ("b", "tcp://h:2376", True, 3)
    assert engine.params["ca_path"] == "/ca"


def test_paths_of_certificates_may_begin_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    (engine,) = named({"docker_host": "tcp://h:1", "cert_folder": "~/certs"})
    assert engine.params["cert_folder"] == "/home/ada/certs"


@pytest.mark.parametrize(
    ("entry", "has_tls", "is_local"),
    [
        ("unix:///s", False, True),
        ({"docker_host": "unix:///s", "tls": True}, False, True),
        ("tcp://h:1", False, False),
        ({"docker_host": "tcp://h:1", "tls": True}, True, False),
        ({"docker_host": "tcp://h:1", "validate_certs": True}, True, False),
        ("http://h:1", False, False),
        ("https://h:1", True, False),
        ("ssh://h", False, False),
    ],
)
def test_how_an_engine_is_reached(entry: Any, has_tls: bool, is_local: bool) -> None:
    (engine,) = named(entry)
    assert (engine.has_tls, engine.is_local) == (has_tls, is_local)


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (7, r"engines\[0\]: must be the URL of an engine, or a map with docker_host and name"),
        ("/var/run/docker.sock", r"engines\[0\]: docker_host must begin with one of unix://.*'/var/run/docker.sock'"),
        ("build1:2375", r"engines\[0\]: docker_host must begin with one of"),
        ({"docker_host": "unix:///s", "nmae": "x"}, r"engines\[0\]: .*nmae"),
        ({"docker_host": "unix:///s", "timeout": "soon"}, r"engines\[0\]: .*timeout"),
        ({"docker_host": "unix:///s", "name": "two words"}, r"engines\[0\]: name must consist of .*'two words'"),
        ("tcp://[fe80::1]:2375", r"engines\[0\]: name must consist of .*'fe80::1'"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(entry: Any, told: str) -> None:
    with pytest.raises(BerthError, match=told):
        named(entry)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(BerthError) as told:
        named("nothing", "unix:///a", "unix:///b", 5)
    first, second, third = told.value.msg.splitlines()
    assert first.startswith("engines[0]") and second.startswith("engines[3]")
    assert third.startswith("engines: 2 are called 'local'")
