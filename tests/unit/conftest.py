# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings of hypothesis for all unit tests: a slow machine is no failure, and every run tries the same examples."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("berth", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("berth")
