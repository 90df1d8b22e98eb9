# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The templates of host state, and what is said when one is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.plugin_utils.templates import (
    FOLDER,
    OWN,
    TEMPLATE_VARIABLES,
    Templates,
    as_given,
    searcher,
)

SECRET = "v3ry-pr1vate"


def own(tmp_path: Path, text: str, name: str = "settings") -> Templates:
    """The templates of a host that has one of its own."""
    path = tmp_path / f"{len(list(tmp_path.iterdir()))}.j2"
    path.write_text(text)
    return Templates({TEMPLATE_VARIABLES[name]: str(path)}, as_given)


def error_of(templates: Templates, values: Any, shape: type = dict) -> str:
    with pytest.raises(BerthError) as caught:
        templates.data("settings", values, shape)
    return caught.value.msg


def test_there_is_a_template_for_each_name_and_no_other() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(OWN.values())


@pytest.mark.parametrize("value", [{"a": "</b>&'\"\\ü\n"}, {"a": {"b": [1, True, None]}}, {}])
def test_values_come_through_json_as_they_are(value: Any) -> None:
    assert Templates({}, as_given).data("settings", {"settings": value}, dict) == value


def test_a_users_template_stands_in_place_of_the_roles(tmp_path: Path) -> None:
    templates = own(tmp_path, '{"mine": {{ settings.a | tojson }}}')
    assert templates.is_own("settings") and not templates.is_own("mcp")
    assert templates.data("settings", {"settings": {"a": 1}}, dict) == {"mine": 1}


def test_a_users_template_may_include_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "part").write_text('"a": 1')
    assert own(tmp_path, '{ {% include "part" %} }').data("settings", {}, dict) == {"a": 1}


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("{}\n{{ nothing }}", 2, "uses a variable or an attribute that is not defined"),
        ("{}\n\n{{ settings.a.b.c }}", 3, "uses a variable or an attribute that is not defined"),
        ("{{ settings.a | int + settings.a }}", 1, "cannot be rendered (TypeError)"),
        ("{{ settings.a | tojson | fromnothing }}", 1, "is no right Jinja2: No filter named 'fromnothing'."),
        ("\n{% if %}", 2, "is no right Jinja2: Expected an expression, got 'end of statement block'"),
    ],
)
def test_an_error_is_told_with_path_and_line_and_without_values(
    tmp_path: Path, text: str, line: int, reason: str
) -> None:
    told = error_of(own(tmp_path, text), {"settings": {"a": SECRET}})
    assert told == f"template {tmp_path}/0.j2, line {line}: {reason}"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a":\n{{ settings.a }}}', "what it makes is no JSON, from line 2 of the result on"),
        ("", "what it makes is no JSON, from line 1 of the result on"),
        ("[{{ settings.a | tojson }}]", "what it makes must be a map in JSON"),
    ],
)
def test_a_result_that_is_no_json_is_not_quoted(tmp_path: Path, text: str, reason: str) -> None:
    told = error_of(own(tmp_path, text), {"settings": {"a": SECRET}})
    assert told == f"template {tmp_path}/0.j2: {reason}"


def test_a_template_that_is_not_there_is_told_by_its_variable() -> None:
    told = error_of(Templates({"berth_template_settings": "/nowhere/x.j2"}, as_given), {"settings": {}})
    assert told == "berth_template_settings: there is no file /nowhere/x.j2 on the control node"


def test_a_template_is_compiled_once(tmp_path: Path) -> None:
    templates = own(tmp_path, '{"a": {{ settings | tojson }}}')
    found = [templates.data("settings", {"settings": number}, dict)["a"] for number in range(3)]
    assert found == [0, 1, 2]


class Loader:
    """As much of Ansible's loader as the search asks: it knows one file."""

    def path_dwim_relative_stack(self, folders: list[str], kind: str, path: str) -> str:
        if (folders, kind, path) == (["/play"], "templates", "x.j2"):
            return "/play/templates/x.j2"
        raise AnsibleError("not found")


def test_a_path_is_looked_for_as_ansible_does_and_then_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    search = searcher(Loader(), ["/play"])
    assert search("x.j2") == "/play/templates/x.j2"
    assert search("y.j2") == str(tmp_path / "y.j2")


def test_the_roles_templates_make_json_of_whatever_is_in_the_values() -> None:
    templates = Templates({}, as_given)
    server = {"type": "http", "url": "https://x", "headers": {"A": '"}{{ x }}{% raw %}'}}
    assert templates.data("mcp", {"servers": {"x": server}}, dict) == {"mcpServers": {"x": server}}
    assert templates.data("schedule", {"tasks": [{"prompt": "{{ x }}"}]}, list) == [{"prompt": "{{ x }}"}]
    assert json.loads(templates.text("environment", {"environment": {"A": "\n"}})) == {"A": "\n"}
