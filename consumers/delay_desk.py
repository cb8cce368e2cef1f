"""The delay desk counts late departures per carrier, and how many of them left in bad weather."""

import signal
import sys
from argparse import ArgumentParser
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from mesh import Mesh, Record

LATE_MINUTES = 15
STRONG_WIND_MPH = 25.0
POOR_SIGHT_MILES = 3.0

Hour = tuple[str, datetime]


@dataclass
class Desk:
    """What the desk remembers of the records it has seen."""

    departed: Counter[str] = field(default_factory=Counter)
    late: list[tuple[str, Hour]] = field(default_factory=list)
    bad_hours: set[Hour] = field(default_factory=set)

    def take(self, record: Record) -> None:
        """Note a flight or an observation."""
        value = record.value
        if value is None:
            return
        hour = (value["origin"], value["time_hour"])
        if record.product.name == "observations":
            if (value["wind_speed"] or 0) >= STRONG_WIND_MPH or value["visib"] < POOR_SIGHT_MILES:
                self.bad_hours.add(hour)
        elif value["dep_delay"] is not None:
            self.departed[value["carrier"]] += 1
            if value["dep_delay"] > LATE_MINUTES:
                self.late.append((value["carrier"], hour))

    def report(self) -> list[tuple[str, int, int, int]]:
        """Carrier, departures, late ones, and those of them in bad weather; most late departures first."""
        late = Counter(carrier for carrier, _ in self.late)
        weather = Counter(carrier for carrier, hour in self.late if hour in self.bad_hours)
        return [(carrier, self.departed[carrier], count, weather[carrier]) for carrier, count in late.most_common()]


def main() -> None:
    """Read until stopped, or with --until-end what is there now; each run goes on where the last one stopped."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--until-end", action="store_true", help="stop at what is there now")
    options = parser.parse_args()
    desk = Desk()
    with (
        Mesh.connect() as mesh,
        mesh.subscribe(
            "operations.flights",
            "weather.observations",
            name="delay-desk",
            purpose="delay-analysis",
            until_end=options.until_end,
        ) as subscription,
    ):
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: subscription.stop())
        for record in subscription:
            desk.take(record)
    sys.stdout.write("carrier\tdepartures\tlate\tin bad weather\n")
    sys.stdout.writelines("\t".join(map(str, row)) + "\n" for row in desk.report())


if __name__ == "__main__":
    main()
