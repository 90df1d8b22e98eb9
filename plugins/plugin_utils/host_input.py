# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of one host, merged and checked: what the control node hands to a module, or why it does not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Callable

from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.plugin_utils.agent_keys import has_host_state, load
from ansible_collections.berth.projects.plugins.plugin_utils.merge import merged_definition, without_nulls
from ansible_collections.berth.projects.plugins.plugin_utils.rules import env_problems, host_problems, host_warnings
from ansible_collections.berth.projects.plugins.plugin_utils.schema import Problem, nearest, schema_problems

VARIABLES = (
    "berth_projects",
    "berth_projects_dir",
    "berth_project_defaults",
    "berth_env",
    "berth_image",
    "berth_scope",
    "berth_state_dir",
    "berth_prune",
    "berth_apply_image_changes",
    "berth_snapshot",
    "berth_snapshot_operation",
    "berth_destroy_data",
    "berth_parallel",
    "berth_when_busy",
    "berth_ready_timeout",
    "berth_stop_timeout",
    "berth_lock_timeout",
    "berth_prepare",
    "berth_engine",
    "berth_engine_gvisor",
    "berth_network_pool",
    "berth_egress_image",
    "berth_egress_template",
    "berth_egress_command",
    "berth_egress_reload",
    "berth_mcp_servers",
    "berth_instructions",
    "berth_template_instructions",
    "berth_template_mcp",
    "berth_template_settings",
    "berth_template_schedule",
    "berth_template_environment",
    "berth_fail_on_drift",
    "berth_plan_file",
)
SHARED_VARIABLES = tuple(
    name
    for name in VARIABLES
    if name in ("berth_mcp_servers", "berth_instructions") or name.startswith("berth_template_")
)
"""Variables that are no part of a definition, and that host state is rendered with all the same."""

NOT_UTF8 = "has characters that are not UTF-8; was it read from a file in another encoding?"

_SHOWN = 40


@dataclass(frozen=True)
class Places:
    """Where projects are from: the first ``own`` of them from ``berth_projects``, the others from a file each."""

    own: int
    files: tuple[str, ...]

    def of(self, path: Sequence[str | int]) -> str:
        """A problem's place as people know it."""
        index = path[1] if len(path) > 1 and path[0] == "berth_projects" else None
        if not isinstance(index, int) or index < self.own:
            return Problem(tuple(path), "").where
        inner = Problem(tuple(path[2:]), "").where
        return f"{self.files[index - self.own]}{f': {inner}' if inner else ''}"

    def named(self, text: str) -> str:
        """A problem's text, which may refer to another project."""
        return _PROJECT.sub(lambda found: self.of(("berth_projects", int(found.group(1)))), text)


_PROJECT = re.compile(r"berth_projects\[(\d+)\]")


@dataclass(frozen=True)
class HostInput:
    """One host's variables after merging and checking.

    Args:
        definitions: The projects, merged; empty when there are problems.
        is_declared: Whether ``berth_projects`` or ``berth_projects_dir`` is defined at all; an empty list is.
        shared: Those of ``SHARED_VARIABLES`` that are given.
        egress: The options about the proxy of restricted egress that are given, as ``egress_template``.
        places: By project, the file that it is from; those of ``berth_projects`` are not in it.
    """

    host: str
    definitions: tuple[Mapping[str, Any], ...]
    is_declared: bool
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    shared: Mapping[str, Any] = field(default_factory=dict)
    egress: Mapping[str, Any] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(definition["name"] for definition in self.definitions)

    def selected(self, only: Iterable[str]) -> list[Mapping[str, Any]]:
        """The definitions that a run works on: all, or those named."""
        wanted = set(only)
        return [definition for definition in self.definitions if not wanted or definition["name"] in wanted]


def resolve(
    host: str, names: Iterable[str], source: Mapping[str, Any], template: Callable[[Any], Any]
) -> tuple[dict[str, Any], list[str]]:
    """Those of the variables that the source has, and problems with those that cannot be resolved.

    Args:
        host: Its inventory name, for messages.
        source: Its variables.
        template: Resolves a value.
    """
    resolved: dict[str, Any] = {}
    problems: list[str] = []
    for name in names:
        if name not in source:
            continue
        try:
            resolved[name] = template(source[name])
        except AnsibleError as error:
            problems.append(f"- host {host}: {name}: cannot be resolved: {without_source(error.message)}")
    return resolved, problems


