# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Has the images that projects' packages are in: finds them on the engine, or builds them."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.build_output import BuildOutput, read_build
from ansible_collections.berth.projects.plugins.module_utils.definition import Packages
from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError, EngineError
from ansible_collections.berth.projects.plugins.module_utils.packages import (
    derived_labels,
    derived_reference,
    dockerfile,
)

_PART = re.compile(r"\bpackages\.(?:apt|npm|pip)\b")
_STEP_IMAGE = re.compile(r"^ ---> ([0-9a-f]{12,64})$")
_ABOUT_STEPS = ("Step ", " ---> ", "Removing intermediate container ")


class DerivedImages:
    """The derived images of one run, for its threads to share.

    Each is looked for and built once, and what failed once is not tried again for the next project.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._images: dict[str, Future[str]] = {}
        self._turns: dict[str, threading.Lock] = {}

    def ensure(self, base_reference: str, packages: Packages) -> str:
        """Have the image with the packages on the engine.

        Args:
            base_reference: The image that they are added to; it must be on the engine.
            packages: What to add.

        Returns:
            The derived image's reference; the base's where there are no packages.

        Raises:
            BerthError: A package cannot be installed; the message names which of ``packages`` it was and has the end
                of the build's output. Nothing of the build stays on the engine.
        """
        if not packages:
            return base_reference
        base = self._engine.image(base_reference)
        if base is None:
            raise BerthError(f"The image {base_reference} is not on the engine, so no packages can be added to it.")
        reference = derived_reference(base_reference, base["Id"], packages)
        with self._lock:
            is_first = reference not in self._images
            image = self._images.setdefault(reference, Future())
            # Builds with the same first step take turns, so that the second finds the layer of the first.
            turn = self._turns.setdefault(
                derived_reference(base_reference, base["Id"], Packages(apt=packages.apt)), threading.Lock()
            )
        if is_first:
            with _settling(image, reference), turn:
                if self._engine.image(reference) is None:
                    _build(self._engine, base_reference, base, packages)
        return image.result()


def ensure_derived(engine: Engine, base_reference: str, packages: Packages) -> str:
    """``DerivedImages.ensure`` for one image alone."""
    return DerivedImages(engine).ensure(base_reference, packages)


@contextmanager
def _settling(image: Future[str], reference: str) -> Iterator[None]:
    """Tell those who wait how it ended, however it did."""
    try:
        yield
    except BaseException as error:
        image.set_exception(error)
        raise
    image.set_result(reference)


def _build(engine: Engine, base_reference: str, base: dict[str, Any], packages: Packages) -> None:
    config = base.get("Config") or {}
    text = dockerfile(base["Id"], packages, config.get("User") or "")
    before = {image["Id"] for image in _all_images(engine)}
    with engine.calling(f"adding packages to image {base_reference}"):
        # An installer may be silent for minutes: for builds, the SDK has no time limit unless it is given one.
        events = engine.api.build(
            fileobj=io.BytesIO(text.encode()),
            tag=derived_reference(base_reference, base["Id"], packages),
            labels=derived_labels(base_reference, base["Id"], packages, config.get("Labels")),
            rm=True,
            forcerm=True,
            decode=True,
        )
        output = read_build(events)
    if output.error:
        _remove_steps(engine, output, before)
        raise _failure(base_reference, output)
    if not output.image_id:
        raise EngineError(f"adding packages to image {base_reference}: the engine's answer ended without an image")


def _failure(base_reference: str, output: BuildOutput) -> BerthError:
    told = BuildOutput(tuple(line for line in output.lines if not line.startswith(_ABOUT_STEPS)))
    found = _PART.search(output.error)
    part = found.group() if found else "packages"
    why = f"the installer ended with status {output.code}" if found and output.code else output.error
    return BerthError(
        f"{part} cannot be added to image {base_reference}: {why}. Nothing of it was kept. "
        f"The last lines of the build:\n{told.tail}"
    )


def _remove_steps(engine: Engine, output: BuildOutput, before: set[str]) -> None:
    """Remove the images of the steps before the one that failed, which the engine keeps for another try.

    What is printed may be a package's own words, so nothing is removed that has a name or was there before.
    """
    steps = [match.group(1) for match in map(_STEP_IMAGE.match, output.lines) if match]
    new = {image["Id"] for image in _all_images(engine) if image["Id"] not in before and not _has_name(image)}
    for step in reversed(steps):
        for image_id in new:
            if image_id.partition(":")[2].startswith(step):
                with suppress(EngineError), engine.calling(f"removing image {step}"):
                    engine.api.remove_image(image_id, noprune=True)


def _all_images(engine: Engine) -> list[dict[str, Any]]:
    """Also those of a build's steps, as ``GET /images/json?all=1`` lists them."""
    with engine.calling("listing images"):
        listed: list[dict[str, Any]] = engine.api.images(all=True)
        return listed


def _has_name(image: dict[str, Any]) -> bool:
    return any(not tag.startswith("<none>") for tag in image.get("RepoTags") or [])
