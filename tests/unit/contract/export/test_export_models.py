"""Models made from contracts: they load, they are typed, they say what the judge says, and records go through them."""

from __future__ import annotations

import ast
import subprocess
import sys
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from mesh.contract import Contract
from mesh.contract.avro import AvroSchema
from mesh.contract.export import pydantic_module
from mesh.judge import RowCodec
from mesh.producer.models import as_plain
from tests.support.documents import Workbench
from tests.support.exports import NASTY, WORDS, everything
from tests.support.modules import model_of, models, module_of

every_contract = pytest.mark.parametrize("name", sorted(everything()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


def decoded(schema: AvroSchema, record: object) -> Any:
    """A record as a subscriber gets it."""
    return RowCodec(schema, logical=True).decode(RowCodec(schema).encode(record))


@every_contract
def test_the_module_loads_and_is_the_same_every_time(name: str, folder: Path) -> None:
    contract = everything()[name]
    text = pydantic_module(contract)
    assert pydantic_module(Contract.parse(contract.document.dump())) == text
    module = module_of(text, folder)
    assert f"{module.PRODUCT} {module.VERSION}" == str(contract)
    assert model_of(contract, folder).__doc__


def test_what_is_written_is_typed_and_formatted(tmp_path: Path) -> None:
    for name, contract in (everything() | {"defaults": defaulted()}).items():
        (tmp_path / f"of_{name}.py").write_text(pydantic_module(contract), encoding="utf-8")
    tool = [sys.executable, "-m"]
    for command in (
        [*tool, "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "."],
        [*tool, "ruff", "format", "--isolated", "--check", "--line-length", "88", "."],
        [*tool, "ruff", "format", "--isolated", "--check", "--line-length", "120", "."],
    ):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_record_of_every_type_goes_through_its_model(folder: Path) -> None:
    contract = everything()["golden"]
    model = model_of(contract, folder)
    value = decoded(contract.value_schema, EVERY)
    read = model.model_validate(value)
    assert as_plain(read) == value
    assert RowCodec(contract.value_schema).encode(as_plain(read)) == RowCodec(contract.value_schema).encode(EVERY)
    empty = {name: None for name in value if name not in REQUIRED}
    assert as_plain(model.model_validate(value | empty)) == value | empty


REQUIRED = ("text", "number", "real", "digest", "rate", "moment", "colour", "gaps", "level", "number_by_default")
EVERY = {
    "text": "na\u00efve \u732b",
    "number": -(1 << 31),
    "big": (1 << 63) - 1,
    "small": 0.5,
    "real": float("inf"),
    "flag": True,
    "raw": b"\x00\xff",
    "digest": bytes(range(16)),
    "uuid": UUID(int=7),
    "amount": Decimal("-12345678.90"),
    "rate": Decimal("0.000001"),
    "day": date(2013, 1, 31),
    "clock": time(23, 59, 59, 999000),
    "fine_clock": time(0, 0, 0, 1),
    "moment": datetime(2013, 1, 31, 10, tzinfo=UTC),
    "fine_moment": datetime(2013, 1, 31, 10, 0, 0, 1, tzinfo=UTC),
    "wall_moment": datetime(2013, 1, 31, 10),
    "written_day": "2013-01-31",
    "colour": "GREEN",
    "shape": "ROUND",
    "place": {"street": "s", "point": {"lat": 1.0, "lon": -2.0}},
    "names": ["a", ""],
    "gaps": [1, None],
    "visits": [{"at": datetime(2013, 2, 1, tzinfo=UTC)}],
    "labels": {"": 1, "b": -1},
    "level": None,
    "epoch": datetime(1969, 12, 31, tzinfo=UTC),
    "wide": "x",
    "by_default": 5,
    "number_by_default": -0.0,
}


@pytest.mark.parametrize("odd", [{"class": "a"}, 5, "mro", {"a": 1.5}, {}])
def test_names_that_mean_something_else_keep_their_place_in_the_record(odd: object, folder: Path) -> None:
    contract = everything()["hostile"]
    record = {name: number for number, name in enumerate(WORDS)} | {"ref": "r", "fee": 1, "odd": odd}
    record |= {"secret": {"pin": None}, "code": "'7"}
    read = model_of(contract, folder).model_validate(decoded(contract.value_schema, record))
    again = RowCodec(contract.value_schema).encode(as_plain(read))
    assert again == RowCodec(contract.value_schema).encode(record)


def test_a_key_of_several_fields_is_a_class_and_one_field_an_alias(folder: Path) -> None:
    flights = models(everything()["flights"], folder)
    assert list(flights.FlightKey.model_fields) == list(everything()["flights"].key_fields)
    draft = models(everything()["draft"], folder)
    assert draft.ObservationKey is str
    assert not hasattr(models(everything()["keyless"], folder), "ObservationKey")


def test_descriptions_are_docstrings_and_descriptions_of_fields(folder: Path) -> None:
    contract = everything()["flights"]
    model = model_of(contract, folder)
    assert model.__doc__ == "One scheduled departure."
    assert model.model_fields["dest"].description == "FAA code of the airport of destination"
    assert "arrival_follows_departure" in (ast.get_docstring(ast.parse(pydantic_module(contract))) or "")


def test_hostile_descriptions_are_kept_to_the_letter(folder: Path) -> None:
    contract = everything()["hostile"]
    field: FieldInfo = model_of(contract, folder).model_fields["ref"]
    kept = contract.field("ref")
    assert kept is not None
    assert " ".join((field.description or "").split()) == kept.description


def raw(name: str, kind: Any) -> dict[str, Any]:
    """A required field of a raw Avro type."""
    return {
        "name": name,
        "logicalType": "object",
        "required": True,
        "customProperties": [{"property": "avroType", "value": kind}],
    }


def test_a_union_of_several_types_holds_avros_plain_values(folder: Path) -> None:
    moment, money = {"type": "long", "logicalType": "timestamp-millis"}, {"type": "bytes", "logicalType": "decimal"}
    inner = {"type": "record", "name": "Inner", "fields": [{"name": "at", "type": moment}]}
    contract = Workbench().fields(raw("either", [moment, "string", inner, money | {"precision": 4, "scale": 2}]))
    model = model_of(contract, folder)
    for value in (5, "x", {"at": 5}, b"\x01"):
        record = decoded(contract.value_schema, {"ref": "r", "either": value})
        assert as_plain(model.model_validate(record)) == record == {"ref": "r", "fee": None, "either": value}


LAST_MOMENT = datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
DEFAULTS: list[tuple[str, Any, Any, object]] = [
    ("day", {"type": "int", "logicalType": "date"}, 15736, date(2013, 1, 31)),
    ("clock", {"type": "int", "logicalType": "time-millis"}, 3_600_001, time(1, 0, 0, 1000)),
    (
        "moment",
        {"type": "long", "logicalType": "timestamp-micros"},
        -1,
        LAST_MOMENT,
    ),
    ("wall", {"type": "long", "logicalType": "local-timestamp-millis"}, 1500, datetime(1970, 1, 1, 0, 0, 1, 500_000)),
    ("nanos", {"type": "long", "logicalType": "timestamp-nanos"}, 7, 7),
    ("money", {"type": "bytes", "logicalType": "decimal", "precision": 5, "scale": 2}, "\xff\x38", Decimal("-2.00")),
    ("id", {"type": "string", "logicalType": "uuid"}, str(UUID(int=42)), UUID(int=42)),
    ("piece", {"type": "fixed", "name": "Piece", "size": 3}, '\xe9"\\', b'\xe9"\\'),
    ("kind", {"type": "enum", "name": "Kind", "symbols": ["class", "b"]}, "class", "class"),
    ("text", "string", NASTY, NASTY),
    ("flag", "boolean", False, False),
    ("half", "float", 0.5, 0.5),
    ("whole", "double", 3, 3.0),
    ("names", {"type": "array", "items": "string"}, ["a", "b" * 90], ["a", "b" * 90]),
    ("none", {"type": "array", "items": "string"}, [], []),
    ("sizes", {"type": "map", "values": ["null", "long"]}, {"a": None, "class": 1}, {"a": None, "class": 1}),
    ("maybe", ["long", "null"], 4, 4),
    ("either", ["string", {"type": "long", "logicalType": "timestamp-millis"}], "x", "x"),
]


def defaulted() -> Contract:
    """A record of every default, within a record that has it for its own default."""
    leaves = [{"name": name, "type": kind, "default": value} for name, kind, value, _ in DEFAULTS]
    inner = {"type": "record", "name": "Inner", "fields": [{"name": "class", "type": "long"}, *leaves]}
    outer = {"type": "record", "name": "Outer", "fields": [{"name": "i", "type": inner, "default": {"class": 5}}]}
    return Workbench().fields(raw("deep", outer))


def test_defaults_are_of_pythons_types_and_each_model_has_its_own(folder: Path) -> None:
    module = models(defaulted(), folder)
    wanted = {name: value for name, _, _, value in DEFAULTS}
    assert as_plain(module.Outer()) == {"i": {"class": 5} | wanted}
    assert as_plain(module.Inner.model_validate(as_plain(module.Inner(class_=5)))) == {"class": 5} | wanted
    assert module.Inner(class_=1).names is not module.Inner(class_=1).names


def test_a_type_used_twice_is_one_class_unless_the_places_have_rules_of_their_own(folder: Path) -> None:
    def place(name: str, **options: int) -> dict[str, Any]:
        number = {"name": "zone", "logicalType": "integer", "required": True, "logicalTypeOptions": options}
        custom = [{"property": "avroName", "value": "Place"}]
        return {"name": name, "logicalType": "object", "properties": [number], "customProperties": custom}

    contract = Workbench().fields(place("one", maximum=5), place("two", maximum=5), place("three", maximum=9))
    assert "mesh alone" not in pydantic_module(contract)
    model = model_of(contract, folder)
    one, two, three = (str(model.model_fields[name].annotation) for name in ("one", "two", "three"))
    assert one == two != three
    assert as_plain(model.model_validate({"ref": "r", "three": {"zone": 7}}))["three"] == {"zone": 7}
    with pytest.raises(ValidationError, match="less than or equal to 5"):
        model.model_validate({"ref": "r", "two": {"zone": 7}})
