# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules between the parts of a definition, and between the projects of a host."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.aspects import create_body
from ansible_collections.berth.projects.plugins.module_utils.names import agent_volume, home_volume
from ansible_collections.berth.projects.plugins.module_utils.terms import OWN_VARIABLES
from ansible_collections.berth.projects.plugins.plugin_utils.rules import (
    env_problems,
    host_problems,
    host_warnings,
    looks_secret,
)
from ansible_collections.berth.projects.tests.unit.builders import SITE, definition


def told(*projects: dict[str, Any], state_dir: str | None = None) -> list[str]:
    return [f"{problem.where}: {problem.text}" for problem in host_problems(projects, state_dir)]


def told_of(state_dir: str | None = None, **keys: Any) -> list[str]:
    """What is said of one project with these keys, without its place in the list."""
    return [text.replace("berth_projects[0].", "", 1) for text in told({"name": "web", **keys}, state_dir=state_dir)]


def workspace(path: str, **keys: Any) -> dict[str, Any]:
    return {"workspaces": [{"path": path, **keys}]}


def mount(**keys: Any) -> dict[str, Any]:
    return {"mounts": [{"target": "/mnt/x", **keys}]}


# Names


def test_a_name_is_one_projects_on_a_host() -> None:
    assert told({"name": "web"}, {"name": "api"}, {"name": "web"}, {"name": "web"}) == [
        "berth_projects[2].name: 'web' is the name of berth_projects[0] already; names are unique on a host",
        "berth_projects[3].name: 'web' is the name of berth_projects[0] already; names are unique on a host",
    ]


# Ports


