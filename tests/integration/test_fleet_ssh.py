# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that is reached by SSH, with a plain user and ``become``."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fleet import Fleet, actions, summary
from ssh_machine import NO_FILES, USER, SshMachine, ssh_machine
from tiny_image import build_tiny_image

from playbooks import Run

pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.geteuid() != 0, reason="debootstrap needs root"),
]

CORE_217 = os.environ.get("BERTH_CORE_217")
SECRET = "a-token-that-nobody-should-see-9f2c"
MOST_TASKS = 3


@pytest.fixture
def machine(api: Any, tmp_path: Path) -> Iterator[SshMachine]:
    tmp_path.chmod(0o755)
    made = ssh_machine(api, tmp_path)
    yield made
    made.remove()


@pytest.fixture
def remote(fleet: Fleet, machine: SshMachine) -> Fleet:
    """The machine with a project that has a secret. It has an engine's socket and no Docker SDK."""
    fleet.add("remote", **machine.variables)
    fleet.hosts["remote"]["berth_projects"] = [
        fleet.project("remote", secrets={"token": SECRET}, instructions="Be brief."),
        fleet.project("remote", "other"),
    ]
    return fleet


def check_everything(remote: Fleet, machine: SshMachine, **options: Any) -> None:
    name, other_name = remote.name("remote"), remote.name("remote", "other")
    assert "/var/run/docker.sock is there, but ops may not write to it" in remote.run(**options).messages
    machine.run("groupadd --gid $(stat -c %g /var/run/docker.sock) engine")
    machine.run(f"usermod --append --groups engine {USER}")
    machine.run(f"pkill -u {USER} sshd; true")  # the connection that Ansible keeps is one of before
    plain = remote.run(**options)
    assert f"{USER} may not install packages. Run the playbook with --become" in plain.messages

    machine.run("echo 3.20.0 > /etc/alpine-release")
    other = remote.run("--become", **options)
    assert (
        "Berth installs the Docker SDK for Python on Debian and Ubuntu only, and this host runs Alpine"
        in other.messages
    )
    assert "Install it for /usr/bin/python3 there, and run this again." in other.messages
    machine.run("rm /etc/alpine-release")

    checked = remote.run("--become", "--check", **options).succeeded()
    assert "Would install the Docker SDK for Python" in checked.stdout
    only = ["-e", f"berth_only={other_name}"]
    assert actions(remote.run("--become", *only, **options).succeeded(), "remote") == {other_name: "create"}

    remote.hosts["remote"].update(NO_FILES)
    first = remote.run("--become", "-vvv", "--diff", **options).succeeded()
    assert actions(first, "remote") == {name: "create", other_name: "none"}
    again = remote.run("--become", "-vvv", "--diff", **options).succeeded()
    assert again.changed == 0
    assert len(again.results) <= MOST_TASKS
    assert [result.action for result in again.results if result.status == "ok"] == ["berth.projects.container"]
    assert not [result for result in again.results if "setup" in result.action]

    remote.hosts["remote"]["berth_projects"][0]["secrets"]["token"] = f"{SECRET}-changed"
    synced = remote.run("--become", "-vvv", "--diff", **options).succeeded()
    assert actions(synced, "remote") == {name: "sync", other_name: "none"}
    for run in (first, again, synced):
        assert SECRET not in run.output
    state = remote.folder / "state" / "remote"
    found = machine.run(f"grep -rslF {SECRET} / --exclude-dir=proc --exclude-dir=sys || true").splitlines()
    assert found
    assert [
        path for path in found if not path.startswith(f"{state}/") and path != f"{remote.folder}/inventory.json"
    ] == []
    for path in found:
        assert path == f"{remote.folder}/inventory.json" or Path(path).stat().st_mode & 0o077 == 0

    machine.run("echo 3.20.0 > /etc/alpine-release")  # whoever brings their own may have any system
    assert remote.run("--become", **options).succeeded().changed == 0

    own = remote.folder / "own"  # without root, where all that the role needs is there
    machine.run(f"install -d -o {USER} {own}")
    remote.add("unprivileged", **machine.variables, **NO_FILES)
    remote.hosts = {"unprivileged": {**remote.hosts["unprivileged"], "berth_state_dir": str(own)}}
    remote.hosts["unprivileged"]["berth_projects"] = [remote.project("unprivileged", secrets={"token": SECRET})]
    assert remote.run(**options).succeeded().changed == 1
    assert remote.run(**options).succeeded().changed == 0


def test_a_plain_user_becomes_root_and_nothing_but_host_state_has_a_secret(remote: Fleet, machine: SshMachine) -> None:
    check_everything(remote, machine)


@pytest.mark.skipif(not CORE_217, reason="BERTH_CORE_217 does not say where ansible-core 2.17 is; make test does")
def test_it_is_so_on_the_oldest_core_as_well(remote: Fleet, machine: SshMachine) -> None:
    check_everything(remote, machine, programs=Path(CORE_217 or ""))


def test_a_host_that_dies_half_way_is_told_and_the_next_run_goes_on(
    remote: Fleet, machine: SshMachine, api: Any
) -> None:
    """The connection is cut while a container is waited for that never becomes ready."""
    remote.run("--become").succeeded()
    never_ready = build_tiny_image(api, ('ENTRYPOINT ["/bin/sleep", "300"]',))
    late = {"name": remote.name("remote", "late"), "image": never_ready}
    remote.hosts["remote"].update(berth_ready_timeout=15)
    remote.hosts["remote"]["berth_projects"].append(late)
    remote.add("other", berth_projects=[remote.project("other")])

    with ThreadPoolExecutor() as pool:
        running = pool.submit(remote.run, "--become")
        wait_for_container(api, f"berth-{late['name']}", running)
        machine.run("pkill -9 sshd")
        lost = running.result()
    assert lost.rc != 0
    assert summary(lost)[0] == "2 hosts: 1 unreachable, 1 changed"
    assert [line.split()[:2] for line in summary(lost)[1:3]] == [["unreachable", "remote"], ["changed", "other"]]

    machine.run("/usr/sbin/sshd")
    late["image"] = remote.tiny
    mended = remote.run("--become").succeeded()
    assert mended.projects("remote")[late["name"]]["status"] == "running"
    assert remote.run("--become").succeeded().changed == 0


def wait_for_container(api: Any, name: str, running: Future[Run]) -> None:
    while not api.containers(filters={"name": f"^/{name}$"}):
        assert not running.done(), running.result().output
        time.sleep(0.1)  # what the run makes here has no event in the run's own process
