"""Reading Avro schemas into shapes: names, defaults, and everything that is not Avro."""

from __future__ import annotations

from typing import Any

import pytest

from mesh.contract.shape import Record, fits, shape_of
from mesh.errors import ContractInvalid


def record(kind: Any, **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": [{"name": "f", "type": kind, **more}]}


ENUM = {"type": "enum", "name": "E", "symbols": ["a", "b"]}
FIXED = {"type": "fixed", "name": "F", "size": 2}


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (3, "3 is not an Avro type"),
        ({"name": "x"}, "None is not an Avro type"),
        (record("strnig"), "f: 'strnig' is not an Avro type"),
        (record([]), "f: a union needs at least one branch"),
        (record(["null", "null"]), "f: two branches are null"),
        (record([ENUM, {**ENUM, "symbols": ["c"]}]), "f: the name E is defined twice"),
        (record(["null", ["int"]]), "a union may not hold a union"),
        (record("int", default="x"), "f: the default 'x' does not fit int"),
        (record("int", default=2**31), "f: the default 2147483648 does not fit int"),
        (record("boolean", default=1), "f: the default 1 does not fit boolean"),
        (record(ENUM, default="c"), "f: the default 'c' does not fit enum E"),
        (record({**ENUM, "default": "c"}), "f: the default 'c' of enum E"),
        (record({**ENUM, "symbols": ["a", "a"]}), "f: enum E needs a list of different symbols"),
        (record({**ENUM, "symbols": ["a b"]}), "f: 'a b' is not an Avro name"),
        (record({**FIXED, "size": -1}), "f: fixed F needs a size"),
        (record({"type": "enum", "symbols": ["a"]}), "f: the enum has no name"),
        ({"type": "record", "name": "R"}, "record R has no list of fields"),
        ({"type": "record", "name": "9R", "fields": []}, "'9R' is not an Avro name"),
        ({"type": "record", "name": "R", "fields": ["f"]}, "every field needs a name and a type"),
        ({"type": "record", "name": "R", "fields": [{"name": "f", "type": "int"}] * 2}, "field f is defined twice"),
        (record("int", aliases="g"), "f: aliases must be a list of names"),
    ],
)
def test_what_is_not_avro_is_refused_with_its_path(schema: object, said: str) -> None:
    with pytest.raises(ContractInvalid) as caught:
        shape_of(schema)
    assert said in str(caught.value)


def test_bottomless_nesting_is_refused_and_not_a_crash() -> None:
    schema: Any = "int"
    for _ in range(5000):
        schema = {"type": "array", "items": schema}
    with pytest.raises(ContractInvalid, match="200 levels"):
        shape_of(schema)


def test_a_name_is_looked_up_in_the_namespace_around_it() -> None:
    inner = {"type": "record", "name": "Inner", "fields": []}
    fields = [{"name": "a", "type": inner}, {"name": "b", "type": "Inner"}, {"name": "c", "type": "n.Inner"}]
    shape = shape_of({"type": "record", "name": "n.Outer", "fields": fields})
    assert isinstance(shape, Record)
    assert [field.type.name for field in shape.fields if isinstance(field.type, Record)] == ["n.Inner"] * 3


@pytest.mark.parametrize(
    ("schema", "value", "good"),
    [
        ("null", None, True),
        ("long", 2**63 - 1, True),
        ("long", 2**63, False),
        ("int", True, False),
        ("double", 1, True),
        ("bytes", "\u00ff", True),
        ("bytes", "\u0100", False),
        (FIXED, "ab", True),
        (FIXED, "abc", False),
        ({"type": "array", "items": "int"}, [1, 2], True),
        ({"type": "array", "items": "int"}, [1, "x"], False),
        ({"type": "map", "values": "int"}, {"k": 1}, True),
        ({"type": "map", "values": "int"}, [], False),
        (["null", "int"], 1, True),
        (["null", "int"], "x", False),
        (record("int"), {"f": 1}, True),
        (record("int"), {}, False),
        (record("int", default=1), {}, True),
    ],
)
def test_a_default_fits_its_type(schema: object, value: object, good: bool) -> None:
    assert fits(shape_of(schema), value) is good
