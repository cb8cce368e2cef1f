"""Comparisons with constants: one implies the other exactly when no number keeps it and breaks the other."""

from __future__ import annotations

import operator
from itertools import product

import pytest

from mesh.contract.diff.implication import implies
from mesh.contract.expression import Expression
from mesh.contract.expression_tree import Node

MEANINGS = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
NUMBERS = [number / 2 for number in range(-4, 9)]


@pytest.mark.parametrize(("one", "other"), list(product(MEANINGS, MEANINGS)))
def test_comparisons_of_one_field(one: str, other: str) -> None:
    for first, second in product(range(3), range(3)):
        found = implies(tree(f"message.x {one} {first}.0"), tree(f"message.x {other} {second}.0"))
        wanted = all(MEANINGS[other](x, second) for x in NUMBERS if MEANINGS[one](x, first))
        assert found == wanted, (one, first, other, second)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("message.x < 1.0", "message.y < 2.0"),
        ("message.x == null", "message.x < 2.0"),
        ("message.x < 1.0 || message.y < 1.0", "message.x < 1.0"),
        ("message.x < 1.0", "message.x < 1.0 && message.y < 1.0"),
        ("message.x > 1.0 ? message.y > 2.0 : true", "message.x > 2.0 ? message.y > 2.0 : true"),
        ("message.l.all(i, i > 1)", "message.l.exists(i, i > 1)"),
        ("!(message.x > 1.0 && message.y > 1.0)", "!(message.x > 1.0)"),
    ],
)
def test_what_does_not_follow_is_not_said_to(one: str, other: str) -> None:
    assert not implies(tree(one), tree(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("message.l.all(i, i > 2)", "message.l.all(i, i > 1)"),
        ("message.l.exists(i, i == 2)", "message.l.exists(i, i in [1, 2])"),
        ("message.x < 1.0 && message.y > 3.0", "message.y > 2.0 || message.x > 9.0"),
        ("message.s == 'a'", "message.s in ['a', 'b'] && message.s != 'c'"),
    ],
)
def test_what_follows_is_seen(one: str, other: str) -> None:
    assert implies(tree(one), tree(other))


def tree(text: str) -> Node:
    return Expression.parse(text).tree
