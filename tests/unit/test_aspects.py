# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of aspects: what each covers, what a container is made with, and how it is known again."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils import aspects as aspects_module
from ansible_collections.berth.projects.plugins.module_utils import plan_provision
from ansible_collections.berth.projects.plugins.module_utils.aspect import Aspect, environment_of
from ansible_collections.berth.projects.plugins.module_utils.aspects import ASPECTS, create_body, fingerprint_labels
from ansible_collections.berth.projects.plugins.module_utils.definition import User, definition_from
from ansible_collections.berth.projects.plugins.module_utils.fingerprint import canonical, fingerprint, short_hash
from ansible_collections.berth.projects.plugins.module_utils.names import FINGERPRINT
from ansible_collections.berth.projects.plugins.module_utils.steps import VERBS, Step
from ansible_collections.berth.projects.plugins.plugin_utils.host_input import host_input
from ansible_collections.berth.projects.plugins.plugin_utils.merge import without_nulls
from ansible_collections.berth.projects.tests.unit.builders import (
    PROJECTS,
    SITE,
    container_of,
    definition,
    of_unknown_scheme,
    plan,
)
from hypothesis import assume, given
from hypothesis import strategies as st

BASIC = definition()
FULL: dict[str, Any] = {
    "workspaces": [{"path": "/srv/a"}, {"path": "/srv/b", "read_only": True}],
    "mounts": [
        {"source": "/data", "target": "/data"},
        {"type": "volume", "source": "cache", "target": "/cache"},
        {"type": "tmpfs", "target": "/scratch"},
    ],
    "docker_access": True,
    "ports": [{"host": 8080, "container": 80}, {"host": 8080, "container": 81, "protocol": "udp", "host_ip": "::1"}],
    "env": {"GREETING": "hi", "EMPTY": "", "EQUALS": "a=b"},
    "timezone": "Europe/Berlin",
    "user": {"uid": 1234, "gid": 5678},
    "resources": {"cpus": 1.5, "memory": "1g", "pids": 100, "nofile": {"soft": 10, "hard": 20}, "shm_size": "1m"},
    "restart": "on-failure",
}

GOLDEN = {
    "runtime": "8acf790d9ef0",
    "hardening": "41a9332f1f54",
    "version": "1",
    "image": "95177dc49562",
    "mounts": "98b527e08cd0",
    "ports": "ed59736742db",
    "env": "dd4ecaea64af",
    "identity": "dce22ccee531",
}
"""The fingerprints of ``FULL``, cut short."""


def aspect_names(wanted: Any, other: Any) -> list[str]:
    """The aspects whose values differ between two definitions."""
    return [aspect.name for aspect in ASPECTS if aspect.wanted(wanted, SITE) != aspect.wanted(other, SITE)]


ROWS = [
    ("image", {"image": "other"}),
    ("mounts", {"workspaces": [{"path": "/srv/a"}]}),
    ("mounts", {"mounts": [{"source": "/a", "target": "/b"}]}),
    ("mounts", {"docker_access": True}),
    ("ports", {"ports": [{"host": 1, "container": 2}]}),
    ("env", {"env": {"A": "b"}}),
    ("identity", {"timezone": "UTC"}),
    ("identity", {"user": {"uid": 1001}}),
    ("identity", {"healthcheck": {"enabled": False}}),
    ("identity", {"healthcheck": {"interval": 5}}),
    ("identity", {"healthcheck": {"disk_limit": 80}}),
    ("identity", {"resources": {"nofile": {"soft": 1, "hard": 2}}}),
    ("identity", {"resources": {"shm_size": "1m"}}),
    ("resources", {"resources": {"cpus": 1}}),
    ("resources", {"resources": {"memory": "1g"}}),
    ("resources", {"resources": {"pids": 100}}),
    ("restart", {"restart": "no"}),
]


@pytest.mark.parametrize(("aspect", "keys"), ROWS, ids=str)
def test_a_key_changes_its_own_aspect_and_no_other(aspect: str, keys: dict[str, Any]) -> None:
    assert aspect_names(BASIC, definition(**keys)) == [aspect]


