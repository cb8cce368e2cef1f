"""A processor with everything it needs to run: its contract, its inputs, who it is, and what it writes with."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal, Protocol
from uuid import UUID

from mesh.consumer.record import Record, RecordReader, Schemas, Source
from mesh.contract import Contract
from mesh.errors import NotAuthorised, NotFound, UsageError
from mesh.kafka import Admin, Connection, TopicState
from mesh.lineage.build import build_identity
from mesh.producer.encoding import RecordEncoder, SchemaIds
from mesh.stream.arrival import Names
from mesh.stream.engine import Engine, Input
from mesh.stream.processor import Processor
from mesh.stream.tables import Table, Tables
from mesh.stream.times import duration_ms
from mesh.types import Topic, TopicPartition

Runtime = Literal["loop", "faust"]
RUNTIMES: Final[tuple[Runtime, ...]] = ("loop", "faust")


class Registry(Schemas, SchemaIds, Protocol):
    """What a processor needs of a registry: schemas by id, and ids by schema."""


@dataclass(frozen=True, slots=True)
class Located:
    """A product with the way to its cluster."""

    contract: Contract
    connection: Connection
    registry: Registry


@dataclass(frozen=True, slots=True)
class Bound:
    """An input as it is on its cluster."""

    source: Source
    partitions: int
    connection: Connection

    @property
    def topic(self) -> str:
        """The public topic."""
        return self.source.contract.topics.public

    @property
    def topic_id(self) -> UUID:
        """Which parents name; raises UsageError where the cluster did not say it."""
        if self.source.topic_id is None:
            raise UsageError(f"{self.topic} has no topic id; a processor needs a cluster that gives one")
        return self.source.topic_id

    def places(self) -> list[TopicPartition]:
        """Its partitions."""
        return [TopicPartition(self.topic, number) for number in range(self.partitions)]


@dataclass(frozen=True, slots=True)
class Running:
    """How a processor runs.

    ``ordinal`` has one live owner and outlives it. ``until_end``: stop when what the inputs hold now is dealt with; the
    tables are then taken as complete as they are. ``finish``: the inputs end there for good, so close what is open.
    ``before``: such a run ends at the first record of that event time or later, in each partition.
    """

    runtime: Runtime = "loop"
    ordinal: int = 0
    until_end: bool = False
    finish: bool = False
    before: datetime | None = None


@dataclass(slots=True)
class Tally:
    """What a run has done so far, by what became of input records; told after every commit."""

    records: int = 0
    outputs: int = 0
    filtered: int = 0
    late: int = 0
    parked: int = 0


Told = Callable[[Tally], None]


@dataclass(frozen=True, slots=True)
class Binding:
    """See the module. ``inputs`` are by product name, ``parents_id`` is the id of the topic of large parent sets."""

    processor: Processor
    contract: Contract
    connection: Connection
    encoder: RecordEncoder
    inputs: Mapping[str, Bound]
    parents_id: UUID

    @property
    def names(self) -> Names:
        """The processor's name, by its contract, and its public topic."""
        derivation = self.contract.derivation
        if derivation is None:
            raise UsageError(f"{self.contract.product} is no derived product; its contract needs a derivation")
        return Names(derivation.processor, self.contract.topics.public)

    @property
    def repartition(self) -> bool:
        """Whether records are keyed anew, through a topic of their own."""
        return self.contract.derivation is not None and self.contract.derivation.repartition

    @property
    def group(self) -> str:
        """The consumer group: the product's name, which its domain's permissions cover."""
        return str(self.contract.product)

    @property
    def build(self) -> str:
        """Which code made the outputs: the library's and that of the processor's own functions."""
        files = {inspect.getsourcefile(inspect.unwrap(each.function)) for each in self.processor.handlers}
        digest = hashlib.sha256()
        for file in sorted(file for file in files if file is not None):
            digest.update(Path(file).read_bytes() if Path(file).is_file() else b"")
        return f"{build_identity()} {self.contract.product}+{digest.hexdigest()[:12]}"

    def engine(self, tables: Tables) -> Engine:
        """The engine over these tables."""
        inputs = [
            Input(name, each.topic, each.partitions, self.reader(name).read, each.source)
            for name, each in self.inputs.items()
        ]
        written = self.contract, self.encoder
        return Engine(self.processor, self.names, inputs, tables, repartition=self.repartition, encoded_by=written)

    def reader(self, product: str) -> RecordReader:
        """What makes records of an input's messages."""
        return RecordReader(self.inputs[product].source)

    def tables(self) -> Tables:
        """A table, still empty, for every input that no function takes, and every one declared to be one."""
        driving = {product for each in self.processor.handlers for product in each.products}
        wanted = [name for name in self.inputs if name not in driving or name in self.processor.tables]
        return Tables(self._table(name) for name in wanted)

    def _table(self, name: str) -> Table:
        bound, declared = self.inputs[name], self.processor.tables.get(name)
        key = declared.key if declared is not None and declared.key is not None else _key_of
        late = duration_ms(declared.lateness, "the lateness of a table") if declared is not None else 0
        history = bound.source.contract.event_time is not None
        return Table(name, bound.partitions, key, lateness=late, history=history)


def bind(processor: Processor, own: Located, inputs: Collection[Located]) -> Binding:
    """A processor on its cluster; what it only looks up may lie on others.

    Raises NotFound for what was not applied, NotAuthorised for an input not granted, UsageError for one of another
    cluster that is taken record by record.
    """
    contract = own.contract
    _near(processor, own, inputs)
    with ExitStack() as stack:
        ways = {own.connection, *(each.connection for each in inputs)}
        admins = {each: stack.enter_context(Admin(each)) for each in ways}
        bound = {str(each.contract.product): _bound(each, admins[each.connection]) for each in inputs}
        parents = _state(admins[own.connection], contract.topics.parents, f"process {contract.product}")
    encoder = RecordEncoder(contract, own.registry)
    return Binding(processor, contract, own.connection, encoder, bound, parents.topic_id)


def _near(processor: Processor, own: Located, inputs: Iterable[Located]) -> None:
    """A transaction is of one cluster: outputs on one and offsets on another would not become visible together."""
    driving = {product for each in processor.handlers for product in each.products}
    for each in inputs:
        name = str(each.contract.product)
        if name in driving and each.connection != own.connection:
            raise UsageError(
                f"{name} lives on another cluster than {own.contract.product}: its records can be looked up, but not"
                " be taken one by one; derive a product on its own cluster first, or look it up"
            )


def _bound(located: Located, admin: Admin) -> Bound:
    contract = located.contract
    state = _state(admin, contract.topics.public, f"read {contract.product}")
    source = Source(contract, located.registry, state.topic_id, admin.cluster_id())
    return Bound(source, state.partitions, located.connection)


def _state(admin: Admin, topic: Topic, purpose: str) -> TopicState:
    try:
        return admin.topics([topic])[topic]
    except KeyError:
        raise NotFound("topic", topic, "apply its contract (mesh apply)") from None
    except NotAuthorised as error:
        raise NotAuthorised(error.principal, purpose, error.code) from None


def _key_of(record: Record) -> Any:
    """The contract's key: its fields in order."""
    return tuple(record.key.values()) if isinstance(record.key, dict) else record.key
