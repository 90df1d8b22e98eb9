# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is kept of a proxy on the host, and what is read of it."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.projects.plugins.module_utils import proxy_files as proxy_files_module
from ansible_collections.berth.projects.plugins.module_utils.aspect import Site
from ansible_collections.berth.projects.plugins.module_utils.errors import BerthError
from ansible_collections.berth.projects.plugins.module_utils.host_state import hash_of
from ansible_collections.berth.projects.plugins.module_utils.proxy_files import (
    APPLIED,
    CONFIG,
    Applied,
    applied_from,
    config_folder,
    proxy_folder,
    read_applied,
    read_config,
)
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(str(tmp_path), "default")
    Path(config_folder(made, "web")).mkdir(parents=True)
    return made


@given(st.text(), st.lists(st.text()).map(tuple))
def test_what_was_applied_is_read_as_it_was_written(config: str, allow: tuple[str, ...]) -> None:
    applied = Applied(config, allow)
    assert applied_from(applied.to_json()) == applied


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"7",
        b'{"config": "x"}',
        b'{"allow": []}',
        b'{"config": "x", "allow": 7}',
        b"\xff\xfe",
    ],
)
def test_a_damaged_file_says_that_nothing_was_applied(content: bytes) -> None:
    assert applied_from(content) == Applied()


def test_where_there_are_no_files_nothing_is_there(tmp_path: Path) -> None:
    site = Site(str(tmp_path / "none"), "default")
    assert (read_config(site, "web"), read_applied(site, "web")) == ("", Applied())


def test_a_configuration_is_known_by_its_hash(site: Site) -> None:
    Path(config_folder(site, "web"), CONFIG).write_bytes(b"allow all")
    Path(proxy_folder(site, "web"), APPLIED).write_bytes(Applied("x", ("a",)).to_json())
    assert read_config(site, "web") == hash_of(b"allow all")
    assert (read_applied(site, "web"), read_config(site, "api")) == (Applied("x", ("a",)), "")


def test_what_the_proxy_mounts_does_not_have_what_was_applied(site: Site) -> None:
    """A file that Berth alone goes by is out of reach of what reads an agent's words."""
    assert config_folder(site, "web") == f"{proxy_folder(site, 'web')}/config"


@pytest.mark.parametrize("read", [read_config, read_applied])
def test_a_file_that_cannot_be_read_is_told_with_what_to_do(
    site: Site, monkeypatch: pytest.MonkeyPatch, read: Any
) -> None:
    def refuse(path: str, mode: str) -> Any:
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(proxy_files_module, "open", refuse, raising=False)
    with pytest.raises(BerthError, match=r"Cannot read .*: Permission denied\. Run as the user that made it"):
        read(site, "web")
