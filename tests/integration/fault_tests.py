# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tests of one operation's row of the fault matrix: a file each, so that the workers share the work."""

from __future__ import annotations

import pytest
from fault_matrix import Operation
from fault_proxy import KINDS, Call, Fault
from fault_scene import Scene
from fault_table import DOCS, documented, told


class FaultTests:
    """What ``TestReplace`` and its like have in common."""

    operation: Operation

    @pytest.fixture(scope="class")
    @classmethod
    def calls(cls, scene: Scene) -> list[Call]:
        """All that the operation asks of the engine."""
        return cls.operation.record(scene)

    def test_a_change_that_was_cut_is_finished_by_the_next_run(self, scene: Scene, calls: list[Call]) -> None:
        cases = (Fault(call, kind) for kind in KINDS for call in calls)
        self.assert_all_go_well(scene, [case for case in cases if self.operation.is_quick(case)])

    @pytest.mark.exhaustive
    @pytest.mark.parametrize("kind", KINDS)
    def test_any_call_may_go_wrong(self, scene: Scene, calls: list[Call], kind: str) -> None:
        cases = (Fault(call, kind) for call in calls)
        self.assert_all_go_well(scene, [case for case in cases if not self.operation.is_quick(case)])

    def test_the_docs_name_the_calls(self, calls: list[Call]) -> None:
        """Calls that are made side by side come in any order."""
        assert sorted(documented(DOCS.read_text(), self.operation)) == sorted(told(calls)), (
            "docs/fault-matrix.md tells of other calls; tests/integration/fault_table.py writes it"
        )

    def assert_all_go_well(self, scene: Scene, chosen: list[Fault]) -> None:
        assert chosen
        problems = self.operation.try_all(scene, chosen)
        assert not problems, f"{len(problems)} problems in {len(chosen)} cases:\n" + "\n".join(problems)
