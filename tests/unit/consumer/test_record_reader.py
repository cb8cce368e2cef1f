"""Messages as the records subscribers get."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import pytest

from mesh.consumer.record import RecordReader, Source
from mesh.contract import Contract
from mesh.errors import MalformedBody, NotFound
from mesh.judge import RowCodec
from mesh.judge.frame import frame
from mesh.types import Coordinate, SchemaId
from tests.support.contracts import Draft

SEEN_AT = {"name": "seen_at", "logicalType": "timestamp", "physicalType": "long/timestamp-millis", "required": True}
MOMENT = datetime(2013, 1, 31, 10, tzinfo=UTC)
TOPIC_ID = UUID(int=7)


@dataclass
class Delivered:
    """A message as the client hands it over."""

    payload: bytes | None
    name: bytes | None = None

    def topic(self) -> str:
        return "weather.observations.v1"

    def partition(self) -> int:
        return 2

    def offset(self) -> int:
        return 40

    def key(self) -> bytes | None:
        return self.name

    def value(self) -> bytes | None:
        return self.payload

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return 2, 1_700_000_000_000


@dataclass
class Schemas:
    """A registry that counts what it is asked."""

    known: dict[SchemaId, str]
    asked: list[SchemaId] = field(default_factory=list)

    def schema(self, schema_id: SchemaId) -> str:
        self.asked.append(schema_id)
        if schema_id not in self.known:
            raise NotFound("schema", str(schema_id))
        return self.known[schema_id]


@pytest.fixture
def contract() -> Contract:
    document = Draft(extra=[SEEN_AT]).text.replace(
        "  customProperties:\n  - property: topic",
        "  customProperties:\n  - {property: eventTime, value: seen_at}\n  - property: topic",
    )
    return Contract.parse(document)


@pytest.fixture
def schemas(contract: Contract) -> Schemas:
    return Schemas({SchemaId(7): contract.value_schema_json, SchemaId(8): contract.key_schema_json})


@pytest.fixture
def reader(contract: Contract, schemas: Schemas) -> RecordReader:
    return RecordReader(Source(contract, schemas, TOPIC_ID, "cluster"))


def message(contract: Contract) -> Delivered:
    value = RowCodec(contract.value_schema).encode({"station": "EWR", "speed": 1.5, "seen_at": MOMENT})
    return Delivered(frame(SchemaId(7), value), frame(SchemaId(8), b"\x06EWR"))


def test_a_record_has_everything_in_pythons_own_types(reader: RecordReader, contract: Contract) -> None:
    record = reader.read(message(contract))
    assert record.value == {"station": "EWR", "speed": 1.5, "seen_at": MOMENT}
    assert (record.key, record.schema_id, record.timestamp) == ("EWR", 7, 1_700_000_000_000)
    assert record.event_time == MOMENT
    assert record.headers == ()
    assert str(record.product) == "weather.observations"
    assert record.coordinate == Coordinate("weather.observations.v1", 2, 40, TOPIC_ID, "cluster")


def test_a_retraction_has_a_key_and_no_value(reader: RecordReader) -> None:
    record = reader.read(Delivered(None, frame(SchemaId(8), b"\x06EWR")))
    assert (record.value, record.key, record.event_time, record.schema_id) == (None, "EWR", None, None)


def test_each_schema_is_fetched_once(reader: RecordReader, schemas: Schemas, contract: Contract) -> None:
    for _ in range(3):
        reader.read(message(contract))
    assert sorted(schemas.asked) == [7, 8]


def test_the_schema_it_was_written_with_decodes_a_record(reader: RecordReader, schemas: Schemas) -> None:
    schemas.known[SchemaId(9)] = '{"type":"record","name":"Old","fields":[{"name":"station","type":"string"}]}'
    record = reader.read(Delivered(frame(SchemaId(9), b"\x06EWR")))
    assert (record.value, record.event_time) == ({"station": "EWR"}, None)


@pytest.mark.parametrize("payload", [b"", b"\x01abcd", b"\0\0", b"\0\0\0\0\x07\x06EW"])
def test_what_is_not_a_record_is_told(reader: RecordReader, payload: bytes) -> None:
    with pytest.raises(MalformedBody):
        reader.read(Delivered(payload))


def test_an_unknown_schema_is_told_and_asked_for_again(reader: RecordReader, schemas: Schemas) -> None:
    for _ in range(2):
        with pytest.raises(NotFound):
            reader.read(Delivered(frame(SchemaId(99), b"")))
    assert schemas.asked == [99, 99]