def with_ports(name: str, *ports: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {"name": name, "ports": [{"host": 8080, "container": 80, **port} for port in ports], **keys}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {}),
        ({}, {"container": 81}),
        ({}, {"host_ip": "127.0.0.1"}),
        ({}, {"host_ip": "0.0.0.0"}),
        ({"host_ip": "0.0.0.0"}, {}),
        ({"host_ip": "::"}, {"host_ip": "::1"}),
        ({"host_ip": "::"}, {}),
        ({"host_ip": "10.0.0.1"}, {"host_ip": "10.0.0.1"}),
        ({"protocol": "udp"}, {"protocol": "udp"}),
        ({}, {"protocol": "tcp"}),
        ({}, {"host_ip": None}),
        ({}, {"protocol": None}),
        ({"host_ip": "::1"}, {"host_ip": "0:0:0:0:0:0:0:1"}),
        ({"host_ip": "FE80::A"}, {"host_ip": "fe80:0::000a"}),
        ({}, {"host_ip": "::0"}),
        ({"host_ip": "0:0:0:0:0:0:0:0"}, {"host_ip": "10.0.0.1"}),
    ],
)
def test_a_port_of_the_host_is_taken_once(one: dict[str, Any], other: dict[str, Any]) -> None:
    protocol = other.get("protocol") or "tcp"
    assert told(with_ports("web", one), with_ports("api", other)) == [
        f"berth_projects[1].ports[0].host: {protocol} port 8080 of the host is taken by project web already"
    ]
    assert len(told(with_ports("web", one, other))) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {"host": 8081}),
        ({}, {"protocol": "udp"}),
        ({}, {"host_ip": "10.0.0.1"}),
        ({"host_ip": "::1"}, {"host_ip": "127.0.0.1"}),
    ],
)
def test_ports_that_do_not_meet_are_fine(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert told(with_ports("web", one), with_ports("api", other)) == []


def test_a_project_that_is_to_be_absent_takes_no_port() -> None:
    assert told(with_ports("web", {}, state="absent"), with_ports("api", {})) == []


@pytest.mark.parametrize("address", ["999.1.1.1", ":::", "1:2", "127.0.0.01", "1.2.3"])
def test_an_address_must_be_one(address: str) -> None:
    assert told(with_ports("web", {}, {"host": 1, "host_ip": address})) == [
        "berth_projects[0].ports[1].host_ip: must be an IPv4 or IPv6 address, such as 127.0.0.1"
    ]


# Folders

ENGINE = "covers or is in the engine's own folder {}: mount from somewhere else"
STATE = "covers or is in Berth's own state folder {}: other projects' files are in there"


@pytest.mark.parametrize(
    ("path", "state_dir", "texts"),
    [
        ("/", None, ["must not be /: the agent would own the host"]),
        ("/srv/..", None, ["must not be /: the agent would own the host"]),
        ("//", None, ["must not be /: the agent would own the host"]),
        ("/var/lib/docker", None, [ENGINE.format("/var/lib/docker")]),
        ("/var/lib/docker/volumes/x/_data", None, [ENGINE.format("/var/lib/docker")]),
        ("/srv/../var/lib/docker", None, [ENGINE.format("/var/lib/docker")]),
        ("/var/lib/containerd", None, [ENGINE.format("/var/lib/containerd")]),
        ("/run/docker", None, [ENGINE.format("/run/docker")]),
        ("/var/lib/berth", None, [STATE.format("/var/lib/berth")]),
        ("/var/lib/berth/projects/other", None, [STATE.format("/var/lib/berth")]),
        ("/var/lib", "/data", [ENGINE.format("/var/lib/docker"), ENGINE.format("/var/lib/containerd")]),
        ("/data/berth/x", "/data/berth", [STATE.format("/data/berth")]),
        ("/data", "/data/berth/", [STATE.format("/data/berth")]),
        ("/srv/a", None, []),
        ("/var/lib/docker-src", None, []),
        ("/var/lib/berth2", None, []),
        ("/var/lib/berth", "/data/berth", []),
        ("//var/lib/docker", None, [ENGINE.format("/var/lib/docker")]),
    ],
)
@pytest.mark.parametrize("kind", ["workspace", "mount"])
def test_folders_that_nothing_may_be_mounted_from_are_refused(
    path: str, state_dir: str | None, texts: list[str], kind: str
) -> None:
    keys = workspace(path, name="x") if kind == "workspace" else mount(source=path)
    where = "workspaces[0].path" if kind == "workspace" else "mounts[0].source"
    assert told_of(state_dir, **keys) == [f"{where}: {text}" for text in texts]


@pytest.mark.parametrize(
    ("keys", "texts"),
    [
        ({"type": "tmpfs"}, []),
        ({"type": "tmpfs", "source": "/a"}, ["mounts[0].source: is not for a tmpfs, which is memory: leave it out"]),
        ({}, ["mounts[0]: lacks source: the path on the host"]),
        ({"type": None}, ["mounts[0]: lacks source: the path on the host"]),
        ({"type": "volume"}, ["mounts[0]: lacks source: the volume"]),
        ({"type": "volume", "source": "cache"}, []),
        (
            {"type": "volume", "source": "/cache"},
            ["mounts[0].source: must be the name of a volume: letters, digits, dots, hyphens and underscores"],
        ),
        (
            {"source": "cache"},
            ["mounts[0].source: must be an absolute path, starting with / (for a named volume, set type: volume)"],
        ),
        ({"source": "/a"}, []),
    ],
)
def test_a_mount_has_the_source_that_its_type_needs(keys: dict[str, Any], texts: list[str]) -> None:
    assert told_of(**mount(**keys)) == texts


# Targets


def test_workspaces_of_one_name_clash() -> None:
    assert told_of(workspaces=[{"path": "/a/src"}, {"path": "/b/src"}]) == [
        "workspaces[1]: the mount name 'src' is that of workspaces[0] already: set name"
    ]


def test_a_name_of_its_own_settles_that() -> None:
    assert told_of(workspaces=[{"path": "/a/src"}, {"path": "/b/src", "name": "other"}]) == []


@pytest.mark.parametrize("folder", ["my project", "ünï", "-x", ".hidden", "a:b"])
def test_a_folder_whose_name_cannot_be_a_mounts_needs_a_name(folder: str) -> None:
    texts = told_of(**workspace(f"/srv/{folder}"))
    assert texts == [
        f"workspaces[0]: the folder's name {folder!r} cannot be that of a mount: give the workspace a name"
    ]
    assert told_of(**workspace(f"/srv/{folder}", name="fine")) == []


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/proc",
        "/sys",
        "/dev",
        "/etc/berth",
        "/etc/berth/x",
        "/home/agent",
        "/home/agent/.claude",
        "/workspace",
        "/workspace/",
        "/a/../workspace",
        "//etc/berth",
    ],
)
def test_a_target_of_berths_own_is_refused(target: str) -> None:
    texts = told_of(mounts=[{"source": "/a", "target": target}])
    assert len(texts) == 1 and "is Berth's or the system's own; mount somewhere else" in texts[0]


def test_no_target_that_berth_mounts_itself_may_be_taken() -> None:
    mounted = [entry["Target"] for entry in create_body(definition(), SITE)["HostConfig"]["Mounts"]]
    for target in mounted:
        assert told_of(mounts=[{"source": "/a", "target": target}])


