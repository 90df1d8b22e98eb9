# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role `engine` with gVisor, on an engine of the test's own: what it writes, what it leaves, what it finishes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from island import Island, has_gvisor, island

from playbooks import Run, run_playbook

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="namespaces take root"),
    pytest.mark.skipif(not has_gvisor(), reason="no runsc on this machine (package runsc)"),
    pytest.mark.skipif(
        Path("/run/systemd/system").exists(), reason="with systemd, the role reloads the host's own engine"
    ),
]

PLAY = """
- hosts: all
  gather_facts: false
  roles: [berth.projects.engine]
"""
OTHERS: dict[str, Any] = {"log-level": "warn", "runtimes": {"other": {"path": "/usr/bin/other"}}, "debug": False}


@pytest.fixture(scope="module")
def place(engine: None) -> Iterator[Island]:
    with island() as made:
        yield made


@pytest.fixture
def bare(place: Island) -> Island:
    """The engine without gVisor, with a configuration of somebody's own."""
    place.restart_engine(with_gvisor=False)
    place.configuration.write_text(json.dumps(OTHERS))
    place.configuration.chmod(0o600)
    return place


def run(place: Island, folder: Path, *arguments: str, **variables: Any) -> Run:
    play = folder / "engine.yml"
    play.write_text(PLAY)
    where = {
        "engine_socket": place.docker_host[len("unix://") :],
        "engine_configuration": str(place.configuration),
        "engine_pidfile": str(place.pidfile),
        "berth_engine_gvisor": True,
    }
    return run_playbook(play, folder, arguments=[*arguments, "-e", json.dumps({**where, **variables})])


def known(place: Island) -> Any:
    return place.api.info()["Runtimes"].get("runsc")


def test_gvisor_is_added_to_what_is_there_and_the_engine_goes_on(bare: Island, tmp_path: Path) -> None:
    before = bare.api.info()["ID"], bare.pidfile.read_text()
    assert run(bare, tmp_path).succeeded().changed > 0
    runsc = {"path": "/usr/bin/runsc", "runtimeArgs": ["--overlay2=none"]}
    written = json.loads(bare.configuration.read_text())
    assert written == {**OTHERS, "runtimes": {**OTHERS["runtimes"], "runsc": runsc}}
    assert list(written) == list(OTHERS) and bare.configuration.stat().st_mode & 0o777 == 0o600
    assert known(bare) == runsc
    assert (bare.api.info()["ID"], bare.pidfile.read_text()) == before
    assert run(bare, tmp_path).succeeded().changed == 0


def test_check_mode_tells_of_it_and_changes_nothing(bare: Island, tmp_path: Path) -> None:
    assert run(bare, tmp_path, "--check").succeeded().changed == 2
    assert json.loads(bare.configuration.read_text()) == OTHERS and known(bare) is None


def test_arguments_that_are_there_stay_and_what_snapshots_need_comes_to_them(bare: Island, tmp_path: Path) -> None:
    own = {"path": "/usr/bin/runsc", "runtimeArgs": ["--network=host"]}
    bare.configuration.write_text(json.dumps({"runtimes": {"runsc": own}}))
    run(bare, tmp_path).succeeded()
    assert known(bare)["runtimeArgs"] == ["--network=host", "--overlay2=none"]
    run(bare, tmp_path, berth_engine_gvisor_args=["--network=host"]).succeeded()
    assert known(bare)["runtimeArgs"] == ["--network=host"]


def test_what_was_written_and_never_read_is_read_by_the_next_run(bare: Island, tmp_path: Path) -> None:
    runsc = {"path": "/usr/bin/runsc", "runtimeArgs": ["--overlay2=none"]}
    bare.configuration.write_text(json.dumps({"runtimes": {"runsc": runsc}}))
    assert known(bare) is None
    assert run(bare, tmp_path).succeeded().changed == 1
    assert known(bare) == runsc


def test_a_configuration_that_is_no_json_stays_as_it_is(bare: Island, tmp_path: Path) -> None:
    bare.configuration.write_text("{no json")
    assert run(bare, tmp_path).rc != 0
    assert bare.configuration.read_text() == "{no json"


SHIM = {"runtimes": {"runsc": {"runtimeType": "io.containerd.runsc.v1", "options": {"ConfigPath": "/etc/runsc.toml"}}}}


def test_a_shim_that_is_registered_stays_as_it_is(bare: Island, tmp_path: Path) -> None:
    """An engine that finds a path or arguments beside runtimeType does not start any more."""
    bare.configuration.write_text(json.dumps(SHIM))
    assert run(bare, tmp_path).succeeded().changed == 1
    assert known(bare) is not None
    assert run(bare, tmp_path).succeeded().changed == 0
    assert json.loads(bare.configuration.read_text()) == SHIM


def test_arguments_for_a_shim_are_refused_before_anything_is_written(bare: Island, tmp_path: Path) -> None:
    bare.configuration.write_text(json.dumps(SHIM))
    failed = run(bare, tmp_path, berth_engine_gvisor_args=["--network=host"])
    assert failed.rc != 0 and "takes its arguments from a file of its own" in failed.output
    assert json.loads(bare.configuration.read_text()) == SHIM and known(bare) is None


@pytest.mark.parametrize("is_there", [True, False])
def test_a_configuration_that_the_engine_does_not_take_is_put_back(
    bare: Island, tmp_path: Path, is_there: bool
) -> None:
    """It refuses a key that it was given as a flag, too, and reads nothing of the file."""
    before = '{"data-root":   "/elsewhere"}'
    bare.configuration.write_text(before)
    if not is_there:  # without systemd the role reloads by this file, and here nobody is behind it
        bare.configuration.unlink()
    pidfile = {} if is_there else {"engine_pidfile": str(tmp_path / "nobody")}
    failed = run(bare, tmp_path, berth_engine_wait=2, **pidfile)
    assert failed.rc != 0 and "is as it was before" in failed.output
    assert known(bare) is None
    left = {path.name: path.read_text() for path in bare.configuration.parent.glob("daemon.json*")}
    assert left == ({"daemon.json": before} if is_there else {})
