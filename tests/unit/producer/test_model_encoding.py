"""Pydantic models as records: encoded as the dictionaries they stand for, refused where those would be."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict, Field

from mesh.contract import Contract
from mesh.errors import EncodingRefused
from mesh.producer.encoding import RecordEncoder
from mesh.types import SchemaId
from tests.support.contracts import Draft
from tests.support.documents import Workbench
from tests.support.modules import models

FLIGHTS = Path(__file__).parents[3] / "contracts" / "operations" / "flights.odcs.yaml"


class Registered:
    """A registry that knows everything."""

    def lookup(self, subject: str, schema: str) -> SchemaId | None:
        return SchemaId(7 if subject.endswith("-value") else 300)


class Reading(BaseModel):
    """A model somebody wrote by hand, with names of their own."""

    model_config = ConfigDict(validate_by_name=True)

    station: str
    velocity: Any = Field(serialization_alias="speed")


def encoder() -> RecordEncoder:
    return RecordEncoder(Draft().contract(), Registered())


def test_a_model_is_the_record_of_its_fields() -> None:
    reading, record = Reading(station="EWR", velocity=12.5), {"station": "EWR", "speed": 12.5}
    assert encoder().value(reading) == encoder().value(record)
    assert encoder().key_of(reading) == encoder().key_of(record) == encoder().key("EWR")


def test_an_exported_model_and_its_key_are_taken(tmp_path: Path) -> None:
    contract = Contract.read(FLIGHTS)
    module = models(contract, tmp_path)
    moment = datetime(2013, 1, 1, 10, 15, tzinfo=UTC)
    key = {"carrier": "UA", "flight": 1545, "origin": "EWR", "scheduled_at": moment}
    record = key | {"year": 2013, "month": 1, "day": 1, "sched_dep_time": 515, "sched_arr_time": 819, "dest": "IAH"}
    record |= {"distance": 1400, "hour": 5, "minute": 15, "time_hour": datetime(2013, 1, 1, 10, tzinfo=UTC)}
    flight, encoding = module.Flight(**record), RecordEncoder(contract, Registered())
    assert encoding.value(flight) == encoding.value(record)
    assert encoding.key_of(flight) == encoding.key(module.FlightKey(**key)) == encoding.key(key)


def test_python_types_and_nested_models_go_as_they_are(tmp_path: Path) -> None:
    inner = [{"name": "id", "logicalType": "string", "physicalType": "string/uuid", "required": True}]
    contract = Workbench().fields(
        {"name": "paid", "logicalType": "number", "physicalType": "bytes/decimal(6,2)"},
        {"name": "class", "logicalType": "object", "properties": inner},
    )
    module = models(contract, tmp_path)
    record = {"ref": "r", "fee": None, "paid": Decimal("12.50"), "class": {"id": UUID(int=3)}}
    model = module.Application(ref="r", paid=Decimal("12.50"), class_=module.ApplicationClass(id=UUID(int=3)))
    encoding = RecordEncoder(contract, Registered())
    assert encoding.value(model) == encoding.value(record)


@pytest.mark.parametrize(("velocity", "path"), [("fast", "speed"), (None, "speed"), ({1, 2}, "speed")])
def test_what_the_schema_cannot_hold_is_refused_with_its_path(velocity: object, path: str) -> None:
    with pytest.raises(EncodingRefused) as refused:
        encoder().value(Reading(station="EWR", velocity=velocity))
    assert refused.value.path == path


def test_a_field_too_many_and_one_too_few_are_refused() -> None:
    class More(Reading):
        extra: int = 1

    class Less(BaseModel):
        speed: float = 1.0

    with pytest.raises(EncodingRefused, match="not a field"):
        encoder().value(More(station="EWR", velocity=1.0))
    with pytest.raises(EncodingRefused, match="station"):
        encoder().key_of(Less())


def test_a_value_of_another_type_is_left_to_the_encoder_without_a_warning() -> None:
    wrong = Reading.model_construct(station=7, velocity=1.0)
    with pytest.raises(EncodingRefused) as refused:
        encoder().value(wrong)
    assert refused.value.path == "station"
