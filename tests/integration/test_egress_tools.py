# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tools of the real base image behind the real proxy: npm, pip, apt, git over HTTPS and SSH, Claude Code."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from base_image import base_image
from engine_names import Namespace, address_of_bridge, engine_client, remove_everything
from git_server import GitServer, git_server
from host import TestHost
from proxy_image import proxy_image

pytestmark = pytest.mark.slow_image

REGISTRIES = ["deb.debian.org", "registry.npmjs.org", "pypi.org", "*.pythonhosted.org"]
SSH_PORT = 28222
HOST = "host.docker.internal"


@dataclass(frozen=True)
class Place:
    """A host, the project on it whose egress is restricted, and a git server on the host itself."""

    host: TestHost
    name: str
    server: GitServer
    namespace: Namespace

    def run(self, script: str, user: str = "agent") -> str:
        return self.host.run(self.name, "sh", "-ec", f"cd; {script}", user=user)

    def denied(self, project: dict[str, Any]) -> list[str]:
        shown = self.host.look(project).only
        return [one["request"] for one in shown["denied_last"]]


@pytest.fixture(scope="module")
def place(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    api, namespace = engine_client(), Namespace("egresstools")
    folder = tmp_path_factory.mktemp("egress")
    folder.chmod(0o755)
    remove_everything(api, namespace)
    bridge = address_of_bridge(api)
    host = TestHost(api, folder / "state", namespace.scope, base_image(), proxy_image())
    (folder / "served").mkdir()
    with git_server(folder / "served", bridge, "token") as server:
        made = Place(host, namespace.project("agent"), server, namespace)
        sshd = {
            "name": namespace.project("sshd"),
            "packages": {"apt": ["openssh-server"]},
            "ports": [{"host": SSH_PORT, "container": 2222, "host_ip": bridge}],
        }
        done = host.provision(sshd, project(made), ready_timeout=120)
        assert not [entry["error"] for entry in done.projects.values() if entry["error"]], done.raw
        yield made
    remove_everything(api, namespace)
    api.close()


def project(place: Place, *more: str) -> dict[str, Any]:
    https = place.server.address.rpartition(":")[2]
    allow = [*REGISTRIES, f"{HOST}:{https}", f"{HOST}:{SSH_PORT}", *more]
    return {"name": place.name, "network": {"egress": "restricted", "allow": allow, "host_access": True}}


def test_npm_installs(place: Place) -> None:
    place.run("mkdir -p app && cd app && npm init -y >/dev/null && npm install --no-audit --no-fund is-odd")
    assert place.run("ls app/node_modules").split() == ["is-number", "is-odd"]


def test_pip_installs(place: Place) -> None:
    place.run("python3 -m venv env && env/bin/pip install --quiet six")
    assert place.run("env/bin/python -c 'import six; print(six.__name__)'") == "six\n"


def test_apt_installs_under_sudo(place: Place) -> None:
    place.run("sudo apt-get update -qq && sudo apt-get install -y -qq --no-install-recommends tree >/dev/null 2>&1")
    assert place.run("tree --version").startswith("tree v")


def test_git_clones_over_https(place: Place) -> None:
    url = place.server.url.replace(place.server.address.partition(":")[0], HOST)
    login = url.replace("https://", "https://x-access-token:token@")
    place.run(f"GIT_SSL_NO_VERIFY=1 git clone --quiet {login} cloned")
    assert place.run("git -C cloned rev-parse --is-inside-work-tree") == "true\n"


def test_git_clones_over_ssh(place: Place, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    public, private = (tmp_path / "key.pub").read_text().strip(), (tmp_path / "key").read_text()
    sshd = place.namespace.project("sshd")
    prepare = (
        f"cd; mkdir -p .ssh && echo '{public}' >.ssh/authorized_keys && chmod 600 .ssh/authorized_keys;"
        " git init --quiet served && cd served && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m one"
    )
    place.host.run(sshd, "sh", "-ec", prepare)
    # The agent itself: sshd as root takes the capability to change its root folder, which no container has.
    serve = "cd; ssh-keygen -q -t ed25519 -N '' -f host_key; exec /usr/sbin/sshd -p 2222 -h ~/host_key -o PidFile=none"
    place.host.run(sshd, "sh", "-ec", serve)
    place.run(f"umask 077; mkdir -p .ssh; cat >.ssh/key <<'KEY'\n{private}KEY\n")
    options = "-o StrictHostKeyChecking=no -i ~/.ssh/key"
    place.run(f"GIT_SSH_COMMAND='ssh {options}' git clone -q ssh://agent@{HOST}:{SSH_PORT}/home/agent/served by-ssh")
    assert place.run("git -C by-ssh log --format=%s") == "one\n"


def test_the_agents_program_runs(place: Place) -> None:
    assert "Claude Code" in place.run("claude --version")


def test_a_login_shell_and_a_scheduled_task_know_of_the_proxy(place: Place) -> None:
    assert place.run("bash -lc 'echo $HTTPS_PROXY'") == "http://berth-proxy:3128\n"
    kept = place.run("tr '\\0' '\\n' </dev/shm/berth/environment")
    assert "https_proxy=http://berth-proxy:3128" in kept.splitlines()


def test_what_is_not_allowed_is_refused_and_told(place: Place) -> None:
    with pytest.raises(AssertionError, match="403"):
        place.run("curl -sS https://not-allowed.example/")
    assert place.denied(project(place))[-1] == "CONNECT not-allowed.example:443"
    with pytest.raises(AssertionError, match="Could not resolve host"):
        place.run("curl -sS --noproxy '*' https://registry.npmjs.org/")


def test_what_becomes_allowed_is_reached_without_a_restart(place: Place) -> None:
    started = place.host.container(place.name)["State"]["StartedAt"]
    wider = project(place, "not-allowed.example")
    done = place.host.provision(wider).only
    assert (done["steps"], done["error"]) == (["proxy reload"], None)
    with pytest.raises(AssertionError, match=r"50[023]"):  # there is no such name, but the proxy has looked for it
        place.run("curl -sS https://not-allowed.example/")
    assert place.host.container(place.name)["State"]["StartedAt"] == started


def test_the_proxy_is_a_matter_of_the_containers_own_health_check(place: Place) -> None:
    place.host.run(place.name, "/usr/local/lib/berth/healthcheck", user="root")
    try:
        with pytest.raises(AssertionError, match="the egress proxy does not answer"):
            place.host.api.stop(f"berth-{place.name}.proxy", timeout=1)
            place.host.run(place.name, "/usr/local/lib/berth/healthcheck", user="root")
    finally:
        place.host.provision(project(place))
    place.host.run(place.name, "/usr/local/lib/berth/healthcheck", user="root")
