# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a task runs: what Debian's cron takes, and what it does not."""

from __future__ import annotations

import pytest
from ansible_collections.berth.projects.tests.unit.runtime_programs import program

berth_cron = program("berth_cron")
Problem = program("berth_files").Problem


@pytest.mark.parametrize(
    "expression",
    [
        "* * * * *",
        "*/5 0-23/2 1,15 jan-mar,Dec mon-fri",
        "59 23 31 12 7",
        "0 9 * * 1,3,5",
        "@daily",
        "@hourly",
        "0  9\t* * Sun",
    ],
)
def test_what_cron_knows_is_allowed(expression: str) -> None:
    assert berth_cron.check_cron(expression) == " ".join(expression.split())


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("* * * *", "allowed are five fields"),
        ("* * * * * root", "allowed are five fields"),
        ("@reboot", "allowed are five fields"),
        ("", "allowed are five fields"),
        ("60 * * * *", "minute is '60'; allowed are *, 0-59"),
        ("* 24 * * *", "hour is '24'"),
        ("* * 0 * *", "day of month is '0'"),
        ("* * * 13 *", "month is '13'; allowed are *, 1-12 or jan-dec"),
        ("* * * * 8", "day of week is '8'; allowed are *, 0-7 or sun-sat"),
        ("5/10 * * * *", "minute is '5/10'"),
        ("*/0 * * * *", "minute is '*/0'"),
        ("9-5 * * * *", "minute is '9-5'"),
        ("1,,2 * * * *", "minute is '1,,2'"),
        ("~ * * * *", "minute is '~'"),
        ("* * * mon *", "month is 'mon'"),
        ("* * * * % echo", "allowed are five fields"),
        ("* * * * %", "day of week is '%'"),
    ],
)
def test_what_cron_does_not_know_is_refused_and_said(expression: str, told: str) -> None:
    with pytest.raises(Problem) as caught:
        berth_cron.check_cron(expression)
    assert told in str(caught.value)


@pytest.mark.parametrize("text", ["2026-02-30 10:00", "tomorrow", "2026-01-01", "2026-01-01 24:00", "2026-01-01T10:00"])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Problem, match="allowed is YYYY-MM-DD HH:MM"):
        berth_cron.check_at(text)


def test_a_time_is_a_line_of_a_crontab() -> None:
    assert berth_cron.check_at("2026-3-01 9:05") == "2026-03-01 09:05"
    assert berth_cron.cron_of("2026-03-01 09:05") == "5 9 1 3 *"
