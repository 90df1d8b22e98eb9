# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of a run for people."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.plugin_utils.host_runs import HostRun
from ansible_collections.berth.projects.plugins.plugin_utils.run_summary import LARGEST, summary_lines

SCREEN = 40  # lines


def project(name: str, action: str = "none", error: str | None = None) -> dict[str, Any]:
    return {"name": name, "action": action, "changed": action != "none" and not error, "error": error, "reasons": []}


def done(host: str, *projects: dict[str, Any], **result: Any) -> HostRun:
    changed = any(entry["changed"] for entry in projects)
    return HostRun(host).after_result({"projects": projects, "changed": changed, **result})


def lost(host: str) -> HostRun:
    return HostRun(host).after_loss(f"Failed to connect: ssh: connect to host {host}.example port 22: timed out")


@pytest.mark.parametrize(
    ("run", "status"),
    [
        (HostRun("a"), "not_begun"),
        (done("a"), "unchanged"),
        (done("a", project("x")), "unchanged"),
        (done("a", project("x", "create")), "changed"),
        (HostRun("a", is_prepared=True), "changed"),
        (done("a", project("x", "create")).after_failure("broken"), "failed"),
        (done("a").after_failure("broken").mended(), "unchanged"),
        (done("a", project("x", "create")).after_loss("gone"), "unreachable"),
    ],
)
def test_a_host_has_come_to_one_status(run: HostRun, status: str) -> None:
    assert run.status == status


def test_a_second_result_tells_of_what_the_first_was_waiting_for() -> None:
    run = done("a", needs=["engine"]).after_result({"projects": [project("x", "create")], "changed": True})
    assert (run.status, run.needs) == ("changed", ())


def test_what_matters_comes_first_and_what_is_unchanged_is_counted() -> None:
    runs = [
        done("web1", project("docs")),
        done("web2", project("docs", "create"), project("api", "create"), project("x")),
        lost("web3"),
        done("web4", project("docs", error="no folder /srv/docs"), others={"create": 1, "none": 2}).after_failure(
            "1 of 4"
        ),
        HostRun("web5").after_failure("Berth installs a Docker engine on Debian and Ubuntu only"),
        HostRun("web6"),
    ]
    assert summary_lines(runs, False) == [
        "6 hosts: 2 failed, 1 unreachable, 1 not begun, 1 changed, 1 unchanged",
        "  failed        web4  docs: no folder /srv/docs",
        "                      besides: create 1, 2 unchanged",
        "  failed        web5  Berth installs a Docker engine on Debian and Ubuntu only",
        "  unreachable   web3  Failed to connect: ssh: connect to host web3.example port 22: timed out",
        "  not begun     web6  the run ended before them",
        "  changed       web2  create api docs",
    ]


def test_check_mode_says_would() -> None:
    runs = [done("a", project("x", "replace"), project("y", "update")), HostRun("b", is_prepared=True)]
    assert summary_lines(runs, True)[1:] == [
        "  would change  a  would replace x, would update y",
        "  would change  b  would prepare the host",
    ]


def test_hundreds_of_hosts_alike_are_a_line() -> None:
    runs = [done(f"web{number:03}", project("docs", "create")) for number in range(1, 301)]
    runs += [lost(f"db{number}") for number in range(1, 4)]
    assert summary_lines(runs, False) == [
        "303 hosts: 3 unreachable, 300 changed",
        "  unreachable   db[1-3] (3)  Failed to connect: ssh: connect to host HOST port 22: timed out",
        "  changed       web[001-300] (300)  create docs",
    ]


def test_a_message_with_the_hosts_name_in_it_is_the_same_for_all() -> None:
    runs = [HostRun(f"web{n}").after_failure(f"disk of web{n} is full, and web{n}0 is another") for n in (1, 2)]
    assert summary_lines(runs, False)[1:] == [
        "  failed        web1  disk of web1 is full, and web10 is another",
        "  failed        web2  disk of web2 is full, and web20 is another",
    ]
    runs = [HostRun(f"web{n}").after_failure(f"disk of web{n} is full") for n in (1, 2)]
    assert summary_lines(runs, False)[1:] == ["  failed        web[1-2] (2)  disk of HOST is full"]


def test_hosts_that_differ_in_names_only_are_counted_once_they_are_many() -> None:
    few = [done(f"web{number}", project(f"own-{number}", "create")) for number in range(3)]
    assert len(summary_lines(few, False)) == 1 + 3
    many = [done(f"web{number}", project(f"own-{number}", "create")) for number in range(100)]
    assert summary_lines(many, False)[1:] == ["  changed       web[0-99] (100)  create 1"]


def test_what_does_not_fit_a_screen_is_counted() -> None:
    runs = [HostRun(f"web{number}").after_failure(f"reason {number * 7919}") for number in range(500)]
    lines = summary_lines(runs, False)
    assert len(lines) < SCREEN
    assert (
        lines[-1] == f"  failed        and {500 - LARGEST} hosts more, of which each is told above: web[12-499] (488)"
    )


def test_ten_hosts_that_all_failed_in_several_ways_are_a_screen() -> None:
    runs = [
        done(f"web{host}", *(project(f"p{n}-{host}", error=f"wrong {host} {n}") for n in range(9))).after_failure(
            "9 of 9"
        )
        for host in range(10)
    ]
    lines = summary_lines(runs, False)
    assert len(lines) <= 1 + 10 * 4
    assert "and 6 projects more" in lines[4]


def test_a_long_message_is_cut_and_its_lines_are_counted() -> None:
    run = HostRun("a").after_failure("x" * 1000 + "\nsecond\n\nthird\nfourth\nfifth")
    lines = summary_lines([run], False)[1:]
    assert len(lines) == 4
    assert max(len(line) for line in lines) < 230
    assert lines[-1].strip() == "and 2 lines more, told above"


def test_many_names_that_have_nothing_in_common_are_cut() -> None:
    runs = [
        HostRun(name).after_failure("broken")
        for name in ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa")
    ]
    (line,) = summary_lines(runs, False)[1:]
    assert "more (10)  broken" in line
    assert len(line) < 100
