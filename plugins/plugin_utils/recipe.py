# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the role's variables to a recipe, on the control node."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ansible.module_utils.common.yaml import yaml_load
from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.image_recipe import Recipe, RecipeFile
from ansible_collections.berth.projects.plugins.module_utils.names import PROXY_REPOSITORY
from jinja2 import Environment, StrictUndefined

ROLE = Path(__file__).resolve().parents[2] / "roles" / "image"
EGRESS_ROLE = ROLE.parent / "egress"
PREFIX = "berth_image_"

# What slim has too: without git there is no work, without netcat no ssh through a proxy, without Python nothing is
# taken over from host state, without the others there is no TLS and no local time. Not python3-minimal: what that
# leaves out differs from suite to suite.
CONTRACT_PACKAGES = ("ca-certificates", "git", "netcat-openbsd", "python3", "tzdata")

PROXY_PACKAGES = ("hostname", "socat", "squid")

# name, pattern, what to say is allowed
_NAME = (re.compile(r"[a-z0-9][a-z0-9_-]*"), "lower-case letters, digits, - and _")
_URL = (re.compile(r"(https?|file)://[^\s'\"\\]+"), "a URL that starts with http://, https:// or file://")
_SUITE = (re.compile(r"[a-z][a-z0-9.-]*"), "the name of a suite, such as trixie")
_REFERENCE = (re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*"), "auto, an image reference, or debootstrap:<suite>")
_PACKAGE = (
    re.compile(r"[A-Za-z0-9@][A-Za-z0-9@._/+~:=<>!,\[\]^*-]*"),
    "a package, with a version if wanted, no blanks",
)
_VARIANTS = ("full", "slim")


def recipe_from_vars(variables: Mapping[str, Any]) -> Recipe:
    """Make the recipe that the variables ``berth_image_*`` describe.

    Args:
        variables: Plain values, templates already resolved, by their full names. Others are ignored; what is missing
            has the role's default.

    Raises:
        BerthError: A value is not allowed. The message names the variable and what is allowed.
    """
    values = {name: variables.get(name, default) for name, default in role_defaults().items()}
    base = _checked(values, "base", _REFERENCE)
    suite = _checked(values, "suite", _SUITE)
    if base.startswith("debootstrap:"):
        base_suite = base.partition(":")[2]
        if not _SUITE[0].fullmatch(base_suite):
            raise _not_allowed("base", _REFERENCE[1])
        suite = base_suite
    mirror = _checked(values, "mirror", _URL)
    security = _checked(values, "security_mirror", _URL) if values[PREFIX + "security_mirror"] else ""
    components = tuple(_checked_list(values, "components", _NAME))
    if values[PREFIX + "variant"] not in _VARIANTS:
        raise _not_allowed("variant", " or ".join(_VARIANTS))
    agents = _agents(values) if values[PREFIX + "variant"] == "full" else []
    return Recipe(
        base=base,
        suite=suite,
        mirror=mirror,
        components=components,
        ca=_checked_bool(values, "ca_certificates"),
        dockerfile=_dockerfile(values, agents),
        files={
            **_runtime_files(ROLE),
            "runtime/agents": RecipeFile("".join(f"{agent['name']}\n" for agent in agents), 0o644),
            "apt/sources.list": RecipeFile(sources_list(suite, mirror, security, components), 0o644),
        },
    )


def proxy_recipe_from_vars(variables: Mapping[str, Any]) -> Recipe:
    """Make the recipe of the image of the egress proxy, on the base that the variables ``berth_image_*`` describe.

    Arguments and errors as ``recipe_from_vars``.
    """
    below = recipe_from_vars({**variables, PREFIX + "variant": "slim"})
    template = _template(EGRESS_ROLE)
    return Recipe(
        base=below.base,
        suite=below.suite,
        mirror=below.mirror,
        components=below.components,
        ca=False,
        dockerfile=template.render(packages=_quoted(list(PROXY_PACKAGES))),
        files={**_runtime_files(EGRESS_ROLE), "apt/sources.list": below.files["apt/sources.list"]},
        repository=PROXY_REPOSITORY,
    )


@cache
def role_defaults() -> dict[str, Any]:
    """The variables of role ``image`` and their defaults, from the role's argument specification."""
    specification = yaml_load((ROLE / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    options = specification["argument_specs"]["main"]["options"]
    return {name: option["default"] for name, option in options.items()}


def sources_list(suite: str, mirror: str, security_mirror: str, components: tuple[str, ...]) -> str:
    """apt's sources for a debootstrapped image. sid gets its security updates by itself and has no such suites."""
    lines = [(mirror, suite)]
    if suite not in ("sid", "unstable"):
        lines.append((mirror, f"{suite}-updates"))
        if security_mirror:
            lines.append((security_mirror, f"{suite}-security"))
    return "".join(f"deb {url} {name} {' '.join(components)}\n" for url, name in lines)


def _dockerfile(values: Mapping[str, Any], agents: list[dict[str, str]]) -> str:
    full = values[PREFIX + "variant"] == "full"
    apt = _checked_list(values, "apt_packages", _PACKAGE) if full else []
    npm = _checked_list(values, "npm_packages", _PACKAGE) if full else []
    pip = _checked_list(values, "pip_packages", _PACKAGE) if full else []
    npm_agents = [agent for agent in agents if "package" in agent]
    return _template(ROLE).render(
        apt=_quoted([*CONTRACT_PACKAGES, *apt, *(["python3-pip"] if pip else [])]),
        npm=_quoted(npm),
        pip=_quoted(pip),
        needs_npm=bool(npm or npm_agents),
        npm_agents=npm_agents,
        agent_names=[agent["name"] for agent in agents],
    )


@cache
def _template(role: Path) -> Any:
    # Not HTML: what is pasted into a shell command is quoted for the shell, and checked against a pattern before.
    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    return environment.from_string((role / "templates" / "Dockerfile.j2").read_text(encoding="utf-8"))


@cache
def _runtime_files(role: Path) -> dict[str, RecipeFile]:
    # Modes are set here, not read: a checkout on another file system must give the same hash.
    return {
        f"runtime/{path.name}": RecipeFile(path.read_text(encoding="utf-8"), 0o755 if path.suffix == "" else 0o644)
        for path in sorted((role / "files" / "runtime").iterdir())
        if path.is_file()
    }


def _agents(values: Mapping[str, Any]) -> list[dict[str, str]]:
    """``[{"name": …, "package": npm specification}]`` by name; no ``package`` when the host brings the program."""
    allowed = (
        "a list of {name, npm, version} or {name, source: host}, each name once: lower-case letters, digits, - and _"
    )
    entries = values[PREFIX + "agents"]
    if not isinstance(entries, (list, tuple)):
        raise _not_allowed("agents", allowed)
    agents: dict[str, dict[str, str]] = {}
    for entry in entries:
        if (
            not isinstance(entry, Mapping)
            or not _NAME[0].fullmatch(str(entry.get("name", "")))
            or entry["name"] in agents
        ):
            raise _not_allowed("agents", allowed)
        agent = {"name": str(entry["name"])}
        if dict(entry) != {"name": entry["name"], "source": "host"}:
            package = f"{entry.get('npm', '')}@{entry.get('version', 'latest')}"
            if not entry.get("npm") or set(entry) - {"name", "npm", "version"} or not _PACKAGE[0].fullmatch(package):
                raise _not_allowed("agents", allowed)
            agent["package"] = shlex.quote(package)
        agents[agent["name"]] = agent
    return [agents[name] for name in sorted(agents)]


def _checked(values: Mapping[str, Any], name: str, rule: tuple[re.Pattern[str], str]) -> str:
    value = values[PREFIX + name]
    if not isinstance(value, str) or not rule[0].fullmatch(value):
        raise _not_allowed(name, rule[1])
    return str(value)


def _checked_list(values: Mapping[str, Any], name: str, rule: tuple[re.Pattern[str], str]) -> list[str]:
    value = values[PREFIX + name]
    if not isinstance(value, (list, tuple)) or not all(
        isinstance(one, str) and rule[0].fullmatch(one) for one in value
    ):
        raise _not_allowed(name, f"a list, each item {rule[1]}")
    return [str(one) for one in value]


def _checked_bool(values: Mapping[str, Any], name: str) -> bool:
    try:
        return bool(boolean(values[PREFIX + name]))  # "-e name=false" gives a string
    except TypeError as error:
        raise _not_allowed(name, "true or false") from error


def _not_allowed(name: str, allowed: str) -> BerthError:
    return BerthError(f"{PREFIX}{name}: allowed is {allowed}.")


def _quoted(packages: list[str]) -> list[str]:
    """Packages for a command line. Their order never matters, so it does not get into the hash."""
    return [shlex.quote(package) for package in sorted(set(packages))]
