# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs that are killed at any of their calls: nothing is lost, and the next run of the same mends what is left.

The engine is one in memory, so that every moment of every operation can be tried. What a real engine does is tried in
the integration tests.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils import host_writer as host_writer_module
from ansible_collections.berth.projects.plugins.module_utils import preview as preview_module
from ansible_collections.berth.projects.plugins.module_utils import reconcile as reconcile_module
from ansible_collections.berth.projects.plugins.module_utils.errors import EngineError
from ansible_collections.berth.projects.plugins.module_utils.host_files import read_host_state
from ansible_collections.berth.projects.plugins.module_utils.host_state import (
    HostState,
    WantedFile,
    differing_files,
    hash_of,
)
from ansible_collections.berth.projects.plugins.module_utils.launch import READY, TAKEN
from ansible_collections.berth.projects.plugins.module_utils.lineage import Lineage, Snapshots
from ansible_collections.berth.projects.plugins.module_utils.names import CONTRACT, ownership_labels
from ansible_collections.berth.projects.plugins.module_utils.options import container_args
from ansible_collections.berth.projects.plugins.module_utils.records import Record, Records
from ansible_collections.berth.projects.plugins.module_utils.terms import FROM_DEFINITION
from ansible_collections.berth.projects.tests.unit.builders import IMAGE
from ansible_collections.berth.projects.tests.unit.fake_engine import CONTAINERD_STORE, FakeEngine, Killed

MARKER = "/installed-by-the-agent"
OLDEST = "oldest"
"""Stands in the options of a run for the time of the oldest snapshot."""

WEB: Mapping[str, Any] = {"name": "web", "image": IMAGE, "user": {"uid": 1000}}


@dataclass(frozen=True)
class Scenario:
    """A run that is cut off.

    Args:
        before: What is declared at first; each is provisioned in turn.
        after: What the run that is cut off has in its place.
        options: Of that run.
        store: What the engine says of where its images live.
        remains: Where the marker has to be in the end: ``container``, ``snapshot``, or nowhere.
        prepare: Done to the engine between the two.
        secret: What the run that is cut off has as a secret of the project; None where there is no host state.
    """

    before: tuple[Mapping[str, Any], ...] = ({},)
    after: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    store: Any = ()
    remains: str | None = "container"
    prepare: Callable[[FakeEngine], Any] | None = None
    secret: str | None = None

    @property
    def host_state(self) -> HostState:
        if self.secret is None:
            return HostState()
        return HostState({"secrets/a": WantedFile(hash_of(self.secret.encode()), "secrets")})


def newer_base(engine: FakeEngine) -> None:
    engine.add_image("sha256:" + "2" * 64, {"Labels": {CONTRACT: "1"}}, *engine_free(engine, IMAGE))


def engine_free(engine: FakeEngine, name: str) -> list[str]:
    return engine.api._taken([name])


def other_image(engine: FakeEngine) -> None:
    engine.add_image("sha256:07e4", {"Labels": {CONTRACT: "1"}}, "other:1")


def stopped(engine: FakeEngine) -> None:
    engine.stop(str((engine.container("berth-web") or {})["Id"]), 1)


