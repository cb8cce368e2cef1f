"""Conditions over whole documents: all of CEL, interpreted by cel-python, its names checked when it is read.

Rules over records are compiled (``expression.py``), because there are millions of records. A document is judged once,
so here cel-python itself decides and nothing of the language is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any, Final

import celpy
import lark
from celpy.adapter import json_to_cel
from celpy.celparser import CELParseError
from celpy.celtypes import BoolType
from celpy.evaluation import CELEvalError, base_functions, celstr

from mesh.contract.expression_parse import LONGEST
from mesh.contract.expression_runtime import Matches
from mesh.contract.expression_scan import refused
from mesh.contract.expression_tree import Place
from mesh.errors import ContractInvalid

Known = Mapping[str, Set[str]]
"""The variables of a condition, each with the keys it can have; an empty set where any key may be there."""

_TYPES: Final = frozenset({"int", "uint", "double", "bool", "string", "bytes", "list", "map", "null_type", "type"})
_MACROS: Final = frozenset({"all", "exists", "exists_one", "map", "filter"})
_LEVELS: Final = frozenset(
    ("expr", "conditionalor", "conditionaland", "relation", "addition", "multiplication", "unary", "member", "primary")
)
# What cel-python raises on values that do not fit, beside its own error.
_FAULTS: Final = (CELEvalError, TypeError, ValueError, KeyError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Undecided:
    """A condition has no outcome for these values; ``boolean`` is false where it gives something else than a truth."""

    reason: str
    boolean: bool = True


@dataclass(frozen=True, slots=True)
class DocumentCondition:
    """One condition, ready to be decided."""

    text: str
    runner: celpy.Runner

    @classmethod
    def parse(cls, text: str, known: Known) -> DocumentCondition:
        """Read a condition; raises ContractInvalid with problems ``column 12: ...``.

        Refused are what is not CEL, variables and functions that do not exist, keys a variable never has, and
        patterns RE2 does not take.
        """
        if len(text) > LONGEST:
            raise refused(Place(1, 1), f"the condition is {len(text)} characters long; {LONGEST} is the limit")
        try:
            tree = _environment().compile(text)
        except CELParseError as error:
            raise refused(_place_of(error, text), "the condition is not valid CEL") from None
        problems = list(_Names(known).problems(tree, frozenset()))
        if problems:
            raise ContractInvalid(problems)
        return cls(text, _environment().program(tree, functions=_EQUALITY))

    def decide(self, values: Mapping[str, Any]) -> bool | Undecided:
        """Whether it is true of these values (made by ``as_cel``), if CEL has an outcome for them."""
        try:
            result = self.runner.evaluate(dict(values))
        except _FAULTS as error:
            return Undecided(_plain(error))
        if not isinstance(result, BoolType):
            return Undecided(f"it gives {_kind(result)}, not true or false", boolean=False)
        return bool(result)


def as_cel(value: object) -> Any:
    """A plain value (as in JSON) as cel-python wants it."""
    return json_to_cel(value)  # type: ignore[arg-type]


def _equal(left: Any, right: Any) -> bool:
    """CEL's equality, false between types, where cel-python raises; numbers are equal by value whatever their type."""
    if isinstance(left, BoolType | None) or isinstance(right, BoolType | None):
        return type(left) is type(right) and bool(left) == bool(right)
    if isinstance(left, int | float) and isinstance(right, int | float):
        return _number(left) == _number(right)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return set(left) == set(right) and all(_equal(left[key], right[key]) for key in left)
    if isinstance(left, str) and isinstance(right, str):  # what cel-python adds is plain text
        return str.__eq__(left, right)
    return type(left) is type(right) and bool(left == right)


def _number(value: float) -> float:
    return int(value) if isinstance(value, int) else float(value)


def _eq(left: Any, right: Any) -> Any:
    fault = next((each for each in (left, right) if isinstance(each, CELEvalError)), None)
    return BoolType(_equal(left, right)) if fault is None else fault


def _ne(left: Any, right: Any) -> Any:
    found = _eq(left, right)
    return found if isinstance(found, CELEvalError) else BoolType(not found)


def _in(item: Any, container: Any) -> Any:
    fault = next((each for each in (item, container) if isinstance(each, CELEvalError)), None)
    if fault is not None:
        return fault
    if not isinstance(container, list | dict):
        return CELEvalError("no such overload: in looks into a list or a map")
    return BoolType(any(_equal(item, each) for each in container))


