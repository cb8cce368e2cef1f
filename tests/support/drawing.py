"""Drawn schemas, rules that fit them, and records at the edges of their types."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

SYMBOLS = ["red", "green", "blue"]
_INTS = [0, 0, 1, 1, -1, 2, 7, -7, 60, 2013, (1 << 31) - 1, -(1 << 31)]
_LONGS = [*_INTS, (1 << 53) - 1, 1 << 53, (1 << 53) + 1, -(1 << 53) - 1, 1 << 62, (1 << 63) - 1, -(1 << 63)]
_DOUBLES = [0.0, -0.0, 1.0, 1.0, -7.0, 2.5, 2.0**53, 2.0**63, 1e300, 5e-324, math.inf, -math.inf, math.nan]
_TEXTS = [
    "",
    "a",
    "a",
    "ab",
    "abc",
    "N14228",
    "é",
    "éa",
    "空港",
    "𝄞",
    "￿",
    "abcdefgh",
    "x" * 70,
    "\x00",
    "2013-01-01T00:00:00Z",
]
_NOON = 1_357_041_600_000_000
_MICROS = [0, 0, -1, _NOON, _NOON, _NOON + 1, _NOON - 60_000_000, -62_135_596_800_000_000, 253_402_300_799_999_999]
_BEYOND = [-62_135_596_800_000_001, 253_402_300_800_000_000, (1 << 63) - 1, -(1 << 63)]
_CLOCK = [0, 1, 43_200_000_000, 86_399_999_999, 60_000_000, -1, 9_223_372_036_854_775]


def _logical(base: str, name: str) -> dict[str, Any]:
    return {"type": base, "logicalType": name}


SCALARS: dict[str, tuple[Any, str, list[Any]]] = {
    "int": ("int", "int", _INTS),
    "long": ("long", "int", _LONGS),
    "double": ("double", "double", _DOUBLES),
    "float": ("float", "double", [0.0, 1.5, 2.5, math.inf, math.nan]),
    "string": ("string", "string", _TEXTS),
    "enum": ({"type": "enum", "name": "Colour", "symbols": SYMBOLS}, "string", list(SYMBOLS)),
    "boolean": ("boolean", "bool", [True, False]),
    "millis": (_logical("long", "timestamp-millis"), "timestamp", [m // 1000 for m in _MICROS + _BEYOND]),
    "micros": (_logical("long", "timestamp-micros"), "timestamp", _MICROS + _BEYOND),
    "nanos": (_logical("long", "timestamp-nanos"), "timestamp", [0, -1000, _NOON * 1000]),
    "local": (_logical("long", "local-timestamp-millis"), "timestamp", [m // 1000 for m in _MICROS]),
    "date": (_logical("int", "date"), "timestamp", [0, 15706, -719_162, 2_932_896, 2_932_897, (1 << 31) - 1]),
    "clock": (_logical("int", "time-millis"), "duration", [0, 43_200_000, 86_399_999, -1]),
    "fine": (_logical("long", "time-micros"), "duration", [*_CLOCK, _CLOCK[-1] + 1, -(1 << 63)]),
}
"""Avro type, kind in rules, values."""


@dataclass
class Scope:
    """What a rule may name: paths by kind, those that may be null, and what loops walk."""

    paths: dict[str, list[str]] = field(default_factory=dict)
    nullable: list[str] = field(default_factory=list)
    walks: list[tuple[str, Scope]] = field(default_factory=list)

    def take(self, path: str, kind: str) -> None:
        self.paths.setdefault(kind, []).append(path)

    def under(self, prefix: str) -> Scope:
        """The same below another name; inner paths begin with ``$``."""
        renamed = Scope({kind: [path.replace("$", prefix, 1) for path in paths] for kind, paths in self.paths.items()})
        renamed.nullable = [path.replace("$", prefix, 1) for path in self.nullable]
        renamed.walks = [(path.replace("$", prefix, 1), inner) for path, inner in self.walks]
        return renamed

    def add(self, other: Scope) -> None:
        for kind, paths in other.paths.items():
            self.paths.setdefault(kind, []).extend(paths)
        self.nullable += other.nullable
        self.walks += other.walks


@dataclass
class Drawn:
    """A schema and what belongs to it."""

    schema: dict[str, Any]
    scope: Scope
    make: Callable[[], dict[str, Any]]


class Draw:
    """Draws by one source of chance."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self._named: set[str] = set()
        self._known: tuple[Any, Scope, Callable[[], Any]] = "Inner", Scope(), dict

    # Schemas and records

    def schema(self) -> Drawn:
        """A record with fields of many types, among them a nested, a referenced type and collections."""
        self._named = set()
        scope, parts, makers = Scope(), [], {}
        drawn = [(f"f{n}", *self._scalar(f"message.f{n}", scope)) for n in range(self.chance.randint(4, 8))]
        drawn += [(name, *self._inner(f"message.{name}", scope)) for name in ("r", "q")]
        drawn += [(f"l{n}", *self._list(f"message.l{n}", scope)) for n in range(2)]
        drawn += [("m", *self._map("message.m", scope)), ("p", *self._items("message.p", scope))]
        for name, type_, make in drawn:
            parts.append({"name": name, "type": type_})
            makers[name] = make
        return Drawn(
            {"type": "record", "name": "R", "fields": parts},
            scope,
            lambda: {name: make() for name, make in makers.items()},
        )

    def _scalar(self, path: str, scope: Scope, kinds: list[str] | None = None) -> tuple[Any, Callable[[], Any]]:
        name = self.chance.choice(kinds or [*SCALARS, "long", "string"])
        type_, kind, values = SCALARS[name]
        if isinstance(type_, dict) and "name" in type_:
            type_ = type_["name"] if type_["name"] in self._named else type_
            self._named.add("Colour")
        scope.take(path, kind)
        if self.chance.random() < 0.6:
            return type_, lambda: self.chance.choice(values)
        scope.nullable.append(path)
        pair = ["null", type_] if self.chance.random() < 0.7 else [type_, "null"]
        return pair, lambda: None if self.chance.random() < 0.3 else self.chance.choice(values)

    def _inner(self, path: str, scope: Scope) -> tuple[Any, Callable[[], Any]]:
        if "Inner" in self._named:
            type_, inner, make = self._known
        else:
            inner = Scope()
            parts = {name: self._scalar(f"$.{name}", inner) for name in ("a", "b", "c")}
            type_ = {
                "type": "record",
                "name": "Inner",
                "fields": [{"name": n, "type": t} for n, (t, _) in parts.items()],
            }
            make = lambda: {name: each() for name, (_, each) in parts.items()}  # noqa: E731
            self._named.add("Inner")
            self._known = ("Inner", inner, make)
        scope.add(inner.under(path))
        if self.chance.random() < 0.5:
            return type_, make
        scope.nullable.append(path)
        return ["null", type_], lambda: None if self.chance.random() < 0.3 else make()

    def _list(self, path: str, scope: Scope) -> tuple[Any, Callable[[], Any]]:
        inner = Scope()
        type_, make = self._scalar("$", inner, ["long", "long", "string", "double", "micros", "millis"])
        scope.walks.append((path, inner))
        scope.take(path, "list")
        kind = next(iter(inner.paths))
        scope.paths.setdefault(kind, []).extend([f"{path}[0]", f"{path}[1]"])
        array = {"type": "array", "items": type_}

        def some() -> list[Any]:
            return [make() for _ in range(self.chance.choice((0, 0, 1, 2, 3)))]

        if self.chance.random() < 0.7:
            return array, some
        scope.nullable.append(path)
        return ["null", array], lambda: None if self.chance.random() < 0.3 else some()

    def _map(self, path: str, scope: Scope) -> tuple[Any, Callable[[], Any]]:
        type_, make = self._scalar("$", Scope(), ["long"])
        scope.walks.append((path, Scope({"string": ["$"]})))
        scope.take(path, "list")
        scope.take(f"{path}.a", "int")
        scope.take(f"{path}['b']", "int")
        return {"type": "map", "values": type_}, lambda: {
            key: make() for key in self.chance.sample(["a", "b", "é"], self.chance.randint(0, 2))
        }

    def _items(self, path: str, scope: Scope) -> tuple[Any, Callable[[], Any]]:
        inner = Scope()
        parts = {name: self._scalar(f"$.{name}", inner) for name in ("a", "b", "c")}
        parts["xs"] = self._list("$.xs", inner)
        parts["in"] = self._inner("$.in", inner)
        scope.walks.append((path, inner))
        scope.take(path, "list")
        fields = [{"name": name, "type": type_} for name, (type_, _) in parts.items()]
        array = {"type": "array", "items": {"type": "record", "name": "Item", "fields": fields}}
        return array, lambda: [
            {name: make() for name, (_, make) in parts.items()} for _ in range(self.chance.choice((0, 1, 1, 2, 3)))
        ]

    # Rules

    def rule(self, scope: Scope, depth: int = 3) -> str:
        """A condition over such a scope."""
        if depth <= 0 or self.chance.random() < 0.15:
            return self._atom(scope, depth)
        left, right = self.rule(scope, depth - 1), self.rule(scope, depth - 1)
        return self.chance.choice(
            (
                f"({left} && {right})",
                f"({left} || {right})",
                f"!({left})",
                f"({left} ? {right} : {self._atom(scope, depth - 1)})",
                f"({left} {self.chance.choice(('==', '!='))} {right})",
                self._loop(scope, depth),
                self._atom(scope, depth),
                self._atom(scope, depth),
            )
        )

    def _loop(self, scope: Scope, depth: int) -> str:
        if not scope.walks:
            return self._atom(scope, depth)
        target, item = self.chance.choice(scope.walks)
        variable = f"v{depth}"
        inside = Scope(dict(scope.paths), list(scope.nullable))
        # Mostly about the item itself: much else inside a loop is refused.
        inside = item.under(variable) if self.chance.random() < 0.8 else inside
        if not inside.paths.keys() & {"int", "double", "string", "bool", "timestamp", "duration"}:
            inside.add(item.under(variable))
        condition = self.rule(inside, depth - 1)
        if not condition.endswith(")"):
            condition = f"{condition} && true"  # where null is an error to cel-python too
        kind = self.chance.choice(("exists", "all", "exists", "all", "exists_one", "filter"))
        if kind == "filter":
            return f"(size({target}.filter({variable}, {condition})) {self._order()} {self.chance.randint(0, 2)})"
        return f"{target}.{kind}({variable}, {condition})"

    def _order(self) -> str:
        return self.chance.choice(("==", "!=", "<", "<=", ">", ">="))

    def _atom(self, scope: Scope, depth: int) -> str:
        kind = self.chance.choice([kind for kind in scope.paths if kind != "list"] or ["int"])
        draw = self.chance.random()
        if draw < 0.12 and scope.nullable:
            path = self.chance.choice(scope.nullable)
            return (
                f"has({path})" if "." in path and draw < 0.04 else f"({path} {self.chance.choice(('==', '!='))} null)"
            )
        if draw < 0.24:
            return f"({self.value(kind, scope, depth - 1)} in {self._haystack(kind, scope)})"
        if kind == "bool":
            return self.value(kind, scope, 0)
        if kind == "string" and draw < 0.6:
            return self._about_text(scope, depth)
        other = "double" if kind == "int" and draw < 0.4 and "double" in scope.paths else kind
        return f"({self.value(kind, scope, depth - 1)} {self._order()} {self.value(other, scope, depth - 2)})"

    def _about_text(self, scope: Scope, depth: int) -> str:
        text = self.value("string", scope, depth - 1)
        name = self.chance.choice(("startsWith", "endsWith", "contains", "matches"))
        if name == "matches":
            pattern = self.chance.choice(("^a+$", "b|é", "^.{2}$", "[A-Z][0-9]+", "", "(?i)^AB"))
            return f"{text}.matches('{pattern}')"
        part = self.chance.choice(("'a'", "''", "'空'", "'ab'", "'é'"))
        return f"{text}.{name}({part if self.chance.random() < 0.8 else self.value('string', scope, 0)})"

    def _haystack(self, kind: str, scope: Scope) -> str:
        if kind == "int" and self.chance.random() < 0.1:
            return "[]"
        items = [self._constant(kind) for _ in range(self.chance.randint(1, 3))]
        if self.chance.random() < 0.2:
            items.append("null")
        if self.chance.random() < 0.2:
            items.append(self.value(kind, scope, 0))
        return f"[{', '.join(items)}]"

    def value(self, kind: str, scope: Scope, depth: int) -> str:
        """A value of a kind."""
        paths = scope.paths.get(kind)
        if depth <= 0 or self.chance.random() < 0.3:
            return self.chance.choice(paths) if paths and self.chance.random() < 0.75 else self._constant(kind)
        if self.chance.random() < 0.1:
            test = self._atom(scope, 0)
            return f"({test} ? {self.value(kind, scope, depth - 1)} : {self.value(kind, scope, depth - 1)})"
        return self.chance.choice(self._made(kind, scope, depth))

    def _made(self, kind: str, scope: Scope, depth: int) -> list[str]:
        def make(wanted: str) -> str:
            return self.value(wanted, scope, depth - 1)

        if kind == "int":
            operator = self.chance.choice(("+", "-", "*", "/", "%"))
            part = self.chance.choice(
                ("getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear")
            )
            clock = self.chance.choice(("getHours", "getMinutes", "getSeconds", "getMilliseconds"))
            zone = self.chance.choice(("", "", "'UTC'", "'-05:30'", "'+14:00'", "'02:00'"))
            # Zones reach beyond the years that cel-python has.
            moment = make("timestamp") if not zone.strip("'UTC") else "timestamp('2013-01-01T05:00:00Z')"
            found = [f"({make('int')} {operator} {make('int')})"] * 3
            found += [
                f"-({make('int')})",
                f"int({make('double')})",
                f"size({make('string')})",
                f"int({make('timestamp')})",
            ]
            found += [f"{moment}.{part}({zone})", f"{moment}.{clock}({zone})", f"{make('duration')}.{clock}()"]
            return found + [f"size({path})" for path in scope.paths.get("list", [])]
        if kind == "double":
            operator = self.chance.choice(("+", "-", "*", "/"))
            return [f"({make('double')} {operator} {make('double')})", f"double({make('int')})", f"-({make('double')})"]
        if kind == "timestamp":
            operator = self.chance.choice(("+", "-"))
            return [
                f"({make('timestamp')} {operator} {make('duration')})",
                f"timestamp({make('int')})",
                make("timestamp"),
            ]
        if kind == "duration":
            operator = self.chance.choice(("+", "-"))
            return [
                f"({make('timestamp')} - {make('timestamp')})",
                f"({make('duration')} {operator} {make('duration')})",
            ]
        return [f"({make('string')} + {make('string')})"] if kind == "string" else [self._atom(scope, 0)]

    def _constant(self, kind: str) -> str:
        match kind:
            case "int":
                return str(self.chance.choice([0, 1, 2, 7, -1, 60, 2013, (1 << 53) + 1, (1 << 63) - 1, -(1 << 63)]))
            case "double":
                return self.chance.choice(("0.0", "1.0", "2.5", "-7.0", "1e300", "9007199254740992.0"))
            case "string":
                return self.chance.choice(("''", "'a'", "'ab'", "'é'", "'N14228'", "'abcdefgh'"))
            case "bool":
                return self.chance.choice(("true", "false"))
            case "timestamp":
                return self.chance.choice(
                    ("timestamp('2013-01-01T12:00:00Z')", "timestamp(0)", "timestamp('2013-01-01T07:00:00-05:00')")
                )
        return self.chance.choice(("duration('0s')", "duration('12h')", "duration('1m')", "duration('-1us')"))
