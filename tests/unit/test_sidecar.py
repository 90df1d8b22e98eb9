# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The container of a project's proxy: what it may do, what makes another one, and what is wrong with one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable

import pytest
from ansible_collections.berth.projects.plugins.module_utils.aspect import Site
from ansible_collections.berth.projects.plugins.module_utils.definition import Definition, ProxySettings
from ansible_collections.berth.projects.plugins.module_utils.names import FINGERPRINT, ownership_labels
from ansible_collections.berth.projects.plugins.module_utils.networks import Networks
from ansible_collections.berth.projects.plugins.module_utils.proxy_files import Applied
from ansible_collections.berth.projects.plugins.module_utils.sidecar import is_ailing, sidecar_body, sidecar_misfit
from ansible_collections.berth.projects.plugins.module_utils.world import Listed
from ansible_collections.berth.projects.tests.unit.builders import (
    PROXY_ADDRESS,
    PROXY_IMAGE_ID,
    SETTINGS,
    SITE,
    definition,
    network_id,
    networks_for,
    proxy_for,
    restricted,
)

LABEL = f"{FINGERPRINT}proxy"
PORTS = [{"host": 8080, "container": 80}, {"host": 8443, "container": 443, "host_ip": "0.0.0.0"}]
WEB = restricted("example.com", ports=PORTS)
THERE = Networks(networks_for("restricted"), SITE.scope)


def body_of(wanted: Definition = WEB, image_id: str = PROXY_IMAGE_ID) -> dict[str, Any]:
    return sidecar_body(wanted, SITE, image_id)


def host_of(wanted: Definition = WEB) -> dict[str, Any]:
    return dict(body_of(wanted)["HostConfig"])


# What it may do


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("CapDrop", ["ALL"]),
        ("SecurityOpt", ["no-new-privileges:true"]),
        ("ReadonlyRootfs", True),
        ("Sysctls", {"net.ipv4.ip_forward": "0"}),
        ("NetworkMode", "berth-web.egress"),
        ("RestartPolicy", {"Name": "unless-stopped"}),
        ("PidsLimit", 512),
        ("Init", True),
        # what else a runtime might be, the proxy needs the engine's resolver
        ("Runtime", "runc"),
    ],
)
def test_a_proxy_may_do_no_more_than_a_proxy_needs(key: str, value: Any) -> None:
    assert host_of()[key] == value


@pytest.mark.parametrize("key", ["CapAdd", "Privileged", "Binds", "PidMode", "IpcMode", "UsernsMode", "Devices"])
def test_a_proxy_asks_for_nothing_else(key: str) -> None:
    assert key not in host_of()


def test_a_proxy_sees_nothing_of_the_host_but_its_configuration() -> None:
    assert host_of()["Mounts"] == [
        {
            "Type": "bind",
            "Source": "/var/lib/berth/proxies/web/config",
            "Target": "/etc/berth-proxy",
            "ReadOnly": True,
        }
    ]


def test_a_proxys_log_has_an_end() -> None:
    assert host_of()["LogConfig"]["Config"] == {"max-size": "1m", "max-file": "3"}


def test_a_proxy_has_the_projects_ports_and_passes_them_on() -> None:
    body = body_of()
    assert body["ExposedPorts"] == {"80/tcp": {}, "443/tcp": {}}
    assert body["HostConfig"]["PortBindings"] == {
        "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}],
        "443/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8443"}],
    }
    assert body["Env"] == [
        f"BERTH_PROXY_ADDRESS={PROXY_ADDRESS}",
        "BERTH_HOST_ADDRESSES=",
        "BERTH_FORWARD=80 443",
        "BERTH_FORWARD_TO=berth-web",
    ]


def test_a_port_that_is_published_twice_is_passed_on_once() -> None:
    twice = restricted(ports=[{"host": 8080, "container": 80}, {"host": 8081, "container": 80}])
    assert "BERTH_FORWARD=80" in body_of(twice)["Env"]
    assert [one["HostPort"] for one in host_of(twice)["PortBindings"]["80/tcp"]] == ["8080", "8081"]


def test_a_proxy_knows_the_host_only_with_host_access() -> None:
    assert host_of()["ExtraHosts"] == []
    assert host_of(restricted(network={"host_access": True}))["ExtraHosts"] == ["host.docker.internal:host-gateway"]


def test_a_proxy_is_started_with_a_command_only_where_one_is_given() -> None:
    assert "Cmd" not in body_of()
    assert body_of(restricted(settings=replace(SETTINGS, command=("squid", "-N"))))["Cmd"] == ["squid", "-N"]


def test_a_proxys_labels_say_whose_it_is() -> None:
    labels = body_of()["Labels"]
    assert {key: labels[key] for key in labels if key != LABEL} == ownership_labels("web", "default")


def test_a_host_name_is_never_longer_than_a_kernel_takes() -> None:
    assert body_of()["Hostname"] == "web-proxy"
    assert len(body_of(restricted(name="a" * 41))["Hostname"]) <= 63


