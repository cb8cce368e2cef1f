"""Compatibility on literal pairs: what each rule refuses, what Avro's resolution allows."""

from __future__ import annotations

from typing import Any

import pytest

from mesh.contract.compatibility import Direction, Mode, check, compare
from mesh.errors import ContractInvalid


def record(*fields: dict[str, Any], name: str = "R", **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields), **more}


def named(field: str, kind: Any, **more: Any) -> dict[str, Any]:
    return {"name": field, "type": kind, **more}


def enum(*symbols: str, **more: Any) -> dict[str, Any]:
    return {"type": "enum", "name": "E", "symbols": list(symbols), **more}


def told(reader: object, writer: object) -> list[tuple[str, str]]:
    return [(each.rule, each.path) for each in compare(reader, writer)]


A, B = named("a", "string"), named("b", "int")
FIXED_4 = {"type": "fixed", "name": "F", "size": 4}
MILLIS = {"type": "long", "logicalType": "timestamp-millis"}
MICROS = {"type": "long", "logicalType": "timestamp-micros"}


def decimal(precision: int, scale: int) -> dict[str, Any]:
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}


@pytest.mark.parametrize(
    ("reader", "writer"),
    [
        pytest.param("int", "int", id="same"),
        pytest.param("long", "int", id="int to long"),
        pytest.param("float", "int", id="int to float"),
        pytest.param("float", "long", id="long to float"),
        pytest.param("double", "int", id="int to double"),
        pytest.param("double", "long", id="long to double"),
        pytest.param("double", "float", id="float to double"),
        pytest.param("string", "bytes", id="bytes to string"),
        pytest.param("bytes", "string", id="string to bytes"),
        pytest.param(record(A), record(A, B), id="field removed"),
        pytest.param(record(A, named("b", "int", default=0)), record(A), id="field added with default"),
        pytest.param(record(named("n", ["null", "int"], default=None)), record(), id="optional field added"),
        pytest.param(record(B, A), record(A, B), id="fields in another order"),
        pytest.param(record(named("new", "string", aliases=["a"])), record(A), id="field renamed with alias"),
        pytest.param(record(A, name="x.R"), record(A, name="y.R"), id="only the namespace differs"),
        pytest.param(record(A, name="n.New", aliases=["Old"]), record(A, name="n.Old"), id="record alias, relative"),
        pytest.param(record(A, name="New", aliases=["y.Old"]), record(A, name="y.Old"), id="record alias, full"),
        pytest.param(enum("a", "b", "c"), enum("a", "b"), id="symbol added, read by the new"),
        pytest.param(enum("a", default="a"), enum("a", "b"), id="symbol unknown, reader has a default"),
        pytest.param(enum("b", "a"), enum("a", "b"), id="symbols in another order"),
        pytest.param(FIXED_4, FIXED_4, id="fixed"),
        pytest.param({"type": "array", "items": "long"}, {"type": "array", "items": "int"}, id="items promoted"),
        pytest.param({"type": "map", "values": "long"}, {"type": "map", "values": "int"}, id="values promoted"),
        pytest.param(["null", "int"], "int", id="made optional"),
        pytest.param(["null", "long"], ["null", "int"], id="branch promoted"),
        pytest.param(["string", "null"], ["null", "string"], id="branches in another order"),
        pytest.param("long", ["int", "long"], id="every branch of the writer fits"),
        pytest.param(MILLIS, "long", id="logical type added"),
        pytest.param("long", MILLIS, id="logical type removed"),
        pytest.param(decimal(12, 2), decimal(10, 2), id="decimal widened"),
        pytest.param("bytes", decimal(10, 2), id="decimal read as its bytes"),
        pytest.param(record(A, named("b", "string", aliases=["a"], default="")), record(A), id="alias of a taken name"),
        pytest.param([record(A, name="x.R"), record(B, name="y.R")], record(B, name="y.R"), id="branch by full name"),
        pytest.param(["double", "string"], MILLIS, id="first branch that matches"),
    ],
)
def test_a_reader_reads(reader: object, writer: object) -> None:
    assert told(reader, writer) == []


