# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the agent's tools need: secrets, git, ssh and AWS. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.definition import normal_path
from ansible_collections.berth.projects.plugins.module_utils.host_state import Copy
from ansible_collections.berth.projects.plugins.plugin_utils.agent_parts import NOTHING, Part, Source, text_file
from ansible_collections.berth.projects.plugins.plugin_utils.auth import aws_keys, aws_profile, aws_region

GIT_COMMAND = "/usr/local/lib/berth/git-credential"
"""Answers git with the secret of a name, in the container."""

NO_KEYS = ("known_hosts", "known_hosts.old", "authorized_keys")
"""What a folder of keys has besides: who may log in there, and what is known from there, is another matter here."""

_ASPECT = "credentials"


def secrets(source: Source) -> Part:
    """A file for each, exactly as its value is."""
    return Part(tuple(text_file(f"secrets/{name}", value, "secrets") for name, value in sorted(source.secrets.items())))


def git(source: Source) -> Part:
    """A file in git's own form, which the system's gitconfig includes."""
    given = source.definition.get("git") or {}
    user = {"name": given.get("user_name"), "email": given.get("user_email")}
    lines = _git_section("user", {key: value for key, value in user.items() if value})
    if given.get("token"):
        for host in sorted(given.get("hosts") or ()):
            helper = f"{GIT_COMMAND} {given['token']}"
            lines += _git_section(f'credential "{_escaped("https://" + host)}"', {"helper": helper})
    if not lines:
        return NOTHING
    text = "".join(f"{line}\n" for line in lines)
    return Part((replace(text_file("git/config", text, _ASPECT), public=True),))


def ssh(source: Source) -> Part:
    """Keys, by a copy on the host, and lines for ``~/.ssh/known_hosts``."""
    given = source.definition.get("ssh") or {}
    part = NOTHING
    if given.get("path"):
        only = tuple(sorted(given["keys"])) if given.get("keys") else None
        copy = Copy(normal_path(given["path"]), "ssh", _ASPECT, only, but=NO_KEYS)
        keys = {"kind": "files", "aspect": _ASPECT, "source": "ssh", "target": ".ssh"}
        part = Part(copies=(copy,), take=(keys,))
    if given.get("known_hosts"):
        text = "".join(f"{line}\n" for line in given["known_hosts"])
        lines = {
            "kind": "block",
            "aspect": _ASPECT,
            "source": "ssh-known_hosts",
            "target": ".ssh/known_hosts",
            "comment": ["# ", ""],
        }
        part = Part((text_file("ssh-known_hosts", text, _ASPECT),), part.copies, (*part.take, lines))
    return part


def aws(source: Source) -> Part:
    """``~/.aws``, from a folder of the host, or from what the definition says."""
    given, definition = source.definition.get("aws") or {}, source.definition
    take = {"kind": "files", "aspect": _ASPECT, "source": "aws", "target": ".aws"}
    if given.get("path"):
        path = normal_path(given["path"])
        cache = {"kind": "seed", "aspect": _ASPECT, "source": "aws-cache", "target": ".aws"}
        copies = (
            Copy(path, "aws", _ASPECT, ("config",)),
            Copy(path, "aws", _ASPECT, ("credentials",), optional=True),
            Copy(f"{path}/sso/cache", "aws-cache/sso/cache", _ASPECT, optional=True),
        )
        return Part(copies=copies, take=(take, cache))
    profile, keys = aws_profile(definition), aws_keys(definition, source.secrets)
    region = given.get("region") or aws_region(definition)
    sections = {
        "config": (f"profile {profile}" if profile else "default", {"region": region} if region else {}),
        "credentials": (profile or "default", keys),
    }
    files = tuple(
        text_file(f"aws/{name}", _ini(section, values), "auth" if name == "credentials" else _ASPECT)
        for name, (section, values) in sections.items()
        if values
    )
    return Part(files, take=(take,)) if files else NOTHING


def _ini(section: str, values: Mapping[str, Any]) -> str:
    return f"[{section}]\n" + "".join(f"{name} = {value}\n" for name, value in values.items())


def _git_section(header: str, values: Mapping[str, str]) -> list[str]:
    if not values:
        return []
    return [f"[{header}]", *(f'\t{name} = "{_escaped(value)}"' for name, value in values.items())]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
