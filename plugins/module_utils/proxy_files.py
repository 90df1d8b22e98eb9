# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a project's proxy on the host: its configuration, and what it was last seen to work by."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.host_state import hash_of

if TYPE_CHECKING:
    from ansible_collections.berth.projects.plugins.module_utils.aspect import Site

CONFIG = "proxy.conf"
APPLIED = "applied.json"


@dataclass(frozen=True)
class Applied:
    """What a proxy was last seen to work by.

    Args:
        config: SHA-256 of the configuration.
        allow: What that allowed, as the definition said it.
    """

    config: str = ""
    allow: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        return json.dumps({"config": self.config, "allow": self.allow}).encode()


def applied_from(content: bytes) -> Applied:
    """The inverse of ``to_json``; nothing was applied where the file is damaged."""
    try:
        data = json.loads(content)
        return Applied(str(data["config"]), tuple(str(one) for one in data["allow"]))
    except (ValueError, KeyError, TypeError):
        return Applied()


def proxy_folder(site: Site, project: str) -> str:
    """Where they are. The container mounts the configuration's folder, so a file that is renamed into it is seen."""
    return f"{site.state_dir}/proxies/{project}"


def config_folder(site: Site, project: str) -> str:
    return f"{proxy_folder(site, project)}/config"


def read_config(site: Site, project: str) -> str:
    """SHA-256 of the configuration; empty where there is none."""
    content = read_content(site, project)
    return "" if content is None else hash_of(content)


def read_content(site: Site, project: str) -> bytes | None:
    """The configuration itself, or None."""
    return _read(f"{config_folder(site, project)}/{CONFIG}")


def read_applied(site: Site, project: str) -> Applied:
    content = _read(f"{proxy_folder(site, project)}/{APPLIED}")
    return Applied() if content is None else applied_from(content)


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BerthError(
            f"Cannot read {path}: {error.strerror}. Run as the user that made it, or as root (become)."
        ) from error
