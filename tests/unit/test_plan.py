# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a definition and what there is to what is done."""

from __future__ import annotations

from typing import Any, Callable

import pytest
from ansible_collections.berth.projects.plugins.module_utils.aspect import Site
from ansible_collections.berth.projects.plugins.module_utils.definition import HOST_STATE
from ansible_collections.berth.projects.plugins.module_utils.names import CONTRACT, aside_name
from ansible_collections.berth.projects.plugins.module_utils.plan import Plan, Policy
from ansible_collections.berth.projects.plugins.module_utils.plan_image import contract_missing, image_misfit
from ansible_collections.berth.projects.plugins.module_utils.plan_provision import check_limits
from ansible_collections.berth.projects.plugins.module_utils.planner import plan_undeclared
from ansible_collections.berth.projects.plugins.module_utils.steps import ACTIONS, VERBS, Step
from ansible_collections.berth.projects.plugins.module_utils.world import Host, Unproven, View
from ansible_collections.berth.projects.tests.unit.builders import (
    IMAGE_ENV,
    SITE,
    container_of,
    definition,
    image,
    images,
    of_unknown_scheme,
    plan,
)

Container = dict[str, Any]
HOST = Host(cpus=2, memory=4 * 1024**3, root="/var/lib/docker")
PORTS = [{"host": 1, "container": 2}]
REMOVAL = ["remove", "clean network berth-web.open"]
FULL_LIMITS = {"cpus": 2, "memory": "2g", "pids": 100}


def steps_of(found: Plan) -> list[str]:
    return [str(step) for step in found.steps]


def aspects_of(found: Plan) -> list[str]:
    return [reason.aspect for reason in found.reasons]


# State and status


@pytest.mark.parametrize(
    ("state", "status", "action", "steps"),
    [
        ("started", None, "create", ["create", "start"]),
        ("started", "created", "start", ["start"]),
        ("started", "running", "none", []),
        ("started", "restarting", "none", []),
        ("started", "paused", "start", ["unpause"]),
        ("started", "exited", "start", ["start"]),
        ("stopped", None, "create", ["create"]),
        ("stopped", "created", "none", []),
        ("stopped", "running", "stop", ["stop"]),
        ("stopped", "restarting", "stop", ["stop"]),
        ("stopped", "paused", "stop", ["stop"]),
        ("stopped", "exited", "none", []),
        ("absent", None, "none", []),
        ("absent", "created", "remove", REMOVAL),
        ("absent", "running", "remove", REMOVAL),
        ("absent", "restarting", "remove", REMOVAL),
        ("absent", "paused", "remove", REMOVAL),
        ("absent", "exited", "remove", REMOVAL),
    ],
)
def test_a_declared_state_and_a_found_status_make_an_action(
    state: str, status: str | None, action: str, steps: list[str]
) -> None:
    wanted = definition(state=state)
    found = plan(wanted, container_of(wanted, status=status) if status else None)
    assert (found.action, steps_of(found), found.error) == (action, steps, None)
    assert aspects_of(found) == (["state"] if steps else [])


@pytest.mark.parametrize("status", ["running", "restarting"])
def test_a_container_that_runs_and_was_never_ready_is_started_afresh(status: str) -> None:
    found = plan(definition(), container_of(definition(), status=status), is_ready=False)
    assert (steps_of(found), found.action, found.warnings, found.error) == (["restart"], "start", (), None)
    (reason,) = found.reasons
    assert (reason.aspect, reason.before, reason.after) == ("state", f"{status}, but never ready", "started")


def test_a_paused_container_that_was_never_ready_is_unpaused() -> None:
    assert steps_of(plan(definition(), container_of(definition(), status="paused"), is_ready=False)) == ["unpause"]


def test_a_container_that_was_never_ready_is_stopped_where_it_is_declared_so() -> None:
    found = plan(definition(state="stopped"), container_of(definition()), is_ready=False)
    assert (steps_of(found), found.reasons[0].before) == (["stop"], "running, but never ready")


def test_an_agent_at_work_is_not_cut_because_nobody_saw_its_container_ready() -> None:
    """Its record may be lost, and the line that told so may be gone with the engine's older output."""
    found = plan(definition(), container_of(definition()), is_ready=False, agents=("claude",))
    assert (steps_of(found), found.action) == ([], "none")
    assert "restart deferred: an agent is at work (claude)" in found.warnings[0]


