# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The recipe of the base image: the same for the same wishes, another for any other, and never a way into a shell."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.image_recipe import Recipe
from ansible_collections.berth.projects.plugins.plugin_utils.recipe import (
    CONTRACT_PACKAGES,
    recipe_from_vars,
    role_defaults,
    sources_list,
)
from hypothesis import given
from hypothesis import strategies as st

CLAUDE = {"name": "claude", "npm": "@anthropic-ai/claude-code", "version": "latest"}
OTHER_VALUES: dict[str, Any] = {
    "berth_image_base": "ubuntu:24.04",
    "berth_image_suite": "bookworm",
    "berth_image_mirror": "http://mirror.example/debian",
    "berth_image_security_mirror": "",
    "berth_image_components": ["main", "contrib"],
    "berth_image_variant": "slim",
    "berth_image_apt_packages": ["curl"],
    "berth_image_npm_packages": ["yarn@1.22.22"],
    "berth_image_pip_packages": ["black>=24,<26"],
    "berth_image_agents": [{**CLAUDE, "version": "2.1.0"}],
    "berth_image_ca_certificates": False,
}


def with_values(**values: Any) -> Recipe:
    return recipe_from_vars({f"berth_image_{name}": value for name, value in values.items()})


@pytest.mark.parametrize("name", OTHER_VALUES)
def test_changing_a_variable_changes_the_hash(name: str) -> None:
    assert recipe_from_vars({name: OTHER_VALUES[name]}).digest != recipe_from_vars({}).digest


def test_every_variable_that_goes_into_the_image_is_in_the_test_above() -> None:
    not_content = {"berth_image_build_dir", "berth_image_rebuild", "berth_engine"}
    assert set(OTHER_VALUES) == set(role_defaults()) - not_content


@pytest.mark.parametrize("name", ["berth_image_build_dir", "berth_image_rebuild"])
def test_where_and_when_to_build_does_not_change_the_hash(name: str) -> None:
    assert recipe_from_vars({name: "anything"}).digest == recipe_from_vars({}).digest


@given(st.permutations(["black", "flake8", "mypy", "pytest", "black"]))
def test_the_order_of_packages_does_not_matter(packages: list[str]) -> None:
    expected = with_values(pip_packages=["black", "flake8", "mypy", "pytest"])
    assert with_values(pip_packages=packages).digest == expected.digest


def test_the_order_of_agents_does_not_matter() -> None:
    codex = {"name": "codex", "npm": "@openai/codex"}
    assert with_values(agents=[CLAUDE, codex]).digest == with_values(agents=[codex, CLAUDE]).digest


def test_a_recipe_survives_the_way_to_the_host() -> None:
    recipe = recipe_from_vars({})
    assert Recipe.from_wire(recipe.to_wire()) == recipe
    assert Recipe.from_wire(recipe.to_wire()).digest == recipe.digest


def test_debootstrap_with_a_suite_decides_the_suite() -> None:
    recipe = with_values(base="debootstrap:bookworm", suite="trixie")
    assert recipe.suite == "bookworm"
    assert "bookworm-security" in recipe.files["apt/sources.list"].content


def test_slim_has_the_contract_and_nothing_else() -> None:
    recipe = with_values(variant="slim")
    assert f"install -y --no-install-recommends {' '.join(sorted(CONTRACT_PACKAGES))} " in recipe.dockerfile
    assert "npm" not in recipe.dockerfile
    assert "pip install" not in recipe.dockerfile
    assert recipe.files["runtime/agents"].content == ""
    assert "runtime/entrypoint" in recipe.files


def test_every_agent_gets_a_launcher_and_a_health_check() -> None:
    recipe = with_values(agents=[CLAUDE, {"name": "codex", "source": "host"}])
    assert recipe.files["runtime/agents"].content == "claude\ncodex\n"
    for name in ("claude", "codex"):
        assert f"launcher /usr/local/bin/{name} " in recipe.dockerfile
    assert "npm install --global --prefix /opt/berth/agents --no-fund" in recipe.dockerfile
    assert "/bin/codex" not in recipe.dockerfile.split("/usr/local/bin/codex")[0], "the host brings this one"


def test_the_image_carries_one_label_and_no_volume() -> None:
    instructions = [
        line for line in recipe_from_vars({}).dockerfile.splitlines() if line.startswith(("LABEL", "VOLUME"))
    ]
    assert instructions == ["LABEL berth.contract=1"]


def test_scripts_come_after_the_packages_so_that_changing_one_is_quick() -> None:
    dockerfile = recipe_from_vars({}).dockerfile
    assert dockerfile.index("COPY runtime/") > dockerfile.index("npm install") > dockerfile.index("apt-get install")


def test_a_version_range_is_quoted_for_the_shell() -> None:
    assert " 'black>=24,<26' " in with_values(pip_packages=["black>=24,<26", "pytest"]).dockerfile


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("apt_packages", ["curl; rm -rf /"]),
        ("apt_packages", ["--allow-unauthenticated"]),
        ("apt_packages", "curl"),
        ("npm_packages", ["a\nRUN b"]),
        ("pip_packages", ["$(id)"]),
        ("pip_packages", [7]),
        ("base", "debian trixie"),
        ("base", "debootstrap:"),
        ("base", "debian:trixie\nRUN id"),
        ("suite", "../etc"),
        ("mirror", "deb.debian.org"),
        ("security_mirror", "http://a b"),
        ("components", ["main contrib"]),
        ("variant", "tiny"),
        ("ca_certificates", "perhaps"),
        ("agents", {}),
        ("agents", ["claude"]),
        ("agents", [{"name": "claude"}]),
        ("agents", [{"name": "../x", "source": "host"}]),
        ("agents", [{"name": "claude", "source": "host", "npm": "x"}]),
        ("agents", [{"name": "claude", "npm": "x", "version": "1 && id"}]),
        ("agents", [CLAUDE, CLAUDE]),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_by_the_name_of_its_variable(name: str, value: Any) -> None:
    with pytest.raises(BerthError, match=rf"^berth_image_{name}: allowed is "):
        with_values(**{name: value})


@pytest.mark.parametrize("text", ["false", "no", "0"])
def test_a_switch_set_on_the_command_line_is_a_switch(text: str) -> None:
    assert with_values(ca_certificates=text) == with_values(ca_certificates=False)


def test_sid_has_neither_updates_nor_security_suites() -> None:
    assert sources_list("sid", "http://m", "http://s", ("main",)) == "deb http://m sid main\n"
