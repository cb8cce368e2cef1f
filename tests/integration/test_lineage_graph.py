"""The graph on a real broker: a topology that changes twice, asked for at three instants, and its columns."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from mesh.cli.lineage import app
from tests.support.mesh import RunningMesh
from tests.support.openlineage import faults, graph
from tests.support.pipeline import Pipeline

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def pipeline(mesh: RunningMesh) -> Iterator[Pipeline]:
    line = Pipeline(mesh, "g" + secrets.token_hex(4), [])
    a, b = line.product("a", owner="team a"), line.product("b")
    c = line.product("c", "1.0.0", "a")
    line.publish(a, 9)
    line.read(c, a, 0, 9)
    line.mark()
    c = line.product("c", "1.1.0", "a", "b")
    line.read(c, b, 0, 4)
    line.mark()
    line.product("c", "1.2.0", "b")
    line.mark()
    yield line


def asked(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Any:
    monkeypatch.setenv("MESH_CONFIG", str(pipeline.mesh.folder.config))
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout) if "--json" in arguments else result.stdout


def test_the_graph_is_as_it_was_at_each_of_three_instants(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    domain, told = pipeline.domain, []
    for instant in pipeline.instants:
        found = asked(pipeline, monkeypatch, "graph", f"{domain}.c", "--as-of", instant, "--json")
        told.append([(hop["from"], hop["to_version"], hop["known"]) for hop in found["hops"]])
    assert told == [
        [(f"{domain}.a.v1", "1.0.0", "declared, observed")],
        [(f"{domain}.a.v1", "1.1.0", "declared, observed"), (f"{domain}.b.v1", "1.1.0", "declared, observed")],
        [(f"{domain}.b.v1", "1.2.0", "declared, observed")],
    ]
    now = asked(pipeline, monkeypatch, "graph", f"{domain}.c", "--json")
    assert [(hop["from"], hop["to_version"]) for hop in now["hops"]] == [(f"{domain}.b.v1", "1.2.0")]


def test_products_have_owner_version_and_rate(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    domain = pipeline.domain
    found = asked(pipeline, monkeypatch, "graph", f"{domain}.a", "--as-of", pipeline.instants[0], "--json")
    (source,) = (each for each in found["products"] if each["product"] == f"{domain}.a")
    assert (source["owner"], source["version"], source["judged_by"]) == ("team a", "1.0.0", "1.0.0")
    assert (source["records_per_second"], source["refused_per_second"]) == (pytest.approx(9 / 60, abs=0.001), 0)
    table = asked(pipeline, monkeypatch, "graph", f"{domain}.a", "--as-of", pipeline.instants[0])
    assert f"{domain}.a.v1\t1.0.0\t{domain}.c\t{domain}.c.v1\t1.0.0\t0.1\tdeclared, observed" in table


def test_a_domain_sees_the_present_graph_and_the_past_is_the_platforms(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = pipeline.domain
    found = asked(pipeline, monkeypatch, "graph", f"{domain}.c", "--as", domain, "--json")
    assert [(hop["from"], hop["known"]) for hop in found["hops"]] == [(f"{domain}.b.v1", "declared, observed")]
    result = CliRunner().invoke(app, ["graph", "--as", domain, "--as-of", pipeline.instants[0]])
    assert result.exit_code == 5, result.output


def test_columns_lead_to_the_sources_as_they_did_then(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    domain, told = pipeline.domain, []
    for instant in pipeline.instants:
        arguments = ("columns", f"{domain}.c.speed", "--as-of", instant, "--json")
        found = asked(pipeline, monkeypatch, *arguments)
        told.append([each["from"]["product"] for each in found])
    assert told == [[f"{domain}.a"], [f"{domain}.a", f"{domain}.b"], [f"{domain}.b"]]
    table = asked(pipeline, monkeypatch, "columns", f"{domain}.c.speed")
    assert f"1\t{domain}.c.speed\t{domain}.b.speed\tDIRECT IDENTITY\tno\t{domain}.c\t-" in table


def test_pictures_for_other_tools(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = asked(pipeline, monkeypatch, "export", "--product", f"{pipeline.domain}.c", "--format", "mermaid")
    assert picture.startswith("flowchart LR\n")
    assert f'(["{pipeline.domain}.c"])' in picture


def test_openlineage_job_events(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    domain = pipeline.domain
    lines = asked(pipeline, monkeypatch, "export", "--product", f"{domain}.c", "--format", "openlineage").splitlines()
    events = [json.loads(line) for line in lines]
    assert [each["job"]["name"] for each in events] == [
        *(f"gate:{domain}.{name}.v1" for name in ("b", "c")),
        f"{domain}.c:{domain}.c.v1",
    ]
    assert [text for event in events for text in faults(event)] == []
    assert graph(events)[f"{domain}/{domain}.c:{domain}.c.v1"]["inputs"] == [f"{domain}.b.v1"]
