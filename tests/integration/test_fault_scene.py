# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fault matrix looks for is found where it is missing: a check that always passes would prove nothing."""

from __future__ import annotations

from typing import Any

import pytest
from fault_scene import Scene


@pytest.fixture(scope="module")
def begun(scene: Scene) -> Scene:
    scene.begin_anew()
    return scene


@pytest.fixture
def marked(begun: Scene) -> Scene:
    """A project as declared, with a marker that no snapshot has."""
    begun.provision()
    begun.mark()
    assert all(begun.still_has(place) and begun.runs_with(place) for place in ("layer", "home", "workspace"))
    assert begun.left_over() == []
    return begun


def test_a_container_takes_its_layer_along(marked: Scene) -> None:
    marked.api.remove_container(marked.container, force=True)
    assert not marked.is_up()
    assert (marked.still_has("layer"), marked.still_has("home"), marked.still_has("workspace")) == (False, True, True)


def test_a_snapshot_keeps_the_layer(marked: Scene) -> None:
    marked.provision_changed()
    marked.api.remove_container(marked.container, force=True)
    assert marked.still_has("layer")


def test_an_older_marker_does_not_do(marked: Scene) -> None:
    marked.token = "another"
    assert not any(marked.still_has(place) or marked.runs_with(place) for place in ("layer", "home", "workspace"))


def test_a_volume_takes_the_home_along(marked: Scene) -> None:
    marked.api.remove_container(marked.container, force=True)
    marked.api.remove_volume(f"{marked.container}-home")
    assert (marked.still_has("home"), marked.still_has("workspace")) == (False, True)


def test_what_is_left_over_is_seen(marked: Scene, api: Any) -> None:
    aside = api.create_container(marked.image, name=f"{marked.container}.old.0123456789ab")
    helper = api.create_container(marked.image, name=f"{marked.container}-x", labels={"berth.project": marked.project})
    part = api.commit(aside["Id"], conf={"Labels": {"berth.snapshot.part": f"any/{marked.project}"}})
    api.create_volume(f"{marked.container}-more")
    for number in range(3):
        api.tag(marked.image, f"berth/{marked.project}", f"2000010{number}T000000000000Z")
    try:
        found = "\n".join(marked.left_over())
        for what in (".old.0123456789ab", f"{marked.container}-x", part["Id"], f"{marked.container}-more", "20000100T"):
            assert what in found
    finally:
        for made in (aside, helper):
            api.remove_container(made["Id"])
        api.remove_image(part["Id"])
        api.remove_volume(f"{marked.container}-more")
        for number in range(3):
            api.remove_image(f"berth/{marked.project}:2000010{number}T000000000000Z")
