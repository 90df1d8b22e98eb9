# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the unit tests are made of: definitions, and containers as an engine would show them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.aspect import Site
from ansible_collections.berth.projects.plugins.module_utils.aspects import create_body
from ansible_collections.berth.projects.plugins.module_utils.definition import (
    Definition,
    ProxySettings,
    User,
    definition_from,
)
from ansible_collections.berth.projects.plugins.module_utils.lineage import Lineage, Snapshot
from ansible_collections.berth.projects.plugins.module_utils.names import (
    CONTRACT,
    FINGERPRINT_VERSION,
    container_name,
    proxy_name,
)
from ansible_collections.berth.projects.plugins.module_utils.networks import (
    Networks,
    NetworkSpec,
    network_body,
    wanted_networks,
)
from ansible_collections.berth.projects.plugins.module_utils.plan import Case, Plan, Policy
from ansible_collections.berth.projects.plugins.module_utils.plan_network import settle_network
from ansible_collections.berth.projects.plugins.module_utils.planner import plan_project
from ansible_collections.berth.projects.plugins.module_utils.records import Record
from ansible_collections.berth.projects.plugins.module_utils.sidecar import sidecar_body
from ansible_collections.berth.projects.plugins.module_utils.world import Images, Listed, Unproven, View
from hypothesis import strategies as st

SITE = Site("/var/lib/berth", "default")
IMAGE = "berth-base:latest"
IMAGE_ID = "sha256:" + "1" * 64
IMAGE_ENV = ("PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8")
IMAGE_HEALTHCHECK = {
    "Test": ["CMD", "/usr/local/lib/berth/healthcheck"],
    "Interval": 60 * 10**9,
    "Timeout": 30 * 10**9,
    "StartPeriod": 60 * 10**9,
    "Retries": 3,
}
CONTAINER_ID = "c0ffee" + "0" * 58
STOPPED_AT = "2026-01-02T04:05:06.123456789Z"
NEVER = "0001-01-01T00:00:00Z"


def definition(**keys: Any) -> Definition:
    """A valid definition of project ``web`` whose user and runtime are settled, with these keys besides."""
    written = {"name": "web", "image": IMAGE, **keys}
    made = definition_from(written)
    made = made.run_by("runc") if made.runtime == "auto" else made
    return made if made.user else made.owned_by(User(1000, 1000))


def image(reference: str = IMAGE, image_id: str = IMAGE_ID, contract: str | None = "1") -> dict[str, Any]:
    """An entry of ``GET /images/json``."""
    labels = {CONTRACT: contract} if contract else None
    return {"Id": image_id, "RepoTags": [reference], "RepoDigests": None, "Labels": labels}


def images(*entries: dict[str, Any]) -> Images:
    return Images(entries or (image(),))


def container_of(made_from: Definition, site: Site = SITE, **changes: Any) -> dict[str, Any]:
    """What ``GET /containers/{id}/json`` shows of a container that was made from a definition."""
    return inspect_answer(create_body(made_from, site), container_name(made_from.name), **changes)


def inspect_answer(
    body: Mapping[str, Any],
    name: str,
    status: str = "running",
    image_id: str = IMAGE_ID,
    container_id: str = CONTAINER_ID,
) -> dict[str, Any]:
    """The answer of an engine for a container made with a create body.

    As the engine does, it merges in what the image sets, fills in its own defaults, and leaves out what is false or
    empty within a mount.
    """
    body = copy.deepcopy(dict(body))
    host = body["HostConfig"]
    own_keys = {entry.partition("=")[0] for entry in body["Env"]}
    from_image = [entry for entry in IMAGE_ENV if entry.partition("=")[0] not in own_keys]
    return {
        "Id": container_id,
        "Name": f"/{name}",
        "Created": "2026-01-02T03:04:05.123456789Z",
        "Image": image_id,
        "State": {
            "Status": status,
            "Running": status in ("running", "paused", "restarting"),
            "Paused": status == "paused",
            "StartedAt": "2026-01-02T03:04:06.123456789Z",
            "FinishedAt": STOPPED_AT if status in ("exited", "dead") else NEVER,
        },
        "Config": {
            "Image": body["Image"],
            "Hostname": body["Hostname"],
            "Env": [*body["Env"], *from_image],
            "Labels": {CONTRACT: "1", **body["Labels"]},
            "WorkingDir": body.get("WorkingDir", ""),
            "ExposedPorts": body["ExposedPorts"] or None,
            "Healthcheck": _merged_healthcheck(body["Healthcheck"]) if "Healthcheck" in body else None,
        },
        "HostConfig": {
            "Binds": None,
            "Mounts": [{key: value for key, value in mount.items() if value} for mount in host["Mounts"]],
            "PortBindings": host["PortBindings"],
            "NetworkMode": host["NetworkMode"],
            "ExtraHosts": host.get("ExtraHosts") or None,
            "Runtime": host.get("Runtime", "runc"),
            "CapDrop": host.get("CapDrop"),
            "CapAdd": [f"CAP_{name}" for name in host.get("CapAdd") or []],
            "SecurityOpt": host.get("SecurityOpt"),
            "Tmpfs": host.get("Tmpfs"),
            "ReadonlyRootfs": host.get("ReadonlyRootfs", False),
            "RestartPolicy": {"MaximumRetryCount": 0, **host["RestartPolicy"]},
            "NanoCpus": host.get("NanoCpus", 0),
            "CpuQuota": 0,
            "CpuPeriod": 0,
            "Memory": host.get("Memory", 0),
            "MemorySwap": host.get("MemorySwap", 0),
            "PidsLimit": host.get("PidsLimit"),
            "Dns": host.get("Dns") or [],
            "ShmSize": host.get("ShmSize", 64 * 1024**2),
            "Ulimits": host.get("Ulimits"),
            "Init": host["Init"],
        },
        "NetworkSettings": {"Networks": {host["NetworkMode"]: {"NetworkID": _joined_id(host["NetworkMode"], status)}}},
    }


