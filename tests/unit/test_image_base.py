# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which base is taken, what the image is called, and when it is current."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils import image_plan
from ansible_collections.berth.projects.plugins.module_utils.image_base import (
    Base,
    content_tag,
    keep_parts,
    resolve_base,
)
from ansible_collections.berth.projects.plugins.module_utils.image_certificates import (
    Certificates,
    read_ca_certificates,
)
from ansible_collections.berth.projects.plugins.module_utils.image_plan import image_is_current, plan_image
from hypothesis import given
from hypothesis import strategies as st


def image(image_id: str, *tags: str, digests: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"Id": f"sha256:{image_id}", "RepoTags": list(tags), "RepoDigests": list(digests), "Labels": None}


DEBIAN = image("d", "debian:trixie")
ROOTFS = image("r", "berth-rootfs:trixie")
UBUNTU = image("u", "ubuntu:latest", digests=("ubuntu@sha256:abc",))
UNTAGGED = {"Id": "sha256:n", "RepoTags": None, "RepoDigests": None}


@pytest.mark.parametrize(
    ("base", "images", "expected"),
    [
        ("auto", [ROOTFS, DEBIAN], Base("local", "debian:trixie", "sha256:d")),
        ("auto", [ROOTFS], Base("local", "berth-rootfs:trixie", "sha256:r")),
        ("auto", [UBUNTU, UNTAGGED], Base("auto", "debian:trixie")),
        ("debootstrap:trixie", [DEBIAN, ROOTFS], Base("local", "berth-rootfs:trixie", "sha256:r")),
        ("debootstrap:trixie", [DEBIAN], Base("debootstrap", "berth-rootfs:trixie")),
        ("debootstrap:bookworm", [ROOTFS], Base("debootstrap", "berth-rootfs:bookworm")),
        ("ubuntu", [UBUNTU], Base("local", "ubuntu", "sha256:u")),
        ("docker.io/library/ubuntu:latest", [UBUNTU], Base("local", "docker.io/library/ubuntu:latest", "sha256:u")),
        ("ubuntu@sha256:abc", [UBUNTU], Base("local", "ubuntu@sha256:abc", "sha256:u")),
        ("sha256:n", [UNTAGGED], Base("local", "sha256:n", "sha256:n")),
        ("ubuntu:24.04", [UBUNTU], Base("pull", "ubuntu:24.04")),
        ("registry.example:5000/team/os", [UBUNTU], Base("pull", "registry.example:5000/team/os")),
    ],
)
def test_the_base_is_found_or_there_is_a_way_to_get_it(base: str, images: list[dict[str, Any]], expected: Base) -> None:
    assert resolve_base(base, "trixie", images) == expected


@given(st.permutations([DEBIAN, ROOTFS, UBUNTU, UNTAGGED]))
def test_the_order_in_which_the_engine_lists_images_does_not_matter(images: list[dict[str, Any]]) -> None:
    assert resolve_base("auto", "trixie", images) == Base("local", "debian:trixie", "sha256:d")


def test_the_tag_depends_on_recipe_base_and_certificates() -> None:
    tags = {
        content_tag(*args)
        for args in [("a", "b", "c"), ("x", "b", "c"), ("a", "x", "c"), ("a", "b", "x"), ("ab", "", "c")]
    }
    assert len(tags) == 5
    assert all(len(tag) == len("berth-base:") + 16 and tag.startswith("berth-base:") for tag in tags)


def plan(images: list[dict[str, Any]], **changes: Any) -> str:
    wishes = {"recipe_digest": "recipe", "base": "auto", "suite": "trixie", "ca_digest": "ca", **changes}
    return plan_image(images=images, **wishes).action


BUILT = content_tag("recipe", "sha256:d", "ca")


def test_an_image_with_the_right_hash_that_is_latest_is_current() -> None:
    assert plan([DEBIAN, image("b", BUILT, "berth-base:latest")]) == "none"


def test_an_image_that_is_there_but_not_latest_is_only_named_again() -> None:
    assert plan([DEBIAN, image("b", BUILT), image("o", "berth-base:latest")]) == "tag"


@pytest.mark.parametrize("changes", [{"recipe_digest": "other"}, {"ca_digest": ""}, {"base": "debootstrap:trixie"}])
def test_a_change_of_anything_that_goes_in_builds(changes: dict[str, Any]) -> None:
    assert plan([DEBIAN, ROOTFS, image("b", BUILT, "berth-base:latest")], **changes) == "build"


def test_a_request_rebuilds_what_is_current_but_gets_a_base_that_is_not_there_just_once() -> None:
    assert plan([DEBIAN, image("b", BUILT, "berth-base:latest")], rebuild=True) == "rebuild"
    assert plan([], rebuild=True) == "auto"


def test_a_newer_base_under_the_same_reference_builds() -> None:
    assert plan([image("newer", "debian:trixie"), image("b", BUILT, "berth-base:latest")]) == "build"


@pytest.mark.parametrize(("base", "action"), [("auto", "auto"), ("ubuntu", "pull"), ("debootstrap:sid", "debootstrap")])
def test_a_base_that_is_not_there_must_be_got_first(base: str, action: str) -> None:
    found = plan_image("recipe", base, "trixie", "", [])
    assert (found.action, found.image) == (action, None)
    assert found.base.reference in found.sentence


@pytest.mark.parametrize("ca_on", [True, False])
def test_current_looks_at_the_certificates_only_if_they_go_in(ca_on: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    certificates = Certificates((("a.crt", b"A"),))
    monkeypatch.setattr(image_plan, "read_ca_certificates", lambda: certificates)
    tag = content_tag("recipe", "sha256:d", certificates.digest if ca_on else "")
    images = [DEBIAN, image("b", tag, "berth-base:latest")]
    assert image_is_current(images, "recipe", "auto", "trixie", ca_on)
    assert not image_is_current(images, "recipe", "auto", "trixie", not ca_on)
    assert not image_is_current(images, "recipe", "auto", "trixie", ca_on, rebuild=True)


def test_parts_that_are_not_wanted_leave_no_trace() -> None:
    text = "a\n# [one\nb\n# one]\n# [two\nc\n# two]\n# a note\n"
    assert keep_parts(text, []) == "a\n# a note\n"
    assert keep_parts(text, ["two"]) == "a\nc\n# a note\n"
    assert keep_parts(text, ["one", "two"]) == "a\nb\nc\n# a note\n"


def test_certificates_are_read_in_order_with_folders_below_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "z.crt").write_bytes(b"Z")
    (tmp_path / "corp").mkdir()
    (tmp_path / "corp" / "a.crt").write_bytes(b"A")
    (tmp_path / "readme.txt").write_bytes(b"no")
    certificates = read_ca_certificates(str(tmp_path))
    assert certificates.files == (("corp/a.crt", b"A"), ("z.crt", b"Z"))
    assert len(certificates.digest) == 64
    (tmp_path / "z.crt").write_bytes(b"Y")
    assert read_ca_certificates(str(tmp_path)).digest != certificates.digest


def test_a_host_without_certificates_of_its_own_has_an_empty_digest(tmp_path: Path) -> None:
    assert read_ca_certificates(str(tmp_path / "missing")) == Certificates()
    assert Certificates().digest == ""
