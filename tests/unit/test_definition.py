# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is written becomes one form: defaults filled in, units resolved."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.definition import (
    Definition,
    Healthcheck,
    Mount,
    Packages,
    Port,
    Resources,
    SnapshotPolicy,
    User,
    Workspace,
    definition_from,
    env_text,
    memory_bytes,
    normal_reference,
)
from hypothesis import given
from hypothesis import strategies as st

MINIMAL = {"name": "web", "image": "debian:13"}


def made(**keys: Any) -> Definition:
    return definition_from({**MINIMAL, **keys})


def test_a_name_and_an_image_are_a_whole_definition() -> None:
    assert made() == Definition(name="web", image="debian:13")


@pytest.mark.parametrize(
    "key",
    [
        "state",
        "packages",
        "workspaces",
        "mounts",
        "docker_access",
        "ports",
        "env",
        "timezone",
        "user",
        "healthcheck",
        "resources",
        "restart",
        "snapshot",
    ],
)
def test_a_key_set_to_null_is_as_if_it_were_not_there(key: str) -> None:
    assert made(**{key: None}) == made()


@pytest.mark.parametrize(
    ("key", "written", "expected"),
    [
        ("state", "stopped", "stopped"),
        ("workspaces", [{"path": "/srv/src/web"}], (Workspace("/srv/src/web", "web"),)),
        ("workspaces", [{"path": "/srv//src/web/"}], (Workspace("/srv/src/web", "web"),)),
        ("workspaces", [{"path": "/a/../b"}], (Workspace("/b", "b"),)),
        ("workspaces", [{"path": "/a", "name": "x", "read_only": True}], (Workspace("/a", "x", True),)),
        ("workspaces", [{"path": "/a", "name": None, "read_only": None}], (Workspace("/a", "a"),)),
        ("mounts", [{"source": "/a/", "target": "/b/"}], (Mount("bind", "/a", "/b"),)),
        ("mounts", [{"type": None, "source": "/a", "target": "/b"}], (Mount("bind", "/a", "/b"),)),
        ("mounts", [{"type": "volume", "source": "v", "target": "/b"}], (Mount("volume", "v", "/b"),)),
        ("mounts", [{"type": "tmpfs", "target": "/b", "read_only": True}], (Mount("tmpfs", "", "/b", True),)),
        ("docker_access", True, True),
        ("ports", [{"host": 80, "container": 8080}], (Port(80, 8080, "tcp", "127.0.0.1"),)),
        ("ports", [{"host": 80, "container": 8080, "protocol": None, "host_ip": None}], (Port(80, 8080),)),
        (
            "ports",
            [{"host": 53, "container": 53, "protocol": "udp", "host_ip": "::"}],
            (Port(53, 53, "udp", "::"),),
        ),
        ("env", {"B": 1, "A": "x"}, (("A", "x"), ("B", "1"))),
        ("timezone", "Europe/Berlin", "Europe/Berlin"),
        ("user", {"uid": 1234}, User(1234, 1234)),
        ("user", {"uid": 1234, "gid": 5}, User(1234, 5)),
        ("healthcheck", {"enabled": False}, Healthcheck(enabled=False)),
        ("healthcheck", {"interval": 5, "timeout": None}, Healthcheck(interval=5)),
        ("resources", {"cpus": 1.5}, Resources(nano_cpus=1_500_000_000)),
        ("resources", {"cpus": 0.1}, Resources(nano_cpus=100_000_000)),
        ("resources", {"memory": "512m", "shm_size": 1024}, Resources(memory=512 * 1024**2, shm_size=1024)),
        ("resources", {"pids": 100, "nofile": {"soft": 1, "hard": 2}}, Resources(pids=100, nofile=(1, 2))),
        ("restart", "no", "no"),
        ("image", "debian", "debian:latest"),
        ("packages", {"apt": ["jq", "fd", "jq"], "npm": None}, Packages(apt=("fd", "jq"))),
        ("packages", {"npm": ["b@2", "a"], "pip": ["d", "c"]}, Packages(npm=("a", "b@2"), pip=("c", "d"))),
        ("packages", {"apt": [], "npm": []}, Packages()),
        ("snapshot", {"on_replace": False}, SnapshotPolicy(on_replace=False)),
        ("snapshot", {"keep": 5, "squash_after": None}, SnapshotPolicy(keep=5)),
    ],
)
def test_a_key_becomes_its_field(key: str, written: Any, expected: Any) -> None:
    assert getattr(made(**{key: written}), key) == expected


@pytest.mark.parametrize("key", ["host", "container"])
def test_a_port_worked_out_by_a_template_is_a_whole_number_all_the_same(key: str) -> None:
    written = {"host": 80, "container": 8080, key: 9000.0}
    assert repr(getattr(made(ports=[written]).ports[0], key)) == "9000"


