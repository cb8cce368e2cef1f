"""Mutated bodies through columns, rows and readers by others, under a limit of memory; a process of its own."""

from __future__ import annotations

import math
import random
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[3]))

import numpy as np
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from mesh.contract.shape import Record, shape_of
from mesh.errors import MalformedBody
from mesh.judge import RowCodec
from mesh.judge.columns.column import Real, Symbol, Text, Truth, Whole
from mesh.judge.columns.cursor import Cursor
from mesh.judge.columns.layout import Layout
from mesh.judge.columns.wire import Wire
from tests.support import avro_oracle
from tests.support.fuzzing import mutated, varint, written

LIMIT = 1 << 30
"""Bytes of address space."""
GROWTH = 160 << 20
"""Bytes of memory that the whole run may take beyond what the libraries took before it."""

SCHEMAS = 40
"""Per round."""
BATCH = 700
BATCHES = 8
"""Per schema."""
GOOD = 24
"""Records in each batch that nobody broke."""
ASKED = 12
"""One body in so many is also read by the oracle, and every accepted one of as many batches."""

_COLLECTIONS = ('"array"', "'array'", "'map'")


@dataclass
class Tally:
    """What was done."""

    bodies: int = 0
    accepted: int = 0
    left: int = 0
    asked: int = 0
    schemas: int = 0


@dataclass
class Bench:
    """All readers of one schema."""

    schema: Any
    layout: Layout = field(init=False)

    def __post_init__(self) -> None:
        shape = shape_of(self.schema)
        assert isinstance(shape, Record)
        self.layout = Layout.of(shape, ())
        self.codec = RowCodec(self.schema)
        self.parsed: Any = parse_schema(self.schema)
        self.loose = any(word in repr(self.schema) for word in _COLLECTIONS)

    def by_rows(self, body: bytes) -> Any:
        """The record, None for a body that is none."""
        try:
            return self.codec.decode(body)
        except MalformedBody:
            return None

    def by_oracle(self, body: bytes) -> Any:
        """The record as the specification has it."""
        try:
            return avro_oracle.read(self.schema, body)
        except avro_oracle.Bad:
            return None

    def batch(self, bodies: Sequence[bytes], tally: Tally, *, ask: bool) -> None:
        """Every reader says the same of every body."""
        cursor = Cursor(Wire(bodies, self.layout.room), 0, len(self.layout.slots))
        with np.errstate(all="ignore"):
            self.layout.read(cursor)
        clean = cursor.done().tolist()
        tally.bodies += len(bodies)
        for row, body in enumerate(bodies):
            record = self.by_rows(body)
            if clean[row] != (record is not None):
                # Columns may leave a body with a collection to the rows; nothing else, and never the other way.
                self.want(record is not None and self.loose, "columns and rows differ", body)
                tally.left += 1
            if record is not None:
                tally.accepted += 1
                self.exact(body, record)
                if clean[row]:
                    self.values(cursor, row, record, body)
            if ask and row % ASKED == 0:
                tally.asked += 1
                self.want(same(self.by_oracle(body), record), "the oracle and rows differ", body)

    def exact(self, body: bytes, record: Any) -> None:
        """fastavro reads the same from all bytes, and writes the same bytes again."""
        source = BytesIO(body)
        read: Any = schemaless_reader(source, self.parsed, None)
        self.want(same(read, record) and source.tell() == len(body), "fastavro reads something else", body)
        again = self.codec.encode(record)
        if again != body:
            # A collection in blocks is right and has another canonical form; so has a NaN with a payload.
            other = BytesIO()
            schemaless_writer(other, self.parsed, read)
            self.want(other.getvalue() == again, "fastavro writes something else", body)
            self.want(self.loose or "nan" in repr(record), "accepted, but not canonical", body)
            self.want(same(self.by_rows(again), record) and same(self.by_oracle(body), record), "not the same", body)

    def values(self, cursor: Cursor, row: int, record: dict[str, Any], body: bytes) -> None:
        """The columns hold what the rows read."""
        for name, value in record.items():
            column = cursor.columns[self.layout.slots[name].number]
            live = column.live is None or bool(column.live[row])
            match column:
                case Whole() | Real() | Truth() if live:
                    self.want(same(column.values[row].item(), value), f"column {name}", body)
                case Symbol() if live:
                    self.want(column.symbols[int(column.values[row])] == value, f"column {name}", body)
                case Text() if live:
                    found = column.at(row), int(column.lengths[row])
                    self.want(found == (value, len(value)), f"column {name}", body)
                case Whole() | Real() | Truth() | Symbol() | Text():
                    self.want(value is None, f"column {name}", body)

    def want(self, good: bool, told: str, body: bytes) -> None:
        """End the run with the case that went wrong."""
        if not good:
            sys.exit(f"{told}: body {body.hex()} of schema {self.schema!r}")


def same(one: Any, other: Any) -> bool:
    """Equal, of the same types, and a NaN like any other."""
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return repr(one) == repr(other)


