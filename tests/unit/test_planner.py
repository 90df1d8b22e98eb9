# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each operation does to a project that has snapshots, or is to lose them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.aspects import create_body
from ansible_collections.berth.projects.plugins.module_utils.definition import Definition
from ansible_collections.berth.projects.plugins.module_utils.lineage import Lineage, Snapshot
from ansible_collections.berth.projects.plugins.module_utils.names import aside_name, container_name
from ansible_collections.berth.projects.plugins.module_utils.networks import Networks
from ansible_collections.berth.projects.plugins.module_utils.packages import derived_reference
from ansible_collections.berth.projects.plugins.module_utils.plan import Case, Plan, Policy
from ansible_collections.berth.projects.plugins.module_utils.plan_image import source_of_snapshot
from ansible_collections.berth.projects.plugins.module_utils.planner import plan_project, plan_undeclared
from ansible_collections.berth.projects.plugins.module_utils.records import Record
from ansible_collections.berth.projects.plugins.module_utils.terms import OPERATIONS
from ansible_collections.berth.projects.plugins.module_utils.world import Unproven, View
from ansible_collections.berth.projects.tests.unit.builders import (
    CONTAINER_ID,
    IMAGE,
    IMAGE_ID,
    SITE,
    container_of,
    definition,
    image,
    images,
    inspect_answer,
    networks_for,
    of_unknown_scheme,
    plan,
    snapshot,
)

BUSY = ("claude",)
OPEN = Networks(networks_for("open"), SITE.scope)
REMOVAL = ["remove", "clean network berth-web.open"]
NEWER = images(image(image_id="sha256:newer"))
OTHER = images(image(), image("other:1", "sha256:07e4"))
PART = "sha256:" + "9" * 64
UPGRADE = {"operation": "upgrade", "apply_images": True}


def steps_of(found: Plan) -> list[str]:
    return [str(step) for step in found.steps]


def aspects_of(found: Plan) -> list[str]:
    return [reason.aspect for reason in found.reasons]


def made_from(
    one: Snapshot, wanted: Definition | None = None, status: str = "running", container_id: str = CONTAINER_ID
) -> dict[str, Any]:
    """What inspect shows of a container that was made from a snapshot: it has inherited its labels."""
    body = create_body(wanted or definition(), SITE, source_of_snapshot(one))
    shown = inspect_answer(body, container_name(one.project), status, one.id, container_id)
    inherited = {
        "berth.snapshot.project": one.project,
        "berth.snapshot.base": one.base,
        "berth.snapshot.base_id": one.base_id,
        **({"berth.snapshot.packages": one.packages} if one.packages else {}),
    }
    shown["Config"]["Labels"] = {**inherited, **shown["Config"]["Labels"]}
    return shown


def latest(number: int, **changes: Any) -> Snapshot:
    one = snapshot(number, **changes)
    return snapshot(number, **{**changes, "tags": (*one.tags, "berth/web:latest")})


def aside(container_id: str = "a51de" + "0" * 59) -> dict[str, Any]:
    """Another container of the project, that ended and waits aside."""
    container = container_of(definition(), status="exited", container_id=container_id)
    return {**container, "Name": f"/{aside_name('web', container_id)}"}


def holder(container: dict[str, Any], number: int = 1) -> Snapshot:
    """A snapshot that holds all that is in a container."""
    return latest(number, container=container["Id"], stopped_at=container["State"]["FinishedAt"])


ONE = latest(1)
LINEAGE = Lineage((ONE,))


# Making a container where there are snapshots


def test_a_project_without_a_container_goes_on_from_its_latest_snapshot() -> None:
    found = plan(definition(), None, lineage=Lineage((snapshot(2), ONE)))
    assert steps_of(found) == [f"create from {ONE.reference}", "start"]
    assert found.steps[0].source == source_of_snapshot(ONE)
    assert (found.warnings, found.error) == ((), None)


def test_to_go_on_from_a_snapshot_takes_no_image_but_that() -> None:
    found = plan(definition(), None, lineage=LINEAGE, existing=images(image("other:1")))
    assert (steps_of(found)[0], found.error) == (f"create from {ONE.reference}", None)


@pytest.mark.parametrize(
    ("keys", "what"),
    [({"image": "other:1"}, "image"), ({"packages": {"apt": ["jq"]}}, "packages")],
)
def test_a_project_goes_on_from_its_snapshot_also_where_its_image_was_changed_and_that_is_told(
    keys: dict[str, Any], what: str
) -> None:
    found = plan(definition(**keys), None, lineage=LINEAGE, existing=OTHER)
    assert steps_of(found)[0] == f"create from {ONE.reference}"
    (warning,) = found.warnings
    assert warning.startswith(f"{what} change pending") and "playbook upgrade" in warning