def without_source(message: str) -> str:
    """Ansible's message without the text that it is about, which may have a secret in it."""
    return message.strip().partition("\n")[0].partition(" String: ")[0]


def host_input(
    host: str, variables: Mapping[str, Any], from_files: Sequence[tuple[str, Mapping[str, Any]]] = ()
) -> HostInput:
    """Merge and check the variables of a host.

    Args:
        host: Its inventory name, for messages.
        variables: Those of ``VARIABLES`` that are defined, templates resolved.
        from_files: The projects that files of ``berth_projects_dir`` bind to the host, each after its file's path.
    """
    given = {name: _typed(name, plain(variables[name])) for name in VARIABLES if _is_given(variables.get(name))}
    is_declared = "berth_projects" in given or "berth_projects_dir" in given
    own = given.get("berth_projects") or []
    places = Places(len(own) if isinstance(own, list) else 0, tuple(place for place, _definition in from_files))
    if from_files and isinstance(own, list):
        given["berth_projects"] = [*own, *(definition for _place, definition in from_files)]
    problems = [*_encoding_problems(given), *schema_problems(given)]
    definitions: list[dict[str, Any]] = []
    warnings: list[str] = []
    if not problems:
        defaults, env, image = (given.get(f"berth_{name}") for name in ("project_defaults", "env", "image"))
        definitions = [
            merged_definition(project, defaults or {}, env or {}, image) for project in given.get("berth_projects", ())
        ]
        problems = [
            *_env_problems(given),
            *host_problems(definitions, given.get("berth_state_dir")),
            *_network_problems(definitions, given),
            *_agent_problems(definitions, given),
        ]
        warnings = [f"host {host}, {text}" for text in host_warnings(definitions)]
    if given.get("berth_prune") and not is_declared:
        text = "removes what is not declared, and berth_projects is not defined: define it (an empty list will do)"
        problems.append(Problem(("berth_prune",), text))
    told = tuple(_tell(host, given, problem, places) for problem in problems)
    shared = {name: without_nulls(given[name]) for name in SHARED_VARIABLES if name in given}
    egress = {name[len("berth_") :]: value for name, value in given.items() if name.startswith("berth_egress_")}
    by_name = {definition["name"]: place for definition, place in zip(definitions[places.own :], places.files)}
    return HostInput(
        host, () if told else tuple(definitions), is_declared, told, tuple(warnings), shared, egress, by_name
    )


def _encoding_problems(given: Mapping[str, Any]) -> list[Problem]:
    """Texts that cannot be written to a file: Ansible reads what is not UTF-8 as characters that there are not.

    They are looked for only where all variables together have one, which most never do.
    """
    return [] if _is_utf8(json.dumps(given, ensure_ascii=False)) else list(_not_utf8(given, ()))