# What waits aside


def aside(status: str = "exited", **keys: Any) -> Container:
    return drifted(lambda c: c.update(Name=f"/{aside_name('web', c['Id'])}"), status=status, **keys)


def test_an_aside_container_that_somebody_started_gets_its_name_back_and_goes_on() -> None:
    assert steps_of(plan(definition(), aside("running"))) == ["rename berth-web"]
    assert steps_of(plan(definition(state="stopped"), aside("running"))) == ["rename berth-web", "stop"]


@pytest.mark.parametrize(("state", "told"), [("started", "run berth.projects.provision first"), ("stopped", "")])
def test_a_removed_project_is_not_taken_up_again_by_starting_and_stopping(state: str, told: str) -> None:
    found = plan(definition(state=state), aside(), operation="state")
    assert (steps_of(found), told in (found.error or "")) == ([], True)
    assert bool(found.error) == bool(told)


@pytest.mark.parametrize(
    ("state", "steps", "aspects"),
    [
        ("started", ["rename berth-web", "start"], ["name", "state"]),
        ("stopped", ["rename berth-web"], ["name"]),
        ("absent", REMOVAL, ["state"]),
    ],
)
def test_what_waits_aside_is_taken_up_again_or_removed(state: str, steps: list[str], aspects: list[str]) -> None:
    found = plan(definition(state=state), aside())
    assert (steps_of(found), aspects_of(found), found.error) == (steps, aspects, None)


def test_what_waits_aside_of_an_undeclared_project_is_removed_as_what_does_not() -> None:
    assert steps_of(plan_undeclared("web", View(container=aside()), Policy())) == ["remove"]


@pytest.mark.parametrize(
    ("is_blank", "clearing", "aspect"),
    [(True, "clean berth-web", "left over"), (False, "set-aside berth-web", "name")],
    ids=["never ready", "was ready"],
)
@pytest.mark.parametrize(
    ("keys", "steps"),
    [
        ({}, ["rename berth-web", "start"]),
        ({"state": "stopped"}, ["rename berth-web"]),
        ({"restart": "no"}, ["rename berth-web", "update restart", "start"]),
        ({"env": {"A": "b"}}, ["rename berth-web", "replace"]),
    ],
)
def test_what_an_interrupted_run_left_makes_way_first(
    keys: dict[str, Any], steps: list[str], is_blank: bool, clearing: str, aspect: str
) -> None:
    left = container_of(definition(), status="created", container_id="f" * 64)
    found = plan(definition(**keys), aside(), unproven=Unproven(left, is_blank))
    assert (steps_of(found), found.error) == ([clearing, *steps], None)
    assert aspect in aspects_of(found)


@pytest.mark.parametrize("status", ["dead", "removing"])
@pytest.mark.parametrize("state", ["started", "stopped"])
def test_a_container_that_the_engine_gave_up_is_an_error_with_the_way_out(state: str, status: str) -> None:
    wanted = definition(state=state)
    found = plan(wanted, container_of(wanted, status=status))
    assert found.steps == ()
    assert found.error is not None and "docker rm -f berth-web" in found.error and status in found.error


def test_the_reason_of_a_state_tells_before_and_after() -> None:
    reason = plan(definition(state="stopped"), container_of(definition())).reasons[0]
    assert (reason.aspect, reason.before, reason.after) == ("state", "running", "stopped")


# A changed aspect

