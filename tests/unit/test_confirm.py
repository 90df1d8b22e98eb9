# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run that takes data away demands before it goes on."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.plugin_utils.confirm import (
    demand_confirmed,
    demand_found,
    undeclared_problems,
)


@pytest.mark.parametrize("confirm", ["a,b", " b , a ", ["a", "b"], "a,b,c"])
def test_every_project_that_is_named_is_confirmed(confirm: Any) -> None:
    demand_confirmed("reset", ["a", "b"], confirm)


@pytest.mark.parametrize("confirm", [None, "", [], "yes", "a,c"])
def test_one_that_is_not_named_stops_the_run_with_how_to_confirm(confirm: Any) -> None:
    with pytest.raises(BerthError) as error:
        demand_confirmed("reset", ["a", "b"], confirm)
    assert error.value.msg.startswith("Nothing was changed, because reset takes away")
    assert "b. To confirm, name what it may take: -e berth_confirm=a,b" in error.value.msg


def test_a_confirmation_of_nothing_but_commas_is_told_by_its_name() -> None:
    with pytest.raises(BerthError, match="berth_confirm names no project"):
        demand_confirmed("reset", ["a"], ",")


def test_where_nothing_is_lost_nothing_is_to_be_confirmed() -> None:
    demand_confirmed("destroy", [], None)


def test_a_name_of_which_nothing_is_known_is_refused_with_the_nearest() -> None:
    demand_found(["web"], {"web"}, {"web"}, "on h")
    with pytest.raises(BerthError) as error:
        demand_found(["web", "billng"], {"web"}, {"web", "billing"}, "on h")
    assert "nothing is known on h of 'billng' (did you mean billing?)" in error.value.msg
    assert error.value.msg.startswith("Nothing was changed.")


def test_a_name_that_is_not_declared_must_be_able_to_be_one() -> None:
    assert undeclared_problems(["web", "gone"], {"web"}) == []
    (problem,) = undeclared_problems(["Web_1"], {"web"})
    assert problem.startswith("berth_only: 'Web_1' is no name of a project: it must be 1 to 41 lower-case letters")
