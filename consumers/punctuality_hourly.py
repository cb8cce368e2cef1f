"""Hourly punctuality of each carrier at each airport of New York, from the delays of single flights."""

from datetime import timedelta
from statistics import fmean
from typing import Any

from mesh import Processor, Record

LATE_MINUTES = 15

hourly = Processor("punctuality.hourly")


def carrier_at_airport(delay: Record) -> tuple[str, str]:
    """What an hour is counted for."""
    value = delay.value or {}
    return value["origin"], value["carrier"]


@hourly.window(
    "punctuality.delays",
    key=carrier_at_airport,
    size=timedelta(hours=1),
    # Delays of different partitions come days apart where their processor catches up.
    lateness=timedelta(days=7),
    retention=timedelta(days=31),
)
def summarise(key: tuple[str, str], window: Any, delays: list[Record]) -> dict[str, Any]:
    """One hour of one carrier at one airport."""
    rows = [delay.value for delay in delays if delay.value is not None]
    minutes = [row["dep_delay"] for row in rows]
    winds = [row["wind_speed"] for row in rows if row["wind_speed"] is not None]
    return {
        "origin": key[0],
        "carrier": key[1],
        "hour": window.start,
        "departures": len(minutes),
        "late": sum(each > LATE_MINUTES for each in minutes),
        "mean_dep_delay": fmean(minutes),
        "strongest_wind": max(winds, default=None),
    }


if __name__ == "__main__":
    hourly.main()
