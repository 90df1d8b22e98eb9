# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Adds to a plan what a project's networks and its proxy want. Pure.

A step that makes a container has them made first by itself, since a replacement that fails must also have the old ones
back. So what is planned here is the rest: to mend what a container that stays stands on, and to clear away what is of
no use any more once everything else is done.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.aspects_network import egress_of, proxy_of
from ansible_collections.berth.projects.plugins.module_utils.definition import Definition
from ansible_collections.berth.projects.plugins.module_utils.names import (
    egress_network,
    inner_network,
    proxy_name,
)
from ansible_collections.berth.projects.plugins.module_utils.networks import (
    is_taken,
    network_misfit,
    proxy_address,
    wanted_networks,
)
from ansible_collections.berth.projects.plugins.module_utils.plan import Case, Plan, Reason
from ansible_collections.berth.projects.plugins.module_utils.proxy_files import Applied
from ansible_collections.berth.projects.plugins.module_utils.sidecar import is_ailing, sidecar_body, sidecar_misfit
from ansible_collections.berth.projects.plugins.module_utils.steps import Step
from ansible_collections.berth.projects.plugins.module_utils.terms import ERASING
from ansible_collections.berth.projects.plugins.module_utils.world import Listed, View

_STARTING = frozenset(("start", "restart", "unpause", "replace"))
_PROVING = frozenset(("start", "restart", "replace"))
"""After these the containers that waited aside in case it should fail are gone."""

_CLEARING = frozenset(("clean", "set-aside", "rename"))
_STOP = Step("proxy", "stop")


def settle_network(definition: Definition, view: View, taken: Collection[str]) -> Definition:
    """The definition with the address that its proxy has, or had: the network that is made anew may take it again.

    Where another network has its subnet by now it cannot, and the container, which knows no other, is replaced.

    Args:
        definition: What is wanted.
        view: What there is of the project.
        taken: The subnets of all networks of the engine.
    """
    if not definition.network.is_restricted:
        return definition
    inner = next((one for one in view.networks if one.name == inner_network(definition.name)), None)
    if inner and inner.subnet:
        return definition.behind(proxy_address(inner.subnet))
    before = proxy_of(view.container) if view.container else None
    return definition.behind("" if before and is_taken(before, taken) else before)


def with_network(plan: Plan, case: Case) -> Plan:
    """The plan with the steps for networks and proxy."""
    view, egress = case.view, case.definition.network.egress
    if plan.error:
        return plan
    if _is_gone_after(plan, view):
        return without_network(plan, view)
    if case.policy.operation in ERASING and not plan.making:  # put off: what is to go is not mended before
        return plan
    if view.is_aside and not plan.making and "rename" not in _verbs(plan):
        return plan
    clash = _clash(case)
    if clash and (plan.making or _runs_after(plan, view)):  # else stopping, which is what mends it, would fail, too
        return plan.failed(clash)
    if not plan.making:
        egress = egress_of(view.container) if view.container else egress
        return _cleared(_mended(plan, case, egress), view, egress, case.definition.state == "started")
    images, error = _image_steps(case)
    if error:
        return plan.failed(error)
    reasons = (*plan.reasons, *_creation_reasons(plan, case.definition))
    plan = replace(plan, steps=(*images, *plan.steps), reasons=reasons)
    return _cleared(plan, view, egress, case.definition.state == "started")


def without_network(plan: Plan, view: View) -> Plan:
    """The plan for a project that has no container any more: its networks and its proxy go, too."""
    return plan if plan.error or not _is_gone_after(plan, view) else _cleared(plan, view, "none", False)


def _clash(case: Case) -> str | None:
    """Why networks, or the proxy's name, cannot be used."""
    network = case.definition.network
    for spec in wanted_networks(case.name, network.egress):
        found = case.networks.named(spec.name)
        misfit = network_misfit(found, spec, case.site.scope) if found else None
        if misfit:
            return misfit
    return case.view.proxy_clash if network.is_restricted else None


def _verbs(plan: Plan) -> set[str]:
    return {step.verb for step in plan.steps}


def _is_gone_after(plan: Plan, view: View) -> bool:
    return plan.making is None and (view.container is None or bool(_verbs(plan) & {"remove", "erase"}))


