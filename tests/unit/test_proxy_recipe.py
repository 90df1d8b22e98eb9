# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The recipe of the proxy's image: on the base of the base image, and of nothing else that goes into that one."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.image_recipe import Recipe
from ansible_collections.berth.projects.plugins.plugin_utils.recipe import proxy_recipe_from_vars, recipe_from_vars

DEFAULT = proxy_recipe_from_vars({})


def test_it_is_another_image_on_the_same_base() -> None:
    base = recipe_from_vars({})
    assert (DEFAULT.base, DEFAULT.suite, DEFAULT.mirror) == (base.base, base.suite, base.mirror)
    assert DEFAULT.latest == "berth-proxy:latest"
    assert DEFAULT.digest != base.digest


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("base", "debootstrap:bookworm"),
        ("base", "debian:bookworm"),
        ("suite", "bookworm"),
        ("mirror", "http://mirror.example/debian"),
        ("security_mirror", "http://mirror.example/security"),
        ("components", ["main", "contrib"]),
    ],
)
def test_another_base_makes_another_image(name: str, value: Any) -> None:
    assert proxy_recipe_from_vars({f"berth_image_{name}": value}).digest != DEFAULT.digest


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("variant", "slim"),
        ("apt_packages", ["golang"]),
        ("npm_packages", []),
        ("pip_packages", []),
        ("agents", []),
        ("ca_certificates", False),
        ("rebuild", True),
    ],
)
def test_what_only_projects_have_does_not_build_the_proxy_again(name: str, value: Any) -> None:
    assert proxy_recipe_from_vars({f"berth_image_{name}": value}).digest == DEFAULT.digest


def test_it_runs_its_scripts_as_a_user_without_privileges() -> None:
    assert {path: file.mode for path, file in DEFAULT.files.items() if path.startswith("runtime/")} == {
        "runtime/healthcheck": 0o755,
        "runtime/reload": 0o755,
        "runtime/start": 0o755,
    }
    users = [line for line in DEFAULT.dockerfile.splitlines() if line.startswith("USER ")]
    assert users[-1] == "USER proxy"


def test_it_survives_the_way_to_the_host() -> None:
    assert Recipe.from_wire(DEFAULT.to_wire()) == DEFAULT


def test_a_base_that_is_not_allowed_is_refused() -> None:
    with pytest.raises(BerthError, match=r"^berth_image_base: allowed is "):
        proxy_recipe_from_vars({"berth_image_base": "debian trixie"})