@pytest.mark.parametrize(
    ("keys", "number"),
    [
        ({"user": {"uid": 1000.0}}, lambda d: d.user.uid),
        ({"resources": {"pids": 1000.0}}, lambda d: d.resources.pids),
        ({"resources": {"nofile": {"soft": 1000.0, "hard": 1000}}}, lambda d: d.resources.nofile[0]),
        ({"healthcheck": {"interval": 1000.0}}, lambda d: d.healthcheck.interval),
        ({"snapshot": {"squash_after": 1000.0}}, lambda d: d.snapshot.squash_after),
    ],
)
def test_a_number_worked_out_by_a_template_is_whole_all_the_same(keys: Any, number: Any) -> None:
    assert repr(number(made(**keys))) == "1000"


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (1048576, 1024**2),
        ("1048576", 1024**2),
        ("10b", 10),
        ("1k", 1024),
        ("1kb", 1024),
        ("1KiB", 1024),
        ("512m", 512 * 1024**2),
        ("512M", 512 * 1024**2),
        ("1.5g", 3 * 1024**3 // 2),
        (" 2 GB ", 2 * 1024**3),
        ("1t", 1024**4),
    ],
)
def test_sizes_are_read_as_docker_reads_them(size: int | str, expected: int) -> None:
    assert memory_bytes(size) == expected


@pytest.mark.parametrize("size", ["", "g", "1x", "-1m", "1..5g", "1 2", "0x10", "unlimited", "1gg"])
def test_what_is_no_size_is_refused(size: str) -> None:
    with pytest.raises(ValueError, match="not a size"):
        memory_bytes(size)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("debian", "debian:latest"),
        ("debian:13", "debian:13"),
        ("docker.io/library/debian", "debian:latest"),
        ("docker.io/library/debian:13", "debian:13"),
        ("docker.io/team/tool:2", "team/tool:2"),
        ("docker.io/team/tool@sha256:abc", "team/tool@sha256:abc"),
        ("registry.example/library/tool:2", "registry.example/library/tool:2"),
        ("registry.example:5000/tool", "registry.example:5000/tool:latest"),
        ("registry.example:5000/tool:2", "registry.example:5000/tool:2"),
        ("tool@sha256:abc", "tool@sha256:abc"),
        ("tool:1@sha256:abc", "tool:1@sha256:abc"),
        ("sha256:abc", "sha256:abc"),
    ],
)
def test_a_reference_without_a_tag_means_latest(written: str, expected: str) -> None:
    assert normal_reference(written) == expected
    assert normal_reference(expected) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(True, "true"), (False, "false"), (1, "1"), (1.5, "1.5"), ("", ""), ("True", "True")]
)
def test_scalars_look_in_an_environment_as_they_do_in_yaml(value: Any, expected: str) -> None:
    assert env_text(value) == expected


@pytest.mark.parametrize(
    ("paths", "expected"),
    [([], "/workspace"), (["/srv/a"], "/workspace/a"), (["/srv/a", "/srv/b"], "/workspace")],
)
def test_work_starts_in_the_one_workspace_or_in_the_folder_of_all(paths: list[str], expected: str) -> None:
    assert made(workspaces=[{"path": path} for path in paths]).working_dir == expected


def test_only_folders_of_the_host_must_exist_before_the_start() -> None:
    mounts = [
        {"source": "/data/b", "target": "/b"},
        {"type": "volume", "source": "v", "target": "/v"},
        {"type": "tmpfs", "target": "/t"},
    ]
    assert made(workspaces=[{"path": "/srv/a"}], mounts=mounts).bind_sources == ("/srv/a", "/data/b")


@pytest.mark.parametrize(
    "path",
    [
        "//srv/a",
        "///srv/a",
        "/srv//a/.",
        "/srv/b/../a",
    ],
)
def test_a_path_has_one_form_however_it_is_written(path: str) -> None:
    given_here = made(workspaces=[{"path": path}], mounts=[{"source": path, "target": path}])
    assert given_here.bind_sources == ("/srv/a", "/srv/a")
    assert given_here.mounts[0].target == "/srv/a"


@given(st.permutations(["A", "B", "C", "D"]))
def test_the_order_of_an_environment_is_forgotten(keys: list[str]) -> None:
    assert made(env={key: key.lower() for key in keys}) == made(env={"A": "a", "B": "b", "C": "c", "D": "d"})


@given(st.permutations(["jq", "fd", "git", "jq"]))
def test_the_order_of_packages_and_what_is_there_twice_are_forgotten(names: list[str]) -> None:
    assert Packages(apt=tuple(names)) == Packages(apt=("fd", "git", "jq"))


@pytest.mark.parametrize(
    ("packages", "expected"),
    [
        (Packages(), False),
        (Packages(apt=("jq",)), True),
        (Packages(npm=("prettier",)), True),
        (Packages(pip=("ruff",)), True),
    ],
)
def test_packages_are_true_when_there_are_any(packages: Packages, expected: bool) -> None:
    assert bool(packages) is expected