CHANGES: list[tuple[str, dict[str, Any], str]] = [
    ("image", {"image": "other:1"}, "replace"),
    ("mounts", {"workspaces": [{"path": "/srv/a"}]}, "replace"),
    ("mounts", {"mounts": [{"source": "/a", "target": "/b"}]}, "replace"),
    ("mounts", {"docker_access": True}, "replace"),
    ("ports", {"ports": [{"host": 1, "container": 2}]}, "replace"),
    ("env", {"env": {"A": "b"}}, "replace"),
    ("identity", {"timezone": "UTC"}, "replace"),
    ("identity", {"user": {"uid": 1001}}, "replace"),
    ("identity", {"healthcheck": {"interval": 5}}, "replace"),
    ("identity", {"resources": {**FULL_LIMITS, "nofile": {"soft": 1, "hard": 2}}}, "replace"),
    ("identity", {"resources": {**FULL_LIMITS, "shm_size": "1m"}}, "replace"),
    ("resources", {"resources": {**FULL_LIMITS, "cpus": 1}}, "update"),
    ("resources", {"resources": {**FULL_LIMITS, "memory": "3g"}}, "update"),
    ("resources", {"resources": {**FULL_LIMITS, "pids": 50}}, "update"),
    ("resources", {"resources": {**FULL_LIMITS, "pids": None}}, "update"),
    ("resources", {"resources": {**FULL_LIMITS, "cpus": None}}, "replace"),
    ("resources", {"resources": {**FULL_LIMITS, "memory": None}}, "replace"),
    ("resources", {"resources": None}, "replace"),
    ("restart", {"restart": "no"}, "update"),
]
BEFORE = definition(resources=FULL_LIMITS)


def changed(keys: dict[str, Any]) -> Any:
    return definition(**{"resources": FULL_LIMITS, **keys})


@pytest.mark.parametrize(("aspect", "keys", "action"), CHANGES, ids=str)
def test_a_change_takes_what_its_aspect_needs_and_no_more(aspect: str, keys: dict[str, Any], action: str) -> None:
    existing = images(image(), image("other:1", "sha256:2"))
    found = plan(changed(keys), container_of(BEFORE), existing=existing)
    assert (found.action, aspects_of(found), found.error) == (action, [aspect], None)
    assert len(found.steps) == 1


@pytest.mark.parametrize(("aspect", "keys", "action"), CHANGES, ids=str)
def test_and_taking_it_back_too(aspect: str, keys: dict[str, Any], action: str) -> None:
    undone = "update" if aspect == "resources" else action  # only lifting a limit takes a new container
    found = plan(BEFORE, container_of(changed(keys)))
    assert (found.action, aspects_of(found)) == (undone, [aspect])


@pytest.mark.parametrize("status", ["created", "exited"])
def test_a_container_that_does_not_run_is_changed_without_being_started(status: str) -> None:
    wanted = definition(state="stopped", env={"A": "b"}, restart="no")
    found = plan(wanted, container_of(definition(), status=status))
    assert steps_of(found) == ["replace"]
    live = plan(definition(state="stopped", restart="no"), container_of(definition(), status=status))
    assert steps_of(live) == ["update restart"]


def test_several_changes_are_one_replace_with_all_reasons() -> None:
    wanted = definition(env={"A": "b"}, timezone="UTC", restart="no")
    found = plan(wanted, container_of(definition()))
    assert (steps_of(found), aspects_of(found)) == (["replace"], ["env", "identity", "restart"])


def test_several_live_changes_are_one_step_each() -> None:
    wanted = definition(resources={"pids": 5}, restart="no", state="stopped")
    found = plan(wanted, container_of(definition()))
    assert steps_of(found) == ["update resources", "update restart", "stop"]
    assert found.action == "stop"


def test_a_reason_names_just_the_values_that_differ() -> None:
    ports = [{"host": 1, "container": 10}, {"host": 2, "container": 20}]
    found = plan(definition(ports=[ports[0], {"host": 2, "container": 21}]), container_of(definition(ports=ports)))
    assert found.reasons[0].before == {"127.0.0.1:2/tcp": 20}
    assert found.reasons[0].after == {"127.0.0.1:2/tcp": 21}


def test_private_values_are_told_by_a_hash() -> None:
    found = plan(definition(env={"A": "marker-new"}), container_of(definition(env={"A": "marker-old"})))
    assert "marker" not in repr(found.reasons)
    assert found.reasons[0].before["A"] != found.reasons[0].after["A"]  # type: ignore[index]


# What an update sends


@pytest.mark.parametrize(
    ("limits", "body"),
    [
        ({"cpus": 0.5}, {"NanoCpus": 500_000_000, "PidsLimit": -1}),
        ({"memory": "1g"}, {"Memory": 1024**3, "MemorySwap": 2 * 1024**3, "PidsLimit": -1}),
        ({"pids": 7}, {"PidsLimit": 7}),
    ],
)
def test_an_update_of_limits_sends_swap_along_and_lifts_pids(limits: dict[str, Any], body: dict[str, Any]) -> None:
    found = plan(definition(resources=limits), container_of(definition()))
    assert found.steps[0].body == body