@pytest.mark.parametrize(
    ("reader", "writer", "rule", "path"),
    [
        pytest.param("int", "long", "type_changed", "", id="narrowed"),
        pytest.param("int", "string", "type_changed", "", id="other type"),
        pytest.param("long", "float", "type_changed", "", id="float to long"),
        pytest.param("string", record(A), "type_changed", "", id="record to string"),
        pytest.param(record(A, B), record(A), "field_without_default", "b", id="field added without default"),
        pytest.param(record(named("new", "string")), record(A), "field_without_default", "new", id="field renamed"),
        pytest.param(record(named("a", "int")), record(A), "type_changed", "a", id="field changed"),
        pytest.param(record(A, name="New"), record(A, name="Old"), "name_changed", "", id="record renamed"),
        pytest.param(enum("a"), enum("a", "b"), "enum_symbols_missing", "", id="symbol removed"),
        pytest.param({**FIXED_4, "size": 8}, FIXED_4, "fixed_size_changed", "", id="fixed resized"),
        pytest.param({**FIXED_4, "name": "G"}, FIXED_4, "name_changed", "", id="fixed renamed"),
        pytest.param({"type": "array", "items": "int"}, {"type": "array", "items": "long"}, "type_changed", "[]"),
        pytest.param({"type": "map", "values": "int"}, {"type": "map", "values": "long"}, "type_changed", "{}"),
        pytest.param("int", ["null", "int"], "type_changed", "", id="made required"),
        pytest.param(["null", "int"], ["null", "int", "string"], "union_branch_missing", "", id="branch removed"),
        pytest.param(["null", "int"], "string", "union_branch_missing", "", id="no branch"),
        pytest.param(MICROS, MILLIS, "logical_type_changed", "", id="milliseconds to microseconds"),
        pytest.param(decimal(10, 3), decimal(10, 2), "logical_type_changed", "", id="decimal scale"),
        pytest.param(decimal(8, 2), decimal(10, 2), "logical_type_changed", "", id="decimal narrowed"),
        pytest.param("string", decimal(10, 2), "logical_type_changed", "", id="decimal read as text"),
        pytest.param(decimal(10, 2), "string", "logical_type_changed", "", id="text read as decimal"),
        pytest.param([decimal(10, 3), "string"], decimal(10, 2), "logical_type_changed", "", id="no way round"),
        pytest.param(["double", MICROS], MILLIS, "logical_type_changed", "", id="whichever branch a decoder takes"),
        pytest.param(
            [MILLIS, {"type": "int", "logicalType": "date"}],
            {"type": "int", "logicalType": "date"},
            "logical_type_changed",
            "",
            id="a decoder takes the first branch",
        ),
        pytest.param(
            record(A, named("b", "string", aliases=["a"])), record(A), "field_without_default", "b", id="taken alias"
        ),
        pytest.param(
            record(named("n", "string", aliases=["a", "c"])),
            record(A, named("c", "string")),
            "alias_ambiguous",
            "n",
            id="two fields for one",
        ),
    ],
)
def test_a_reader_cannot_read(reader: object, writer: object, rule: str, path: str) -> None:
    assert told(reader, writer) == [(rule, path)]


def test_the_path_leads_through_records_arrays_and_maps() -> None:
    def nested(kind: str) -> dict[str, Any]:
        leaf = record(named("leaf", kind), name="Leaf")
        lists = {"type": "array", "items": {"type": "map", "values": leaf}}
        return record(named("outer", record(named("lists", lists), name="Inner")))

    assert told(nested("int"), nested("string")) == [("type_changed", "outer.lists[]{}.leaf")]


def test_the_finding_names_the_branch_that_was_meant() -> None:
    reader = ["null", record(A, B)]
    writer = ["null", record(A)]
    assert told(record(named("r", reader), name="Outer"), record(named("r", writer), name="Outer")) == [
        ("field_without_default", "r.b")
    ]


def test_every_fault_is_told_and_not_only_the_first() -> None:
    reader = record(named("a", "int"), named("b", enum("x")), named("c", "int"))
    writer = record(named("a", "string"), named("b", enum("y")))
    assert told(reader, writer) == [
        ("type_changed", "a"),
        ("enum_symbols_missing", "b"),
        ("field_without_default", "c"),
    ]


def test_a_default_of_the_field_does_not_stand_in_for_a_default_of_the_enum() -> None:
    reader = record(named("e", enum("a"), default="a"))
    assert told(reader, record(named("e", enum("a", "b")))) == [("enum_symbols_missing", "e")]


