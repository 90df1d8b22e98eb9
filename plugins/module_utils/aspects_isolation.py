# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Aspects of how far a container is kept from its host: what runs it, and what it may do there."""

from __future__ import annotations

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


def wanted_hardening(definition: Definition, site: Site) -> Values:
    return {"level": definition.hardening}


def actual_hardening(container: Container, wanted: Values) -> Values:
    host = container["HostConfig"]
    if host.get("CapDrop") != ["ALL"]:
        return {"level": None}
    return {"level": "strict" if host.get("ReadonlyRootfs") else "standard"}


def create_hardening(definition: Definition, site: Site) -> Body:
    if not definition.is_strict:
        return {"HostConfig": {"CapDrop": ["ALL"], "CapAdd": sorted((*_ENTRYPOINT, *_SUDO))}}
    mounted = {mount.target for mount in definition.mounts}
    host: dict[str, Any] = {
        "CapDrop": ["ALL"],
        "CapAdd": sorted(_ENTRYPOINT),
        "SecurityOpt": ["no-new-privileges:true"],
        "ReadonlyRootfs": True,
        "Tmpfs": {path: options for path, options in _WRITABLE.items() if path not in mounted},
    }
    return {"HostConfig": host}
