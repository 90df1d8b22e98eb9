# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs that are killed at any of their calls: nothing is lost, and the next run of the same mends what is left.

The engine is one in memory, so that every moment of every operation can be tried. What a real engine does is tried in
the integration tests.
"""

from __future__ import annotations

import base64
import copy
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils import host_writer as host_writer_module
from ansible_collections.berth.projects.plugins.module_utils import preview as preview_module
from ansible_collections.berth.projects.plugins.module_utils import proxies as proxies_module
from ansible_collections.berth.projects.plugins.module_utils import reconcile as reconcile_module
from ansible_collections.berth.projects.plugins.module_utils.aspects_network import egress_of
from ansible_collections.berth.projects.plugins.module_utils.definition import Network
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
from ansible_collections.berth.projects.plugins.module_utils.names import CONTRACT, PROXY_IMAGE, ownership_labels
from ansible_collections.berth.projects.plugins.module_utils.networks import wanted_networks
from ansible_collections.berth.projects.plugins.module_utils.options import container_args
from ansible_collections.berth.projects.plugins.module_utils.records import Record, Records
from ansible_collections.berth.projects.plugins.module_utils.terms import FROM_DEFINITION
from ansible_collections.berth.projects.plugins.module_utils.whole_file import write_whole_bytes
from ansible_collections.berth.projects.tests.unit.builders import IMAGE
from ansible_collections.berth.projects.tests.unit.fake_engine import CONTAINERD_STORE, FakeEngine, Killed

PROXY = {"image": PROXY_IMAGE, "command": [], "reload": ["/reload"], "says_ready": True}
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
        marked: Of which of the first ones the container gets the marker.
        remains: Where the marker has to be in the end: ``container``, ``snapshot``, or nowhere.
        prepare: Done to the engine between the two.
        secret: What the run that is cut off has as a secret of the project; None where there is no host state.
    """

    before: tuple[Mapping[str, Any], ...] = ({},)
    after: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    store: Any = ()
    marked: int = -1
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


def without_its_networks(engine: FakeEngine) -> None:
    """Somebody has stopped all containers, and let the engine clear away what is not used then."""
    for name in list(engine.names):
        engine.stop(str((engine.container(name) or {})["Id"]), 1)
        if name == "berth-web.proxy":
            engine.remove(str((engine.container(name) or {})["Id"]))
    engine.network_list.clear()


def proxy_image(engine: FakeEngine) -> None:
    engine.add_image("sha256:bb", {"Labels": {}}, PROXY_IMAGE)


