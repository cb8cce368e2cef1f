"""The domains' producers, all at once, their progress shown together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mesh.cli.console import Bars
from mesh.cli.demo.programs import Program, run_all
from mesh.cli.demo.stage import Stage
from mesh.errors import UsageError

PRODUCERS: Mapping[str, str] = {
    "operations.flights": "operations_flights.py",
    "weather.observations": "weather_observations.py",
    "fleet.aircraft": "fleet_aircraft.py",
    "reference.airports": "reference_airports.py",
    "reference.carriers": "reference_carriers.py",
}


def producers_of(project: Path) -> Path:
    """The folder with the producers; raises UsageError outside a checkout."""
    folder = project / "producers"
    if not (folder / PRODUCERS["operations.flights"]).is_file() or not (project / "contracts").is_dir():
        raise UsageError(f"{project} has no producers/ and contracts/; run the demo in a clone, or name it: --project")
    return folder


def publish_all(stage: Stage, records: int | None, bars: Bars) -> dict[str, int]:
    """Run every producer to its end; gives how many records each handed over. Raises PlatformFailure."""
    folder = producers_of(stage.project)
    bounds = [] if records is None else ["--records", str(records)]
    programs = [Program.start(stage, product, folder / file, *bounds) for product, file in PRODUCERS.items()]

    def tell(product: str, progress: dict[str, Any]) -> None:
        bars.show(product, int(progress["done"]), int(progress["total"]))

    run_all(programs, tell)
    return {each.product: int(each.progress.get("done", 0)) for each in programs}
