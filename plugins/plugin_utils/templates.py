# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The templates of host state: the role's own, and in their place those that the user has named."""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Callable

from ansible.errors import AnsibleError
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.plugin_utils.agent_keys import TEMPLATE_VARIABLES
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, TemplateSyntaxError, UndefinedError

FOLDER = Path(__file__).resolve().parents[2] / "roles" / "projects" / "templates"
OWN = {
    "instructions": "instructions.md.j2",
    "mcp": "mcp.json.j2",
    "settings": "settings.json.j2",
    "schedule": "schedule.json.j2",
    "environment": "environment.json.j2",
}
"""What is rendered by a template, and the role's own template for it."""


class Templates:
    """The templates of one host.

    Args:
        variables: The host's; those of ``TEMPLATE_VARIABLES`` count.
        search: Finds a path on the control node.
    """

    def __init__(self, variables: Mapping[str, Any], search: Callable[[str], str]) -> None:
        self._given = {name: variables[key] for name, key in TEMPLATE_VARIABLES.items() if variables.get(key)}
        self._search = search

    def is_own(self, name: str) -> bool:
        """Whether the user has put a template in the place of the role's."""
        return name in self._given

    def text(self, name: str, values: Mapping[str, Any]) -> str:
        """Render one.

        Args:
            name: Which of ``OWN``.
            values: The variables it gets.

        Raises:
            BerthError: The template is missing or wrong. The message has its path and line, and nothing of the values.
        """
        return rendered(self._path(name), values)

    def data(self, name: str, values: Mapping[str, Any], shape: type) -> Any:
        """Render one whose text is JSON, and read that.

        Args:
            shape: What the JSON must be: ``dict`` or ``list``.

        Raises:
            BerthError: As ``text``, or what it renders is something else.
        """
        text = self.text(name, values)
        try:
            found = json.loads(text)
        except ValueError as error:
            line = getattr(error, "lineno", 1)
            told = f"template {self._path(name)}: what it makes is no JSON, from line {line} of the result on"
            raise BerthError(told) from None
        if not isinstance(found, shape):
            raise BerthError(f"template {self._path(name)}: what it makes must be a {_SHAPES[shape]}")
        return found

    def wrong(self, name: str, text: str) -> BerthError:
        """An error about what a template has made."""
        return BerthError(f"template {self._path(name)}: {text}")

    def _path(self, name: str) -> str:
        given = self._given.get(name)
        if not given:
            return str(FOLDER / OWN[name])
        path = self._search(given)
        if not os.path.isfile(path):
            raise BerthError(f"{TEMPLATE_VARIABLES[name]}: there is no file {given} on the control node")
        return path


def rendered(path: str, values: Mapping[str, Any]) -> str:
    """Render a template by its path on the control node.

    Raises:
        BerthError: It is wrong. The message has its path and line, and nothing of the values.
    """
    try:
        return _compiled(path).render(values)
    except Exception as error:
        raise BerthError(f"template {path}{_line_of(error, path)}: {_reason(error)}") from None


def searcher(loader: Any, folders: Sequence[str]) -> Callable[[str], str]:
    """Finds files and folders as Ansible does: beside the playbook and the role, and at last in the current folder.

    Args:
        loader: Ansible's ``DataLoader``.
        folders: The task's search path.
    """

    def found(kind: str, path: str) -> str | None:
        try:
            return str(loader.path_dwim_relative_stack(list(folders), kind, path))
        except AnsibleError:
            return None

    return lambda path: found("files", path) or found("templates", path) or as_given(path)


def as_given(path: str) -> str:
    """The search where there is none: a relative path begins in the current folder."""
    return os.path.abspath(os.path.expanduser(path))


_SHAPES: Mapping[type, str] = {dict: "map in JSON", list: "list in JSON"}


@cache
def _compiled(path: str) -> Template:
    """Compiled once for all projects and hosts of a process; a user's template may include others of its folder."""
    environment = Environment(
        loader=FileSystemLoader(os.path.dirname(path)), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(os.path.basename(path))


def _line_of(error: Exception, path: str) -> str:
    if isinstance(error, TemplateSyntaxError):
        return f", line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    return f", line {lines[-1]}" if lines else ""


def _reason(error: Exception) -> str:
    """Why, in words that hold nothing of the values: an exception's own text may quote them."""
    if isinstance(error, TemplateSyntaxError):
        return f"is no right Jinja2: {error.message}"
    if isinstance(error, UndefinedError):
        return "uses a variable or an attribute that is not defined"
    return f"cannot be rendered ({type(error).__name__})"
