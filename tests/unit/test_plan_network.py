# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a plan does for a project's networks and its proxy: made, mended, kept as a way back, and cleared away."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.definition import Definition
from ansible_collections.berth.projects.plugins.module_utils.lineage import Lineage
from ansible_collections.berth.projects.plugins.module_utils.names import aside_name
from ansible_collections.berth.projects.plugins.module_utils.networks import Networks
from ansible_collections.berth.projects.plugins.module_utils.plan import Plan, Policy
from ansible_collections.berth.projects.plugins.module_utils.plan_network import settle_network
from ansible_collections.berth.projects.plugins.module_utils.planner import plan_undeclared
from ansible_collections.berth.projects.plugins.module_utils.proxy_files import Applied
from ansible_collections.berth.projects.plugins.module_utils.records import Record
from ansible_collections.berth.projects.plugins.module_utils.world import Listed, Unproven, View
from ansible_collections.berth.projects.tests.unit.builders import (
    CONTAINER_ID,
    PROXY_ADDRESS,
    SETTINGS,
    SITE,
    container_of,
    definition,
    image,
    images,
    networks_for,
    plan,
    proxy_for,
    restricted,
    snapshot,
)

BUSY = ("claude",)
OPEN, NONE, RESTRICTED = definition(), definition(network={"egress": "none"}), restricted("example.com")
BY_EGRESS = {"open": OPEN, "none": NONE, "restricted": RESTRICTED}
IMAGES = images(image(), image("berth-proxy:latest", "sha256:" + "b" * 64, None))
APPLIED = Applied(SETTINGS.config, ("example.com",))
FILES = {"applied": APPLIED, "proxy_config": SETTINGS.config}

CLEAN_OPEN = ["clean network berth-web.open"]
CLEAN_RESTRICTED = ["clean berth-web.proxy", "clean network berth-web.egress", "clean network berth-web.inner"]
OLD_ID = "01d" + "0" * 61


def there(*egress: str) -> Networks:
    return Networks(networks_for(*egress), SITE.scope)


def without(*names: str) -> Networks:
    """The networks of restricted egress, but for these."""
    return Networks([entry for entry in networks_for("restricted") if entry["Name"] not in names], SITE.scope)


def of(
    wanted: Definition,
    container: Any,
    networks: Networks | None = None,
    proxy: Listed | None = None,
    files: dict[str, Any] | None = None,
    **keys: Any,
) -> Plan:
    keys.setdefault("existing", IMAGES)
    more = {**FILES, **(files or {}), "networks": (networks or Networks()).of("web"), **keys.pop("view_changes", {})}
    return plan(wanted, container, networks=networks or there(), proxy=proxy, view_changes=more, **keys)


def well(wanted: Definition, container: Any = None, **keys: Any) -> Plan:
    """The plan where a container with restricted egress, and all that it stands on, is as it should be."""
    keys.setdefault("networks", there("restricted"))
    keys.setdefault("proxy", proxy_for(RESTRICTED))
    return of(wanted, container or container_of(RESTRICTED), **keys)


def steps_of(found: Plan) -> list[str]:
    assert found.error is None
    return [str(step) for step in found.steps]


def told(found: Plan) -> list[tuple[str, Any, Any]]:
    return [(reason.aspect, reason.before, reason.after) for reason in found.reasons]


def aside(made_from: Definition, container_id: str = OLD_ID) -> dict[str, Any]:
    container = container_of(made_from, status="exited", container_id=container_id)
    return {**container, "Name": f"/{aside_name('web', container_id)}"}


def holding(container: dict[str, Any]) -> Lineage:
    one = snapshot(1, container=container["Id"], stopped_at=container["State"]["FinishedAt"])
    return Lineage((one,))


# All is well


