"""How long a processor's state takes to come back from its compacted topic, beside reading it and making it anew."""

from __future__ import annotations

import secrets
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from confluent_kafka import Consumer
from confluent_kafka import TopicPartition as ClientTopicPartition

from benchmarks.ground import PARTITIONS, Ground, Load, ground
from benchmarks.harness import Benchmark, Comparison, Reading, Readings, Variant, clocked, in_turns, publish
from mesh import Mesh, Processor
from mesh.contract import Contract
from mesh.kafka import Admin, LogReader
from mesh.producer.encoding import RecordEncoder
from mesh.stream.arrival import Place
from mesh.stream.binding import Binding, Located, bind
from mesh.stream.loop.restoring import Changelog
from tests.support.derived import derived, source

RESTORED, READ, MADE = "state restored", "the same log read by a bare consumer", "state made anew from the input"
COMPARISONS: Final = (Comparison("restored / made anew", RESTORED, MADE), Comparison("restored / read", RESTORED, READ))
NOTES: Final = (
    "a sum for each of so many keys, one record each, over four partitions; one process restores all of them",
    "restored: until the first record could be taken; made anew: the whole run of a processor that had no state",
    "the bare consumer asks for the same partitions with the client's own settings and keeps nothing",
)


def processor(product: str, source_product: str) -> Processor:
    """A running sum for each key."""
    made = Processor(product)

    @made.aggregate(source_product, key=_key)
    def total(state: Any, record: Any) -> tuple[dict[str, int], dict[str, Any]]:
        state = {"sum": state.get("sum", 0) + record.value["amount"], "count": state.get("count", 0) + 1}
        return state, {"key": record.value["key"], "total": state["sum"], "count": state["count"]}

    return made


def _key(record: Any) -> str:
    return str(record.value["key"])


@dataclass(frozen=True, slots=True)
class State:
    """A derived product of one input, and the ground it lies on."""

    field: Ground
    events: Contract
    keys: int

    def product(self) -> Contract:
        """A new product of the same input, applied."""
        made = derived(
            f"{self.events.product.domain}.s{secrets.token_hex(3)}", [str(self.events.product)], partitions=4
        )
        self.field.mesh.apply(made, source="benchmarks")
        return made

    def made(self, contract: Contract) -> int:
        """Run its processor over the whole input."""
        with Mesh.connect(self.field.mesh.folder.config) as way_in:
            way_in.process(processor(str(contract.product), str(self.events.product)), until_end=True)
        return self.keys

    @contextmanager
    def bound(self, contract: Contract) -> Iterator[Binding]:
        """Its processor, ready to run."""
        mesh = self.field.mesh
        with mesh.registry() as registry:
            way = mesh.connection(str(contract.product.domain))
            own, read = (Located(each, way, registry) for each in (contract, self.events))
            yield bind(processor(str(contract.product), str(self.events.product)), own, [read])


def restored(binding: Binding) -> int:
    """Every log's state, as a processor's start takes it up."""
    (name,) = binding.inputs
    engine = binding.engine(binding.tables())
    places = [Place(name, number) for number in range(PARTITIONS)]
    scopes = {place: engine.scopes(place) for place in places}
    with Admin(binding.connection) as admin, LogReader(binding.connection) as reader:
        log = Changelog(admin, reader, binding.contract.topics.changelog, binding.contract.partitions)
        entries = log.read(frozenset().union(*scopes.values()))
        for place in places:
            engine.task(place).restore([entry for scope in scopes[place] for entry in entries[scope]])
    return sum(map(len, entries.values()))


def read(binding: Binding, records: int) -> int:
    """So many records of the log, by the client alone."""
    settings = binding.connection.config(group_id="none", auto_offset_reset="earliest", enable_auto_commit=False)
    consumer, seen = Consumer(settings), 0
    topic = binding.contract.topics.changelog
    consumer.assign([ClientTopicPartition(topic, number, 0) for number in range(binding.contract.partitions)])
    while seen < records:
        seen += sum(each.error() is None for each in consumer.consume(5_000, 1.0))
    consumer.close()
    return seen


def measure(field: Ground, keys: int, rounds: int) -> Readings:
    """Make the state once; then restore it, read it, and make it again elsewhere, in turns."""
    events = source(f"bench{secrets.token_hex(4)}.events", PARTITIONS)
    field.mesh.apply(events, source="benchmarks")
    with field.mesh.registry() as registry:
        encoder = RecordEncoder(events, registry)
    row = {"amount": 1, "at": datetime(2013, 1, 1, tzinfo=UTC)}
    values = [encoder.value({"key": f"key-{number}", **row}) for number in range(keys)]
    Load(field, events.topics.public, events, values).fill()
    state = State(field, events, keys)
    contract = state.product()
    state.made(contract)
    with state.bound(contract) as binding:
        entries = restored(binding)
        variants = [
            Variant(RESTORED, partial(clocked, partial(restored, binding))),
            Variant(READ, partial(clocked, partial(read, binding, entries))),
            Variant(MADE, lambda: _made_anew(state)),
        ]
        return in_turns(variants, rounds)


def _made_anew(state: State) -> Reading:
    contract = state.product()
    return clocked(lambda: state.made(contract))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run as ``python -m benchmarks.restoring``."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=200_000, help="keys with a state")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    with ground() as field:
        readings = measure(field, options.keys, options.rounds)
    title = f"the state of {options.keys:,} keys of a processor on the loop, on the embedded Kafka"
    publish(Benchmark("restoring", title, COMPARISONS, notes=NOTES), readings)


if __name__ == "__main__":
    main()
