# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An engine in memory: it does what it is told, and writes down what changes something."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from tarfile import open as open_tar
from typing import Any, Callable

from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.errors import EngineError
from ansible_collections.berth.projects.plugins.module_utils.names import CONTRACT, PROJECT, READY, SCOPE
from ansible_collections.berth.projects.tests.unit.builders import (
    IMAGE,
    IMAGE_ENV,
    IMAGE_ID,
    inspect_answer,
    networks_for,
)

CONTAINERD_STORE = [["driver-type", "io.containerd.snapshotter.v1"]]
WHOLE_TAR = bytes(10240)
NEW_ID = "4e3" + "0" * 61
"""The id of the first container that the engine makes."""


class Killed(BaseException):
    """What ends a run as SIGKILL does: nothing can be done after it."""


class FakeEngine(Engine):
    """Has containers, images and volumes, and refuses what a real engine refuses.

    Files are names alone. Each is in the layer of a container or in one of an image's, and a container shows all.

    Args:
        broken: Calls that fail, by how they begin in ``calls``.
        output: What a container prints when it is started; one that does not print the ready line ends.
        error: What a broken call raises.
        is_late: A broken call fails only once it has done its work, as where the answer is lost.
        contract: Of the base image.
        driver_status: What the engine says of where its images live.
    """

    def __init__(
        self,
        *broken: str,
        output: tuple[str, ...] = (READY,),
        error: BaseException | None = None,
        is_late: bool = False,
        contract: str = "1",
        driver_status: Sequence[Sequence[str]] = (),
    ) -> None:
        self.docker_host = "unix:///var/run/docker.sock"
        self.running = ["sleep infinity"]
        self.calls: list[str] = []
        self.updates: list[Mapping[str, Any]] = []
        self.committed: list[Mapping[str, Any]] = []
        self.export_chunks: Sequence[bytes] = (WHOLE_TAR,)
        self.exported: frozenset[str] = frozenset()
        self.load_events: Sequence[Mapping[str, Any]] = ()
        self.volume_list: list[dict[str, Any]] = []
        self.network_list: list[dict[str, Any]] = []
        self.said = (0, "")
        self.output_of: dict[str, tuple[str, ...]] = {}
        """What containers print that print something else, by their names."""
        self.watch: Callable[[], None] = lambda: None
        """Called after each call that changed something."""
        self.is_here = False
        self._fail_at: int | None = None
        self._is_for_good = False
        self._layers: dict[str, frozenset[str]] = {}
        self._ready: set[str] = set()
        self._broken = broken
        self.output = output
        self._error = error
        self._is_late = is_late
        self._driver_status = driver_status
        self._containers: dict[str, dict[str, Any]] = {}
        self._images: dict[str, dict[str, Any]] = {}
        self._made = 0
        self._made_networks = 0
        self._stopped = 0
        base = {"Env": list(IMAGE_ENV), "Labels": {CONTRACT: contract}, "Entrypoint": ["/usr/local/bin/berth"]}
        self.add_image(IMAGE_ID, base, IMAGE)

    def fail(self, number: int, is_late: bool, error: BaseException, is_for_good: bool = False) -> None:
        """Let that call of all that follow fail, counted from 1; and all after it, if it is for good."""
        self._fail_at, self._is_late, self._error = len(self.calls) + number, is_late, error
        self._is_for_good = is_for_good

    def mend(self) -> None:
        """Let no call fail any more."""
        self._fail_at, self._broken = None, ()

    # What there is

    def hold(self, *containers: Mapping[str, Any] | None) -> FakeEngine:
        """Have these containers, too."""
        for container in containers:
            if container and container["Id"] not in self._containers:
                self._containers[container["Id"]] = copy.deepcopy(dict(container))
                self._have_networks_of(container)
        return self

    def _have_networks_of(self, container: Mapping[str, Any]) -> None:
        """Those that it was on when it ran last."""
        joined = (container.get("NetworkSettings") or {}).get("Networks") or {}
        labels = container["Config"]["Labels"] or {}
        for name, one in joined.items() if PROJECT in labels else ():
            if one.get("NetworkID") and not self._network(name) and name.startswith("berth-"):
                egress = "restricted" if name.endswith((".inner", ".egress")) else "open"
                entries = networks_for(egress, project=labels[PROJECT], scope=labels[SCOPE])
                self.network_list += [entry for entry in entries if entry["Name"] == name]

    def _network(self, name: str) -> dict[str, Any] | None:
        return next((one for one in self.network_list if name in (one["Name"], one["Id"])), None)

    def was_ready(self, *container_ids: str) -> FakeEngine:
        """Have the output of these containers tell that they were ready."""
        self._ready.update(container_ids)
        return self

    def write(self, container_id: str, *files: str) -> None:
        """Have these files in a container's layer."""
        self._one(container_id).setdefault("Files", set()).update(files)

    def files(self, name_or_id: str) -> frozenset[str]:
        """All that a container shows, or an image has."""
        for one in self._containers.values():
            if name_or_id in (one["Id"], one["Name"].lstrip("/")):
                return self._below(one["Image"]) | frozenset(one.get("Files", ()))
        return self._below(name_or_id)

    def _below(self, image: str) -> frozenset[str]:
        shown = self.image(image)
        layers = shown["RootFS"]["Layers"] if shown else []
        return frozenset().union(*(self._layers.get(layer, frozenset()) for layer in layers))

    def add_image(
        self, image_id: str, config: Mapping[str, Any], *tags: str, layers: int | Sequence[str] = 2, size: int = 1000
    ) -> str:
        """Have an image of these layers, or of so many that nothing is in."""
        names = [f"sha256:layer{number}" for number in range(layers)] if isinstance(layers, int) else list(layers)
        self._images[image_id] = {
            "Id": image_id,
            "RepoTags": list(tags),
            "Size": size,
            "Created": "2026-01-01T00:00:00Z",
            "Architecture": "amd64",
            "Os": "linux",
            "Config": copy.deepcopy(dict(config)),
            "RootFS": {"Type": "layers", "Layers": names},
        }
        return image_id

    @property
    def tags(self) -> dict[str, str]:
        """The id behind each name of an image."""
        return {tag: image["Id"] for image in self._images.values() for tag in image["RepoTags"]}

    @property
    def nameless(self) -> list[str]:
        """The ids of images that have no name."""
        return [image["Id"] for image in self._images.values() if not image["RepoTags"]]

    @property
    def names(self) -> dict[str, str]:
        """The state of each container by its name."""
        return {one["Name"].lstrip("/"): one["State"]["Status"] for one in self._containers.values()}

    # Reading

    @property
    def is_local(self) -> bool:
        return self.is_here

    @property
    def api(self) -> FakeApi:
        return FakeApi(self)

    @contextmanager
    def calling(self, doing: str) -> Iterator[None]:
        yield

    def containers(self) -> list[dict[str, Any]]:
        return [
            {
                "Id": one["Id"],
                "Names": [one["Name"]],
                "State": one["State"]["Status"],
                "ImageID": one["Image"],
                "Created": 1700000000,
                "Labels": one["Config"]["Labels"],
                "Mounts": [
                    {"Type": mount["Type"], "Name": mount["Source"]}
                    for mount in one["HostConfig"]["Mounts"]
                    if mount["Type"] == "volume"
                ],
                "NetworkSettings": copy.deepcopy(one.get("NetworkSettings") or {}),
            }
            for one in self._containers.values()
        ]

    def images(self) -> list[dict[str, Any]]:
        return [
            {
                "Id": one["Id"],
                "RepoTags": list(one["RepoTags"]) or ["<none>:<none>"],
                "RepoDigests": None,
                "Labels": one["Config"].get("Labels"),
                "Size": one["Size"],
                "Created": 1700000000,
            }
            for one in self._images.values()
        ]

    def volumes(self, label: str) -> list[dict[str, Any]]:
        key, _equals, value = label.partition("=")
        return [one for one in self.volume_list if (one.get("Labels") or {}).get(key) == value]

    def networks(self) -> list[dict[str, Any]]:
        return copy.deepcopy(self.network_list)

    def container(self, name_or_id: str, size: bool = False) -> dict[str, Any] | None:
        for one in self._containers.values():
            if name_or_id in (one["Id"], one["Name"].lstrip("/")):
                return {**copy.deepcopy(one), **({"SizeRw": 5000, "SizeRootFs": 90000} if size else {})}
        return None

    def image(self, reference: str) -> dict[str, Any] | None:
        found = self._images.get(self.tags.get(reference, reference))
        return copy.deepcopy(found) if found else None

    def has_printed(self, container_id: str, line: str, since: str | None = None) -> bool:
        return container_id in self._ready

    def processes(self, container_id: str) -> list[str]:
        return self.running

    def info(self) -> dict[str, Any]:
        return {
            "DockerRootDir": "/var/lib/docker",
            "NCPU": 2,
            "MemTotal": 4 * 1024**3,
            "DriverStatus": self._driver_status,
            "Runtimes": {"runc": {"path": "runc"}},
            "SecurityOptions": ["name=seccomp,profile=default"],
        }

    # Changing

    def pull(self, reference: str) -> None:
        base = self._images[IMAGE_ID]["Config"]
        self.do(f"pull {reference}", lambda: self.add_image(f"sha256:{reference}", base, reference))

    def create(self, name: str, body: Mapping[str, Any]) -> str:
        image = self.image(body["Image"])
        if image is None:
            raise EngineError(f"creating {name}: no such image", 404)
        self._made += 1
        container_id = f"{0x4E2 + self._made:x}" + "0" * 61
        made = inspect_answer(body, name, "created", image["Id"], container_id)
        made["Config"]["Labels"] = {**(image["Config"].get("Labels") or {}), **made["Config"]["Labels"]}
        self._demand_free(name)
        self.do(f"create {name}", lambda: self.hold(made))
        return container_id

    def start(self, container_id: str) -> None:
        self.do(f"start {container_id[:3]}", lambda: self._run(container_id))

    def _run(self, container_id: str) -> None:
        for name, one in self._one(container_id)["NetworkSettings"]["Networks"].items():
            network = self._network(name)
            if name.startswith("berth-") and (network is None or one.get("NetworkID") not in ("", network["Id"])):
                raise EngineError(f"starting: network {one.get('NetworkID')} not found", 404)
            if network:
                one["NetworkID"] = network["Id"]
        self._demand_ports(container_id)
        self._change(container_id, "running")

    def _demand_ports(self, container_id: str) -> None:
        wanted = _host_ports(self._one(container_id))
        for other in self._containers.values():
            taken = wanted & _host_ports(other) if other["State"]["Running"] else set()
            if taken and other["Id"] != container_id:
                raise EngineError(f"starting: port {min(taken)} is already allocated", 500)

    def start_and_listen(self, container_id: str, seconds: float) -> Iterator[str]:
        self.start(container_id)
        output = self.output_of.get(self._one(container_id)["Name"].lstrip("/"), self.output)
        if READY in output:
            self._ready.add(container_id)
        else:
            policy = self._one(container_id)["HostConfig"]["RestartPolicy"]["Name"]
            self._change(container_id, "exited" if policy == "no" else "restarting")
        yield from output

    def stop(self, container_id: str, seconds: int) -> None:
        self.do(f"stop {container_id[:3]} {seconds}", lambda: self._change(container_id, "exited"))

    def run(self, container_id: str, command: Sequence[str], user: str, seconds: float) -> tuple[int, str]:
        self.do(f"run {container_id[:3]} {' '.join(command)} as {user}", lambda: None)
        return self.said

    def pause(self, container_id: str) -> None:
        self.do(f"pause {container_id[:3]}", lambda: self._change(container_id, "paused"))

    def unpause(self, container_id: str) -> None:
        self.do(f"unpause {container_id[:3]}", lambda: self._change(container_id, "running"))

    def rename(self, container_id: str, name: str) -> None:
        self._demand_free(name)
        self.do(f"rename {container_id[:3]} {name}", lambda: self._one(container_id).update(Name=f"/{name}"))

    def remove(self, container_id: str) -> None:
        self.do(f"remove {container_id[:3]}", lambda: self._containers.pop(container_id, None))

    def update(self, container_id: str, body: Mapping[str, Any]) -> None:
        self.updates.append(body)
        words = " ".join(("update", container_id[:3], *body))
        self.do(words, lambda: self._one(container_id)["HostConfig"].update(copy.deepcopy(dict(body))))

    def do(self, call: str, effect: Callable[[], Any]) -> Any:
        """Write a call down and do it, unless it is to fail."""
        self.calls.append(call)
        number = self._fail_at or len(self.calls) + 1
        is_over = self._is_for_good and len(self.calls) > number
        if not is_over and len(self.calls) != number and not any(call.startswith(broken) for broken in self._broken):
            result = effect()
            self.watch()
            return result
        if self._is_late and not is_over:
            effect()
        raise self._error or EngineError(f"{call.partition(' ')[0]}: the engine said: no", 500)

    def word_of(self, image: str) -> str:
        """What an image is called in ``calls``."""
        shown = self.image(image) or {}
        return next(iter(shown.get("RepoTags") or ["part"]))

    def _one(self, container_id: str) -> dict[str, Any]:
        if container_id not in self._containers:
            raise EngineError(f"no such container: {container_id}", 404)
        return self._containers[container_id]

    def _change(self, container_id: str, status: str) -> None:
        state = self._one(container_id)["State"]
        runs = status in ("running", "restarting", "paused")
        state.update(Status=status, Running=runs, Paused=status == "paused")
        if status == "exited":
            self._stopped += 1
            state.update(FinishedAt=f"2026-03-01T00:00:{self._stopped:02}Z", ExitCode=1)

    def _demand_free(self, name: str) -> None:
        if name in self.names:
            raise EngineError(f"the name {name} is in use", 409)