@pytest.mark.parametrize(("state", "status"), [("started", "running"), ("stopped", "exited"), ("stopped", "created")])
def test_where_all_is_as_declared_nothing_is_planned(state: str, status: str) -> None:
    wanted = replace(RESTRICTED, state=state)
    proxy = proxy_for(RESTRICTED, status=status, health=None)
    found = well(wanted, container_of(wanted, status=status), proxy=proxy)
    assert (found.action, found.steps, found.reasons, found.error) == ("none", (), (), None)
    assert of(OPEN, container_of(OPEN), there("open")) == Plan("web")
    assert of(NONE, container_of(NONE)) == Plan("web")


# A new container


@pytest.mark.parametrize(("egress", "reasons"), [("open", []), ("none", ["none"]), ("restricted", ["restricted"])])
def test_a_creation_tells_what_the_container_reaches_where_that_is_not_all(egress: str, reasons: list[str]) -> None:
    found = of(BY_EGRESS[egress], None)
    assert steps_of(found) == ["create", "start"]
    assert told(found)[1:] == [("network", {"egress": None}, {"egress": one}) for one in reasons]


def test_a_creation_takes_berths_own_proxy_image_to_be_there() -> None:
    found = of(RESTRICTED, None, existing=images())
    assert found.steps == () and found.error is not None
    assert "no image berth-proxy:latest" in found.error and "Role berth.projects.egress builds it" in found.error
    assert steps_of(of(RESTRICTED, None, existing=images(), coming=frozenset(["berth-proxy:latest"]))) == [
        "create",
        "start",
    ]


def test_another_proxys_image_is_pulled() -> None:
    wanted = replace(RESTRICTED, proxy=replace(SETTINGS, image="mine:1", says_ready=False))
    assert steps_of(of(wanted, None)) == ["pull mine:1", "create", "start"]


def test_networks_that_a_creation_does_not_need_are_cleared_away_once_it_is_done() -> None:
    found = of(OPEN, None, there("open", "restricted"), proxy_for(RESTRICTED))
    assert steps_of(found) == ["create", "start", *CLEAN_RESTRICTED]


# Another egress


LEFT = {"open": CLEAN_OPEN, "none": [], "restricted": CLEAN_RESTRICTED}


@pytest.mark.parametrize("after", BY_EGRESS)
@pytest.mark.parametrize("before", BY_EGRESS)
def test_another_egress_replaces_the_container_and_then_clears_away_what_the_old_one_had(
    before: str, after: str
) -> None:
    proxy = proxy_for(RESTRICTED) if before == "restricted" else None
    found = of(BY_EGRESS[after], container_of(BY_EGRESS[before]), there(before), proxy)
    assert steps_of(found) == ([] if before == after else ["replace", *LEFT[before]])
    assert [reason.aspect for reason in found.reasons] == ([] if before == after else ["network"])


@pytest.mark.parametrize("after", BY_EGRESS)
@pytest.mark.parametrize("before", BY_EGRESS)
def test_a_replacement_that_is_to_be_stopped_keeps_what_its_way_back_stands_on(before: str, after: str) -> None:
    proxy = proxy_for(RESTRICTED, status="exited") if before == "restricted" else None
    wanted = replace(BY_EGRESS[after], state="stopped")
    found = of(wanted, container_of(BY_EGRESS[before], status="exited"), there(before), proxy)
    assert steps_of(found) == ([] if before == after else ["replace"])


@pytest.mark.parametrize("before", ["open", "restricted"])
@pytest.mark.parametrize("after", BY_EGRESS)
def test_an_agent_at_work_keeps_what_its_container_stands_on(before: str, after: str) -> None:
    proxy = proxy_for(RESTRICTED) if before == "restricted" else None
    found = of(BY_EGRESS[after], container_of(BY_EGRESS[before]), there(before), proxy, agents=BUSY)
    assert steps_of(found) == []
    assert before == after or "replace deferred" in found.warnings[0]