def test_a_changed_image_is_applied_to_a_new_container_where_that_is_asked_for() -> None:
    found = plan(definition(image="other:1"), None, lineage=LINEAGE, existing=OTHER, apply_images=True)
    assert (steps_of(found), found.warnings) == (["create", "start"], ())
    assert found.steps[0].is_fresh


def test_an_unchanged_image_is_no_reason_to_leave_the_snapshot() -> None:
    found = plan(definition(), None, lineage=LINEAGE, apply_images=True)
    assert steps_of(found)[0] == f"create from {ONE.reference}"


def test_an_image_that_has_become_another_is_applied_to_a_new_container_where_that_is_asked_for() -> None:
    newer = images(image(image_id="sha256:new"))
    found = plan(definition(), None, lineage=LINEAGE, existing=newer, apply_images=True)
    assert (steps_of(found), found.steps[0].is_fresh, found.warnings) == (["create", "start"], True, ())


def test_an_image_that_has_become_another_is_told_where_a_new_container_goes_on_from_a_snapshot() -> None:
    newer = images(image(image_id="sha256:new"))
    found = plan(definition(), None, lineage=LINEAGE, existing=newer)
    assert steps_of(found)[0] == f"create from {ONE.reference}"
    (warning,) = found.warnings
    assert warning.startswith("base outdated: berth-base:latest has become another image")


# A project whose image is a snapshot of another

OTHERS = snapshot(1, project="api")
AS_IMAGE = OTHERS.reference


def made_from_others(**keys: Any) -> dict[str, Any]:
    shown = container_of(definition(image=AS_IMAGE, **keys), image_id=OTHERS.id)
    inherited = {
        "berth.snapshot.project": "api",
        "berth.snapshot.base": OTHERS.base,
        "berth.snapshot.base_id": OTHERS.base_id,
    }
    shown["Config"]["Labels"] = {**inherited, **shown["Config"]["Labels"]}
    return shown


def test_a_container_made_from_another_projects_snapshot_is_as_declared() -> None:
    existing = images(image(), image(AS_IMAGE, OTHERS.id))
    found = plan(definition(image=AS_IMAGE), made_from_others(), existing=existing)
    assert (steps_of(found), found.warnings) == ([], ())
    assert plan(definition(image=AS_IMAGE), of_unknown_scheme(made_from_others()), existing=existing).steps == ()


def test_a_changed_image_is_applied_to_a_container_made_from_another_projects_snapshot() -> None:
    found = plan(definition(image="other:1"), made_from_others(), existing=OTHER)
    assert (steps_of(found), found.warnings) == (["replace from other:1"], ())


def test_a_newer_snapshot_of_another_project_under_the_same_name_is_told() -> None:
    existing = images(image(), image(AS_IMAGE, "sha256:newer"))
    found = plan(definition(image=AS_IMAGE), made_from_others(), existing=existing)
    assert found.warnings[0].startswith(f"base outdated: {AS_IMAGE}")


# Replacing a container that was made from a snapshot


def test_a_container_made_from_a_snapshot_is_as_declared() -> None:
    found = plan(definition(), made_from(ONE), lineage=LINEAGE)
    assert (steps_of(found), found.warnings) == ([], ())


def test_packages_of_the_root_are_as_declared_however_many_snapshots_lie_on_it() -> None:
    one = latest(1, packages='{"apt":["jq"],"npm":[],"pip":[]}')
    found = plan(definition(packages={"apt": ["jq"]}), made_from(one), lineage=Lineage((one,)))
    assert (steps_of(found), found.warnings) == ([], ())


def test_a_replace_goes_on_from_the_container_as_it_is() -> None:
    found = plan(definition(env={"A": "b"}), made_from(ONE), lineage=LINEAGE)
    assert steps_of(found) == ["replace"]
    assert (found.steps[0].source, found.steps[0].is_fresh) == (None, False)


WITHOUT = {"snapshot": {"on_replace": False}, "env": {"A": "b"}}


def test_a_replace_without_a_snapshot_goes_on_from_the_one_the_container_was_made_from() -> None:
    found = plan(definition(**WITHOUT), made_from(ONE), lineage=Lineage((latest(2, container=CONTAINER_ID), ONE)))
    assert steps_of(found) == [f"replace from {ONE.reference}"]
    assert found.steps[0].source == source_of_snapshot(ONE)