@pytest.mark.parametrize("wanted", [definition(), restricted(settings=None), restricted().behind(None)])
def test_there_is_no_proxy_without_settings_or_an_address(wanted: Definition) -> None:
    with pytest.raises(ValueError, match="no proxy to make"):
        body_of(wanted)


# What makes another one


@pytest.mark.parametrize(
    "other",
    [
        restricted("example.com", ports=PORTS[:1]),
        restricted("example.com", ports=[*PORTS, {"host": 1, "container": 2}]),
        restricted("example.com", ports=[{**PORTS[0], "host_ip": "0.0.0.0"}, PORTS[1]]),
        restricted("example.com", ports=PORTS, network={"host_access": True}),
        restricted("example.com", ports=PORTS).behind("10.213.0.18"),
        restricted("example.com", ports=PORTS, settings=replace(SETTINGS, command=("x",))),
        restricted("example.com", ports=PORTS, name="api"),
    ],
)
def test_what_a_proxy_is_made_with_makes_another(other: Definition) -> None:
    assert body_of(other)["Labels"][LABEL] != body_of()["Labels"][LABEL]


def test_another_image_and_another_state_folder_make_another() -> None:
    assert body_of(image_id="sha256:other")["Labels"][LABEL] != body_of()["Labels"][LABEL]
    elsewhere = sidecar_body(WEB, Site("/elsewhere", "default"), PROXY_IMAGE_ID)
    assert elsewhere["Labels"][LABEL] != body_of()["Labels"][LABEL]


@pytest.mark.parametrize(
    "other",
    [
        restricted("example.org", "*.example.com", ports=PORTS),
        restricted("example.com", ports=PORTS[::-1]),
        restricted("example.com", ports=PORTS, env={"A": "b"}, restart="no", state="stopped", resources={"cpus": 1}),
        restricted("example.com", ports=PORTS, settings=replace(SETTINGS, config="d" * 64, reload=())),
        restricted("example.com", ports=PORTS, settings=ProxySettings("mine:1", SETTINGS.config, says_ready=False)),
    ],
)
def test_what_it_allows_and_what_concerns_the_project_alone_make_none(other: Definition) -> None:
    assert body_of(other) == {**body_of(), "HostConfig": {**host_of(), "PortBindings": host_of(other)["PortBindings"]}}
    assert body_of(other)["Labels"][LABEL] == body_of()["Labels"][LABEL]


# What is wrong with one


def misfit(found: Listed, networks: Networks = THERE) -> str | None:
    return sidecar_misfit(found, body_of(), networks, "web")


def test_a_proxy_that_was_made_so_fits() -> None:
    assert misfit(proxy_for(WEB)) is None


def test_a_proxy_that_was_never_started_knows_no_ids_of_its_networks_and_fits() -> None:
    assert misfit(proxy_for(WEB, status="created", networks={"berth-web.inner": "", "berth-web.egress": ""})) is None


@pytest.mark.parametrize("labels", [{}, {LABEL: "old"}])
def test_a_proxy_that_was_made_otherwise_does_not_fit(labels: dict[str, str]) -> None:
    assert misfit(proxy_for(WEB, labels=labels)) == "another definition"


@pytest.mark.parametrize("name", ["berth-web.inner", "berth-web.egress"])
@pytest.mark.parametrize(
    "change",
    [
        lambda networks, name: {key: value for key, value in networks.items() if key != name},
        lambda networks, name: {**networks, name: "an older network's"},
    ],
    ids=["not joined", "joined an older one"],
)
def test_a_proxy_has_to_be_on_both_of_the_networks_that_there_are(name: str, change: Callable[..., Any]) -> None:
    found = proxy_for(WEB)
    assert misfit(replace(found, networks=change(found.networks, name))) == f"not on {name}"


@pytest.mark.parametrize("name", ["berth-web.inner", "berth-web.egress"])
def test_a_proxy_whose_network_is_gone_does_not_fit(name: str) -> None:
    left = [entry for entry in networks_for("restricted") if entry["Name"] != name]
    assert misfit(proxy_for(WEB), Networks(left, SITE.scope)) == f"not on {name}"
    assert network_id(name) in proxy_for(WEB).networks.values()


@pytest.mark.parametrize(
    ("status", "health", "applied", "expected"),
    [
        ("running", "healthy", Applied("c"), False),
        ("running", None, Applied("c"), False),
        ("running", "starting", Applied("c"), False),
        ("running", "unhealthy", Applied("c"), True),
        ("restarting", None, Applied("c"), True),
        ("restarting", "starting", Applied("c"), True),
        ("paused", "healthy", Applied("c"), True),
        ("exited", None, Applied("c"), True),
        ("created", None, Applied("c"), True),
        ("running", "healthy", Applied(), True),
    ],
)
def test_a_proxy_ails_unless_it_runs_well_and_was_once_seen_to(
    status: str, health: str | None, applied: Applied, expected: bool
) -> None:
    assert is_ailing(proxy_for(WEB, status=status, health=health), applied) is expected
