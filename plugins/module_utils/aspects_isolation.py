# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Aspects of how far a container is kept from its host: what runs it, and what it may do there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.aspect import Body, Container, Site
from ansible_collections.berth.projects.plugins.module_utils.definition import Definition
from ansible_collections.berth.projects.plugins.module_utils.fingerprint import Values

GVISOR = "runsc"

# runtime


def wanted_runtime(definition: Definition, site: Site) -> Values:
    return {"runtime": definition.runtime}


def actual_runtime(container: Container, wanted: Values) -> Values:
    return {"runtime": runtime_of(container)}


def runtime_of(container: Container) -> str:
    """What the engine runs a container with: engines have several names for runc."""
    return GVISOR if container["HostConfig"].get("Runtime") == GVISOR else "runc"


def create_runtime(definition: Definition, site: Site) -> Body:
    return {"HostConfig": {"Runtime": definition.runtime}}


# hardening

_ENTRYPOINT = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID")
"""What the entrypoint and cron take: files are given to the agent, and root becomes the agent."""

_SUDO = ("AUDIT_WRITE", "FSETID", "SETFCAP")
"""What sudo and apt take besides: sudo writes to the audit, and packages bring programs with setgid or capabilities."""

_WRITABLE = {"/run": "", "/tmp": "exec,mode=1777", "/var/spool/cron/crontabs": ""}
"""Where a container may write whose root file system is read-only. Builds run what they have put into /tmp."""


_NO_NEW_PRIVILEGES = "no-new-privileges:true"


def wanted_hardening(definition: Definition, site: Site) -> Values:
    """The level and all that it comes to: what a later version gives or takes reaches the containers that there are."""
    return {
        "level": definition.hardening,
        "capabilities": " ".join(_capabilities(definition)),
        "security": _NO_NEW_PRIVILEGES if definition.is_strict else None,
        "memory": " ".join(sorted(_memory(definition))) or None,
    }


def actual_hardening(container: Container, wanted: Values) -> Values:
    """What a real container may do, also one that somebody has made by hand under our labels."""
    host = container["HostConfig"]
    options = [_NO_NEW_PRIVILEGES if one == "no-new-privileges" else one for one in host.get("SecurityOpt") or []]
    return {
        "level": "strict" if host.get("ReadonlyRootfs") else "standard",
        "capabilities": _capabilities_of(host),
        "security": " ".join(sorted(options)) or None,
        "memory": " ".join(sorted(host.get("Tmpfs") or {})) or None,
    }


def create_hardening(definition: Definition, site: Site) -> Body:
    host: dict[str, Any] = {"CapDrop": ["ALL"], "CapAdd": _capabilities(definition)}
    if definition.is_strict:
        host.update(SecurityOpt=[_NO_NEW_PRIVILEGES], ReadonlyRootfs=True, Tmpfs=_memory(definition))
    return {"HostConfig": host}


def _capabilities(definition: Definition) -> list[str]:
    return sorted(_ENTRYPOINT if definition.is_strict else (*_ENTRYPOINT, *_SUDO))


def _capabilities_of(host: Mapping[str, Any]) -> str:
    if host.get("Privileged"):
        return "ALL"
    added = sorted(_bare(name) for name in host.get("CapAdd") or [])
    dropped = sorted(_bare(name) for name in host.get("CapDrop") or [])
    return " ".join(added if dropped == ["ALL"] else ["the engine's", *added, *(f"without {name}" for name in dropped)])


def _bare(capability: str) -> str:
    """Engines put ``CAP_`` before what was created without."""
    return capability[len("CAP_") :] if capability.startswith("CAP_") else capability


def _memory(definition: Definition) -> dict[str, str]:
    """Not where the project mounts something itself."""
    mounted = {mount.target for mount in definition.mounts}
    return {path: options for path, options in _WRITABLE.items() if definition.is_strict and path not in mounted}