def _joined_id(mode: str, status: str) -> str:
    """A container learns which network it is on when it is started."""
    return "" if status == "created" else network_id(mode)


def network_id(name: str) -> str:
    """The id of the first network of that name."""
    return f"first {name}"


def network_entry(spec: NetworkSpec, subnet: str = "10.213.0.0/28", scope: str = SITE.scope) -> dict[str, Any]:
    """An entry of ``GET /networks``."""
    body = network_body(spec, IPv4Network(subnet), scope)
    del body["CheckDuplicate"]
    return {"Id": network_id(spec.name), **body}


def networks_for(*egress: str, project: str = "web", scope: str = SITE.scope) -> list[dict[str, Any]]:
    """Entries of the networks that projects with such egress have."""
    specs = [spec for one in egress for spec in wanted_networks(project, one)]
    return [network_entry(spec, f"10.213.0.{16 * number}/28", scope) for number, spec in enumerate(specs)]


PROXY_IMAGE_ID = "sha256:" + "b" * 64
PROXY_ADDRESS = "10.213.0.2"
SETTINGS = ProxySettings("berth-proxy:latest", "c" * 64, reload=("/reload",))


def restricted(*allow: str, settings: ProxySettings | None = SETTINGS, **keys: Any) -> Definition:
    """A definition with restricted egress, whose proxy is settled; its address is where ``networks_for`` has it."""
    network = {"egress": "restricted", "allow": list(allow), **keys.pop("network", {})}
    return replace(definition(network=network, **keys).behind(PROXY_ADDRESS), proxy=settings)


def proxy_for(wanted: Definition, image_id: str = PROXY_IMAGE_ID, **changes: Any) -> Listed:
    """The proxy of a definition, as it is listed when all is well."""
    made = Listed(
        id="bb" + "0" * 62,
        name=proxy_name(wanted.name),
        status="running",
        created=1700000000,
        labels=sidecar_body(wanted, SITE, image_id)["Labels"],
        image_id=image_id,
        networks={spec.name: network_id(spec.name) for spec in wanted_networks(wanted.name, "restricted")},
        health="healthy",
    )
    return replace(made, **changes)


def _merged_healthcheck(given: Mapping[str, Any]) -> dict[str, Any]:
    """The engine takes from the image what a health check leaves out or sets to zero."""
    if given.get("Test") == ["NONE"]:
        return dict(given)
    return {**IMAGE_HEALTHCHECK, **{key: value for key, value in given.items() if value}}


def of_unknown_scheme(container: Mapping[str, Any], version: str | None = None) -> dict[str, Any]:
    """The container with a fingerprint version that this code does not know, as it is observed then."""
    changed = copy.deepcopy(dict(container))
    labels = changed["Config"]["Labels"]
    del labels[FINGERPRINT_VERSION]
    if version is not None:
        labels[FINGERPRINT_VERSION] = version
    changed["ImageEnv"] = list(IMAGE_ENV)
    return changed


def snapshot(number: int, project: str = "web", **changes: Any) -> Snapshot:
    """The ``number``th snapshot of a project, each of a container of its own."""
    tag = f"20260102T{number:06}000000Z"
    made = Snapshot(
        id=f"sha256:5a{number:062}",
        project=project,
        scope="default",
        tag=tag,
        tags=(f"berth/{project}:{tag}",),
        size=1000 * number,
        created=1700000000 + number,
        parent=IMAGE_ID,
        base=IMAGE,
        base_id=IMAGE_ID,
        packages="",
        container=f"{number:064}",
        stopped_at=STOPPED_AT,
        layers=1,
        flat=False,
    )
    return replace(made, **changes)


