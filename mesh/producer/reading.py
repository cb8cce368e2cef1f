"""Text and JSON read as the values a schema wants; ISO 8601 for times, base64 for bytes."""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from functools import lru_cache, partial
from typing import Any, Final, TypeAlias
from uuid import UUID

from mesh.contract.shape import Array, Enum, Fixed, Logical, Map, Primitive, Record, Shape, Union

NULLS: Final = frozenset({"", "NA"})
"""Cells of a table that say nothing."""

Read: TypeAlias = Callable[[Any], Any]
"""Gives the value; raises ValueError with what it should have been."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FINER: Final = re.compile(r"[.,]\d{6}(\d{1,3})")
_TRUTHS: Final = {"true": True, "false": False}


def cell_reader(shape: Shape) -> Read:
    """What reads a cell of a table that is not null; records, arrays and maps are JSON inside the cell."""
    match _only_branch(shape):
        case Primitive(logical=None, kind=kind) if kind in _CELLS:
            return _CELLS[kind]
        case Enum():
            return str
        case Primitive() | Fixed() as leaf:
            return json_reader(leaf) or str
        case other:
            inner = json_reader(other)
            return partial(_embedded, inner)


def json_reader(shape: Shape) -> Read | None:
    """What turns parsed JSON into values of a shape; None where JSON's own are already that."""
    match _only_branch(shape):
        case Primitive(logical=Logical() as logical) | Fixed(logical=Logical() as logical):
            return _logical(logical)
        case Primitive(kind="bytes") | Fixed():
            return _text_only(_base64)
        case Array(items=items):
            item = json_reader(items)
            return item and partial(_each, _nullable(item))
        case Map(values=values):
            value = json_reader(values)
            return value and partial(_each_value, _nullable(value))
        case Record() as record:
            return _record(record)
    return None


def _only_branch(shape: Shape) -> Shape:
    """The type beside null. A wider union stays: which branch a text means cannot be told."""
    if isinstance(shape, Union):
        others = [branch for branch in shape.branches if branch.kind != "null"]
        if len(others) == 1:
            return others[0]
    return shape


def _record(shape: Record) -> Read | None:
    readers = {part.name: read for part in shape.fields if (read := json_reader(part.type)) is not None}
    return partial(_fields, readers) if readers else None


def _fields(readers: Mapping[str, Read], value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    turned = dict(value)
    for name, read in readers.items():
        if turned.get(name) is not None:
            try:
                turned[name] = read(turned[name])
            except ValueError as error:
                raise Misread(name, error) from None
    return turned


class Misread(ValueError):
    """Something below a record is not of its type; ``path`` is dotted."""

    def __init__(self, name: str, cause: ValueError) -> None:
        self.path: str = f"{name}.{cause.path}" if isinstance(cause, Misread) else name
        super().__init__(str(cause))


def _nullable(read: Read) -> Read:
    return lambda value: None if value is None else read(value)


def _each(read: Read, value: Any) -> Any:
    return [read(item) for item in value] if isinstance(value, list) else value


def _each_value(read: Read, value: Any) -> Any:
    return {key: read(item) for key, item in value.items()} if isinstance(value, dict) else value


def _embedded(read: Read | None, cell: str) -> Any:
    try:
        value = json.loads(cell)
    except ValueError:
        raise ValueError("is not JSON") from None
    return read(value) if read else value


def _text_only(read: Callable[[str], Any]) -> Read:
    """Only texts need reading: a number already is the plain value of a logical type."""
    return lambda value: read(value) if isinstance(value, str) else value


def _logical(logical: Logical) -> Read | None:
    if logical.name == "decimal":
        return _decimal
    read = _LOGICAL.get(logical.name)
    return _text_only(read) if read else None


# Codes, counts and clock times come again and again, and looking one up is four times as fast as reading it.
@lru_cache(8192)
def _whole(cell: str) -> int:
    # int() also takes 1_000, which nobody means in a table.
    if "_" in cell:
        raise ValueError("is not a whole number")
    try:
        return int(cell)
    except ValueError:
        raise ValueError("is not a whole number") from None


def _number(cell: str) -> float:
    if "_" in cell:
        raise ValueError("is not a number")
    try:
        return float(cell)
    except ValueError:
        raise ValueError("is not a number") from None


def _boolean(cell: str) -> bool:
    value = _TRUTHS.get(cell.lower())
    if value is None:
        raise ValueError("is neither true nor false")
    return value


def _base64(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("is not base64") from None


def _decimal(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return value
    try:
        return Decimal(str(value))
    except InvalidOperation:
        raise ValueError("is not a decimal number") from None


@lru_cache(1024)
def _instant(text: str) -> datetime:
    found = _local(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _local(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("is not a time as in 2013-01-31T10:00:00Z") from None


def _nanos(text: str) -> int:
    return _nanoseconds(_instant(text), text)


def _local_nanos(text: str) -> int:
    found = _local(text)
    if found.tzinfo:
        raise ValueError("has a time zone, the field is local time")
    return _nanoseconds(found.replace(tzinfo=UTC), text)


def _nanoseconds(moment: datetime, text: str) -> int:
    """Python's datetime ends at microseconds; the three digits behind them are read from the text."""
    since = moment - _EPOCH
    finer = _FINER.search(text)
    micros = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return micros * 1000 + (int(finer[1].ljust(3, "0")) if finer else 0)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError("is not a date as in 2013-01-31") from None


def _time(text: str) -> time:
    try:
        return time.fromisoformat(text)
    except ValueError:
        raise ValueError("is not a time of day as in 10:00:00") from None


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise ValueError("is not a UUID") from None


_CELLS: Final[Mapping[str, Read]] = {
    "string": str,
    "int": _whole,
    "long": _whole,
    "float": _number,
    "double": _number,
    "boolean": _boolean,
}
_LOGICAL: Final[Mapping[str, Callable[[str], Any]]] = {
    "timestamp-millis": _instant,
    "timestamp-micros": _instant,
    "local-timestamp-millis": _local,
    "local-timestamp-micros": _local,
    "timestamp-nanos": _nanos,
    "local-timestamp-nanos": _local_nanos,
    "date": _date,
    "time-millis": _time,
    "time-micros": _time,
    "uuid": _uuid,
}
