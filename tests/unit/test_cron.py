# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When scheduled tasks run: what Debian's cron takes, and nothing else."""

from __future__ import annotations

import pytest
from ansible_collections.berth.projects.plugins.plugin_utils.cron import NICKNAMES, at_problem, cron_problem


@pytest.mark.parametrize(
    "text",
    [
        "* * * * *",
        "0 9 * * 1-5",
        "*/15 0,12 1-31/2 * *",
        "59 23 31 12 7",
        "0 0 * jan sun",
        "0 0 * JAN-mar mon-Fri",
        "0 0 * jan,3,dec 0,sat",
        "  0   9\t*  * 1 ",
        "0-59/5 * * * *",
        "00 09 * * *",
        *NICKNAMES,
    ],
)
def test_what_cron_takes_is_right(text: str) -> None:
    assert cron_problem(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "* * * *",
        "* * * * * *",
        "@reboot",
        "@Daily",
        "@daily extra",
        "0 9 * *\n1-5",
    ],
)
def test_five_fields_or_a_nickname_are_asked_for(text: str) -> None:
    assert "five fields" in str(cron_problem(text))


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("60 * * * *", "minute"),
        ("-1 * * * *", "minute"),
        ("*/0 * * * *", "minute"),
        ("*/60 * * * *", "minute"),
        ("5/10 * * * *", "minute"),
        ("1, * * * *", "minute"),
        ("1.5 * * * *", "minute"),
        ("٣ * * * *", "minute"),
        ("000 * * * *", "minute"),
        ("*-5 * * * *", "minute"),
        ("0 24 * * *", "hour"),
        ("0 5-1 * * *", "hour"),
        ("0 mon * * *", "hour"),
        ("0 0 0 * *", "day of the month"),
        ("0 0 32 * *", "day of the month"),
        ("0 0 ? * *", "day of the month"),
        ("0 0 L * *", "day of the month"),
        ("0 0 * 13 *", "month"),
        ("0 0 * january *", "month"),
        ("0 0 * * 8", "day of the week"),
        ("0 0 * * fri-mon", "day of the week"),
        ("0 0 * * mon#2", "day of the week"),
    ],
)
def test_what_cron_would_refuse_or_misread_is_told_by_its_field(text: str, field: str) -> None:
    assert str(cron_problem(text)).startswith(f"the {field} must be from ")


@pytest.mark.parametrize("text", ["2026-01-31 18:00", "1999-12-31 00:00", "2028-02-29 23:59"])
def test_a_time_that_there_is_may_be_over_or_not(text: str) -> None:
    assert at_problem(text) is None


@pytest.mark.parametrize(
    "text", ["2026-02-30 18:00", "2026-01-31 24:00", "2026-1-31 18:00", "2026-01-31T18:00", "tomorrow", ""]
)
def test_a_time_that_there_is_not_is_refused(text: str) -> None:
    assert "2026-01-31 18:00" in str(at_problem(text))