def plan(
    wanted: Definition,
    container: Mapping[str, Any] | None,
    *,
    agents: tuple[str, ...] = (),
    existing: Images | None = None,
    clash: str | None = None,
    is_ready: bool = True,
    unproven: Unproven | None = None,
    lineage: Lineage | None = None,
    asides: tuple[Mapping[str, Any], ...] = (),
    networks: Networks | None = None,
    proxy: Listed | None = None,
    view_changes: Mapping[str, Any] | None = None,
    **policy: Any,
) -> Plan:
    """The plan for a definition where there is this container, with the networks of open egress if not told else."""
    there = networks or Networks(networks_for("open", project=wanted.name), SITE.scope)
    view = View(
        container,
        Record(CONTAINER_ID, 1000, 1000),
        is_ready=is_ready,
        unproven=unproven,
        clash=clash,
        agents=agents,
        lineage=lineage or Lineage(),
        asides=asides,
        networks=there.of(wanted.name) if container else (),
        proxy=proxy,
    )
    view = replace(view, **(view_changes or {}))
    settled = settle_network(wanted, view, there.subnets)
    return plan_project(Case(settled, view, existing or images(), SITE, Policy(**policy), there))


# Definitions of every shape, as their users would write them. All of them are valid.

_NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,39}[a-z0-9])?", fullmatch=True)
_WORDS = st.from_regex(r"[a-z][a-z0-9_-]{0,11}", fullmatch=True)
_SIZES = st.sampled_from([6 * 1024**2, "6m", "512M", "1.5g", "2GiB", " 8 g "])
_ENV_KEYS = st.from_regex(r"X[A-Za-z0-9_]{0,8}", fullmatch=True)
_ENV_VALUES = st.one_of(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20), st.integers(), st.booleans()
)
_IDS = st.integers(1, 4294967294)


def _optional(keys: Mapping[str, st.SearchStrategy[Any]], **required: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(required, optional={key: values | st.none() for key, values in keys.items()})


WORKSPACES = st.lists(
    _optional({"read_only": st.booleans(), "name": st.nothing()}, path=_WORDS.map("/srv/src/{}".format)),
    max_size=3,
    unique_by=lambda entry: str(entry["path"]),
)
MOUNTS = st.lists(
    st.one_of(
        _optional(
            {"type": st.just("bind"), "read_only": st.booleans()},
            source=_WORDS.map("/data/{}".format),
            target=_WORDS.map("/mnt/{}".format),
        ),
        _optional(
            {"read_only": st.booleans()},
            type=st.just("volume"),
            source=_WORDS.map("v{}".format),
            target=_WORDS.map("/mnt/{}".format),
        ),
        _optional({"read_only": st.booleans()}, type=st.just("tmpfs"), target=_WORDS.map("/mnt/{}".format)),
    ),
    max_size=4,
    unique_by=lambda entry: str(entry["target"]),
)
PORTS = st.lists(
    _optional(
        {"protocol": st.sampled_from(["tcp", "udp"]), "host_ip": st.sampled_from(["127.0.0.1", "0.0.0.0", "::1"])},
        host=st.integers(1, 65535),
        container=st.integers(1, 65535),
    ),
    max_size=4,
    unique_by=lambda entry: int(entry["host"]),
)
ENVIRONMENTS = st.dictionaries(_ENV_KEYS, _ENV_VALUES | st.none(), max_size=4)
HEALTHCHECKS = _optional(
    {
        "enabled": st.booleans(),
        "interval": st.integers(1, 86400),
        "timeout": st.integers(1, 86400),
        "retries": st.integers(1, 100),
        "start_period": st.integers(1, 86400),
        "disk_limit": st.integers(1, 100),
    }
)
RESOURCES = _optional(
    {
        "cpus": st.sampled_from([0.01, 0.5, 1, 1.5, 4]),
        "memory": _SIZES,
        "pids": st.integers(1, 2**22),
        "nofile": st.integers(1, 2**20).map(lambda soft: {"soft": soft, "hard": soft + 1}),
        "shm_size": _SIZES,
    }
)
PROJECTS = _optional(
    {
        "state": st.sampled_from(["started", "stopped", "absent"]),
        "image": st.sampled_from(
            ["debian", "debian:latest", "registry.example:5000/team/tool", "x@sha256:" + "a" * 64]
        ),
        "workspaces": WORKSPACES,
        "mounts": MOUNTS,
        "docker_access": st.booleans(),
        "ports": PORTS,
        "env": ENVIRONMENTS,
        "timezone": st.sampled_from(["UTC", "Europe/Berlin"]),
        "user": _optional({"gid": _IDS}, uid=_IDS),
        "healthcheck": HEALTHCHECKS,
        "resources": RESOURCES,
        "restart": st.sampled_from(["unless-stopped", "no", "on-failure"]),
    },
    name=_NAMES,
)
"""Entries of ``berth_projects``."""
