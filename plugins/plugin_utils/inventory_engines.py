# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engines that an inventory source names: each entry checked, and given a name that stays. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.berth.projects.plugins.module_utils.connection import CONNECTION_ARGS
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError

LOCAL = "local"
"""The name of an engine behind a socket of this host, where none is given."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SCHEMES = ("unix", "tcp", "http", "https", "ssh")


@dataclass(frozen=True)
class NamedEngine:
    """An engine to list.

    Args:
        name: What it is called in host and group names.
        params: How to talk to it: the parameters of ``CONNECTION_ARGS``, complete.
    """

    name: str
    params: Mapping[str, Any]

    @property
    def docker_host(self) -> str:
        return str(self.params["docker_host"])

    @property
    def seconds(self) -> int:
        """How long its answer is waited for."""
        return int(self.params["timeout"])

    @property
    def has_tls(self) -> bool:
        wanted = self.params["tls"] or self.params["validate_certs"]
        return self._scheme == "https" or (self._scheme == "tcp" and bool(wanted))

    @property
    def checks_certificate(self) -> bool:
        """Of an engine with TLS. ``https://`` alone is no leave to skip the check; ``tls`` is."""
        return bool(self.params["validate_certs"] or not self.params["tls"])

    @property
    def is_local(self) -> bool:
        return self._scheme == "unix"

    @property
    def _scheme(self) -> str:
        return urlsplit(self.docker_host).scheme


def named_engines(entries: Sequence[Any] | None, timeout: int) -> tuple[NamedEngine, ...]:
    """What the option ``engines`` means.

    Args:
        entries: URLs, or maps with ``name`` and the options of ``CONNECTION_ARGS``. Without any there is one engine,
            that of the environment (``DOCKER_HOST`` and its kin), else the local one. Entries are complete by
            themselves: the environment does not change what a file says.
        timeout: The time limit of entries that have none of their own, in seconds.

    Raises:
        BerthError: Entries are not as they should be; all that is wrong with any of them is told.
    """
    if not entries:
        spec = {**CONNECTION_ARGS, "timeout": {**CONNECTION_ARGS["timeout"], "default": timeout}}
        return (_checked({}, spec, "the environment"),)
    plain = {name: _without_fallback(spec) for name, spec in CONNECTION_ARGS.items()}
    spec = {"name": {"type": "str"}, **plain, "timeout": {"type": "int", "default": timeout}}
    checked = [_engine_or_problem(entry, spec, f"engines[{index}]") for index, entry in enumerate(entries)]
    engines = tuple(one for one in checked if isinstance(one, NamedEngine))
    problems = [one.msg for one in checked if isinstance(one, BerthError)] + _same_names(engines)
    if problems:
        raise BerthError("\n".join(problems))
    return engines


def _without_fallback(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if key != "fallback"}


def _engine_or_problem(entry: Any, spec: Mapping[str, Any], where: str) -> NamedEngine | BerthError:
    try:
        return _checked(entry, spec, where)
    except BerthError as problem:
        return problem


def _checked(entry: Any, spec: Mapping[str, Any], where: str) -> NamedEngine:
    if isinstance(entry, str):
        entry = {"docker_host": entry}
    if not isinstance(entry, Mapping):
        raise BerthError(f"{where}: must be the URL of an engine, or a map with docker_host and name.")
    result = ArgumentSpecValidator(spec).validate(dict(entry))
    if result.error_messages:
        raise BerthError("\n".join(f"{where}: {message}" for message in result.error_messages))
    params = dict(result.validated_parameters)
    name = params.pop("name", None)
    docker_host = str(params["docker_host"])
    if urlsplit(docker_host).scheme not in _SCHEMES:
        allowed = ", ".join(f"{scheme}://" for scheme in _SCHEMES)
        raise BerthError(f"{where}: docker_host must begin with one of {allowed}, and is {docker_host!r}.")
    name = name or name_of_url(docker_host)
    if not _NAME.fullmatch(name):
        raise BerthError(
            f"{where}: name must consist of letters, digits, dots, dashes and underscores, and is {name!r}. "
            "It is taken from docker_host where it is not given."
        )
    return NamedEngine(name, {key: params.get(key) for key in CONNECTION_ARGS})


def name_of_url(docker_host: str) -> str:
    """What an engine is called that was given no name: its host, or ``local``."""
    return urlsplit(docker_host).hostname or LOCAL


def _same_names(engines: Iterable[NamedEngine]) -> list[str]:
    counts = Counter(engine.name for engine in engines)
    return [
        f"engines: {count} are called {name!r}, and so would their containers' hosts be. Give each a name of its own."
        for name, count in counts.items()
        if count > 1
    ]
