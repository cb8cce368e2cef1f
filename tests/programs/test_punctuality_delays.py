"""What the punctuality desk makes of a flight."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from consumers.punctuality_delays import delay
from mesh import Contract, Coordinate, ProductName, Record
from tests.support.demo import ROOT

HOUR = datetime(2013, 1, 1, 10, tzinfo=UTC)
AT = HOUR.replace(minute=15)
FLIGHT: dict[str, Any] = {
    "carrier": "UA",
    "flight": 1545,
    "origin": "EWR",
    "scheduled_at": AT,
    "dest": "IAH",
    "dep_delay": 2,
    "arr_delay": 11,
    "tailnum": "N14228",
    "time_hour": HOUR,
}
ROWS: dict[tuple[str, Any, datetime | None], dict[str, Any]] = {
    ("weather.observations", ("EWR", HOUR), AT): {"wind_speed": 12.7, "visib": 10.0, "precip": 0.0},
    ("fleet.aircraft", "N14228", None): {"year": 1999, "seats": 149},
}


def record(product: str, value: dict[str, Any] | None) -> Record:
    return Record(value, None, ProductName.parse(product), Coordinate(f"{product}.v1", 0, 0), AT, (), None, 0)


class Step:
    """Looks up in the rows above, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def lookup(self, product: str, key: Any, asof: datetime | None = None) -> Record | None:
        self.asked.append(product)
        row = ROWS.get((product, key, asof))
        return None if row is None else record(product, row)


def made(**changes: Any) -> dict[str, Any] | None:
    return delay(record("operations.flights", FLIGHT | changes), Step())


def test_a_flight_comes_with_its_weather_and_its_aircraft() -> None:
    found = made()
    assert found is not None
    assert {name: found[name] for name in FLIGHT if name != "time_hour"} == {
        name: value for name, value in FLIGHT.items() if name != "time_hour"
    }
    circumstances = ("wind_speed", "visibility", "precipitation", "aircraft_year", "aircraft_seats")
    assert tuple(found[name] for name in circumstances) == (12.7, 10.0, 0.0, 1999, 149)
    contract = Contract.read(ROOT / "contracts" / "punctuality" / "delays.odcs.yaml")
    assert set(found) == {field.name for field in contract.fields}


def test_a_cancelled_or_retracted_flight_is_filtered() -> None:
    assert made(dep_delay=None) is None
    assert delay(record("operations.flights", None), Step()) is None


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"origin": "JFK"}, {"wind_speed", "visibility", "precipitation"}),
        ({"tailnum": "N3ALAA"}, {"aircraft_year", "aircraft_seats"}),
        ({"tailnum": None}, {"tailnum", "aircraft_year", "aircraft_seats"}),
        ({"arr_delay": None}, {"arr_delay"}),
    ],
)
def test_what_nobody_knows_is_null(changes: dict[str, Any], missing: set[str]) -> None:
    found = made(**changes)
    assert found is not None
    assert {name for name, value in found.items() if value is None} == missing


def test_no_aircraft_is_looked_up_where_none_is_named() -> None:
    step = Step()
    delay(record("operations.flights", FLIGHT | {"tailnum": None}), step)
    assert step.asked == ["weather.observations"]