def test_an_update_of_the_restart_policy_sends_only_that() -> None:
    assert plan(definition(restart="no"), container_of(definition())).steps[0].body == {"RestartPolicy": {"Name": "no"}}


# What was done behind Berth's back


def drifted(change: Callable[[Container], Any], status: str = "running", **keys: Any) -> Container:
    container = container_of(definition(**keys), status=status)
    change(container)
    return container


@pytest.mark.parametrize(
    ("change", "keys", "steps", "aspect"),
    [
        (lambda c: c["NetworkSettings"]["Networks"].clear(), {}, ["connect join berth-web.open"], "network"),
        (lambda c: c["HostConfig"]["RestartPolicy"].update(Name="always"), {}, ["update restart"], "restart"),
        (lambda c: c["HostConfig"].update(Memory=10**9), {}, ["replace"], "resources"),
        (lambda c: c["HostConfig"].update(Memory=10**9), {"resources": FULL_LIMITS}, ["update resources"], "resources"),
        (lambda c: c["HostConfig"].update(PidsLimit=5), {}, ["update resources"], "resources"),
        (lambda c: c["HostConfig"].update(CpuQuota=50_000, CpuPeriod=100_000), {}, ["replace"], "resources"),
        (lambda c: c.update(Name="/mine"), {}, ["rename berth-web"], "name"),
        (
            lambda c: c["HostConfig"].update(PortBindings={}),
            {"ports": [{"host": 1, "container": 2}]},
            ["replace"],
            "ports",
        ),
        (lambda c: c["HostConfig"]["Mounts"].pop(), {}, ["replace"], "mounts"),
        (lambda c: c["HostConfig"].update(Binds=["/etc:/host:ro"]), {}, ["replace"], "mounts"),
    ],
)
def test_drift_is_noticed_and_mended(
    change: Callable[[Container], Any], keys: dict[str, Any], steps: list[str], aspect: str
) -> None:
    found = plan(definition(**keys), drifted(change, **keys))
    assert (steps_of(found), aspects_of(found)) == (steps, [aspect])


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c["NetworkSettings"]["Networks"].update(mine={}),
        lambda c: c["HostConfig"].update(PidsLimit=0),
        lambda c: c["HostConfig"].update(PidsLimit=-1),
        lambda c: c["HostConfig"].update(RestartPolicy={"Name": "unless-stopped", "MaximumRetryCount": 3}),
        lambda c: c["Config"]["Labels"].update({"com.example": "x"}),
    ],
)
def test_what_takes_nothing_away_is_left_alone(change: Callable[[Container], Any]) -> None:
    assert plan(definition(), drifted(change)).steps == ()


def test_a_renamed_container_that_has_to_be_replaced_gets_its_name_back_first() -> None:
    container = drifted(lambda c: c.update(Name="/mine"))
    found = plan(definition(env={"A": "b"}), container)
    assert (steps_of(found), aspects_of(found)) == (["rename berth-web", "replace"], ["name", "env"])


def test_a_lost_fingerprint_of_one_aspect_replaces() -> None:
    container = drifted(lambda c: c["Config"]["Labels"].pop("berth.fingerprint.env"))
    assert aspects_of(plan(definition(), container)) == ["env"]


@pytest.mark.parametrize("state", ["started", "stopped"])
def test_a_container_of_another_state_folder_is_left_alone(state: str) -> None:
    other = Site("/home/me/.local/state/berth", "default")
    found = plan(definition(state=state, env={"A": "b"}), container_of(definition(), other), agents=("claude",))
    assert (found.steps, found.reasons, found.warnings) == ((), (), ())
    assert found.error is not None and "was made with another state folder" in found.error
    for word in [other.host_state("web"), SITE.host_state("web"), "berth_state_dir"]:
        assert word in found.error


