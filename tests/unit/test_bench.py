# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the bench makes of what it measures: ratios, tables, plots, and what it asks of the peers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from ansible_collections.berth.projects.plugins.module_utils.aspect import Site
from ansible_collections.berth.projects.plugins.module_utils.aspects import create_body
from ansible_collections.berth.projects.plugins.module_utils.definition import User
from ansible_collections.berth.projects.plugins.module_utils.socket_reader import SocketReader
from ansible_collections.berth.projects.tests.unit.builders import definition
from bench_page import seconds, size, table, with_part
from bench_peers import community_play, compose_file, subnet
from bench_plot import Axis, decades, marks, plot, spread, styles
from bench_scene import BenchError, Run, demand_unchanged, is_ours, names_in_use, run_command
from bench_sizes import Cost, Measured, Times, cost_table, lines_of, size_table, target_rows
from engine_stub import Answers, serve
from hypothesis import given
from hypothesis import strategies as st
from rows import Row, Target
from run import DOCS, PARTS

SVG = "{http://www.w3.org/2000/svg}"
OWN_NETWORK = create_body(
    definition(
        workspaces=[{"path": "/srv/src"}],
        ports=[{"host": 8080, "container": 8000}],
        resources={"cpus": 1.5, "memory": "128m", "pids": 100},
        env={"STAGE": "bench"},
    ).owned_by(User(1000, 1000)),
    Site("/state", "default"),
)
BODY = {**OWN_NETWORK, "HostConfig": {**OWN_NETWORK["HostConfig"], "NetworkMode": "bridge"}}

# Rows


def test_rounds_in_turns_are_compared_round_by_round() -> None:
    """In the last round the machine was ten times as slow, for both."""
    assert Row("work", [1.0, 2.0, 30.0], [1.0, 1.0, 10.0]).ratio == 2.0


def test_what_did_not_run_in_turns_is_compared_by_medians() -> None:
    assert Row("work", [1.0, 2.0, 9.0], [8.0]).ratio == 0.25


@pytest.mark.parametrize(
    ("target", "ratio", "is_met"),
    [
        (Target(1.5), 1.5, True),
        (Target(1.5), 1.51, False),
        (Target(10, is_speedup=True), 0.1, True),
        (Target(10, is_speedup=True), 0.11, False),
        (None, 99.0, True),
    ],
)
def test_a_target_is_met_or_missed(target: Target | None, ratio: float, is_met: bool) -> None:
    assert Row("work", [ratio], [1.0], target).is_met is is_met


def test_a_row_tells_its_medians_its_ratio_and_its_target() -> None:
    assert str(Row("work", [1.0], [2.0], Target(0.4), " (a note)")) == (
        "| work (a note) | 1.00 s | 2.00 s | 0.50 | ≤ 0.4 **missed** |"
    )
    cells = Row("work", [1.0], [20.0], Target(15, is_speedup=True)).cells()
    assert cells[3:] == ["20.0 times faster", "≥ 15 times faster met"]


# The page


def test_a_part_of_the_page_is_written_anew_and_the_rest_stays() -> None:
    page = (
        "# Speed\n<!-- begin a: written by make bench -->\nold\n<!-- end a -->\nbetween\n"
        "<!-- begin b: written by make bench -->\n<!-- end b -->\nend\n"
    )
    written = with_part(with_part(page, "b", "| 2 |\n"), "a", "| 1 |")
    assert written == (
        "# Speed\n<!-- begin a: written by make bench -->\n| 1 |\n<!-- end a -->\nbetween\n"
        "<!-- begin b: written by make bench -->\n| 2 |\n<!-- end b -->\nend\n"
    )
    assert with_part(written, "a", "| 1 |") == written


@pytest.mark.parametrize("page", ["", "<!-- end a -->", "<!-- begin a: written by make bench -->"])
def test_a_page_without_the_part_is_an_error(page: str) -> None:
    with pytest.raises(ValueError, match="has no part 'a'"):
        with_part(page, "a", "text")


def test_the_page_has_all_parts_and_the_plots_are_there() -> None:
    page = (DOCS / "speed.md").read_text()
    for part in PARTS:
        with_part(page, part, "")
    for plot_name in ("speed.svg", "speed-fleet.svg"):
        assert f"({plot_name})" in page
        assert ElementTree.parse(DOCS / plot_name).getroot().tag == f"{SVG}svg"


