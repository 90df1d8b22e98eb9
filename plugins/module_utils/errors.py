# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one error type that reaches a module's ``main()``."""

from __future__ import annotations

import traceback


class BerthError(Exception):
    """Something the user can act on: what was wrong, where, what to do.

    Args:
        msg: A complete sentence or two. It must never hold a private value; it is printed as it is.
    """

    def __init__(self, msg: str) -> None:
        super().__init__(msg)
        self.msg = msg


class EngineUnavailable(BerthError):
    """No engine can be talked to, and role ``engine`` could mend that.

    Args:
        need: What is missing on the host: ``engine`` (nothing answers on the local socket) or ``sdk`` (the
            Docker SDK cannot be imported by the Python that runs the module).
    """

    def __init__(self, msg: str, need: str) -> None:
        super().__init__(msg)
        self.need = need


class EngineError(BerthError):
    """A call to the engine failed.

    Args:
        status: The HTTP status the engine answered with, or None when no answer came.
    """

    def __init__(self, msg: str, status: int | None = None) -> None:
        super().__init__(msg)
        self.status = status


def as_sentence(text: str) -> str:
    """The text with a full stop, so that another sentence can follow: engines end theirs without one."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


def message_of(error: Exception) -> str:
    """What may be told of any exception: the message of ours, and of others only where they came from."""
    return error.msg if isinstance(error, BerthError) else _describe_bug(error)


def _describe_bug(error: Exception) -> str:
    """Where an unexpected exception came from, without its text.

    Ansible prints an uncaught exception together with the module's parameters, and an exception's text may quote its
    input. Both can hold secrets, so only the type and the places in the code are told.
    """
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    places = " > ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}" for frame in frames)
    return f"Berth met a bug: {type(error).__name__} at {places}. None of its input is shown: please report this line."