REPLACE = {"env": {"A": "2"}}
ME = {"user": {"uid": os.geteuid() or 1000, "gid": os.getegid() or 1000}}  # who may write for the agent
SCENARIOS = {
    "change of a secret": Scenario(before=(ME,), after=ME, secret="s3cret"),
    "change of a secret with a replace": Scenario(before=(ME,), after={**ME, **REPLACE}, secret="s3cret"),
    "change of a secret of a stopped one": Scenario(before=(ME,), after=ME, secret="s3cret", prepare=stopped),
    "first creation with a secret": Scenario(before=(), after=ME, secret="s3cret", remains=None),
    "first creation": Scenario(before=(), remains=None),
    "replace": Scenario(after=REPLACE),
    "replace of what was replaced before": Scenario(before=({}, {"env": {"A": "1"}}), after=REPLACE),
    "replace that prunes": Scenario(
        before=({}, {"env": {"A": "0"}}, {"env": {"A": "1"}}), after={**REPLACE, "snapshot": {"keep": 1}}
    ),
    "replace of one that was stopped by hand": Scenario(after=REPLACE, prepare=stopped),
    "replace of a stopped one": Scenario(before=({}, {"state": "stopped"}), after={**REPLACE, "state": "stopped"}),
    "replace that is to be stopped": Scenario(after={**REPLACE, "state": "stopped"}),
    "replace without a snapshot": Scenario(
        before=({}, {"env": {"A": "1"}}), after={**REPLACE, "snapshot": {"on_replace": False}}, remains="anywhere"
    ),
    "replace that flattens": Scenario(
        before=({}, {"env": {"A": "1"}}), after={**REPLACE, "snapshot": {"squash_after": 1}}
    ),
    "replace that flattens on a containerd store": Scenario(
        before=({}, {"env": {"A": "1"}}), after={**REPLACE, "snapshot": {"squash_after": 1}}, store=CONTAINERD_STORE
    ),
    "replace on a containerd store": Scenario(after=REPLACE, store=CONTAINERD_STORE),
    "another image": Scenario(after={"image": "other:1"}, prepare=other_image, remains="snapshot"),
    "removal": Scenario(after={"state": "absent"}, remains="snapshot"),
    "upgrade": Scenario(
        before=({}, {"env": {"A": "1"}}),
        after={"env": {"A": "1"}},
        options={"operation": "upgrade"},
        prepare=newer_base,
        remains="snapshot",
    ),
    "restore": Scenario(
        before=({}, {"env": {"A": "0"}}, {"env": {"A": "1"}}),
        after={"env": {"A": "1"}},
        options={"operation": "restore", "snapshot": OLDEST},
        remains="snapshot",
    ),
    "restore of the oldest that is kept": Scenario(
        before=({}, {"env": {"A": "0"}}, {"env": {"A": "1"}}, {"env": {"A": "2"}}),
        after={"env": {"A": "2"}},
        options={"operation": "restore", "snapshot": OLDEST},
        remains="snapshot",
    ),
    "restore of one beyond what is kept": Scenario(
        before=({}, {"env": {"A": "0"}}, {"env": {"A": "1"}}, {"env": {"A": "2"}}),
        after={"env": {"A": "2"}, "snapshot": {"keep": 2}},
        options={"operation": "restore", "snapshot": OLDEST},
        remains="snapshot",
    ),
    "removal that prunes": Scenario(
        before=({}, {"env": {"A": "0"}}, {"env": {"A": "1"}}),
        after={"state": "absent", "snapshot": {"keep": 1}},
        remains="snapshot",
    ),
    "reset": Scenario(before=({}, {"env": {"A": "1"}}), options={"operation": "reset"}, remains=None),
    "destruction": Scenario(
        before=({}, {"env": {"A": "1"}}), options={"operation": "destroy", "destroy_data": True}, remains=None
    ),
    "destruction that keeps data": Scenario(options={"operation": "destroy"}, remains="snapshot"),
}


