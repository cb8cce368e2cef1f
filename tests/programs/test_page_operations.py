"""The page on operations: what its reader does, done; and the metrics it names are those there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesh.telemetry import METRICS
from tests.support.demo import ROOT
from tests.support.mesh import RunningMesh
from tests.support.snippets import steps
from tests.support.walking import walking

PAGE = ROOT / "docs" / "operations.md"


@pytest.mark.broker
def test_the_page_on_operations(mesh: RunningMesh, tmp_path: Path) -> None:
    with walking(tmp_path, MESH_CONFIG=str(mesh.folder.config)) as walk:
        assert walk.take(steps(PAGE, "operations")) >= 6


def test_the_page_names_every_metric() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for metric in METRICS:
        assert f"| `{metric.name}` |" in text
