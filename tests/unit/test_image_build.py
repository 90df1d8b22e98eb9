# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is sent to the engine to build, and what is read from its answer."""

from __future__ import annotations

import tarfile

import pytest
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.image_base import Base
from ansible_collections.berth.projects.plugins.module_utils.image_build import build_context, built_image_id
from ansible_collections.berth.projects.plugins.module_utils.image_certificates import Certificates
from ansible_collections.berth.projects.plugins.plugin_utils.recipe import recipe_from_vars

CERTIFICATES = Certificates((("corp.crt", b"PEM"),))


def context(base: Base, certificates: Certificates = CERTIFICATES) -> dict[str, tuple[str, int]]:
    with tarfile.open(fileobj=build_context(recipe_from_vars({}), base, certificates)) as tar:
        return {entry.name: (tar.extractfile(entry).read().decode(), entry.mode) for entry in tar}  # type: ignore[union-attr]


def test_the_context_has_the_scripts_with_their_modes_and_the_certificates() -> None:
    files = context(Base("local", "debian:trixie", "sha256:d"))
    assert files["certificates/corp.crt"] == ("PEM", 0o644)
    assert files["runtime/entrypoint"][1] == 0o755
    assert files["runtime/common.sh"][1] == 0o644
    assert "COPY certificates/" in files["Dockerfile"][0]


def test_a_host_without_certificates_points_no_tool_at_a_bundle() -> None:
    dockerfile = context(Base("local", "debian:trixie", "sha256:d"), Certificates())["Dockerfile"][0]
    assert "certificates/" not in dockerfile
    assert "NODE_EXTRA_CA_CERTS" not in dockerfile


@pytest.mark.parametrize(
    ("base", "sources_are_ours"),
    [(Base("local", "berth-rootfs:trixie", "sha256:r"), True), (Base("local", "ubuntu:24.04", "sha256:u"), False)],
)
def test_only_a_debootstrapped_base_gets_our_package_sources(base: Base, sources_are_ours: bool) -> None:
    assert ("COPY apt/ /etc/apt/" in context(base)["Dockerfile"][0]) is sources_are_ours


def test_the_same_content_gives_the_same_bytes() -> None:
    base = Base("local", "debian:trixie", "sha256:d")
    recipe = recipe_from_vars({})
    assert build_context(recipe, base, CERTIFICATES).read() == build_context(recipe, base, CERTIFICATES).read()


def test_the_id_of_the_built_image_is_read_from_the_events() -> None:
    events = [{"stream": "Step 1/1 : FROM x\n"}, {"aux": {"ID": "sha256:abc"}}, {"stream": "Successfully built abc\n"}]
    assert built_image_id(events) == "sha256:abc"


def test_a_failed_build_shows_its_last_thirty_lines_without_colours_and_progress() -> None:
    events = [{"stream": f"line {number}\n"} for number in range(100)]
    events += [{"stream": "\x1b[91mE: Unable to locate package nosuch\x1b[0m\n"}, {"stream": "10%\r50%\r100%\n"}]
    events += [{"error": "The command returned a non-zero code: 100", "errorDetail": {"code": 100}}]
    with pytest.raises(BerthError) as caught:
        built_image_id(events)
    lines = caught.value.msg.splitlines()
    assert "non-zero code: 100" in lines[0]
    assert lines[1:] == [*(f"line {number}" for number in range(72, 100)), "E: Unable to locate package nosuch", "100%"]


def test_an_answer_that_just_ends_is_an_error() -> None:
    with pytest.raises(BerthError, match="without an image"):
        built_image_id([{"stream": "Step 1/9\n"}])
