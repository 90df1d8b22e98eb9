# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of the fault matrix. A new one is an entry here, a test file of four lines, and a section in the docs."""

from __future__ import annotations

from collections.abc import Iterator

from fault_matrix import Operation
from fault_scene import Scene
from faulty_run import MODULE_UTILS

_ROUNDS_TO_FLATTEN = 2
_LAYERS = "berth.snapshot.layers"


def _grow(scene: Scene) -> None:
    """Bring the lineage to where the next snapshot flattens it."""
    scene.definition["snapshot"] = {**scene.definition["snapshot"], "squash_after": _ROUNDS_TO_FLATTEN}
    while _layers(scene) < _ROUNDS_TO_FLATTEN:
        scene.provision_changed()
    scene.change()


def _layers(scene: Scene) -> int:
    return int(scene.host.container(scene.project)["Config"]["Labels"].get(_LAYERS, "0"))


def _take_port(scene: Scene) -> None:
    scene.definition["ports"] = [{"host": scene.taken_port, "container": 80}]


def _give_port_up(scene: Scene) -> None:
    scene.definition.pop("ports", None)


def _go_on_twice(scene: Scene) -> None:
    """Leave a snapshot that is neither the latest nor what the container is made from, and remember it."""
    for number in range(2):
        scene.mark()
        scene.provision_changed()
        if number == 0:
            scene.restorable = (next(iter(scene.snapshots())), scene.token)


def _not_restored(scene: Scene) -> Iterator[str]:
    said = scene.marker("layer")
    if said != scene.restorable[1]:
        yield f"the layer is not that of the snapshot: its marker says {said!r}, not {scene.restorable[1]!r}"


def _move_base(scene: Scene) -> None:
    """A container that was made from a snapshot, and an image that has become another since."""
    scene.provision_changed()
    scene.next_base()


def _not_upgraded(scene: Scene) -> Iterator[str]:
    made_from = scene.host.container(scene.project)["Image"]
    if made_from != scene.api.inspect_image(scene.image)["Id"]:
        yield "the container is not made from the image as it is now"


REPLACE = Operation(
    "replace",
    "`provision`, after a variable of `env` has changed",
    is_quick=lambda fault: fault.kind in ("kill-after", "cut-after") and fault.call.changes,
)
FLATTENING = Operation(
    "replace, flattening",
    "the same, where the snapshot makes one layer of its lineage",
    _grow,
    is_quick=lambda fault: str(fault) == "kill-after at POST /images/create",
)
WAY_BACK = Operation(
    "replace, failing",
    "the same, where the new container cannot be started: the way back",
    _take_port,
    fails=True,
    mend=_give_port_up,
    is_up=False,  # the one call that goes wrong is a call of the way back
)
SNAPSHOT = Operation(
    "snapshot",
    "module `snapshot` with `operation: take`",
    lambda scene: None,
    f"{MODULE_UTILS}.snapshot_work:work_on_snapshots",
    lambda scene: {"operation": "take", "name": ""},
)
RESTORE = Operation(
    "restore",
    "`restore` of a snapshot that is neither the latest nor what the container was made from",
    _go_on_twice,
    options=lambda scene: {"operation": "restore", "snapshot": scene.restorable[0].partition(":")[2]},
    marks={"layer": "kept", "home": "running", "workspace": "running"},
    check=_not_restored,
)
UPGRADE = Operation(
    "upgrade",
    "`upgrade` of a container made from a snapshot, after its image has changed",
    _move_base,
    options=lambda scene: {"operation": "upgrade"},
    marks={"layer": "kept", "home": "running", "workspace": "running"},
    check=_not_upgraded,
)
RESET = Operation(
    "reset",
    "`reset` of a project with snapshots",
    Scene.provision_changed,
    options=lambda scene: {"operation": "reset"},
    marks={"layer": "lost", "home": "lost", "workspace": "running"},
    is_up=False,  # nothing is left to go back to
)

OPERATIONS = (REPLACE, FLATTENING, WAY_BACK, SNAPSHOT, RESTORE, UPGRADE, RESET)
