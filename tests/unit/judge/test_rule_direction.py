"""The direction of a changed rule: what is called looser refuses nothing that was taken before."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
import yaml
from hypothesis import event, given, reject, settings
from hypothesis import strategies as st

from mesh.contract import Contract
from mesh.contract.diff import Change, Way, diff
from mesh.errors import ContractInvalid
from mesh.judge.direction import sampled
from mesh.judge.rules import Clauses

DECIDE = sampled()


def contract(expression: str, **fields: dict[str, Any]) -> Contract:
    """A product with the numbers x and y, the text s, and one rule over them."""
    kinds = {"x": ("integer", "int"), "y": ("number", "double"), "s": ("string", "string")}
    properties = [
        {"name": name, "logicalType": logical, "physicalType": physical, **fields.get(name, {})}
        for name, (logical, physical) in kinds.items()
    ]
    item = {"id": "rule", "type": "custom", "engine": "cel", "implementation": {"expression": expression}}
    record = {"name": "R", "physicalName": "d.p.v1", "logicalType": "object", "properties": properties}
    source = {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": "d-p",
        "version": "1.0.0",
        "status": "active",
        "domain": "d",
        "schema": [{**record, "quality": [item]}],
    }
    return Contract.parse(yaml.safe_dump(source))


def changed(old: Contract, new: Contract) -> Change:
    (change,) = diff(old, new, decide=DECIDE).changes
    return change


@pytest.mark.parametrize(
    ("old", "new", "way"),
    [
        ("message.x <= 5", "message.x <= 3", Way.TIGHTENED),
        ("message.x <= 5", "message.x < 5", Way.TIGHTENED),
        ("message.x <= 5", "5 >= message.x", Way.EQUIVALENT),
        ("message.x <= 5", "message.x <= 9", Way.LOOSENED),
        ("message.x == null || message.x <= 5", "message.x == null || message.x <= 6", Way.LOOSENED),
        ("message.x > 0 && message.x < 9", "message.x > 0", Way.LOOSENED),
        ("message.x > 0", "message.x > 1 && message.y < 2.0", Way.TIGHTENED),
        ("message.s in ['a', 'b']", "message.s in ['a', 'b', 'c']", Way.LOOSENED),
        ("message.s in ['a', 'b']", "message.s == 'a'", Way.TIGHTENED),
        ("message.s == 'a'", "message.s != 'b'", Way.LOOSENED),
        ("!(message.x > 5)", "!(message.x > 7)", Way.LOOSENED),
        ("message.y < -1.0", "message.y < 0.0", Way.LOOSENED),
        ("message.x > 1 ? message.y > 2.0 : true", "message.x > 1 ? message.y > 1.0 : true", Way.LOOSENED),
    ],
)
def test_the_trees_show_it(old: str, new: str, way: Way) -> None:
    found = changed(contract(old), contract(new))
    assert (found.way, found.proof) == (way, "tree")


@pytest.mark.parametrize(
    ("old", "new", "way"),
    [
        ("message.x < 5", "message.x * 2 < 16", Way.LOOSENED),
        ("message.x + 1 < 5", "message.x < 3", Way.TIGHTENED),
        ("message.x < 5", "message.x != 3", Way.REWRITTEN),
        ("message.s.startsWith('ab')", "message.s.startsWith('a')", Way.LOOSENED),
        ("message.s.matches('^[a-f]{2,4}$')", "message.s.matches('^[a-f]{3}$')", Way.TIGHTENED),
        ("message.s.matches('^[a-f]{2}$')", "message.s.matches('^[a-z]{2}$')", Way.LOOSENED),
        ("size(message.s) < 9", "size(message.s) + 1 < 30", Way.LOOSENED),
    ],
)
def test_records_show_it_where_the_trees_do_not(old: str, new: str, way: Way) -> None:
    found = changed(contract(old), contract(new))
    assert (found.way, found.proof) == (way, "sample")


def test_without_a_record_that_tells_them_apart_nothing_is_claimed() -> None:
    found = changed(contract("message.x < 5"), contract("message.x * 2 < 10"))
    assert (found.way, found.proof) == (Way.REWRITTEN, "")


def test_what_only_one_combination_shows_is_found() -> None:
    old = contract("message.x != -2")
    new = contract("message.y >= 3.5 ? message.s in ['c'] : message.s in ['b']")
    assert changed(old, new).way is Way.REWRITTEN


@pytest.mark.parametrize(
    ("kind", "old", "new", "way"),
    [
        ("pattern", "^[a-z]+$", "^[a-z]{2,}$", Way.TIGHTENED),
        ("pattern", "^(one|two)$", "^(one|two|three)$", Way.LOOSENED),
        ("pattern", "^x[0-9]$", "^y[0-9]$", Way.REWRITTEN),
        ("maxLength", 4, 9, Way.LOOSENED),
    ],
)
def test_options_of_a_text(kind: str, old: object, new: object, way: Way) -> None:
    before, after = (contract("true", s={"logicalTypeOptions": {kind: each}}) for each in (old, new))
    assert changed(before, after).way is way


def test_fields_of_other_types_are_not_sampled() -> None:
    before = contract("message.x * 2 < 10")
    after = contract("message.x + 1 < 10", x={"physicalType": "long"})
    (rule,) = (each for each in diff(before, after, decide=DECIDE).changes if each.kind == "rule")
    assert (rule.way, rule.proof) == (Way.REWRITTEN, "")


NUMBERS = st.integers(-3, 6)
ATOMS = st.one_of(
    st.builds("message.x {} {}".format, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), NUMBERS),
    st.builds("message.y {} {}.5".format, st.sampled_from(["<", "<=", ">", ">="]), st.integers(0, 4)),
    st.builds("message.s in {}".format, st.lists(st.sampled_from("abc"), min_size=1, unique=True)),
    st.sampled_from(["message.x == null", "message.s == 'a'", "message.x % 2 == 0", "'a' != message.s"]),
)
RULES = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds("({} && {})".format, inner, inner),
        st.builds("({} || {})".format, inner, inner),
        st.builds("!({})".format, inner),
        st.builds("({} ? {} : {})".format, inner, inner, inner),
    ),
    max_leaves=4,
)


def grid() -> Iterator[dict[str, Any]]:
    """Every combination that the constants of these rules can tell apart."""
    xs, ys, texts = [None, *range(-5, 9)], [None, -9.0, 0.5, 1.0, 1.5, 2.5, 3.5, 4.5, 9.0], [None, "a", "b", "c", ""]
    for x, y, text in product(xs, ys, texts):
        yield {"x": x, "y": y, "s": text}


GRID = list(grid())


def kept(one: Contract) -> list[bool]:
    clauses = Clauses(one)
    return [not list(clauses.findings(record)) for record in GRID]


@settings(max_examples=50, deadline=None)
@given(RULES, RULES, st.booleans())
def test_what_is_called_looser_refuses_nothing_that_was_taken(one: str, other: str, nested: bool) -> None:
    try:
        old, new = contract(one), contract(f"({one} || {other})" if nested else other)
    except ContractInvalid:  # a rule that is always true, or never
        reject()
    found = diff(old, new, decide=DECIDE).changes
    if not found:
        return
    (change,) = found
    event(f"{change.way.value} by {change.proof or 'nothing'}")
    taken = list(zip(kept(old), kept(new), strict=True))
    if change.way in (Way.LOOSENED, Way.EQUIVALENT):
        assert all(now for was, now in taken if was), (old, new)
    if change.way in (Way.TIGHTENED, Way.EQUIVALENT):
        assert all(was for was, now in taken if now), (old, new)