def test_a_type_used_by_name_is_judged_where_it_is_used() -> None:
    def twice(kind: str) -> dict[str, Any]:
        return record(named("first", record(named("x", kind), name="P")), named("second", "P"))

    assert told(twice("int"), twice("string")) == [("type_changed", "first.x"), ("type_changed", "second.x")]


def test_many_uses_of_one_type_take_neither_time_nor_room() -> None:
    def doubling(kind: str) -> dict[str, Any]:
        fields = [named("l0", record(named("x", kind), name="T0"))]
        for level in range(1, 60):
            inner = record(named("p", f"T{level - 1}"), named("q", f"T{level - 1}"), name=f"T{level}")
            fields.append(named(f"l{level}", inner))
        return record(*fields)

    assert told(doubling("int"), doubling("int")) == []
    assert len(told(doubling("int"), doubling("string"))) == 100


def test_a_recursive_schema_of_another_registry_ends() -> None:
    def chain(kind: str) -> dict[str, Any]:
        return record(named("v", kind), named("next", ["null", "R"], default=None))

    assert told(chain("long"), chain("int")) == []
    assert ("type_changed", "v") in told(chain("int"), chain("string"))


ONE, TWO, THREE = record(A), record(A, B), record(A, named("b", "int", default=0))


@pytest.mark.parametrize(
    ("mode", "new", "earlier", "directions"),
    [
        ("NONE", "int", ["string"], []),
        ("BACKWARD", TWO, [ONE], [Direction.BACKWARD]),
        ("BACKWARD", ONE, [TWO], []),
        ("FORWARD", TWO, [ONE], []),
        ("FORWARD", ONE, [TWO], [Direction.FORWARD]),
        ("FULL", TWO, [ONE], [Direction.BACKWARD]),
        ("FULL", ONE, [TWO], [Direction.FORWARD]),
        ("FULL", THREE, [ONE], []),
        ("BACKWARD", TWO, [ONE, THREE], []),
        ("BACKWARD_TRANSITIVE", TWO, [ONE, THREE], [Direction.BACKWARD]),
        ("FORWARD", ONE, [TWO, THREE], []),
        ("FORWARD_TRANSITIVE", ONE, [TWO, THREE], [Direction.FORWARD]),
        ("FULL", ONE, [TWO, THREE], []),
        ("FULL_TRANSITIVE", ONE, [TWO, THREE], [Direction.FORWARD]),
        ("FULL_TRANSITIVE", "int", [], []),
    ],
)
def test_a_mode_says_who_must_read_whom(mode: str, new: object, earlier: list[object], directions: list[str]) -> None:
    assert [each.direction for each in check(mode, new, earlier)] == directions


def test_a_finding_says_which_earlier_schema_it_is_about() -> None:
    assert [each.against for each in check(Mode.BACKWARD_TRANSITIVE, TWO, [ONE, TWO, ONE])] == [0, 2]


def test_a_finding_reads_as_a_sentence() -> None:
    (finding,) = check("FORWARD", enum("a", "b"), [enum("a")])
    assert str(finding) == (
        "the record: the reader's enum has no default and lacks b "
        "(enum_symbols_missing; the earlier schema cannot read data of the new one)"
    )


def test_a_symbol_added_is_backward_and_not_forward() -> None:
    assert check("BACKWARD", enum("a", "b"), [enum("a")]) == ()
    assert check("FORWARD", enum("a", "b"), [enum("a", default="a")]) == ()
    assert [each.rule for each in check("FORWARD", enum("a", "b"), [enum("a")])] == ["enum_symbols_missing"]


def test_the_history_of_an_enum_counts_whole_where_the_mode_is_transitive() -> None:
    history = [enum("a", "b"), enum("a"), enum("a", "c")]
    assert [each.against for each in check("BACKWARD_TRANSITIVE", enum("a", "c"), history)] == [0]
    assert check("BACKWARD", enum("a", "c"), history) == ()
    assert check("BACKWARD_TRANSITIVE", enum("a", "b", "c"), history) == ()
    assert check("BACKWARD_TRANSITIVE", enum("a", default="a"), history) == ()


def test_what_is_not_avro_is_refused() -> None:
    with pytest.raises(ContractInvalid, match="strnig"):
        compare("strnig", "string")
