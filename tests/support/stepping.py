"""The gate's step without a broker: its transactions end in lists, so that thousands of histories can be tried.

What a broker promises (atomicity, isolation, restarts) is taken for granted here; the tests on a real one prove it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from mesh.contract import Contract
from mesh.gate.breaker import Stops
from mesh.gate.commands import CommandFeed
from mesh.gate.deposits import Deposits
from mesh.gate.descents import Descents
from mesh.gate.holding import Holding
from mesh.gate.inputs import Inputs
from mesh.gate.quarantine import Command, Patch, Quarantined, Verb
from mesh.gate.recovery import Recovery
from mesh.gate.repetition import Repetitions
from mesh.gate.settling import Settler
from mesh.gate.step import GateStep
from mesh.gate.uptake import Uptake
from mesh.judge.frame import frame
from mesh.judge.rows import RowCodec
from mesh.kafka import Message, Run, TopicState, Transaction
from mesh.lineage import Manifest, decode_manifest, manifest_schema_json
from mesh.types import Coordinate, Headers, ProductName, SchemaId, TopicPartition
from tests.support.checker import Evidence, Tally, judge

KEY, VALUE, MANIFEST = SchemaId(1), SchemaId(2), SchemaId(3)


@dataclass(frozen=True)
class Entry:
    """One record of a log."""

    place: TopicPartition
    at: int
    content: tuple[bytes | None, bytes | None]
    sent: tuple[tuple[str, bytes | None], ...]
    when: int

    def topic(self) -> str:
        return self.place.topic

    def partition(self) -> int:
        return self.place.partition

    def offset(self) -> int:
        return self.at

    def key(self) -> bytes | None:
        return self.content[0]

    def value(self) -> bytes | None:
        return self.content[1]

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return list(self.sent) or None

    def timestamp(self) -> tuple[int, int]:
        return 1, self.when

    def error(self) -> None:
        return None


class Logs:
    """Every topic with one partition: reader, admin, producer and side input of one step."""

    def __init__(self, contract: Contract, inputs: Sequence[Contract] = ()) -> None:
        self.contract, self.topic_names, self.inputs = contract, contract.topics, inputs
        names = ("ingress", "public", "quarantine", "lineage", "commands", "state", "parents")
        self.ids = {getattr(contract.topics, name): UUID(int=at + 1) for at, name in enumerate(names)}
        self.ids |= {each.topics.public: UUID(int=101 + at) for at, each in enumerate(inputs)}
        self.logs: defaultdict[str, dict[int, Entry]] = defaultdict(dict)
        self.ends_at: defaultdict[str, int] = defaultdict(int)
        self.pending: list[Entry] = []
        self.commands_from = 0
        self._key, self._value = RowCodec(contract.key_schema), RowCodec(contract.value_schema)

    def refresh(self) -> int:
        return 0

    def live(self) -> Mapping[Any, Contract]:
        return {each.topics.public: each for each in (self.contract, *self.inputs)}

    def schema(self, schema_id: SchemaId) -> str:
        texts = {KEY: self.contract.key_schema_json, VALUE: self.contract.value_schema_json}
        return texts.get(schema_id, manifest_schema_json())

    def subject_ids(self, subject: str) -> Mapping[SchemaId, int]:
        kinds = {f"{self.topic_names.ingress}-key": KEY, f"{self.topic_names.ingress}-value": VALUE}
        return {kinds.get(subject, MANIFEST): 1}

    def cluster_id(self) -> str:
        return "memory"

    def topics(self, names: Iterable[str]) -> dict[str, TopicState]:
        return {name: TopicState(name, self.ids[name], 1, 1) for name in names if name in self.ids}

    def topic_ids(self, names: Iterable[str]) -> dict[str, UUID]:
        return {name: self.ids[name] for name in names}

    def leaderless(self, names: Iterable[str]) -> list[TopicPartition]:
        return []

    def denied_writes(self, names: Iterable[str]) -> list[str]:
        return []

    def beginnings(self, places: Iterable[TopicPartition]) -> Mapping[TopicPartition, int]:
        return dict.fromkeys(places, 0)

    def ends(self, places: Iterable[TopicPartition], *, committed: bool) -> Mapping[TopicPartition, int]:
        return {place: self.ends_at[place.topic] for place in places}

    def bounds(self, place: TopicPartition) -> tuple[int, int]:
        return 0, self.ends_at[place.topic]

    def read(self, place: TopicPartition, start: int, end: int, seconds: float = 0) -> Iterator[Message]:
        for at in sorted(self.logs[place.topic]):
            if start <= at < end:
                yield self.logs[place.topic][at]

    def fetch(self, place: TopicPartition, offset: int) -> Message | None:
        return self.logs[place.topic].get(offset)

    def follow(self, starts: Mapping[TopicPartition, int]) -> None:
        (self.commands_from,) = starts.values()

    def leave(self, partitions: Iterable[TopicPartition]) -> None:
        """One partition has one owner here."""

    def take(self, most: int) -> list[Message]:
        place = TopicPartition(self.topic_names.commands, 0)
        found = list(self.read(place, self.commands_from, self.ends_at[place.topic]))
        self.commands_from = self.ends_at[place.topic]
        return found

    def append(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers = (), when: int = 0) -> Entry:
        entry = Entry(TopicPartition(topic, 0), self.ends_at[topic], (key, value), tuple(headers), when)
        self.ends_at[topic] += 1
        self.logs[topic][entry.at] = entry
        return entry

    def produce(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: Headers | None,
        timestamp: int = 0,
        report: Any = None,
    ) -> None:
        """As the transactional producer; what is written becomes readable when the transaction ends well."""
        entry = Entry(
            TopicPartition(topic, partition), self.ends_at[topic], (key, value), (*(headers or ()),), timestamp
        )
        self.ends_at[topic] += 1
        self.pending.append(entry)
        if report is not None:
            report(None, entry)

    def forward(self, topic: str, partition: int, run: Run, *, first: Any, last: Any) -> None:
        """As the transactional producer."""
        for row in range(len(run)):
            report = last if row == len(run) - 1 else first if row == 0 else None
            self.produce(topic, partition, run.keys[row], run.values[row], run.headers[row], run.times[row], report)
            if row == 0 and row == len(run) - 1 and first is not None:
                first(None, self.pending[-1])

    def end(self, *, committed: bool) -> None:
        """Commit or abort: either leaves a marker."""
        for topic in {entry.topic() for entry in self.pending}:
            self.ends_at[topic] += 1
        if committed:
            for entry in self.pending:
                self.logs[entry.topic()][entry.at] = entry
        self.pending.clear()

    def compact(self) -> None:
        """What the broker may do to the topic of state at any time."""
        log = self.logs[self.topic_names.state]
        newest = {entry.key(): at for at, entry in log.items()}
        for at in [at for at, entry in log.items() if newest[entry.key()] != at or entry.value() is None]:
            del log[at]

    def key(self, station: str) -> bytes:
        return frame(KEY, self._key.encode(station))

    def value(self, record: Mapping[str, object]) -> bytes:
        return frame(VALUE, self._value.encode(dict(record)))

    def decoded(self, payload: bytes | None) -> dict[str, Any]:
        record = self._value.decode((payload or b"")[5:])
        assert isinstance(record, dict)
        return record

    def manifests(self) -> list[Manifest]:
        return [decode_manifest(entry.value() or b"") for entry in self.logs[self.topic_names.lineage].values()]

    def check(self) -> Tally:
        """Hold everything written against everything claimed."""
        names, tally = self.topic_names, Tally()
        ingress = {self.ids[names.ingress]: dict(self.logs[names.ingress])}
        outputs = (dict(self.logs[name]) for name in (names.public, names.quarantine, names.lineage))
        judge(Evidence(names, 0, ingress, *outputs), tally)
        return tally


class _Ids:
    """A registry whose ``ids`` are those of subjects."""

    def __init__(self, logs: Logs) -> None:
        self._logs = logs

    def ids(self, subject: str) -> Mapping[SchemaId, int]:
        return self._logs.subject_ids(subject)

    def schema(self, schema_id: SchemaId) -> str:
        return self._logs.schema(schema_id)


class _Stopped:
    """A clock that stands."""

    def now(self) -> float:
        return 1_700_000_000.0

    def monotonic(self) -> float:
        return 100.0


class _Alone:
    """A mesh of one cluster."""

    def elsewhere(self, product: ProductName) -> bool:
        return False

    def topics(self, product: ProductName) -> Mapping[UUID, int]:
        raise NotImplementedError


class Stepping:
    """One gate that owns the one partition; ``restart`` makes it another that knows only what is in the logs."""

    def __init__(self, contract: Contract, *inputs: Contract) -> None:
        self.logs = Logs(contract, inputs)
        self.ingress = TopicPartition(contract.topics.ingress, 0)
        self.alerts: list[str] = []
        self.position = 0
        self._attempt = 0
        self.restart(None)

    def restart(self, committed: int | None = -1) -> None:
        """Another process takes the partition over; ``committed`` is the group's offset, if it is to be another."""
        reader, clock, anything = cast("Any", self.logs), _Stopped(), cast("Any", self.logs)
        holding = Holding(reader)
        feed = CommandFeed(lambda: anything)
        stops = Stops(lambda _, number, reason: self.alerts.append(reason), clock.now)
        descents = Descents(Inputs(anything, anything, _Alone()), Deposits(anything, reader), Repetitions(reader))
        settler = Settler(feed, reader, stops, holding, clock, descents)
        uptake = Uptake(Recovery(anything, reader), clock)
        self.step = GateStep("gate", anything, _Ids(self.logs), uptake, settler, holding, clock)
        self.step.inputs()
        starts = self.step.restore({self.ingress: self.position if committed == -1 else committed})
        self.position = starts[self.ingress]

    def publish(self, station: str, record: Mapping[str, object], headers: Headers = ()) -> int:
        """Write a record to the ingress; gives its offset."""
        value = self.logs.value({"station": station, **record})
        when = 1_000 + self.logs.ends_at[self.ingress.topic]
        return self.logs.append(self.ingress.topic, self.logs.key(station), value, headers, when).at

    def work(self, most: int = 1_000, *, committed: bool = True, careful: bool = False) -> int:
        """One transaction over the next records and what was commanded; gives how many records were handled.

        ``careful`` has every record report itself, as in an attempt after a failed one.
        """
        opened: list[Transaction] = []

        def begin(partition: TopicPartition) -> Transaction:
            if not opened:
                opened.append(Transaction(cast("Any", self.logs), self._attempt or int(careful), 0.0))
                opened[0].positions[partition] = self.position
            return opened[0]

        self.step.attend(begin, lambda _: True)
        reading = self.logs.read(self.ingress, self.position, self.position + most)
        records: Sequence[Message] = list(reading)
        done = 0
        if records:
            transaction = begin(self.ingress)
            done = self.step.process(transaction, self.ingress, records)
            if done:
                transaction.positions[self.ingress] = records[done - 1].offset() + 1
        if opened:
            self.step.complete(opened[0])
            self.logs.end(committed=committed)
            self._attempt = 0 if committed else self._attempt + 1
            if committed:
                self.position = opened[0].positions[self.ingress]
            self.step.settled(opened[0], committed=committed)
        return done

    def command(self, verb: Verb, offset: int, patch: Mapping[str, object] | None = None) -> None:
        """Have an operator write a command about a quarantined record."""
        topics = self.logs.topic_names
        place = Coordinate(topics.ingress if verb is Verb.RESUME else topics.quarantine, 0, offset)
        mending = Patch(dict(patch)) if patch is not None else None
        command = Command(verb=verb, coordinate=place, actor="desk", reason="", at=1, patch=mending)
        self.logs.append(topics.commands, *command.encode())

    def open(self) -> dict[int, Quarantined]:
        """The quarantined records that nobody has settled, by quarantine offset."""
        settled = {each.quarantined for m in self.logs.manifests() for each in m.settlements if each.result.settles}
        log = self.logs.logs[self.logs.topic_names.quarantine]
        found = {at: Quarantined.of(entry) for at, entry in log.items() if at not in settled}
        return {at: record for at, record in found.items() if record is not None}

    def passed(self) -> list[dict[str, Any]]:
        """The records on the public topic, in order."""
        log = self.logs.logs[self.logs.topic_names.public]
        return [self.logs.decoded(log[at].value()) for at in sorted(log)]