def test_a_replace_without_a_snapshot_goes_on_from_the_latest_where_that_one_is_gone() -> None:
    two = latest(2)
    found = plan(definition(**WITHOUT), made_from(ONE), lineage=Lineage((two,)))
    assert steps_of(found) == [f"replace from {two.reference}"]


def test_a_replace_takes_a_snapshot_all_the_same_where_there_is_none_to_go_on_from() -> None:
    found = plan(definition(**WITHOUT), made_from(ONE))
    assert steps_of(found) == ["replace"] and found.steps[0].source is None


def test_a_replace_without_a_snapshot_is_of_the_declared_image_where_there_was_no_lineage() -> None:
    found = plan(definition(**WITHOUT), container_of(definition()))
    assert steps_of(found) == ["replace"] and found.steps[0].is_fresh


def test_a_replace_of_the_declared_image_is_not_told_to_be_outdated() -> None:
    found = plan(definition(**WITHOUT), container_of(definition()), existing=NEWER)
    assert found.steps[0].is_fresh and found.warnings == ()


# A changed image

PENDING = [
    ({"image": "other:1"}, "image", "reference"),
    ({"packages": {"apt": ["jq"]}}, "packages", "packages.apt"),
]


@pytest.mark.parametrize(("keys", "what", "key"), PENDING)
def test_a_changed_image_of_a_lineage_is_reported_and_left_pending(keys: dict[str, Any], what: str, key: str) -> None:
    found = plan(definition(**keys), made_from(ONE), lineage=LINEAGE, existing=OTHER)
    assert (steps_of(found), found.action, aspects_of(found)) == ([], "none", ["image"])
    (warning,) = found.warnings
    assert warning.startswith(f"{what} change pending")
    assert sorted(found.reasons[0].after) == [key]


@pytest.mark.parametrize(("keys", "what", "key"), PENDING)
def test_what_else_was_changed_is_done_while_an_image_is_pending(keys: dict[str, Any], what: str, key: str) -> None:
    found = plan(definition(**keys, env={"A": "b"}), made_from(ONE), lineage=LINEAGE, existing=OTHER)
    assert steps_of(found) == ["replace"] and not found.steps[0].is_fresh
    assert sorted(aspects_of(found)) == ["env", "image"]


@pytest.mark.parametrize("policy", [{"apply_images": True}, UPGRADE])
def test_a_changed_image_is_applied_where_that_is_asked_for(policy: dict[str, Any]) -> None:
    found = plan(definition(image="other:1"), made_from(ONE), lineage=LINEAGE, existing=OTHER, **policy)
    assert (steps_of(found), found.warnings) == (["replace from other:1"], ())
    assert found.steps[0].is_fresh and aspects_of(found) == ["image"]


def test_a_changed_image_of_a_container_without_a_lineage_is_applied_at_once() -> None:
    found = plan(definition(image="other:1"), container_of(definition()), existing=OTHER)
    assert (steps_of(found), found.warnings) == (["replace from other:1"], ())


def test_changed_packages_are_built_before_the_container_is_replaced() -> None:
    wanted = definition(packages={"apt": ["jq"]})
    found = plan(wanted, container_of(definition()))
    built = derived_reference(IMAGE, IMAGE_ID, wanted.packages)
    assert steps_of(found) == [f"build {built}", f"replace from {IMAGE}"]


def test_packages_that_another_project_has_had_built_are_not_built_again() -> None:
    wanted = definition(packages={"apt": ["jq"]})
    existing = images(image(), image(derived_reference(IMAGE, IMAGE_ID, wanted.packages), "sha256:de"))
    assert steps_of(plan(wanted, container_of(definition()), existing=existing)) == [f"replace from {IMAGE}"]


def test_packages_are_built_on_an_image_that_is_yet_to_come() -> None:
    wanted = definition(packages={"apt": ["jq"]})
    found = plan(wanted, None, existing=images(image("other:1")), coming=frozenset({IMAGE}))
    assert steps_of(found) == [f"build berth-packages on {IMAGE}", "create", "start"]


def test_an_image_that_cannot_be_used_stops_an_upgrade() -> None:
    found = plan(
        definition(image="other:1"), made_from(ONE), existing=images(image("other:1", contract=None)), **UPGRADE
    )
    assert found.steps == () and "berth.contract=1" in (found.error or "")


# Upgrade


def test_an_upgrade_rebases_onto_a_newer_image_of_the_same_reference() -> None:
    found = plan(definition(), made_from(ONE), lineage=LINEAGE, existing=NEWER, **UPGRADE)
    assert (steps_of(found), found.warnings) == ([f"replace from {IMAGE}"], ())
    assert found.steps[0].is_fresh
    (reason,) = found.reasons
    assert (reason.aspect, reason.before, reason.after) == ("image", {"id": "1" * 12}, {"id": "newer"})