def test_what_a_failed_replacement_has_left_is_cleared_away_while_the_next_waits_for_an_agent() -> None:
    stopped = proxy_for(RESTRICTED, status="exited")
    found = of(RESTRICTED, container_of(OPEN), there("open", "restricted"), stopped, agents=BUSY)
    assert steps_of(found) == CLEAN_RESTRICTED


def test_what_a_failed_replacement_has_left_is_told_where_it_is_all_there_is_to_do() -> None:
    found = of(OPEN, container_of(OPEN), there("open", "restricted"), proxy_for(RESTRICTED))
    assert steps_of(found) == CLEAN_RESTRICTED
    assert {reason.aspect for reason in found.reasons} == {"left over"} and len(found.reasons) == 3


@pytest.mark.parametrize("egress", ["open", "none"])
def test_a_proxy_gives_up_its_ports_before_a_container_starts_that_has_no_use_for_it(egress: str) -> None:
    """It goes only after that: the container may not become ready, and the way back needs it."""
    wanted = BY_EGRESS[egress]
    old = aside(RESTRICTED)
    record = Record(OLD_ID, 1000, 1000, pending_id=CONTAINER_ID)
    keys: dict[str, Any] = {"asides": (old,), "lineage": holding(old), "view_changes": {"record": record}}
    found = of(
        wanted, container_of(wanted, status="created"), there(egress, "restricted"), proxy_for(RESTRICTED), **keys
    )
    assert steps_of(found) == ["proxy stop", "start", *CLEAN_RESTRICTED]
    stopped = proxy_for(RESTRICTED, status="exited")
    found = of(wanted, container_of(wanted, status="created"), there(egress, "restricted"), stopped, **keys)
    assert steps_of(found) == ["start", *CLEAN_RESTRICTED]


# What is missing, or not as it should be


@pytest.mark.parametrize(
    ("changes", "step", "before", "after"),
    [
        ({"proxy": None}, "make", None, "there"),
        ({"proxy": proxy_for(RESTRICTED, status="exited", health=None)}, "start", "exited", "running"),
        ({"proxy": proxy_for(RESTRICTED, status="created", health=None)}, "start", "created", "running"),
        ({"proxy": proxy_for(RESTRICTED, status="restarting", health=None)}, "start", "restarting", "running"),
        ({"proxy": proxy_for(RESTRICTED, status="paused")}, "start", "paused", "running"),
        ({"proxy": proxy_for(RESTRICTED, health="unhealthy")}, "start", "unhealthy", "running"),
        ({"files": {"applied": Applied()}}, "start", "never ready", "running"),
        ({"proxy": proxy_for(RESTRICTED, "sha256:older")}, "make", "another definition", "as declared"),
        ({"proxy": proxy_for(RESTRICTED, networks={})}, "make", "not on berth-web.inner", "as declared"),
        (
            {"proxy": proxy_for(RESTRICTED, networks={"berth-web.inner": "older", "berth-web.egress": "older"})},
            "make",
            "not on berth-web.inner",
            "as declared",
        ),
    ],
)
def test_a_proxy_that_is_not_as_it_should_be_is_mended(
    changes: dict[str, Any], step: str, before: str | None, after: str
) -> None:
    found = well(RESTRICTED, **changes)
    assert (steps_of(found), found.action) == ([f"proxy {step}"], "update")
    assert found.steps[0].body == {"is_up": True}
    assert told(found) == [("network", {"proxy": before}, {"proxy": after})]


@pytest.mark.parametrize("health", ["healthy", "starting", None])
def test_a_proxy_that_is_not_known_to_be_unhealthy_is_left_alone(health: str | None) -> None:
    assert well(RESTRICTED, proxy=proxy_for(RESTRICTED, health=health)).steps == ()


def test_other_ports_make_another_proxy_and_leave_the_container() -> None:
    wanted = restricted("example.com", ports=[{"host": 1, "container": 2}])
    assert steps_of(well(wanted)) == ["proxy make"]