def test_a_container_of_another_state_folder_is_removed_started_and_stopped_all_the_same() -> None:
    container = container_of(definition(), Site("/elsewhere", "default"))
    assert steps_of(plan(definition(state="absent"), container)) == REMOVAL
    assert steps_of(plan(definition(state="stopped"), container, operation="state")) == ["stop"]


def test_host_state_that_is_not_mounted_any_more_is_a_replace() -> None:
    def unmount(container: Container) -> None:
        mounts = container["HostConfig"]["Mounts"]
        mounts[:] = [mount for mount in mounts if mount["Target"] != HOST_STATE]

    assert steps_of(plan(definition(), drifted(unmount))) == ["replace"]


# Fingerprints of an unknown scheme


@pytest.mark.parametrize("version", [None, "", "0", "2", "1.0"])
@pytest.mark.parametrize(("aspect", "keys", "action"), CHANGES, ids=str)
def test_under_an_unknown_scheme_the_container_itself_is_compared(
    aspect: str, keys: dict[str, Any], action: str, version: str | None
) -> None:
    existing = images(image(), image("other:1", "sha256:2"))
    container = of_unknown_scheme(container_of(BEFORE), version)
    assert plan(BEFORE, container).action == "none"
    found = plan(changed(keys), container, existing=existing)
    assert (found.action, aspects_of(found)) == (action, [aspect])


def test_under_an_unknown_scheme_a_variable_that_was_taken_out_is_noticed() -> None:
    container = of_unknown_scheme(container_of(definition(env={"A": "b"})))
    reason = plan(definition(), container).reasons[0]
    assert (reason.aspect, sorted(reason.before)) == ("env", ["A"])


def test_under_an_unknown_scheme_a_variable_as_the_image_sets_it_is_the_users_where_declared() -> None:
    key, _equals, value = IMAGE_ENV[1].partition("=")
    wanted = definition(env={key: value})
    assert plan(wanted, of_unknown_scheme(container_of(wanted))).action == "none"


# Images


def test_a_missing_base_image_says_who_builds_it() -> None:
    found = plan(definition(), None, existing=images(image("other:1")))
    assert found.error is not None and "berth-base:latest" in found.error and "berth.projects.image" in found.error
    assert (found.steps, found.action) == ((), "none")


def test_a_base_image_that_is_coming_may_be_missing() -> None:
    coming = frozenset({"berth-base:latest"})
    found = plan(definition(), None, existing=images(image("other:1")), coming=coming)
    assert (steps_of(found), found.error) == (["create", "start"], None)


def test_any_other_missing_image_is_pulled_first() -> None:
    found = plan(definition(image="registry.example/tool"), None)
    assert steps_of(found) == ["pull registry.example/tool:latest", "create", "start"]
    replaced = plan(definition(image="registry.example/tool"), container_of(definition()))
    image_reference = "registry.example/tool:latest"
    assert steps_of(replaced) == [f"pull {image_reference}", f"replace from {image_reference}"]


@pytest.mark.parametrize("contract", [None, "0", "2", ""])
@pytest.mark.parametrize("container", [None, container_of(definition(image="old:1"))], ids=["new", "replaced"])
def test_an_image_without_the_contract_is_refused(container: Container | None, contract: str | None) -> None:
    found = plan(definition(), container, existing=images(image(contract=contract)))
    assert found.error is not None
    assert "berth-base:latest" in found.error and "berth.contract=1" in found.error
    assert found.steps == ()


def shown(volumes: Any = None, contract: str | None = "1") -> dict[str, Any]:
    """An answer of ``GET /images/{name}/json``."""
    return {"Config": {"Labels": {CONTRACT: contract} if contract else None, "Volumes": volumes}}


@pytest.mark.parametrize("volumes", [None, {}, {"/data": {}}, {"/data": {}, HOST_STATE: {}}])
def test_an_image_fits_where_something_is_mounted_on_each_of_its_volumes(volumes: Any) -> None:
    wanted = definition(mounts=[{"source": "/srv/data", "target": "/data"}])
    assert image_misfit(shown(volumes), wanted.image, wanted, SITE) is None


def test_an_image_whose_volumes_would_be_lost_is_refused_and_they_are_named() -> None:
    wanted = definition(mounts=[{"source": "/srv/data", "target": "/data"}])
    misfit = image_misfit(shown({"/b": {}, "/data": {}, "/a": {}}), "berth/web:1", wanted, SITE)
    assert misfit is not None and "berth/web:1" in misfit and "(/a, /b)" in misfit