def test_figures_are_short() -> None:
    assert [seconds(runs) for runs in ([0.851], [9.0, 3.0, 62.34], [62.34], [], None)] == [
        "0.85 s",
        "9.00 s",
        "62.3 s",
        "-",
        "-",
    ]
    assert [size(count) for count in (999, 291_400, 1_440_000)] == ["1 kB", "291 kB", "1.4 MB"]
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | ---: |\n| 1 | 2 |"


# The plot


@given(st.floats(0.001, 1e6), st.floats(1, 1e4))
def test_an_axis_holds_all_values_and_little_more(low: float, factor: float) -> None:
    below, above = decades(low, low * factor)
    assert below <= low and above >= low * factor and above > below
    assert low / below <= 2.51 and above / (low * factor) <= 5.01
    assert len(marks(below, above)) >= 2


@given(st.lists(st.floats(0, 500), min_size=1, max_size=10))
def test_names_keep_their_order_and_their_distance(wanted: list[float]) -> None:
    places = spread(wanted, 15)
    ordered = sorted(places)
    assert all(after - before >= 14.999 for before, after in zip(ordered, ordered[1:]))
    assert all(place >= where for place, where in zip(places, wanted))
    assert [x for _y, x in sorted(zip(wanted, range(len(wanted))))] == [
        x for _y, x in sorted(zip(places, range(len(places))))
    ]


def test_an_axis_is_logarithmic() -> None:
    axis = Axis(1, 100, 0, 200)
    assert [axis.place(value) for value in (1, 10, 100)] == [0, 100, 200]


def test_a_plot_has_each_line_and_its_name() -> None:
    lines = {"Berth": [(1, 0.5), (10, 0.6), (50, 0.9)], "a < b": [(1, 0.4), (50, 70.0)]}
    root = ElementTree.fromstring(plot("Title", "projects", "seconds", lines, (1, 10, 50)))
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert {"Berth", "a < b", "Title", "projects", "seconds", "10"} <= set(texts)
    assert len(list(root.iter(f"{SVG}circle"))) == 5


def test_a_plot_tells_things_apart_by_colour_and_their_first_runs_by_a_dash() -> None:
    berth, first, ping = styles(["Berth, unchanged", "Berth, first", "ping"])
    assert (berth[0], berth[1], bool(first[1])) == (first[0], "", True)
    assert ping[0] != berth[0] and not ping[1]


# What was measured


def measured(count: int) -> Measured:
    times = {
        "Berth": Times([9.0], [1.2, 1.2]),
        "Compose 2": Times([8.0], [0.1]),
        "community.docker loop": Times([60.0], [50.0]),
        "bare engine calls": Times([5.0], [0.1]),
    }
    if count > 50:
        del times["community.docker loop"]
    return Measured(count, times, [1.0, 1.0], Cost(calls(count), 291_000, 177_000))


def calls(count: int) -> dict[str, int]:
    lists = {"GET /containers/json": 1, "GET /images/json": 1, "GET /volumes": 1}
    return {"GET /_ping": 1, **lists, "GET /containers/{id}/json": count}


def test_the_rows_with_targets_are_those_of_the_numbers_they_are_set_for() -> None:
    rows = target_rows({count: measured(count) for count in (10, 50, 500)})
    assert [(row.ratio, row.target and row.target.limit) for row in rows] == [
        (1.2, 1.5),
        (1.2, 2.5),
        (9 / 8, 1.2),
        (1.2 / 50, 15),
        (9 / 5, None),
    ]


def test_tables_tell_what_was_not_measured_with_a_dash() -> None:
    text = size_table([measured(50), measured(500)])
    assert "| community.docker loop, first | 60.0 s | - |" in text
    assert "| Berth, unchanged | 1.20 s | 1.20 s |" in text


def test_calls_are_told_by_kind() -> None:
    assert cost_table([measured(50)]).splitlines()[2] == "| 50 | 54 | 3 | 50 | 1 | 291 kB | 177 kB |"


def test_a_line_has_the_points_that_were_measured() -> None:
    lines = lines_of([measured(50), measured(500)])
    assert lines["ping"] == [(50, 1.0), (500, 1.0)]
    assert lines["community.docker loop, first"] == [(50, 60.0)]


# What is asked of others


def test_compose_is_asked_for_the_same_container() -> None:
    made = compose_file({"web": BODY})
    service = made["services"]["web"]
    assert service["ports"] == ["127.0.0.1:8080:8000"]
    assert (service["cpus"], service["mem_limit"], service["pids_limit"]) == (1.5, 128 * 1024**2, 100)
    assert "STAGE=bench" in service["environment"]
    assert [mount["target"] for mount in service["volumes"]] == [m["Target"] for m in BODY["HostConfig"]["Mounts"]]
    assert len(made["volumes"]) == 2 and "networks" not in made and service["network_mode"] == "bridge"


