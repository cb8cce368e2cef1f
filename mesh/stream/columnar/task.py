"""A function over columns at work on the records of one partition."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

from mesh.consumer.record import Source
from mesh.contract import Contract
from mesh.judge.frame import PREFIX, unframe
from mesh.judge.rows import RowCodec
from mesh.lineage import Descent, ParentSet, Reference
from mesh.stream.arrival import Arrival, Output, Value
from mesh.stream.batches import Bulk, Stretch
from mesh.stream.calling import failure
from mesh.stream.columnar.lookup import ColumnStep, LookedUp
from mesh.stream.columnar.making import rows_of
from mesh.stream.columnar.reading import ArrowReader
from mesh.stream.columnar.writing import TableEncoder, plain_rows
from mesh.stream.declared import Columnar
from mesh.stream.parking import Parking
from mesh.stream.tables import Tables


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a record lies, its key and its value as they are in Kafka."""

    reference: Reference
    key: bytes | None
    value: bytes | None

    @property
    def head(self) -> bytes:
        """What the bytes of its schema's id are; nothing where it has no value."""
        return b"" if self.value is None else self.value[:PREFIX]


class Reading:
    """Makes batches of the records of one input, each run by the schema it was written with."""

    def __init__(self, source: Source) -> None:
        self._contract, self._schemas = source.contract, source.schemas
        self._readers: dict[bytes, ArrowReader] = {}
        self._keys: dict[bytes, RowCodec] = {}

    def batch(self, entries: Sequence[Entry]) -> Any:
        """A batch of records of one schema; of such without a value, the fields of their keys.

        Raises MalformedBody, NotFound for a schema nobody knows, RegistryUnreachable, UsageError for what is no column.
        """
        values = [each.value for each in entries if each.value is not None]
        if not values:
            return self._retracting.retracted([self._key(each.key) for each in entries])
        head = values[0][:PREFIX]
        if head not in self._readers:
            self._readers[head] = ArrowReader(self._schema(values[0]))
        return self._readers[head].read(values)

    @cached_property
    def _retracting(self) -> ArrowReader:
        return ArrowReader(self._contract.value_schema)

    def _schema(self, payload: bytes) -> Any:
        return json.loads(self._schemas.schema(unframe(payload)[0]))

    def _key(self, key: bytes | None) -> dict[str, Any]:
        if key is None:
            return {}
        if key[:PREFIX] not in self._keys:
            self._keys[key[:PREFIX]] = RowCodec(self._schema(key))
        found = self._keys[key[:PREFIX]].decode(key[PREFIX:])
        fields = self._contract.key_fields
        return {fields[0]: found} if len(fields) == 1 or not isinstance(found, dict) else found


class Aids:
    """What a function over columns has beside its batch: products to look up, and a place for what fails."""

    def __init__(self, tables: Tables, contracts: Mapping[str, Contract], parking: Parking | None = None) -> None:
        self._tables, self._contracts, self.parking = tables, contracts, parking

    def step(self, count: int) -> ColumnStep:
        """For one call with so many rows."""
        return ColumnStep(count, self._tables, self._products)

    @cached_property
    def _products(self) -> Mapping[str, LookedUp]:
        return {each.product: LookedUp(self._contracts[each.product]) for each in self._tables}


class ColumnsTask(Bulk[Entry]):
    """Calls a function with record batches, one for each run of records of one schema."""

    def __init__(self, declared: Columnar, reading: Reading, encoder: TableEncoder | None, aids: Aids) -> None:
        """Without an ``encoder`` outputs are Python's own values, as those of any function."""
        super().__init__(declared.size, aids.parking)
        self._function, self._looks = declared.function, declared.looks
        self._reading, self._encoder, self._aids = reading, encoder, aids

    def entries(self, stretch: Stretch) -> list[Entry]:
        """As they are in Kafka."""
        return [
            Entry(Reference(stretch.topic_id, each.partition(), each.offset()), each.key(), each.value())
            for each in stretch.messages
        ]

    def entry(self, arrival: Arrival) -> Entry:
        """As it is in Kafka."""
        return Entry(arrival.reference, arrival.key, arrival.value)

    def outputs(self, entries: Sequence[Entry]) -> list[Output]:
        """Those of one batch, or of several where the records have several schemas."""
        runs = groupby(entries, lambda each: each.head)
        return [output for _, run in runs for output in self._of_one_schema(list(run))]

    def _values(self, table: Any) -> Sequence[Value]:
        if table is None:
            return []
        return plain_rows(table) if self._encoder is None else self._encoder.encode(table)

    def _of_one_schema(self, entries: Sequence[Entry]) -> Iterator[Output]:
        batch, step = self._reading.batch(entries), self._aids.step(len(entries))
        try:
            given = self._function(batch, step) if self._looks else self._function(batch)
            rows, table = rows_of(given, len(entries))
            values = self._values(table)
        except Exception as error:
            raise failure(self._function, _span(entries), error) from error
        finally:
            step.close()
        index, last = 0, -1
        for row, value in zip(rows, values, strict=True):
            index, last = (index + 1 if row == last else 0), row
            driving = entries[row].reference
            parents = step.parents(row, driving)
            alone = parents is None and index == 0
            yield Output(value, driving if alone else Descent(driving, index, parents or ParentSet.of_one(driving)))


def _span(entries: Sequence[Entry]) -> str:
    first = entries[0].reference
    return f"partition {first.partition}, offsets {first.offset} to {entries[-1].reference.offset}"
