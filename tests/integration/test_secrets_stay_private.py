# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No secret is found anywhere but in the files that are the agent's alone, whatever is run and whatever fails."""

from __future__ import annotations

import base64
import json
import os
import secrets
import stat
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from engine_names import Namespace

from playbooks import BIN, Run, run_playbook

pytestmark = pytest.mark.slow_image

NAMES = ("api", "oauth", "git", "mcp_header", "mcp_env", "plain", "aws_id", "aws_key")
PREFIX = "s3cr3t"
LOUD = ("-vvvv", "--diff")


class Host:
    """A host with one project that uses every way in which a secret is used."""

    def __init__(self, namespace: Namespace, folder: Path, tmp_path: Path) -> None:
        self.values = {name: PREFIX + secrets.token_hex(12) for name in NAMES}
        self.namespace = namespace
        self.name = namespace.project()
        self.tmp_path = tmp_path
        self.keys = tmp_path / "keys"
        self.keys.mkdir(mode=0o700)
        key = self.keys / "id_ed25519"
        key.write_text(self._value("ssh"))
        key.chmod(0o600)
        self.project: dict[str, Any] = {
            "name": self.name,
            "workspaces": [{"path": str(folder)}],
            "user": {"uid": 4321, "gid": 4321},
            "healthcheck": {"disk_limit": 100},
            "secrets": {name: "{{ vaulted." + name + " }}" for name in NAMES},
            "auth": {"mode": "anthropic", "api_key": "api"},
            "git": {"user_name": "A", "user_email": "a@example.org", "token": "git", "hosts": ["git.example.org"]},
            "ssh": {"path": str(self.keys), "keys": ["id_ed25519"]},
            "mcp_servers": {
                "remote": {
                    "type": "http",
                    "url": "https://mcp.example.org/",
                    "headers": {"Authorization": "Bearer ${secret:mcp_header}"},
                },
                "local": {"type": "stdio", "command": "/bin/true", "env": {"KEY": "${secret:mcp_env}"}},
            },
            "instructions": "Be kind.",
            "schedule": [{"name": "nightly", "cron": "0 3 * * *", "prompt": "tidy up"}],
        }
        self.vault = tmp_path / "vault.yml"
        self.password = tmp_path / "password"
        self.password.write_text("open sesame")
        self.encrypt()

    def _value(self, name: str) -> str:
        return self.values.setdefault(name, PREFIX + secrets.token_hex(12))

    def encrypt(self) -> None:
        """Put the values of today into the vault."""
        self.vault.write_text(json.dumps({"vaulted": {name: self.values[name] for name in NAMES}}))
        command = [BIN / "ansible-vault", "encrypt", "--vault-password-file", self.password, self.vault]
        subprocess.run(command, check=True, capture_output=True)

    def run(self, playbook: str, *arguments: str, **changes: Any) -> Run:
        project = {**self.project, **changes}
        return run_playbook(
            f"berth.projects.{playbook}",
            self.tmp_path,
            variables={"berth_scope": self.namespace.scope, "berth_projects": [project]},
            arguments=[*LOUD, "-e", f"@{self.vault}", "--vault-password-file", str(self.password), *arguments],
            timeout=1800,
        )

    def found_in(self, text: str | bytes) -> list[str]:
        """The names of the secrets that a text has, as they are or in base64."""
        data = text.encode() if isinstance(text, str) else text
        if not any(form in data for form in _forms(PREFIX)):
            return []
        return [name for name, value in self.values.items() if any(form in data for form in _forms(value))]

    def found_in_image(self, api: Any, reference: str) -> list[str]:
        """The names of the secrets that are in what ``docker save`` prints; some gigabytes, so never all at once."""
        found: set[str] = set()
        last = b""
        for chunk in api.get_image(reference, chunk_size=16 * 1024 * 1024):
            found.update(self.found_in(last + chunk))
            last = chunk[-200:]
        return sorted(found)

    def readable_by_others(self) -> dict[str, list[str]]:
        """The files of the host that others may read and that have a secret."""
        folders = [self.tmp_path, Path.home() / ".ansible" / "tmp", Path("/tmp/.ansible")]
        found = {}
        for path in (path for folder in folders for path in folder.rglob("*") if path.is_file()):
            if path.stat().st_mode & (stat.S_IROTH | stat.S_IRGRP) and self.found_in(path.read_bytes()):
                found[str(path)] = self.found_in(path.read_bytes())
        return found


