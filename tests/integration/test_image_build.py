# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Building base images on a real engine, without ever moving ``berth-base:latest`` to one that is only a test's."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from typing import Any, Callable

import pytest
from ansible_collections.berth.projects.plugins.module_utils import image_debootstrap
from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.image_base import Base
from ansible_collections.berth.projects.plugins.module_utils.image_build import build, ensure_image, get_base
from ansible_collections.berth.projects.plugins.module_utils.image_certificates import (
    Certificates,
    read_ca_certificates,
)
from ansible_collections.berth.projects.plugins.plugin_utils.recipe import recipe_from_vars
from image_box import READY, Box, Put
from tiny_image import build_tiny_image


def tags(engine: Engine) -> set[str]:
    return {tag for image in engine.images() for tag in image["RepoTags"] or [] if tag.startswith("berth-base:")}


def latest(engine: Engine) -> str | None:
    return next((image["Id"] for image in engine.images() if "berth-base:latest" in (image["RepoTags"] or [])), None)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.connect(
        {
            "docker_host": os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"),
            "api_version": "auto",
            "timeout": 60,
            "tls": False,
            "validate_certs": False,
            "ca_path": None,
            "client_cert": None,
            "client_key": None,
            "cert_folder": None,
        }
    )


@pytest.fixture
def tiny(engine: Engine) -> Base:
    reference = build_tiny_image(engine.api)
    found = engine.image(reference)
    assert found
    return Base("local", reference, found["Id"])


@pytest.fixture
def own_tiny(engine: Engine) -> Iterator[str]:
    """The tiny image under a label that no other test has, to find the layers that a failed build keeps."""
    label = f"berth.test={secrets.token_hex(4)}"
    reference = build_tiny_image(engine.api, (f"LABEL {label}",))
    yield reference
    for image in engine.api.images(filters={"dangling": True, "label": label}):
        engine.api.remove_image(image["Id"])
    engine.api.remove_image(reference)


def test_a_base_without_apt_is_refused_with_the_end_of_the_build_and_no_name_is_moved(
    engine: Engine, own_tiny: str
) -> None:
    before = tags(engine), latest(engine)
    with pytest.raises(BerthError, match="Berth needs a Debian or Ubuntu base"):
        ensure_image(engine, recipe_from_vars({"berth_image_base": own_tiny, "berth_image_variant": "slim"}))
    assert (tags(engine), latest(engine)) == before


def test_a_base_that_is_nowhere_is_an_error_that_says_what_to_do(engine: Engine) -> None:
    recipe = recipe_from_vars({"berth_image_base": "registry.invalid/nothing:1"})
    with pytest.raises(BerthError, match=r"cannot be pulled.*Check berth_image_base"):
        ensure_image(engine, recipe)


@pytest.mark.parametrize("step", ["plan", "base", "build", "all"])
def test_check_mode_tells_and_touches_nothing(engine: Engine, tiny: Base, step: str) -> None:
    before = tags(engine), latest(engine)
    recipe = recipe_from_vars({"berth_image_base": tiny.reference})
    result = ensure_image(engine, recipe, step=step, check_mode=True)
    assert result["action"] == "build"
    assert result["changed"] is (step != "plan")
    assert result["message"].startswith(f"build {result['image']} from {tiny.reference}")
    assert (tags(engine), latest(engine)) == before


def test_debootstrap_is_asked_for_where_it_is_missing(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_debootstrap, "_debootstrap", lambda: None)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    result = ensure_image(engine, recipe_from_vars({"berth_image_base": "debootstrap:sid"}), step="all")
    assert "debootstrap" in result["needs"]
    assert not result["changed"]