@pytest.mark.parametrize("found", [{}, {"Config": None}, shown(contract=None), shown(contract="2")])
def test_an_image_that_is_not_made_for_berth_is_refused(found: dict[str, Any]) -> None:
    assert image_misfit(found, "tool:1", definition(), SITE) == contract_missing("tool:1")


def test_an_unchanged_container_needs_no_image() -> None:
    found = plan(definition(), container_of(definition()), existing=images(image("other:1")))
    assert (found.action, found.error, found.warnings) == ("none", None, ())


def test_a_newer_image_of_the_same_reference_is_a_warning_and_no_more() -> None:
    found = plan(definition(), container_of(definition()), existing=images(image(image_id="sha256:new")))
    assert (found.action, found.reasons) == ("none", ())
    assert len(found.warnings) == 1 and found.warnings[0].startswith("base outdated: berth-base:latest")


def test_a_replaced_container_goes_on_with_the_image_that_it_began_with_and_is_still_told_of_the_newer() -> None:
    existing = images(image(image_id="sha256:new"))
    found = plan(definition(timezone="UTC"), container_of(definition()), existing=existing)
    assert steps_of(found) == ["replace"] and not found.steps[0].is_fresh
    assert len(found.warnings) == 1 and found.warnings[0].startswith("base outdated: berth-base:latest")


# What is not ours


@pytest.mark.parametrize("state", ["started", "stopped", "absent"])
def test_a_foreign_container_under_our_name_is_an_error_and_nothing_is_done(state: str) -> None:
    found = plan(definition(state=state), None, clash="It is not ours.")
    assert (found.error, found.steps, found.action) == ("It is not ours.", (), "none")


# Starting and stopping only


@pytest.mark.parametrize(
    ("state", "status", "steps"),
    [
        ("started", "running", []),
        ("started", "exited", ["start"]),
        ("started", "paused", ["unpause"]),
        ("stopped", "running", ["stop"]),
        ("stopped", "exited", []),
    ],
)
def test_only_the_state_is_seen_to_where_only_that_is_asked_for(state: str, status: str, steps: list[str]) -> None:
    wanted = definition(state=state, env={"A": "b"}, restart="no", image="elsewhere:1")
    found = plan(wanted, container_of(definition(), status=status), operation="state")
    assert (steps_of(found), found.error) == (steps, None)


@pytest.mark.parametrize(
    ("state", "status", "steps"), [("started", "exited", ["start"]), ("stopped", "running", ["stop"])]
)
def test_starting_and_stopping_replaces_nothing_though_image_changes_are_to_be_applied(
    state: str, status: str, steps: list[str]
) -> None:
    newer = images(image(image_id="sha256:new"))
    container = container_of(definition(), status=status)
    found = plan(definition(state=state), container, existing=newer, operation="state", apply_images=True)
    assert steps_of(found) == steps


def test_a_container_that_was_never_made_cannot_be_started() -> None:
    found = plan(definition(), None, operation="state")
    assert found.error is not None and "berth-web" in found.error and "berth.projects.provision" in found.error


@pytest.mark.parametrize(
    "state",
    [
        "stopped",
        "absent",
    ],
)
def test_a_container_that_was_never_made_is_stopped_already(state: str) -> None:
    found = plan(definition(state=state), None, operation="state")
    assert (found.error, found.steps, found.reasons, found.action) == (None, (), (), "none")


def test_nothing_is_removed_where_only_the_state_is_asked_for() -> None:
    assert plan(definition(state="absent"), container_of(definition()), operation="state").steps == ()


# Agents at work

BUSY = ("claude",)
CUTTING = [definition(env={"A": "b"}), definition(state="stopped"), definition(state="absent")]


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        (definition(env={"A": "b"}), []),
        (definition(env={"A": "b"}, restart="no"), ["update restart"]),
        (definition(env={"A": "b"}, state="stopped"), []),
        (definition(state="stopped"), []),
        (definition(state="stopped", restart="no"), ["update restart"]),
        (definition(state="absent"), []),
    ],
)
def test_what_would_cut_an_agent_waits_and_the_rest_is_done(wanted: Any, kept: list[str]) -> None:
    found = plan(wanted, container_of(definition()), agents=BUSY)
    assert steps_of(found) == kept
    assert len(found.warnings) == 1
    assert "deferred: an agent is at work (claude)" in found.warnings[0]
    assert "berth_when_busy=force" in found.warnings[0]


