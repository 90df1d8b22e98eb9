# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``berth_projects_dir``: a folder of the control node with a file for each project, which names its hosts itself."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from inspect import signature
from typing import Any, Callable

from ansible.errors import AnsibleError
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.plugin_utils.host_input import plain, without_source
from ansible_collections.berth.projects.plugins.plugin_utils.schema import nearest

EXTENSIONS = (".yml", ".yaml", ".json")
EVERY_HOST = "all"


@dataclass(frozen=True)
class ProjectFile:
    """One file of the folder.

    Args:
        place: Its path as messages have it.
        folder: Where it is; relative paths in it begin there.
        hosts: Names of hosts and groups of the inventory.
        definition: The project as it was written; templates and vaulted values in it are not resolved yet.
    """

    place: str
    folder: str
    hosts: tuple[str, ...]
    definition: Mapping[str, Any]


@dataclass(frozen=True)
class ProjectsFolder:
    """What is in the folder, by file name; ``problems`` are those with files that nothing can be made of."""

    files: tuple[ProjectFile, ...]
    problems: tuple[str, ...]

    def bound_to(self, names: Collection[str]) -> list[ProjectFile]:
        """The files for a host.

        Args:
            names: That of the host, and those of its groups.
        """
        wanted = {*names, EVERY_HOST}
        return [file for file in self.files if not wanted.isdisjoint(file.hosts)]

    def binding_problems(self, known: Collection[str]) -> list[str]:
        """Why files cannot be bound to hosts.

        Args:
            known: The names of all hosts and groups of the inventory.
        """
        names = {*known, EVERY_HOST}
        unknown = [(file, name) for file in self.files for name in file.hosts if name not in names]
        return [f"- {file.place}: hosts: {_unknown(name, known)}" for file, name in unknown]


_FOLDERS: dict[tuple[str, str], tuple[object, ProjectsFolder]] = {}
"""What was read in this process, and in the one that it is a fork of: Ansible forks one for each task and host."""


def projects_folder(path: str, loader: Any) -> ProjectsFolder:
    """All files of the folder, read once a run unless they change meanwhile: a task may get them from elsewhere.

    Args:
        path: The folder; a relative one begins where the run was started.
        loader: Ansible's ``DataLoader``, which decrypts.

    Raises:
        BerthError: There is no such folder, or it cannot be read.
    """
    folder = os.path.abspath(os.path.expanduser(path))
    key = (folder, os.getcwd())
    stamp = _stamp(folder)
    known = _FOLDERS.get(key)
    if known is None or known[0] != stamp:
        known = _FOLDERS[key] = (stamp, read_folder(folder, path, _load_by(loader)))
    return known[1]


def _stamp(folder: str) -> object:
    """What is another one once a file has changed."""
    with suppress(OSError), os.scandir(folder) as entries:
        states = [(entry.name, entry.stat()) for entry in entries]
        return sorted((name, state.st_mtime_ns, state.st_size, state.st_ino) for name, state in states)
    return None  # reading it tells what is wrong


def read_folder(folder: str, told: str, load: Callable[[str], Any]) -> ProjectsFolder:
    """Read all files of a folder that are a project's; hidden ones, others, and folders in it are left out.

    Args:
        folder: Its absolute path.
        told: Its path as the user wrote it, for messages.
        load: Makes data of a file.

    Raises:
        BerthError: There is no such folder, or it cannot be read.
    """
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise BerthError(
            f"berth_projects_dir: the folder {told} on the control node cannot be read: {error.strerror}. "
            "A relative path begins in the folder that the run was started in."
        ) from error
    wanted = [name for name in names if name.endswith(EXTENSIONS) and not name.startswith(".")]
    paths = [(os.path.join(folder, name), os.path.join(told, name)) for name in wanted]
    found = [_read(full, place, load) for full, place in paths if not os.path.isdir(full)]
    return ProjectsFolder(
        tuple(file for file in found if isinstance(file, ProjectFile)),
        tuple(problem for problem in found if isinstance(problem, str)),
    )


def _read(full: str, place: str, load: Callable[[str], Any]) -> ProjectFile | str:
    """A file, or why there is none."""
    try:
        return _file(full, place, load)
    except BerthError as error:
        return f"- {place}: {error.msg}"


