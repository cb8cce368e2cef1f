"""Logical types: between Avro's plain values and what Python people write (datetime, date, time, Decimal, UUID)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal
from typing import Any, Final
from uuid import UUID

from mesh.contract.shape import Array, Fixed, Logical, Map, Primitive, Record, Shape, Union

Convert = Callable[[Any], object]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY: Final = date(1970, 1, 1)
_MICROS: Final = {"timestamp-millis": 1000, "local-timestamp-millis": 1000, "time-millis": 1000}
_INSTANTS: Final = ("timestamp-millis", "timestamp-micros", "timestamp-nanos")
_LOCAL: Final = ("local-timestamp-millis", "local-timestamp-micros", "local-timestamp-nanos")
# Python's types hold microseconds, so nanoseconds are taken from them but never turned into them.
_NANOS: Final = (_INSTANTS[-1], _LOCAL[-1])
# A precision is any number in a schema from elsewhere; beyond this one it could only be meant to do harm.
_MOST_DIGITS: Final = 1000
# Python's usual context would round at 28 digits.
_EVERY_DIGIT: Final = Context(prec=100_000)
_TIMES: Final = ("time-millis", "time-micros")


def decimal_of(raw: bytes, scale: int) -> Decimal:
    """The number that the bytes of a decimal hold."""
    return Decimal(int.from_bytes(raw, "big", signed=True)).scaleb(-scale, _EVERY_DIGIT)


def digit_limit(logical: Logical) -> int:
    """The first number with more digits than a decimal's precision."""
    return int(10 ** min(max(logical.precision, 1), _MOST_DIGITS))


def for_people(shape: Shape) -> Convert | None:
    """What turns plain values of this shape into Python's own types; None where nothing has to change.

    What Python's type cannot hold (nanoseconds, a timestamp after the year 9999, a text that is no UUID) stays as it
    is.
    """
    match shape:
        case Primitive(logical=Logical() as logical) | Fixed(logical=Logical() as logical):
            return _leaf(logical)
        case Array():
            return _each(for_people(shape.items))
        case Map():
            return _each_value(for_people(shape.values))
        case Union():
            return _branch(shape)
        case Record():
            return _fields({part.name: convert for part in shape.fields if (convert := for_people(part.type))})
    return None


def to_plain(logical: Logical, value: object) -> object:
    """The plain value for one of Python's own types; every other value comes back unchanged.

    Raises ValueError where the type is right but the value does not fit: a naive datetime, a part finer than the unit,
    a decimal with too many digits.
    """
    name, step = logical.name, _MICROS.get(logical.name, 1)
    if isinstance(value, datetime) and name in _INSTANTS + _LOCAL:
        return _instant(value, step, aware=name in _INSTANTS) * (1000 if name in _NANOS else 1)
    if isinstance(value, date) and not isinstance(value, datetime) and name == "date":
        return (value - _DAY).days
    if isinstance(value, time) and name in _TIMES:
        since = timedelta(hours=value.hour, minutes=value.minute, seconds=value.second, microseconds=value.microsecond)
        return _whole(since, step)
    if isinstance(value, Decimal) and name == "decimal":
        return _unscaled(value, logical)
    return str(value) if isinstance(value, UUID) and name == "uuid" else value


def _instant(value: datetime, step: int, *, aware: bool) -> int:
    if (value.tzinfo is None) == aware:
        raise ValueError("has no time zone" if aware else "has a time zone, the field is local time")
    return _whole((value if aware else value.replace(tzinfo=UTC)) - _EPOCH, step)


def _whole(since: timedelta, step: int) -> int:
    units, rest = divmod(since, timedelta(microseconds=step))
    if rest:
        raise ValueError("is finer than the unit of the field")
    return int(units)


def _unscaled(value: Decimal, logical: Logical) -> int:
    if not value.is_finite():
        raise ValueError("is not a finite number")
    sign, digits, exponent = value.as_tuple()
    shift = int(exponent) + logical.scale
    number = int("".join(map(str, digits)))
    if len(digits) + max(shift, 0) > logical.precision + max(-shift, 0) or (shift < 0 and number % 10**-shift):
        raise ValueError(f"does not fit decimal({logical.precision},{logical.scale})")
    number = number * int(10**shift) if shift >= 0 else number // int(10**-shift)
    return -number if sign else number


def _leaf(logical: Logical) -> Convert | None:
    step = _MICROS.get(logical.name, 1)
    if logical.name in _INSTANTS[:-1]:
        return _instant_of(step)
    if logical.name in _LOCAL[:-1]:
        return _or_same(lambda value: (_EPOCH + timedelta(microseconds=value * step)).replace(tzinfo=None))
    if logical.name == "date":
        return _or_same(lambda value: _DAY + timedelta(days=value))
    if logical.name in _TIMES:
        return _or_same(lambda value: _time(value * step))
    if logical.name == "decimal":
        return _or_same(lambda value: decimal_of(value, logical.scale))
    return _or_same(UUID) if logical.name == "uuid" else None


def _instant_of(step: int) -> Convert:
    # Nearly every record has one: written out, it takes half the time of the others.
    def converted(value: Any) -> object:
        try:
            return _EPOCH + timedelta(0, 0, value * step)
        except (ValueError, ArithmeticError):
            return value

    return converted


def _time(micros: int) -> time:
    if not 0 <= micros < 86_400_000_000:
        raise ValueError("not a time of day")
    return (datetime.min + timedelta(microseconds=micros)).time()


def _or_same(convert: Convert) -> Convert:
    def converted(value: Any) -> object:
        try:
            return convert(value)
        except (ValueError, ArithmeticError):
            return value

    return converted


def _each(convert: Convert | None) -> Convert | None:
    return (lambda values: [convert(value) for value in values]) if convert else None


def _each_value(convert: Convert | None) -> Convert | None:
    return (lambda values: {key: convert(value) for key, value in values.items()}) if convert else None


def _branch(shape: Union) -> Convert | None:
    others = [branch for branch in shape.branches if branch.kind != "null"]
    convert = for_people(others[0]) if len(others) == 1 else None
    return (lambda value: None if value is None else convert(value)) if convert else None


def _fields(converts: dict[str, Convert]) -> Convert | None:
    def converted(record: dict[str, object]) -> object:
        return record | {name: convert(record[name]) for name, convert in converts.items()}

    return converted if converts else None
