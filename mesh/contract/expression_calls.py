"""The part of the writer that deals with functions: sizes, conversions, timestamps and durations."""

from __future__ import annotations

from typing import Final

from mesh.contract.expression_code import LOWEST, NOTHING, Value, both
from mesh.contract.expression_runtime import decimal_double
from mesh.contract.expression_time import (
    DURATION_PARTS,
    RANGES,
    READ,
    SECOND,
    SUMS,
    TIMESTAMP_PARTS,
    duration_part,
    offset_of,
    timestamp_part,
)
from mesh.contract.expression_tree import Binary, Call, Literal, Node
from mesh.contract.expression_types import DOUBLE, DURATION, INT, TIMESTAMP, Type
from mesh.contract.expression_values import ValueWriter, pair

_TYPES: Final = {"timestamp": TIMESTAMP, "duration": DURATION}
_EXAMPLES: Final = {
    "timestamp": "one is written as in timestamp('2013-01-01T10:00:00Z'), within the years 1 to 9999",
    "duration": "one is written as in duration('1h30m'), of the units h, m, s, ms, us and ns, within 292 years",
}
_CASE = "write a pattern that takes both cases, as in message.x.matches('(?i)^ab$')"
_PATTERN = "write a pattern, as in message.x.matches('^[a-z]+-[0-9]+$')"
_ONE_TYPE = "compare the values as they are"
_BETWEEN = "write a ? b : c, as in (message.x < 0 ? -message.x : message.x)"
NEAREST: Final = {
    **dict.fromkeys(("lowerAscii", "upperAscii", "lower", "upper"), _CASE),
    **dict.fromkeys(("split", "replace", "substring", "charAt", "indexOf", "lastIndexOf", "trim", "join"), _PATTERN),
    **dict.fromkeys(("string", "dyn", "type", "bytes", "bool", "format"), _ONE_TYPE),
    **dict.fromkeys(("abs", "min", "max", "greatest", "least", "sign"), _BETWEEN),
    **dict.fromkeys(("round", "ceil", "floor", "trunc"), "write int(...), which truncates toward zero"),
    **dict.fromkeys(("now", "today"), "a rule sees one record and no clock; compare with a field, as message.sent_at"),
    "uint": "write int(...)",
    "length": "write size(...)",
    "len": "write size(...)",
    "count": "write size(message.list.filter(x, ...))",
    "sum": "a sum over a list cannot be said; give the record a field for it",
    "isEmpty": "write size(...) == 0",
    "distinct": "write the option uniqueItems: true for the field",
    "existsOne": "write exists_one",
    "getYear": "write getFullYear()",
    "getDay": "write getDate(), or getDayOfWeek()",
}
"""What to write instead of functions that CEL or its extensions have elsewhere."""


