"""Changes to a record that should make a part of an expression true, or false: worked out backwards from the tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Final, TypeAlias

from mesh.contract.expression_probe import NoValue, Probe, Steps, at_item, places_in, steps_of
from mesh.contract.expression_tree import (
    Binary,
    Call,
    Conditional,
    Has,
    Literal,
    Logic,
    Node,
    Quantifier,
    Unary,
)
from mesh.contract.sample.domains import Domains
from mesh.contract.sample.edits import value_at
from mesh.contract.sample.patterns import matching, near_misses

Edits: TypeAlias = list[tuple[Steps, Any]]
"""Places and what to write there, in this order."""

_OPPOSITE: Final = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
_MIRRORED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


class Aim:
    """Aims at one record after the other; where several changes would do, chance decides."""

    def __init__(self, probe: Probe, domains: Domains, rng: Random) -> None:
        self._probe, self._domains, self._rng = probe, domains, rng

    def at(self, node: Node, want: bool, record: Mapping[str, Any]) -> Edits:  # noqa: PLR0911  (one for each construct)
        """Changes after which the part should be ``want``; empty where none is known."""
        match node:
            case Logic():
                return self._logic(node, want, record)
            case Unary(operator="!"):
                return self.at(node.operand, not want, record)
            case Conditional():
                return self._conditional(node, want, record)
            case Binary(operator="in"):
                return self._membership(node, want, record)
            case Binary():
                return self._comparison(node, node.operator if want else _OPPOSITE[node.operator], record)
            case Has():
                return self._presence(steps_of(node), want)
            case Quantifier():
                return self._loop(node, want, record)
            case Call(method=True):
                return self._text(node, want, record)
        steps = steps_of(node)
        return [(steps, want)] if steps else []

    def redraw(self, node: Node) -> Edits:
        """Another value for one of the places the part looks at."""
        places = places_in(node)
        return self._drawn(self._rng.choice(places), null=True) if places else []

    def _logic(self, node: Logic, want: bool, record: Mapping[str, Any]) -> Edits:
        if want == (node.operator == "&&"):
            wrong = [each for each in node.operands if self._probe.value(each, record) is not want]
            return [edit for each in wrong for edit in self.at(each, want, record)]
        return self.at(self._rng.choice(node.operands), want, record)

    def _conditional(self, node: Conditional, want: bool, record: Mapping[str, Any]) -> Edits:
        chosen = self._probe.value(node.condition, record)
        side = chosen if isinstance(chosen, bool) and self._rng.random() < 0.7 else self._rng.random() < 0.5
        first = [] if side is chosen else self.at(node.condition, side, record)
        return [*first, *self.at(node.then if side else node.otherwise, want, record)]

    def _loop(self, node: Quantifier, want: bool, record: Mapping[str, Any]) -> Edits:
        items, steps = self._probe.value(node.target, record), steps_of(node.target)
        if not isinstance(items, list) or steps is None:
            return self._drawn(steps, null=False) if steps else []
        if not items:
            return self._drawn(steps, null=False)
        chosen = range(len(items)) if want == (node.kind == "all") else [self._rng.randrange(len(items))]
        wrong = [at_item(node, each) for each in chosen]
        return [
            edit
            for each in wrong
            if self._probe.value(each, record) is not want
            for edit in self.at(each, want, record)
        ]

    def _presence(self, steps: Steps | None, want: bool) -> Edits:
        if not steps:
            return []
        return self._drawn(steps, null=False) if want else [(steps, None)]

    def _comparison(self, node: Binary, operator: str, record: Mapping[str, Any]) -> Edits:
        for side, other in ((node.left, node.right), (node.right, node.left)):
            if isinstance(other, Literal) and other.value is None:
                return self._presence(steps_of(side), operator == "!=")
        left, right = self._probe.value(node.left, record), self._probe.value(node.right, record)
        sides = [(node.left, right, operator), (node.right, left, _MIRRORED[operator])]
        self._rng.shuffle(sides)
        return next((edits for side in sides if (edits := self._set(*side, record))), [])

    def _set(self, node: Node, other: Any, operator: str, record: Mapping[str, Any]) -> Edits:
        """Make ``node operator other`` true by changing what ``node`` looks at."""
        if not places_in(node):
            return []
        if isinstance(other, NoValue) or other is None:
            return self.redraw(node)
        if isinstance(other, bool) or not isinstance(other, int | float):
            steps = steps_of(node)
            if steps is None:
                return self.redraw(node)
            return [(steps, other)] if operator in ("==", "<=", ">=") else self._drawn(steps, null=False)
        return self.towards(node, _shifted(other, operator, self._rng), record)

    def towards(self, node: Node, number: Any, record: Mapping[str, Any]) -> Edits:  # noqa: PLR0911  (one for each construct)
        """Changes of one field after which the part should come to this number."""
        steps = steps_of(node)
        if steps:
            return self._put(node, steps, number, record)
        match node:
            case Binary(operator="+" | "-" | "*" | "/" | "%"):
                return self._solve(node, number, record)
            case Unary(operator="-"):
                return self.towards(node.operand, -number, record)
            case Call(function="int" | "double"):
                return self.towards(node.arguments[0], number * self._scale(node, record), record)
            case Call(function="size"):
                return self._sized(node.arguments[0], int(number), record)
            case Conditional():
                side = node.then if self._probe.value(node.condition, record) is True else node.otherwise
                return self.towards(side, number, record)
        return self.redraw(node)

    def _scale(self, node: Call, record: Mapping[str, Any]) -> int:
        """How many of its argument's units one of a conversion is: ``int(timestamp)`` counts seconds."""
        inside, outside = self._probe.value(node.arguments[0], record), self._probe.value(node, record)
        whole = isinstance(inside, int) and isinstance(outside, int) and outside
        return max(1, round(inside / outside)) if whole else 1  # type: ignore[operator]  # both are, if whole

    def _put(self, node: Node, steps: Steps, number: Any, record: Mapping[str, Any]) -> Edits:
        held, seen = value_at(record, steps), self._probe.value(node, record)
        if isinstance(held, int) and isinstance(seen, int) and held != seen:
            # A rule may see a record's number in another unit: milliseconds as nanoseconds.
            return [(steps, number * held // seen)] if held and seen else self._drawn(steps, null=False)
        return [(steps, number)] if held is not None else self._drawn(steps, null=False)

    def _solve(self, node: Binary, number: Any, record: Mapping[str, Any]) -> Edits:
        left, right = self._probe.value(node.left, record), self._probe.value(node.right, record)
        if not isinstance(left, int | float) or not isinstance(right, int | float):
            return self.redraw(node)
        choices = [side for side in (node.left, node.right) if places_in(side)]
        # A place that the part looks at twice cannot be solved for; one that is there once can.
        repeated = _repeated(node)
        choices = [side for side in choices if not set(places_in(side)) <= repeated] or choices
        chosen = self._rng.choice(choices)
        wanted = _undone(node.operator, left, right, number, is_left=chosen is node.left)
        return self.towards(chosen, wanted, record) if wanted is not None else self.redraw(node)

    def _sized(self, node: Node, size: int, record: Mapping[str, Any]) -> Edits:
        steps, now = steps_of(node), self._probe.value(node, record)
        if steps is None or size < 0 or not isinstance(now, str | list | bytes):
            return self._drawn(steps, null=False) if steps else []
        if isinstance(now, list):
            place, path = self._domains.at((*steps, 0))
            more = [self._domains.draw(place, path) for _ in range(max(0, size - len(now)))]
            return [(steps, [*now, *more][:size])]
        filler = b"x" if isinstance(now, bytes) else "x"
        return [(steps, now[:size] + filler * (size - len(now)))]  # type: ignore[operator]  # of one kind, both

    def _membership(self, node: Binary, want: bool, record: Mapping[str, Any]) -> Edits:
        items, steps = self._probe.value(node.right, record), steps_of(node.left)
        if steps and isinstance(items, list | frozenset | tuple | Mapping) and want and items:
            return [(steps, self._rng.choice(sorted(items, key=repr)))]
        into, wanted = steps_of(node.right), self._probe.value(node.left, record)
        if want and into and isinstance(items, list):
            return [(into, [*items, wanted])]
        if not want and into and isinstance(items, list):
            return [(into, [each for each in items if each != wanted])]
        return self.redraw(node.left if steps else node)

    def _text(self, node: Call, want: bool, record: Mapping[str, Any]) -> Edits:
        steps = steps_of(node.arguments[0])
        now, argument = (self._probe.value(each, record) for each in node.arguments[:2])
        if steps is None or not isinstance(argument, str):
            return self.redraw(node)
        text = now if isinstance(now, str) else "A"
        if node.function == "matches":
            misses = near_misses(argument, self._rng)
            found = matching(argument, self._rng) if want else self._rng.choice([*misses, "?"])
            return [(steps, found)] if found is not None else self.redraw(node)
        if want:
            joined = {"startsWith": argument + text, "endsWith": text + argument, "contains": text + argument}
            return [(steps, self._rng.choice((argument, joined.get(node.function, argument))))]
        return [(steps, self._rng.choice(("", "?", text.replace(argument, "") if argument else text)))]

    def _drawn(self, steps: Steps, *, null: bool) -> Edits:
        try:
            place, path = self._domains.at(steps)
        except LookupError:
            return []
        return [(steps, self._domains.draw(place, path, null=null))]


def _repeated(node: Node) -> set[Steps]:
    """The places that a part looks at more than once."""
    seen: list[Steps] = _all_places(node)
    return {each for each in seen if seen.count(each) > 1}


def _all_places(node: Node) -> list[Steps]:
    found = steps_of(node)
    if found:
        return [found]
    below: Sequence[Node] = (node.left, node.right) if isinstance(node, Binary) else ()
    return [each for part in below for each in _all_places(part)] if below else places_in(node)


def _shifted(number: Any, operator: str, rng: Random) -> Any:
    """A number that stands in this relation to another: at the edge or somewhat beyond."""
    step: float = rng.choice((1, 1, rng.randint(1, 90)))
    if isinstance(number, float):
        step = rng.choice((0.1, 1.0, round(rng.uniform(0, 50), 1)))
    match operator:
        case "<":
            return number - step
        case ">":
            return number + step
        case "<=":
            return rng.choice((number, number - step))
        case ">=":
            return rng.choice((number, number + step))
        case "!=":
            return number + rng.choice((step, -step))
    return number


def _undone(operator: str, left: Any, right: Any, number: Any, *, is_left: bool) -> Any:  # noqa: PLR0911  (as above)
    """What one side has to be for the operation to give the number; None where nothing does."""
    match operator, is_left:
        case "+", _:
            return number - (right if is_left else left)
        case "-", True:
            return number + right
        case "-", False:
            return left - number
        case "*", _:
            factor = right if is_left else left
            return _divided(number, factor)
        case "/", True:
            return number * right
        case "%", True if right:
            return _nearest(left, number, abs(right))
    return None


def _nearest(now: Any, rest: Any, modulus: Any) -> Any:
    """The number with this remainder that is nearest to the present one: the rest of the record still makes sense."""
    up = (rest - now) % modulus
    return now + (up if up <= modulus / 2 else up - modulus)


def _divided(number: Any, factor: Any) -> Any:
    if not factor:
        return None
    if isinstance(number, int) and isinstance(factor, int):
        return number // factor if number % factor == 0 else None
    return number / factor
