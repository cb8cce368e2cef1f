"""What the delay desk counts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from consumers.delay_desk import Desk
from mesh import Coordinate, ProductName, Record

HOUR = datetime(2013, 1, 1, 10, tzinfo=UTC)
CALM: dict[str, Any] = {"wind_speed": 10.0, "visib": 10.0}


def record(product: str, value: dict[str, Any] | None) -> Record:
    name = ProductName.parse(product)
    return Record(value, None, name, Coordinate(f"{product}.v1", 0, 0), None, (), None, 0)


def flight(carrier: str, delay: int | None, origin: str = "EWR") -> Record:
    return record("operations.flights", {"carrier": carrier, "dep_delay": delay, "origin": origin, "time_hour": HOUR})


def weather(origin: str = "EWR", **value: float | None) -> Record:
    return record("weather.observations", {**CALM, "origin": origin, "time_hour": HOUR, **value})


def report(*records: Record) -> list[tuple[str, int, int, int]]:
    desk = Desk()
    for each in records:
        desk.take(each)
    return desk.report()


def test_late_departures_are_counted_by_carrier_the_most_late_first() -> None:
    flights = [flight("UA", 16), flight("UA", 15), flight("UA", None), flight("AA", 40), flight("AA", 90)]
    assert report(*flights, flight("DL", -3)) == [("AA", 2, 2, 0), ("UA", 2, 1, 0)]


def test_bad_weather_counts_at_its_airport_whichever_came_first() -> None:
    late = [flight("UA", 60), flight("UA", 60, "JFK")]
    assert report(*late, weather(wind_speed=30.0)) == [("UA", 2, 2, 1)]
    assert report(weather("JFK", visib=0.5), weather(), *late) == [("UA", 2, 2, 1)]


def test_what_was_not_measured_is_not_bad_weather_and_retractions_are_nothing() -> None:
    assert report(flight("UA", 60), weather(wind_speed=None), record("weather.observations", None)) == [("UA", 1, 1, 0)]
