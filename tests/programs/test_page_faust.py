"""The page on Faust, done as its reader would, on the mesh the session has anyway."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.demo import ROOT
from tests.support.mesh import RunningMesh
from tests.support.snippets import steps
from tests.support.walking import walking

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]


def test_a_faust_program_derives_a_product(mesh: RunningMesh, tmp_path: Path) -> None:
    with walking(tmp_path, MESH_CONFIG=str(mesh.folder.config)) as walk:
        assert walk.take(steps(ROOT / "docs" / "faust.md", "faust")) >= 2