@pytest.mark.parametrize(
    ("keys", "taken_by"),
    [
        (workspace("/srv/a"), "workspaces[0]"),
        ({"mounts": [{"type": "tmpfs", "target": "/workspace/a"}]}, "mounts[0]"),
    ],
)
def test_a_target_is_taken_once(keys: dict[str, Any], taken_by: str) -> None:
    mounts = [*keys.pop("mounts", []), {"source": "/a", "target": "/workspace/a/"}]
    texts = told_of(**keys, mounts=mounts)
    where = f"mounts[{len(mounts) - 1}].target"
    assert texts == [f"{where}: /workspace/a is the target of {taken_by} already"]


def test_the_socket_of_docker_access_is_a_target_too() -> None:
    socket = "/var/run/docker.sock"
    texts = told_of(docker_access=True, mounts=[{"source": "/srv/a.sock", "target": socket}])
    assert texts == [f"mounts[0].target: {socket} is the target of docker_access already"]


@pytest.mark.parametrize(
    "path",
    [
        "/var/run/docker.sock",
        "/run/docker.sock",
        "//run/docker.sock",
        "/run/docker.sock/",
        "/var/run/../run/docker.sock",
    ],
)
@pytest.mark.parametrize("kind", ["workspace", "mount"])
def test_the_engines_socket_as_a_mount_is_told_to_be_docker_access(path: str, kind: str) -> None:
    keys = workspace(path, name="x") if kind == "workspace" else mount(source=path)
    where = "workspaces[0].path" if kind == "workspace" else "mounts[0].source"
    assert told_of(**keys) == [
        f"{where}: is the engine's socket, which is root on the host: say so with docker_access: true"
    ]


@pytest.mark.parametrize("path", ["/srv/docker.sock", "/run/docker.socket", "/run/podman/podman.sock"])
def test_another_socket_may_be_mounted(path: str) -> None:
    assert told_of(**mount(source=path)) == []


@pytest.mark.parametrize("volume", [home_volume("web"), agent_volume("web"), home_volume("a-b"), agent_volume("x")])
def test_a_volume_of_a_project_is_its_own(volume: str) -> None:
    assert told_of(**mount(type="volume", source=volume)) == [
        "mounts[0].source: is a project's own volume, with its logins: share a volume of another name"
    ]


@pytest.mark.parametrize(
    "volume", ["cache", "berth-cache", "berth-home", "web-home", "berth-web-homes", "my-berth-web-home"]
)
def test_a_volume_of_another_name_may_be_shared(volume: str) -> None:
    assert told_of(**mount(type="volume", source=volume)) == []


# Environment


def told_of_env(*keys: str) -> list[str]:
    """What is said of variables that are set in ``berth_env``."""
    problems = env_problems(("berth_env",), dict.fromkeys(keys, "x"))
    return [f"{problem.where}: {problem.text}" for problem in problems]


@pytest.mark.parametrize(("key", "instead"), sorted(OWN_VARIABLES.items()))
def test_a_variable_that_berth_sets_is_refused_with_the_setting_to_use(key: str, instead: str) -> None:
    assert told_of_env(key) == [f"berth_env.{key}: is set by Berth itself: {instead}"]


def test_names_of_berths_own_are_kept_for_it() -> None:
    assert told_of_env("BERTH_ANYTHING") == [
        "berth_env.BERTH_ANYTHING: starts with BERTH_, which is kept for Berth itself: take another name"
    ]


def test_every_variable_that_berth_sets_is_refused() -> None:
    full = definition(timezone="UTC", workspaces=[{"path": "/a"}])
    for entry in create_body(full, SITE)["Env"]:
        key = entry.partition("=")[0]
        assert told_of_env(key), key


@pytest.mark.parametrize("key", ["PATH", "LANG", "TZDIR", "HOMEPAGE", "MY_BERTH_X"])
def test_other_variables_are_the_users(key: str) -> None:
    assert told_of_env(key) == []
    assert told_of(env={key: "x"}) == []


def test_each_wrong_variable_is_told() -> None:
    assert [text.partition(":")[0] for text in told_of_env("A", "TZ", "BERTH_X", "B")] == [
        "berth_env.TZ",
        "berth_env.BERTH_X",
    ]


@pytest.mark.parametrize(
    "key",
    [
        "TOKEN",
        "GITHUB_TOKEN",
        "github_token",
        "CLIENT_SECRET",
        "DB_PASSWORD",
        "SSH_PASSPHRASE",
        "ANTHROPIC_API_KEY",
        "APIKEY",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "DEPLOY_PRIVATE_KEY",
        "GOOGLE_CREDENTIALS",
        "PGPASSWORD",
        "SSHPASS",
        "MYSQL_PWD",
        "DB_PASS",
        "GITHUB_PAT",
        "TOKENS",
    ],
)
def test_a_name_may_tell_a_secret(key: str) -> None:
    assert looks_secret(key, "x")


