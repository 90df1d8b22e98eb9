# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """How the modules behave in check mode, diff mode and repeated runs."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return what would be changed, without changing anything.
    support: full
  diff_mode:
    description: Returns what has changed, or would, in C(diff_mode).
    support: full
    details:
      - Values that may be private are told by a hash.
  idempotent:
    description: When run twice in a row with the same arguments, the second run changes nothing.
    support: full
  action:
    description: Has a half that runs on the control node, where definitions are merged and checked.
    support: full
  platform:
    description: Target OS families.
    support: full
    platforms: posix
"""

    INFO = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - Changes nothing in any mode.
  diff_mode:
    support: N/A
    details:
      - Changes nothing in any mode.
"""
