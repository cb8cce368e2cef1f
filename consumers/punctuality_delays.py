"""The punctuality desk derives one record for each flight that left: its delays, its weather, its aircraft."""

from typing import Any

from mesh import Processor, Record

delays = Processor("punctuality.delays")


@delays.each("operations.flights")
def delay(flight: Record, step: Any) -> dict[str, Any] | None:
    """None for a cancelled flight.

    The observation is that of the flight's own hour; the record waits until the stations have come past it, so a replay
    finds the same one. The aircraft is the one the register names now.
    """
    value = flight.value
    if value is None or value["dep_delay"] is None:
        return None
    place = (value["origin"], value["time_hour"])
    weather = step.lookup("weather.observations", place, asof=flight.event_time)
    aircraft = step.lookup("fleet.aircraft", value["tailnum"]) if value["tailnum"] is not None else None
    observed = weather.value if weather is not None else {}
    registered = aircraft.value if aircraft is not None else {}
    copied = ("carrier", "flight", "origin", "scheduled_at", "dest", "dep_delay", "arr_delay", "tailnum")
    return {name: value[name] for name in copied} | {
        "wind_speed": observed.get("wind_speed"),
        "visibility": observed.get("visib"),
        "precipitation": observed.get("precip"),
        "aircraft_year": registered.get("year"),
        "aircraft_seats": registered.get("seats"),
    }


if __name__ == "__main__":
    delays.main(runtime="faust")
