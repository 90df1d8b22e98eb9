# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an agent may do in a container, with the real base image: all that Berth needs still works, and no more does."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from base_image import base_image
from engine_names import Namespace, engine_client, remove_everything
from host import TestHost

pytestmark = pytest.mark.slow_image

UID = 4321
PLANT = "cp /bin/sh /workspace/{0}/planted; {1} chown 0:0 /workspace/{0}/planted; {1} chmod 4755 /workspace/{0}/planted"


class Place:
    """A host with the real base image, and a folder for each of its projects."""

    def __init__(self, api: Any, folder: Path, namespace: Namespace) -> None:
        self.host = TestHost(api, folder / "state", namespace.scope, base_image())
        self._folder, self._namespace = folder, namespace

    def project(self, name: str, **keys: Any) -> dict[str, Any]:
        folder = self.folder(name)
        folder.mkdir(exist_ok=True)
        os.chown(folder, UID, UID)
        return {"name": self._namespace.project(name), "workspaces": [{"path": str(folder)}], **keys}

    def folder(self, name: str) -> Path:
        return self._folder / name

    def provision(self, project: dict[str, Any]) -> dict[str, Any]:
        done = dict(self.host.provision(project, ready_timeout=120).only)
        assert done["error"] is None, done["error"]
        assert not self.host.provision(project).changed
        return done

    def run(self, project: dict[str, Any], script: str, user: str = "agent") -> str:
        return self.host.run(project["name"], "sh", "-c", script, user=user)


@pytest.fixture(scope="module")
def place(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    api, namespace = engine_client(), Namespace("hardening")
    folder = tmp_path_factory.mktemp("hardening")
    folder.chmod(0o755)
    remove_everything(api, namespace)
    yield Place(api, folder, namespace)
    remove_everything(api, namespace)
    api.close()


@pytest.fixture(scope="module")
def strict(place: Place) -> dict[str, Any]:
    keys: dict[str, Any] = {
        "hardening": "strict",
        "timezone": "Europe/Berlin",
        "instructions": "Be brief.",
        "schedule": [{"name": "each", "cron": "* * * * *", "prompt": "x"}],
    }
    made = place.project("strict", **keys)
    assert place.provision(made)["action"] == "create"
    return made


def test_an_agent_with_ids_of_its_own_works_in_a_read_only_container(place: Place, strict: dict[str, Any]) -> None:
    assert place.run(strict, "id -u; id -un; stat -c %u /home/agent").split() == [str(UID), "agent", str(UID)]
    place.run(strict, "touch ~/a /tmp/b /workspace/strict/c && echo 'echo ran' >/tmp/d && chmod +x /tmp/d && /tmp/d")
    for path in ("/x", "/etc/x", "/usr/local/bin/x", "/var/x", "/opt/x"):
        with pytest.raises(AssertionError, match="Read-only file system"):
            place.run(strict, f"touch {path}", user="root")


def test_what_berth_does_in_a_container_works_in_a_read_only_one(place: Place, strict: dict[str, Any]) -> None:
    assert "Be brief." in place.run(strict, "cat ~/.claude/CLAUDE.md")
    assert "Claude Code" in place.run(strict, "claude --version", user="root")
    assert "each" in place.run(strict, "berth-schedule list")
    assert "berth" in place.run(strict, "cat /var/spool/cron/crontabs/agent")
    assert place.run(strict, "date +%Z").strip() in ("CET", "CEST")
    place.run(strict, "/usr/local/lib/berth/healthcheck", user="root")
    done = place.provision({**strict, "instructions": "Be verbose."})
    assert (done["action"], done["warnings"]) == ("sync", [])
    assert "Be verbose." in place.run(strict, "cat ~/.claude/CLAUDE.md")
    place.provision(strict)


def test_nothing_gains_privileges_in_a_strict_container(place: Place, strict: dict[str, Any]) -> None:
    status = place.run(strict, "grep -E '^(CapEff|CapPrm|NoNewPrivs|Seccomp):' /proc/self/status").split()
    assert status == ["CapPrm:", "0" * 16, "CapEff:", "0" * 16, "NoNewPrivs:", "1", "Seccomp:", "2"]
    for command in ("sudo -n id", "su -c id root </dev/null"):
        with pytest.raises(AssertionError):
            place.run(strict, command)


def test_a_strict_agent_leaves_no_setuid_file_of_roots_on_the_host(place: Place, strict: dict[str, Any]) -> None:
    place.run(strict, f"{PLANT.format('strict', '')} || true")
    found = (place.folder("strict") / "planted").stat()
    assert found.st_uid == UID


def test_a_standard_agent_can_and_the_page_says_so(place: Place) -> None:
    standard = place.project("standard")
    place.provision(standard)
    place.run(standard, PLANT.format("standard", "sudo"))
    found = (place.folder("standard") / "planted").stat()
    (place.folder("standard") / "planted").unlink()
    assert (found.st_uid, bool(found.st_mode & stat.S_ISUID)) == (0, True)
    page = Path(__file__).resolve().parents[2] / "docs" / "isolation.md"
    assert "On the host that file is what it says" in page.read_text()


def test_a_standard_agent_has_what_sudo_and_apt_take_and_no_more(place: Place) -> None:
    standard = place.project("standard")
    place.provision(standard)
    # programs with setgid (ssh-agent's kind: crontab) and with capabilities of their own (ping)
    install = "sudo apt-get update -qq && sudo apt-get install -y -qq --no-install-recommends iputils-ping bsdmainutils"
    place.run(standard, f"{install} >/dev/null 2>&1")
    assert place.run(standard, "stat -c '%A %G' /usr/bin/crontab").split() == ["-rwxr-sr-x", "crontab"]
    assert "unable to send audit" not in place.run(standard, "sudo true 2>&1")
    bounding = int(place.run(standard, "sudo grep CapBnd /proc/self/status").split()[1], 16)
    net_raw, net_admin, sys_admin, mknod = (1 << number for number in (13, 12, 21, 27))
    assert not bounding & (net_raw | net_admin | sys_admin | mknod)


def test_what_was_installed_outlives_a_time_as_a_strict_container(place: Place) -> None:
    project = place.project("both")
    place.provision(project)
    place.run(project, "sudo touch /opt/installed")
    for level in ("strict", "standard"):
        done = place.provision({**project, "hardening": level})
        assert done["action"] == "replace"
        assert place.run(project, "ls /opt/installed; id -u").split() == ["/opt/installed", str(UID)]


def test_other_ids_for_a_strict_container_with_a_lineage_are_refused_and_the_old_one_stays(place: Place) -> None:
    project = place.project("ids")
    place.provision(project)
    place.run(project, "sudo touch /opt/installed")
    strict = {**project, "hardening": "strict"}
    place.provision(strict)
    failed = place.host.provision({**strict, "user": {"uid": 5555}}, ready_timeout=120).only
    assert "5555:5555 are declared" in failed["error"] and "hardening: standard" in failed["error"]
    assert place.run(project, "id -u").strip() == str(UID)
