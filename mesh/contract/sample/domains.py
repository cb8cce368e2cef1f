"""What may stand at each place of a record: values that keep the clauses of the place, and values that break one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final
from uuid import UUID

from mesh.contract.clauses import Clause, ClauseKind
from mesh.contract.expression_probe import Steps
from mesh.contract.sample.numbers import beside, grid_of, held, outside
from mesh.contract.sample.patterns import matching, near_misses
from mesh.contract.shape import Array, Enum, Fixed, Map, Primitive, Record, Shape, Union

_NULLS: Final = 0.15
_WORDS: Final = ("north", "Basel", "Zürich", "naïve", "Ω-3", "東京", "x", "A1", "Łódź", "two words", "🛩", "São Paulo")
_NUMBERS: Final = ("int", "long", "float", "double")
_TRIES: Final = 12


@dataclass(frozen=True, slots=True)
class Place:
    """One place of the schema: what it holds beside null, whether it may be null, and the clauses about it."""

    shape: Shape
    nullable: bool
    clauses: tuple[Clause, ...] = ()

    def kept(self, kind: ClauseKind) -> list[Any]:
        """The arguments of the clauses of a kind."""
        return [clause.argument for clause in self.clauses if clause.kind is kind]


class Domains:
    """Draws values for the places of one contract's records; the same ``rng`` state gives the same values."""

    def __init__(self, record: Record, clauses: Sequence[Clause], rng: Random) -> None:
        self.record = record
        self.rng = rng
        self._clauses: defaultdict[str, list[Clause]] = defaultdict(list)
        for clause in clauses:
            if clause.expression is None:
                self._clauses[clause.path].append(clause)

    def fresh(self) -> dict[str, Any]:
        """A record whose fields keep their own clauses, as far as they can be kept by construction."""
        drawn: dict[str, Any] = self.draw(Place(self.record, nullable=False), "")
        return drawn

    def at(self, steps: Steps) -> tuple[Place, str]:
        """The place that the way leads to, and its path; raises LookupError where the schema has none."""
        shape, nullable, path = _beneath(self.record)[0], False, ""
        for step in steps:
            shape, nullable, path = *_beneath(_below(shape, step)), _joined(shape, path, step)
        return Place(shape, nullable, tuple(self._clauses[path])), path

    def draw(self, place: Place, path: str, *, null: bool = True) -> Any:
        """A value for a place; ``null`` says whether null will do where the place takes it."""
        if null and place.nullable and not place.kept(ClauseKind.REQUIRED) and self.rng.random() < _NULLS:
            return None
        match place.shape:
            case Record() as record:
                return {part.name: self._part(part.type, _dotted(path, part.name)) for part in record.fields}
            case Array() as array:
                return self._list(place, array.items, f"{path}[]")
            case Map() as values:
                return {
                    word: self._part(values.values, f"{path}{{}}") for word in self.rng.sample(_WORDS, self._few(3))
                }
            case Union() as union:
                return self._wide(union, path)
            case leaf:
                return self._leaf(place, leaf)

    def breaking(self, clause: Clause, steps: Steps, now: Any) -> list[Any]:
        """Values that should break one clause of the place; ``now`` is what stands there."""
        place, path = self.at(steps)
        good = now if now is not None else self.draw(place, path, null=False)
        found = _BREAKERS[clause.kind](self, place, clause, good)
        self.rng.shuffle(found)
        return found

    def _part(self, shape: Shape, path: str) -> Any:
        inner, nullable = _beneath(shape)
        return self.draw(Place(inner, nullable, tuple(self._clauses[path])), path)

    def _few(self, most: int) -> int:
        return self.rng.randint(0, most)

    def _list(self, place: Place, items: Shape, path: str) -> list[Any]:
        low = max(place.kept(ClauseKind.MIN_ITEMS), default=0)
        high = min(place.kept(ClauseKind.MAX_ITEMS), default=low + 3)
        size = self.rng.choice((low, high, self.rng.randint(low, max(low, high))))
        drawn = [self._part(items, path) for _ in range(min(size, low + 50))]
        if place.kept(ClauseKind.UNIQUE_ITEMS):
            drawn = list({repr(each): each for each in drawn}.values())
            for _ in range(_TRIES * low):
                each = self._part(items, path)
                if len(drawn) < low and all(repr(each) != repr(other) for other in drawn):
                    drawn.append(each)
        return drawn

    def _wide(self, union: Union, path: str) -> Any:
        # Which branch a JSON text means cannot be told for bytes and the like, so they stay out of samples.
        plain = [each for each in union.branches if each.kind in ("string", "boolean", "record", *_NUMBERS)]
        chosen = self.rng.choice(plain or list(union.branches))
        return self.draw(Place(chosen, nullable=False), path)

    def _leaf(self, place: Place, leaf: Primitive | Fixed | Enum) -> Any:
        values = [tuple(each) for each in place.kept(ClauseKind.VALUES)]
        if values and not (isinstance(leaf, Primitive | Fixed) and _is_decimal(leaf)):
            return self.rng.choice([each for each in values[0] if all(each in other for other in values)] or values[0])
        if values:
            return self.rng.choice(values[0])
        if isinstance(leaf, Enum):
            return self.rng.choice(leaf.symbols)
        if leaf.kind in _NUMBERS or _is_decimal(leaf):
            return self._rounded(leaf, held(leaf, grid_of(leaf, place.clauses).draw(self.rng)), place)
        return self._other(place, leaf)

    def _rounded(self, leaf: Primitive | Fixed, number: Any, place: Place) -> Any:
        """Most instants are whole hours or seconds, unless a bound is about them."""
        if leaf.logical is None or "timestamp" not in leaf.logical.name or place.clauses[1:]:
            return number
        second = 1_000 if leaf.logical.name.endswith("millis") else 1_000_000
        return number - number % self.rng.choice((3600 * second, second, 1))

    def _other(self, place: Place, leaf: Primitive | Fixed) -> Any:
        match leaf.kind:
            case "boolean":
                return self.rng.random() < 0.5
            case "null":
                return None
            case "fixed":
                return self.rng.randbytes(leaf.size if isinstance(leaf, Fixed) else 0)
            case "bytes":
                return self.rng.randbytes(self._length(place))
        if leaf.logical is not None and leaf.logical.name == "uuid":
            return str(UUID(int=self.rng.getrandbits(128), version=4))
        return self._text(place)

    def _text(self, place: Place) -> str:
        patterns = place.kept(ClauseKind.PATTERN)
        bounds = [str(each) for kind in _BOUNDS for each in place.kept(kind)]
        if bounds:
            return self.rng.choice(bounds)
        low, high = self._lengths(place)
        for _ in range(_TRIES if patterns else 0):
            text = matching(str(self.rng.choice(patterns)), self.rng)
            if text is not None and low <= len(text) <= high:
                return text
        return self._of_length(self._length(place))

    def _of_length(self, length: int) -> str:
        text = self.rng.choice(_WORDS)
        while len(text) < length:
            text += " " + self.rng.choice(_WORDS)
        # A space at the end would be a fault of its own kind.
        return text[:length].replace(" ", "_") if text[:length].endswith(" ") else text[:length]

    def _lengths(self, place: Place) -> tuple[int, int]:
        low = max(place.kept(ClauseKind.MIN_LENGTH), default=0)
        return low, min(place.kept(ClauseKind.MAX_LENGTH), default=max(low, 12))

    def _length(self, place: Place) -> int:
        low, high = self._lengths(place)
        return self.rng.choice((low, min(high, low + 200), self.rng.randint(low, max(low, min(high, low + 20)))))

    def _longer(self, place: Place, clause: Clause, good: Any) -> list[Any]:
        wanted = int(str(clause.argument)) + 1
        if isinstance(good, bytes):
            return [good + self.rng.randbytes(max(1, wanted - len(good)))]
        filled = good + (good[-1:] or "x") * (wanted - len(good))
        return [filled, filled[:-1] + "é", self._of_length(wanted), self._of_length(wanted + 7)]

    def _more_items(self, place: Place, clause: Clause, good: Any) -> list[Any]:
        items, path = place.shape, clause.path
        wanted, found = int(str(clause.argument)) + 1, list(good)
        while isinstance(items, Array) and len(found) < wanted:
            found.append(self._part(items.items, f"{path}[]"))
        return [found]

    def _twice(self, place: Place, clause: Clause, good: Any) -> list[Any]:
        items = place.shape.items if isinstance(place.shape, Array) else place.shape
        found = list(good) or [self._part(items, f"{clause.path}[]")]
        return [[*found, self.rng.choice(found)], [found[0], *found][: max(2, len(found))]]

    def _other_values(self, place: Place, clause: Clause, good: Any) -> list[Any]:
        allowed = clause.argument if isinstance(clause.argument, tuple) else ()
        if isinstance(place.shape, Enum):
            return [symbol for symbol in place.shape.symbols if symbol not in allowed]
        if isinstance(good, str):
            found: list[Any] = [good.lower(), good.upper(), good[:-1], f"{good} ", f"{good}X", "?", "ÉÜ"]
        elif isinstance(good, bool):
            found = [not good]
        else:
            found = [good + 1, good - 1, max(allowed) + 1, min(allowed) - 1]
        return [each for each in found if each not in allowed]