def _not_utf8(value: Any, path: tuple[str | int, ...]) -> Iterator[Problem]:
    if isinstance(value, str) and not _is_utf8(value):
        yield Problem(path, NOT_UTF8)
    elif isinstance(value, dict):
        for key, entry in value.items():
            if not _is_utf8(key):
                yield Problem(path, f"has a key that {NOT_UTF8}")
            yield from _not_utf8(entry, (*path, key))
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _not_utf8(entry, (*path, index))


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _agent_problems(definitions: Sequence[Mapping[str, Any]], given: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with what is for the agent; nothing, and nothing loaded for it, where there is none."""
    library = given.get("berth_mcp_servers") or {}
    if not library and not any(has_host_state(definition, given) for definition in definitions):
        return []
    return list(load("rules_agent").agent_problems(definitions, without_nulls(library)))


def _network_problems(definitions: Sequence[Mapping[str, Any]], given: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with what projects reach; nothing, and nothing loaded for it, where none says anything of that."""
    pool = given.get("berth_network_pool")
    if not pool and not any(definition.get("network") for definition in definitions):
        return []
    rules = load("rules_network")
    return [*rules.pool_problems(pool), *rules.network_problems(definitions, "berth_egress_image" not in given)]


def refuse(problems: Iterable[str]) -> None:
    """Stop for all problems at once.

    Raises:
        BerthError: There are any.
    """
    told = list(problems)
    if not told:
        return
    shown = told[:_SHOWN]
    rest = [f"… and {len(told) - _SHOWN} more"] if len(told) > _SHOWN else []
    count = "1 thing is" if len(told) == 1 else f"{len(told)} things are"
    raise BerthError("\n".join([f"Nothing was changed, because {count} wrong in the variables:", *shown, *rest]))


def check_only(only: Iterable[str], inputs: Iterable[HostInput]) -> list[str]:
    """Problems with ``berth_only``: each name must be that of a project of some host of the run."""
    known = {name for entry in inputs for name in entry.names}
    problems = []
    for name in only:
        if name in known:
            continue
        near = nearest(name, known)
        hint = f"did you mean {near}?" if near else f"declared are {', '.join(sorted(known)) or 'none'}"
        problems.append(f"berth_only: no host of this run has a project {name!r}; {hint}")
    return problems


def names_in(value: Any, variable: str = "berth_only") -> list[str]:
    """``berth_only`` or ``berth_confirm`` as a list: it is ``a,b`` on the command line and may be a list in a file."""
    words = value.split(",") if isinstance(value, str) else value or []
    names = [str(word).strip() for word in words if str(word).strip()]
    if value and not names:
        meaning = " for all projects" if variable == "berth_only" else ""
        raise BerthError(f"{variable} names no project. Leave it out{meaning}.")
    return names


def plain(value: Any) -> Any:
    """The value without what Ansible attaches to it, so that jsonschema and json meet only their own types."""
    return json.loads(json.dumps(_with_text_keys(value), default=str))


def _with_text_keys(value: Any) -> Any:
    """YAML allows keys that JSON does not, such as a date."""
    if isinstance(value, Mapping):
        return {str(key): _with_text_keys(entry) for key, entry in value.items()}
    return [_with_text_keys(entry) for entry in value] if isinstance(value, (list, tuple)) else value


def _is_given(value: Any) -> bool:
    """An empty text is how a role's default says that nothing was set."""
    return value is not None and value != ""


def _env_problems(given: Mapping[str, Any]) -> list[Problem]:
    """Problems with the environment of each layer, told where the layer is."""
    layers: list[tuple[tuple[str | int, ...], Any]] = [
        (("berth_env",), given.get("berth_env")),
        (("berth_project_defaults", "env"), (given.get("berth_project_defaults") or {}).get("env")),
    ]
    for index, project in enumerate(given.get("berth_projects", ())):
        layers.append((("berth_projects", index, "env"), project.get("env")))
    return [problem for place, env in layers for problem in env_problems(place, env or {})]


def _typed(name: str, value: Any) -> Any:
    """``-e berth_prune=true`` on the command line gives a text, which is meant as what it spells."""
    if name in _FROM_COMMAND_LINE and isinstance(value, str):
        with suppress(TypeError, ValueError):
            return _FROM_COMMAND_LINE[name](value)
    return value


_FROM_COMMAND_LINE: Mapping[str, Callable[[str], Any]] = {
    "berth_prune": boolean,
    "berth_engine_gvisor": boolean,
    "berth_apply_image_changes": boolean,
    "berth_destroy_data": boolean,
    "berth_prepare": boolean,
    "berth_fail_on_drift": boolean,
    "berth_parallel": int,
    "berth_ready_timeout": int,
    "berth_stop_timeout": int,
    "berth_lock_timeout": int,
}


def _tell(host: str, given: Mapping[str, Any], problem: Problem, places: Places) -> str:
    return f"- host {host}{_project_at(given, problem)}: {places.of(problem.path)}: {places.named(problem.text)}"


def _project_at(given: Mapping[str, Any], problem: Problem) -> str:
    """``, project web`` where the problem lies in a project that has a usable name."""
    if len(problem.path) < 2 or problem.path[0] != "berth_projects":
        return ""
    entry = given["berth_projects"][problem.path[1]]
    name = entry.get("name") if isinstance(entry, dict) else None
    return f", project {name}" if isinstance(name, str) and len(name) <= 60 and _is_utf8(name) else ""
