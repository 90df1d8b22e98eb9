# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is sent to an engine to make images of containers, and what its answers are taken for."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import nullcontext
from hashlib import sha256
from threading import Lock
from typing import Any
from unittest.mock import Mock

import docker.errors
import pytest
import requests
from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.engine_images import ImageStore
from ansible_collections.berth.projects.plugins.module_utils.errors import EngineError

CONTAINER_ID = "c0ffee" + "0" * 58
TAR_END = bytes(1024)
IMPORTED = json.dumps({"status": "sha256:f1a7"})


def store_of(api: Mock) -> ImageStore:
    engine = Engine.__new__(Engine)
    vars(engine).update(docker_host="unix:///s", _reader=None, _client=api, _client_lock=Lock())
    return ImageStore(engine)


def refusal(status: int, said: str = "no") -> docker.errors.APIError:
    """What the SDK raises for an answer of this status."""
    response = requests.Response()
    response.status_code = status
    return docker.errors.APIError("refused", response=response, explanation=said)


@pytest.fixture
def api() -> Mock:
    made = Mock(timeout=60)
    made._url = lambda path: path
    made.load_image.return_value = iter([])
    made.export.return_value = iter([b"content", TAR_END])
    made.import_image_from_stream.side_effect = read_it_all
    made._post_json.return_value.json.return_value = {"Id": "sha256:5a"}
    return made


def read_it_all(stream: Iterator[bytes], **keys: Any) -> str:
    """An engine that reads what it is sent, and answers as one that imported it."""
    b"".join(stream)
    return f'{{"status":"Importing"}}\r\n{IMPORTED}\r\n'


# A commit


def test_a_commit_pauses_the_container_and_gives_the_images_id(api: Mock) -> None:
    assert store_of(api).commit(CONTAINER_ID, {"Labels": {"a": "b"}}, 0, ("berth/web", "T")) == "sha256:5a"
    (path,), keys = api._post_json.call_args
    assert (path, keys["data"]) == ("/commit", {"Labels": {"a": "b"}})
    assert keys["params"] == {"container": CONTAINER_ID, "pause": "1", "repo": "berth/web", "tag": "T"}


def test_a_commit_without_a_name_asks_for_none(api: Mock) -> None:
    store_of(api).commit(CONTAINER_ID, {}, 0, None)
    assert api._post_json.call_args.kwargs["params"] == {"container": CONTAINER_ID, "pause": "1"}


@pytest.mark.parametrize(("size", "seconds"), [(0, 60), (10 * 1024**2, 61), (6 * 1024**3, 60 + 614.4)])
def test_a_commit_of_a_big_layer_may_take_longer(api: Mock, size: int, seconds: float) -> None:
    store_of(api).commit(CONTAINER_ID, {}, size, None)
    assert api._post_json.call_args.kwargs["timeout"] == pytest.approx(seconds)


def test_a_commit_that_the_engine_refuses_is_told(api: Mock) -> None:
    api._raise_for_status.side_effect = refusal(500, "no space left on device")
    with pytest.raises(EngineError, match=r"^taking a snapshot of container c0ffee000000: .*no space left") as error:
        store_of(api).commit(CONTAINER_ID, {}, 0, None)
    assert error.value.status == 500


# A configuration for layers that are there


def loaded(api: Mock, **config: Any) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """What an engine is sent for two layers: the manifest, the image's whole configuration, and the files' names."""
    whole = {"architecture": "amd64", "os": "linux", "created": "2026-01-02T03:04:05Z", "config": config}
    store_of(api).load_config(whole, ["sha256:a", "sha256:b"], ["berth/web:T", "berth/web:latest"])
    ((archive,), _keys) = api.load_image.call_args
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        files = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
    (manifest,) = json.loads(files["manifest.json"])
    content = files[manifest["Config"]]
    assert manifest["Config"] == f"{sha256(content).hexdigest()}.json"
    return manifest, json.loads(content), sorted(files)


def test_an_image_of_known_layers_is_loaded_under_its_names(api: Mock) -> None:
    manifest, _whole, _files = loaded(api)
    assert manifest["RepoTags"] == ["berth/web:T", "berth/web:latest"]
    assert len(manifest["Layers"]) == 2


def test_an_image_of_known_layers_has_just_the_given_configuration(api: Mock) -> None:
    _manifest, whole, _files = loaded(api, Env=["A=b"], Labels={"c": "d"})
    assert whole["config"] == {"Env": ["A=b"], "Labels": {"c": "d"}}
    assert whole["rootfs"] == {"type": "layers", "diff_ids": ["sha256:a", "sha256:b"]}
    assert (whole["architecture"], whole["os"], whole["created"]) == ("amd64", "linux", "2026-01-02T03:04:05Z")


def test_an_image_has_as_much_history_as_layers(api: Mock) -> None:
    """Engines refuse one that has not."""
    assert len(loaded(api)[1]["history"]) == 2


def test_no_layers_content_is_sent(api: Mock) -> None:
    manifest, _whole, files = loaded(api)
    assert files == sorted([manifest["Config"], "manifest.json"])


def test_an_error_in_the_answer_to_a_load_is_one_though_its_status_is_200(api: Mock) -> None:
    api.load_image.return_value = iter([{"stream": "Loading"}, {"error": "invalid diffID for layer 0"}])
    with pytest.raises(EngineError, match=r"^naming the snapshot berth/web:T: .*invalid diffID for layer 0$") as error:
        loaded(api)
    assert error.value.status == 200


# All that a container shows, as one layer


