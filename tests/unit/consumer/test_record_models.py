"""Records as pydantic models."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from mesh.consumer import Record
from mesh.errors import UsageError
from mesh.types import Coordinate, ProductName, SchemaId
from tests.support.contracts import Draft
from tests.support.modules import models

MOMENT = datetime(2013, 1, 31, 10, tzinfo=UTC)
PLACE = Coordinate("weather.observations.v1", 2, 40)


def record(value: dict[str, Any] | None, key: Any = "EWR") -> Record:
    return Record(value, key, ProductName("weather", "observations"), PLACE, MOMENT, (), SchemaId(7), 0)


class Reading(BaseModel):
    """A model somebody wrote by hand."""

    station: str
    speed: float


def test_a_record_is_a_model_of_ones_own_or_an_exported_one(tmp_path: Path) -> None:
    read = record({"station": "EWR", "speed": 12.5}).as_model(Reading)
    assert read == Reading(station="EWR", speed=12.5)
    exported = models(Draft().contract(), tmp_path).Observation
    assert record({"station": "EWR", "speed": 12.5}).as_model(exported) == exported(station="EWR", speed=12.5)


def test_fields_of_a_later_version_are_passed_over(tmp_path: Path) -> None:
    exported = models(Draft().contract(), tmp_path).Observation
    assert record({"station": "EWR", "speed": 1.0, "gust": 2.0}).as_model(exported).speed == 1.0

    class Open(Reading):
        model_config = ConfigDict(extra="allow")

    assert record({"station": "EWR", "speed": 1.0, "gust": 2.0}).as_model(Open).model_extra == {"gust": 2.0}


def test_what_does_not_fit_is_told_by_field_and_never_by_value() -> None:
    with pytest.raises(UsageError) as refused:
        record({"station": "EWR", "speed": "secret-value"}).as_model(Reading)
    told = str(refused.value)
    assert told.startswith(
        "the value of weather.observations.v1/2/40 is no Reading: speed: input should be a valid number"
    )
    assert "secret-value" not in told
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None


def test_a_retraction_has_no_model() -> None:
    with pytest.raises(UsageError, match="retracts its key"):
        record(None).as_model(Reading)


def test_a_key_of_several_fields_is_a_model_too() -> None:
    class Key(BaseModel):
        station: str
        number: int

    assert record({}, {"station": "EWR", "number": 3}).key_as_model(Key) == Key(station="EWR", number=3)
    with pytest.raises(UsageError, match=r"the key of .* is no Key: the whole: "):
        record({}, "EWR").key_as_model(Key)
