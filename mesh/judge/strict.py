"""A record that is exactly of its schema, or the path and reason why not: Avro writers alter in silence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

from mesh.contract.shape import Array, Enum, Fixed, Map, Primitive, Record, Shape, Union, describe
from mesh.errors import ContractInvalid, EncodingRefused
from mesh.judge.logical import digit_limit, to_plain

Check = Callable[[Any], object]
"""Takes a value, returns what the writer shall write; raises EncodingRefused with the path below the value."""

_BITS: Final = {"int": 31, "long": 63}
_LARGEST_FLOAT: Final = 3.4028234663852886e38
_EXACT: Final = 1 << 53
_DEEPEST: Final = 64


def strict(shape: Shape, depth: int = 0) -> Check:
    """The check of a shape. Whole numbers are taken for doubles, Python's own types for logical ones, nothing else."""
    if depth > _DEEPEST:
        raise ContractInvalid([f"the record: recursive, or nested more than {_DEEPEST} levels deep"])
    match shape:
        case Record():
            check = _record(shape, depth)
        case Union():
            check = _union(shape, depth)
        case Array():
            check = _array(strict(shape.items, depth + 1))
        case Map():
            check = _map(strict(shape.values, depth + 1))
        case Enum():
            check = _enum(shape)
        case Fixed():
            check = _logical(shape, _fixed(shape))
        case Primitive():
            check = _logical(shape, _PRIMITIVES[shape.kind])
    return check


def _refuse(value: object, wanted: str) -> NoReturn:
    told = "null" if value is None else f"of type {type(value).__name__}"
    raise EncodingRefused("", f"is {told}, the schema wants {wanted}")


def _below(name: str, error: EncodingRefused) -> EncodingRefused:
    # Paths are made while an error goes up, so that records without one do not pay for them.
    joint = "" if not error.path or error.path.startswith("[") else "."
    return EncodingRefused(f"{name}{joint}{error.path}", error.reason)


def _record(shape: Record, depth: int) -> Check:
    checks = {part.name: strict(part.type, depth + 1) for part in shape.fields}
    needed = frozenset(part.name for part in shape.fields if not part.has_default)

    def check(value: Any) -> object:
        if not isinstance(value, Mapping):
            _refuse(value, describe(shape))
        if not needed <= value.keys():
            raise EncodingRefused(min(needed - value.keys()), "is missing")
        plain, name = {}, ""
        try:
            for name, item in value.items():
                plain[name] = checks[name](item)
        except EncodingRefused as error:
            raise _below(name, error) from None
        except KeyError:
            raise EncodingRefused(str(name), "is not a field of the schema") from None
        return plain

    return check


def _union(shape: Union, depth: int) -> Check:
    others = [branch for branch in shape.branches if branch.kind != "null"]
    nullable = len(others) < len(shape.branches)
    if len(others) == 1:
        inner = strict(others[0], depth + 1)
        return lambda value: None if value is None and nullable else inner(value)
    # Whole numbers are numbers first: a double takes them only when nothing else does.
    ordered = sorted(others, key=lambda branch: branch.kind in ("float", "double"))
    named = [(_branch_name(branch), strict(branch, depth + 1)) for branch in ordered]

    def check(value: Any) -> object:
        if value is None and nullable:
            return None
        for name, inner in named:
            try:
                return name, inner(value)
            except EncodingRefused:
                continue
        return _refuse(value, describe(shape))

    return check


def _branch_name(shape: Shape) -> str:
    return shape.name if isinstance(shape, Record | Enum | Fixed) else shape.kind


def _array(inner: Check) -> Check:
    def check(value: Any) -> object:
        if not isinstance(value, list | tuple):
            _refuse(value, "an array")
        plain: list[object] = []
        try:
            for item in value:
                plain.append(inner(item))
        except EncodingRefused as error:
            raise _below(f"[{len(plain)}]", error) from None
        return plain

    return check


def _map(inner: Check) -> Check:
    def check(value: Any) -> object:
        if not isinstance(value, Mapping):
            _refuse(value, "a map")
        plain, key = {}, ""
        try:
            for key, item in value.items():
                plain[_string(key)] = inner(item)
        except EncodingRefused as error:
            raise _below(f"[{key!r}]", error) from None
        return plain

    return check


def _enum(shape: Enum) -> Check:
    symbols = frozenset(shape.symbols)

    def check(value: Any) -> object:
        if not isinstance(value, str):
            _refuse(value, describe(shape))
        if value not in symbols:
            raise EncodingRefused("", f"is none of the {len(symbols)} symbols of {describe(shape)}")
        return value

    return check


def _fixed(shape: Fixed) -> Check:
    def check(value: Any) -> object:
        if not isinstance(value, bytes) or len(value) != shape.size:
            _refuse(value, f"{shape.size} bytes")
        return value

    return check


def _logical(shape: Primitive | Fixed, inner: Check) -> Check:
    logical = shape.logical
    if logical is None:
        return inner

    def check(value: Any) -> object:
        try:
            plain = to_plain(logical, value)
        except ValueError as error:
            raise EncodingRefused("", str(error)) from None
        if logical.name == "decimal" and isinstance(plain, int) and plain is not value:
            return _decimal_bytes(plain, shape)
        written = inner(plain)
        if logical.name == "decimal" and isinstance(written, bytes):
            _digits(written, shape, digit_limit(logical))
        return written

    return check


def _decimal_bytes(number: int, shape: Primitive | Fixed) -> bytes:
    shortest = ((number if number >= 0 else ~number).bit_length() + 8) // 8
    size = shape.size if isinstance(shape, Fixed) else shortest
    if shortest > size:
        raise EncodingRefused("", f"does not fit {describe(shape)}")
    return number.to_bytes(size, "big", signed=True)


def _digits(raw: bytes, shape: Primitive | Fixed, limit: int) -> None:
    if not -limit < int.from_bytes(raw, "big", signed=True) < limit:
        raise EncodingRefused("", f"does not fit {describe(shape)}")


def _null(value: Any) -> object:
    return None if value is None else _refuse(value, "null")


def _boolean(value: Any) -> object:
    return value if isinstance(value, bool) else _refuse(value, "a boolean")


def _number(kind: str) -> Check:
    low, high = -(1 << _BITS[kind]), (1 << _BITS[kind]) - 1

    def check(value: Any) -> object:
        if not isinstance(value, int) or isinstance(value, bool):
            _refuse(value, f"a whole number ({kind})")
        if not low <= value <= high:
            raise EncodingRefused("", f"does not fit {_BITS[kind] + 1} bits")
        return value

    return check


def _double(value: Any) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value) if -_EXACT <= value <= _EXACT else _refuse(value, "a number that a double holds")
    return value if isinstance(value, float) else _refuse(value, "a number")


def _float(value: Any) -> object:
    number = _double(value)
    if isinstance(number, float) and _LARGEST_FLOAT < abs(number) < float("inf"):
        raise EncodingRefused("", "does not fit 32 bits")
    return number


def _string(value: Any) -> str:
    if not isinstance(value, str):
        _refuse(value, "a text")
    if not value.isascii() and any(0xD800 <= ord(char) < 0xE000 for char in value):
        raise EncodingRefused("", "holds half of a surrogate pair, which has no UTF-8")
    return value


def _bytes(value: Any) -> object:
    return value if isinstance(value, bytes) else _refuse(value, "bytes")


_PRIMITIVES: Final[dict[str, Check]] = {
    "null": _null,
    "boolean": _boolean,
    "int": _number("int"),
    "long": _number("long"),
    "float": _float,
    "double": _double,
    "string": _string,
    "bytes": _bytes,
}
