# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a new container is made from: the declared image, or a snapshot; and what is to be said of either. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.aspect import Site, Source
from ansible_collections.berth.projects.plugins.module_utils.aspects_mounted import (
    actual_image,
    image_values,
    wanted_image,
    wanted_mounts,
)
from ansible_collections.berth.projects.plugins.module_utils.definition import Definition
from ansible_collections.berth.projects.plugins.module_utils.fingerprint import Values
from ansible_collections.berth.projects.plugins.module_utils.lineage import Snapshot
from ansible_collections.berth.projects.plugins.module_utils.names import (
    BASE_REPOSITORY,
    CONTRACT,
    CONTRACT_VERSION,
    PACKAGES_REPOSITORY,
    short_id,
)
from ansible_collections.berth.projects.plugins.module_utils.packages import derived_reference, packages_from_label
from ansible_collections.berth.projects.plugins.module_utils.plan import Case, Reason
from ansible_collections.berth.projects.plugins.module_utils.steps import Step
from ansible_collections.berth.projects.plugins.module_utils.terms import APPLYING


def source_of_snapshot(snapshot: Snapshot) -> Source:
    return Source(snapshot.reference, root_of(snapshot))


def root_of(snapshot: Snapshot) -> Values:
    return image_values(snapshot.base, packages_from_label(snapshot.packages))


def image_steps(case: Case) -> tuple[list[Step], str | None]:
    """What it takes to have the declared image and its packages, and why it cannot be used."""
    steps, error = _having_image(case)
    if error is None and case.definition.packages:
        derived = _derived(case)
        if derived is None or case.images.find(derived) is None:
            steps.append(Step("build", derived or f"{PACKAGES_REPOSITORY} on {case.definition.image}"))
    return steps, error


def _having_image(case: Case) -> tuple[list[Step], str | None]:
    reference = case.definition.image
    if reference in case.policy.coming:
        return [], None
    image = case.images.find(reference)
    if image is None:
        if reference.split(":")[0] == BASE_REPOSITORY:
            return [], f"There is no image {reference} on this engine. Role berth.projects.image builds it."
        return [Step("pull", reference)], None
    return [], None if image.keeps_contract else contract_missing(reference)


def _derived(case: Case) -> str | None:
    """The image with the packages on it; None while the image below is not there."""
    image = case.images.find(case.definition.image)
    if image is None or case.definition.image in case.policy.coming:
        return None
    return derived_reference(case.definition.image, image.id, case.definition.packages)


def is_outdated(case: Case) -> bool:
    """Whether the reference at the root of the lineage, of the container or else the snapshots, names another image."""
    image, view = case.images.find(case.definition.image), case.view
    latest = view.lineage.latest
    if view.container:
        began_with, base_id = actual_image(view.container, {})["reference"], view.base_id
    elif latest:
        began_with, base_id = latest.base, latest.base_id
    else:
        return False
    return image is not None and began_with == case.definition.image and base_id != image.id


def outdated_warning(case: Case) -> tuple[str, ...]:
    """That alone changes nothing: packages and logins live on the old one."""
    if not is_outdated(case):
        return ()
    reference = case.definition.image
    return (f"base outdated: {reference} has become another image since this container was made; {APPLYING}",)


def outdated_reason(case: Case) -> Reason:
    image = case.images.find(case.definition.image)
    return Reason("image", {"id": _shown(case.view.base_id)}, {"id": _shown(image.id if image else None)})


def pending_warning(before: Values, after: Values) -> tuple[str, ...]:
    """A lineage goes on with the image that it began with, until it is rebased."""
    changed = [key for key in sorted({*before, *after}) if before.get(key) != after.get(key)]
    if not changed:
        return ()
    what = "image" if "reference" in changed else "packages"
    return (f"{what} change pending: what was installed in the container lives on the old image; {APPLYING}",)


def resumed(case: Case) -> Snapshot | None:
    """The snapshot that a new container goes on with."""
    latest = case.view.lineage.latest
    if latest is None or not case.policy.apply_images:
        return latest
    changed = root_of(latest) != wanted_image(case.definition, case.site)
    return None if changed or is_outdated(case) else latest


def image_misfit(image: Mapping[str, Any], reference: str, definition: Definition, site: Site) -> str | None:
    """Why an image cannot be used: it is not made for Berth, or its content would escape a snapshot of the container.

    Args:
        image: As ``GET /images/{name}/json`` shows it.
        reference: What to call it.
        definition: What is to be made from it.
        site: Where.
    """
    config = image.get("Config") or {}
    if (config.get("Labels") or {}).get(CONTRACT) != CONTRACT_VERSION:
        return contract_missing(reference)
    loose = sorted(set(config.get("Volumes") or {}) - set(wanted_mounts(definition, site)))
    if loose:
        return (
            f"The image {reference} declares volumes that nothing is mounted on ({', '.join(loose)}): what is "
            "written there would be lost with the container. Mount something on each, or build the image without."
        )
    return None


def contract_missing(reference: str) -> str:
    return (
        f"The image {reference} does not carry the label berth.contract=1, so it lacks Berth's entrypoint, launcher "
        "and health check. Make one from it with role berth.projects.image (berth_image_base)."
    )


def _shown(image_id: str | None) -> str | None:
    return short_id(image_id) if image_id else None
