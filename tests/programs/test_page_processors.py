"""The page on processors: what its reader does, done; and its other programs can be declared as they stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesh.stream import Processor
from tests.support.demo import ROOT
from tests.support.mesh import RunningMesh
from tests.support.snippets import snippets, steps
from tests.support.walking import walking

PAGE = ROOT / "docs" / "processors.md"


@pytest.mark.broker
def test_the_page_on_processors(mesh: RunningMesh, tmp_path: Path) -> None:
    with walking(tmp_path, MESH_CONFIG=str(mesh.folder.config)) as walk:
        assert walk.take(steps(PAGE, "processors")) == 5


def test_the_programs_of_the_page_declare_what_they_say() -> None:
    programs = [each for each in snippets(PAGE) if each.language == "python"]
    assert len(programs) == 4
    for each in programs:
        names: dict[str, object] = {"__name__": "page"}
        exec(compile(each.text, each.where, "exec"), names)  # noqa: S102 - the page is ours
        (made,) = [found for found in names.values() if isinstance(found, Processor)]
        assert len(made.handlers) == 1