def _beneath(shape: Shape) -> tuple[Shape, bool]:
    if not isinstance(shape, Union):
        return shape, False
    others = [branch for branch in shape.branches if branch.kind != "null"]
    return (others[0] if len(others) == 1 else shape), len(others) < len(shape.branches)


def _below(shape: Shape, step: str | int) -> Shape:
    match shape:
        case Record():
            return next((part.type for part in shape.fields if part.name == step), Primitive("null"))
        case Array():
            return shape.items
        case Map():
            return shape.values
    raise LookupError(step)


def _joined(shape: Shape, path: str, step: str | int) -> str:
    if isinstance(shape, Array):
        return f"{path}[]"
    return f"{path}{{}}" if isinstance(shape, Map) else _dotted(path, str(step))


def _dotted(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _is_decimal(leaf: Primitive | Fixed) -> bool:
    return leaf.logical is not None and leaf.logical.name == "decimal"


_BOUNDS: Final = (
    ClauseKind.MINIMUM,
    ClauseKind.MAXIMUM,
    ClauseKind.EXCLUSIVE_MINIMUM,
    ClauseKind.EXCLUSIVE_MAXIMUM,
)


def _beyond(domains: Domains, place: Place, clause: Clause, good: Any) -> list[Any]:
    if isinstance(clause.argument, str):
        low = clause.kind in (ClauseKind.MINIMUM, ClauseKind.EXCLUSIVE_MINIMUM)
        return [clause.argument[:-1], ""] if low else [f"{clause.argument}9", "~"]
    leaf = place.shape
    return outside(leaf, clause, place.clauses, domains.rng) if isinstance(leaf, Primitive | Fixed) else []


def _no_multiple(domains: Domains, place: Place, clause: Clause, good: Any) -> list[Any]:
    leaf = place.shape
    return beside(leaf, good, clause, domains.rng) if isinstance(leaf, Primitive | Fixed) else []


def _shorter(domains: Domains, place: Place, clause: Clause, good: Any) -> list[Any]:
    wanted = int(str(clause.argument)) - 1
    return [good[:wanted], good[:0]] if wanted >= 0 else []


_Breaker = Callable[[Domains, Place, Clause, Any], list[Any]]
_BREAKERS: Final[dict[ClauseKind, _Breaker]] = {
    ClauseKind.REQUIRED: lambda domains, place, clause, good: [None],
    ClauseKind.MINIMUM: _beyond,
    ClauseKind.MAXIMUM: _beyond,
    ClauseKind.EXCLUSIVE_MINIMUM: _beyond,
    ClauseKind.EXCLUSIVE_MAXIMUM: _beyond,
    ClauseKind.MULTIPLE_OF: _no_multiple,
    ClauseKind.MIN_LENGTH: _shorter,
    ClauseKind.MAX_LENGTH: Domains._longer,
    ClauseKind.PATTERN: lambda domains, place, clause, good: [*near_misses(str(clause.argument), domains.rng)],
    ClauseKind.VALUES: Domains._other_values,
    ClauseKind.MIN_ITEMS: _shorter,
    ClauseKind.MAX_ITEMS: Domains._more_items,
    ClauseKind.UNIQUE_ITEMS: Domains._twice,
}
