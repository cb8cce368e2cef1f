"""Single clauses over columns beside the test of single values, at the edges of numbers and texts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from mesh.contract.clauses import Clause, ClauseKind
from mesh.contract.shape import Record, shape_of
from mesh.judge import RowCodec
from mesh.judge.columns.arrays import Unsupported
from mesh.judge.columns.conditions import Mask, mask
from mesh.judge.columns.cursor import Cursor
from mesh.judge.columns.layout import Layout
from mesh.judge.columns.memory import Memory
from mesh.judge.columns.rules import Rules
from mesh.judge.columns.scene import Scene
from mesh.judge.columns.wire import Wire
from mesh.judge.conditions import leaf
from mesh.types import Reaction

BOUNDS = (ClauseKind.MINIMUM, ClauseKind.MAXIMUM, ClauseKind.EXCLUSIVE_MINIMUM, ClauseKind.EXCLUSIVE_MAXIMUM)
WIDE = 1 << 53
NUMBERS = [0, 1, -1, 2, -3, 100, WIDE - 1, WIDE, WIDE + 1, -WIDE - 1, (1 << 63) - 1, -(1 << 63)]
REALS = [0.0, -0.0, 0.1, 0.3, 2.5, -3.0, 1e300, 5e-324, float(WIDE), math.inf, -math.inf, math.nan]
TEXTS = [
    "",
    "\x00",
    "\x00\x00",
    "a",
    "a\x00",
    "ABCDEFG",
    "ABCDEFGH",
    "ABCDEFGHI",
    "é",
    "éééé",
    "空港空",
    "x" * 80,
    "x" * 81,
]


def clause(kind: ClauseKind, argument: object, path: str = "f") -> Clause:
    return Clause("c", path, kind, argument, Reaction.QUARANTINE, "")


def compiled(schema: Any, each: Clause) -> tuple[Layout, Mask | None, Any]:
    record = {"type": "record", "name": "R", "fields": [{"name": "f", "type": schema}]}
    shape = shape_of(record)
    assert isinstance(shape, Record)
    layout = Layout.of(shape, ())
    return layout, mask(each, 0, layout, Rules(layout)), record


def held(schema: Any, each: Clause, values: list[Any]) -> list[bool]:
    """What the mask says of each value."""
    layout, found, record = compiled(schema, each)
    cursor = Cursor(
        Wire([RowCodec(record).encode({"f": value}) for value in values], layout.room), 0, len(layout.slots)
    )
    layout.read(cursor)
    assert cursor.done().all()
    assert found is not None
    with np.errstate(all="ignore"):
        return [bool(holds) for holds in found(Scene(cursor.columns, len(values)))]


def agree(kind: str, each: Clause, values: list[Any]) -> None:
    layout, _, _ = compiled(kind, each)
    test = leaf(each, 0, layout.slots["f"].shape).compile()
    assert held(kind, each, values) == [test(value) for value in values], each
    nullable = [None, *values, None]
    assert held(["null", kind], each, nullable) == [True, *map(test, values), True], each


@pytest.mark.parametrize("kind", BOUNDS)
@pytest.mark.parametrize("argument", [0, 2.5, -2.5, WIDE + 1, float(WIDE), 1e19, -1e19, 1 << 64, -(1 << 63)])
def test_bounds_of_integers(kind: ClauseKind, argument: float) -> None:
    agree("long", clause(kind, argument), NUMBERS)


@pytest.mark.parametrize("kind", BOUNDS)
@pytest.mark.parametrize("argument", [0, 0.1, 2.5, WIDE, -1e300, 0.3])
def test_bounds_of_doubles(kind: ClauseKind, argument: float) -> None:
    agree("double", clause(kind, argument), REALS)


@pytest.mark.parametrize("argument", [1, 3, 100, 0.5, 1.5, 1e3])
def test_multiples(argument: float) -> None:
    agree("long", clause(ClauseKind.MULTIPLE_OF, argument), NUMBERS)
    agree("double", clause(ClauseKind.MULTIPLE_OF, argument), REALS)


def test_value_lists() -> None:
    agree("long", clause(ClauseKind.VALUES, (1, -3, 100.0, WIDE + 1)), NUMBERS)
    agree("double", clause(ClauseKind.VALUES, (0, 0.3, 2.5)), REALS)
    agree("boolean", clause(ClauseKind.VALUES, (True,)), [True, False])
    for listed in ("", "\x00", "a\x00", "ABCDEFG", "ABCDEFGH", "éééé"):
        agree("string", clause(ClauseKind.VALUES, (listed, "空港空")), TEXTS)
        agree("string", clause(ClauseKind.VALUES, (listed,)), TEXTS[::-1])


@pytest.mark.parametrize("pattern", ["^$", "^[A-Z]+$", "é", ".{8}", "x$", "\\x00"])
def test_patterns(pattern: str) -> None:
    agree("string", clause(ClauseKind.PATTERN, pattern), TEXTS * 2)


@pytest.mark.parametrize("length", [0, 1, 3, 7, 8, 80])
def test_lengths(length: int) -> None:
    for kind in (ClauseKind.MIN_LENGTH, ClauseKind.MAX_LENGTH):
        agree("string", clause(kind, length), TEXTS)
        agree("bytes", clause(kind, length), [text.encode() for text in TEXTS])


def test_required_below_an_optional_record() -> None:
    inner = {"type": "record", "name": "N", "fields": [{"name": "x", "type": ["null", "int"]}]}
    values = [None, {"x": None}, {"x": 1}]
    assert held(["null", inner], clause(ClauseKind.REQUIRED, True, "f.x"), values) == [True, False, True]
    assert held(["null", inner], clause(ClauseKind.REQUIRED, True), values) == [False, True, True]
    assert held(inner, clause(ClauseKind.REQUIRED, True, "f.x"), values[1:]) == [False, True]
    assert held(["null", "int"], clause(ClauseKind.REQUIRED, True), [5, 6]) == [True, True]


@pytest.mark.parametrize(
    ("schema", "each"),
    [
        ("double", clause(ClauseKind.MINIMUM, WIDE + 1)),
        ("double", clause(ClauseKind.MINIMUM, math.nan)),
        ("string", clause(ClauseKind.MINIMUM, "2000-01-01")),
        ("bytes", clause(ClauseKind.PATTERN, "a")),
        ("int", clause(ClauseKind.MULTIPLE_OF, 0)),
        ("int", clause(ClauseKind.MINIMUM, 1, "g")),
    ],
)
def test_rows_only(schema: str, each: Clause) -> None:
    with pytest.raises(Unsupported):
        compiled(schema, each)


def test_memory_tells_words_of_one_place_apart() -> None:
    memory, asked = Memory(), []

    def few(words: np.ndarray[Any, np.dtype[np.uint64]]) -> list[bool]:
        def test(row: int) -> bool:
            asked.append(row)
            return bool(words[row] % np.uint64(7) < 3)

        return [bool(holds) for holds in memory.ask(words, test)]

    many = np.arange(200_000, dtype=np.uint64) * np.uint64(2654435761)
    assert few(many) == (many % np.uint64(7) < 3).tolist()
    assert few(many[:5000]) == (many[:5000] % np.uint64(7) < 3).tolist()
    again = np.repeat(many[4997:5000], 2)
    asked.clear()
    assert few(again) == (again % np.uint64(7) < 3).tolist()
    assert asked == []
