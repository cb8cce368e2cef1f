"""The smallest part of a clause that a record violates, with the values that matter, for one record at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mesh.contract import Clause, Contract
from mesh.contract.expression_probe import NoValue, Probe, Steps, at_item, places_in, text_of
from mesh.contract.expression_tree import Binary, Conditional, Has, Literal, Logic, Node, Quantifier, Unary
from mesh.contract.shape import shape_of
from mesh.errors import NotFound
from mesh.judge.logical import for_people
from mesh.judge.reasons import LONGEST, hidden_paths
from mesh.judge.rules import Clauses

_ORDER: Final = ("<", "<=", ">", ">=", "==", "!=")
# Of a long list the first few items say what is wrong with the others.
_MOST_ITEMS: Final = 3


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a clause that is not as it must be. ``values`` are what it looks at, by path, as people read them.

    A value that its classification hides reads ``(not shown)``. ``told`` is one sentence.
    """

    text: str
    values: Mapping[str, str]
    told: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a record breaks a clause: its smallest violated parts, each of which would have to change."""

    clause: str
    parts: tuple[Part, ...]
    correction: str | None = None

    def __str__(self) -> str:
        told = "; ".join(part.told for part in self.parts)
        return f"{self.clause}: {told}" + (f"; perhaps {self.correction}" if self.correction else "")


class Explainer:
    """Explains records of one contract; records hold plain values, as ``RowCodec`` decodes them."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._clauses = Clauses(contract)
        self._probe = Probe(contract.value_schema)
        self._hidden = hidden_paths(contract.fields)
        self._people = for_people(shape_of(contract.value_schema))

    def explain(self, clause: str, record: Mapping[str, Any]) -> Explanation | None:
        """Why the record breaks this clause; None when it does not. Raises NotFound for no clause of the contract."""
        known = {each.id: each for each in self._contract.clauses}
        if clause not in known:
            raise NotFound("clause", clause, f"the contract has {', '.join(known)}")
        found = next((each for each in self._clauses.findings(record) if each.clause == clause), None)
        if found is None:
            return None
        if known[clause].expression is None:
            part = Part(known[clause].description, {}, f"{found.path}: {found.reason}")
            return Explanation(clause, (part,), found.correction)
        return Explanation(clause, tuple(self._parts(known[clause], record)))

    def _parts(self, clause: Clause, record: Mapping[str, Any]) -> Iterator[Part]:
        assert clause.expression is not None  # noqa: S101  (asked before)
        shown = self._readable(record)
        for node, want in self._blamed(clause.expression.tree, True, record):
            yield self._part(node, want, record, shown)

    def _readable(self, record: Mapping[str, Any]) -> Any:
        try:
            return self._people(record) if self._people else record
        except (TypeError, KeyError, AttributeError):
            return record  # of another version of the schema, with null where this one has none

    def _blamed(self, node: Node, want: bool, record: Mapping[str, Any]) -> Iterator[tuple[Node, bool]]:
        """The parts that would have to come out otherwise for the whole to come out as wanted."""
        match node:
            case Logic() if want == (node.operator == "&&"):
                yield from self._wrong(node.operands, want, record)
            case Logic() if want and (only := _only_test(node)) is not None:
                yield from self._blamed(only, want, record)
            case Unary(operator="!"):
                yield from self._blamed(node.operand, not want, record)
            case Conditional():
                yield from self._branch(node, want, record)
            case Quantifier() if want == (node.kind == "all"):
                yield from self._items(node, want, record)
            case _:
                yield node, want

    def _wrong(self, nodes: tuple[Node, ...], want: bool, record: Mapping[str, Any]) -> Iterator[tuple[Node, bool]]:
        wrong = [each for each in nodes if self._probe.value(each, record) is not want]
        decided = [each for each in wrong if self._probe.value(each, record) is (not want)]
        # One that is false decides the whole, whatever became of one without an outcome.
        for each in decided or wrong:
            yield from self._blamed(each, want, record)

    def _branch(self, node: Conditional, want: bool, record: Mapping[str, Any]) -> Iterator[tuple[Node, bool]]:
        condition = self._probe.value(node.condition, record)
        if not isinstance(condition, bool):
            yield from self._blamed(node.condition, True, record)
        else:
            yield from self._blamed(node.then if condition else node.otherwise, want, record)

    def _items(self, node: Quantifier, want: bool, record: Mapping[str, Any]) -> Iterator[tuple[Node, bool]]:
        items = self._probe.value(node.target, record)
        keys: list[int | str] = []
        if isinstance(items, list | Mapping):
            keys = list(items) if isinstance(items, Mapping) else list(range(len(items)))
        each = ((at_item(node, key), key) for key in keys)
        wrong = [item for item, _ in each if self._probe.value(item, record) is not want]
        if not wrong:
            yield node, want
        for item in wrong[:_MOST_ITEMS]:
            yield from self._blamed(item, want, record)

    def _part(self, node: Node, want: bool, record: Mapping[str, Any], shown: Any) -> Part:
        places = places_in(node)
        values = {written(steps): self._value(steps, shown) for steps in places}
        came = self._probe.value(node, record)
        text = text_of(node)
        if isinstance(came, NoValue):
            told = f"{text} has no outcome"
        else:
            told = f"{text} does not hold" if want else f"{text} must not hold"
        sides = self._sides(node, record) if not any(self._hides(steps) for steps in places) else ""
        told_of = ", ".join(f"{path} is {value}" for path, value in values.items())
        return Part(text, values, told + (f": {told_of}" if told_of else "") + sides)

    def _sides(self, node: Node, record: Mapping[str, Any]) -> str:
        """What the computed sides of a comparison come to."""
        if not isinstance(node, Binary) or node.operator not in _ORDER:
            return ""
        computed = [side for side in (node.left, node.right) if isinstance(side, Binary) and places_in(side)]
        found = [(text_of(side), self._probe.value(side, record)) for side in computed]
        return "".join(f"; {text} comes to {value}" for text, value in found if not isinstance(value, NoValue))

    def _hides(self, steps: Steps) -> bool:
        path = "".join("[]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")
        # A list or record is hidden with what is in it, and what is in it with the list or record.
        near = [pair for each in self._hidden for pair in ((path, each), (each, path))]
        return any(low == high or low.startswith((f"{high}.", f"{high}[", f"{high}{{")) for low, high in near)

    def _value(self, steps: Steps, shown: Any) -> str:
        if self._hides(steps):
            return "(not shown)"
        for step in steps:
            try:
                shown = shown[step]
            except (KeyError, IndexError, TypeError):
                return "null"
        text = "null" if shown is None else repr(shown) if isinstance(shown, str) else str(shown)
        return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def explain(contract: Contract, clause: str, record: Mapping[str, Any]) -> Explanation | None:
    """Why a record, of plain values, breaks a clause; None when it does not. Raises NotFound for an unknown clause."""
    return Explainer(contract).explain(clause, record)


def written(steps: Steps) -> str:
    """A way to a value as people write it: ``lines[2].sku``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")


def _only_test(node: Logic) -> Node | None:
    """The one alternative that asks something; those that ask for null are there to let it through."""
    tests = [each for each in node.operands if not _guard(each)]
    return tests[0] if len(tests) == 1 else None


def _guard(node: Node) -> bool:
    """Whether a part only asks whether something is null."""
    if isinstance(node, Unary) and node.operator == "!":
        return isinstance(node.operand, Has)
    sides = (node.left, node.right) if isinstance(node, Binary) and node.operator == "==" else ()
    return any(isinstance(side, Literal) and side.value is None for side in sides)
