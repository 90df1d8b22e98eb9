# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fault matrix: what each operation goes through when one of its calls to the engine goes wrong.

An operation is run once as it should be, which tells its calls. Then each call goes wrong in each way, one case each.
In between there is nothing but the one re-run that the design allows: a case leaves what the next begins with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fault_proxy import Call, Fault, Watch
from fault_scene import PLACES, Scene
from faulty_run import RECONCILE, Outcome

TIMEOUT = 2
"""Seconds that a module waits for the engine where an answer never comes."""

NEVER_MADE = "the call was never made"

_CASES_OF_A_PROJECT = 20  # each may add a layer or two, and what a failed case left must not spoil many
_ROUNDS_BEFORE = 3  # until each run does the same as the one before


def is_killed_after_change(fault: Fault) -> bool:
    return fault.kind == "kill-after" and fault.call.changes


@dataclass(frozen=True)
class Operation:
    """A row of the matrix.

    Args:
        name: Of the operation.
        what: What of it is run, for the docs.
        prepare: Brings a project that is as declared to where the operation has something to do.
        function: The module's half on the host that does it.
        options: What the module is told besides the definition; may depend on what there is.
        marks: What becomes of each marker: ``running`` (in the project's container), ``kept`` (in a snapshot or a
            container, not in the running one) or ``lost`` (as the operation is meant to).
        fails: Whether the operation fails also when nothing goes wrong: what is run is the way back.
        mend: What a user does before the re-run, where that is more than to run it again.
        is_up: Whether a run that fails, but lives, leaves a container running.
        check: Tells what else is wrong after the re-run.
        is_quick: Whether ``make test`` tries a case, too.
    """

    name: str
    what: str
    prepare: Callable[[Scene], object] = Scene.change
    function: str = RECONCILE
    options: Callable[[Scene], Mapping[str, Any]] = lambda scene: {}
    marks: Mapping[str, str] = field(default_factory=lambda: dict.fromkeys(PLACES, "running"))
    fails: bool = False
    mend: Callable[[Scene], None] = lambda scene: None
    is_up: bool = True
    check: Callable[[Scene], Iterable[str]] = lambda scene: ()
    is_quick: Callable[[Fault], bool] = is_killed_after_change

    def record(self, scene: Scene) -> list[Call]:
        """The calls of a run in which nothing goes wrong, in a project that has a past."""
        scene.begin_anew()
        calls: list[Call] = []
        for _round in range(_ROUNDS_BEFORE):
            watch, outcome = self._run(scene, None)
            assert outcome.ended == "returned" and bool(outcome.errors) == self.fails, outcome
            self.mend(scene)
            scene.provision()
            calls = watch.calls
        return calls

    def try_all(self, scene: Scene, faults: Sequence[Fault]) -> list[str]:
        """Run one case for each fault; what went wrong, each with its case."""
        problems = []
        left = 0
        for fault in faults:
            if left == 0:
                self.record(scene)
                left = _CASES_OF_A_PROJECT
            found = self._try(scene, fault)
            if NEVER_MADE in found:  # an earlier case has left another past, as good as any
                self.record(scene)
                found = self._try(scene, fault)
            problems += [f"{self.name}: {fault}: {problem}" for problem in found]
            left = 0 if found else left - 1
        return problems

    def _try(self, scene: Scene, fault: Fault) -> list[str]:
        watch, outcome = self._run(scene, fault)
        problems = [*_unexpected(fault, watch, outcome), *self._lost(scene)]
        if self.is_up and outcome.ended == "returned" and fault.kind != "away" and not scene.is_up():
            problems.append(f"the module left nothing running; it says {outcome.errors}")
        self.mend(scene)
        again = scene.run_job(scene.job(self.function, self.options(scene)))
        if again.ended != "returned" or again.errors:
            return [*problems, f"the re-run {again.ended} {again.errors}; the module had said {outcome.errors}"]
        return [*problems, *self._not_converged(scene)]

    def _run(self, scene: Scene, fault: Fault | None) -> tuple[Watch, Outcome]:
        self.prepare(scene)
        scene.mark()
        times = {"timeout": TIMEOUT, "stop_timeout": 1} if fault and fault.kind == "timeout" else {}
        options = {**self.options(scene), **times, "docker_host": scene.proxy.docker_host}
        with scene.proxy.watching(fault) as watch:
            outcome = scene.run_job(scene.job(self.function, options))
        return watch, outcome

    def _lost(self, scene: Scene) -> list[str]:
        """At this very moment; a call later it would be too late to tell."""
        wanted = [place for place, fate in self.marks.items() if fate != "lost"]
        return [f"the marker in the {place} is lost" for place in wanted if not scene.still_has(place)]

    def _not_converged(self, scene: Scene) -> list[str]:
        problems = [f"left over after the re-run: {one}" for one in scene.left_over()]
        planned = scene.provision(check=True)
        if planned.only["steps"] or planned.changed:
            problems.append(f"the re-run left something to do: {planned.only['steps']} {planned.only['reasons']}")
        if not scene.is_up():
            problems.append("the container does not run after the re-run")
        for place, fate in self.marks.items():
            if scene.runs_with(place) != (fate == "running"):
                problems.append(f"after the re-run, the marker in the {place} is not {fate}")
            if fate == "kept" and not scene.still_has(place):
                problems.append(f"after the re-run, the marker in the {place} is lost")
        return [*problems, *self.check(scene)]


def _unexpected(fault: Fault, watch: Watch, outcome: Outcome) -> list[str]:
    problems = []
    if not watch.met:
        problems.append(NEVER_MADE)
    elif outcome.ended != ("killed" if fault.kind.startswith("kill") else "returned"):
        problems.append(f"the module {outcome.ended}")
    bugs = [error for error in outcome.errors if "Berth met a bug" in error]
    return problems + [f"the module says: {bug}" for bug in bugs]