def _image_steps(case: Case) -> tuple[list[Step], str | None]:
    """What it takes to have the proxy's image, and why it cannot be had."""
    settings = case.definition.proxy
    if settings is None or settings.image in case.policy.coming or case.images.find(settings.image):
        return [], None
    if not settings.says_ready:
        return [Step("pull", settings.image)], None
    return [], (
        f"There is no image {settings.image} on this engine, which the proxy of restricted egress is made from. "
        "Role berth.projects.egress builds it."
    )


def _mended(plan: Plan, case: Case, egress: str) -> Plan:
    """The plan with what it takes that the container which stays stands on what it was made for."""
    steps, reasons = _network_steps(case, egress)
    if egress == "restricted":
        is_up = _runs_after(plan, case.view)
        if is_up and case.view.proxy is None and case.policy.only_state:
            return plan.failed(f"Its proxy {proxy_name(case.name)} is missing: run berth.projects.provision first.")
        if is_up and case.policy.only_state and _is_stranded(case):
            return plan.failed(
                f"Its network {inner_network(case.name)} is not where it was, so it would not reach its proxy: run "
                "berth.projects.provision first, which replaces the container."
            )
        found = _proxy_step(case, is_up)
        if found and found[0].detail == "make":
            images, error = _image_steps(case)
            if error:
                return plan.failed(error)
            steps += images
        if found:
            steps.append(found[0])
            reasons.append(found[1])
    # A container that an interrupted run has left may have the ports that the proxy needs, so it goes first. A proxy
    # that is to stop is of use until the container has stopped.
    cleared = 1 + max((index for index, step in enumerate(plan.steps) if step.verb in _CLEARING), default=-1)
    last = [step for step in steps if step.verb == "proxy" and not (step.body or {}).get("is_up")]
    first = [step for step in steps if step not in last]
    done = (*plan.steps[:cleared], *first, *plan.steps[cleared:], *last)
    return replace(plan, steps=done, reasons=(*plan.reasons, *reasons))


def _is_stranded(case: Case) -> bool:
    """Whether the container would start with an address of its proxy at which that cannot be any more."""
    network, view = case.definition.network, case.view
    is_starting = view.container is not None and not view.is_running
    return network.is_restricted and is_starting and network.proxy != proxy_of(view.container or {})


def _network_steps(case: Case, egress: str) -> tuple[list[Step], list[Reason]]:
    view = case.view
    there = {one.name: one.id for one in view.networks}
    specs = wanted_networks(case.name, egress)
    steps = [Step("network", spec.name) for spec in specs if spec.name not in there]
    reasons = [Reason("network", {step.detail: None}, {step.detail: "there"}) for step in steps]
    joined = ((view.container or {}).get("NetworkSettings") or {}).get("Networks") or {}
    for spec in specs[:1]:
        stood_on = (joined.get(spec.name) or {}).get("NetworkID") or ""
        if stood_on and stood_on != there.get(spec.name) and not view.is_running:
            steps.append(Step("rejoin", spec.name))
            if spec.name in there:
                reasons.append(Reason("network", {spec.name: "another one"}, {spec.name: "connected"}))
    return steps, reasons


def _runs_after(plan: Plan, view: View) -> bool:
    verbs = _verbs(plan)
    return bool(verbs & _STARTING) or (view.is_running and "stop" not in verbs)


def _proxy_step(case: Case, is_up: bool) -> tuple[Step, Reason] | None:
    """The step that has the proxy as it should be, and why."""
    view, definition = case.view, case.definition
    settings, found = definition.proxy, view.proxy
    if settings is None or not definition.network.is_restricted or case.policy.only_state:
        return _as_it_is(view, is_up)
    image = case.images.find(settings.image)
    if found is None or image is None or not definition.network.proxy:
        return _proxy("make", is_up), Reason("network", {"proxy": None}, {"proxy": "there"})
    misfit = sidecar_misfit(found, sidecar_body(definition, case.site, image.id), case.networks, case.name)
    if misfit:
        return _proxy("make", is_up), Reason("network", {"proxy": misfit}, {"proxy": "as declared"})
    if is_up and is_ailing(found, view.applied):
        return _proxy("start", is_up), Reason("network", {"proxy": _ailment(found)}, {"proxy": "running"})
    wanted = Applied(settings.config, definition.network.allow)
    if is_up and (view.applied != wanted or view.proxy_config != settings.config):
        return _proxy("reload", is_up), _allow_reason(view, wanted)
    # Playbook start takes the proxy as it is, so the file must be right by then. What was applied says nothing here:
    # nobody reads it before that.
    if not is_up and view.proxy_config != settings.config:
        return _proxy("configure", is_up), _allow_reason(view, wanted)
    return _as_it_is(view, is_up)