@pytest.mark.parametrize(
    "wanted", [definition(env={"A": "b"}), definition(state="stopped"), definition(state="absent")]
)
def test_what_waits_is_among_the_reasons(wanted: Any) -> None:
    at_work = plan(wanted, container_of(definition()), agents=BUSY)
    idle = plan(wanted, container_of(definition()))
    assert aspects_of(at_work) == aspects_of(idle)


def test_lifting_a_limit_waits_for_the_agent() -> None:
    wanted = definition(resources={"pids": 5})
    before = definition(resources={"memory": "1g"})
    found = plan(wanted, container_of(before), agents=BUSY)
    assert (steps_of(found), aspects_of(found)) == ([], ["resources"])


@pytest.mark.parametrize(
    "wanted", [definition(env={"A": "b"}), definition(state="stopped"), definition(state="absent")]
)
def test_force_does_not_wait(wanted: Any) -> None:
    container = container_of(definition())
    assert plan(wanted, container, agents=BUSY, force=True) == plan(wanted, container)


def test_a_container_that_waits_for_its_replacement_is_not_started_afresh_meanwhile() -> None:
    found = plan(definition(env={"A": "b"}), container_of(definition()), is_ready=False, agents=BUSY)
    assert (steps_of(found), aspects_of(found), len(found.warnings)) == ([], ["env"], 1)


@pytest.mark.parametrize(("state", "steps"), [("started", ["unpause"]), ("stopped", [])])
def test_a_paused_container_that_waits_goes_on_only_where_it_is_declared_started(state: str, steps: list[str]) -> None:
    paused = container_of(definition(), status="paused")
    found = plan(definition(state=state, env={"A": "b"}), paused, agents=BUSY)
    assert (steps_of(found), len(found.warnings)) == (steps, 1)


def test_live_changes_do_not_wait() -> None:
    found = plan(definition(restart="no"), container_of(definition()), agents=BUSY)
    assert (steps_of(found), found.warnings) == (["update restart"], ())


def test_a_rename_does_not_wait() -> None:
    found = plan(definition(env={"A": "b"}), drifted(lambda c: c.update(Name="/mine")), agents=BUSY)
    assert steps_of(found) == ["rename berth-web"]


def test_an_image_that_cannot_be_used_is_told_once_the_agent_is_idle() -> None:
    found = plan(definition(image="none:1"), container_of(definition()), agents=BUSY)
    assert (found.steps, found.error) == ((), None)


# Removal of what is not declared


def test_prune_removes_and_says_why() -> None:
    found = plan_undeclared("old", View(container=container_of(definition())), Policy())
    assert (steps_of(found), found.reasons[0].before, found.reasons[0].after) == (["remove"], "running", "not declared")


def test_prune_waits_for_an_agent_too() -> None:
    view = View(container=container_of(definition()), agents=BUSY)
    assert plan_undeclared("old", view, Policy()).steps == ()
    assert steps_of(plan_undeclared("old", view, Policy(force=True))) == ["remove"]


# What the host can give


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"resources": {"cpus": 2.5}}, ["resources.cpus is 2.5", "this host has 2", "from 0.01 to 2"]),
        ({"resources": {"memory": "8g"}}, ["resources.memory is 8192 MiB", "this host has 4096 MiB"]),
        ({"workspaces": [{"path": "/var/lib/docker"}]}, ["/var/lib/docker covers or is in the engine's own folder"]),
        ({"mounts": [{"source": "/var/lib/docker/volumes/x", "target": "/x"}]}, ["/var/lib/docker/volumes/x"]),
        ({"workspaces": [{"path": "//var/lib/docker/x"}]}, ["the engine's own folder"]),
        ({"workspaces": [{"path": "/var/lib", "name": "x"}]}, ["the engine's own folder"]),
    ],
)
def test_what_the_host_cannot_give_is_refused_before_anything_is_done(keys: dict[str, Any], words: list[str]) -> None:
    found = check_limits(Plan("web", (Step("create"),)), definition(**keys), SITE, HOST)
    assert found.error is not None and found.steps == ()
    for word in words:
        assert word in found.error