def test_an_upgrade_leaves_a_project_on_the_declared_image_as_it_is() -> None:
    assert plan(definition(), made_from(ONE), lineage=LINEAGE, **UPGRADE) == Plan("web")


def test_an_upgrade_that_has_nothing_to_upgrade_finishes_what_one_that_was_cut_off_has_left() -> None:
    left = aside()
    one = holder(left)
    keys = {"lineage": Lineage((one,), (PART,)), "asides": (left,)}
    found = plan(definition(), made_from(one), **keys, **UPGRADE)
    assert steps_of(found) == [f"clean {left['Name'][1:]}", "clean image 999999999999"]
    assert aspects_of(found) == ["left over"] * 2


def test_an_upgrade_that_has_nothing_to_upgrade_leaves_other_changes_alone() -> None:
    found = plan(definition(env={"A": "b"}, state="stopped"), made_from(ONE), lineage=LINEAGE, **UPGRADE)
    assert found.steps == ()


def test_an_upgrade_is_only_for_what_has_another_image() -> None:
    assert plan(definition(env={"A": "b"}), made_from(ONE), lineage=LINEAGE, **UPGRADE) == Plan("web")


def test_an_upgrade_makes_the_rest_as_declared_along_with_the_image() -> None:
    found = plan(definition(env={"A": "b"}), made_from(ONE), lineage=LINEAGE, existing=NEWER, **UPGRADE)
    assert steps_of(found) == [f"replace from {IMAGE}"] and sorted(aspects_of(found)) == ["env", "image"]


@pytest.mark.parametrize("container", [None, made_from(ONE)], ids=["without a container", "absent"])
def test_an_upgrade_makes_no_container_and_removes_none(container: Any) -> None:
    wanted = definition(state="absent" if container else "started", image="other:1")
    assert plan(wanted, container, lineage=LINEAGE, existing=OTHER, **UPGRADE) == Plan("web")


def test_an_upgrade_waits_for_an_agent() -> None:
    found = plan(definition(), made_from(ONE), lineage=LINEAGE, existing=NEWER, agents=BUSY, **UPGRADE)
    assert steps_of(found) == []
    assert any("replace deferred: an agent is at work" in warning for warning in found.warnings)


# Restore


def restored(container: Any, *, name: str = "latest", lineage: Lineage = LINEAGE, **keys: Any) -> Plan:
    wanted = keys.pop("wanted", definition())
    return plan(wanted, container, lineage=lineage, operation="restore", snapshot=name, **keys)


def test_a_restore_replaces_the_container_by_one_from_the_snapshot() -> None:
    older = snapshot(1)
    found = restored(made_from(latest(2)), name=older.tag, lineage=Lineage((latest(2), older)))
    assert steps_of(found) == [f"replace from {older.reference}"]
    assert found.steps[0].source == source_of_snapshot(older)
    assert found.reasons[-1].after == older.reference


@pytest.mark.parametrize("name", ["latest", ONE.tag, ONE.reference])
def test_a_snapshot_to_restore_is_named_in_any_way(name: str) -> None:
    assert steps_of(restored(container_of(definition()), name=name))[0] == f"replace from {ONE.reference}"


@pytest.mark.parametrize(("state", "start"), [("started", ["start"]), ("stopped", [])])
def test_a_restore_makes_a_container_where_there_is_none(state: str, start: list[str]) -> None:
    found = restored(None, wanted=definition(state=state))
    assert steps_of(found) == [f"create from {ONE.reference}", f"tag {ONE.reference}", *start]


@pytest.mark.parametrize(
    ("lineage", "known"),
    [(Lineage(), "none"), (Lineage((snapshot(2), snapshot(1))), f"{snapshot(2).tag}, {snapshot(1).tag}")],
)
@pytest.mark.parametrize("container", [None, container_of(definition())], ids=["no container", "a container"])
def test_an_unknown_snapshot_is_an_error_that_tells_the_known_ones(
    lineage: Lineage, known: str, container: Any
) -> None:
    found = restored(container, name="20200101T000000000000Z", lineage=lineage)
    assert found.steps == ()
    assert found.error is not None and "20200101T000000000000Z" in found.error and found.error.endswith(f"{known}.")


def test_a_project_that_is_declared_absent_is_not_restored() -> None:
    found = restored(None, wanted=definition(state="absent"))
    assert (found.steps, "declared absent" in (found.error or "")) == ((), True)


