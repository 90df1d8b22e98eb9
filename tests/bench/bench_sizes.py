# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One host with N projects: first and unchanged runs of Berth, of its peers, and the floor, a play of one ping."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench_page import seconds, size, table
from bench_peers import Contender, contenders
from bench_scene import PROVISION, Run, Scene, demand_unchanged, remove_all, shipped_files, shipped_to
from fault_proxy import FaultProxy
from rows import Row, Target, timed

ENGINE = "/var/run/docker.sock"


@dataclass(frozen=True)
class Extent:
    """How much is measured.

    Args:
        sizes: Numbers of projects.
        firsts: How often everything is made, by number of projects.
        rounds: How often it is then found unchanged.
    """

    sizes: Sequence[int]
    firsts: Callable[[int], int]
    rounds: int


FULL = Extent((1, 10, 50, 200, 500), lambda size: 3 if size <= 50 else 1, 5)
QUICK = Extent((1, 10), lambda size: 1, 3)


@dataclass
class Times:
    """Seconds of each run of one contender: those that made everything, and those that found it unchanged."""

    first: list[float] = field(default_factory=list)
    unchanged: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Cost:
    """What an unchanged run asks of the engine and ships to the host, and what of that a ping ships."""

    calls: Mapping[str, int]
    shipped: int
    of_ping: int


@dataclass(frozen=True)
class Measured:
    """All of one number of projects. ``pings`` were in turns with Berth's unchanged runs."""

    size: int
    times: Mapping[str, Times]
    pings: Sequence[float]
    cost: Cost


def measure(api: Any, count: int, extent: Extent) -> Measured:
    """Measure all contenders on one number of projects; none has its containers there while another is at work."""
    with tempfile.TemporaryDirectory(prefix="berthbench-") as name:
        scene = Scene(api, Path(name), count)
        able = [one for one in contenders(scene) if count <= one.most]
        times = {one.name: Times() for one in able}
        pings: list[float] = []
        cost = None
        try:
            for left in reversed(range(extent.firsts(count))):
                for one in able:
                    if left and one.is_slow:
                        continue
                    scene.begin_anew()
                    one.prepare()
                    times[one.name].first.append(timed(one.run))
                    if left == 0:
                        floor = scene.play if one.name == "Berth" else None
                        _find_unchanged(one, times[one.name], extent.rounds, floor, pings)
                        cost = cost or _cost(scene)
        finally:
            remove_all(api)
    assert cost is not None
    return Measured(count, times, pings, cost)


def _find_unchanged(
    one: Contender, times: Times, rounds: int, floor: Callable[[str], object] | None, pings: list[float]
) -> None:
    """Run it again, in turns with the floor. The first round warms the caches; a slow one needs none."""
    for index in range(1 if one.is_slow else rounds + 1):
        spent = timed(lambda: _demand_unchanged(one.run()))
        ping = timed(lambda: floor("ping")) if floor else 0.0
        if index or one.is_slow:
            times.unchanged.append(spent)
            pings.extend([ping] if floor else [])


def _demand_unchanged(result: object) -> None:
    if isinstance(result, Run):
        demand_unchanged(result)


def _cost(scene: Scene) -> Cost:
    """Count calls by a proxy before the engine's socket, and bytes by what Ansible leaves on the host."""
    proxy = FaultProxy(ENGINE)
    try:
        scene.write_inventory({"bench": {**scene.variables, "berth_engine": {"docker_host": proxy.docker_host}}})
        with proxy.watching() as watch:
            scene.play(PROVISION)
    finally:
        proxy.close()
        scene.write_inventory({"bench": scene.variables})
    return Cost(dict(watch.counts), _shipped(scene, PROVISION), _shipped(scene, "ping"))


def _shipped(scene: Scene, playbook: str) -> int:
    with shipped_to(scene) as environment:
        scene.play(playbook, environment=environment)
        return sum(path.stat().st_size for path in shipped_files(scene))


def target_rows(measured: Mapping[int, Measured]) -> list[Row]:
    """The rows that have targets, of the numbers of projects that they are set for."""
    rows = []
    for count, limit in ((50, 1.5), (500, 2.5)):
        if count in measured:
            of_berth = measured[count].times["Berth"].unchanged
            work = f"unchanged run of {count} projects, against a play of one ping"
            rows.append(Row(work, of_berth, measured[count].pings, Target(limit)))
    if 50 in measured:
        rows += _against_peers(measured[50].times)
    return rows


def _against_peers(times: Mapping[str, Times]) -> list[Row]:
    berth, rows = times["Berth"], []
    for name, other in times.items():
        if name.startswith("community"):
            target = Target(15, is_speedup=True)
            rows.append(
                Row(f"unchanged run of 50 projects, against a {name}", berth.unchanged, other.unchanged, target)
            )
        if name.startswith("Compose"):
            rows.append(Row(f"creating and starting 50, against {name}", berth.first, other.first, Target(1.2)))
        if name.startswith("bare"):
            rows.append(Row(f"creating and starting 50, against the {name}", berth.first, other.first))
    return rows


def size_table(measured: Sequence[Measured]) -> str:
    """Medians: a row for each kind of run, a column for each number of projects."""
    rows = [["a play of one ping", *(seconds(one.pings) for one in measured)]]
    for name in measured[0].times:
        of_all = [one.times.get(name, Times()) for one in measured]
        rows.append([f"{name}, first", *(seconds(times.first) for times in of_all)])
        rows.append([f"{name}, unchanged", *(seconds(times.unchanged) for times in of_all)])
    return table(["projects", *(str(one.size) for one in measured)], rows)


def cost_table(measured: Sequence[Measured]) -> str:
    """What unchanged runs ask of the engine and ship to the host."""
    header = ["projects", "engine calls", "of them lists", "inspects", "other", "shipped to the host", "a ping ships"]
    rows = []
    for one in measured:
        calls = one.cost.calls
        total = sum(calls.values())
        lists = sum(count for key, count in calls.items() if key in _LISTS)
        inspects = sum(count for key, count in calls.items() if key.startswith("GET /containers/{"))
        shipped = [size(one.cost.shipped), size(one.cost.of_ping)]
        rows.append([str(one.size), *(str(n) for n in (total, lists, inspects, total - lists - inspects)), *shipped])
    return table(header, rows)


_LISTS = ("GET /containers/json", "GET /images/json", "GET /volumes", "GET /networks")


def lines_of(measured: Sequence[Measured]) -> dict[str, list[tuple[float, float]]]:
    """What is drawn: the median of each by the number of projects, where it was measured."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for one in measured:
        runs = {"Berth, unchanged": one.times["Berth"].unchanged, "Berth, first": one.times["Berth"].first}
        runs["ping"] = one.pings
        for name, times in one.times.items():
            if name != "Berth":
                runs[f"{name}, unchanged"], runs[f"{name}, first"] = times.unchanged, times.first
        for name, seconds_of in runs.items():
            if seconds_of:
                lines.setdefault(name, []).append((one.size, Row("", seconds_of, [1.0] * len(seconds_of)).ratio))
    return lines