@pytest.mark.parametrize(
    "keys",
    [
        {"workspaces": [{"path": SITE.state_dir}]},
        {"workspaces": [{"path": f"{SITE.state_dir}/projects/api"}]},
        {"mounts": [{"source": f"{SITE.state_dir}/records", "target": "/x"}]},
    ],
)
def test_berths_own_state_folder_is_refused_where_the_host_alone_knows_it(keys: dict[str, Any]) -> None:
    found = check_limits(Plan("web", (Step("create"),)), definition(**keys), SITE, HOST)
    assert found.error is not None and found.steps == ()
    assert SITE.state_dir in found.error


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"resources": {"cpus": 2, "memory": "4g"}},
        {"workspaces": [{"path": "/var/lib/docker-src"}]},
        {"mounts": [{"type": "volume", "source": "v", "target": "/var/lib/docker"}]},
    ],
)
def test_what_the_host_can_give_is_let_through(keys: dict[str, Any]) -> None:
    wanted = Plan("web", (Step("create"),))
    assert check_limits(wanted, definition(**keys), SITE, HOST) == wanted


# Plans


def test_every_step_has_an_action_of_the_published_order() -> None:
    assert {verb.action for verb in VERBS.values()} <= set(ACTIONS)
    assert ACTIONS == ("none", "sync", "update", "start", "stop", "create", "replace", "remove")


@pytest.mark.parametrize(
    ("verbs", "action"),
    [
        ([], "none"),
        (["pull"], "none"),
        (["update", "start"], "start"),
        (["rename", "update", "stop"], "stop"),
        (["create", "start"], "create"),
        (["rename", "replace"], "replace"),
    ],
)
def test_the_strongest_step_names_the_plan(verbs: list[str], action: str) -> None:
    assert Plan("web", tuple(Step(verb) for verb in verbs)).action == action


@pytest.mark.parametrize(
    ("verbs", "making"),
    [
        ([], None),
        (["create"], "create"),
        (["pull", "create", "start"], "create"),
        (["erase", "create", "start"], "create"),
        (["set-aside", "rename", "replace"], "replace"),
        (["set-aside", "rename", "update", "start"], None),
        (["remove"], None),
    ],
)
def test_a_plan_makes_a_container_where_a_step_does(verbs: list[str], making: str | None) -> None:
    step = Plan("web", tuple(Step(verb) for verb in verbs)).making
    assert (step.verb if step else None) == making


def test_a_step_of_no_known_verb_means_nothing() -> None:
    with pytest.raises(KeyError):
        assert Step("dance").means


@pytest.mark.parametrize(
    ("verb", "cuts", "is_measured"),
    [
        ("pull", False, False),
        ("build", False, False),
        ("clean", False, False),
        ("tag", False, False),
        ("forget", False, False),
        ("erase", True, False),
        ("set-aside", False, False),
        ("rename", False, False),
        ("update", False, True),
        ("connect", False, False),
        ("network", False, False),
        ("rejoin", False, False),
        ("proxy", False, False),
        ("unpause", False, False),
        ("start", False, False),
        ("restart", True, False),
        ("stop", True, False),
        ("create", False, True),
        ("replace", True, True),
        ("remove", True, False),
        ("sync", False, False),
        ("take-over", False, False),
    ],
)
def test_a_plan_cuts_and_is_measured_as_its_steps_are(verb: str, cuts: bool, is_measured: bool) -> None:
    found = Plan("web", (Step("pull"), Step(verb)))
    assert (found.cuts, found.is_measured) == (cuts, is_measured)
    assert not (Plan("web").cuts or Plan("web").is_measured)


def test_every_verb_is_in_that_table() -> None:
    marks = test_a_plan_cuts_and_is_measured_as_its_steps_are.pytestmark  # type: ignore[attr-defined]
    assert sorted(row[0] for row in marks[0].args[1]) == sorted(VERBS)
