"""The half of the writer that deals with values: fields, numbers, texts, collections."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Final

from mesh.contract.expression_code import HIGHEST, LOWEST, NOTHING, Truth, Value, as_value, both
from mesh.contract.expression_runtime import divide, quotient, remainder
from mesh.contract.expression_time import RANGES
from mesh.contract.expression_tree import (
    Binary,
    Call,
    Conditional,
    Index,
    ListLiteral,
    Literal,
    Loop,
    MapLiteral,
    Name,
    Node,
    Place,
    Select,
    Unary,
)
from mesh.contract.expression_types import BOOL, DOUBLE, INT, NULL, STRING, Type

_LITERALS: Final = {int: INT, float: DOUBLE, str: STRING, bool: BOOL, type(None): NULL}
CONDITIONS: Final = ("startsWith", "endsWith", "contains", "matches")
# A condition that may be an error is written several times where its value is wanted, so nesting multiplies.
LONGEST_SOURCE: Final = 1 << 16
_RUNTIME: Final = {"/": quotient, "%": remainder}


@dataclass(slots=True)
class ValueWriter(ABC):
    """Writes one expression; ``problems`` collects what it refuses, ``loads`` and ``constants`` what the source needs.

    Top-level fields are read from variables ``f_<field>``; ``prefix`` keeps other names of several expressions apart.
    """

    message: Type
    prefix: str = ""
    problems: list[str] = field(default_factory=list)
    loads: dict[str, str] = field(default_factory=dict)
    constants: dict[str, object] = field(default_factory=dict)
    _scope: dict[str, Value] = field(default_factory=dict)
    _names: int = 0

    @abstractmethod
    def truth(self, node: Node) -> Truth:
        """The source of a condition."""

    @abstractmethod
    def call(self, node: Call) -> Value:
        """The source of what a function gives."""

    @abstractmethod
    def collected(self, node: Loop) -> Value:
        """The source of the list that a loop makes."""

    @abstractmethod
    def timed(self, node: Binary, left: Value, right: Value) -> Value:
        """The source of a sum or difference of timestamps and durations, neither of them null."""

    def _name(self, kind: str) -> str:
        self._names += 1
        return f"{kind}{self.prefix}{self._names}"

    def _constant(self, value: object) -> str:
        name = self._name("k")
        self.constants[name] = value
        return name

    def _refuse(self, at: Place, reason: str) -> Value:
        self.problems.append(f"{at}: {reason}")
        return NOTHING

    def _atom(self, value: Value) -> Value:
        """The same value behind a name, so that its text may be repeated."""
        if value.atom:
            return value
        name = self._name("t")
        return Value(value.type, name, both(value.guard, f"(({name} := {value.text}) is {name})"), atom=True)

    def _sure(self, value: Value) -> Value:
        """The same value where null is an error."""
        if not value.type.nullable:
            return value
        if value.atom:
            return replace(value, type=value.type.sure, guard=both(value.guard, f"{value.text} is not None"))
        name = self._name("t")
        return Value(value.type.sure, name, both(value.guard, f"({name} := {value.text}) is not None"), atom=True)

    def value(self, node: Node) -> Value:
        """The source of a value."""
        match node:
            case Literal():
                value = Value(_literal_type(node.value), repr(node.value), atom=True)
            case Name():
                value = self._named(node)
            case Select():
                value = self._field_of(node.at, node.operand, node.field)
            case Index():
                value = self._index(node)
            case Unary(operator="-"):
                value = self._negative(node)
            case Binary(operator="+" | "-" | "*" | "/" | "%"):
                value = self._arithmetic(node)
            case ListLiteral() | MapLiteral():
                value = self._list(node) if isinstance(node, ListLiteral) else self._map(node)
            case Conditional():
                value = self._choice(node)
            case Call() if node.function not in CONDITIONS:
                value = self.call(node)
            case Loop(kind="filter" | "map"):
                value = self.collected(node)
            case _:
                value = as_value(self.truth(node))
        if len(value.text) + len(value.guard) > LONGEST_SOURCE:
            return self._refuse(node.at, "the expression is too complex; split it into several rules")
        return value

    def _named(self, node: Name) -> Value:
        if node.name in self._scope:
            return self._loaded(self._scope[node.name])
        if node.name == "message":
            return Value(self.message, "message", atom=True)
        hint = f"; write message.{node.name}" if node.name in self.message.fields else ""
        return self._refuse(node.at, f"{node.name} is not known here{hint}")

    def _loaded(self, value: Value) -> Value:
        """What a record holds as rules see it: timestamps and durations as nanoseconds; beyond their range an error."""
        type_ = value.type
        if not type_.temporal or type_.unit == 1:
            return value
        low, high = (-(-bound // type_.unit) if bound < 0 else bound // type_.unit for bound in RANGES[type_.kind])
        value, loaded = self._atom(value), replace(type_, unit=1, reach=INT.reach)
        inside = f"{low} <= {value.text} <= {high}" if type_.reach > min(-low, high) else ""
        text = f"({value.text} * {type_.unit})"
        if not type_.nullable:
            return Value(loaded, text, both(value.guard, inside))
        guard = both(value.guard, f"({value.text} is None or {inside})" if inside else "")
        return Value(loaded, f"(None if {value.text} is None else {text})", guard)

    def _field_of(self, at: Place, operand: Node, name: str, missing: str = "") -> Value:
        target = self._sure(self.value(operand))
        if target.type.kind == "map":
            return self._entry(target, Value(STRING, repr(name), atom=True), missing)
        if target.type.kind != "record":
            return self._refuse(at, f"{target.type} has no field {name}") if target.known else NOTHING
        type_ = target.type.fields.get(name)
        if type_ is None:
            near = get_close_matches(name, target.type.fields, 1)
            return self._refuse(at, f"there is no field {name}" + (f"; did you mean {near[0]}?" if near else ""))
        if target.text != "message":
            return self._loaded(Value(type_, f"{target.text}[{name!r}]", target.guard))
        variable = f"f_{name}"
        self.loads[variable] = name
        return self._loaded(Value(type_, variable, atom=True))

    def _entry(self, target: Value, key: Value, missing: str) -> Value:
        target, key = self._atom(target), self._atom(key)
        if missing:
            found = Value(target.type.element.maybe, f"{target.text}.get({key.text})", both(target.guard, key.guard))
            return self._loaded(found)
        guard = both(target.guard, key.guard, f"{key.text} in {target.text}")
        return self._loaded(Value(target.type.element, f"{target.text}[{key.text}]", guard))

    def _index(self, node: Index) -> Value:
        target, key = self.value(node.operand), self.value(node.key)
        if not (target.known and key.known):
            return NOTHING
        target, key = self._sure(target), self._sure(key)
        wanted = {"list": "int", "map": "string"}.get(target.type.kind)
        if wanted is None or key.type.kind != wanted:
            return self._refuse(node.at, f"{target.type} has no index of type {key.type}")
        if wanted == "string":
            return self._entry(target, key, "")
        target, key = self._atom(target), self._atom(key)
        guard = both(target.guard, key.guard, f"0 <= {key.text} < len({target.text})")
        return self._loaded(Value(target.type.element, f"{target.text}[{key.text}]", guard))

    def _negative(self, node: Unary) -> Value:
        operand = self.value(node.operand)
        if not operand.known:
            return NOTHING
        if not operand.type.numeric:
            hint = "; write duration('0s') - ..." if operand.type.kind == "duration" else ""
            return self._refuse(node.at, f"{operand.type} has no negative{hint}")
        operand = self._atom(self._sure(operand))
        safe = operand.type == DOUBLE or operand.type.reach <= HIGHEST
        guard = operand.guard if safe else both(operand.guard, f"{operand.text} != {LOWEST}")
        return Value(operand.type, f"(-{operand.text})", guard)

    def _arithmetic(self, node: Binary) -> Value:
        left, right = self.value(node.left), self.value(node.right)
        if not (left.known and right.known):
            return NOTHING
        left, right = self._sure(left), self._sure(right)
        kinds = {left.type.kind, right.type.kind}
        if kinds == {"string"} and node.operator == "+":
            return self._concatenation(node, left, right)
        if kinds == {"double"} and node.operator != "%":
            return self._double_arithmetic(node.operator, left, right)
        if kinds == {"int"}:
            return self._integer_arithmetic(node.operator, left, right)
        if left.type.temporal or right.type.temporal:
            return self.timed(node, left, right)
        hint = "; write double(...) around the integer, or 1.0 for 1" if kinds == {"int", "double"} else ""
        return self._refuse(node.at, f"{node.operator} does not take {pair(left, right)}{hint}")

    def _concatenation(self, node: Binary, left: Value, right: Value) -> Value:
        if not (self.cheap(node.left) and self.cheap(node.right)):
            return self._refuse(node.at, "inside a loop + applies to the loop's variable only")
        return Value(STRING, f"({left.text} + {right.text})", both(left.guard, right.guard))

    def _double_arithmetic(self, operator: str, left: Value, right: Value) -> Value:
        guard = both(left.guard, right.guard)
        if operator != "/":
            return Value(DOUBLE, f"({left.text} {operator} {right.text})", guard)
        return Value(DOUBLE, f"{self._constant(divide)}({left.text}, {right.text})", guard)

    def _integer_arithmetic(self, operator: str, left: Value, right: Value) -> Value:
        if operator in _RUNTIME:
            return self._division(operator, left, right)
        near, far = left.type.reach, right.type.reach
        reach = near * far if operator == "*" else near + far
        guard, text = both(left.guard, right.guard), f"({left.text} {operator} {right.text})"
        return self._within(reach, guard, text)

    def _within(self, reach: int, guard: str, text: str) -> Value:
        if reach <= HIGHEST:
            return Value(Type("int", reach=reach), text, guard)
        result = self._name("t")
        return Value(INT, result, both(guard, f"{LOWEST} <= ({result} := {text}) <= {HIGHEST}"), atom=True)

    def _division(self, operator: str, left: Value, right: Value) -> Value:
        reach = left.type.reach if operator == "/" else min(left.type.reach, right.type.reach)
        if right.text.isdecimal() and right.text != "0":  # a positive constant: Python's division and a sign will do
            left, python = self._atom(left), "//" if operator == "/" else "%"
            positive, negative = f"{left.text} {python} {right.text}", f"-(-{left.text} {python} {right.text})"
            text = f"({positive} if {left.text} >= 0 else {negative})"
            return Value(Type("int", reach=reach), text, left.guard)
        right = self._atom(right)
        guard = both(left.guard, right.guard, f"{right.text} != 0")
        return self._within(reach, guard, f"{self._constant(_RUNTIME[operator])}({left.text}, {right.text})")

    def _list(self, node: ListLiteral) -> Value:
        items = [self.value(item) for item in node.items]
        if not all(item.known for item in items):
            return NOTHING
        type_ = _common([item.type for item in items])
        if type_ is None:
            return self._refuse(node.at, "the items of a list are of one type")
        text = "[" + ", ".join(item.text for item in items) + "]"
        return Value(Type("list", item=replace(type_, reach=INT.reach)), text, both(*(item.guard for item in items)))

    def _map(self, node: MapLiteral) -> Value:
        keys = [key.value if isinstance(key, Literal) else None for key, _ in node.entries]
        if not all(isinstance(key, str) for key in keys) or len(set(keys)) < len(keys):
            return self._refuse(node.at, "the keys of a map are texts, written out, each once")
        items = [self.value(item) for _, item in node.entries]
        if not all(item.known for item in items):
            return NOTHING
        type_ = _common([item.type for item in items])
        if type_ is None:
            return self._refuse(node.at, "the values of a map are of one type")
        text = "{" + ", ".join(f"{key!r}: {item.text}" for key, item in zip(keys, items, strict=True)) + "}"
        return Value(Type("map", item=replace(type_, reach=INT.reach)), text, both(*(item.guard for item in items)))

    def _choice(self, node: Conditional) -> Value:
        condition, then, otherwise = self.truth(node.condition), self.value(node.then), self.value(node.otherwise)
        if not (condition.known and then.known and otherwise.known):
            return NOTHING
        type_ = _common([then.type, otherwise.type])
        if type_ is None:
            return self._refuse(node.at, f"both outcomes of ?: are of one type, not {pair(then, otherwise)}")
        chosen = self._name("t")
        decided = as_value(condition)
        bind = f"(({chosen} := {decided.text}) is {chosen})"
        branches = (
            ""
            if not (then.guard or otherwise.guard)
            else (f"(({then.guard or 'True'}) if {chosen} else ({otherwise.guard or 'True'}))")
        )
        return Value(type_, f"({then.text} if {chosen} else {otherwise.text})", both(decided.guard, bind, branches))

    def cheap(self, node: Node) -> bool:
        """Whether work on this may be repeated by the innermost loop it stands in, if it stands in one."""
        # A record of 1 MB holds a list of 10^5 items and a text of 10^6 characters; their product would stop a gate.
        # What belongs to the item is walked once per item, so all of it together is no longer than the record.
        if not self._scope:
            return True
        match node:
            case Select(operand=inner) | Index(operand=inner) | Loop(kind="filter", target=inner):
                return self.cheap(inner)
            case Binary(operator="+", left=left, right=right):
                return self.cheap(left) and self.cheap(right)
            case ListLiteral(items=items):
                return all(self.cheap(item) for item in items)
            case Name(name=name):
                return name == next(reversed(self._scope))
        return isinstance(node, Literal)


def _literal_type(value: float | str | bool | None) -> Type:
    type_ = _LITERALS[type(value)]
    return Type("int", reach=abs(value)) if type_ == INT and isinstance(value, int) else type_


def pair(left: Value, right: Value) -> str:
    """Two operands for people."""
    return f"{left.type} and {right.type}"


def comparable(left: Type, right: Type) -> bool:
    """Whether ``==`` can be true of two non-null values."""
    if left.kind == "list" == right.kind:
        if left.element.temporal or right.element.temporal:
            return False
        empty = "null" in (left.element.kind, right.element.kind)
        return (empty or comparable(left.element, right.element)) and not (left.has_double or right.has_double)
    return (left.numeric and right.numeric) or (left.scalar and left.kind == right.kind)


def _common(types: list[Type]) -> Type | None:
    others = [type_ for type_ in types if type_.kind != "null"]
    if not others:
        return NULL
    reach = max(type_.reach for type_ in others)
    widest = [replace(type_, nullable=False, reach=reach) for type_ in others]
    if any(type_ != widest[0] for type_ in widest):
        return None
    return widest[0].maybe if len(others) < len(types) or any(type_.nullable for type_ in others) else widest[0]
