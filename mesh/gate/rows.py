"""Reads public topics beside the gate, so that rules over many records are measured on what readers get."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from mesh.contract import Contract
from mesh.contract.avro import fingerprint
from mesh.errors import ContractInvalid, MalformedBody, MeshError
from mesh.gate.backtest import Stretch, newest
from mesh.gate.ports import SchemaSource
from mesh.gate.sets import Measured, Rows, measurable
from mesh.judge.frame import PREFIX, fault, schema_id
from mesh.judge.rows import Resolution, RowCodec
from mesh.kafka import LogReader, Message
from mesh.types import SchemaId, TopicPartition

MOST: Final = 200_000
"""Rows of all products that are held together, about 250 bytes each."""

Decode = Callable[[bytes], object]


@dataclass(slots=True)
class _Followed:
    """One product: its rows, and how far its partitions were read."""

    rows: Rows
    positions: dict[TopicPartition, int] = field(default_factory=dict)
    ends: dict[TopicPartition, int] = field(default_factory=dict)
    decoders: dict[SchemaId, Decode | None] = field(default_factory=dict)


class RowMeter:
    """Measures rules over many records; what was read is kept from one look to the next.

    Not for use by two threads at once. ``most`` rows are held, shared out among the products that have such rules.
    """

    def __init__(self, reader: LogReader, registry: SchemaSource, most: int = MOST) -> None:
        self._reader, self._registry, self._most = reader, registry, most
        self._followed: dict[str, _Followed] = {}

    def measure(self, contracts: Collection[Contract], now_ms: int) -> tuple[list[Measured], dict[str, str]]:
        """The rules of these products now, and the public topics that cannot be read, with the reason."""
        asked = [contract for contract in contracts if measurable(contract)]
        found: list[Measured] = []
        unread: dict[str, str] = {}
        for contract in asked:
            followed = self._following(contract, self._most // len(asked))
            try:
                self._read(followed, contract, now_ms)
            except MeshError as error:
                unread[contract.topics.public] = str(error)
            else:
                found += followed.rows.measure(now_ms)
        return found, unread

    def _following(self, contract: Contract, most: int) -> _Followed:
        known = self._followed.get(contract.topics.public)
        if known is None or known.rows.contract.digest != contract.digest:
            known = self._followed[contract.topics.public] = _Followed(Rows(contract, most))
        return known

    def _read(self, followed: _Followed, contract: Contract, now_ms: int) -> None:
        places = [TopicPartition(contract.topics.public, number) for number in range(contract.partitions)]
        bounds = {place: self._reader.bounds(place) for place in places}
        if any(high < followed.ends.get(place, 0) for place, (_, high) in bounds.items()):
            # Another topic of that name: what is known of the former one is no longer true.
            followed.rows, followed.positions = Rows(contract, followed.rows.most), {}
        stretches = self._first(followed.rows, bounds, now_ms) if not followed.positions else _next(followed, bounds)
        for stretch in stretches:
            followed.positions.setdefault(stretch.partition, stretch.start)
            for message in self._reader.read(stretch.partition, stretch.start, stretch.end):
                self._take(followed, contract, message)
                followed.positions[stretch.partition] = message.offset() + 1
            followed.ends[stretch.partition] = stretch.end

    def _first(self, rows: Rows, bounds: Mapping[TopicPartition, tuple[int, int]], now_ms: int) -> Sequence[Stretch]:
        """As far back as the rules look, and no more rows than there is room for."""
        wanted = []
        for place, (low, high) in bounds.items():
            start = low if rows.span is None else self._reader.offset_at(place, int(now_ms - rows.span * 1000))
            rows.earlier = rows.earlier or start > 0
            wanted.append(Stretch(place, start, high))
        taken = newest(wanted, rows.most)
        rows.complete = sum(each.end - each.start for each in taken) == sum(each.end - each.start for each in wanted)
        return taken

    def _take(self, followed: _Followed, contract: Contract, message: Message) -> None:
        place, key, value = (message.partition(), message.offset()), message.key(), message.value()
        identity = (message.partition(), key) if contract.cleanup == "compact" else place
        if value is None:
            followed.rows.drop(identity)
            return
        record = self._record(followed, contract, value) if followed.rows.reads_values else None
        followed.rows.take(identity, message.timestamp()[1], record)

    def _record(self, followed: _Followed, contract: Contract, value: bytes) -> object:
        """None for what is not of the product, which the gate lets nobody write."""
        if fault(value):
            return None
        known = schema_id(value)
        if known not in followed.decoders:
            followed.decoders[known] = next(self._decoder(contract, known), None)
        decode = followed.decoders[known]
        try:
            return decode(value[PREFIX:]) if decode is not None else None
        except MalformedBody:
            return None

    def _decoder(self, contract: Contract, known: SchemaId) -> Iterator[Decode]:
        try:
            written = json.loads(self._registry.schema(known))
            same = fingerprint(written) == fingerprint(contract.value_schema)
            yield RowCodec(written).decode if same else Resolution(written, contract.value_schema).decode
        except (ContractInvalid, ValueError):
            return


def _next(followed: _Followed, bounds: Mapping[TopicPartition, tuple[int, int]]) -> list[Stretch]:
    """What came since, in the partitions whose end has moved."""
    return [
        Stretch(place, followed.positions.get(place, low), high)
        for place, (low, high) in bounds.items()
        if high != followed.ends.get(place)
    ]
