# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is to be done for a current image. Reads the host's certificates at most, and asks the engine nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.image_base import (
    Base,
    content_tag,
    image_id_of,
    resolve_base,
)
from ansible_collections.berth.projects.plugins.module_utils.image_certificates import read_ca_certificates
from ansible_collections.berth.projects.plugins.module_utils.names import BASE_REPOSITORY

# action → what a run with it does; {base} and {image} are references
_SENTENCES = {
    "none": "{image} is current",
    "tag": "name {image} {latest}",
    "build": "build {image} from {base}; this takes some minutes",
    "rebuild": "get {base} again, then build on it without the cache; this takes some minutes",
    "pull": "pull {base}, then build on it; this takes some minutes",
    "debootstrap": "make {base} with debootstrap, then build on it; this takes some minutes",
    "auto": "pull {base}, or make the like with debootstrap, then build on it; this takes some minutes",
}


@dataclass(frozen=True)
class ImagePlan:
    """What is to be done for a current base image.

    Args:
        action: ``none``, ``tag`` (there, but not ``latest``), ``build``, ``rebuild`` (on request, on a fresh base);
            or, when the base itself is still to be got, ``pull``, ``debootstrap``
            or ``auto`` (pull, else debootstrap).
        base: What the image is made from.
        image: ``berth-base:<hash>``; None while the base is still to be got.
        image_id: The id of the current image, when the action is ``none`` or ``tag``.
        repository: Of the image.
    """

    action: str
    base: Base
    image: str | None = None
    image_id: str | None = None
    repository: str = BASE_REPOSITORY

    @property
    def sentence(self) -> str:
        return _SENTENCES[self.action].format(
            base=self.base.reference, image=self.image, latest=f"{self.repository}:latest"
        )


def plan_image(
    recipe_digest: str,
    base: str,
    suite: str,
    ca_digest: str,
    images: list[dict[str, Any]],
    rebuild: bool = False,
    repository: str = BASE_REPOSITORY,
) -> ImagePlan:
    """Compare what should be with the engine's images. Pure.

    Args:
        recipe_digest: ``Recipe.digest``.
        base: ``Recipe.base``.
        suite: ``Recipe.suite``.
        ca_digest: ``Certificates.digest`` of what goes in.
        images: As ``GET /images/json`` lists them.
        rebuild: Plan a build, even if all is current.
        repository: ``Recipe.repository``.
    """
    found = resolve_base(base, suite, images)
    if found.id is None:
        return ImagePlan(found.kind, found, repository=repository)
    if rebuild:
        return ImagePlan("rebuild", found, repository=repository)
    image = content_tag(recipe_digest, found.id, ca_digest, repository)
    image_id = image_id_of(image, images)
    if image_id is None:
        return ImagePlan("build", found, image, repository=repository)
    is_latest = image_id_of(f"{repository}:latest", images) == image_id
    return ImagePlan("none" if is_latest else "tag", found, image, image_id, repository)


def image_is_current(
    images: list[dict[str, Any]],
    recipe_digest: str,
    base: str,
    suite: str,
    ca_on: bool,
    repository: str = BASE_REPOSITORY,
    rebuild: bool = False,
) -> bool:
    """Whether the newest image of a repository is what the recipe gives on this host. Asks the engine nothing.

    Args:
        images: As ``GET /images/json`` lists them.
        recipe_digest: ``Recipe.digest``.
        base: ``Recipe.base``.
        suite: ``Recipe.suite``.
        ca_on: ``Recipe.ca``.
        repository: ``Recipe.repository``.
        rebuild: It is to be made afresh, so whatever is there is not.
    """
    ca_digest = read_ca_certificates().digest if ca_on else ""
    return plan_image(recipe_digest, base, suite, ca_digest, images, rebuild, repository).action == "none"
