"""The arguments of rules in the terms records are judged in: numbers, epoch units, value lists, patterns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation

import re2

from mesh.contract.fields import Field

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LENGTHS = ("minLength", "maxLength", "minItems", "maxItems")
_PATTERNED = ("string", "string/uuid", "enum")


def argument_of(field: Field, kind: str, value: object) -> object:
    """The argument of a clause on a field; raises ValueError with the reason why it makes no sense there."""
    if "avroType" in field.custom:
        raise ValueError(f"{kind} cannot be checked on a raw avroType; write a cel rule")
    if kind == "pattern":
        return _pattern(field, value)
    if kind == "values":
        return _values(field, value)
    if kind in _LENGTHS:
        return _length(field, kind, value)
    return True if kind == "uniqueItems" else _bound(field, kind, value)


def compile_pattern(pattern: str) -> object:
    """The RE2 program of a pattern; raises ValueError where RE2 cannot take it (look-around, references)."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error.args[0])
        raise ValueError(f"{pattern!r} is not an RE2 pattern: {reason}") from None


def _pattern(field: Field, value: object) -> str:
    if field.physical.word not in _PATTERNED:
        raise ValueError(f"a pattern needs text, {field.physical_type} is none")
    compile_pattern(str(value))
    return str(value)


def _length(field: Field, kind: str, value: object) -> int:
    if kind.endswith("Length") and field.physical.word not in ("string", "bytes"):
        raise ValueError(f"{kind} needs text or bytes of free length, {field.physical_type} is neither")
    return int(str(value))


def _values(field: Field, value: object) -> tuple[object, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise ValueError("validValues needs a list of values")
    return tuple(_value(field, entry) for entry in value)


def _value(field: Field, value: object) -> object:
    shape = field.physical
    if shape.word in ("string", "string/uuid", "enum") and isinstance(value, str):
        _among_symbols(field, value)
        return value
    if shape.word in ("int", "long") and isinstance(value, int) and not isinstance(value, bool):
        return value
    if shape.word == "boolean" and isinstance(value, bool):
        return value
    if shape.word in ("float", "double", "bytes/decimal", "fixed/decimal", *_TEMPORAL):
        return _bound(field, "validValues", value)
    raise ValueError(f"the valid value {value!r} is no {field.logical_type}")


def _among_symbols(field: Field, value: str) -> None:
    symbols = field.custom.get("avroSymbols")
    if field.physical.base == "enum" and symbols and value not in symbols:
        raise ValueError(f"the valid value {value!r} is not among avroSymbols")


def _bound(field: Field, kind: str, value: object) -> object:
    word = field.physical.word
    if word in _TEMPORAL:
        return _TEMPORAL[word](str(value))
    if field.logical_type in ("date", "time", "timestamp"):
        return str(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{kind} needs a number, not {value!r}")  # noqa: TRY004  (the document is wrong, not the call)
    if field.physical.logical == "decimal":
        return _decimal(value)
    if word in ("int", "long") and not float(value).is_integer():
        raise ValueError(f"{kind} {value} is not a whole number, but the field is")
    return int(value) if word in ("int", "long") else float(value)


def _decimal(value: float) -> Decimal:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"{value!r} is not a decimal number") from None


def _instant(units: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(f"{text!r} is not an ISO 8601 timestamp") from None
        since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
        return (since.days * 86_400 + since.seconds) * units + since.microseconds * units // 1_000_000

    return convert


def _clock(units: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        try:
            moment = time.fromisoformat(text)
        except ValueError:
            raise ValueError(f"{text!r} is not an ISO 8601 time") from None
        seconds = moment.hour * 3600 + moment.minute * 60 + moment.second
        return seconds * units + moment.microsecond * units // 1_000_000

    return convert


def _day(text: str) -> int:
    try:
        return (date.fromisoformat(text) - date(1970, 1, 1)).days
    except ValueError:
        raise ValueError(f"{text!r} is not an ISO 8601 date") from None


_TEMPORAL: dict[str, Callable[[str], int]] = {
    "int/date": _day,
    "int/time-millis": _clock(1_000),
    "long/time-micros": _clock(1_000_000),
    "long/timestamp-millis": _instant(1_000),
    "long/timestamp-micros": _instant(1_000_000),
    "long/local-timestamp-millis": _instant(1_000),
    "long/local-timestamp-micros": _instant(1_000_000),
    "long/timestamp-nanos": _instant(1_000_000_000),
    "long/local-timestamp-nanos": _instant(1_000_000_000),
}
