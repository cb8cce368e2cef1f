"""Rules that say nothing or cannot be kept: what can be decided of them without a record, with the place of each.

Decided are, by intervals and finite sets over single fields and along the conjunctions of all clauses: bounds, lengths,
value lists and enums against each other, against the type and against comparisons in CEL; constants; patterns against
finite sets. Whatever else a rule says is taken for possible, so nothing is reported that is not so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, is_dataclass
from enum import StrEnum
from typing import Any, Final

from mesh.contract.clause_spans import narrowed, outcomes, path_of
from mesh.contract.clauses import Clause, ClauseKind, Rules
from mesh.contract.expression_tree import Binary, Call, Has, Literal, Logic, Node, Select
from mesh.contract.expression_tree import Place as Spot
from mesh.contract.reasoning import TRUE, Facts, Path, about_text
from mesh.contract.refinement import Reasoner
from mesh.contract.shape import Record, shape_of
from mesh.types import Reaction


class Verdict(StrEnum):
    """What was found out about a rule, or about a part of one."""

    NEVER = "never"
    """No record fulfils it."""
    CONTRADICTION = "contradiction"
    """No record fulfils it and the other clauses named."""
    ALWAYS = "always"
    """Every record fulfils it."""
    IMPLIED = "implied"
    """Every record that keeps the other clauses named fulfils it."""
    DUPLICATE = "duplicate"
    """Another clause says the same."""


_LETS_PASS: Final = (Reaction.WARN, Reaction.MARK)
_NAMED: Final = 4


@dataclass(frozen=True, slots=True)
class Conclusion:
    """One thing found out. ``others`` are the ids of the clauses it rests on, ``part`` is the
    condition within the rule that it is about; ``refuses`` says whether the contract makes no sense with it."""

    clause: Clause
    verdict: Verdict
    text: str
    others: tuple[str, ...] = ()
    part: Node | None = None
    refuses: bool = True


def conclude(rules: Rules, value_schema: object) -> list[Conclusion]:
    """What can be decided about the clauses of a contract; its expressions have been checked against the schema."""
    record = shape_of(value_schema)
    if not isinstance(record, Record):
        return []
    analysis = _Analysis(Reasoner(record), {}, {})
    plain = [clause for clause in rules.clauses if clause.expression is None]
    cel = [clause for clause in rules.clauses if clause.expression is not None]
    seen: dict[object, Clause] = {}
    found: list[Conclusion] = []
    for clause in (*plain, *cel):
        first = seen.setdefault(_meaning(clause), clause)
        if first is not clause:
            found.append(_duplicate(clause, first))
        else:
            found += analysis.rule(clause) if clause.expression is not None else analysis.clause(clause)
    hopeless = [each.clause for each in found if each.refuses]
    return found + [each for each in _refused_values(plain, analysis.reasoner) if each.clause not in hopeless]


def _duplicate(clause: Clause, first: Clause) -> Conclusion:
    told = f"this says the same as {first.id}; leave one of them out"
    return Conclusion(clause, Verdict.DUPLICATE, told, (first.id,), refuses=False)


class _Analysis:
    """One walk over the clauses: what those before leave of every field, and who has said so."""

    def __init__(self, reasoner: Reasoner, facts: Facts, said: dict[Path, list[str]]) -> None:
        self.reasoner, self._facts, self._said = reasoner, facts, said

    def clause(self, clause: Clause) -> Iterator[Conclusion]:
        """A bound, a length, a pattern, a list of values: about one field."""
        path = path_of(clause)
        alone, before = self.reasoner.span({}, path), self.reasoner.span(self._facts, path)
        if not alone.some or (clause.kind is ClauseKind.REQUIRED and not alone.null):
            return
        can, now = outcomes(clause, alone), outcomes(clause, before)
        others = self._others([path])
        if not can & TRUE:
            yield Conclusion(clause, Verdict.NEVER, f"no value that {clause.path} can have keeps this")
            return
        if not can & ~TRUE:
            told = f"every value that {clause.path} can have keeps this; it says nothing"
            yield Conclusion(clause, Verdict.ALWAYS, told, refuses=False)
        elif not now & TRUE:
            yield self._contradiction(clause, f"no value of {clause.path} keeps both this and {_and(others)}", others)
            return
        elif not now & ~TRUE:
            told = f"every value that keeps {_and(others)} keeps this; it says nothing more"
            yield Conclusion(clause, Verdict.IMPLIED, told, others, refuses=False)
        if clause.reaction not in _LETS_PASS:
            self._note({**self._facts, path: narrowed(clause, before)}, clause)

    def rule(self, clause: Clause) -> Iterator[Conclusion]:
        """A rule in CEL."""
        tree = clause.expression.tree if clause.expression is not None else None
        if tree is None:
            return
        self.reasoner.restart()
        paths = list(dict.fromkeys(self._paths(tree)))
        found = self._whole(clause, tree, self._others(paths))
        if found is not None:
            yield found
        else:
            yield from self._parts(clause, tree)
        if found is None or not found.refuses:
            left = self.reasoner.narrow(self._facts, tree, TRUE)
            if left is not None and clause.reaction not in _LETS_PASS:
                self._note(left, clause)

    def _whole(self, clause: Clause, tree: Node, others: tuple[str, ...]) -> Conclusion | None:
        alone = self.reasoner.truth({}, tree)
        if not alone & TRUE:
            return Conclusion(clause, Verdict.NEVER, f"{self._blamed(tree)}: no record fulfils this")
        if not alone & ~TRUE:
            return Conclusion(
                clause, Verdict.ALWAYS, f"{_start(tree)}: every record fulfils this; it says nothing", refuses=False
            )
        now = self.reasoner.truth(self._facts, tree)
        if not now & TRUE:
            return self._contradiction(
                clause, f"{_start(tree)}: no record fulfils both this and {_and(others)}", others
            )
        if not now & ~TRUE:
            told = f"{_start(tree)}: every record that keeps {_and(others)} fulfils this; it says nothing more"
            return Conclusion(clause, Verdict.IMPLIED, told, others, refuses=False)
        return self._emptied(clause, tree, others)

    def _emptied(self, clause: Clause, tree: Node, others: tuple[str, ...]) -> Conclusion | None:
        """Whether the rule and the clauses before it leave a field nothing but null, which neither says alone."""
        alone, left = self.reasoner.narrow({}, tree, TRUE), self.reasoner.narrow(self._facts, tree, TRUE)
        if alone is None or left is None:
            return None
        for path, span in left.items():
            before = self.reasoner.span(self._facts, path)
            if not span.some and before.some and self.reasoner.span(alone, path).some:
                told = f"no value of {'.'.join(path[1:])} but null fulfils both this and {_and(others)}"
                return self._contradiction(clause, f"{_start(tree)}: {told}", others)
        return None

    def _contradiction(self, clause: Clause, told: str, others: tuple[str, ...]) -> Conclusion:
        return Conclusion(clause, Verdict.CONTRADICTION, told, others, refuses=clause.reaction not in _LETS_PASS)

    def _blamed(self, tree: Node) -> Spot:
        """Where a rule that cannot be fulfilled goes wrong: the first condition that alone makes it so."""
        while isinstance(tree, Logic) and tree.operator == "&&":
            bad = [each for each in tree.operands if not self.reasoner.truth({}, each) & TRUE]
            if not bad:
                break
            tree = bad[0]
        return _start(tree)

    def _parts(self, clause: Clause, tree: Node) -> Iterator[Conclusion]:
        """Comparisons within a rule that the schema alone decides."""
        for node in _conditions(tree):
            if not list(self._paths(node)):
                continue
            can = self.reasoner.truth({}, node)
            if can & TRUE and can & ~TRUE:
                continue
            never, null = not can & TRUE, _asks_for_null(node)
            told = f"{_start(node)}: this is {'never' if never else 'always'} true of a record of this schema"
            verdict = Verdict.NEVER if never else Verdict.ALWAYS
            yield Conclusion(clause, verdict, told, part=node, refuses=never and not null)

    def _paths(self, tree: object) -> Iterator[Path]:
        """The fields a rule looks at."""
        if isinstance(tree, Has):
            tree = Select(tree.at, tree.operand, tree.field)
        path = self.reasoner.path(tree) if isinstance(tree, Select) else None
        if path is not None:
            yield path
        for child in _children(tree):
            yield from self._paths(child)

    def _others(self, paths: list[Path]) -> tuple[str, ...]:
        named = [
            name for path in paths for length in range(2, len(path) + 1) for name in self._said.get(path[:length], ())
        ]
        return tuple(dict.fromkeys(named))

    def _note(self, facts: Facts, clause: Clause) -> None:
        for path, span in facts.items():
            if span != self.reasoner.span(self._facts, path):
                self._said.setdefault(path, []).append(clause.id)
        self._facts = facts


def _refused_values(plain: list[Clause], reasoner: Reasoner) -> Iterator[Conclusion]:
    """Valid values that another clause of the same field refuses."""
    for clause in plain:
        if clause.kind is not ClauseKind.VALUES or not isinstance(clause.argument, tuple):
            continue
        path = path_of(clause)
        for value in clause.argument:
            for other in plain:
                if other is clause or path_of(other) != path or other.reaction in _LETS_PASS:
                    continue
                one = narrowed(_only(clause, value), reasoner.span({}, path).sure)
                if one.some and one.known and not outcomes(other, one) & TRUE:
                    told = f"the valid value {value!r} does not keep {other.id}, so no record with it passes"
                    yield Conclusion(clause, Verdict.CONTRADICTION, told, (other.id,))


def _only(clause: Clause, value: object) -> Clause:
    return Clause(clause.id, clause.path, clause.kind, (value,), clause.reaction, clause.description)


def _and(names: tuple[str, ...]) -> str:
    if len(names) > _NAMED:
        return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} more"
    return " and ".join(names) or "the clauses before it"


def _start(node: Node) -> Spot:
    return min((each.at for each in _within(node)), default=node.at)


def _within(node: object) -> Iterator[Any]:
    if is_dataclass(node) and hasattr(node, "at"):
        yield node
    for child in _children(node):
        yield from _within(child)


def _children(node: object) -> Iterator[object]:
    if isinstance(node, tuple) and not isinstance(node, Spot):
        yield from node
    elif is_dataclass(node):
        yield from (getattr(node, name) for name in node.__dataclass_fields__ if name != "at")


def _conditions(tree: object) -> Iterator[Node]:
    """The comparisons of a rule; those within loops depend on the loop and are left out."""
    if hasattr(tree, "variable"):
        return
    match tree:
        case Has() | Binary(operator="<" | "<=" | ">" | ">=" | "==" | "!=" | "in"):
            yield tree
        case Call() if about_text(tree):
            yield tree
    for child in _children(tree):
        yield from _conditions(child)


def _asks_for_null(node: Node) -> bool:
    if isinstance(node, Has):
        return True
    sides = (node.left, node.right) if isinstance(node, Binary) else ()
    return any(isinstance(side, Literal) and side.value is None for side in sides)


def _meaning(clause: Clause) -> object:
    """Equal for clauses that say the same."""
    if clause.expression is not None:
        return _plain(clause.expression.tree)
    argument = clause.argument
    values = frozenset(map(repr, argument)) if isinstance(argument, tuple) else repr(argument)
    return clause.path, clause.kind, values


def _plain(node: object) -> object:
    """A tree without its places."""
    if isinstance(node, tuple) and not isinstance(node, Spot):
        return tuple(_plain(each) for each in node)
    if is_dataclass(node):
        return type(node).__name__, tuple(_plain(child) for child in _children(node))
    return repr(node)
