"""docs/rules.md: every rule there holds as it says, what it calls refused is, and what it advises is taken."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesh.contract.expression import Expression
from mesh.contract.shape import Record, shape_of
from mesh.errors import ContractInvalid
from mesh.judge import RowCodec
from mesh.judge.columns.cursor import Cursor
from mesh.judge.columns.layout import Layout
from mesh.judge.columns.rules import Rules
from mesh.judge.columns.scene import Scene
from mesh.judge.columns.wire import Wire
from tests.support.snippets import snippets

DOCUMENT = Path(__file__).parents[3] / "docs" / "rules.md"


def rows(heading: str) -> list[list[str]]:
    """The code at the beginning of each cell, row by row, of the table below a heading."""
    section = DOCUMENT.read_text(encoding="utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
    return [[(re.match(r" `(.+?)`", cell) or [" ", cell])[1].replace("\\|", "|") for cell in row] for row in cells]


@cache
def example() -> tuple[Any, dict[str, Any]]:
    schema, record = (json.loads(each.text) for each in snippets(DOCUMENT) if each.language == "json")
    return schema, record | {"fare": record["fare"].encode("latin-1")}


def refused(text: str) -> bool:
    try:
        return bool(Expression.parse(text).check(example()[0]))
    except ContractInvalid:
        return True


@pytest.mark.parametrize("text", [row[0] for row in rows("What is there")])
def test_what_is_there_holds_for_the_record(text: str) -> None:
    schema, record = example()
    expression = Expression.parse(text)
    assert expression.check(schema) == []
    assert expression.compile(schema)(record)
    shape, codec = shape_of(schema), RowCodec(schema)
    assert isinstance(shape, Record)
    layout = Layout.of(shape, ())
    holds = Rules(layout).mask(expression.tree)
    body = codec.encode(record)
    cursor = Cursor(Wire([body, body], layout.room), 0, len(layout.slots))
    layout.read(cursor)
    assert cursor.done().all()
    with np.errstate(all="ignore"):
        assert holds(Scene(cursor.columns, 2)).all()


@pytest.mark.parametrize(("wrong", "instead"), [row[:2] for row in rows("What is refused")])
def test_what_is_refused_has_a_form_that_is_not(wrong: str, instead: str) -> None:
    assert refused(wrong)
    assert not refused(instead)


def test_the_tables_are_read() -> None:
    assert len(rows("What is there")) >= 30
    assert len(rows("What is refused")) >= 15