def test_a_restored_container_has_the_image_of_its_snapshot_and_a_changed_one_stays_pending() -> None:
    wanted = definition(image="other:1")
    found = restored(made_from(ONE), wanted=wanted, existing=OTHER)
    source = found.steps[0].source
    assert source is not None and source.root["reference"] == IMAGE
    after = plan(wanted, made_from(ONE, wanted), lineage=LINEAGE, existing=OTHER)
    assert (steps_of(after), aspects_of(after)) == ([], ["image"])


def test_a_restore_cleans_up_first() -> None:
    left = aside()
    lineage = Lineage((holder(left),), (PART,))
    found = restored(made_from(ONE), lineage=lineage, asides=(left,))
    assert steps_of(found)[:2] == [f"clean {left['Name'][1:]}", "clean image 999999999999"]


def test_a_restore_does_not_mend_the_latest_tag_that_it_is_about_to_move() -> None:
    found = restored(made_from(snapshot(1)), name=snapshot(1).tag, lineage=Lineage((latest(2), snapshot(1))))
    assert [step.verb for step in found.steps] == ["replace"]


def test_a_restore_of_the_latest_that_was_cut_off_goes_on_when_it_is_run_again() -> None:
    """The container was made from the first one; the second holds the container before it, and is the latest still."""
    found = restored(made_from(snapshot(1)), lineage=Lineage((latest(2), snapshot(1))))
    assert steps_of(found) == [f"replace from {snapshot(1).reference}"]


def test_a_restore_waits_for_an_agent() -> None:
    found = restored(made_from(ONE), agents=BUSY)
    assert "replace" not in [step.verb for step in found.steps]
    assert "restore deferred: an agent is at work (claude)" in found.warnings[0]


def test_a_restore_that_waits_leaves_the_latest_where_it_is() -> None:
    lineage = Lineage((latest(2), snapshot(1)))
    assert restored(made_from(latest(2)), name=snapshot(1).tag, lineage=lineage, agents=BUSY).steps == ()


def test_a_restore_by_force_does_not_wait() -> None:
    assert steps_of(restored(made_from(ONE), agents=BUSY, force=True))[0] == f"replace from {ONE.reference}"


# Reset


@pytest.mark.parametrize("container", [None, made_from(ONE)], ids=["no container", "a container"])
@pytest.mark.parametrize(("state", "start"), [("started", ["start"]), ("stopped", [])])
def test_a_reset_erases_and_makes_afresh(container: Any, state: str, start: list[str]) -> None:
    found = plan(definition(state=state), container, lineage=LINEAGE, operation="reset")
    assert steps_of(found) == ["erase", "create", *start]
    assert found.steps[1].is_fresh and (found.action, aspects_of(found)) == ("remove", ["data"])


def test_a_reset_has_its_images_before_it_erases() -> None:
    wanted = definition(image="tool:1", packages={"apt": ["jq"]})
    assert [step.verb for step in plan(wanted, made_from(ONE), operation="reset").steps] == [
        "pull",
        "build",
        "erase",
        "create",
        "start",
    ]


def test_a_reset_for_which_there_is_no_image_erases_nothing() -> None:
    found = plan(definition(), made_from(ONE), operation="reset", existing=images(image("other:1")))
    assert found.steps == () and "berth-base:latest" in (found.error or "")


def test_a_project_that_is_declared_absent_is_not_reset() -> None:
    found = plan(definition(state="absent"), made_from(ONE), operation="reset")
    assert (found.steps, "destroy it instead" in (found.error or "")) == ((), True)


def test_a_reset_waits_for_an_agent_with_all_of_it() -> None:
    """Not even an image is pulled: the create would follow upon no erase."""
    found = plan(definition(image="tool:1"), made_from(ONE), operation="reset", agents=BUSY)
    assert found.steps == () and "erase deferred: an agent is at work (claude)" in found.warnings[0]


# Destroy


def test_destroying_without_data_is_a_removal_that_leaves_a_snapshot() -> None:
    found = plan(definition(), made_from(ONE), lineage=LINEAGE, operation="destroy")
    assert steps_of(found) == REMOVAL


def test_destroying_without_data_what_has_no_container_does_nothing() -> None:
    assert plan(definition(), None, lineage=LINEAGE, operation="destroy") == Plan("web")


def test_destroying_with_data_erases_and_forgets() -> None:
    found = plan(definition(), made_from(ONE), lineage=LINEAGE, operation="destroy", destroy_data=True)
    assert (steps_of(found), found.action) == (["erase", "forget"], "remove")