@pytest.mark.parametrize(
    ("wanted", "files", "reason"),
    [
        (restricted("example.com", "a.example"), {}, ({"a.example": None}, {"a.example": "allowed"})),
        (restricted(), {}, ({"example.com": "allowed"}, {"example.com": None})),
        (
            RESTRICTED,
            {"applied": Applied("d" * 64, ("example.com",))},
            ({"configuration": "dddddddd"}, {"configuration": "cccccccc"}),
        ),
        (RESTRICTED, {"proxy_config": "d" * 64}, ({"configuration": "dddddddd"}, {"configuration": "cccccccc"})),
    ],
    ids=["more is allowed", "less is allowed", "another template", "the file was changed by hand"],
)
def test_what_a_proxy_allows_is_changed_as_it_runs(wanted: Definition, files: Any, reason: Any) -> None:
    found = well(wanted, files=files)
    assert (steps_of(found), told(found)) == (["proxy reload"], [("network", *reason)])
    assert steps_of(well(wanted, files=files, agents=BUSY)) == ["proxy reload"]


def test_what_a_stopped_proxy_allows_is_written_at_once_and_read_when_it_starts() -> None:
    """Playbook start takes the proxy as it is, and must not start it with an older list."""
    wanted, older = replace(restricted("a.example"), state="stopped"), {"proxy_config": "d" * 64}
    container, stopped = container_of(wanted, status="exited"), proxy_for(RESTRICTED, status="exited")
    found = well(wanted, container, proxy=stopped, files=older)
    assert (steps_of(found), found.action) == (["proxy configure"], "update")
    assert found.steps[0].body == {"is_up": False}
    assert told(found) == [
        ("network", {"a.example": None, "example.com": "allowed"}, {"a.example": "allowed", "example.com": None})
    ]
    assert well(wanted, container, proxy=stopped).steps == ()
    started = replace(wanted, state="started")
    assert steps_of(well(started, container, proxy=stopped)) == ["proxy start", "start"]


def test_a_proxy_that_stops_gets_its_configuration_in_the_same_run() -> None:
    found = well(replace(RESTRICTED, state="stopped"), files={"proxy_config": "d" * 64})
    assert (steps_of(found), found.steps[1].body) == (["stop", "proxy configure"], {"is_up": False})


def test_one_that_stops_and_has_to_be_made_anew_is_of_use_until_its_container_has_stopped() -> None:
    found = well(replace(RESTRICTED, state="stopped"), proxy=proxy_for(RESTRICTED, "older"))
    assert (steps_of(found), found.steps[1].body) == (["stop", "proxy make"], {"is_up": False})


@pytest.mark.parametrize(("wanted", "own"), [(OPEN, "open"), (RESTRICTED, "inner")])
@pytest.mark.parametrize("status", ["created", "exited"])
def test_a_stopped_container_whose_network_is_gone_gets_one_and_is_put_on_it(
    wanted: Definition, own: str, status: str
) -> None:
    found = of(wanted, container_of(wanted, status=status))
    names = ["open"] if wanted is OPEN else ["inner", "egress"]
    rejoin = [f"rejoin berth-web.{own}"] if status == "exited" else []
    proxy = ["proxy make"] if wanted is RESTRICTED else []
    assert steps_of(found) == [*(f"network berth-web.{name}" for name in names), *rejoin, *proxy, "start"]
    assert ("network", {f"berth-web.{own}": None}, {f"berth-web.{own}": "there"}) in told(found)


def test_a_stopped_container_that_stood_on_an_older_network_is_put_on_the_new_one() -> None:
    container = container_of(OPEN, status="exited")
    container["NetworkSettings"]["Networks"]["berth-web.open"]["NetworkID"] = "older"
    found = of(OPEN, container, there("open"))
    assert steps_of(found) == ["rejoin berth-web.open", "start"]
    assert told(found)[-1] == ("network", {"berth-web.open": "another one"}, {"berth-web.open": "connected"})