def _host_ports(container: Mapping[str, Any]) -> set[str]:
    bindings = container["HostConfig"].get("PortBindings") or {}
    return {place["HostPort"] for places in bindings.values() for place in places}


class FakeApi:
    """What the image and the volume store ask the SDK's client for."""

    timeout = 60

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine

    def _url(self, path: str) -> str:
        return path

    def _post_json(
        self, url: str, data: dict[str, Any], params: Mapping[str, str] | None = None, timeout: float = 0
    ) -> FakeAnswer:
        if url == "/networks/create":
            return self._create_network(data)
        return self._commit(url, data, params or {})

    def _create_network(self, data: dict[str, Any]) -> FakeAnswer:
        engine = self._engine
        if engine._network(data["Name"]):
            raise EngineError(f"network with name {data['Name']} already exists", 409)
        subnets = [one["IPAM"]["Config"][0]["Subnet"] for one in engine.network_list]
        if data["IPAM"]["Config"][0]["Subnet"] in subnets:
            raise EngineError("Pool overlaps with other one on this address space", 403)
        engine._made_networks += 1
        made = {"Id": f"network {engine._made_networks}", **data}
        engine.do(f"make-network {data['Name']}", lambda: engine.network_list.append(made))
        return FakeAnswer({"Id": made["Id"]})

    def remove_network(self, network_id: str) -> None:
        engine = self._engine
        found = engine._network(network_id)
        if found is None:
            raise EngineError(f"no such network: {network_id}", 404)
        for one in engine._containers.values():
            joined = (one.get("NetworkSettings") or {}).get("Networks") or {}
            if found["Name"] in joined and one["State"]["Running"]:
                raise EngineError(f"network {found['Name']} has active endpoints", 403)
        engine.do(f"remove-network {found['Name']}", lambda: engine.network_list.remove(found))

    def connect_container_to_network(self, container_id: str, network: str, ipv4_address: str | None = None) -> None:
        engine = self._engine
        joined, found = engine._one(container_id)["NetworkSettings"]["Networks"], engine._network(network)
        if found is None:
            raise EngineError(f"no such network: {network}", 404)
        engine.do(f"connect {container_id[:3]} {network}", lambda: joined.update({network: {"NetworkID": found["Id"]}}))

    def disconnect_container_from_network(self, container_id: str, network: str, force: bool) -> None:
        joined = self._engine._one(container_id)["NetworkSettings"]["Networks"]
        self._engine.do(f"disconnect {container_id[:3]} {network}", lambda: joined.pop(network))

    def _commit(self, url: str, data: dict[str, Any], params: Mapping[str, str]) -> FakeAnswer:
        assert url == "/commit" and params["pause"] == "1"
        container = self._engine._one(params["container"])
        names = [f"{params['repo']}:{params['tag']}"] if "repo" in params else []
        below = self._engine.image(container["Image"]) or {"RootFS": {"Layers": []}}
        config = container["Config"]
        merged = {**config, **data, "Labels": {**config["Labels"], **data["Labels"]}}
        self._engine.committed.append(data)
        image_id = f"sha256:{len(self._engine.committed):064}"
        layer = f"sha256:of {container['Id'][:3]} {len(self._engine.committed)}"

        def commit() -> None:
            self._engine._layers[layer] = frozenset(container.get("Files", ()))
            layers = [*below["RootFS"]["Layers"], layer]
            self._engine.add_image(image_id, merged, *self._taken(names), layers=layers)

        self._engine.do(f"commit {params['container'][:3]}", commit)
        return FakeAnswer({"Id": image_id})

    def _get(self, url: str, params: dict[str, str]) -> FakeAnswer:
        assert url == "/system/df" and params == {"type": "volume"}
        return FakeAnswer({"Volumes": [{**one, "UsageData": {"Size": 42}} for one in self._engine.volume_list]})

    def _result(self, answer: FakeAnswer, is_json: bool) -> Any:
        return answer.json()

    def _raise_for_status(self, answer: FakeAnswer) -> None:
        return None

    def load_image(self, archive: bytes) -> Iterable[Mapping[str, Any]]:
        with open_tar(fileobj=BytesIO(archive)) as tar:
            (manifest,) = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
            whole = json.load(tar.extractfile(manifest["Config"]))  # type: ignore[arg-type]
        names = manifest["RepoTags"]
        layers = whole["rootfs"]["diff_ids"]
        failed = any(event.get("error") for event in self._engine.load_events)

        def load() -> None:
            if not failed:
                image_id = f"sha256:{manifest['Config'].partition('.')[0]}"
                self._engine.add_image(image_id, whole["config"], *self._taken(names), layers=layers)

        self._engine.do(f"load {' '.join(names)}", load)
        return self._engine.load_events

    def export(self, container_id: str) -> Iterable[bytes]:
        self._engine.do(f"export {container_id[:3]}", lambda: None)
        self._engine.exported = self._engine.files(container_id)
        return self._engine.export_chunks

    def import_image_from_stream(self, stream: Iterable[bytes], changes: list[str]) -> str:
        b"".join(stream)
        (change,) = changes
        key, _equals, value = change.removeprefix("LABEL ").partition("=")
        number = len(self._engine.calls)
        image_id, layer = f"sha256:f1a7{number:060}", f"sha256:imported {number}"

        def take_in() -> None:
            self._engine._layers[layer] = self._engine.exported
            self._engine.add_image(image_id, {"Labels": {key: value.strip('"')}}, layers=[layer])

        self._engine.do("import", take_in)
        return json.dumps({"status": image_id})

    def create_container_from_config(self, body: Mapping[str, Any]) -> dict[str, str]:
        image = self._engine.image(body["Image"]) or {}
        made = {
            "Id": "4e19e7" + "0" * 58,
            "Name": "/somebody",
            "Image": image["Id"],
            "State": {"Status": "created", "Running": False, "FinishedAt": "0001-01-01T00:00:00Z"},
            "Config": {"Image": body["Image"], "Env": [], "Labels": dict(image["Config"]["Labels"])},
            "HostConfig": {"Mounts": []},
            "NetworkSettings": {"Networks": {}},
        }
        self._engine.do("create a helper", lambda: self._engine.hold(made))
        return {"Id": str(made["Id"])}

    def tag(self, image: str, repository: str, tag: str, force: bool) -> None:
        name = f"{repository}:{tag}"
        found = self._engine.image(image)
        if found is None:
            raise EngineError(f"no such image: {image}", 404)

        def name_it() -> None:
            self._engine._images[found["Id"]]["RepoTags"] += self._taken([name])

        self._engine.do(f"tag {self._engine.word_of(image)} {name}", name_it)

    def remove_image(self, reference: str, force: bool) -> None:
        engine = self._engine
        found = engine.image(reference)
        call = f"remove-image {engine.word_of(reference) if found and reference == found['Id'] else reference}"
        if found is None:
            engine.do(call, lambda: None)
            raise EngineError(f"no such image: {reference}", 404)
        left = [tag for tag in found["RepoTags"] if tag != reference]
        if not left and any(one["Image"] == found["Id"] for one in engine._containers.values()):
            engine.do(call, lambda: None)
            raise EngineError(f"{reference} is in use", 409)

        def take_away() -> None:
            engine._images[found["Id"]]["RepoTags"] = left
            if not left:
                del engine._images[found["Id"]]

        engine.do(call, take_away)

    def remove_volume(self, name: str) -> None:
        (volume,) = [one for one in self._engine.volume_list if one["Name"] == name]
        self._engine.do(f"remove-volume {name}", lambda: self._engine.volume_list.remove(volume))

    def _taken(self, names: list[str]) -> list[str]:
        """A name leaves the image that had it; one that has no more of them stays without."""
        for image in self._engine._images.values():
            image["RepoTags"] = [tag for tag in image["RepoTags"] if tag not in names]
        return names


class FakeAnswer:
    def __init__(self, data: Any) -> None:
        self._data = data

    def json(self) -> Any:
        return self._data