def test_where_berth_gives_a_network_of_its_own_the_others_do_too() -> None:
    made = compose_file({"web": OWN_NETWORK, "api": OWN_NETWORK})
    assert made["services"]["api"]["networks"] == ["api"]
    assert made["networks"]["api"] == {"ipam": {"config": [{"subnet": subnet(1)}]}}
    modules = [next(iter(task)) for task in community_play({"web": OWN_NETWORK})[0]["tasks"]]
    assert modules == ["community.docker.docker_network", "community.docker.docker_container"]
    (alone,) = community_play({"web": BODY})[0]["tasks"]
    assert alone["loop"][0]["env"]["STAGE"] == "bench"


def test_no_two_networks_overlap() -> None:
    assert len({subnet(number) for number in range(1000)}) == 1000
    assert [subnet(number) for number in (0, 15, 16)] == ["10.219.0.0/28", "10.219.0.240/28", "10.219.1.0/28"]


# Care


@pytest.mark.parametrize(
    ("name", "ours"),
    [("berth-berthbench-1", True), ("berthbench_x", True), ("berth-bench", False), ("web", False), ("", False)],
)
def test_only_what_has_the_benchs_name_is_its_own(name: str, ours: bool) -> None:
    assert is_ours(name) is ours


class FakeApi:
    def containers(self, all: bool) -> list[dict[str, Any]]:
        return [{"Names": ["/web"]}, {"Names": ["/berthbench-1"]}, {"Names": None}]

    def volumes(self) -> dict[str, Any]:
        return {"Volumes": [{"Name": "berth-berthbench-1-home"}, {"Name": "data"}]}

    def networks(self) -> list[dict[str, Any]]:
        return [{"Name": "bridge"}, {"Name": "berthbench_web"}]

    def images(self) -> list[dict[str, Any]]:
        return [{"RepoTags": ["berth/berthbench-1:latest", "berth/web:latest"]}, {"RepoTags": None}]


def test_names_in_use_are_those_of_containers_volumes_networks_and_snapshots() -> None:
    assert names_in_use(FakeApi()) == [
        "berth-berthbench-1-home",
        "berth/berthbench-1:latest",
        "berthbench-1",
        "berthbench_web",
    ]


def test_a_command_that_fails_ends_the_bench_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="why it failed"):
        run_command(["sh", "-c", "echo why it failed >&2; exit 3"], tmp_path)


def test_a_command_costs_what_its_processes_cost(tmp_path: Path) -> None:
    count = "sh -c 'i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done'"
    run = run_command(["sh", "-c", f"echo $WORD; {count}"], tmp_path, {"WORD": "said"})
    assert run.output == "said\n"
    assert 0 < run.cpu <= run.seconds * 2


def test_a_run_that_changed_something_is_not_measured_as_unchanged() -> None:
    demand_unchanged(Run(1.0, 1.0, "host : ok=1 changed=0 failed=0"))
    with pytest.raises(BenchError, match="was to change nothing"):
        demand_unchanged(Run(1.0, 1.0, "a : changed=0\nb : changed=12"))


# The stub of an engine


class FakeReader:
    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []

    def api_version(self) -> str:
        return "1.41"

    def get_bytes(self, path: str, query: dict[str, str]) -> tuple[int, bytes]:
        self.asked.append((path, query))
        return (404, b"{}") if path == "/missing" else (200, b"[1, 2]")


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[tuple[SocketReader, FakeReader]]:
    """What reads the stub, and what the stub reads."""
    real: Any = FakeReader()
    answers = Answers(real)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()

        def accept() -> None:
            with suppress(OSError):
                client, _address = listener.accept()
                serve(client, answers)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield SocketReader(f"unix://{tmp_path}/s", timeout=5), real


def test_the_stub_repeats_what_the_engine_has_said_once(stub: tuple[SocketReader, FakeReader]) -> None:
    reader, real = stub
    for _attempt in range(3):
        assert reader.get("/volumes", {"filters": '{"label": ["a=b"]}'}) == (200, [1, 2])
        assert reader.get("/missing", {}) == (404, {})
    assert reader.api_version() == "1.41"
    assert real.asked == [("/volumes", {"filters": '{"label": ["a=b"]}'}), ("/missing", {}), ("/_ping", {})]