def test_without_root_debootstrap_is_refused_with_a_way_out(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(BerthError, match=r"needs root.*berth_image_base"):
        ensure_image(engine, recipe_from_vars({"berth_image_base": "debootstrap:sid"}), step="plan")


@pytest.fixture(scope="module")
def slim(engine: Engine) -> Iterator[str]:
    """The slim image on a base that has a user with uid 1000 already, as those of Ubuntu and Node have."""
    recipe = recipe_from_vars({"berth_image_variant": "slim"})
    base, needs = get_base(engine, recipe, "/var/lib/berth/build", fresh=False)
    assert not needs, f"these tests need {needs} on this host"
    seed = engine.api.create_container(
        base.id,
        command=["sh", "-c", "useradd -m -u 1000 ubuntu && touch /home/ubuntu/f && chown ubuntu: /home/ubuntu/f"],
    )
    engine.api.start(seed["Id"])
    assert engine.api.wait(seed["Id"])["StatusCode"] == 0
    taken = engine.api.commit(seed["Id"])["Id"]
    engine.api.remove_container(seed["Id"])
    certificates = read_ca_certificates() if recipe.ca else Certificates()
    image_id = build(engine, recipe, Base("local", base.reference, taken), certificates, no_cache=False)[1]
    yield image_id
    engine.api.remove_image(image_id, force=True)  # and, as nothing else needs it, the base below


@pytest.fixture
def box(engine: Engine, slim: str) -> Iterator[Callable[..., Box]]:
    boxes: list[Box] = []

    def make(**options: Any) -> Box:
        boxes.append(Box(engine.api, slim, **options))
        return boxes[-1]

    yield make
    for one in boxes:
        one.remove()


@pytest.mark.slow_image
def test_the_slim_image_keeps_the_contract(engine: Engine, slim: str) -> None:
    found = engine.image(slim)
    assert found
    config = found["Config"]
    assert config["Labels"] == {"berth.contract": "1"}
    assert not config.get("Volumes")
    assert config["User"] == "root"
    assert config["WorkingDir"] == "/workspace"
    assert config["Entrypoint"] == ["/usr/local/lib/berth/entrypoint"]
    assert config["Healthcheck"]["Interval"] == 60 * 10**9
    assert "LANG=C.UTF-8" in config["Env"]


@pytest.mark.slow_image
def test_the_slim_image_takes_host_state_over_and_says_that_it_has_no_cron(box: Callable[..., Box]) -> None:
    take = [
        {"kind": "files", "aspect": "x", "source": "ssh", "target": ".ssh"},
        {"kind": "schedule", "aspect": "x", "source": "schedule.json", "target": ".local/state/berth/schedule"},
    ]
    files = {
        "manifest.json": json.dumps({"version": 1, "take": take}),
        "schedule.json": json.dumps([{"name": "nightly", "cron": "0 3 * * *", "prompt": "look"}]),
        "ssh/id_a": "key",
        "generation": "1",
    }
    one = box(put=[Put(f"/etc/berth/{path}", text, uid=1000, mode=0o400) for path, text in files.items()])
    warning, ready = one.start()
    assert warning.startswith("berth: warning: this image has no cron, so scheduled tasks do not run: add cron to ")
    assert ready == READY
    assert one.read("cat", "/home/agent/.ssh/id_a") == "key"
    assert one.run("/usr/local/lib/berth/healthcheck") == (0, "")


@pytest.mark.slow_image
def test_a_user_that_had_the_agents_uid_has_another_and_its_home(box: Callable[..., Box]) -> None:
    one = box(volumes=["/home/agent", "/home/agent/.claude"])
    assert one.start() == [READY]
    assert [one.read("id", "-u", name) for name in ("agent", "ubuntu")] == ["1000", "60000"]
    assert one.owner("/home/ubuntu/f").startswith("60000:")
    assert one.owner("/home/agent/.claude") == "1000:1000"


@pytest.mark.slow_image
def test_the_gnu_tools_do_the_same_as_those_of_busybox(box: Callable[..., Box]) -> None:
    one = box(
        env={"BERTH_UID": "1234", "BERTH_GID": "100", "TZ": "Europe/Berlin"},
        volumes=["/home/agent", "/home/agent/my [data]"],
        put=[
            Put("/home/agent/mine", uid=1000, gid=1000),
            Put("/home/agent/anothers", uid=4321, gid=4321),
            Put("/home/agent/my [data]/file", uid=1000, gid=1000),
        ],
    )
    assert one.start() == [READY]
    assert one.read("id", "agent") == "uid=1234(agent) gid=100(users) groups=100(users)"
    assert one.owner("/home/agent/mine") == "1234:100"
    assert one.owner("/home/agent/anothers") == "4321:4321"
    assert one.owner("/home/agent/my [data]/file") == "1000:1000"
    assert one.read("date", "+%Z") in ("CET", "CEST")
    assert one.read("git", "config", "--system", "init.defaultBranch") == "main"
    assert one.read("git", "config", "--system", "pull.rebase") == "false"


@pytest.mark.slow_image
@pytest.mark.parametrize(
    ("df", "error"),
    [
        (
            "echo 'df: /home/agent: Input/output error' >&2; exit 1",
            "cannot be read: df: /home/agent: Input/output error",
        ),
        ("echo Filesystem; echo 'none 0 0 0 - /'", "the disk usage of / cannot be read"),
    ],
)
def test_a_disk_whose_usage_cannot_be_read_is_an_error_not_an_empty_disk(
    box: Callable[..., Box], df: str, error: str
) -> None:
    one = box(put=[Put("/usr/local/bin/df", f"#!/bin/sh\n{df}\n")])
    (line,) = one.start()
    assert line.startswith("berth: error: ")
    assert error in line
    assert one.state()["ExitCode"] == 1
