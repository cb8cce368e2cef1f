"""On drawn schemas, rules and records four engines agree: cel-python, the compiled rule, the row judge, the columns."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import numpy as np
import pytest

from mesh.contract.clauses import Clause, ClauseKind
from mesh.contract.expression import Expression
from mesh.contract.expression_types import type_of
from mesh.contract.shape import Record, shape_of
from mesh.errors import ContractInvalid
from mesh.judge import RowCodec
from mesh.judge.columns.arrays import Unsupported
from mesh.judge.columns.cursor import Cursor
from mesh.judge.columns.layout import Layout
from mesh.judge.columns.rules import Rules
from mesh.judge.columns.scene import Scene
from mesh.judge.columns.wire import Wire
from mesh.judge.conditions import condition
from mesh.types import Reaction
from tests.support.celpy_oracle import Interpreted, message
from tests.support.drawing import Draw, Drawn

SEEDS = range(12)
RULES = 22
RECORDS = 14


class Court:
    """The four engines over one schema and some records."""

    def __init__(self, drawn: Drawn) -> None:
        shape = shape_of(drawn.schema)
        assert isinstance(shape, Record)
        self.schema, self.shape, codec = drawn.schema, shape, RowCodec(drawn.schema)
        self.records = [drawn.make() for _ in range(RECORDS)]
        self.bodies = [codec.encode(record) for record in self.records]
        self.decoded: list[Any] = [codec.decode(body) for body in self.bodies]
        self.messages = [message(record, type_of(shape)) for record in self.decoded]
        self.layout = Layout.of(shape, ())

    def interpreted(self, text: str) -> list[str]:
        program = Interpreted(text)
        return [program.outcome(each) for each in self.messages]

    def by_rows(self, expression: Expression, *, lenient: bool) -> list[str]:
        clause = Clause("c", "", ClauseKind.CEL, expression.text, Reaction.QUARANTINE, "", expression)
        found = condition(clause, 0, self.shape, self.schema, lenient=lenient)
        loads = [f"    f_{name} = m[{name!r}]" for name in sorted(found.loads)]
        space: dict[str, Any] = dict(found.constants)
        lines = ["def test(m):", *loads, f"    return {found.text}, {found.undecided}"]
        exec("\n".join(lines), space)  # noqa: S102  (as the judge does it)
        outcomes = [space["test"](record) for record in self.decoded]
        return ["error" if undecided else str(bool(holds)).lower() for holds, undecided in outcomes]

    def by_columns(self, expression: Expression) -> list[str]:
        """Outcomes; ``?`` for rows that are left to the row judge."""
        wanted = Rules(self.layout).condition(expression.tree)
        cursor = Cursor(Wire(self.bodies, self.layout.room), 0, len(self.layout.slots))
        with np.errstate(all="ignore"):
            self.layout.read(cursor)
            clean = cursor.done()
            scene = Scene(cursor.columns, len(self.bodies))
            yes, maybe = wanted.of(scene)
        doubt = scene.doubt if scene.doubt is not None else np.zeros(len(self.bodies), np.bool_)
        names = np.where(yes, "true", np.where(maybe, "error", "false"))
        return np.where(doubt | ~clean, "?", names).tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize("seed", SEEDS)
def test_four_engines_agree(seed: int) -> None:
    counts = judged(seed)
    assert counts["judged"] > RULES / 2, counts
    assert counts["columns"] == counts["judged"], counts
    assert counts["doubtful"] < counts["judged"] * RECORDS / 4, counts


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_four_engines_agree_for_long() -> None:
    counts = sum((judged(seed) for seed in range(10_000, 10_500)), Counter[str]())
    assert counts["judged"] > 9_000, counts
    assert counts["columns"] >= counts["judged"] * 0.99, counts


def judged(seed: int) -> Counter[str]:
    """Compare rules drawn from a seed; how many there were, and who decided them."""
    counts: Counter[str] = Counter()
    draw = Draw(Random(seed))
    drawn = draw.schema()
    court = Court(drawn)
    for _ in range(RULES):
        compare(court, draw.rule(drawn.scope), counts)
    return counts


def compare(court: Court, text: str, counts: Counter[str]) -> None:
    try:
        expression = Expression.parse(text)
        problems = expression.check(court.schema)
    except ContractInvalid as error:
        raise AssertionError(text) from error
    if problems:
        counts["refused"] += 1
        return
    counts["judged"] += 1
    expected = court.interpreted(text)
    assert court.by_rows(expression, lenient=False) == expected, text
    rule = expression.compile(court.schema)
    assert [rule(record) for record in court.decoded] == [outcome == "true" for outcome in expected], text
    try:
        found = court.by_columns(expression)
    except Unsupported:
        counts["rows only"] += 1
        return
    counts["columns"] += 1
    counts["doubtful"] += found.count("?")
    for row, (ours, right) in enumerate(zip(found, expected, strict=True)):
        assert ours in ("?", right), (text, court.decoded[row])
