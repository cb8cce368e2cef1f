"""Every panel asks for metrics that exist, by labels that they carry; every metric of the gate is on a panel."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mesh.telemetry import METRICS, Kind

FOLDER = Path(__file__).parents[2] / "deploy" / "dashboards"
FILES = sorted(FOLDER.glob("*.json"))
NAMES = {
    metric.prometheus + suffix: metric
    for metric in METRICS
    for suffix in (("_bucket", "_sum", "_count") if metric.kind is Kind.HISTOGRAM else ("",))
}


def dashboard(file: Path) -> dict[str, Any]:
    content = json.loads(file.read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


def expressions(file: Path) -> Iterator[tuple[str, str]]:
    """Every query with the title of its panel."""
    content = dashboard(file)
    for panel in content["panels"]:
        assert panel["targets"], f"{panel['title']} asks for nothing"
        yield from ((panel["title"], target["expr"]) for target in panel["targets"])
    yield from ((each["name"], each["query"]) for each in content["templating"]["list"] if each["type"] == "query")


def labels_of(names: set[str]) -> set[str]:
    """The labels that all of these metrics carry."""
    carried = [{label.replace(".", "_") for label in NAMES[name].attributes} for name in names]
    return set.intersection(*carried)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_query_is_of_metrics_and_labels_that_exist(file: Path) -> None:
    for title, query in expressions(file):
        words = set(re.findall(r"\b(?:mesh|messaging)_\w+", query))
        used = words & NAMES.keys()
        assert used, f"{title}: {query} asks for no metric of the mesh"
        assert words - used <= labels_of(used), f"{title}: {words - used - labels_of(used)} is no metric and no label"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_legends_show_labels_that_the_query_keeps(file: Path) -> None:
    for panel in dashboard(file)["panels"]:
        for target in panel["targets"]:
            kept = {word for group in re.findall(r"by \(([^)]*)\)", target["expr"]) for word in re.split(r", ", group)}
            assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= kept, panel["title"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_panels_have_ids_of_their_own_and_do_not_overlap(file: Path) -> None:
    taken: set[tuple[int, int]] = set()
    panels = dashboard(file)["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        x, y, w, h = (panel["gridPos"][side] for side in "xywh")
        cells = {(column, row) for column in range(x, x + w) for row in range(y, y + h)}
        assert not cells & taken, panel["title"]
        assert x + w <= 24
        taken |= cells


def test_every_metric_is_on_a_panel() -> None:
    asked = " ".join(query for file in FILES for _, query in expressions(file))
    missing = [metric.name for metric in METRICS if metric.prometheus not in asked]
    assert len(FILES) >= 2
    assert not missing