REPLACE = {"env": {"A": "2"}}
PORTS = {"ports": [{"host": 8080, "container": 80}]}
OPEN: Mapping[str, Any] = {**PORTS}
RESTRICTED = {**PORTS, "network": {"egress": "restricted", "allow": ["example.com"]}}
CUT_OFF = {"network": {"egress": "none"}}
STOPPED = {"state": "stopped"}
NETWORKS = {
    "first creation with restricted egress": Scenario(before=(), after=RESTRICTED, remains=None),
    "open to restricted": Scenario(before=(OPEN,), after=RESTRICTED),
    "restricted to open": Scenario(before=(RESTRICTED,), after=OPEN),
    "restricted to none": Scenario(before=(RESTRICTED,), after=CUT_OFF),
    "none to restricted": Scenario(before=(CUT_OFF,), after=RESTRICTED),
    "another allow": Scenario(
        before=(RESTRICTED,), after={**PORTS, "network": {"egress": "restricted", "allow": ["example.org"]}}
    ),
    "other ports of a restricted one": Scenario(
        before=(RESTRICTED,), after={**RESTRICTED, "ports": [{"host": 8081, "container": 80}]}
    ),
    "replace of a restricted one": Scenario(before=(RESTRICTED,), after={**RESTRICTED, **REPLACE}),
    "stop of a restricted one": Scenario(before=(RESTRICTED,), after={**RESTRICTED, **STOPPED}),
    "start of a restricted one": Scenario(before=(RESTRICTED, {**RESTRICTED, **STOPPED}), after=RESTRICTED),
    "open to restricted that is to be stopped": Scenario(before=(OPEN,), after={**RESTRICTED, **STOPPED}),
    "start of one that became restricted while it was stopped": Scenario(
        before=(OPEN, {**RESTRICTED, **STOPPED}), after=RESTRICTED, marked=0
    ),
    "start of one that became open while it was stopped": Scenario(
        before=(RESTRICTED, {**OPEN, **STOPPED}), after=OPEN, marked=0
    ),
    "networks of an open one are gone": Scenario(before=(OPEN,), after=OPEN, prepare=without_its_networks),
    "networks of a restricted one are gone": Scenario(
        before=(RESTRICTED,), after=RESTRICTED, prepare=without_its_networks
    ),
    "removal of a restricted one": Scenario(
        before=(RESTRICTED,), after={**RESTRICTED, "state": "absent"}, remains="snapshot"
    ),
    "restore of a restricted one": Scenario(
        before=(RESTRICTED, {**RESTRICTED, "env": {"A": "1"}}),
        after={**RESTRICTED, "env": {"A": "1"}},
        options={"operation": "restore", "snapshot": OLDEST},
        remains="snapshot",
    ),
    "reset to restricted": Scenario(before=(OPEN,), after=RESTRICTED, options={"operation": "reset"}, remains=None),
    "reset of a restricted one": Scenario(
        before=(RESTRICTED,), after=RESTRICTED, options={"operation": "reset"}, remains=None
    ),
    "destruction of a restricted one": Scenario(
        before=(RESTRICTED,),
        after=RESTRICTED,
        options={"operation": "destroy", "destroy_data": True},
        remains=None,
    ),
}
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
    **NETWORKS,
}


