"""The page on processors: what its reader does, done; and its other programs can be declared as they stand."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from mesh.stream import Processor
from tests.support.demo import ROOT
from tests.support.mesh import RunningMesh
from tests.support.snippets import Snippet, snippets, steps
from tests.support.walking import walking

PAGE = ROOT / "docs" / "processors.md"


@pytest.mark.broker
def test_the_page_on_processors(mesh: RunningMesh, tmp_path: Path) -> None:
    with walking(tmp_path, MESH_CONFIG=str(mesh.folder.config)) as walk:
        assert walk.take(steps(PAGE, "processors")) == 5


def test_the_programs_of_the_page_declare_what_they_say() -> None:
    programs = [each for each in snippets(PAGE) if each.language == "python"]
    assert len(programs) == 8
    for each in programs:
        made = declared(each)
        assert len(made.handlers) == 1
        assert made.on_error == ("park" if each.words == "keels.py" else "halt")


def declared(program: Snippet) -> Processor:
    """The processor of a program."""
    names: dict[str, object] = {"__name__": "page"}
    exec(compile(program.text, program.where, "exec"), names)  # noqa: S102 - the page is ours
    (made,) = [found for found in names.values() if isinstance(found, Processor)]
    return made


def test_the_functions_over_many_records_do_what_the_page_says() -> None:
    made = {
        str(found.product): found for each in snippets(PAGE) if each.language == "python" for found in [declared(each)]
    }
    rows = [{"mesh-row": at, "ship": f"S{at}", "draught": draught} for at, draught in enumerate([2.0, 3.048, 6.096])]
    deep: Any = made["lagoon.deep"].handlers[0]
    assert deep.function(pa.RecordBatch.from_pylist(rows)).to_pylist() == [
        {"mesh-row": 1, "ship": "S1", "feet": pytest.approx(10)},
        {"mesh-row": 2, "ship": "S2", "feet": pytest.approx(20)},
    ]
    alerts: Any = made["lagoon.alerts"].handlers[0]
    arrivals = [SimpleNamespace(value=row | {"pier": "P"}, event_time=None) for row in rows]
    tide = SimpleNamespace(value={"level": 3.0})
    stand_ins = [SimpleNamespace(record=each, lookup=lambda *_, **__: tide) for each in arrivals]
    assert alerts.function(arrivals, stand_ins) == [None, {"ship": "S1"}, {"ship": "S2"}]
    clearance: Any = made["lagoon.clearance"].handlers[0]
    step = SimpleNamespace(lookup=lambda *_, **__: pa.RecordBatch.from_pylist([{"level": 5.0}, {"level": None}]))
    laden = pa.RecordBatch.from_pylist([*rows[1:], {"mesh-row": 3, "ship": "S3", "draught": 0.0}])
    assert (clearance.looks, deep.looks) == (True, False)
    assert clearance.function(laden, step).to_pylist() == [
        {"mesh-row": 1, "ship": "S1", "under_keel": pytest.approx(1.952)},
        {"mesh-row": 2, "ship": "S2", "under_keel": None},
    ]
