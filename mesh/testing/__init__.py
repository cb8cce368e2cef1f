"""The public test kit: contracts proved without broker and network, in any team's tests.

``OfflineJudge`` gives the verdicts of a contract in one process, ``run_cases`` proves contracts by their golden and by
generated records, ``FrozenClock`` is time for tests. The pytest plugin is ``mesh.testing.plugin``; pytest loads it by
itself once the library is installed.
"""

from typing import TYPE_CHECKING

from mesh.deferred import deferred

if TYPE_CHECKING:
    from mesh.testing.cases import Case, Outcome, run_cases
    from mesh.testing.clock import FrozenClock
    from mesh.testing.golden import Golden, read_golden
    from mesh.testing.judging import OfflineJudge

__all__ = ["Case", "FrozenClock", "Golden", "OfflineJudge", "Outcome", "read_golden", "run_cases"]

_HOMES = {
    "Case": "mesh.testing.cases",
    "FrozenClock": "mesh.testing.clock",
    "Golden": "mesh.testing.golden",
    "OfflineJudge": "mesh.testing.judging",
    "Outcome": "mesh.testing.cases",
    "read_golden": "mesh.testing.golden",
    "run_cases": "mesh.testing.cases",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = deferred(__name__, _HOMES)