_EQUALITY: Final[dict[str, Any]] = {"_==_": _eq, "_!=_": _ne, "_in_": _in}


@cache
def _environment() -> celpy.Environment:
    return celpy.Environment()


def _place_of(error: CELParseError, text: str) -> Place:
    line, column = error.line, error.column
    if line is None or column is None or line < 1 or column < 1:
        return Place(1, len(text) + 1)
    return Place(line, column)


def _plain(error: BaseException) -> str:
    told = str(error.args[0]) if error.args else str(error)
    if "no matching overload" in told or "no such overload" in told:
        return "an operator or function does not fit the types of its operands"
    return told.split("\n")[0].replace("no such member in mapping", "there is no key")[:160]


def _kind(value: object) -> str:
    return type(value).__name__.removesuffix("Type").lower() if value is not None else "null"


@dataclass(frozen=True, slots=True)
class _Names:
    """One walk over cel-python's tree."""

    known: Known

    def problems(self, tree: lark.Tree[lark.Token], bound: frozenset[str]) -> Iterator[str]:
        tree = _plain_tree(tree)
        kind, parts = str(tree.data), tree.children
        if kind == "ident":
            yield from self._variable(parts[0], bound)
        elif kind == "ident_arg":
            yield from self._function(parts[0])
        elif kind == "member_dot":
            yield from self._key(parts[0], parts[1], bound)
        elif kind == "member_dot_arg":
            yield from self._method(parts, bound)
            return
        for part in parts:
            if isinstance(part, lark.Tree):
                yield from self.problems(part, bound)

    def _variable(self, name: Any, bound: frozenset[str]) -> Iterator[str]:
        if name not in bound and name not in self.known and name not in _TYPES:
            near = get_close_matches(str(name), self.known, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(self.known))}"
            yield f"{_at(name)}: {name} is not known here; {hint}"

    def _function(self, name: Any) -> Iterator[str]:
        if name not in base_functions and name not in ("has", "dyn"):
            near = get_close_matches(str(name), base_functions, 1)
            yield f"{_at(name)}: CEL has no function {name}" + (f"; did you mean {near[0]}?" if near else "")

    def _key(self, operand: Any, name: Any, bound: frozenset[str]) -> Iterator[str]:
        inner = _plain_tree(operand)
        variable = str(inner.children[0]) if inner.data == "ident" else ""
        keys = self.known.get(variable, frozenset[str]()) if variable not in bound else frozenset[str]()
        if keys and str(name) not in keys:
            near = get_close_matches(str(name), keys, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(keys))}"
            yield f"{_at(name)}: {variable} never has a key {name}; {hint}"

    def _method(self, parts: list[Any], bound: frozenset[str]) -> Iterator[str]:
        target, name, arguments = parts[0], parts[1], list(parts[2].children) if len(parts) > 2 else []
        yield from self.problems(target, bound)
        if name in _MACROS:
            first = _plain_tree(arguments[0]) if arguments else None
            if first is None or first.data != "ident" or len(arguments) < 2:
                yield f"{_at(name)}: {name} takes a variable and an expression, as in list.{name}(x, x != '')"
                return
            inside = bound | {str(first.children[0])}
            for argument in arguments[1:]:
                yield from self.problems(argument, inside)
            return
        yield from self._function(name)
        if name == "matches" and arguments:
            yield from _pattern(arguments[0])
        for argument in arguments:
            yield from self.problems(argument, bound)


def _plain_tree(tree: Any) -> lark.Tree[lark.Token]:
    """The tree below the levels of precedence and parentheses that mean nothing."""
    while (tree.data in _LEVELS and len(tree.children) == 1) or tree.data == "paren_expr":
        tree = tree.children[0]
    found: lark.Tree[lark.Token] = tree
    return found


def _pattern(argument: Any) -> Iterator[str]:
    token: Any = _plain_tree(argument).children[0] if _plain_tree(argument).data == "literal" else None
    if getattr(token, "type", "") not in ("STRING_LIT", "MLSTRING_LIT"):
        return
    try:
        Matches(str(celstr(token)))
    except ValueError as error:
        yield f"{_at(token)}: RE2 does not take the pattern: {error}"


def _at(token: Any) -> Place:
    return Place(token.line or 1, token.column or 1)