def test_the_state_is_no_aspect() -> None:
    assert aspect_names(BASIC, definition(state="stopped")) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"workspaces": [{"path": "/a"}]}, {"workspaces": [{"path": "/a", "read_only": True}]}),
        ({"workspaces": [{"path": "/a", "name": "x"}]}, {"workspaces": [{"path": "/b", "name": "x"}]}),
        (
            {"mounts": [{"source": "/a", "target": "/t"}]},
            {"mounts": [{"type": "volume", "source": "a", "target": "/t"}]},
        ),
        ({"ports": [{"host": 1, "container": 2}]}, {"ports": [{"host": 1, "container": 3}]}),
        ({"ports": [{"host": 1, "container": 2}]}, {"ports": [{"host": 1, "container": 2, "protocol": "udp"}]}),
        ({"ports": [{"host": 1, "container": 2}]}, {"ports": [{"host": 1, "container": 2, "host_ip": "0.0.0.0"}]}),
        ({"env": {"A": "1,B=2"}}, {"env": {"A": "1", "B": "2"}}),
        ({"env": {"A": ""}}, {"env": {}}),
        ({"user": {"uid": 1000, "gid": 1}}, {"user": {"uid": 1000, "gid": 2}}),
        (
            {"mounts": [{"source": "/a", "target": "/t", "read_only": True}]},
            {"mounts": [{"source": "/a read-only", "target": "/t"}]},
        ),
    ],
)
def test_what_differs_has_another_fingerprint(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert fingerprint_labels(definition(**one), SITE) != fingerprint_labels(definition(**other), SITE)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"image": "debian"}, {"image": "debian:latest"}),
        ({"workspaces": [{"path": "/a/"}]}, {"workspaces": [{"path": "/a", "name": "a", "read_only": False}]}),
        ({"ports": [{"host": 1, "container": 2}]}, {"ports": [{"host": 1, "container": 2, "protocol": "tcp"}]}),
        ({"env": {"A": 1}}, {"env": {"A": "1"}}),
        ({"env": {"A": True}}, {"env": {"A": "true"}}),
        ({"user": {"uid": 7}}, {"user": {"uid": 7, "gid": 7}}),
        ({"resources": {"shm_size": "1m"}}, {"resources": {"shm_size": 1024**2}}),
        ({"healthcheck": {"interval": 60}}, {}),
        ({"healthcheck": {"enabled": False, "interval": 5}}, {"healthcheck": {"enabled": False}}),
    ],
)
def test_the_same_written_in_another_way_has_the_same_fingerprint(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert fingerprint_labels(definition(**one), SITE) == fingerprint_labels(definition(**other), SITE)


@given(PROJECTS, st.randoms())
def test_the_order_of_keyed_lists_changes_no_fingerprint_and_no_plan(written: dict[str, Any], random: Any) -> None:
    other = {key: _shuffled(value, random) for key, value in written.items()}
    one, two = settled(written), settled(other)
    assert fingerprint_labels(one, SITE) == fingerprint_labels(two, SITE)
    if one.state != "absent":
        status = "running" if one.state == "started" else "exited"
        assert plan(two, container_of(one, status=status)).steps == ()


def _shuffled(value: Any, random: Any) -> Any:
    if isinstance(value, list):
        return random.sample(value, len(value))
    if isinstance(value, dict):
        return dict(random.sample(sorted(value.items()), len(value)))
    return value


def settled(written: dict[str, Any]) -> Any:
    made = definition_from({"image": "berth-base", **without_nulls(written)}).run_by("runc")
    return made if made.user else made.owned_by(User(1000, 1000))


def validated(written: dict[str, Any]) -> dict[str, Any]:
    """The definition as the control node hands it over."""
    checked = host_input("h", {"berth_projects": [written]})
    assume(not checked.problems)  # two hosts' addresses may clash, and so may names of folders
    return json.loads(json.dumps(checked.definitions[0]))


@given(PROJECTS)
def test_nothing_is_to_be_done_for_a_container_made_from_the_same_definition(written: dict[str, Any]) -> None:
    wanted = settled(validated(written))
    assume(wanted.state != "absent")
    container = container_of(wanted, status="running" if wanted.state == "started" else "exited")
    found = plan(wanted, container)
    assert (found.action, found.steps, found.reasons, found.error) == ("none", (), (), None)


@given(PROJECTS, st.sampled_from([None, "0", "2", "x"]))
def test_nor_for_one_whose_fingerprints_are_of_another_scheme(written: dict[str, Any], version: str | None) -> None:
    wanted = settled(validated({**written, "state": "started"}))
    found = plan(wanted, of_unknown_scheme(container_of(wanted), version))
    assert (found.action, found.reasons) == ("none", ())


def test_an_image_that_sets_a_time_zone_is_no_reason_to_replace_a_container() -> None:
    container = of_unknown_scheme(container_of(BASIC))
    container["Config"]["Env"].append("TZ=Etc/UTC")
    container["ImageEnv"].append("TZ=Etc/UTC")
    assert plan(BASIC, container).action == "none"


def test_the_body_of_a_minimal_project_holds_no_surprises() -> None:
    body = create_body(BASIC, SITE)
    labels = body.pop("Labels")
    assert {key: value for key, value in labels.items() if not key.startswith(FINGERPRINT)} == {
        "berth.managed": "true",
        "berth.project": "web",
        "berth.scope": "default",
    }
    volume = {"Labels": {"berth.managed": "true", "berth.project": "web", "berth.scope": "default"}}
    assert body == {
        "Image": "berth-base:latest",
        "Hostname": "web",
        "WorkingDir": "/workspace",
        "Env": [
            "BERTH_DISK_LIMIT=90",
            "BERTH_GID=1000",
            "BERTH_UID=1000",
            "BERTH_WORKSPACES=",
            "COLORTERM=truecolor",
            "PROJECT_NAME=web",
            "PROJECT_PATH=/workspace",
        ],
        "ExposedPorts": {},
        "Healthcheck": {
            "Interval": 60 * 10**9,
            "Timeout": 10 * 10**9,
            "StartPeriod": 30 * 10**9,
            "Retries": 3,
        },
        "HostConfig": {
            "Init": True,
            "NetworkMode": "berth-web.open",
            "ExtraHosts": [],
            "Runtime": "runc",
            "CapDrop": ["ALL"],
            "CapAdd": [
                "AUDIT_WRITE",
                "CHOWN",
                "DAC_OVERRIDE",
                "FOWNER",
                "FSETID",
                "KILL",
                "SETFCAP",
                "SETGID",
                "SETUID",
            ],
            "RestartPolicy": {"Name": "unless-stopped"},
            "PortBindings": {},
            "Mounts": [
                {
                    "Type": "bind",
                    "Source": "/var/lib/berth/projects/web",
                    "Target": "/etc/berth",
                    "ReadOnly": True,
                },
                {
                    "Type": "volume",
                    "Source": "berth-web-home",
                    "Target": "/home/agent",
                    "ReadOnly": False,
                    "VolumeOptions": volume,
                },
                {
                    "Type": "volume",
                    "Source": "berth-web-agent",
                    "Target": "/home/agent/.claude",
                    "ReadOnly": False,
                    "VolumeOptions": volume,
                },
            ],
        },
    }


def test_the_body_of_a_full_project_says_all_that_was_declared() -> None:
    body = create_body(definition(**FULL), SITE)
    host = body["HostConfig"]
    assert {"EMPTY=", "EQUALS=a=b", "GREETING=hi", "TZ=Europe/Berlin", "BERTH_UID=1234", "BERTH_GID=5678"} <= set(
        body["Env"]
    )
    assert "BERTH_WORKSPACES=/workspace/a:/workspace/b" in body["Env"]
    assert [
        (mount["Type"], mount.get("Source"), mount["Target"], mount["ReadOnly"]) for mount in host["Mounts"][3:]
    ] == [
        ("bind", "/srv/a", "/workspace/a", False),
        ("bind", "/srv/b", "/workspace/b", True),
        ("bind", "/data", "/data", False),
        ("volume", "cache", "/cache", False),
        ("tmpfs", None, "/scratch", False),
        ("bind", "/var/run/docker.sock", "/var/run/docker.sock", False),
    ]
    assert host["PortBindings"] == {
        "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}],
        "81/udp": [{"HostIp": "::1", "HostPort": "8080"}],
    }
    assert body["ExposedPorts"] == {"80/tcp": {}, "81/udp": {}}
    assert (host["NanoCpus"], host["Memory"], host["MemorySwap"]) == (1_500_000_000, 1024**3, 2 * 1024**3)
    assert (host["PidsLimit"], host["ShmSize"]) == (100, 1024**2)
    assert host["Ulimits"] == [{"Name": "nofile", "Soft": 10, "Hard": 20}]
    assert host["RestartPolicy"] == {"Name": "on-failure"}


def test_a_port_of_the_container_may_be_reached_over_several_of_the_host() -> None:
    ports = [{"host": 1, "container": 80}, {"host": 2, "container": 80}]
    body = create_body(definition(ports=ports), SITE)
    assert [binding["HostPort"] for binding in body["HostConfig"]["PortBindings"]["80/tcp"]] == ["1", "2"]


def test_a_health_check_that_is_off_is_off_in_the_engine_too() -> None:
    body = create_body(definition(healthcheck={"enabled": False}), SITE)
    assert body["Healthcheck"] == {"Test": ["NONE"]}
    assert not any(entry.startswith("BERTH_DISK_LIMIT") for entry in body["Env"])


def test_limits_that_are_not_declared_are_not_sent() -> None:
    host = create_body(BASIC, SITE)["HostConfig"]
    assert not {"NanoCpus", "Memory", "MemorySwap", "PidsLimit", "Ulimits", "ShmSize"} & host.keys()


def test_no_value_of_the_environment_is_in_a_label() -> None:
    marker = "v3ry-own-value"
    labels = create_body(definition(env={"A": marker}), SITE)["Labels"]
    assert marker not in json.dumps(labels)


@pytest.mark.parametrize("aspect", [aspect.name for aspect in ASPECTS if aspect.live_step is None])
def test_what_only_a_new_container_changes_has_a_fingerprint(aspect: str) -> None:
    assert re.fullmatch("[0-9a-f]{64}", fingerprint_labels(BASIC, SITE)[FINGERPRINT + aspect])


def test_what_changes_live_has_none() -> None:
    assert sorted(fingerprint_labels(BASIC, SITE)) == sorted(
        FINGERPRINT + name
        for name in ("version", "image", "mounts", "ports", "env", "identity", "runtime", "hardening")
    )


def test_fingerprints_are_the_same_on_every_machine_and_in_every_version_of_python() -> None:
    """A change here replaces every container there is: raise fingerprint.VERSION with it."""
    values: dict[str, Any] = {"b": "ü", "a": 1, "c": None, "d": True}
    assert fingerprint(values) == "5e9a86db15a37f6a3afdd9ee4371268fc186bdc6d2e3e73838b3d3a92adbbd4c"
    labels = fingerprint_labels(definition(**FULL), SITE)
    assert {name[len(FINGERPRINT) :]: text[:12] for name, text in labels.items()} == GOLDEN


def test_canonical_json_has_sorted_keys_no_spaces_and_utf_8() -> None:
    assert canonical({"b": "ü", "a": [1, None, True]}) == '{"a":[1,null,true],"b":"ü"}'.encode()


@given(
    st.dictionaries(st.text(max_size=5), st.none() | st.booleans() | st.integers() | st.text(max_size=5), max_size=5)
)
def test_a_fingerprint_does_not_depend_on_the_order_of_values(values: dict[str, Any]) -> None:
    assert fingerprint(dict(reversed(values.items()))) == fingerprint(values)


@given(st.text(min_size=8, max_size=30))
def test_a_hash_that_is_shown_tells_nothing_of_its_value(value: str) -> None:
    assert re.fullmatch("#[0-9a-f]{8}", short_hash(value))
    assert short_hash(value) != short_hash(value + "x")


# The table


BY_NAME = {aspect.name: aspect for aspect in ASPECTS}


def test_every_row_has_a_name_of_its_own() -> None:
    assert len(BY_NAME) == len(ASPECTS)


@pytest.mark.parametrize("name", BY_NAME)
@pytest.mark.parametrize("keys", [{}, FULL], ids=["basic", "full"])
def test_every_row_knows_its_own_container_again(name: str, keys: dict[str, Any]) -> None:
    aspect, wanted = BY_NAME[name], definition(**keys)
    values = aspect.wanted(wanted, SITE)
    assert aspect.actual(of_unknown_scheme(container_of(wanted)), values) == values


@pytest.mark.parametrize("name", BY_NAME)
def test_every_row_has_its_share_in_the_body(name: str) -> None:
    wanted = definition(**FULL)
    assert_within(dict(BY_NAME[name].create(wanted, SITE)), create_body(wanted, SITE))


def assert_within(share: Any, body: Any) -> None:
    assert share
    for key, value in share.items():
        if key == "Env":
            assert {f"{name}={text}" for name, text in value.items()} <= set(body["Env"])
        elif key == "HostConfig":
            assert_within(value, body["HostConfig"])
        else:
            assert body[key] == value


@pytest.mark.parametrize("name", BY_NAME)
def test_every_row_has_either_a_fingerprint_or_a_live_step(name: str) -> None:
    aspect, wanted = BY_NAME[name], definition(**FULL)
    assert (FINGERPRINT + name in fingerprint_labels(wanted, SITE)) is (aspect.live_step is None)
    if aspect.live_step:
        values = aspect.wanted(wanted, SITE)
        before = {key: value if key == "egress" else None for key, value in values.items()}
        step = aspect.live_step(before, values)
        assert step is not None and VERBS[step.verb].action == "update" and step.detail


def a_row(**keys: Any) -> Aspect:
    """Sees to one variable of the environment, as a later aspect might."""

    def wanted(definition: Any, site: Any) -> Any:
        return {"word": f"{definition.name}-word"}

    def actual(container: Any, wanted: Any) -> Any:
        return {"word": environment_of(container).get("BERTH_WORD")}

    def create(definition: Any, site: Any) -> Any:
        return {"Env": {"BERTH_WORD": f"{definition.name}-word"}, "HostConfig": {"Word": True}}

    return Aspect("word", wanted, actual, create, **keys)


def add(monkeypatch: pytest.MonkeyPatch, row: Aspect) -> None:
    for module in (aspects_module, plan_provision):
        monkeypatch.setattr(module, "ASPECTS", (*ASPECTS, row))


def test_a_new_row_is_all_that_a_new_aspect_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    before = container_of(BASIC)
    add(monkeypatch, a_row())

    body = create_body(BASIC, SITE)
    assert "BERTH_WORD=web-word" in body["Env"] and "PROJECT_NAME=web" in body["Env"]
    assert body["HostConfig"]["Word"] is True and body["HostConfig"]["Init"] is True
    assert body["Labels"][FINGERPRINT + "word"] == fingerprint({"word": "web-word"})

    found = plan(BASIC, before)
    assert found.steps == (Step("replace"),)
    assert [(reason.aspect, reason.before, reason.after) for reason in found.reasons] == [
        ("word", {"word": None}, {"word": "web-word"})
    ]
    assert plan(BASIC, container_of(BASIC)).steps == ()
    assert plan(BASIC, of_unknown_scheme(container_of(BASIC))).steps == ()


def test_so_is_it_for_one_that_changes_live(monkeypatch: pytest.MonkeyPatch) -> None:
    before = container_of(BASIC)
    add(monkeypatch, a_row(live_step=lambda before, after: Step("update", "word", {"Word": after["word"]})))

    assert FINGERPRINT + "word" not in create_body(BASIC, SITE)["Labels"]
    found = plan(BASIC, before)
    assert found.steps == (Step("update", "word", {"Word": "web-word"}),)
    assert [(reason.aspect, reason.before, reason.after) for reason in found.reasons] == [
        ("word", {"word": None}, {"word": "web-word"})
    ]
    assert plan(BASIC, container_of(BASIC)).steps == ()


def test_a_row_says_itself_what_it_cannot_change_live(monkeypatch: pytest.MonkeyPatch) -> None:
    before = container_of(BASIC)
    step = Step("update", "word")
    add(monkeypatch, a_row(live_step=lambda before, after: step if before["word"] else None))
    assert plan(BASIC, before).steps == (Step("replace"),)
    before["Config"]["Env"].append("BERTH_WORD=other")
    assert plan(BASIC, before).steps == (step,)


def test_a_row_that_is_checked_notices_drift_under_a_fitting_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    for checked, steps in ((False, ()), (True, (Step("replace"),))):
        add(monkeypatch, a_row(checked=checked))
        container = container_of(BASIC)
        container["Config"]["Env"].remove("BERTH_WORD=web-word")
        assert plan(BASIC, container).steps == steps


def test_a_private_row_shows_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    before = container_of(BASIC)
    add(monkeypatch, a_row(private=True))
    (reason,) = plan(BASIC, before).reasons
    assert reason.after == {"word": short_hash("web-word")}


def test_only_the_environment_is_private() -> None:
    assert [aspect.name for aspect in ASPECTS if aspect.private] == ["env"]


@pytest.mark.parametrize(
    ("container_env", "expected"),
    [
        (["A=1", "PATH=/bin", "TZ=UTC", "BERTH_UID=5", "PROJECT_NAME=web"], {"A": "1"}),
        (["A=1", "PATH=/opt/bin"], {"A": "1", "PATH": "/opt/bin"}),
        (["A=x=y"], {"A": "x=y"}),
        (["A"], {"A": ""}),
        ([], {}),
    ],
)
def test_the_users_environment_is_told_from_the_images_and_from_berths(container_env: Any, expected: Any) -> None:
    env = next(aspect for aspect in ASPECTS if aspect.name == "env")
    assert env.actual({"Config": {"Env": container_env}, "ImageEnv": ["PATH=/bin"]}, {}) == expected
