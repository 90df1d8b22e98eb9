# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which base an image is made from, what the result is called, and which parts of a Dockerfile a host needs. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.names import BASE_REPOSITORY

LATEST = f"{BASE_REPOSITORY}:latest"
DEBOOTSTRAP = "debootstrap:"


@dataclass(frozen=True)
class Base:
    """Where the base of an image comes from.

    Args:
        kind: ``local`` (the engine has it), ``pull``, ``debootstrap``, or ``auto`` (pull, else
            debootstrap).
        reference: Its image reference, also when it is still to be made.
        id: The image's id when ``kind`` is ``local``, else None.
    """

    kind: str
    reference: str
    id: str | None = None

    @property
    def is_rootfs(self) -> bool:
        """Whether Berth debootstrapped it, or would."""
        return self.kind == "debootstrap" or self.reference.startswith("berth-rootfs:")


def rootfs_reference(suite: str) -> str:
    """What a debootstrapped root file system is called on the engine."""
    return f"berth-rootfs:{suite}"


def resolve_base(base: str, suite: str, images: Iterable[Mapping[str, Any]]) -> Base:
    """Find the base among the engine's images, or tell how to get it.

    Args:
        base: ``auto``, an image reference or id, or ``debootstrap:<suite>``.
        suite: What ``auto`` looks for: ``debian:<suite>``, then ``berth-rootfs:<suite>``.
        images: As ``GET /images/json`` lists them.
    """
    ids = _ids_by_reference(images)
    if base == "auto":
        wanted = [f"debian:{suite}", rootfs_reference(suite)]
        otherwise = Base("auto", wanted[0])
    elif base.startswith(DEBOOTSTRAP):
        wanted = [rootfs_reference(base[len(DEBOOTSTRAP) :])]
        otherwise = Base("debootstrap", wanted[0])
    else:
        wanted = [base]
        otherwise = Base("pull", base)
    for reference in wanted:
        image_id = ids.get(_familiar(reference))
        if image_id:
            return Base("local", reference, image_id)
    return otherwise


def content_tag(recipe_digest: str, base: str, ca_digest: str, repository: str = BASE_REPOSITORY) -> str:
    """The tag of the image that all this gives: ``berth-base:<16 hexadecimal digits>``.

    Args:
        recipe_digest: ``Recipe.digest``.
        base: The base's image id, or its reference while it is not there yet.
        ca_digest: That of the host's certificates; empty when none go in.
        repository: What comes before the colon.
    """
    content = json.dumps([recipe_digest, base, ca_digest]).encode()
    return f"{repository}:{hashlib.sha256(content).hexdigest()[:16]}"


def image_id_of(reference: str, images: Iterable[Mapping[str, Any]]) -> str | None:
    """The id of the image that has this reference, or None."""
    return _ids_by_reference(images).get(_familiar(reference))


def keep_parts(dockerfile: str, wanted: Iterable[str]) -> str:
    """Leave out the parts that a host does not need.

    A part stands between a line ``# [name`` and a line ``# name]``. Those lines go too, so that a Dockerfile without
    a part is the same as one that never had it.
    """
    kept: list[str] = []
    wanted = set(wanted)
    inside = ""
    for line in dockerfile.splitlines(keepends=True):
        mark = line.strip()
        if mark.startswith("# [") and not inside:
            inside = mark[len("# [") :]
        elif inside and mark == f"# {inside}]":
            inside = ""
        elif not inside or inside in wanted:
            kept.append(line)
    return "".join(kept)


def _ids_by_reference(images: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    ids: dict[str, str] = {}
    for image in images:
        image_id = str(image["Id"])
        names = [*(image.get("RepoTags") or []), *(image.get("RepoDigests") or []), image_id]
        for name in names:
            ids[_familiar(name)] = image_id
    return ids


def _familiar(reference: str) -> str:
    """A reference as the engine lists it: without Docker Hub's own prefixes, with ``:latest`` where nothing is said."""
    if reference.startswith("sha256:"):
        return reference
    for prefix in ("docker.io/library/", "docker.io/"):
        if reference.startswith(prefix):
            reference = reference[len(prefix) :]
            break
    if "@" in reference or ":" in reference.rpartition("/")[2]:
        return reference
    return f"{reference}:latest"
