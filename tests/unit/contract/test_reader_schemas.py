"""READERS: who reads what decides which change is allowed."""

from __future__ import annotations

from typing import Any

import pytest

from mesh.contract.compatibility import Reader, check_readers, compare, project
from mesh.errors import ContractInvalid


def record(*fields: dict[str, Any], name: str = "R") -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields)}


def named(field: str, kind: Any, **more: Any) -> dict[str, Any]:
    return {"name": field, "type": kind, **more}


A, B, C = named("a", "string"), named("b", "int"), named("c", "long", default=0)
WHOLE = record(A, B, C)


def told(new: object, *readers: Reader) -> list[tuple[str, str, str]]:
    return [(each.reader, each.rule, each.path) for each in check_readers(new, readers)]  # type: ignore[arg-type]


def test_a_field_nobody_uses_may_go_and_one_in_use_may_not() -> None:
    desk = Reader("desk", project(WHOLE, ["a"]), ("a",))
    assert told(record(A), desk) == []
    assert told(record(B, C), desk) == [("desk", "field_without_default", "a")]


def test_a_default_lets_a_reader_decode_but_does_not_replace_what_it_uses() -> None:
    assert told(record(A, B), Reader("desk", WHOLE)) == []
    assert told(record(A, B), Reader("desk", WHOLE, ("c",))) == [("desk", "used_field_gone", "c")]


def test_the_reader_is_named_in_the_sentence() -> None:
    (finding,) = check_readers(record(A, B), [Reader("atlas", WHOLE, ("a",)), Reader("desk", WHOLE, ("c",))])
    assert str(finding) == "the reader desk: c: the reader uses this field, which is not written (used_field_gone)"


def test_every_reader_must_be_able_to_read() -> None:
    desk, atlas = Reader("desk", record(A)), Reader("atlas", record(B))
    assert told(record(A, named("b", "string")), desk, atlas) == [("atlas", "type_changed", "b")]
    assert told(WHOLE) == []


def test_a_use_follows_the_alias_of_the_reader() -> None:
    reader = Reader("desk", record(named("x", "string", aliases=["a"], default="")), ("x",))
    assert told(WHOLE, reader) == []
    assert told(record(B), reader) == [("desk", "used_field_gone", "x")]


LEAF = record(named("u", "int", default=0), named("v", "int", default=0), name="Leaf")
DEEP = record(
    A,
    named("items", {"type": "array", "items": LEAF}, default=[]),
    named("more", ["null", {"type": "map", "values": {**LEAF, "name": "Other"}}], default=None),
)


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("items[].u", ["items", "u"]),
        ("items", ["items", "u", "v"]),
        ("more{}.v", ["more", "v"]),
    ],
)
def test_a_projection_keeps_what_is_used(path: str, kept: list[str]) -> None:
    projected = project(DEEP, [path])
    assert names(projected) == kept
    assert compare(projected, DEEP) == ()


def names(schema: Any) -> list[str]:
    """The names of all fields, outermost first."""
    if isinstance(schema, list):
        return [each for branch in schema for each in names(branch)]
    if not isinstance(schema, dict):
        return []
    inner = [each for part in ("items", "values") for each in names(schema.get(part))]
    return inner + [each for field in schema.get("fields", ()) for each in (field["name"], *names(field["type"]))]


def test_a_use_deep_in_lists_and_maps_is_seen_to_go() -> None:
    without_v = record(
        A,
        named("items", {"type": "array", "items": record(named("u", "int"), name="Leaf")}),
        named("more", ["null", {"type": "map", "values": record(named("v", "int"), name="Other")}]),
    )
    reader = Reader("desk", DEEP, ("items[].v", "more{}.v", "items[].u"))
    assert told(without_v, reader) == [("desk", "used_field_gone", "items[].v")]


def test_a_type_used_by_name_is_kept_whole() -> None:
    twice = record(named("first", record(B, C, name="P")), named("second", "P"))
    assert project(twice, ["second.b"]) == twice


@pytest.mark.parametrize("path", ["z", "a.b", "a[]", "", "items.u", "more.v"])
def test_a_use_of_nothing_is_refused(path: str) -> None:
    with pytest.raises(ContractInvalid, match="there is no such field"):
        project(DEEP, [path])