REMAINS = {
    "a container": {"container": container_of(definition())},
    "one that was not seen ready": {"unproven": Unproven(container_of(definition()), True)},
    "one that waits aside": {"asides": (aside(),)},
    "a snapshot": {"lineage": LINEAGE},
    "a part of one": {"lineage": Lineage(parts=(PART,))},
    "a volume": {"volumes": ("berth-web-home",)},
    "files on the host": {"has_state": True},
}


@pytest.mark.parametrize("remains", REMAINS.values(), ids=REMAINS)
def test_whatever_there_is_of_a_project_is_destroyed(remains: dict[str, Any]) -> None:
    found = plan_undeclared("web", View(**remains), Policy("destroy", destroy_data=True))
    assert steps_of(found) == ["erase", "forget"]


def test_where_there_is_nothing_of_a_project_nothing_is_destroyed() -> None:
    assert plan_undeclared("web", View(), Policy("destroy", destroy_data=True)) == Plan("web")


@pytest.mark.parametrize("data", [True, False], ids=["with data", "without data"])
def test_destroying_waits_for_an_agent(data: bool) -> None:
    found = plan(definition(), made_from(ONE), agents=BUSY, operation="destroy", destroy_data=data)
    assert found.steps == () and "an agent is at work (claude)" in found.warnings[0]


# What is not declared


def test_what_is_not_declared_is_destroyed_without_data_too() -> None:
    found = plan_undeclared("old", View(container=container_of(definition())), Policy("destroy"))
    assert steps_of(found) == ["remove"]


@pytest.mark.parametrize("operation", ["provision", "destroy"])
def test_what_is_not_declared_and_not_ours_is_an_error(operation: str) -> None:
    found = plan_undeclared("old", View(clash="It is not ours."), Policy(operation, destroy_data=True))
    assert (found.steps, found.error) == ((), "It is not ours.")


def test_files_on_the_host_are_forgotten_where_nothing_else_is_left_of_an_undeclared_project() -> None:
    found = plan_undeclared("old", View(has_state=True), Policy())
    assert (steps_of(found), found.action, aspects_of(found)) == (["forget"], "update", ["left over"])


@pytest.mark.parametrize(
    "remains", [REMAINS[name] for name in ("a snapshot", "a volume", "one that waits aside", "a container")]
)
def test_files_on_the_host_stay_as_long_as_there_is_anything_to_go_on_from(remains: dict[str, Any]) -> None:
    found = plan_undeclared("web", View(**remains, has_state=True), Policy())
    assert "forget" not in steps_of(found)


def test_parts_of_an_undeclared_projects_snapshots_are_cleared_away_before_its_files() -> None:
    found = plan_undeclared("old", View(lineage=Lineage(parts=(PART,)), has_state=True), Policy())
    assert steps_of(found) == ["clean image 999999999999", "forget"]


# Mending


def test_a_container_aside_whose_content_a_snapshot_holds_is_cleared_away() -> None:
    left = aside()
    one = holder(left)
    found = plan(definition(), made_from(one), lineage=Lineage((one,)), asides=(left,))
    assert (steps_of(found), aspects_of(found)) == ([f"clean {left['Name'][1:]}"], ["left over"])
    assert found.steps[0].body == {"container": left["Id"]} and found.action == "update"


def test_a_container_aside_whose_content_nothing_holds_is_kept() -> None:
    assert plan(definition(), container_of(definition()), lineage=LINEAGE, asides=(aside(),)).steps == ()


def test_a_container_that_an_interrupted_snapshot_left_is_cleared_away_before_its_image() -> None:
    view = View(container_of(definition()), Record(CONTAINER_ID), lineage=Lineage(parts=(PART,)), parts=("4e19e7",))
    view = replace(view, networks=OPEN.of("web"))
    found = plan_project(Case(definition(), view, images(), SITE, Policy(), OPEN))
    assert steps_of(found) == ["clean container 4e19e7", "clean image 999999999999"]
    assert found.steps[0].body == {"container": "4e19e7"}


@pytest.mark.parametrize("status", ["created", "exited"])
def test_a_container_aside_is_kept_as_the_way_back_until_the_projects_own_has_proven_itself(status: str) -> None:
    left = aside()
    one = holder(left)
    pending = made_from(one, status=status, container_id="4e3" + "0" * 61)
    found = plan(definition(state="stopped"), pending, lineage=Lineage((one,)), asides=(left,))
    assert steps_of(found) == []


def test_parts_of_an_interrupted_snapshot_are_cleared_away() -> None:
    found = plan(definition(), container_of(definition()), lineage=Lineage(parts=(PART,)))
    assert (steps_of(found), aspects_of(found)) == (["clean image 999999999999"], ["left over"])
    assert found.steps[0].body == {"image": PART}


