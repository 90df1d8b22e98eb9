# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The agent's ids in the layers of an image: for containers that cannot change them at their start.

Others get theirs from the entrypoint. One whose root file system is read-only is made from an image that has them. To
mount account files is not enough: the engine looks up the user of ``docker exec --user agent`` in the layers.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import threading
from typing import Any

from ansible_collections.berth.projects.plugins.module_utils.build_output import read_build
from ansible_collections.berth.projects.plugins.module_utils.definition import Packages, User
from ansible_collections.berth.projects.plugins.module_utils.engine import Engine
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.names import (
    PACKAGES_REPOSITORY,
    SNAPSHOT_BASE_ID,
    SNAPSHOT_PROJECT,
)
from ansible_collections.berth.projects.plugins.module_utils.packages import derived_labels

SCRIPT = "/usr/local/lib/berth/set-ids"
_PASSWD = "/etc/passwd"
_AGENT = "agent"


class IdImages:
    """The images with ids of one run, for its threads to share: each is built once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()

    def ensure(self, reference: str, user: User) -> str:
        """Have an image like another, in which the agent has these ids.

        Args:
            reference: The other; it must be on the engine.
            user: The ids.

        Returns:
            The image's reference, ``berth-packages:<16 hexadecimal digits>``.

        Raises:
            BerthError: It cannot be built.
        """
        image = self._engine.image(reference)
        if image is None:
            raise BerthError(f"There is no image {reference} on this engine.")
        content = json.dumps([image["Id"], user.uid, user.gid])
        made = f"{PACKAGES_REPOSITORY}:{hashlib.sha256(content.encode()).hexdigest()[:16]}"
        with self._lock:
            if self._engine.image(made) is None:
                self._build(reference, image, user, made)
        return made

    def _build(self, reference: str, image: dict[str, Any], user: User, made: str) -> None:
        config = image.get("Config") or {}
        labels = config.get("Labels") or {}
        # What has packages says already what it was made from; what a snapshot says is of its project.
        is_derived = SNAPSHOT_BASE_ID in labels and not labels.get(SNAPSHOT_PROJECT)
        run = json.dumps([SCRIPT, str(user.uid), str(user.gid)])
        text = f"FROM {image['Id']}\nUSER root\nRUN {run}\nUSER {config.get('User') or 'root'}\n"
        with self._engine.calling(f"setting the agent's ids in image {reference}"):
            events = self._engine.api.build(
                fileobj=io.BytesIO(text.encode()),
                tag=made,
                labels={} if is_derived else derived_labels(reference, image["Id"], Packages(), labels),
                rm=True,
                forcerm=True,
                decode=True,
            )
            output = read_build(events)
        if output.error:
            raise BerthError(
                f"The agent's ids cannot be set in image {reference}, which strict hardening takes: {output.error}. If "
                f"it has no {SCRIPT}, build a current one. The last lines of the build:\n{output.tail}"
            )


def ids_misfit(engine: Engine, container_id: str, user: User) -> str | None:
    """Why a container that cannot change its agent's ids cannot be used, or None."""
    with engine.calling(f"reading {_PASSWD} of container {container_id[:12]}"):
        chunks, _stat = engine.api.get_archive(container_id, _PASSWD)
        content = b"".join(chunks)
    found = _ids_in(content)
    if found == user:
        return None
    has = f"{found.uid}:{found.gid}" if found else "none"
    return (
        f"The agent's ids in what the container goes on from are {has}, and {user.uid}:{user.gid} are declared. With "
        "strict hardening they cannot be changed: provision once with hardening: standard, and then with strict."
    )


def _ids_in(archive: bytes) -> User | None:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        first = tar.next()
        file = tar.extractfile(first) if first else None
        lines = file.read().decode("utf-8", "replace").splitlines() if file else []
    for line in lines:
        name, _password, uid, gid, *_rest = [*line.split(":"), "", "", ""]
        if name == _AGENT and uid.isdigit() and gid.isdigit():
            return User(int(uid), int(gid))
    return None