def _forms(value: str) -> list[bytes]:
    """A value as it is, and in base64 at each of the three offsets it may have in a longer text."""
    forms = [value.encode()]
    for offset in range(3):
        encoded = base64.b64encode(b"." * offset + value.encode())
        forms.append(encoded[-(-offset * 8 // 6) : (offset + len(value)) * 8 // 6])
    return forms


@contextmanager
def arguments_watched(host: Host, found: set[str]) -> Iterator[None]:
    """Look at the arguments of all processes, again and again, as long as the block runs."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.02):
            for process in Path("/proc").iterdir():
                if process.name.isdigit():
                    found.update(host.found_in(_read(process / "cmdline")))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


@pytest.fixture
def secret_host(namespace: Namespace, folder: Path, tmp_path: Path) -> Host:
    return Host(namespace, folder, tmp_path)


def test_a_search_finds_a_secret_however_it_is_written(secret_host: Host) -> None:
    value = secret_host.values["git"]
    assert secret_host.found_in(f"x{value}x") == ["git"]
    assert secret_host.found_in(base64.b64encode(f"token={value}\n".encode())) == ["git"]
    assert secret_host.found_in("nothing") == []


def test_no_secret_leaves_the_files_of_the_agent(secret_host: Host, api: Any) -> None:
    host, container = secret_host, secret_host.namespace.container()
    leaks: dict[str, list[str]] = {}
    arguments: set[str] = set()

    def ran(label: str, run: Run, ok: bool = True) -> Run:
        assert (run.rc == 0) is ok, run.output[-3000:]
        leaks[label] = host.found_in(run.output)
        return run

    def looked(label: str) -> None:
        shown = api.inspect_container(container)
        leaks[f"inspect, {label}"] = host.found_in(json.dumps(shown))
        leaks[f"init, {label}"] = host.found_in(_read(Path("/proc") / str(shown["State"]["Pid"]) / "environ"))

    confirmed = ("-e", f"berth_confirm={host.name}")
    only = ("-e", f"berth_only={host.name}")
    with arguments_watched(host, arguments):
        ran("check", host.run("provision", "--check"))
        ran("provision", host.run("provision"))
        looked("provisioned")
        assert ran("again", host.run("provision")).changed == 0
        for playbook in ("status", "snapshot", "stop", "start", "upgrade"):
            ran(playbook, host.run(playbook))
        ran("restore", host.run("restore", *only))
        looked("restored")

        before = dict(host.values)
        host.values["git"] = PREFIX + secrets.token_hex(12)
        host.encrypt()
        rotated = ran("rotated", host.run("provision"))
        assert rotated.projects()[host.name]["steps"] == ["sync secrets", "take-over"]
        leaks["rotated, the old one"] = [name for name in before if before["git"] in rotated.output]

        applied = ("-e", "berth_apply_image_changes=true")
        ran("no such image", host.run("provision", *applied, image="registry.invalid/none:1"), ok=False)
        ran("too many cpus", host.run("provision", resources={"cpus": 4096}), ok=False)
        ran("not the name of a secret", host.run("provision", git={"token": host.values["git"]}), ok=False)
        ran("no text", host.run("provision", secrets={"git": {host.values["git"]: 1}}), ok=False)
        ran("no such server", host.run("provision", mcp_servers={"x": {"headers": host.values["api"]}}), ok=False)
        ran("no engine", host.run("provision", "-e", "{berth_engine: {docker_host: 'tcp://127.0.0.1:1'}}"), ok=False)
        ran("no state folder", host.run("provision", "-e", "berth_state_dir=/proc/none"), ok=False)
        ran("no keys", host.run("provision", ssh={"path": str(host.keys), "keys": ["gone"]}), ok=False)

        leaks["docker save"] = host.found_in_image(api, f"berth/{host.name}:latest")
        ran("reset", host.run("reset", *confirmed))
        looked("reset")
        ran("destroy", host.run("destroy", *confirmed))
        leaks["docker save, destroyed"] = host.found_in_image(api, f"berth/{host.name}:latest")

    assert {label: found for label, found in leaks.items() if found} == {}
    assert arguments == set()
    assert host.readable_by_others() == {}


def test_the_files_of_secrets_are_the_agents_alone_and_go_with_them(secret_host: Host, tmp_path: Path) -> None:
    host = secret_host
    host.run("provision").succeeded()
    state = tmp_path / "state" / "projects" / host.name
    private = [path for path in state.rglob("*") if path.is_file() and host.found_in(path.read_bytes())]
    assert len(private) > len(NAMES)
    assert {(oct(stat.S_IMODE(path.stat().st_mode)), path.stat().st_uid) for path in private} == {("0o400", 4321)}
    bare = dict.fromkeys(("secrets", "auth", "git", "ssh", "mcp_servers"))
    host.run("provision", **bare).succeeded()
    assert [path for path in state.rglob("*") if path.is_file() and host.found_in(path.read_bytes())] == []
    home = subprocess.run(
        ["docker", "exec", host.namespace.container(), "grep", "-rlE", "s3cr3t[0-9a-f]{24}", "/home/agent", "/etc"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ,
    )
    assert home.stdout == ""