def test_a_flattened_image_has_no_name_yet_and_says_whose_part_it_is(api: Mock) -> None:
    assert store_of(api).flatten(CONTAINER_ID, "default/web") == "sha256:f1a7"
    assert api.import_image_from_stream.call_args.kwargs == {"changes": ['LABEL berth.snapshot.part="default/web"']}


def test_an_export_is_passed_on_whole(api: Mock) -> None:
    sent: list[bytes] = []

    def take(stream: Iterator[bytes], **keys: Any) -> str:
        sent.extend(stream)
        return IMPORTED

    api.import_image_from_stream.side_effect = take
    store_of(api).flatten(CONTAINER_ID, "default/web")
    assert b"".join(sent) == b"content" + TAR_END


@pytest.mark.parametrize(
    "chunks",
    [[], [b""], [b"content"], [b"content", TAR_END[:-1]], [TAR_END, b"more"], [b"content" * 1000]],
    ids=["nothing", "an empty piece", "no end", "half an end", "more after an end", "a long one"],
)
def test_half_an_export_is_refused(api: Mock, chunks: list[bytes]) -> None:
    api.export.return_value = iter(chunks)
    with pytest.raises(EngineError, match=r"^flattening container c0ffee000000: the engine's export ended half-way$"):
        store_of(api).flatten(CONTAINER_ID, "default/web")


@pytest.mark.parametrize("pieces", [1, 7, 512, 1024, 4096])
def test_the_end_of_an_export_may_come_in_pieces_of_any_size(api: Mock, pieces: int) -> None:
    whole = b"content" + bytes(3000)
    api.export.return_value = iter([whole[at : at + pieces] for at in range(0, len(whole), pieces)])
    assert store_of(api).flatten(CONTAINER_ID, "default/web") == "sha256:f1a7"


def test_an_error_in_the_answer_to_an_import_is_one_though_its_status_is_200(api: Mock) -> None:
    api.import_image_from_stream.side_effect = None
    api.import_image_from_stream.return_value = '{"status":"Importing"}\n{"error":"no space left on device"}\n'
    with pytest.raises(EngineError, match=r"^flattening container .*no space left on device$"):
        store_of(api).flatten(CONTAINER_ID, "default/web")


@pytest.mark.parametrize("answer", ["", "\r\n", '{"status":"Importing"}\n', '{"progress":"x"}'])
def test_an_answer_to_an_import_that_ends_without_an_id_is_an_error(api: Mock, answer: str) -> None:
    api.import_image_from_stream.side_effect = None
    api.import_image_from_stream.return_value = answer
    with pytest.raises(EngineError, match=r"ended without an image$"):
        store_of(api).flatten(CONTAINER_ID, "default/web")


# A configuration for layers whose content the store wants along


WHOLE = {"Env": ["A=b"], "Labels": {"c": "d"}}


@pytest.fixture
def helped(api: Mock) -> Mock:
    api.create_container_from_config.return_value = {"Id": CONTAINER_ID}
    return api


def test_an_image_is_configured_by_a_commit_of_a_container_that_is_never_started(helped: Mock) -> None:
    store_of(helped).configure("sha256:f1a7", WHOLE, ("berth/web", "T"))
    assert helped.create_container_from_config.call_args.args[0]["Image"] == "sha256:f1a7"
    sent = helped._post_json.call_args.kwargs
    assert (sent["params"]["repo"], sent["params"]["tag"]) == ("berth/web", "T")
    assert not helped.start.called


def test_a_configured_image_is_no_part_any_more(helped: Mock) -> None:
    store_of(helped).configure("sha256:f1a7", WHOLE, ("berth/web", "T"))
    sent = helped._post_json.call_args.kwargs["data"]
    assert sent == {"Env": ["A=b"], "Labels": {"c": "d", "berth.snapshot.part": ""}}


@pytest.mark.parametrize("fails", [False, True])
def test_the_container_that_an_image_is_configured_by_is_removed(helped: Mock, fails: bool) -> None:
    helped._raise_for_status.side_effect = refusal(500) if fails else None
    with pytest.raises(EngineError) if fails else nullcontext():
        store_of(helped).configure("sha256:f1a7", WHOLE, ("berth/web", "T"))
    assert helped.remove_container.call_args.args == (CONTAINER_ID,)


# Names


def test_a_name_is_moved_from_the_image_that_had_it(api: Mock) -> None:
    store_of(api).tag("sha256:5a", "berth/web:latest")
    assert api.tag.call_args.args == ("sha256:5a", "berth/web", "latest")
    assert api.tag.call_args.kwargs == {"force": True}


def test_an_image_that_is_in_use_is_not_removed_and_that_is_no_error(api: Mock) -> None:
    api.remove_image.side_effect = refusal(409, "image is being used by stopped container")
    assert store_of(api).remove("berth/web:T") is False


def test_an_image_is_never_removed_by_force(api: Mock) -> None:
    store_of(api).remove("berth/web:T")
    assert api.remove_image.call_args.kwargs["force"] is False


def test_an_image_that_is_gone_counts_as_removed(api: Mock) -> None:
    api.remove_image.side_effect = refusal(404, "No such image")
    assert store_of(api).remove("berth/web:T") is True


def test_an_image_that_cannot_be_removed_for_another_reason_is_an_error(api: Mock) -> None:
    api.remove_image.side_effect = refusal(500, "read-only file system")
    with pytest.raises(EngineError, match=r"^removing image berth/web:T: .*read-only file system"):
        store_of(api).remove("berth/web:T")