def test_parts_are_cleared_away_also_where_a_container_has_to_be_made() -> None:
    found = plan(definition(), None, lineage=Lineage(parts=(PART,)))
    assert steps_of(found) == ["create", "start", "clean image 999999999999"]


def test_the_latest_is_put_right_after_a_restore_that_was_cut_off() -> None:
    """The container was made from the first one; what was taken of the one before it is the latest still."""
    found = plan(definition(), made_from(snapshot(1)), lineage=Lineage((latest(2), snapshot(1))))
    assert steps_of(found) == [f"tag {snapshot(1).reference}"]
    (reason,) = found.reasons
    assert (reason.aspect, reason.before, reason.after) == (
        "latest snapshot",
        snapshot(2).reference,
        snapshot(1).reference,
    )


def test_a_snapshot_of_the_container_itself_is_the_latest_by_right() -> None:
    lineage = Lineage((latest(2, container=CONTAINER_ID), snapshot(1)))
    assert plan(definition(), made_from(snapshot(1)), lineage=lineage).steps == ()


def test_leftovers_are_cleared_away_before_a_replace() -> None:
    left = aside()
    one = holder(left)
    found = plan(definition(env={"A": "b"}), made_from(one), lineage=Lineage((one,), (PART,)), asides=(left,))
    assert steps_of(found) == [f"clean {left['Name'][1:]}", "clean image 999999999999", "replace"]


def test_leftovers_are_cleared_away_while_an_agent_is_at_work() -> None:
    found = plan(definition(state="stopped"), container_of(definition()), lineage=Lineage(parts=(PART,)), agents=BUSY)
    assert steps_of(found) == ["clean image 999999999999"]


@pytest.mark.parametrize("is_declared", [True, False], ids=["absent", "undeclared"])
def test_a_removal_clears_away_what_lies_around_the_container(is_declared: bool) -> None:
    left, new = aside(), Unproven(container_of(definition(), status="created", container_id="f" * 64), True)
    own = {**container_of(definition(), status="exited"), "Name": f"/{aside_name('web', CONTAINER_ID)}"}
    lineage = Lineage((holder(left),))
    if is_declared:
        found = plan(definition(state="absent"), own, unproven=new, lineage=lineage, asides=(left,))
    else:
        view = View(own, Record(CONTAINER_ID), unproven=new, lineage=lineage, asides=(left,), networks=OPEN.of("web"))
        found = plan_undeclared("web", view, Policy())
    assert steps_of(found) == ["clean berth-web", f"clean {left['Name'][1:]}", *REMOVAL]


def test_what_was_left_of_a_removed_project_is_cleared_away() -> None:
    left = aside()
    found = plan(definition(state="absent"), None, lineage=Lineage((holder(left),), (PART,)), asides=(left,))
    assert steps_of(found) == [f"clean {left['Name'][1:]}", "clean image 999999999999"]


# Snapshots beyond those to keep


def cleaning(*numbers: int) -> list[str]:
    return [f"clean snapshot {snapshot(number).tag}" for number in numbers]


FOUR = Lineage((latest(4), snapshot(3), snapshot(2), snapshot(1)))
KEEPING_TWO = {"snapshot": {"keep": 2}}


def test_snapshots_beyond_those_to_keep_are_cleared_away() -> None:
    found = plan(definition(**KEEPING_TWO), made_from(latest(4)), lineage=FOUR)
    assert (steps_of(found), aspects_of(found)) == (cleaning(2, 1), ["left over"] * 2)
    assert found.steps[0].body == {"snapshot": snapshot(2).reference}
    assert found.action == "update"


@pytest.mark.parametrize("keep", [4, 9])
def test_snapshots_that_are_to_be_kept_are_no_change(keep: int) -> None:
    assert plan(definition(snapshot={"keep": keep}), made_from(latest(4)), lineage=FOUR).steps == ()


def test_surplus_snapshots_go_before_a_replace() -> None:
    found = plan(definition(**KEEPING_TWO, env={"A": "b"}), made_from(latest(4)), lineage=FOUR)
    assert steps_of(found) == [*cleaning(2, 1), "replace"]


def test_surplus_snapshots_go_while_an_agent_is_at_work() -> None:
    wanted = definition(**KEEPING_TWO, env={"A": "b"})
    found = plan(wanted, made_from(latest(4)), lineage=FOUR, agents=BUSY)
    assert steps_of(found) == cleaning(2, 1)