class CallWriter(ValueWriter):
    """Adds the functions that give values."""

    __slots__ = ()

    def call(self, node: Call) -> Value:
        """The source of what a function gives."""
        name, count = node.function, len(node.arguments)
        if node.method and name in TIMESTAMP_PARTS and count in (1, 2):
            return self._part(node)
        if count == 1 and name == "size":
            return self._size(node, self._sure(self.value(node.arguments[0])))
        if count == 1 and not node.method and name in ("int", "double"):
            return self._conversion(node, self._sure(self.value(node.arguments[0])))
        if count == 1 and not node.method and name in READ:
            return self._moment(node)
        hint = f"; {NEAREST[name]}" if name in NEAREST else ""
        return self._refuse(node.at, f"{name} with {count} argument(s) is not a function of the rule language{hint}")

    def _size(self, node: Call, value: Value) -> Value:
        if not value.known:
            return NOTHING
        if value.type.kind not in ("string", "bytes", "list", "map"):
            return self._refuse(node.at, f"{value.type} has no size")
        return Value(Type("int", reach=1 << 40), f"len({value.text})", value.guard)

    def _conversion(self, node: Call, value: Value) -> Value:
        if not value.known:
            return NOTHING
        value, found = self._atom(value), NOTHING
        match node.function, value.type.kind:
            case ("int", "timestamp"):
                found = Value(Type("int", reach=1 << 38), f"({value.text} // {SECOND})", value.guard)
            case ("double", "decimal"):
                found = self._of_decimal(value)
            case (name, kind) if name == kind:
                found = value
            case ("double", "int"):
                found = Value(DOUBLE, f"float({value.text})", value.guard)
            case ("int", "double"):
                inside = f"{float(LOWEST)} <= {value.text} < {float(-LOWEST)}"
                found = Value(INT, f"int({value.text})", both(value.guard, inside))
        if found.known:
            return found
        hint = "; write x.getSeconds()" if value.type.kind == "duration" else ""
        return self._refuse(node.at, f"{node.function} converts numbers, not {value.type}{hint}")

    def _of_decimal(self, value: Value) -> Value:
        found, convert = self._name("t"), self._constant(decimal_double)
        text = f"({found} := {convert}({value.text}, {value.type.scale})) is not None"
        return Value(DOUBLE, found, both(value.guard, text), atom=True)

    def _moment(self, node: Call) -> Value:
        name, argument = node.function, node.arguments[0]
        if isinstance(argument, Literal) and isinstance(argument.value, str):
            number = READ[name](argument.value)
            if number is None:
                return self._refuse(argument.at, f"{argument.value[:40]!r} is not a {name}; {_EXAMPLES[name]}")
            return Value(_TYPES[name], repr(number), atom=True)
        value = self._sure(self.value(argument))
        if not value.known or value.type.kind == name:
            return value
        if value.type.kind == "int" and name == "timestamp":
            return self._ranged(TIMESTAMP, value.guard, f"{value.text} * {SECOND}")
        if value.type.kind != "string":
            return self._refuse(node.at, f"{name} does not take {value.type}; {_EXAMPLES[name]}")
        return self._read(node, argument, value)

    def _read(self, node: Call, argument: Node, value: Value) -> Value:
        if not self.cheap(argument):
            return self._refuse(node.at, f"{node.function} of a text inside a loop applies to the loop's variable only")
        found, read = self._name("t"), self._constant(READ[node.function])
        guard = both(value.guard, f"({found} := {read}({value.text})) is not None")
        return Value(_TYPES[node.function], found, guard, atom=True)

    def _ranged(self, type_: Type, guard: str, text: str) -> Value:
        low, high = RANGES[type_.kind]
        found = self._name("t")
        return Value(type_, found, both(guard, f"{low} <= ({found} := {text}) <= {high}"), atom=True)

    def _part(self, node: Call) -> Value:
        value = self._sure(self.value(node.arguments[0]))
        if not value.known:
            return NOTHING
        name = node.function
        if value.type.kind == "duration" and name in DURATION_PARTS and len(node.arguments) == 1:
            return Value(
                Type("int", reach=1 << 34), f"{self._constant(duration_part(name))}({value.text})", value.guard
            )
        if value.type.kind != "timestamp":
            return self._refuse(node.at, f"{value.type} has no {name}{_wrapped(value)}")
        offset = self._offset(node)
        if offset is None:
            return NOTHING
        part = self._constant(timestamp_part(name, offset))
        return Value(Type("int", reach=1 << 14), f"{part}({value.text})", value.guard)

    def _offset(self, node: Call) -> int | None:
        if len(node.arguments) == 1:
            return 0
        zone = node.arguments[1]
        told = "is not a zone whose offset never changes"
        if isinstance(zone, Literal) and isinstance(zone.value, str):
            offset = offset_of(zone.value)
            if offset is not None:
                return offset
            told = f"{zone.value[:40]!r} {told}"
        else:
            told = f"this {told}"
        self._refuse(zone.at, f"{told}; write 'UTC' or an offset such as '-05:00'")
        return None

    def timed(self, node: Binary, left: Value, right: Value) -> Value:
        """The source of a sum or difference of timestamps and durations, neither of them null."""
        kind = SUMS.get((left.type.kind, node.operator, right.type.kind))
        if kind is None:
            told = f"{node.operator} does not take {pair(left, right)}{_sum_hint(node, left, right)}"
            return self._refuse(node.at, told)
        return self._ranged(_TYPES[kind], both(left.guard, right.guard), f"{left.text} {node.operator} {right.text}")


def _wrapped(value: Value) -> str:
    return "; write timestamp(...) around it" if value.type.kind in ("string", "int") else ""


def _sum_hint(node: Binary, left: Value, right: Value) -> str:
    if node.operator in ("+", "-") and "int" in (left.type.kind, right.type.kind):
        return "; write duration('90s') for a length of time, or int(...) around a timestamp for its seconds"
    if node.operator in ("*", "/", "%"):
        return "; write x.getSeconds() for the seconds of a duration, int(x) for those of a timestamp"
    return ""