class Bench:
    """A host with an engine in memory, and the runs on it."""

    def __init__(self, scenario: Scenario, state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.scenario = scenario
        self.engine = FakeEngine(driver_status=scenario.store)
        self._state_dir = str(state_dir)
        write = Records.write

        def written(records: Records, project: str, record: Record) -> None:
            self.engine.do("write the record", lambda: write(records, project, record))

        monkeypatch.setattr(Records, "write", written)
        put = host_writer_module._put

        def put_file(folder: str, path: str, *what: Any) -> None:
            self.engine.do(f"put {path}", lambda: put(folder, path, *what))

        monkeypatch.setattr(host_writer_module, "_put", put_file)
        for module in (preview_module, reconcile_module):
            monkeypatch.setattr(module, "open_engine", lambda *args: (self.engine, []))
        for settings in scenario.before:
            self.run(settings)
        if scenario.before:
            self.engine.write(self.id, MARKER)
        self.engine.volume_list = [{"Name": "berth-web-home", "Labels": ownership_labels("web", "default")}]
        if scenario.prepare:
            scenario.prepare(self.engine)
        if scenario.secret:
            self.engine.output = (f"{TAKEN}{scenario.host_state.generation}", READY)
        self.begun_at = len(self.engine.calls)
        self.nameless_before = self.engine.nameless
        self.snapshots_before = self.snapshots
        self.oldest = self.lineage.snapshots[-1] if self.lineage.snapshots else None

    @property
    def files(self) -> dict[str, Any]:
        """The host state there is."""
        return dict(read_host_state(f"{self._state_dir}/projects/web"))

    @property
    def record(self) -> Record:
        return Records(self._state_dir).read("web")

    @property
    def lineage(self) -> Lineage:
        return Snapshots(self.engine.images(), "default").of("web")

    @property
    def snapshots(self) -> int:
        return len(self.lineage.snapshots)

    @property
    def id(self) -> str:
        return str((self.engine.container("berth-web") or {})["Id"])

    def run(self, settings: Mapping[str, Any], **options: Any) -> dict[str, Any]:
        """As the control node's half does it: what comes from a definition is carried out only where a plan says so."""
        payload: dict[str, Any] = {"projects": [{**WEB, **settings}], "declared": ["web"]}
        if settings is self.scenario.after and self.scenario.secret:
            files = {path: asdict(one) for path, one in self.scenario.host_state.files.items()}
            payload["states"] = {"web": {"files": files}}
            content = self.scenario.secret.encode()
            payload["contents"] = {hash_of(content): base64.b64encode(content).decode()}
        params = {name: spec.get("default") for name, spec in container_args().items()}
        params.update(payload=json.dumps(payload), state_dir=self._state_dir, lock_timeout=0, **options)
        if params["operation"] in FROM_DEFINITION:
            planned = preview_module.preview(params)
            if not planned["is_due"]:
                return planned
        return reconcile_module.reconcile(params, check_mode=False)

    def work(self) -> dict[str, Any]:
        """The run that is cut off, or the same once more."""
        options = dict(self.scenario.options)
        if options.get("snapshot") == OLDEST and self.oldest:
            options["snapshot"] = self.oldest.tag
        return self.run(self.scenario.after, **options)

    def places(self) -> list[str]:
        """What has the marker: containers and images, by the names that they are reached by."""
        return [name for name in [*self.engine.names, *self.engine.tags] if MARKER in self.engine.files(name)]


def calls_of(scenario: Scenario, tmp_path: Path) -> list[str]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        bench = Bench(scenario, tmp_path, monkeypatch)
        bench.work()
        return bench.engine.calls[bench.begun_at :]


@pytest.fixture(params=SCENARIOS)
def scenario(request: pytest.FixtureRequest) -> Scenario:
    return SCENARIOS[request.param]


@pytest.mark.parametrize("is_late", [False, True], ids=["before the call", "after it"])
def test_a_run_that_is_killed_is_mended_by_the_next_and_nothing_is_lost(
    scenario: Scenario, is_late: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, call in enumerate(calls_of(scenario, tmp_path / "whole"), start=1):
        bench = Bench(scenario, tmp_path / str(number), monkeypatch)
        bench.engine.fail(number, is_late, Killed(), is_for_good=True)
        with pytest.raises(Killed):
            bench.work()
        where = f"killed {'after' if is_late else 'before'} call {number}, {call}"
        assert not scenario.remains or bench.places(), where
        bench.engine.mend()
        assert_mended(bench, where)


@pytest.mark.parametrize("is_late", [False, True], ids=["refused", "its answer lost"])
def test_a_call_that_fails_is_mended_by_the_next_run_and_nothing_is_lost(
    scenario: Scenario, is_late: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, call in enumerate(calls_of(scenario, tmp_path / "whole"), start=1):
        bench = Bench(scenario, tmp_path / str(number), monkeypatch)
        bench.engine.fail(number, is_late, EngineError("the sky fell", None if is_late else 500))
        bench.work()
        where = f"{'the answer lost of' if is_late else 'refused'} call {number}, {call}"
        assert not scenario.remains or bench.places(), where
        bench.engine.mend()
        assert_mended(bench, where)


def assert_mended(bench: Bench, where: str) -> None:
    """The same run once more is as if nothing had happened; yet another has nothing to do."""
    scenario, engine = bench.scenario, bench.engine
    mended = bench.work()
    assert [project["error"] for project in mended["projects"]] == [None], where
    if scenario.options.get("operation") not in ("reset", "restore"):
        again = bench.work()
        assert not again["changed"], f"{where}: {again['projects'][0]['steps']}"
    if scenario.options:
        bench.run(scenario.after)
        assert not bench.run(scenario.after)["changed"], where
    assert engine.nameless == bench.nameless_before, where
    assert bench.snapshots <= max(bench.snapshots_before, 3) + 1, where
    state = scenario.host_state
    assert differing_files(state, ME["user"]["uid"], bench.files) == [], where
    assert not state.files or bench.record.taken == state.generation, where
    is_gone = scenario.after.get("state") == "absent"
    assert ("berth-web" in engine.names) is not is_gone, where
    if scenario.remains != "anywhere" and scenario.after.get("state") != "stopped":
        assert [name for name in engine.names if ".old." in name] == [], where
    assert scenario.remains != "container" or MARKER in engine.files("berth-web"), where
    assert not scenario.remains or bench.places(), where
    if scenario.options.get("operation") == "restore" and bench.oldest:
        assert bench.lineage.latest and bench.lineage.latest.id == bench.oldest.id, where
        assert (engine.container("berth-web") or {})["Image"] == bench.oldest.id, where


REPLACES = [name for name, one in SCENARIOS.items() if name.startswith("replace") and one.remains == "container"]


def test_a_run_that_was_killed_is_mended_also_where_something_else_is_wanted_by_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in REPLACES:
        scenario = SCENARIOS[name]
        for number, call in enumerate(calls_of(scenario, tmp_path / name / "whole"), start=1):
            bench = Bench(scenario, tmp_path / name / str(number), monkeypatch)
            bench.engine.fail(number, False, Killed(), is_for_good=True)
            with pytest.raises(Killed):
                bench.work()
            bench.engine.mend()
            wanted = {**scenario.after, "env": {"A": "3"}, "state": "started"}
            where = f"{name}, killed before call {number}, {call}"
            assert [project["error"] for project in bench.run(wanted)["projects"]] == [None], where
            assert not bench.run(wanted)["changed"], where
            assert MARKER in bench.engine.files("berth-web"), where
            assert list(bench.engine.names) == ["berth-web"], where