class Bench:
    """A host with an engine in memory, and the runs on it."""

    def __init__(self, scenario: Scenario, state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.scenario = scenario
        self.is_else_wanted = False
        self.ways_out: list[str] = []
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

        def write_file(path: str, content: bytes, mode: int) -> None:
            what = os.path.basename(path)
            self.engine.do(f"write {what}", lambda: write_whole_bytes(path, content, mode))

        monkeypatch.setattr(proxies_module, "write_whole_bytes", write_file)
        proxy_image(self.engine)
        for module in (preview_module, reconcile_module):
            monkeypatch.setattr(module, "open_engine", lambda *args: (self.engine, []))
        for number, settings in enumerate(scenario.before):
            self.run(settings)
            if number == scenario.marked % len(scenario.before):
                self.engine.write(self.id, MARKER)
        self.engine.volume_list = [{"Name": "berth-web-home", "Labels": ownership_labels("web", "default")}]
        if scenario.prepare:
            scenario.prepare(self.engine)
        if scenario.secret:
            self.engine.output = (f"{TAKEN}{scenario.host_state.generation}", READY)
        self.begun_at = len(self.engine.calls)
        self.nameless_before = self.engine.nameless
        self.snapshots_before = self.snapshots
        self.before = {str(one["Id"]) for one in self.containers}
        self.engine.watch = self.look_for_a_way_out
        self.oldest = self.lineage.snapshots[-1] if self.lineage.snapshots else None

    @property
    def containers(self) -> list[dict[str, Any]]:
        """Those of the project, without the one of its proxy."""
        own = (name for name in self.engine.names if name.startswith("berth-web") and not name.endswith(".proxy"))
        found = [self.engine.container(name) for name in own]
        return [one for one in found if one]

    def look_for_a_way_out(self) -> None:
        """A container that is made by the run that is cut off, or by its repetition, reaches what is declared only.

        What is found is kept for later: the run would take an exception for a call that failed.
        """
        declared = Network(**(self.scenario.after.get("network") or {})).egress
        for one in self.containers:
            joined = set(one["NetworkSettings"]["Networks"])
            is_new = one["Id"] not in self.before and not self.is_else_wanted
            own = {spec.name for spec in wanted_networks("web", egress_of(one))[:1]} | {"none"}
            if (is_new and egress_of(one) != declared) or not joined <= own:
                self.ways_out.append(f"{self.engine.calls[-1]}: {one['Name']} on {sorted(joined)}")

    def demand_networks(self, where: str) -> None:
        """The project has the networks and the proxy that its containers need, and nothing else is left."""
        assert self.ways_out == [], where
        needed = {egress_of(one) for one in self.containers}
        names = {spec.name for egress in needed for spec in wanted_networks("web", egress)}
        assert {one["Name"] for one in self.engine.network_list} == names, where
        own = self.engine.container("berth-web")
        runs = bool(own and own["State"]["Running"]) and egress_of(own or {}) == "restricted"
        assert ("berth-web.proxy" in self.engine.names) is ("restricted" in needed), where
        assert (self.engine.names.get("berth-web.proxy") == "running") is runs, where

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
        if (settings.get("network") or {}).get("egress") == "restricted":
            content = f"allow {settings['network']['allow']}".encode()
            payload.setdefault("contents", {})[hash_of(content)] = base64.b64encode(content).decode()
            payload["proxies"] = {"web": {**PROXY, "config": hash_of(content)}}
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
    bench.demand_networks(where)
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
            assert [one["Name"] for one in bench.containers] == ["/berth-web"], where
            bench.demand_networks(where)


@pytest.mark.parametrize("name", ["open to restricted", "restricted to open", "restricted to none", "another allow"])
def test_a_run_that_was_killed_is_undone_where_what_was_before_is_wanted_again(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old container gets its ports, its networks and its proxy back, whatever of the new ones there is already."""
    scenario = SCENARIOS[name]
    for number, call in enumerate(calls_of(scenario, tmp_path / "whole"), start=1):
        bench = Bench(scenario, tmp_path / str(number), monkeypatch)
        bench.engine.fail(number, False, Killed(), is_for_good=True)
        with pytest.raises(Killed):
            bench.work()
        bench.engine.mend()
        bench.is_else_wanted = True
        (wanted,) = scenario.before
        where = f"{name}, killed before call {number}, {call}"
        assert [project["error"] for project in bench.run(wanted)["projects"]] == [None], where
        again = bench.run(wanted)
        assert not again["changed"], f"{where}: {again['projects'][0]['steps']}"
        assert MARKER in bench.engine.files("berth-web"), where
        bench.demand_networks(where)


FAILING = {
    name: Scenario(before=one.before, after={**one.after, "env": {"A": "new"}})
    for name, one in NETWORKS.items()
    if name in ("open to restricted", "restricted to open", "restricted to none", "none to restricted", "another allow")
}


@pytest.mark.parametrize("name", FAILING)
def test_a_container_that_does_not_become_ready_gives_way_to_the_old_one_with_its_proxy_and_its_ports(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(FAILING[name], tmp_path, monkeypatch)
    old = bench.id
    bench.engine.output_of["berth-web"] = ("dark",)
    (project,) = bench.work()["projects"]
    assert "Its last lines: dark. The old container is running as berth-web." in project["error"]
    assert (bench.id, bench.engine.names["berth-web"]) == (old, "running")
    is_restricted = egress_of(bench.engine.container("berth-web") or {}) == "restricted"
    assert (bench.engine.names.get("berth-web.proxy") == "running") is is_restricted
    bench.engine.output_of.clear()
    assert_mended(bench, name)


def test_an_old_container_runs_again_also_where_its_proxy_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new proxy has ports that somebody else has; the old one had to go for it."""
    after = {**RESTRICTED, **REPLACE, "ports": [{"host": 9000, "container": 80}]}
    bench = Bench(Scenario(before=(RESTRICTED,), after=after), tmp_path, monkeypatch)
    other = copy.deepcopy(bench.containers[0])
    other.update(Id="07e4" + "0" * 60, Name="/other")
    other["Config"]["Labels"], other["NetworkSettings"] = {}, {"Networks": {}}
    other["HostConfig"]["PortBindings"] = {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "9000"}]}
    bench.engine.hold(other)
    old = bench.id
    (project,) = bench.work()["projects"]
    assert "port 9000 is already allocated" in project["error"]
    assert "Its proxy could not be started again" in project["error"]
    assert (bench.id, bench.engine.names["berth-web"]) == (old, "running")
    bench.engine.remove(other["Id"])
    assert_mended(bench, "once the port is free")