def projects_for(
    host: str,
    path: str,
    loader: Any,
    inventory: Mapping[str, Any],
    template: Callable[[Any], Any],
    read: Callable[[str, Any], ProjectsFolder] = projects_folder,
) -> tuple[list[tuple[str, Mapping[str, Any]]], list[str]]:
    """The projects that the folder has for a host, each after its file's place; and what is wrong with the folder.

    Args:
        host: Its inventory name.
        path: The folder.
        loader: Ansible's ``DataLoader``.
        inventory: The host's variables ``groups`` and ``group_names``.
        template: Resolves a value with the host's variables.
        read: Reads the folder; who asks for many hosts need not look for each of them whether it has changed.
    """
    try:
        folder = read(path, loader)
    except BerthError as error:
        return [], [f"- {error.msg}"]
    groups = inventory.get("groups") or {}
    problems = [*folder.problems, *folder.binding_problems({*groups, *groups.get(EVERY_HOST, ()), host})]
    bound = folder.bound_to([host, *inventory.get("group_names", ())])
    tried = [(file.place, _tried(file, template)) for file in bound]
    problems += [f"- host {host}: {place}: {found}" for place, found in tried if isinstance(found, str)]
    return [(place, found) for place, found in tried if not isinstance(found, str)], problems


def _tried(file: ProjectFile, template: Callable[[Any], Any]) -> dict[str, Any] | str:
    """The definition, or why there is none."""
    try:
        return resolved(file, template)
    except BerthError as error:
        return error.msg


def resolved(file: ProjectFile, template: Callable[[Any], Any]) -> dict[str, Any]:
    """The project's definition for a host.

    Args:
        template: Resolves a value with the host's variables.

    Raises:
        BerthError: A value cannot be resolved.
    """
    try:
        definition: dict[str, Any] = plain(template(file.definition))
    except AnsibleError as error:
        raise BerthError(f"cannot be resolved: {without_source(error.message)}") from None
    if isinstance(definition.get("skills"), list):
        definition["skills"] = [_beside(file.folder, entry) for entry in definition["skills"]]
    return definition


def _beside(folder: str, entry: Any) -> Any:
    """A skill whose folder is beside the file; any other is looked for as elsewhere."""
    path = entry.get("path") if isinstance(entry, Mapping) else entry
    if not isinstance(path, str) or not os.path.isdir(os.path.join(folder, path)):
        return entry
    full = os.path.join(folder, path)
    return {**entry, "path": full} if isinstance(entry, Mapping) else full


def _load_by(loader: Any) -> Callable[[str], Any]:
    """Since ansible-core 2.19, only what is said to be trusted may have templates in it."""
    knows_trust = "trusted_as_template" in signature(loader.load_from_file).parameters
    options = {"trusted_as_template": True} if knows_trust else {}
    return lambda path: loader.load_from_file(path, cache="none", unsafe=True, **options)


def _file(full: str, place: str, load: Callable[[str], Any]) -> ProjectFile:
    try:
        data = load(full)
    except (AnsibleError, OSError, UnicodeError) as error:
        raise BerthError(_unreadable(error)) from None
    if not isinstance(data, Mapping):
        raise BerthError("must be a map: the keys of one project, and hosts")
    if "hosts" not in data:
        raise BerthError(f"lacks hosts: say which hosts or groups have this project, or hosts: {EVERY_HOST} for all")
    name = os.path.splitext(os.path.basename(full))[0]
    definition = {"name": name, **{key: value for key, value in data.items() if key != "hosts"}}
    return ProjectFile(place, os.path.dirname(full), tuple(_hosts(data["hosts"])), definition)


def _hosts(value: Any) -> Iterator[str]:
    names: Sequence[Any] = value if isinstance(value, list) else [value]
    for name in names:
        if not isinstance(name, str) or not name:
            raise BerthError("hosts: must be the name of a host or of a group, or a list of these")
        if "{{" in name:
            raise BerthError("hosts: may have no template in it: it is read before the variables of any host are")
        yield str(plain(name))


def _unknown(name: str, known: Collection[str]) -> str:
    near = nearest(name, known)
    hint = f"; did you mean {near}?" if near else ""
    pattern = ". Patterns are not taken here: make a group of these hosts" if set(name) & set("*:!&~[,") else ""
    return f"the inventory has no host and no group {name!r}{hint or pattern}"


def _unreadable(error: Exception) -> str:
    """Why a file cannot be read, without any of what is in it."""
    causes = list(_causes(error))
    if any("ault" in type(cause).__name__ or "vault" in str(cause).lower() for cause in causes):
        return (
            "is encrypted, or has a value that is, and cannot be decrypted: name the right password "
            "(--vault-password-file, --vault-id or --ask-vault-pass)"
        )
    reasons = [cause for cause in causes if isinstance(cause, OSError)]
    if reasons:
        return f"cannot be read: {reasons[0].strerror}"
    marks = [mark for mark in (getattr(cause, "problem_mark", None) for cause in causes) if mark]
    return f"is no YAML{f': see line {marks[0].line + 1}' if marks else ''}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error, and what it was made from, by either way of saying so."""
    seen: list[BaseException] = []
    todo: list[BaseException | None] = [error]
    while todo:
        one = todo.pop(0)
        if one is not None and one not in seen:
            seen.append(one)
            yield one
            todo += [getattr(one, "orig_exc", None), one.__cause__, one.__context__]
