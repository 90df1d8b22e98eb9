# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What looks like keys or logins at the top of a workspace."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.berth.projects.plugins.module_utils.definition import definition_from
from ansible_collections.berth.projects.plugins.module_utils.observe import key_warnings


@pytest.mark.parametrize(
    ("name", "is_told"),
    [(name, True) for name in (".ssh", ".aws", ".netrc", ".git-credentials", "id_ed25519", "server.pem", "tls.key")]
    + [(name, False) for name in ("id_ed25519.pub", "README.md", "keys.py", ".git", "monkey", "pem")],
)
def test_a_key_is_told_by_its_name(name: str, is_told: bool, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    found = key_warnings(definition_from({"name": "web", "image": "x", "workspaces": [{"path": str(tmp_path)}]}))
    assert bool(found) is is_told
    if is_told:
        assert found == [f"{tmp_path} contains what looks like keys or logins ({name}): the agent reads them"]


def test_a_folder_that_cannot_be_looked_into_is_no_error(tmp_path: Path) -> None:
    path = str(tmp_path / "none")
    assert key_warnings(definition_from({"name": "web", "image": "x", "workspaces": [{"path": path}]})) == []
