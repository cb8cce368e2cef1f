"""The column judge beside the row judge: the same batch through both, and bodies broken in many ways."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mesh.contract import Contract
from mesh.judge import Batch, Judge, RowCodec
from mesh.judge.columns import compile_columns
from mesh.judge.columns.sift import ColumnSift
from mesh.judge.frame import PREFIX, prefix
from mesh.judge.rules import Sift, compile_sift
from mesh.types import SchemaId

VALUE, KEY = SchemaId(7), SchemaId(8)
CONTRACTS = Path(__file__).parent.parent.parent / "contracts"

_AIRPORT = {"tzone": "America/New_York", "dst": "A", "alt": 13, "tz": -5, "lat": 40.64, "lon": -73.78}
_FLIGHT: dict[str, Any] = {
    "year": 2013,
    "month": 1,
    "day": 1,
    "dep_time": 517,
    "sched_dep_time": 515,
    "dep_delay": 2,
    "arr_time": 830,
    "sched_arr_time": 819,
    "arr_delay": 11,
    "carrier": "UA",
    "flight": 1545,
    "tailnum": "N14228",
    "origin": "EWR",
    "dest": "IAH",
    "air_time": 227,
    "distance": 1400,
    "hour": 5,
    "minute": 15,
    "time_hour": 1357034400000,
    "scheduled_at": 1357035300000,
}
_HOURLY: dict[str, Any] = {
    "origin": "JFK",
    "year": 2013,
    "month": 1,
    "day": 1,
    "hour": 1,
    "temp": 39.02,
    "dewp": 26.06,
    "humid": 59.37,
    "wind_dir": 270,
    "wind_speed": 10.35702,
    "wind_gust": None,
    "precip": 0.0,
    "pressure": 1012.0,
    "visib": 10.0,
    "time_hour": 1357020000000,
}
_NOTHING_FLOWN = dict.fromkeys(("dep_time", "dep_delay", "arr_time", "arr_delay", "tailnum", "air_time"))
_AIRCRAFT: dict[str, Any] = {
    "tailnum": "N10156",
    "year": 2004,
    "type": "Fixed wing multi engine",
    "manufacturer": "EMBRAER",
    "model": "EMB-145XR",
    "engines": 2,
    "seats": 55,
    "speed": None,
    "engine": "Turbo-fan",
}

GOOD: dict[str, list[dict[str, Any]]] = {
    "operations/flights": [_FLIGHT, _FLIGHT | _NOTHING_FLOWN],
    "weather/observations": [_HOURLY, _HOURLY | {"wind_gust": 20.5, "temp": None, "pressure": None}],
    "fleet/aircraft": [_AIRCRAFT, _AIRCRAFT | {"year": None, "speed": 90}],
    "reference/airports": [
        {"faa": "JFK", "name": "John F Kennedy Intl", **_AIRPORT},
        {"faa": "LGA", "name": "Zürich 空港", **_AIRPORT},
    ],
    "reference/carriers": [{"carrier": "UA", "name": "United"}, {"carrier": "9E", "name": "Ünited Ær 空港"}],
}
"""Records that keep their contracts, by contract; fields left out are completed by ``complete``."""


def demo(name: str) -> Contract:
    """A contract of the demo."""
    return Contract.read(CONTRACTS / f"{name}.odcs.yaml")


@dataclass(frozen=True)
class Outcome:
    """Which rows a sift did not pass, and the event times it set."""

    doubtful: list[int]
    times: list[int | None]


@dataclass
class Pair:
    """Both judges of one contract, for bodies in its own schema."""

    contract: Contract
    judge: Judge = field(init=False)
    rows: Sift = field(init=False)
    columns: ColumnSift = field(init=False)

    def __post_init__(self) -> None:
        judge = self.judge = Judge(self.contract)
        judge.learn(VALUE, self.contract.value_schema_json)
        judge.learn(KEY, self.contract.key_schema_json, key=True)
        contract, clauses = self.contract, judge._clauses
        self.rows = compile_sift(clauses, contract.key_fields, judge._keys.current)
        self.columns = compile_columns(
            clauses.record, contract.clauses, contract.key_fields, judge._keys.current, contract.event_time, _hand, 1
        )
        self._value, self._key = RowCodec(contract.value_schema), RowCodec(contract.key_schema)

    def complete(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """The record with null for what it leaves out."""
        return dict.fromkeys((part.name for part in self.contract.fields), None) | dict(record)

    def value(self, record: Mapping[str, Any]) -> bytes:
        """The payload of a record."""
        return prefix(VALUE) + self._value.encode(record)

    def key(self, record: Mapping[str, Any]) -> bytes | None:
        """The payload of its key."""
        names = self.contract.key_fields
        if not names:
            return None
        key = record[names[0]] if len(names) == 1 else {name: record[name] for name in names}
        return prefix(KEY) + self._key.encode(key)

    def by_rows(self, batch: Batch) -> Outcome:
        """What the row judge passes."""
        return _through(self.rows, batch)

    def by_columns(self, batch: Batch) -> Outcome:
        """What the columns pass by themselves."""
        return _through(self.columns, batch)

    def same(self, values: Sequence[bytes], keys: Sequence[bytes | None], *, exact: bool = True) -> Outcome:
        """Judge by both; raises AssertionError unless columns pass the rows that rows pass, with the same event times.

        Unless ``exact``, columns may leave more to the rows, as they do with overflows, but never less.
        """
        batch = Batch(keys, values, [()] * len(values))
        rows, columns = self.by_rows(batch), self.by_columns(batch)
        left = set(columns.doubtful)
        assert left == set(rows.doubtful) if exact else left >= set(rows.doubtful), self._shown(values, rows, columns)
        assert [None if row in left else time for row, time in enumerate(rows.times)] == columns.times
        return rows

    def _shown(self, values: Sequence[bytes], rows: Outcome, columns: Outcome) -> str:
        odd = sorted(set(rows.doubtful) ^ set(columns.doubtful))[:3]
        return "; ".join(f"row {row}, passed by {_by(row, rows)}: {values[row].hex()}" for row in odd)


def _by(row: int, rows: Outcome) -> str:
    return "columns only" if row in rows.doubtful else "rows only"


def _hand(rows: Sequence[int], batch: Batch, times: list[int | None], doubtful: list[int]) -> None:
    doubtful.extend(rows)


def _through(sift: Sift, batch: Batch) -> Outcome:
    doubtful: list[int] = []
    times: list[int | None] = [None] * len(batch)
    sift(range(len(batch)), batch, times, doubtful)
    return Outcome(sorted(doubtful), times)


# Ends of numbers, lengths and indexes; continuation bytes of UTF-8 and of varints.
_EDGES = (0, 1, 2, 3, 4, 0x7E, 0x7F, 0x80, 0x81, 0xBF, 0xC0, 0xC3, 0xE2, 0xF0, 0xFE, 0xFF)


def broken(good: Iterable[bytes], chance: random.Random) -> Iterable[bytes]:
    """Each payload with a few bytes of its body changed; the frame stays."""
    for payload in good:
        body = bytearray(payload[PREFIX:])
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            _break(body, chance)
        yield payload[:PREFIX] + body


def _break(body: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(body) + 1)
    match chance.randrange(9):
        case 0:
            body.insert(at, chance.choice(_EDGES))
        case 1:
            del body[at:]
        case 2:
            del body[at : at + 1]
        case 3:  # padded: the same number, longer
            body[at : at + 1] = bytes([(body[at] if at < len(body) else 0) | 0x80, 0])
        case 4:
            body += bytes(chance.choices(_EDGES, k=chance.randrange(1, 12)))
        case 5:
            body[at:at] = b"\xff" * chance.randrange(1, 12) + bytes([chance.choice(_EDGES)])
        case 6 if at < len(body):
            body[at] ^= 1 << chance.randrange(8)
        case 7 if at < len(body):
            body[at] = chance.randrange(256)
        case _ if at < len(body):
            body[at] = chance.choice(_EDGES)
