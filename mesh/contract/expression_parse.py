"""Text of a CEL rule to our tree; what the subset leaves out is refused with what to write instead.

Our own parser, by the grammar of the language definition (github.com/google/cel-spec, doc/langdef.md): cel-python
builds its own anew in every process that reads a rule. Tests see to it that both take the same texts
(tests/unit/contract/test_expression_grammar.py) and mean the same by them (tests/unit/judge/test_rules_oracle.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeVar

from mesh.contract.expression_scan import Scanner, refused
from mesh.contract.expression_tree import (
    Binary,
    Call,
    Conditional,
    Has,
    Index,
    ListLiteral,
    Logic,
    Loop,
    MapLiteral,
    Name,
    Node,
    Place,
    Quantifier,
    Select,
    Unary,
)

# A rule longer or deeper than this is a program; the bounds keep parser and generator from exhausting the stack.
LONGEST: Final = 4096
DEEPEST: Final = 32

# Each line binds closer than the one before it; those of one line go from left to right.
_LEVELS: Final = tuple(re.compile(each) for each in (r"<=|>=|==|!=|<|>|in\b", r"[+-]", r"[*/%]"))
_QUANTIFIERS: Final = ("exists", "all")
_LOOPS: Final = ("exists_one", "filter", "map")
_EXAMPLE: Final = "message.tags.NAME(t, t != '')"
_OBJECT: Final = "building an object is not part of the rule language; compare its fields one by one"
_DOT: Final = "a leading dot is not part of the rule language; write message.x"

T = TypeVar("T")


def parse(text: str) -> Node:
    """The tree of one expression; raises ContractInvalid with one problem that begins with its place."""
    if len(text) > LONGEST:
        raise refused(Place(1, 1), f"the expression is {len(text)} characters long; {LONGEST} is the limit")
    return _Parser(Scanner(text)).whole()


class _Parser:
    """Recursive descent, a method for each line of the grammar."""

    def __init__(self, scanner: Scanner) -> None:
        self._scanner, self._depth = scanner, 0

    def whole(self) -> Node:
        tree = self._expression()
        self._scanner.end()
        return tree

    def _bounded(self, more: int, at: Place) -> None:
        if self._depth + more > DEEPEST:
            raise refused(at, f"the expression is nested deeper than {DEEPEST} levels")

    def _expression(self) -> Node:
        at = self._scanner.place
        self._bounded(0, at)
        self._depth += 1
        tree = self._either()
        if self._scanner.takes("?"):
            then = self._either()
            self._scanner.expect(":")
            tree = Conditional(at, tree, then, self._expression())
        self._depth -= 1
        return tree

    def _either(self) -> Node:
        return self._joined("||", self._both)

    def _both(self) -> Node:
        return self._joined("&&", self._level)

    def _joined(self, operator: str, operand: Callable[[], Node]) -> Node:
        at, operands = self._scanner.place, [operand()]
        while self._scanner.takes(operator):
            operands.append(operand())
        return Logic(at, operator, tuple(operands)) if len(operands) > 1 else operands[0]

    def _level(self, number: int = 0) -> Node:
        if number == len(_LEVELS):
            return self._unary()
        at, tree, chained = self._scanner.place, self._level(number + 1), 0
        while operator := self._scanner.take(_LEVELS[number]):
            chained += 1
            self._bounded(chained, at)
            tree = Binary(at, operator, tree, self._level(number + 1))
        return tree

    def _unary(self) -> Node:
        at, literal = self._scanner.place, self._scanner.literal()
        if literal is not None:
            return self._member(at, literal)
        for operator in ("!", "-"):
            if self._scanner.takes(operator):
                self._bounded(1, at)
                self._depth += 1
                tree = Unary(at, operator, self._unary())
                self._depth -= 1
                return tree
        return self._member(at, self._primary(at))

    def _member(self, at: Place, tree: Node) -> Node:
        chained = 0
        while True:
            chained += 1
            self._bounded(chained - 1, at)
            if self._scanner.takes("."):
                tree = self._dotted(at, tree)
            elif self._scanner.takes("["):
                tree = Index(at, tree, self._expression())
                self._scanner.expect("]")
            elif self._scanner.takes("{"):
                raise refused(at, _OBJECT)
            else:
                return tree

    def _dotted(self, at: Place, target: Node) -> Node:
        name = self._scanner.word()
        if not name:
            raise self._scanner.unexpected()
        if not self._scanner.takes("("):
            return Select(at, target, name)
        if name in (*_QUANTIFIERS, *_LOOPS):
            return self._loop(at, target, name)
        return Call(at, name, (target, *self._expressions(")")), method=True)

    def _loop(self, at: Place, target: Node, name: str) -> Node:
        parts = self._expressions(")")
        variable = parts[0] if len(parts) == 2 else None
        if not isinstance(variable, Name) or variable.name == "message":
            what = "value, as in message.tags.map(t, size(t))" if name == "map" else f"condition, as in {_EXAMPLE}"
            raise refused(at, f"{name} takes a variable and a {what}".replace("NAME", name))
        make = Quantifier if name in _QUANTIFIERS else Loop
        return make(at, name, target, variable.name, parts[1])

    def _primary(self, at: Place) -> Node:
        scanner = self._scanner
        if name := scanner.word():
            return self._named(at, name)
        if scanner.takes("("):
            tree = self._expression()
            scanner.expect(")")
            return tree
        if scanner.takes("["):
            return ListLiteral(at, tuple(self._expressions("]")))
        if scanner.takes("{"):
            return MapLiteral(at, tuple(self._several(self._entry, "}")))
        if scanner.takes("."):
            raise refused(at, _DOT)
        raise scanner.unexpected()

    def _named(self, at: Place, name: str) -> Node:
        if not self._scanner.takes("("):
            return Name(at, name)
        parts = self._expressions(")")
        if name != "has":
            return Call(at, name, tuple(parts), method=False)
        field = parts[0] if len(parts) == 1 else None
        if not isinstance(field, Select):
            raise refused(at, "has takes one field, as in has(message.gate)")
        return Has(at, field.operand, field.field)

    def _expressions(self, closing: str) -> list[Node]:
        return self._several(self._expression, closing)

    def _entry(self) -> tuple[Node, Node]:
        key = self._expression()
        self._scanner.expect(":")
        return key, self._expression()

    def _several(self, one: Callable[[], T], closing: str) -> list[T]:
        """What is between commas, and what closes it."""
        if self._scanner.takes(closing):
            return []
        parts = [one()]
        while self._scanner.takes(","):
            parts.append(one())
        self._scanner.expect(closing)
        return parts