def test_the_way_out_of_a_proxy_that_is_gone_is_made_again_and_the_proxy_with_it() -> None:
    found = well(RESTRICTED, networks=without("berth-web.egress"))
    assert steps_of(found) == ["network berth-web.egress", "proxy make"]


def test_an_image_that_is_gone_is_an_error_where_a_proxy_has_to_be_made() -> None:
    found = well(RESTRICTED, proxy=None, existing=images())
    assert found.steps == () and found.error is not None and "no image berth-proxy:latest" in found.error
    wanted = replace(RESTRICTED, proxy=replace(SETTINGS, image="mine:1", says_ready=False))
    assert steps_of(well(wanted, proxy=None)) == ["pull mine:1", "proxy make"]


# What an interrupted run has left goes before what needs its ports


@pytest.mark.parametrize(("is_blank", "clearing"), [(True, "clean berth-web"), (False, "set-aside berth-web")])
def test_a_container_that_never_became_ready_goes_before_the_proxy_of_the_one_before_starts(
    is_blank: bool, clearing: str
) -> None:
    left = Unproven(container_of(OPEN, container_id="f" * 64), is_blank)
    stopped = proxy_for(RESTRICTED, status="exited")
    found = of(RESTRICTED, aside(RESTRICTED), there("restricted", "open"), stopped, unproven=left)
    assert steps_of(found) == [clearing, "rename berth-web", "proxy start", "start", *CLEAN_OPEN]


def test_an_old_container_that_was_taken_up_to_be_replaced_leaves_nothing_behind() -> None:
    left = Unproven(container_of(RESTRICTED, status="created", container_id="f" * 64), True)
    old = aside(OPEN)
    found = of(RESTRICTED, old, there("open", "restricted"), proxy_for(RESTRICTED), unproven=left, asides=(old,))
    assert steps_of(found) == ["clean berth-web", "rename berth-web", "replace", *CLEAN_OPEN]


# Starting and stopping


def test_a_proxy_stops_after_its_container_and_starts_before_it() -> None:
    stopped = replace(RESTRICTED, state="stopped")
    assert steps_of(well(stopped)) == ["stop", "proxy stop"]
    proxy = proxy_for(RESTRICTED, status="exited")
    assert steps_of(well(RESTRICTED, container_of(RESTRICTED, status="exited"), proxy=proxy)) == [
        "proxy start",
        "start",
    ]


def test_starting_and_stopping_take_the_proxy_there_is() -> None:
    bare = restricted("a.example", settings=None)
    exited, stopped = container_of(RESTRICTED, status="exited"), proxy_for(RESTRICTED, "older", status="exited")
    assert steps_of(well(bare, exited, proxy=stopped, operation="state")) == ["proxy start", "start"]
    running = proxy_for(RESTRICTED, "older")
    assert steps_of(well(replace(bare, state="stopped"), proxy=running, operation="state")) == ["stop", "proxy stop"]
    assert well(bare, proxy=running, operation="state").steps == ()


def test_starting_what_has_no_proxy_is_an_error_and_stopping_is_none() -> None:
    bare = restricted(settings=None)
    found = well(bare, container_of(RESTRICTED, status="exited"), proxy=None, operation="state")
    assert found.steps == () and found.error is not None
    assert "Its proxy berth-web.proxy is missing: run berth.projects.provision first" in found.error
    assert steps_of(well(replace(bare, state="stopped"), proxy=None, operation="state")) == ["stop"]


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ({}, []),
        ({"proxy": proxy_for(RESTRICTED, "sha256:older")}, ["proxy make"]),
        ({"proxy": proxy_for(RESTRICTED, health="unhealthy")}, ["proxy start"]),
    ],
)
def test_a_proxy_runs_as_long_as_a_stop_waits_for_an_agent(changes: dict[str, Any], steps: list[str]) -> None:
    found = well(replace(RESTRICTED, state="stopped"), agents=BUSY, **changes)
    assert steps_of(found) == steps and "stop deferred" in found.warnings[0]
    assert all(step.body == {"is_up": True} for step in found.steps)


