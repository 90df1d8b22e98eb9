# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an engine and its host can do, as far as definitions ask for it, and what these come to there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.aspects_isolation import GVISOR
from ansible_collections.berth.projects.plugins.module_utils.definition import Definition

_CONFIGURATION = '{"runtimes": {"runsc": {"path": "/usr/bin/runsc", "runtimeArgs": ["--overlay2=none"]}}}'
_RELOADING = "'systemctl reload docker', or SIGHUP to dockerd where no systemd runs"
_BY_ROLE = "role berth.projects.engine does all that on Debian and Ubuntu, with berth_engine_gvisor: true"

HIDDEN_WRITES = (
    "gVisor keeps what the container writes to itself, so that it would be in no snapshot, and lost with the "
    "container, which is stopped again. Have runsc started with --overlay2=none: "
    f"{_CONFIGURATION} in /etc/docker/daemon.json, and reload the engine ({_RELOADING}); {_BY_ROLE}. "
    "Or declare runtime: runc."
)
"""What is told of a container whose layer stays as it was although it writes."""

_RESOLVERS = ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf")


@dataclass(frozen=True)
class Facts:
    """What an engine can do.

    Args:
        runtimes: The names of its runtimes.
        has_seccomp: Whether it filters the calls that containers make to the kernel.
    """

    runtimes: frozenset[str] = frozenset()
    has_seccomp: bool = True

    @property
    def has_gvisor(self) -> bool:
        return GVISOR in self.runtimes


def facts_of(info: Mapping[str, Any]) -> Facts:
    """Of what ``GET /info`` says."""
    options = (option.split(",") for option in info.get("SecurityOptions") or ())
    # From 23 on an engine that is told to filter nothing lists seccomp as well, and says that by its profile.
    has_seccomp = any("name=seccomp" in words and "profile=unconfined" not in words for words in options)
    return Facts(frozenset(info.get("Runtimes") or ()), has_seccomp)


def settle_runtime(definition: Definition, facts: Facts) -> Definition:
    """The definition with what runs it on this engine.

    gVisor passes no socket of the host through, so it is nothing for a project that uses the host's engine.
    """
    wanted = definition.runtime
    if wanted == "auto":
        wanted = GVISOR if facts.has_gvisor and not definition.docker_access else "runc"
    needs_resolver = wanted == GVISOR and definition.network.egress == "open" and facts.has_gvisor
    return definition.run_by(wanted, _resolver() if needs_resolver else None)


def isolation_misfit(definition: Definition, facts: Facts) -> str | None:
    """Why this engine cannot keep a project from its host as declared, or None."""
    if definition.runtime == GVISOR and not facts.has_gvisor:
        return (
            "runtime is runsc, and the engine has no runtime of that name. Install gVisor (package runsc), add "
            f"{_CONFIGURATION} to /etc/docker/daemon.json (a runsc that does not know --overlay2 yet needs no "
            f"runtimeArgs), and reload the engine ({_RELOADING}); {_BY_ROLE}."
        )
    if definition.is_strict and not facts.has_seccomp:
        return (
            "hardening is strict, and the engine filters no system calls (its security options have no seccomp, or one "
            "with the profile unconfined). Use an engine that does, or hardening: standard."
        )
    if definition.resolver == "":
        return (
            f"with gVisor a container needs a name server that is not on a loopback address, and {_RESOLVERS[0]} of "
            "this host names none. Name one there, or declare runtime: runc, or network.egress: restricted, for "
            "which none is needed."
        )
    return None


def _resolver() -> str:
    """The host's file that names a resolver which a container reaches; empty where there is none.

    The engine's own resolver, which asks the host's, is not to be reached from gVisor's network stack.
    """
    return next((path for path in _RESOLVERS if _names_a_resolver(path)), "")


def _names_a_resolver(path: str) -> bool:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            words = [line.split() for line in file]
    except OSError:
        return False
    servers = [line[1] for line in words if line[:1] == ["nameserver"] and len(line) > 1]
    return any(not _is_loopback(server) for server in servers)


def _is_loopback(server: str) -> bool:
    try:
        return ip_address(server.partition("%")[0]).is_loopback
    except ValueError:
        return True
