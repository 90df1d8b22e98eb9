# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fleets: hosts of a few unchanged projects each, before engines that repeat one real engine's answers.

All modules run on this machine, too, so seconds are those of its cores. What of it is the control node's is told apart
by processor time: a play that only forks, one that also ships and starts a module, and Berth's, less what the modules
take, which is measured by running what was shipped once more by itself.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

from bench_page import size, table
from bench_plot import plot
from bench_scene import PROVISION, Run, Scene, demand_unchanged, remove_all, run_command, shipped_files, shipped_to

PROJECTS = 5
FORKS = (5, 10, 25, 50)
STRATEGIES = ("linear", "free", "host_pinned")
_LOOK_EVERY = 0.25  # seconds


@dataclass(frozen=True)
class FleetRun:
    """One play over a fleet; ``memory`` is the most that the control node's processes had at once, in bytes."""

    hosts: int
    run: Run
    memory: int


@dataclass(frozen=True)
class Split:
    """Processor seconds: of a play on one host that does nothing, and of a module by itself, of ping and of Berth."""

    start: float
    ping_module: float
    berth_module: float


def fleet_part(api: Any, is_quick: bool) -> tuple[str, dict[str, str]]:
    """Tables and the plot of fleets."""
    sizes = (10,) if is_quick else (10, 100, 500)
    forks, strategies = ((5, 10), STRATEGIES[:2]) if is_quick else (FORKS, STRATEGIES)
    with tempfile.TemporaryDirectory(prefix="berthbench-") as name:
        try:
            scene = Scene(api, Path(name), PROJECTS)
            scene.play(PROVISION)
            split = _split(scene)
            with fleet(scene, max(sizes)):
                curve = [_three(scene, count) for count in sizes]
                ways = [
                    (strategy, [_play(scene, PROVISION, sizes[-2:][0], count, strategy) for count in forks])
                    for strategy in strategies
                ]
        finally:
            remove_all(api)
    text = "\n\n".join([_curve_table(curve), _split_table(curve[-2:][0], split), _ways_table(ways, forks)])
    lines = {
        "Berth, unchanged": [(runs[2].hosts, runs[2].run.seconds) for runs in curve],
        "ping": [(runs[1].hosts, runs[1].run.seconds) for runs in curve],
        "fork only": [(runs[0].hosts, runs[0].run.seconds) for runs in curve],
    }
    ticks = sizes if len(sizes) > 1 else (1, *sizes)
    return text, {"speed-fleet.svg": plot("Seconds by the number of hosts, 25 forks", "hosts", "seconds", lines, ticks)}


@contextmanager
def fleet(scene: Scene, count: int) -> Iterator[None]:
    """Engines for that many hosts."""
    sockets = scene.folder / "e"
    sockets.mkdir()
    stub = Path(__file__).with_name("engine_stub.py")
    command = [sys.executable, str(stub), str(sockets), str(count)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield
    finally:
        process.terminate()
        process.wait()


def _three(scene: Scene, count: int) -> tuple[FleetRun, FleetRun, FleetRun]:
    print(f"bench: {count} hosts …", file=sys.stderr, flush=True)
    debug, ping, berth = (_play(scene, book, count, 25, "linear") for book in ("debug", "ping", PROVISION))
    return debug, ping, berth


def _play(scene: Scene, playbook: str, hosts: int, forks: int, strategy: str) -> FleetRun:
    engines = [{"docker_host": f"unix://{scene.folder}/e/{number}"} for number in range(hosts)]
    scene.write_inventory(
        {f"host{number:03}": {**scene.variables, "berth_engine": engine} for number, engine in enumerate(engines)}
    )
    with most_memory() as most:
        run = scene.play(playbook, "--forks", str(forks), environment={"ANSIBLE_STRATEGY": strategy})
    demand_unchanged(run)
    return FleetRun(hosts, run, max(most))


@contextmanager
def most_memory() -> Iterator[list[int]]:
    """What the control node's processes have, looked at again and again; memory that they share counts once."""
    seen, done = [0], Event()

    def look() -> None:
        while not done.wait(_LOOK_EVERY):
            seen.append(sum(_proportional(pid) for pid in _ansible_processes(os.getpid())))

    thread = Thread(target=look, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


def _ansible_processes(parent: int) -> list[int]:
    """The processes of ansible-playbook below a process; modules and shells are the host's."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            children.setdefault(_parent_of(entry), []).append(int(entry.name))
    found, waiting = [], [parent]
    while waiting:
        for pid in children.get(waiting.pop(), ()):
            waiting.append(pid)
            if "ansible-playbook" in _read(Path(f"/proc/{pid}/cmdline")):
                found.append(pid)
    return found


def _parent_of(process: Path) -> int:
    words = _read(process / "stat").rpartition(")")[2].split()
    return int(words[1]) if len(words) > 1 else 0


def _proportional(pid: int) -> int:
    for line in _read(Path(f"/proc/{pid}/smaps_rollup")).splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""  # it has ended meanwhile


def _split(scene: Scene) -> Split:
    start = scene.play("debug").cpu
    modules = {}
    for playbook in ("ping", PROVISION):
        with shipped_to(scene) as environment:
            scene.play(playbook, environment=environment)
            (payload,) = shipped_files(scene)
            runs = [run_command([sys.executable, str(payload)], scene.folder).cpu for _round in range(7)]
            modules[playbook] = statistics.median(runs)
    return Split(start, modules["ping"], modules[PROVISION])


def _curve_table(curve: Sequence[Sequence[FleetRun]]) -> str:
    header = ["hosts", "fork only", "ping", "Berth", "Berth by ping", "memory, ping", "memory, Berth"]
    rows = []
    for debug, ping, berth in curve:
        times = [f"{one.run.seconds:.1f} s" for one in (debug, ping, berth)]
        ratio = f"{berth.run.seconds / ping.run.seconds:.2f}"
        rows.append([str(berth.hosts), *times, ratio, size(ping.memory), size(berth.memory)])
    return table(header, rows)


def _split_table(runs: Sequence[FleetRun], split: Split) -> str:
    """Milliseconds of processor time a host, by what takes them."""
    debug, ping, berth = (max(one.run.cpu - split.start, 0) / one.hosts * 1000 for one in runs)
    ping_module, berth_module = split.ping_module * 1000, split.berth_module * 1000
    of_ping = max(ping - debug - ping_module, 0)
    rows = [
        ["control node: fork, variables, result", debug, debug],
        ["control node: payload, connection", of_ping, of_ping],
        ["control node: Berth's half", 0.0, max(berth - debug - of_ping - berth_module, 0)],
        ["host: start of the module and Ansible's part of it", ping_module, ping_module],
        ["host: Berth's part of the module", 0.0, berth_module - ping_module],
        ["in all", ping, berth],
    ]
    header = [f"processor time a host, of {runs[0].hosts}", "ping", "Berth"]
    return table(header, [[str(name), *(f"{value:.0f} ms" for value in values)] for name, *values in rows])


def _ways_table(ways: Sequence[tuple[str, Sequence[FleetRun]]], forks: Sequence[int]) -> str:
    hosts = ways[0][1][0].hosts
    header = [f"{hosts} hosts, Berth unchanged", *(f"{count} forks" for count in forks)]
    rows = [[strategy, *(f"{one.run.seconds:.1f} s, {size(one.memory)}" for one in runs)] for strategy, runs in ways]
    return table(header, rows)