def test_a_proxy_of_a_project_that_is_stopped_is_made_to_stay_so() -> None:
    wanted = replace(RESTRICTED, state="stopped")
    found = well(wanted, container_of(wanted, status="exited"), proxy=None)
    assert (steps_of(found), found.steps[0].body) == (["proxy make"], {"is_up": False})


# What is in the way


def clashing(**keys: Any) -> Networks:
    return Networks([{**entry, **keys} for entry in networks_for("open")], SITE.scope)


@pytest.mark.parametrize("container", [None, container_of(OPEN), container_of(OPEN, status="exited")])
def test_a_network_of_somebody_else_is_an_error_before_anything_is_done(container: Any) -> None:
    found = of(OPEN, container, clashing(Labels={}))
    assert found.steps == () and found.error is not None
    assert "There is a network berth-web.open that is not this project's" in found.error


@pytest.mark.parametrize("operation", ["provision", "state"])
def test_a_network_that_is_not_as_berth_makes_it_does_not_keep_its_project_from_stopping(operation: str) -> None:
    """Stopping is what the error asks for."""
    found = of(replace(OPEN, state="stopped"), container_of(OPEN), clashing(EnableIPv6=True), operation=operation)
    assert steps_of(found) == ["stop"]
    assert "it has IPv6" in (of(OPEN, container_of(OPEN), clashing(EnableIPv6=True), operation=operation).error or "")


def test_a_container_of_the_proxys_name_is_an_error_only_where_a_proxy_is_needed() -> None:
    clash = {"proxy_clash": "It is not ours."}
    assert of(RESTRICTED, None, view_changes=clash).error == "It is not ours."
    assert of(OPEN, None, view_changes=clash).error is None


@pytest.mark.parametrize("container", [aside(RESTRICTED), container_of(RESTRICTED), None])
def test_a_reset_erases_nothing_before_all_that_it_takes_is_there(container: Any) -> None:
    found = of(RESTRICTED, container, existing=images(), operation="reset")
    assert found.steps == () and found.error is not None and "no image berth-proxy:latest" in found.error
    assert steps_of(of(RESTRICTED, container, operation="reset")) == ["erase", "create", "start"]


# What nobody needs any more


@pytest.mark.parametrize("egress", BY_EGRESS)
def test_networks_and_proxy_go_after_a_container_that_is_removed(egress: str) -> None:
    proxy = proxy_for(RESTRICTED) if egress == "restricted" else None
    for operation, state in (("provision", "absent"), ("destroy", "started")):
        wanted = replace(BY_EGRESS[egress], state=state)
        found = of(wanted, container_of(BY_EGRESS[egress]), there(egress), proxy, operation=operation)
        assert steps_of(found) == ["remove", *LEFT[egress]]
        waiting = of(wanted, container_of(BY_EGRESS[egress]), there(egress), proxy, operation=operation, agents=BUSY)
        assert steps_of(waiting) == []


@pytest.mark.parametrize("policy", [{"operation": "reset"}, {"operation": "destroy"}, {"destroy_data": True}], ids=str)
@pytest.mark.parametrize("proxy", [None, proxy_for(RESTRICTED, "older"), proxy_for(RESTRICTED, status="exited")])
def test_what_is_to_go_is_not_mended_while_that_waits_for_an_agent(policy: Any, proxy: Listed | None) -> None:
    found = well(RESTRICTED, proxy=proxy, agents=BUSY, **{"operation": "destroy", **policy})
    assert steps_of(found) == [] and "an agent is at work" in found.warnings[0]


