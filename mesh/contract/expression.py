"""Rules over one record: a subset of CEL, checked against the schema and compiled to plain Python.

The language: ``message.a.b``, numbers, texts, ``true``, ``false``, ``null``, lists and maps; ``== != < <= > >= in``;
``+ - * / %`` on 64-bit integers (an overflow is an error) and on doubles; ``&& || !`` and ``?:``; ``size``,
``startsWith``, ``endsWith``, ``contains``, ``matches`` (RE2, found anywhere in the text), ``int``, ``double``;
``timestamp``, ``duration``, their sums, differences and parts (``getFullYear()`` ...); ``list.exists(x, ...)``,
``all``, ``exists_one``, ``filter``, ``map``, one inside the other where it walks a part of the item; ``list[0]``,
``map['key']``; ``has(message.a)``: is not null. Integers and doubles compare by value. Fields of a logical type are
timestamps (dates: their midnight in UTC; local times: taken for UTC) or durations (times of the day: since midnight).
Everything else is refused with a reason, a place, and what to write instead: docs/rules.md.

Errors are CEL's: order, arithmetic, functions and field access on null, an overflow, a time outside its range, a
division of an integer by zero, an index or a key that is not there. ``false && error`` is false and ``true || error``
is true; otherwise the rule has no outcome, and a rule without an outcome is **not fulfilled**. So an optional field is
guarded: ``message.x == null || message.x <= 5``. Equality never fails: null equals null and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from mesh.contract.expression_parse import parse
from mesh.contract.expression_tree import Node
from mesh.contract.expression_types import type_of
from mesh.contract.expression_writer import Writer
from mesh.contract.shape import Shape, shape_of
from mesh.errors import ContractInvalid

Rule = Callable[[Mapping[str, object]], bool]


@dataclass(frozen=True, slots=True)
class RuleSource:
    """A rule as Python source, to be set into a larger function.

    ``holds`` is true when the rule is fulfilled; ``undecided`` is true when the rule has no outcome. ``loads`` says
    which variable must hold which top-level field, ``constants`` what the source calls.
    """

    holds: str
    undecided: str
    loads: Mapping[str, str]
    constants: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Expression:
    """One rule; equal when its text is."""

    text: str
    tree: Node

    @classmethod
    def parse(cls, text: str) -> Expression:
        """Read a rule; raises ContractInvalid with one problem, ``column 12: ...``, for what is not in the language."""
        return cls(text, parse(text))

    def check(self, value_schema: object) -> list[str]:
        """What keeps the rule from applying to records of this schema, each ``column 12: ...``; empty if nothing."""
        try:
            self.source(value_schema)
        except ContractInvalid as error:
            return list(error.problems)
        return []

    def compile(self, value_schema: object) -> Rule:
        """A function that says whether a record of this schema fulfils the rule; raises ContractInvalid as ``source``.

        The record holds every field as plain values (numbers for logical types); one that does not fulfils nothing.
        """
        source = self.source(value_schema)
        lines = [f"    {variable} = message[{name!r}]" for variable, name in source.loads.items()]
        text = "\n".join(("def rule(message):", *lines, f"    return {source.holds}"))
        space: dict[str, Any] = dict(source.constants)
        exec(text, space)  # noqa: S102  (generated from the checked tree; texts of the rule appear as literals only)
        return _total(cast(Rule, space["rule"]))

    def source(self, value_schema: object, prefix: str = "") -> RuleSource:
        """The rule as Python source; ``prefix`` keeps its names apart from those of other rules.

        Raises ContractInvalid with what ``check`` would list.
        """
        return source_of(self.tree, shape_of(value_schema), prefix)


def source_of(tree: Node, shape: Shape, prefix: str = "") -> RuleSource:
    """A condition over records of a shape as Python source; see ``Expression.source``."""
    message = type_of(shape)
    if message.kind != "record":
        raise ContractInvalid(["column 1: rules apply to records, the schema is of another type"])
    writer = Writer(message, prefix)
    truth = writer.truth(tree)
    if writer.problems:
        raise ContractInvalid(writer.problems)
    _try(truth.yes, truth.maybe)
    undecided = "False" if truth.certain else f"(not {truth.yes} and {truth.maybe})"
    return RuleSource(truth.yes, undecided, writer.loads, writer.constants)


def _try(*texts: str) -> None:
    # Python's compiler has a limit of its own for nesting.
    try:
        for text in texts:
            compile(text, "<rule>", "eval")
    except (SyntaxError, MemoryError, RecursionError):
        raise ContractInvalid(["column 1: the expression is too complex; split it into several rules"]) from None


def _total(rule: Rule) -> Rule:
    def fulfilled(message: Mapping[str, object]) -> bool:
        try:
            return rule(message)
        except (KeyError, TypeError, AttributeError):
            return False

    return fulfilled