@pytest.mark.parametrize(
    "value",
    [
        "sk-ant-api03-" + "a" * 20,
        "ghp_" + "a" * 36,
        "github_pat_" + "a" * 30,
        "glpat-" + "a" * 20,
        "xoxb-1234567890-abc",
        "AKIAIOSFODNN7EXAMPLE",
        "eyJhbGciOi.eyJzdWIiOi.abc-def",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nabc",
        "text before\n-----BEGIN PRIVATE KEY-----",
        "postgres://user:pw@db/x",
        "redis://:pw@cache:6379",
    ],
)
def test_a_value_may_look_like_a_secret_under_any_name(value: str) -> None:
    assert looks_secret("HARMLESS", value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("GREETING", "hello"),
        ("TOKENIZER", "bpe"),
        ("PASSWORDLESS", True),
        ("MONKEY", "x"),
        ("COMPASS", "north"),
        ("PATH_PATTERN", "*.py"),
        ("FORMAT", "x"),
        ("PUBLIC_KEY", "ssh-ed25519 AAAA"),
        ("URL", "https://example.com:8080/a@b"),
        ("SKILL", "sk-short"),
        ("NUMBER", 5),
    ],
)
def test_harmless_entries_raise_no_word(key: str, value: Any) -> None:
    assert not looks_secret(key, value)


def test_a_secret_in_the_environment_is_a_warning_that_names_the_key_and_not_the_value() -> None:
    (text,) = host_warnings([{"name": "web", "env": {"API_TOKEN": "marker-of-a-value", "OTHER": "x"}}])
    assert text.startswith("project web: env.API_TOKEN looks like a secret")
    assert "secrets" in text and "marker" not in text


def test_access_to_the_engine_is_a_warning() -> None:
    (text,) = host_warnings([{"name": "web", "docker_access": True}])
    assert text.startswith("project web: docker_access gives the agent the host's engine")


# The user


@pytest.mark.parametrize("user", [None, {}, {"uid": 7}, {"uid": 7, "gid": 8}])
def test_a_user_is_a_uid_with_or_without_a_gid(user: Any) -> None:
    assert told_of(user=user) == []


@pytest.mark.parametrize("user", [{"gid": 8}, {"uid": None, "gid": 8}])
def test_a_gid_alone_is_no_user(user: Any) -> None:
    assert told_of(user=user) == ["user: lacks uid"]


# Limits and time zones


@pytest.mark.parametrize("cpus", [float("nan"), float("inf")])
def test_cpus_are_a_finite_number(cpus: float) -> None:
    assert told_of(resources={"cpus": cpus}) == ["resources.cpus: must be a number, such as 1.5"]


@pytest.mark.parametrize("cpus", [None, 0.01, 1, 1.5, 1000])
def test_any_number_of_cpus_may_be_asked_for(cpus: Any) -> None:
    assert told_of(resources={"cpus": cpus}) == []


@pytest.mark.parametrize(
    ("memory", "fine"), [("6m", True), (6 * 1024**2, True), ("5.9m", False), ("0", False), (1, False)]
)
def test_memory_has_the_engines_lower_limit(memory: Any, fine: bool) -> None:
    expected = [] if fine else ["resources.memory: must be 6m or more, which is the least the engine takes"]
    assert told_of(resources={"memory": memory}) == expected


def test_the_soft_limit_of_open_files_is_not_above_the_hard_one() -> None:
    assert told_of(resources={"nofile": {"soft": 3, "hard": 2}}) == [
        "resources.nofile.soft: must not be above hard, which is 2"
    ]
    assert told_of(resources={"nofile": {"soft": 2, "hard": 2}}) == []


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5"])
def test_a_time_zone_of_the_database_is_fine(name: str) -> None:
    assert told_of(timezone=name) == []


@pytest.mark.parametrize("name", ["Europe/Berln", "CEST", "utc+1"])
def test_a_time_zone_that_is_in_no_database_is_refused(name: str) -> None:
    assert told_of(timezone=name) == [
        f"timezone: {name!r} is not in the tz database; names are like Europe/Berlin or UTC"
    ]


def test_a_full_and_sound_host_has_no_problems() -> None:
    assert told({"name": "web"}, with_ports("api", {}), {"name": "old", "state": "absent"}) == []