def fuzz(schema: Any, values: Sequence[Any], chance: random.Random, tally: Tally) -> None:
    """Batches of one schema."""
    bench = Bench(schema)
    tally.schemas += 1
    for number in range(BATCHES):
        good = [written(schema, chance.choice(values), chance) for _ in range(GOOD)]
        bench.want(all(bench.by_rows(body) is not None for body in good), "a right body is refused", good[0])
        bodies = [mutated(chance.choice(good), chance) for _ in range(BATCH - GOOD)]
        for body in good:
            bodies.insert(chance.randrange(len(bodies) + 1), body)
        bench.batch(bodies, tally, ask=number % 2 == 0)


def _record(*types: Any) -> Any:
    return {"type": "record", "name": "R", "fields": [{"name": f"f{n}", "type": kind} for n, kind in enumerate(types)]}


_ENUM = {"type": "enum", "name": "E", "symbols": ["A", "B", "C"]}
_INNER = {
    "type": "record",
    "name": "N",
    "fields": [{"name": "x", "type": ["null", "int"]}, {"name": "y", "type": _ENUM}],
}
_WIDE = ["null", "long", "string", "bytes"]
FIXED_SCHEMAS: tuple[tuple[Any, list[Any]], ...] = (
    (
        _record("long", "string", ["null", "string"], "int", "boolean", _ENUM, "double", ["int", "null"]),
        [
            {"f0": 1 << 40, "f1": "é" * 5, "f2": None, "f3": -7, "f4": True, "f5": "B", "f6": 1.5, "f7": 3},
            {"f0": -(1 << 63), "f1": "a" * 20, "f2": "空港 " * 9, "f3": 9,
             "f4": False, "f5": "C", "f6": 0.0, "f7": None},
        ],
    ),
    (
        _record({"type": "array", "items": _INNER}, {"type": "map", "values": "long"}, "int"),
        [
            {"f0": [{"x": None, "y": "A"}, {"x": 300, "y": "C"}], "f1": {"a": 1, "bb": -70, "é": 1 << 50}, "f2": 1},
            {"f0": [], "f1": {}, "f2": 0},
            {"f0": [{"x": 1, "y": "B"}] * 5, "f1": {"long key number 1": 1, "long key number 2": 2}, "f2": 9},
        ],
    ),
    (
        _record({"type": "array", "items": {"type": "array", "items": ["null", "string"]}}, _WIDE),
        [{"f0": [["a", None], [], ["éé"]], "f1": None}, {"f0": [[None] * 3], "f1": 7}, {"f0": [], "f1": b"\xff"}],
    ),
)  # fmt: skip


def bombs() -> None:
    """Much that claims more, in the middle of a batch of good records: no time, no memory, and the same verdicts."""
    schema = _record({"type": "array", "items": "string"}, {"type": "map", "values": "int"}, "string")
    bench, large = Bench(schema), 1 << 17
    good = written(schema, {"f0": ["a"], "f1": {"b": 1}, "f2": "c"}, random.Random(1))
    hostile = [
        varint(large) + b"\0" * large + b"\0\0\0",
        varint(large // 2) + b"\0" * large,
        varint(1 << 62) + b"\0" * large,
        b"\1\2\0" * (large // 3) + b"\0\0\0",
        b"\0" + varint(large // 2) + b"\0\2" * (large // 2) + b"\0\0",
        b"\0\0" + varint(large) + b"@" * large,
        b"\0\0" + varint(large) + b"\xff" * large,
        b"\xff" * large,
        b"\x80" * large,
    ]
    for bomb in hostile:
        began = time.process_time()
        bench.batch([good] * 60 + [bomb] + [good] * 60, Tally(), ask=False)
        bench.batch([bomb] * 4, Tally(), ask=False)
        if time.process_time() - began > 10:
            sys.exit(f"a bomb that begins with {bomb[:12].hex()} took too long")


def round_of(number: int, tally: Tally) -> None:
    """One round, always the same for one number."""
    chance = random.Random(number)

    @seed(number)
    @settings(
        max_examples=SCHEMAS,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def drawn(data: st.DataObject) -> None:
        schema = data.draw(avro_oracle.schemas())
        values = data.draw(st.lists(avro_oracle.values(schema), min_size=3, max_size=6))
        fuzz(schema, values, chance, tally)

    drawn()
    for schema, values in FIXED_SCHEMAS:
        fuzz(schema, values, chance, tally)


def main() -> None:
    """Rounds until so many bodies, the first argument, were judged; the second is the number of the first round."""
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
    wanted, number, tally = int(sys.argv[1]), int(sys.argv[2]), Tally()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    bombs()
    rounds = 0
    while tally.bodies < wanted:
        round_of(number + rounds, tally)
        rounds += 1
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10) - before
    if grown > GROWTH:
        sys.exit(f"{grown >> 20} MiB more than before, for bodies of 128 KiB at most")
    sys.stdout.write(f"{rounds} rounds, {tally}, {grown >> 20} MiB, {time.process_time():.0f} s\n")


if __name__ == "__main__":
    main()