def _proxy(what: str, is_up: bool) -> Step:
    return Step("proxy", what, {"is_up": is_up})


def _ailment(found: Listed) -> str:
    if found.status != "running":
        return found.status
    return "unhealthy" if found.health == "unhealthy" else "never ready"


def _as_it_is(view: View, is_up: bool) -> tuple[Step, Reason] | None:
    """With the proxy that there is, whatever it allows: it runs as long as its container does."""
    found = view.proxy
    if found is None or found.is_running == is_up:
        return None
    step, after = (_proxy("start", is_up), "running") if is_up else (_STOP, "stopped")
    return step, Reason("network", {"proxy": found.status}, {"proxy": after})


def _allow_reason(view: View, wanted: Applied) -> Reason:
    before = view.applied
    changed = sorted({*before.allow} ^ {*wanted.allow})
    if not changed:
        seen = view.proxy_config if before == wanted else before.config
        told = seen[:8] if seen and seen != wanted.config else "not in effect"
        return Reason("network", {"configuration": told}, {"configuration": wanted.config[:8]})
    was = {name: "allowed" if name in before.allow else None for name in changed}
    return Reason("network", was, {name: None if name in before.allow else "allowed" for name in changed})


def _creation_reasons(plan: Plan, definition: Definition) -> list[Reason]:
    """How a new container is kept apart, beyond what is usual. A replacement tells of it as a difference already."""
    if plan.making is None or plan.making.verb != "create":
        return []
    usual = (
        ("network", "egress", definition.network.egress, "open"),
        ("runtime", "runtime", definition.runtime, "runc"),
        ("hardening", "level", definition.hardening, "standard"),
    )
    return [Reason(aspect, {key: None}, {key: value}) for aspect, key, value, default in usual if value != default]


def _cleared(plan: Plan, view: View, egress: str, is_started: bool) -> Plan:
    """The plan with steps at its end that remove the proxy and the networks that nothing needs any more.

    What is erased goes with everything else of the project.
    """
    if plan.error or "erase" in _verbs(plan) or not (view.networks or view.proxy):
        return plan
    needed = {spec.name for spec in wanted_networks(plan.project, egress)} | _standing_on(plan, view, is_started)
    steps = []
    # It may have the ports of a container that is going to start, which is seen to be ready before a way back goes.
    is_in_the_way = view.proxy and view.proxy.is_running and not plan.making and _verbs(plan) & _STARTING
    first = [_STOP] if is_in_the_way and egress != "restricted" else []
    if view.proxy and inner_network(plan.project) not in needed:
        steps.append(Step("clean", view.proxy.name, {"container": view.proxy.id}))
    elif view.proxy:
        needed.add(egress_network(plan.project))
    unneeded = [one for one in view.networks if one.name not in needed]
    warnings = [
        f"The network {one.name} is not needed any more, and stays as long as the container {view.strangers[one.name]} "
        "is on it."
        for one in unneeded
        if one.name in view.strangers
    ]
    unneeded = [one for one in unneeded if one.name not in view.strangers]
    steps += [Step("clean", f"network {one.name}", {"network": one.id}) for one in unneeded]
    is_told = not plan.steps  # else it goes with what the plan is for
    reasons = [Reason("left over", step.detail, "(none)") for step in steps] if is_told else []
    return replace(
        plan,
        steps=(*first, *plan.steps, *steps),
        reasons=(*plan.reasons, *reasons),
        warnings=(*plan.warnings, *warnings),
    )


def _standing_on(plan: Plan, view: View, is_started: bool) -> set[str]:
    """The networks of the containers that wait aside once the plan is carried out: they are a way back."""
    gone = {(step.body or {}).get("container") for step in plan.steps if step.verb == "clean"}
    is_replaced = plan.making is not None and plan.making.verb == "replace"
    if is_started and _verbs(plan) & _PROVING:
        gone |= {one["Id"] for one in view.held_asides}
    if (is_started and is_replaced) or "remove" in _verbs(plan):
        gone.add(view.container_id)
    waiting: list[Mapping[str, Any]] = [one for one in view.asides if one["Id"] not in gone]
    if is_replaced and not is_started and view.container:
        waiting.append(view.container)
    return {name for one in waiting for name in (one["NetworkSettings"].get("Networks") or {})}
