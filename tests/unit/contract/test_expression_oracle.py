"""Where cel-python leaves CEL's definition, and that our rules follow the definition there.

The comparison of both on generated rules is in tests/unit/judge/test_rules_oracle.py, with both judges.
"""

from __future__ import annotations

import pytest
from celpy import celtypes

from mesh.contract.expression import Expression
from tests.support.celpy_oracle import DEVIATIONS, Interpreted

SCHEMA = {"type": "record", "name": "R", "fields": []}
REFUSED = ("timestamp('2013-01-01')", "duration('1d')", "duration('4000000h')", "duration('90000h') * 2")


def ours(text: str) -> str:
    expression = Expression.parse(text)
    if expression.check(SCHEMA):
        return "error"  # refused at registration, which is before any record
    source = expression.source(SCHEMA)
    holds, undecided = (eval(each, dict(source.constants)) for each in (source.holds, source.undecided))  # noqa: S307
    return "error" if undecided else str(holds).lower()


@pytest.mark.parametrize(("text", "theirs", "right", "where"), DEVIATIONS)
def test_the_table_of_deviations(text: str, theirs: str, right: str, where: str) -> None:
    assert where
    assert ours(text) == right
    plain = Interpreted(text, corrected=False)
    if theirs == "raises":
        with pytest.raises(OverflowError):
            plain.outcome(celtypes.MapType({}))
    else:
        assert plain.outcome(celtypes.MapType({})) == theirs


@pytest.mark.parametrize("text", REFUSED)
def test_constants_that_are_errors_are_refused_before_any_record(text: str) -> None:
    assert Expression.parse(f"{text} == null").check(SCHEMA)


def test_map_entries_and_null_differ_from_an_error() -> None:
    assert ours("{'a': 1}.b == 1") == "error"
    assert ours("{'a': 1}.b == 1 || true") == "true"
    assert ours("1 / 0 == 1 ? true : true") == "error"
