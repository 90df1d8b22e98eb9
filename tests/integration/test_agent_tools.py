# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tools that an agent works with, each against the real thing: Claude Code, git, ssh, the AWS SDK."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
from base_image import base_image
from engine_names import Namespace, address_of_bridge, engine_client, remove_everything
from git_server import git_server
from host import TestHost

pytestmark = pytest.mark.slow_image

USER = {"uid": 4321, "gid": 4321}
FILES = "@modelcontextprotocol/server-filesystem"
TOOLS = {"apt": ["openssh-server"], "npm": [FILES], "pip": ["botocore"]}
CREDENTIALS = """
import botocore.session, json, os
session = botocore.session.Session()
found = session.get_credentials()
print(json.dumps({
    "key": found and found.access_key, "method": found and found.method,
    "region": session.get_config_variable("region"),
    "bearer": os.environ.get("AWS_BEARER_TOKEN_BEDROCK"), "bedrock": os.environ.get("CLAUDE_CODE_USE_BEDROCK"),
}))
"""


@pytest.fixture(scope="module")
def agent_host(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestHost]:
    api, namespace = engine_client(), Namespace("agenttools")
    folder = tmp_path_factory.mktemp("tools")
    folder.chmod(0o755)
    remove_everything(api, namespace)
    yield TestHost(api, folder / "state", namespace.scope, base_image())
    remove_everything(api, namespace)
    api.close()


@pytest.fixture
def provisioned(agent_host: TestHost) -> Callable[..., str]:
    """Bring a project up, and return its name."""

    def provision(role: str, **settings: Any) -> str:
        name = Namespace("agenttools").project(role)
        project = {"name": name, "user": USER, "packages": TOOLS, **settings}
        done = agent_host.provision(project, ready_timeout=120)
        assert done.only["error"] is None
        return name

    return provision


@pytest.fixture
def bridge(api: Any) -> str:
    """The address of this machine on the engine's default network."""
    return address_of_bridge(api)


def test_claude_code_connects_to_what_is_declared_and_to_what_its_user_added(
    agent_host: TestHost, provisioned: Callable[..., str]
) -> None:
    def server(*folders: str) -> dict[str, Any]:
        return {"command": "npx", "args": ["-y", FILES, *folders]}

    name = provisioned("mcp", mcp_servers={"declared": server("/workspace"), "other": server("/tmp")})
    started = agent_host.container(name)["State"]["StartedAt"]
    agent_host.run(name, "claude", "mcp", "add", "--scope", "user", "mine", "--", "npx", "-y", FILES, "/home/agent")
    agent_host.run(name, "sh", "-c", "jq '.oauthAccount = \"login\"' ~/.claude.json >~/x && mv ~/x ~/.claude.json")
    before = agent_host.run(name, "claude", "mcp", "list")
    assert [before.count(f"{one}: npx") for one in ("declared", "other", "mine")] == [1, 1, 1]
    assert before.count("Connected") == 3, before

    provisioned("mcp", mcp_servers={"declared": server("/workspace")})
    after = agent_host.run(name, "claude", "mcp", "list")
    assert [after.count(f"{one}: npx") for one in ("declared", "other", "mine")] == [1, 0, 1]
    assert after.count("Connected") == 2, after
    assert agent_host.run(name, "sh", "-c", "jq -r .oauthAccount ~/.claude.json") == "login\n"
    assert agent_host.container(name)["State"]["StartedAt"] == started


def test_git_pushes_over_https_with_the_token_of_today(
    agent_host: TestHost, provisioned: Callable[..., str], bridge: str, folder: Path, tmp_path: Path
) -> None:
    served = tmp_path / "served"
    served.mkdir()
    with git_server(served, bridge, "the-new-token") as server:
        shutil.copy(server.certificate, folder / "certificate.pem")

        def settings(token: str, hosts: list[str]) -> dict[str, Any]:
            return {
                "workspaces": [{"path": str(folder), "name": "app"}],
                "env": {"GIT_SSL_CAINFO": "/workspace/app/certificate.pem", "GIT_TERMINAL_PROMPT": "0"},
                "secrets": {"git": token},
                "git": {"user_name": "Ada", "user_email": "ada@example.org", "token": "git", "hosts": hosts},
            }

        name = provisioned("git", **settings("the-old-token", [server.address]))
        agent_host.run(name, "sh", "-c", "git init -q work && cd work && git commit -q --allow-empty -m first")
        push = f"cd work && git push {server.url} HEAD:main"
        with pytest.raises(AssertionError, match="Authentication failed"):
            agent_host.run(name, "sh", "-c", push)
        provisioned("git", **settings("the-new-token", [server.address]))  # rotated: the same container goes on
        agent_host.run(name, "sh", "-c", push)
        log = ["git", "-C", str(server.repository), "log", "--format=%an <%ae> %s", "main"]
        assert subprocess.run(log, check=True, capture_output=True, text=True).stdout == "Ada <ada@example.org> first\n"
        provisioned("git", **settings("the-new-token", ["elsewhere.example.org"]))
        with pytest.raises(AssertionError, match="could not read Username"):  # the token is for no other host
            agent_host.run(name, "sh", "-c", push)


