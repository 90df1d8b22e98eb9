# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes an image of Berth's on a host: finds or gets its base, builds it, and names it by its content."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.build_output import read_build
from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError, EngineError
from ansible_collections.berth.projects.plugins.module_utils.image_base import (
    DEBOOTSTRAP,
    Base,
    content_tag,
    image_id_of,
    keep_parts,
    resolve_base,
    rootfs_reference,
)
from ansible_collections.berth.projects.plugins.module_utils.image_certificates import (
    Certificates,
    read_ca_certificates,
)
from ansible_collections.berth.projects.plugins.module_utils.image_debootstrap import make_rootfs, missing_packages
from ansible_collections.berth.projects.plugins.module_utils.image_plan import ImagePlan, plan_image
from ansible_collections.berth.projects.plugins.module_utils.image_recipe import Recipe

BUILD_DIR = "/var/lib/berth/build"


def observe(engine: Engine, recipe: Recipe, certificates: Certificates, rebuild: bool = False) -> ImagePlan:
    return plan_image(
        recipe.digest, recipe.base, recipe.suite, certificates.digest, engine.images(), rebuild, recipe.repository
    )


def get_base(engine: Engine, recipe: Recipe, build_dir: str, fresh: bool) -> tuple[Base, list[str]]:
    """Have the base on the engine.

    Args:
        engine: Where to.
        recipe: Says which base.
        build_dir: Where debootstrap works.
        fresh: Pull or debootstrap also what is there. A local image that no registry has stays as it is.

    Returns:
        The base, and the packages that the host needs first: with any, nothing was done.
    """
    base = resolve_base(recipe.base, recipe.suite, engine.images())
    if base.kind == "local" and not fresh:
        return base, []
    if not base.is_rootfs:
        pulled = _pull(engine, base)
        if pulled:
            return pulled, []
        if base.kind == "local":
            return base, []
    missing = missing_packages(recipe)
    if missing:
        return base, missing
    image_id = make_rootfs(engine, recipe, build_dir)
    return Base("local", rootfs_reference(recipe.suite), image_id), []


def ensure_image(
    engine: Engine,
    recipe: Recipe,
    step: str = "all",
    rebuild: bool = False,
    build_dir: str = BUILD_DIR,
    check_mode: bool = False,
) -> dict[str, Any]:
    """Bring the engine's image to what the recipe says, or one step nearer.

    Args:
        engine: Where to.
        recipe: What is wanted.
        step: ``plan`` (only look), ``base`` (have the base on the engine), ``build`` (on a base that is there), or
            ``all``.
        rebuild: Do it afresh although all is current.
        build_dir: Where debootstrap works.
        check_mode: Change nothing, say what would change.

    Returns:
        The result of module ``image``.
    """
    certificates = read_ca_certificates() if recipe.ca else Certificates()
    plan = observe(engine, recipe, certificates, rebuild)
    if step == "plan" or check_mode or plan.action == "none":
        needs = missing_packages(recipe) if plan.action == "debootstrap" else []
        return _result(plan, changed=step != "plan" and plan.action != "none", needs=needs)
    if plan.action == "tag" and plan.image and plan.image_id:
        if step != "base":
            name_image(engine, plan.image_id, plan.image, recipe.latest)
        return _result(plan, changed=step != "base")
    base = plan.base
    if step != "build":
        base, needs = get_base(engine, recipe, build_dir, fresh=rebuild)
        if needs:
            return _result(plan, changed=False, needs=needs)
        if step == "base":
            return _result(observe(engine, recipe, certificates, rebuild), changed=base != plan.base)
    tag, image_id = build(engine, recipe, base, certificates, no_cache=rebuild)
    name_image(engine, image_id, tag, recipe.latest)
    return _result(replace(plan, base=base, image=tag, image_id=image_id), changed=True)


def _result(plan: ImagePlan, changed: bool, needs: Iterable[str] = ()) -> dict[str, Any]:
    return {
        "changed": changed,
        "action": plan.action,
        "base": plan.base.reference,
        "image": plan.image,
        "image_id": plan.image_id,
        "needs": list(needs),
        "message": plan.sentence,
    }


def build(engine: Engine, recipe: Recipe, base: Base, certificates: Certificates, no_cache: bool) -> tuple[str, str]:
    """Build the image, without a name yet.

    Returns:
        The tag it should have, and its id.

    Raises:
        BerthError: With the end of the build's output.
    """
    if base.id is None:
        raise BerthError(f"The base {base.reference} is not on the engine.")
    with engine.calling("building the image"):
        events = engine.api.build(
            fileobj=build_context(recipe, base, certificates),
            custom_context=True,
            buildargs={"BERTH_BASE": base.id},
            nocache=no_cache,
            rm=True,
            forcerm=True,
            decode=True,
        )
        image_id = built_image_id(events)
    return content_tag(recipe.digest, base.id, certificates.digest, recipe.repository), image_id


def name_image(engine: Engine, image_id: str, tag: str, latest: str) -> None:
    """Give the image its tag, and make it the latest. Older tags stay: projects may use them."""
    with engine.calling(f"naming the image {tag}"):
        for reference in (tag, latest):
            repository, name = reference.split(":")
            engine.api.tag(image_id, repository, name, force=True)


def build_context(recipe: Recipe, base: Base, certificates: Certificates) -> io.BytesIO:
    """The build context as a tar: the same bytes for the same content."""
    parts = {"rootfs": base.is_rootfs, "certificates": bool(certificates.files)}
    dockerfile = keep_parts(recipe.dockerfile, [name for name, wanted in parts.items() if wanted])
    files = {path: (file.content.encode(), file.mode) for path, file in recipe.files.items()}
    files["Dockerfile"] = (dockerfile.encode(), 0o644)
    for name, content in certificates.files:
        files[f"certificates/{name}"] = (content, 0o644)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in sorted(files):
            content, mode = files[path]
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    buffer.seek(0)
    return buffer


def built_image_id(events: Iterable[Mapping[str, Any]]) -> str:
    """Read a build's events to the end.

    Args:
        events: As ``POST /build`` sends them, each one object: ``stream``, ``aux``, ``error``, ``status``.

    Raises:
        BerthError: The build failed; the message has the last lines of its output.
    """
    output = read_build(events)
    if output.error:
        raise BerthError(
            f"The image cannot be built: {output.error}. The one before was left as it was. "
            f"The last lines of the build:\n{output.tail}"
        )
    if not output.image_id:
        raise EngineError("building the image: the engine's answer ended without an image")
    return output.image_id


def _pull(engine: Engine, base: Base) -> Base | None:
    """The base as it was pulled; None when that failed and there is another way."""
    try:
        engine.pull(base.reference)
        image_id = image_id_of(base.reference, engine.images())
        if image_id is None:  # the engine may accept a pull and tell of its failure in the answer's text
            raise EngineError(f"pulling image {base.reference}: the engine does not have it afterwards")
    except EngineError as error:
        if base.kind == "pull":
            raise BerthError(
                f"The base of the image is not on the engine and cannot be pulled: {error.msg}. Check "
                f"berth_image_base. Without a registry, set it to {DEBOOTSTRAP}<suite>, or load an image "
                "into the engine."
            ) from error
        return None
    return Base("local", base.reference, image_id)
