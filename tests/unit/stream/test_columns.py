"""Between Avro and Arrow: what columns hold is what the rows say, byte for byte back again."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Final, cast
from uuid import UUID

import numpy as np
import pyarrow as pa
import pytest

from mesh.consumer.record import Source
from mesh.errors import EncodingRefused, MalformedBody, UsageError
from mesh.judge.frame import frame
from mesh.judge.rows import RowCodec
from mesh.lineage import Reference
from mesh.producer.encoding import RecordEncoder
from mesh.stream.columnar.reading import ArrowReader
from mesh.stream.columnar.task import Entry, Reading
from mesh.stream.columnar.writing import TableEncoder
from mesh.types import SchemaId
from tests.support.contracts import Draft

ONE: Final = SchemaId(1)
MILLIS = {"type": "long", "logicalType": "timestamp-millis"}
MICROS = {"type": "long", "logicalType": "timestamp-micros"}
MONEY = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
AT = datetime(2013, 1, 1, 10, tzinfo=UTC)

FIELDS: list[tuple[Any, list[Any]]] = [
    ("boolean", [True, False]),
    ("int", [0, -1, 63, 64, -65, 2**31 - 1, -(2**31)]),
    ("long", [0, 2**63 - 1, -(2**63), 8191, 8192, 2**41]),
    ("float", [0.0, 1.5, -2.25]),
    ("double", [0.0, 1e300, float("inf")]),
    ("string", ["", "a", "äöü", "x" * 200, "🌍"]),
    ("bytes", [b"", b"\x00\xff" * 80]),
    ({"type": "enum", "name": "E", "symbols": ["red", "green"]}, ["green", "red"]),
    ({"type": "fixed", "name": "F", "size": 3}, [b"abc", b"\x00\x01\x02"]),
    (MILLIS, [AT, datetime(1969, 12, 31, 23, tzinfo=UTC)]),
    (MICROS, [AT.replace(microsecond=7)]),
    ({"type": "long", "logicalType": "local-timestamp-millis"}, [datetime(2013, 1, 1)]),
    ({"type": "int", "logicalType": "date"}, [date(2013, 1, 1), date(1900, 2, 3)]),
    ({"type": "int", "logicalType": "time-millis"}, [time(10, 30), time(0)]),
    (MONEY, [Decimal("12.50"), Decimal("-0.01")]),
    ({"type": "string", "logicalType": "uuid"}, [UUID(int=5)]),
    ({"type": "array", "items": "int"}, [[], [1, 2, 3]]),
    ({"type": "array", "items": MONEY}, [[], [Decimal("1.00")]]),
    ({"type": "map", "values": "string"}, [{}, {"a": "b"}]),
    ({"type": "record", "name": "R", "fields": [{"name": "n", "type": ["null", "int"]}]}, [{"n": 1}, {"n": None}]),
]
NAMES = [json.dumps(each)[:60] for each, _ in FIELDS]


def schema(kind: Any) -> dict[str, Any]:
    """A record of one field, between two others."""
    fields = [{"name": "before", "type": "long"}, {"name": "x", "type": kind}, {"name": "after", "type": "string"}]
    return {"type": "record", "name": "T", "fields": fields}


def rows(found: list[Any]) -> list[dict[str, Any]]:
    return [{"before": at, "x": each, "after": "end"} for at, each in enumerate(found)]


class Given:
    """What a TableEncoder needs of a contract without a key."""

    key_fields: tuple[str, ...] = ()

    def __init__(self, value_schema: Any) -> None:
        self.value_schema = value_schema


class Rows:
    """The encoder of rows, which counts how often it was asked."""

    value_id, key_id = ONE, None

    def __init__(self, codec: RowCodec) -> None:
        self._codec, self.asked = codec, 0

    def key_of(self, record: Any) -> None:
        return None

    def value(self, record: Any) -> bytes:
        self.asked += 1
        return frame(ONE, self._codec.encode(record))


def written(kind: Any, table: Any) -> tuple[list[bytes], int]:
    """Payloads of a table, and how many of its rows needed the encoder of rows."""
    encoder = Rows(RowCodec(schema(kind)))
    made = TableEncoder(cast(Any, Given(schema(kind))), cast(RecordEncoder, encoder)).encode(table)
    return [each.value for each in made], encoder.asked


def there_and_back(kind: Any, found: list[Any]) -> int:
    """Rows to Avro, to Arrow, to Avro: the same bytes. How many rows needed the encoder of rows."""
    codec = RowCodec(schema(kind), logical=True)
    payloads = [frame(ONE, codec.encode(each)) for each in rows(found)]
    batch = ArrowReader(schema(kind)).read(payloads)
    assert batch["mesh-row"].to_pylist() == list(range(len(found)))
    again = batch.drop_columns(["mesh-row"])
    for row, payload in zip(again.to_pylist(maps_as_pydicts="strict"), payloads, strict=True):
        decoded = cast("dict[str, Any]", codec.decode(payload[5:]))
        assert row["x"] == (str(decoded["x"]) if isinstance(decoded["x"], UUID) else decoded["x"])
    made, asked = written(kind, again)
    assert made == payloads
    return asked


@pytest.mark.parametrize(("kind", "found"), FIELDS, ids=NAMES)
@pytest.mark.parametrize("null", ["never", "first", "second"])
def test_what_was_read_is_written_again_byte_for_byte(kind: Any, found: list[Any], null: str) -> None:
    union = {"never": kind, "first": ["null", kind], "second": [kind, "null"]}[null]
    there_and_back(union, found if null == "never" else [None, *found, None])


@pytest.mark.parametrize(
    ("kind", "found"),
    [(kind, found) for kind, found in FIELDS if kind in ("boolean", "int", "long", "double", "string")],
)
def test_flat_fields_are_written_without_asking_the_rows(kind: Any, found: list[Any]) -> None:
    assert there_and_back(kind, found) == 0
    assert there_and_back(["null", kind], [None, *found]) == 0


def test_times_and_symbols_are_written_without_asking_the_rows() -> None:
    assert there_and_back(MILLIS, [AT]) == 0
    assert there_and_back(["null", MICROS], [AT, None]) == 0
    assert there_and_back({"type": "enum", "name": "E", "symbols": ["red", "green"]}, ["green"]) == 0


def three(column: Any, **more: Any) -> Any:
    return pa.table({"before": pa.array([1, 2]), "x": column, "after": pa.array(["a", "b"]), **more})


REFUSED: list[tuple[Any, Any, str]] = [
    ("int", pa.array([1, 2**31]), "x"),
    ("int", pa.array([1.0, 2.0]), "x"),
    ("int", pa.array([1, None]), "x"),
    ("string", pa.array([1, 2]), "x"),
    (MILLIS, pa.array([AT, AT.replace(microsecond=7)]), "x"),
    (MILLIS, pa.array([datetime(2013, 1, 1)] * 2), "x"),
    ({"type": "enum", "name": "E", "symbols": ["red"]}, pa.array(["red", "blue"]), "x"),
    ("float", pa.array([1.0, 1e300]), "x"),
]


@pytest.mark.parametrize(("kind", "column", "path"), REFUSED)
def test_a_column_that_is_not_of_the_schema_is_refused_with_its_path(kind: Any, column: Any, path: str) -> None:
    with pytest.raises(EncodingRefused) as caught:
        written(kind, three(column))
    assert caught.value.path == path


def test_a_field_nobody_knows_and_one_that_is_missing_are_refused() -> None:
    with pytest.raises(EncodingRefused, match="more"):
        written("int", three(pa.array([1, 2]), more=pa.array([1, 2])))
    with pytest.raises(EncodingRefused, match="x"):
        written("int", three(pa.array([1, 2])).drop_columns(["x"]))


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["aa", "b"]).dictionary_encode(),
        pa.array(["aa", "b"], pa.large_string()),
        pa.array(["zz", "aa", "b"]).slice(1),
        pa.chunked_array([["aa"], ["b"]]),
    ],
)
def test_texts_of_any_layout_are_written_alike(column: Any) -> None:
    plain, _ = written("string", three(pa.array(["aa", "b"])))
    assert written("string", three(column))[0] == plain


def test_a_field_that_may_be_null_can_be_left_out() -> None:
    kind = ["null", "int"]
    full, _ = written(kind, three(pa.array([None, None], pa.int32())))
    encoder = Rows(RowCodec(schema(kind)))
    with_default = schema(kind)
    with_default["fields"][1]["default"] = None
    bare = three(pa.array([1, 2])).drop_columns(["x"])
    made = TableEncoder(cast(Any, Given(with_default)), cast(RecordEncoder, encoder)).encode(bare)
    assert ([each.value for each in made], encoder.asked) == (full, 0)


def test_a_malformed_body_is_refused_and_not_made_into_columns() -> None:
    good = frame(ONE, RowCodec(schema("int")).encode(rows([1])[0]))
    with pytest.raises(MalformedBody):
        ArrowReader(schema("int")).read([good, good + b"\0"])


def test_a_union_of_several_types_is_no_column() -> None:
    with pytest.raises(UsageError, match="take its product with batch"):
        ArrowReader(schema(["int", "string"]))


class Known:
    """Two schemas by id."""

    def __init__(self, texts: dict[int, str]) -> None:
        self._texts = texts

    def schema(self, schema_id: SchemaId) -> str:
        return self._texts[schema_id]


def test_records_without_a_value_have_the_fields_of_their_keys_and_nulls() -> None:
    contract = Draft().contract()
    source = Source(contract, Known({2: contract.key_schema_json}))
    key = frame(SchemaId(2), RowCodec(contract.key_schema).encode("KJFK"))
    batch = Reading(source).batch([Entry(Reference(UUID(int=1), 0, at), key, None) for at in range(2)])
    assert [(row["mesh-row"], row["station"], row["speed"]) for row in batch.to_pylist()] == [
        (0, "KJFK", None),
        (1, "KJFK", None),
    ]


def test_large_tables_are_written_as_the_rows_are() -> None:
    dice = np.random.default_rng(5)
    numbers = dice.integers(-(2**40), 2**40, 3000) >> dice.integers(0, 40, 3000)
    texts = ["x" * int(each) for each in dice.integers(0, 300, 3000)]
    table = pa.table({"before": numbers, "x": pa.array(texts), "after": pa.array(texts[::-1])})
    codec = RowCodec(schema("string"))
    assert written("string", table)[0] == [frame(ONE, codec.encode(each)) for each in table.to_pylist()]
