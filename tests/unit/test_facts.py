# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an engine can do, and what a definition comes to there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils import facts as facts_module
from ansible_collections.berth.projects.plugins.module_utils.definition import definition_from
from ansible_collections.berth.projects.plugins.module_utils.facts import (
    Facts,
    facts_of,
    isolation_misfit,
    settle_runtime,
)

WITH = Facts(frozenset(("runc", "runsc")))
WITHOUT = Facts(frozenset(("runc",)))


def wanted(**keys: Any) -> Any:
    return definition_from({"name": "web", "image": "x", **keys})


@pytest.fixture(autouse=True)
def resolver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The host's two files; the first names a server that containers reach."""
    files = (tmp_path / "resolv.conf", tmp_path / "systemd.conf")
    files[0].write_text("search example\nnameserver 192.0.2.53\n")
    monkeypatch.setattr(facts_module, "_RESOLVERS", tuple(str(file) for file in files))
    return tmp_path


@pytest.mark.parametrize(
    ("keys", "facts", "runtime"),
    [
        ({}, WITH, "runsc"),
        ({}, WITHOUT, "runc"),
        ({"runtime": "auto"}, WITH, "runsc"),
        ({"runtime": "runc"}, WITH, "runc"),
        ({"runtime": "runsc"}, WITHOUT, "runsc"),
        ({"docker_access": True}, WITH, "runc"),
    ],
)
def test_auto_is_gvisor_where_there_is_one(keys: dict[str, Any], facts: Facts, runtime: str) -> None:
    assert settle_runtime(wanted(**keys), facts).runtime == runtime


@pytest.mark.parametrize("egress", ["open", "restricted", "none"])
def test_only_open_egress_under_gvisor_takes_the_hosts_resolver(egress: str, resolver: Path) -> None:
    network = {"egress": egress}
    found = settle_runtime(wanted(network=network), WITH)
    assert found.resolver == (str(resolver / "resolv.conf") if egress == "open" else None)
    assert settle_runtime(wanted(network=network), WITHOUT).resolver is None


@pytest.mark.parametrize(
    ("first", "second", "taken"),
    [
        ("nameserver 127.0.0.53\n", "nameserver 192.0.2.53\n", "systemd.conf"),
        ("nameserver ::1\n", "nameserver fe80::1%eth0\n", "systemd.conf"),
        ("nameserver 127.0.0.1\nnameserver 192.0.2.1\n", None, "resolv.conf"),
        ("nameserver 127.0.0.1\n", "nameserver 127.0.0.1\n", None),
        ("# nameserver 192.0.2.1\nnameserver\nnameserver nonsense\n", None, None),
        (None, None, None),
    ],
)
def test_a_resolver_on_loopback_is_none_for_gvisor(
    first: str | None, second: str | None, taken: str | None, resolver: Path
) -> None:
    (resolver / "resolv.conf").unlink()
    for name, text in (("resolv.conf", first), ("systemd.conf", second)):
        if text is not None:
            (resolver / name).write_text(text)
    found = settle_runtime(wanted(), WITH)
    assert found.resolver == (str(resolver / taken) if taken else "")
    assert (isolation_misfit(found, WITH) is None) is bool(taken)


def test_what_the_engine_cannot_do_is_told_with_what_to_do() -> None:
    told = isolation_misfit(settle_runtime(wanted(runtime="runsc"), WITHOUT), WITHOUT) or ""
    assert all(words in told for words in ("/etc/docker/daemon.json", "SIGHUP", "berth_engine_gvisor"))
    told = isolation_misfit(wanted(hardening="strict", runtime="runc"), Facts(has_seccomp=False)) or ""
    assert "have no seccomp" in told and "unconfined" in told
    assert isolation_misfit(wanted(runtime="runc"), Facts(has_seccomp=False)) is None


def test_facts_are_read_of_what_the_engine_says() -> None:
    info = {"Runtimes": {"runc": {}, "runsc": {}}, "SecurityOptions": ["name=apparmor", "name=seccomp,profile=default"]}
    assert facts_of(info) == Facts(frozenset(("runc", "runsc")), True)
    assert facts_of({"Runtimes": None, "SecurityOptions": None}) == Facts(frozenset(), False)


@pytest.mark.parametrize(
    ("option", "is_filtering"),
    [
        ("name=seccomp", True),
        ("name=seccomp,profile=builtin", True),
        ("name=seccomp,profile=/etc/docker/seccomp.json", True),
        ("name=seccomp,profile=unconfined", False),
    ],
)
def test_an_engine_that_is_told_to_filter_nothing_has_no_seccomp(option: str, is_filtering: bool) -> None:
    assert facts_of({"SecurityOptions": ["name=apparmor", option]}).has_seccomp is is_filtering
