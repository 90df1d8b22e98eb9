# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets in texts: what refers to one (``${secret:NAME}``), and what looks like one. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_REFERENCE = re.compile(r"\$\{secret:([A-Za-z0-9_.-]{1,64})\}")
_BEGINNING = "${secret"

SECRET_VALUE = re.compile(
    r"^(sk-[A-Za-z0-9-]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abprs]-[\w-]{10,}"
    r"|(AKIA|ASIA)[A-Z0-9]{16}|AIza[\w-]{30,}|eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+)|-----BEGIN [A-Z ]*PRIVATE KEY-----|://[^/@\s:]*:[^/@\s]+@"
)
"""What is a credential by its shape."""


def references(text: str) -> Iterator[str | None]:
    """The names that a text refers to; None for what begins as a reference and is none."""
    for match in _REFERENCE.finditer(text):
        yield match.group(1)
    if _BEGINNING in _REFERENCE.sub("", text):
        yield None


def has_reference(text: str) -> bool:
    return _BEGINNING in text


def resolved(text: str, secrets: Mapping[str, str]) -> str:
    """The text with the values in place of the references to them. All names are known, as the rules have checked."""
    return _REFERENCE.sub(lambda match: one_line(secrets[match.group(1)]), text)


def one_line(secret: str) -> str:
    """A secret where only one line can be: a newline at the end comes from the tool that made the value."""
    return secret.rstrip("\r\n")


def is_one_line(secret: str) -> bool:
    return not set("\r\n") & set(one_line(secret))
