# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Holds variables against the JSON Schema in ``meta/``, and says what is wrong without quoting what may be private."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.plugin_utils.agent_secrets import SECRET_VALUE

try:
    from jsonschema import Draft202012Validator

    HAS_JSONSCHEMA = True
except ImportError:
    HAS_JSONSCHEMA = False

SCHEMA = Path(__file__).resolve().parents[2] / "meta" / "berth_projects.schema.json"
_KEY = re.compile(r"[\w.-]{1,64}")
_TYPE_NAMES = {
    "object": "a map",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}


@dataclass(frozen=True)
class Problem:
    """Something wrong with a variable. ``path`` leads to it: ``("berth_projects", 2, "ports", 0, "host")``."""

    path: tuple[str | int, ...]
    text: str

    @property
    def where(self) -> str:
        steps = (f"[{step}]" if isinstance(step, int) else f".{_told(step)}" for step in self.path)
        return "".join(steps).lstrip(".")


def _told(key: str) -> str:
    """A key, unless it is none that anybody would choose: a value may have been written where a key goes."""
    return key if _KEY.fullmatch(key) and not SECRET_VALUE.search(key) else "…"


def schema_problems(variables: Mapping[str, Any]) -> list[Problem]:
    """Everything about the variables that the schema does not allow, in the order of the variables.

    Args:
        variables: ``{"berth_projects": […], "berth_env": {…}, …}``, plain values.
    """
    found = [problem for error in _validator().iter_errors(variables) for problem in _problems(error)]
    return list(dict.fromkeys(found))  # a map that lacks two keys makes two errors, and each tells of both


@cache
def _validator() -> Any:
    if not HAS_JSONSCHEMA:
        raise BerthError(
            "The Python that runs Ansible cannot import jsonschema, which Berth checks definitions with: "
            "run 'pip install jsonschema' for it on the control node ('make setup' does that)."
        )
    return Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


def _problems(error: Any) -> Iterator[Problem]:
    """What a ``ValidationError`` of jsonschema means, said anew: its own messages quote the value."""
    path = tuple(error.absolute_path)
    rule, value, schema = error.validator_value, error.instance, error.schema
    if error.validator == "additionalProperties":
        yield from _unknown_keys(path, value, schema)
    elif error.validator == "required":
        yield Problem(path, f"lacks {_listed(key for key in rule if key not in value)}")
    elif "propertyNames" in error.absolute_schema_path:
        if schema.get("x-private"):  # a secret itself may have been written where its name goes
            yield Problem(path, f"has a key that is not allowed: allowed are {schema['x-allowed']}")
            return
        yield Problem(path, f"the key {_shown_key(str(value))} is not allowed: allowed are {schema['x-allowed']}")
    else:
        allowed = _allowed(error.validator, rule, schema)
        yield Problem(path, f"must be {allowed}{_shown(value, schema)}{_unquoted(value, schema)}")


def _shown_key(key: str) -> str:
    """A key up to what makes it none: ``KEY=value`` and ``KEY:value`` have a value in it, which may be private."""
    begun = re.match(r"[\w.-]*[=:]?", key, re.ASCII)
    shown = begun.group() if begun else ""
    return repr(shown if shown == key and shown[-1:] not in ("=", ":") else f"{shown}…")


def _unknown_keys(
    path: tuple[str | int, ...], value: Mapping[str, Any], schema: Mapping[str, Any]
) -> Iterator[Problem]:
    known = list(schema["properties"])
    for key in value:
        if key in known:
            continue
        near = nearest(str(key), known)
        hint = f"did you mean {near}?" if near else f"known are {_listed(sorted(known))}"
        yield Problem((*path, key), f"is not a known key; {hint}")


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant: one alike, or one that is the beginning (``enviroment``, ``env``)."""
    words = sorted(known)
    alike = difflib.get_close_matches(word, words, n=1)
    begun = [other for other in words if len(other) > 2 and word.startswith(other)]
    return next(iter([*alike, *begun]), None)


def _unquoted(value: Any, schema: Mapping[str, Any]) -> str:
    """YAML takes ``123`` for a number and ``no`` for false, where a text is meant."""
    types = schema.get("type", ())
    wants_text = "enum" in schema or "string" in ([types] if isinstance(types, str) else types)
    wants_number = not isinstance(types, str) and {"number", "integer"} & set(types)
    if not wants_text or wants_number or not isinstance(value, (bool, int, float)):
        return ""
    return "; YAML reads it as no text unless it is in quotes"


def _allowed(validator: str, rule: Any, schema: Mapping[str, Any]) -> str:
    """What a schema allows, in words."""
    if "x-allowed" in schema:
        return str(schema["x-allowed"])
    if validator == "enum":
        return "one of " + _listed([option for option in rule if option is not None])
    if "minimum" in schema and validator in ("minimum", "maximum"):
        top = schema.get("maximum")
        return f"from {schema['minimum']} to {top}" if top is not None else f"{schema['minimum']} or more"
    if validator == "type":
        types = [rule] if isinstance(rule, str) else [name for name in rule if name != "null"]
        return " or ".join(_TYPE_NAMES[name] for name in types)
    return f"as the schema says ({validator})"


def _shown(value: Any, schema: Mapping[str, Any]) -> str:
    """The value, where the schema says that it can never be private."""
    if not schema.get("x-show") or isinstance(value, (dict, list)):
        return ""
    text = json.dumps(value)
    return f", and is {text if len(text) <= 60 else text[:57] + '…'}"


def _listed(words: Iterable[Any]) -> str:
    return ", ".join(str(word) for word in words)