def test_surplus_snapshots_go_with_an_upgrade_that_has_nothing_to_upgrade() -> None:
    found = plan(definition(**KEEPING_TWO), made_from(latest(4)), lineage=FOUR, **UPGRADE)
    assert (steps_of(found), found.error) == (cleaning(2, 1), None)


@pytest.mark.parametrize("container", [made_from(latest(4)), None], ids=["a container", "none"])
@pytest.mark.parametrize(("state", "operation"), [("absent", "provision"), ("started", "destroy")])
def test_surplus_snapshots_go_with_a_removal(container: Any, state: str, operation: str) -> None:
    wanted = definition(**KEEPING_TWO, state=state)
    found = plan(wanted, container, lineage=FOUR, operation=operation)
    assert steps_of(found) == [*cleaning(2, 1), *(REMOVAL if container else [])]


@pytest.mark.parametrize("operation", ["provision", "destroy"])
def test_what_is_not_declared_keeps_all_its_snapshots(operation: str) -> None:
    view = View(made_from(latest(4)), Record(CONTAINER_ID), lineage=FOUR)
    assert steps_of(plan_undeclared("web", view, Policy(operation=operation))) == ["remove"]


def test_the_latest_is_never_cleared_away() -> None:
    lineage = Lineage((snapshot(3), snapshot(2), ONE))
    found = plan(definition(snapshot={"keep": 1}), made_from(ONE), lineage=lineage)
    assert steps_of(found) == cleaning(2)


def test_what_the_latest_is_about_to_be_put_on_is_not_cleared_away() -> None:
    """After a restore that was cut off: the container was made from the first one."""
    lineage = Lineage((latest(3), snapshot(2), snapshot(1)))
    found = plan(definition(snapshot={"keep": 1}), made_from(snapshot(1)), lineage=lineage)
    assert steps_of(found) == [*cleaning(2), f"tag {snapshot(1).reference}"]


def surplus_with_users(*container_ids: str, **keys: Any) -> list[str]:
    """The plan where these containers were made from the first snapshot, which is beyond those to keep."""
    own = made_from(latest(2))
    users = {own["Image"]: frozenset({CONTAINER_ID}), snapshot(1).id: frozenset(container_ids)}
    view = View(own, Record(CONTAINER_ID), image_users=users, networks=OPEN.of("web"), **keys)
    return steps_of(plan_project(Case(definition(snapshot={"keep": 1}), view, images(), SITE, Policy(), OPEN)))


def test_a_surplus_snapshot_that_a_container_was_made_from_stays() -> None:
    assert surplus_with_users("0ther", lineage=Lineage((latest(2), snapshot(1)))) == []


def test_a_surplus_snapshot_goes_with_the_container_aside_that_was_made_from_it() -> None:
    """As after a replace that was cut off before it removed the old container."""
    left = aside()
    keys: dict[str, Any] = {"lineage": Lineage((holder(left, 2), snapshot(1))), "asides": (left,)}
    assert surplus_with_users(left["Id"], **keys) == [f"clean {left['Name'][1:]}", *cleaning(1)]
    assert surplus_with_users(left["Id"], "0ther", **keys) == [f"clean {left['Name'][1:]}"]


@pytest.mark.parametrize("agents", [(), BUSY], ids=["idle", "busy"])
def test_a_restore_does_not_clear_away_what_it_is_to_restore(agents: tuple[str, ...]) -> None:
    policy = {"operation": "restore", "snapshot": snapshot(1).tag}
    found = plan(definition(snapshot={"keep": 1}), made_from(latest(4)), lineage=FOUR, agents=agents, **policy)
    assert not {step.body["snapshot"] for step in found.steps if step.body} & {snapshot(1).reference}


# All of them


@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_operation_touches_what_is_not_ours(operation: str) -> None:
    found = plan(definition(), container_of(definition()), clash="It is not ours.", operation=operation)
    assert (found.steps, found.error) == ((), "It is not ours.")


@pytest.mark.parametrize("operation", ["provision", "upgrade", "restore"])
@pytest.mark.parametrize("status", ["dead", "removing"])
def test_what_the_engine_gave_up_is_an_error_with_the_way_out(operation: str, status: str) -> None:
    found = plan(definition(), made_from(ONE, status=status), lineage=LINEAGE, operation=operation)
    assert found.steps == () and "docker rm -f berth-web" in (found.error or "")


def test_after_a_failure_what_comes_later_is_left_as_it_is_and_that_is_told() -> None:
    planned = plan(definition(), made_from(ONE), lineage=LINEAGE, existing=NEWER, **UPGRADE)
    left = planned.left_alone("api")
    assert (left.steps, left.reasons) == ((), planned.reasons)
    assert "because api failed before" in left.warnings[-1]
