# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Aspects of what a process in the container finds: its environment, and who and where it is."""

from __future__ import annotations

from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.aspect import Body, Container, Site, environment_of
from ansible_collections.berth.projects.plugins.module_utils.definition import Definition, Healthcheck, User
from ansible_collections.berth.projects.plugins.module_utils.fingerprint import Values
from ansible_collections.berth.projects.plugins.module_utils.terms import OWN_VARIABLES

_SECOND = 1_000_000_000  # the engine counts in nanoseconds


def is_own_variable(key: str) -> bool:
    return key in OWN_VARIABLES or key.startswith("BERTH_")


# env


def wanted_env(definition: Definition, site: Site) -> Values:
    return dict(definition.env)


def actual_env(container: Container, wanted: Values) -> Values:
    """What the user's environment looks like in the container.

    The engine merges the image's own variables into the container's. One that nobody asked for and that is the
    image's, or Berth's own, is not the user's.
    """
    return {
        key: value
        for key, value in environment_of(container).items()
        if key in wanted or not (is_own_variable(key) or _is_from_image(container, key))
    }


def _is_from_image(container: Container, key: str) -> bool:
    """Whether the container's value of a variable is the image's own (``ImageEnv`` is what ``observe.py`` adds)."""
    return f"{key}={environment_of(container).get(key)}" in (container.get("ImageEnv") or ())


def create_env(definition: Definition, site: Site) -> Body:
    return {"Env": dict(definition.env)}


# identity


def wanted_identity(definition: Definition, site: Site) -> Values:
    user, health, limits = definition.user, definition.healthcheck, definition.resources
    values = {
        "hostname": definition.name,
        "uid": user.uid if user else None,
        "gid": user.gid if user else None,
        "timezone": definition.timezone,
        "nofile": f"{limits.nofile[0]}:{limits.nofile[1]}" if limits.nofile else None,
        "shm_size": limits.shm_size,
        "healthcheck.enabled": health.enabled,
    }
    if health.enabled:
        values.update({f"healthcheck.{key}": getattr(health, key) for key in _HEALTH_TIMES})
        values["healthcheck.disk_limit"] = health.disk_limit
    return values


_HEALTH_TIMES = {"interval": "Interval", "timeout": "Timeout", "start_period": "StartPeriod", "retries": "Retries"}
_DEFAULT_SHM_SIZE = 64 * 1024**2


def actual_identity(container: Container, wanted: Values) -> Values:
    config, host = container["Config"], container["HostConfig"]
    env, user = environment_of(container), user_of(container)
    health = config.get("Healthcheck") or {}
    enabled = bool(health) and health.get("Test") != ["NONE"]
    nofile = [limit for limit in host.get("Ulimits") or [] if limit["Name"] == "nofile"]
    shm_size = host.get("ShmSize")
    values = {
        "hostname": config.get("Hostname"),
        "uid": user.uid if user else None,
        "gid": user.gid if user else None,
        "timezone": None if wanted["timezone"] is None and _is_from_image(container, "TZ") else env.get("TZ"),
        "nofile": f"{nofile[0]['Soft']}:{nofile[0]['Hard']}" if nofile else None,
        "shm_size": None if wanted.get("shm_size") is None and shm_size == _DEFAULT_SHM_SIZE else shm_size,
        "healthcheck.enabled": enabled,
    }
    if enabled:
        for key, field in _HEALTH_TIMES.items():
            number = health.get(field) or 0
            values[f"healthcheck.{key}"] = number if key == "retries" else number // _SECOND
        values["healthcheck.disk_limit"] = _number(env.get("BERTH_DISK_LIMIT"))
    return values


def user_of(container: Container) -> User | None:
    """The ids that a container was made with."""
    env = environment_of(container)
    uid, gid = _number(env.get("BERTH_UID")), _number(env.get("BERTH_GID"))
    return User(uid, gid) if uid and gid else None


def create_identity(definition: Definition, site: Site) -> Body:
    env: dict[str, str] = {"PROJECT_NAME": definition.name, "COLORTERM": "truecolor"}
    if definition.user:
        env.update(BERTH_UID=str(definition.user.uid), BERTH_GID=str(definition.user.gid))
    if definition.timezone:
        env["TZ"] = definition.timezone
    host: dict[str, Any] = {"Init": True}
    limits = definition.resources
    if limits.nofile:
        host["Ulimits"] = [{"Name": "nofile", "Soft": limits.nofile[0], "Hard": limits.nofile[1]}]
    if limits.shm_size:
        host["ShmSize"] = limits.shm_size
    if definition.healthcheck.enabled:
        env["BERTH_DISK_LIMIT"] = str(definition.healthcheck.disk_limit)
    return {
        "Hostname": definition.name,
        "Env": env,
        "Healthcheck": _engine_healthcheck(definition.healthcheck),
        "HostConfig": host,
    }


def _engine_healthcheck(health: Healthcheck) -> Body:
    """No ``Test``: the image's own, which its contract asks for."""
    if not health.enabled:
        return {"Test": ["NONE"]}
    return {
        field: getattr(health, key) if key == "retries" else getattr(health, key) * _SECOND
        for key, field in _HEALTH_TIMES.items()
    }


def _number(text: str | None) -> int | None:
    return int(text) if text and text.lstrip("-").isdigit() else None
