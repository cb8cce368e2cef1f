"""A pipeline on the pure engine: as a driver would run it, with commits, aborts, crashes and restarts where asked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final
from uuid import UUID

from mesh.consumer.record import Record, Source
from mesh.contract import Contract
from mesh.judge.frame import PREFIX, frame
from mesh.judge.rows import RowCodec
from mesh.kafka import Message
from mesh.lineage import Identity, Reference
from mesh.producer.encoding import RecordEncoder
from mesh.stream import (
    Arrival,
    Engine,
    Fate,
    Input,
    Names,
    Output,
    Place,
    Processor,
    Scope,
    Table,
    Tables,
    Task,
)
from mesh.stream.arrival import Encoded
from mesh.stream.batches import Stretch
from mesh.types import Coordinate, ProductName, SchemaId, TopicPartition
from tests.support.derived import source
from tests.support.pipelines import EVENTS, RATES, Case, Event, Made, processor_of
from tests.support.stepping import Entry

NAMES: Final = Names("shop.totals", "shop.totals.v1")
_ID: Final = SchemaId(1)
_AT: Final = ["null", {"type": "long", "logicalType": "timestamp-millis"}]
SCHEMA: Final[dict[str, Any]] = {
    "type": "record",
    "name": "Event",
    "fields": [{"name": "key", "type": "string"}, {"name": "amount", "type": "int"}, {"name": "at", "type": _AT}],
}
IDS: Final = {EVENTS: UUID(int=1), RATES: UUID(int=2)}


class _Schemas:
    """The only schema there is."""

    def schema(self, schema_id: SchemaId) -> str:
        assert schema_id == _ID
        return json.dumps(SCHEMA)


@cache
def _codec() -> RowCodec:
    return RowCodec(SCHEMA, logical=True)


def payload(event: Event) -> bytes:
    """An event's bytes."""
    return frame(_ID, _codec().encode(event.value()))


def record(product: str, partition: int, offset: int, content: bytes, timestamp: int = 0) -> Record:
    """A record as a reader gives it."""
    value: Any = _codec().decode(content[PREFIX:])
    place = Coordinate(f"{product}.v1", partition, offset, IDS[product], "here")
    return Record(value, value["key"], ProductName.parse(product), place, value["at"], (), None, timestamp)


def arrival(product: str, partition: int, offset: int, event: Event) -> Arrival:
    """An event as a task takes it."""
    content = payload(event)
    return Arrival.of(record(product, partition, offset, content, offset * 7), event.key.encode(), content)


def decode_of(product: str) -> Any:
    """What makes a record of a stored message again."""

    def decode(message: Message) -> Record:
        return record(product, message.partition(), message.offset(), message.value() or b"", message.timestamp()[1])

    return decode


def stretch(events: Sequence[Event], first: int = 0, partition: int = 0) -> Stretch:
    """Records of one partition from an offset on."""
    place, decode = TopicPartition(f"{EVENTS}.v1", partition), decode_of(EVENTS)
    messages = [Entry(place, first + at, (b"k", payload(each)), (), (first + at) * 7) for at, each in enumerate(events)]
    return Stretch(IDS[EVENTS], messages, lambda each: Arrival.of(decode(each), each.key(), each.value()))


def tables_of(case: Case, product: str = RATES) -> Tables:
    """The rates, read to their end."""
    table = Table(product, case.partitions, lambda each: each.value["key"])  # type: ignore[index]
    for partition in range(case.partitions):
        log = [rate for rate in case.rates if rate.partition == partition]
        for offset, rate in enumerate(log):
            table.take(arrival(product, partition, offset, rate).record)
    table.grant()
    return Tables([table])


def engine_of(
    case: Case,
    processor: Processor | None = None,
    tables: Tables | None = None,
    *,
    repartition: bool = False,
    encoded_by: tuple[Contract, RecordEncoder] | None = None,
) -> Engine:
    """The pipeline bound to its inputs."""
    read = Source(source(EVENTS), _Schemas())
    inputs = [Input(each, f"{each}.v1", case.partitions, decode_of(each), read) for each in (EVENTS, RATES)]
    made, tables = processor or processor_of(case), tables or tables_of(case)
    return Engine(made, NAMES, inputs, tables, repartition=repartition, encoded_by=encoded_by)


@dataclass(slots=True)
class Told:
    """What came out: outputs by partition in order, and what became of the records."""

    outputs: dict[int, list[Output]] = field(default_factory=dict)
    filtered: set[tuple[int, int]] = field(default_factory=set)
    late: set[tuple[int, int]] = field(default_factory=set)
    parked: set[tuple[int, int]] = field(default_factory=set)

    def note(self, partition: int, offset: int, fate: Fate) -> None:
        """What became of one record."""
        if fate is not Fate.USED:
            kinds = {Fate.FILTERED: self.filtered, Fate.LATE: self.late, Fate.PARKED: self.parked}
            kinds[fate].add((partition, offset))

    def made(self) -> list[Made]:
        """The outputs as the oracle tells them."""
        return [each for partition in sorted(self.outputs) for each in as_made(self.outputs[partition])]


def as_made(outputs: Iterable[Output]) -> Iterator[Made]:
    """Outputs in order, chained by the identities that they name."""
    names = {number: product for product, number in IDS.items()}
    known: dict[Identity, Made] = {}
    for output in outputs:
        descent = output.descent
        before = known[descent.previous] if descent.previous is not None else None
        parents = frozenset(place_of(each, names) for each in descent.parents or ())
        assert not isinstance(output.value, Encoded)
        value = dict(output.value) if isinstance(output.value, Mapping) else output.value.model_dump()
        chain = 0 if before is None else before.chain + 1
        made = Made(tuple(sorted(value.items())), parents, place_of(descent.driving, names), before, chain)
        known[descent.identity(NAMES.processor, NAMES.output)] = made
        yield made


def place_of(reference: Reference, names: Mapping[UUID, str]) -> tuple[str, int, int]:
    """A coordinate by product name."""
    return names[reference.topic_id], reference.partition, reference.offset


class Rehearsal:
    """One partition's task with its changelog, which survives the task."""

    def __init__(self, engine: Engine, place: Place) -> None:
        self.engine, self.place = engine, place
        self.changelog: dict[bytes, bytes] = {}
        self.task: Task = engine.task(place)

    def restart(self) -> None:
        """A new process takes up what is in the changelog."""
        scopes = self.engine.scopes(self.place)
        self.task = self.engine.task(self.place)
        mine = [(key, value) for key, value in self.changelog.items() if Scope.parse(key)[0] in scopes]
        self.task.restore(mine)

    def commit(self) -> None:
        """Write the changes, all of them."""
        for key, value in self.task.changes():
            if value is None:
                self.changelog.pop(key, None)
            else:
                self.changelog[key] = value
        self.task.committed()


def run_plainly(case: Case) -> Told:
    """Every record once, without a commit."""
    told, engine = Told(), engine_of(case)
    for partition in range(case.partitions):
        task = engine.task(Place(EVENTS, partition))
        outputs = told.outputs.setdefault(partition, [])
        for offset, event in enumerate(case.log(partition)):
            outcome = task.apply(arrival(EVENTS, partition, offset, event))
            told.note(partition, offset, outcome.fate)
            outputs += outcome.outputs
    return told
