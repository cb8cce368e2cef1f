"""A record as the JSON that ``mesh publish`` reads: ISO 8601 for times, base64 for bytes, text for decimals."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

from mesh.contract.shape import Array, Fixed, Logical, Map, Primitive, Record, Shape, Union

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_MICROS: Final = 86_400_000_000


def as_json(shape: Shape, value: Any) -> Any:  # noqa: PLR0911  (one for each type of Avro)
    """The JSON form of a plain value of this shape; a number stays one where no calendar goes as far."""
    match shape:
        case Record() if isinstance(value, Mapping):
            types = {part.name: part.type for part in shape.fields}
            return {name: as_json(types[name], each) if name in types else each for name, each in value.items()}
        case Array() if isinstance(value, list):
            return [as_json(shape.items, each) for each in value]
        case Map() if isinstance(value, Mapping):
            return {key: as_json(shape.values, each) for key, each in value.items()}
        case Union():
            others = [branch for branch in shape.branches if branch.kind != "null"]
            return as_json(others[0], value) if len(others) == 1 and value is not None else _leaf(value)
        case Primitive(logical=Logical() as logical) if isinstance(value, int):
            return _moment(logical.name, value)
        case Primitive(logical=Logical(name="decimal") as logical) | Fixed(logical=Logical(name="decimal") as logical):
            return _decimal(value, logical.scale)
    return _leaf(value)


def _leaf(value: Any) -> Any:
    if isinstance(value, bytes):
        return b64encode(value).decode()
    return str(value) if isinstance(value, Decimal) else value


def _decimal(value: Any, scale: int) -> Any:
    if isinstance(value, bytes):
        return str(Decimal(int.from_bytes(value, "big", signed=True)).scaleb(-scale))
    return _leaf(value)


def _moment(name: str, value: int) -> str | int:
    # Python's calendar ends at microseconds; a number of nanoseconds is read as exactly.
    return value if name.endswith("nanos") else _dated(name, value)


def _dated(name: str, value: int) -> str | int:
    micros = value * (1 if name.endswith("micros") else 1000)
    try:
        if name.startswith("timestamp"):
            return (_EPOCH + timedelta(microseconds=micros)).isoformat().replace("+00:00", "Z")
        if name.startswith("local-timestamp"):
            return (_EPOCH + timedelta(microseconds=micros)).replace(tzinfo=None).isoformat()
        if name == "date":
            return (date(1970, 1, 1) + timedelta(days=value)).isoformat()
        if name.startswith("time") and 0 <= micros < _DAY_MICROS:
            return _clock(micros).isoformat()
    except OverflowError:
        return value
    return value


def _clock(micros: int) -> time:
    return (datetime.min + timedelta(microseconds=micros)).time()
