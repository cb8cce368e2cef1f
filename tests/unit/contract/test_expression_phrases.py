"""Rules written for other words of a contract."""

from __future__ import annotations

from typing import Any

import pytest

from mesh.contract.expression import Expression
from mesh.contract.expression_phrases import never_in

LINE = {
    "type": "record",
    "name": "Line",
    "fields": [{"name": "code", "type": ["null", "string"]}, {"name": "n", "type": "int"}],
}
SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "R",
    "fields": [
        {"name": "lines", "type": ["null", {"type": "array", "items": ["null", LINE]}]},
        {"name": "first", "type": ["null", "Line"]},
    ],
}


@pytest.mark.parametrize(
    ("path", "record", "holds"),
    [
        ("first.code", {"first": None}, True),
        ("first.code", {"first": {"code": None}}, True),
        ("first.code", {"first": {"code": 'a"\n\u2028𝄞'}}, False),
        ("first.code", {"first": {"code": "b"}}, True),
        ("lines[].code", {"lines": None}, True),
        ("lines[].code", {"lines": [None, {"code": "b"}]}, True),
        ("lines[].code", {"lines": [{"code": "b"}, {"code": 'a"\n\u2028𝄞'}]}, False),
    ],
)
def test_none_of_the_values_is_there(path: str, record: dict[str, Any], holds: bool) -> None:
    expression = Expression.parse(never_in(path, ['a"\n\u2028𝄞', "-"]))
    assert expression.check(SCHEMA) == []
    assert expression.compile(SCHEMA)({"lines": None, "first": None} | record) is holds


def test_numbers_and_truths() -> None:
    schema = {"type": "record", "name": "R", "fields": [{"name": "n", "type": "int"}, {"name": "t", "type": "boolean"}]}
    for path, values in (("n", [-1, 99]), ("t", [True])):
        rule = Expression.parse(never_in(path, values)).compile(schema)
        assert [rule({"n": 99, "t": True}), rule({"n": 1, "t": False})] == [False, True]
