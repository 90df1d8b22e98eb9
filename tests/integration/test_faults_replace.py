# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A replace, with each of its calls to the engine going wrong."""

from __future__ import annotations

from fault_operations import REPLACE
from fault_tests import FaultTests


class TestReplace(FaultTests):
    operation = REPLACE
