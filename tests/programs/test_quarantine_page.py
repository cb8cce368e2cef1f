"""The page on the quarantine, done as its reader would, on the mesh the session has anyway."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.demo import ROOT
from tests.support.mesh import RunningMesh
from tests.support.snippets import steps
from tests.support.walking import walking

pytestmark = [pytest.mark.broker, pytest.mark.timeout(480)]


def test_a_quarantine_of_broken_clock_times_is_emptied(mesh: RunningMesh, tmp_path: Path) -> None:
    with walking(tmp_path, MESH_CONFIG=str(mesh.folder.config)) as walk:
        assert walk.take(steps(ROOT / "docs" / "quarantine.md", "quarantine")) >= 11
