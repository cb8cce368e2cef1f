"""Keys and values as they go to an ingress."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mesh.contract import Contract
from mesh.errors import EncodingRefused, NotFound, UsageError
from mesh.judge import RowCodec
from mesh.judge.frame import unframe
from mesh.producer.encoding import RecordEncoder
from mesh.types import SchemaId
from tests.support.contracts import Draft

CONTRACTS = Path(__file__).parents[3] / "contracts"


class Registered:
    """A registry that knows everything but ``missing``, and remembers what it was asked."""

    def __init__(self, missing: str = "") -> None:
        self.missing, self.asked = missing, dict[str, str]()

    def lookup(self, subject: str, schema: str) -> SchemaId | None:
        self.asked[subject] = schema
        if subject == self.missing:
            return None
        return SchemaId(7 if subject.endswith("-value") else 300)


def test_ids_are_looked_up_under_the_ingress_subjects() -> None:
    contract, registry = Draft().contract(), Registered()
    RecordEncoder(contract, registry)
    assert registry.asked == {
        "weather.observations.v1.ingress-value": contract.value_schema_json,
        "weather.observations.v1.ingress-key": contract.key_schema_json,
    }


@pytest.mark.parametrize("part", ["key", "value"])
def test_a_schema_nobody_registered_is_refused_at_once(part: str) -> None:
    with pytest.raises(NotFound, match="mesh apply"):
        RecordEncoder(Draft().contract(), Registered(missing=f"weather.observations.v1.ingress-{part}"))


def test_value_and_key_are_framed_with_their_ids() -> None:
    encoder = RecordEncoder(Draft().contract(), Registered())
    record = {"station": "EWR", "speed": 12}
    assert encoder.value(record) == b"\0\0\0\0\x07\x06EWR" + bytes(6) + b"\x28\x40"
    assert encoder.key_of(record) == encoder.key("EWR") == b"\0\0\0\x01\x2c\x06EWR"


def test_a_key_of_several_fields_is_a_record_by_position() -> None:
    contract = Contract.read(CONTRACTS / "operations" / "flights.odcs.yaml")
    encoder = RecordEncoder(contract, Registered())
    moment = datetime(2013, 1, 1, 10, 15, tzinfo=UTC)
    fields: dict[str, Any] = {"scheduled_at": moment, "origin": "EWR", "flight": 1545, "carrier": "UA"}
    key = encoder.key_of({**fields, "distance": 1400})
    assert key is not None
    schema_id, body = unframe(key)
    decoded = RowCodec(contract.key_schema, logical=True).decode(body)
    assert (schema_id, decoded) == (300, fields)
    assert list(decoded) == list(contract.key_fields) == ["carrier", "flight", "origin", "scheduled_at"]  # type: ignore[call-overload]
    assert encoder.key(fields) == key


def test_a_product_without_a_key_has_null_keys_and_takes_none() -> None:
    encoder = RecordEncoder(Draft(key=None).contract(), Registered())
    assert encoder.key_of({"station": "EWR", "speed": 1.0}) is None
    with pytest.raises(UsageError, match="has no key"):
        encoder.key("EWR")


@pytest.mark.parametrize(
    ("record", "path"), [({}, "station"), ({"station": 1}, ""), ({"station": None}, ""), ({"station": b"EWR"}, "")]
)
def test_a_key_that_does_not_fit_is_refused(record: dict[str, Any], path: str) -> None:
    with pytest.raises(EncodingRefused) as refused:
        RecordEncoder(Draft().contract(), Registered()).key_of(record)
    assert refused.value.path == path


@pytest.mark.parametrize(
    ("record", "path"),
    [({"station": "EWR"}, "speed"), ({"station": "EWR", "speed": "12"}, "speed"), ({"station": "E", "x": 1}, "speed")],
)
def test_a_value_that_does_not_fit_is_refused_with_its_path(record: dict[str, Any], path: str) -> None:
    with pytest.raises(EncodingRefused) as refused:
        RecordEncoder(Draft().contract(), Registered()).value(record)
    assert refused.value.path == path