def test_ssh_logs_in_with_the_staged_key_at_the_host_that_is_known(
    agent_host: TestHost, provisioned: Callable[..., str], api: Any, tmp_path: Path
) -> None:
    server = provisioned("sshd")
    network = f"berth-{server}.open"
    address = agent_host.container(server)["NetworkSettings"]["Networks"][network]["IPAddress"]
    keys = tmp_path / "keys"
    keys.mkdir()
    for key in ("mine", "other"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keys / key], check=True)
    public = (keys / "mine.pub").read_text().strip()
    start = f"mkdir -p ~/.ssh && echo '{public}' >~/.ssh/authorized_keys && chmod 600 ~/.ssh/authorized_keys"
    agent_host.run(server, "sh", "-c", start)
    # The agent itself: sshd as root takes the capability to change its root folder, which no container has.
    serve = "ssh-keygen -q -t ed25519 -N '' -f ~/host_key && /usr/sbin/sshd -p 2222 -h ~/host_key -o PidFile=none"
    agent_host.run(server, "sh", "-c", serve)
    host_key = agent_host.run(server, "sh", "-c", "cat ~/host_key.pub").split()
    known = f"[{address}]:2222 {host_key[0]} {host_key[1]}"

    def client(known_hosts: list[str]) -> str:
        return provisioned("ssh", ssh={"path": str(keys), "keys": ["mine"], "known_hosts": known_hosts})

    name = client(["elsewhere ssh-ed25519 AAAA"])
    api.connect_container_to_network(f"berth-{name}", network)  # projects do not reach each other by themselves
    login = ["ssh", "-o", "BatchMode=yes", "-i", "/home/agent/.ssh/mine", "-p", "2222", f"agent@{address}", "hostname"]
    with pytest.raises(AssertionError, match="Host key verification failed"):  # never believed blindly
        agent_host.run(name, *login)
    client([known])
    assert agent_host.run(name, *login) == f"{server}\n"
    assert agent_host.run(name, "sh", "-c", "cd && stat -c '%a %n' .ssh/mine* .ssh/known_hosts") == (
        "600 .ssh/mine\n600 .ssh/known_hosts\n"
    )


KEYS = {"mode": "bedrock", "method": "keys", "access_key_id": "id", "secret_access_key": "key", "region": "eu-west-1"}
SECRETS = {"id": "AKIAEXAMPLE", "key": "s3cret", "bearer": "b3arer"}


def test_the_aws_sdk_finds_what_each_method_of_bedrock_says(
    agent_host: TestHost, provisioned: Callable[..., str], tmp_path: Path
) -> None:
    profile = tmp_path / "aws"
    profile.mkdir()
    (profile / "config").write_text("[profile dev]\nregion = eu-north-1\n")
    (profile / "credentials").write_text("[dev]\naws_access_key_id = AKIADEV\naws_secret_access_key = x\n")

    def found(**settings: Any) -> dict[str, Any]:
        """What the SDK finds in a program that the launcher starts, as it does Claude Code."""
        name = provisioned("aws", secrets=SECRETS, **settings)
        agent_host.run(
            name, "sh", "-c", "printf '#!/bin/sh\\nexec \"$@\"\\n' >/opt/berth/agents/bin/claude", user="root"
        )
        answer: dict[str, Any] = json.loads(agent_host.run(name, "claude", "python3", "-c", CREDENTIALS))
        return answer

    shared = "shared-credentials-file"
    nothing = {"key": None, "method": None, "region": None, "bearer": None, "bedrock": None}
    keys = found(auth=KEYS)
    assert keys == {**nothing, "key": "AKIAEXAMPLE", "method": shared, "region": "eu-west-1", "bedrock": "1"}
    bearer = {"mode": "bedrock", "method": "bearer", "token": "bearer", "region": "eu-west-1"}
    assert found(auth=bearer) == {**nothing, "region": "eu-west-1", "bearer": "b3arer", "bedrock": "1"}
    dev = {"mode": "bedrock", "method": "profile", "profile": "dev", "region": "eu-north-1"}
    assert found(auth=dev, aws={"path": str(profile)}) == {
        **nothing,
        "key": "AKIADEV",
        "method": shared,
        "region": "eu-north-1",
        "bedrock": "1",
    }
    assert found() == nothing
