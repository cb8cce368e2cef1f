"""Column lineage over several hops, backwards to the sources and forwards."""

from __future__ import annotations

import pytest

from mesh.contract import Contract
from mesh.errors import NotFound
from mesh.lineage.graph import column_sources, column_uses
from mesh.types import ProductName
from tests.support.deriving import Derived

A, B, C, D = (ProductName.parse(name) for name in ("s.a", "s.b", "d.c", "d.d"))


def known() -> dict[ProductName, Contract]:
    masked = {"from": "s.b.station", "subtype": "TRANSFORMATION", "masking": True}
    c = Derived(
        "d.c",
        ["s.a", "s.b"],
        "2.1.0",
        "joiner",
        [{"from": "s.a.speed", "subtype": "IDENTITY", "description": "as measured"}, masked],
        {"join": ["s.a.station", "s.b.station"]},
    )
    d = Derived(
        "d.d", ["d.c"], speed=[{"from": "d.c.speed", "subtype": "AGGREGATION"}], lists={"group": ["d.c.station"]}
    )
    contracts = [Derived("s.a").contract(), Derived("s.b").contract(), c.contract(), d.contract()]
    return {each.product: each for each in contracts}


def told(edges: list) -> list[tuple[int, str, str, str, bool]]:  # type: ignore[type-arg]
    return [(e.depth, f"{e.product}.{e.path}", str(e.source), e.source.subtype, e.masked) for e in edges]


def test_a_field_leads_back_to_the_sources() -> None:
    assert told(column_sources(known(), D, "speed")) == [
        (1, "d.d.speed", "d.c.speed", "AGGREGATION", False),
        (1, "d.d.", "d.c.station", "GROUP_BY", False),
        (2, "d.c.speed", "s.a.speed", "IDENTITY", False),
        (2, "d.c.speed", "s.b.station", "TRANSFORMATION", True),
        (2, "d.c.", "s.a.station", "JOIN", False),
        (2, "d.c.", "s.b.station", "JOIN", False),
    ]


def test_edges_name_the_processor_and_both_versions() -> None:
    (edge, *_) = column_sources(known(), C, "speed")
    assert (edge.processor, edge.version, edge.source_version) == ("joiner", "2.1.0", "1.0.0")
    assert edge.as_json() == {
        "depth": 1,
        "to": {"product": "d.c", "version": "2.1.0", "field": "speed"},
        "from": {"product": "s.a", "version": "1.0.0", "field": "speed"},
        "processor": "joiner",
        "type": "DIRECT",
        "subtype": "IDENTITY",
        "masking": False,
        "masked": False,
        "description": "as measured",
    }


def test_what_is_masked_stays_masked_further_on() -> None:
    uses = told(column_uses(known(), B, "station"))
    assert (1, "d.c.speed", "s.b.station", "TRANSFORMATION", True) in uses
    assert (2, "d.d.speed", "d.c.speed", "AGGREGATION", True) in uses
    assert (1, "d.c.", "s.b.station", "JOIN", False) in uses


def test_a_field_of_source_is_fed_by_nothing_and_an_unknown_one_is_told() -> None:
    assert column_sources(known(), A, "speed") == []
    with pytest.raises(NotFound, match=r"no field s\.a\.spead; it has station, speed"):
        column_sources(known(), A, "spead")
    with pytest.raises(NotFound, match=r"no product x\.y"):
        column_uses(known(), ProductName("x", "y"), "speed")


def test_a_circle_of_contracts_ends() -> None:
    one = Derived("d.c", ["d.d"], speed=[{"from": "d.d.speed", "subtype": "IDENTITY"}]).contract()
    other = Derived("d.d", ["d.c"], speed=[{"from": "d.c.speed", "subtype": "IDENTITY"}]).contract()
    assert len(column_sources({C: one, D: other}, C, "speed")) == 2