def test_an_undeclared_project_that_only_has_networks_or_a_proxy_left_is_cleared_away() -> None:
    networks, proxy = there("open", "restricted").of("web"), proxy_for(RESTRICTED)
    found = plan_undeclared("web", View(networks=networks, proxy=proxy), Policy())
    assert steps_of(found) == [*CLEAN_RESTRICTED, *CLEAN_OPEN]
    assert steps_of(plan_undeclared("web", View(proxy=proxy), Policy())) == CLEAN_RESTRICTED[:1]
    assert steps_of(plan_undeclared("web", View(networks=networks[2:], has_state=True), Policy())) == [
        "forget",
        *CLEAN_OPEN,
    ]


def test_what_is_kept_aside_of_an_undeclared_project_keeps_its_networks() -> None:
    view = View(
        networks=there("open", "restricted").of("web"), proxy=proxy_for(RESTRICTED), asides=(aside(RESTRICTED),)
    )
    assert steps_of(plan_undeclared("web", view, Policy())) == CLEAN_OPEN


def test_a_network_that_somebody_elses_container_is_on_stays_and_that_is_told() -> None:
    strangers = {"strangers": {"berth-web.open": "database"}}
    found = of(RESTRICTED, container_of(OPEN), there("open"), view_changes=strangers)
    assert steps_of(found) == ["replace"]
    assert "network berth-web.open is not needed any more, and stays" in found.warnings[-1]
    assert "container database is on it" in found.warnings[-1]


def test_a_plan_that_fails_does_nothing_to_networks() -> None:
    found = well(RESTRICTED, view_changes={"clash": "It is not ours."})
    assert (found.steps, found.error) == ((), "It is not ours.")


# The proxy's address


@pytest.mark.parametrize(
    ("wanted", "view", "address"),
    [
        (RESTRICTED.behind(None), View(), None),
        (RESTRICTED.behind(None), View(networks=there("restricted").of("web")), PROXY_ADDRESS),
        (RESTRICTED.behind(None), View(container_of(RESTRICTED.behind("10.213.9.18"))), "10.213.9.18"),
        (RESTRICTED.behind(None), View(container_of(RESTRICTED.behind("10.213.8.2"))), ""),
        (RESTRICTED.behind(None), View(container_of(OPEN)), None),
        (OPEN, View(container_of(RESTRICTED), networks=there("restricted").of("web")), None),
    ],
)
def test_an_address_is_that_of_the_network_or_the_one_that_the_container_knows(
    wanted: Definition, view: View, address: str | None
) -> None:
    taken = ["10.213.8.0/24", "10.213.9.0/28", "10.213.9.32/28", "192.0.2.0/24"]
    assert settle_network(wanted, view, taken).network.proxy == address


@pytest.mark.parametrize("state", ["started", "stopped"])
def test_a_container_whose_proxy_can_have_its_address_no_more_is_replaced_at_once(state: str) -> None:
    wanted = replace(RESTRICTED, state=state)
    another = Networks(networks_for("restricted", project="api"), SITE.scope)
    found = of(wanted, container_of(wanted, status="exited"), another)
    assert steps_of(found) == ["replace"]
    assert told(found)[0][1]["proxy"] == PROXY_ADDRESS and told(found)[0][2]["proxy"] == "another one"


@pytest.mark.parametrize("is_made", [False, True], ids=["before its network is made", "after that"])
def test_starting_alone_does_not_start_it(is_made: bool) -> None:
    another = networks_for("restricted", project="api")
    own = [
        {**entry, "IPAM": {"Config": [{"Subnet": f"10.213.5.{16 * number}/28"}]}}
        for number, entry in enumerate(networks_for("restricted"))
    ]
    networks = Networks([*another, *(own if is_made else [])], SITE.scope)
    exited = container_of(RESTRICTED, status="exited")
    stopped = proxy_for(RESTRICTED, status="exited")
    found = of(restricted(settings=None), exited, networks, stopped, operation="state")
    assert found.steps == () and found.error is not None and "run berth.projects.provision first" in found.error
    stopping = of(restricted(settings=None, state="stopped"), exited, networks, stopped, operation="state")
    assert stopping.error is None
