"""Drafts from sampled records: types that hold all of them, and suggestions that stay comments."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import fastavro
import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.contract import Contract, Document
from mesh.contract.infer import Origin, Topic, draft_of_records, draft_of_schema, read_schema
from mesh.contract.infer.profile import profiled
from mesh.contract.infer.texts import pattern_of, said_by
from mesh.contract.infer.values import infer_properties
from mesh.errors import ContractInvalid
from mesh.judge import RowCodec
from mesh.producer import ndjson_rows
from mesh.producer.files import Row
from mesh.types import ProductName

LEVELS = ProductName("water", "levels")
START = datetime(2013, 1, 1, tzinfo=UTC)


def rows(count: int = 40) -> list[dict[str, Any]]:
    """A table of texts, as a CSV gives it."""
    return [
        {
            "id": f"GW{number:04d}",
            "gauge": ("NORTH", "SOUTH")[number % 2],
            "level": str(number / 4),
            "count": str(number),
            "seen_at": (START + timedelta(hours=number)).isoformat().replace("+00:00", "Z"),
            "day": f"2013-01-{number % 28 + 1:02d}",
            "zip": "00123",
            "flag": "TRUE",
            "note": None if number % 8 else "x",
        }
        for number in range(count)
    ]


def draft(records: list[dict[str, Any]], **more: Any) -> str:
    return draft_of_records(Origin("levels.csv", LEVELS, numbers=True, **more), records)


def uncommented(text: str) -> str:
    """The draft with every suggestion taken up that is YAML of a property, as a person would."""
    wanted = ("# logicalTypeOptions", "# quality:", "#   ", "# primaryKey")
    lines = text.splitlines(keepends=True)
    return "".join(
        line.replace("# ", "", 1) if line.lstrip().startswith(wanted) and "In the sample" not in line else line
        for line in lines
    )


def test_a_table_becomes_a_contract_that_holds_its_rows() -> None:
    contract = Contract.parse(draft(rows()))
    types = {field.name: (field.physical_type, field.required) for field in contract.fields}
    assert types == {
        "id": ("string", True),
        "gauge": ("string", True),
        "level": ("double", True),
        "count": ("long", True),
        "seen_at": ("long/timestamp-millis", True),
        "day": ("int/date", True),
        "zip": ("string", True),
        "flag": ("boolean", True),
        "note": ("string", False),
    }
    assert (contract.product, contract.version, contract.status) == (LEVELS, "1.0.0", "draft")
    assert all(clause.kind == "required" for clause in contract.clauses)


def test_suggestions_are_comments_that_can_be_taken_up_as_they_stand() -> None:
    text = draft(rows())
    contract = Contract.parse(uncommented(text))
    clauses = {clause.id: clause.argument for clause in contract.clauses if clause.kind != "required"}
    assert clauses == {
        "id.pattern": "^[A-Z]{2}[0-9]{4}$",
        "gauge.values": ("NORTH", "SOUTH"),
        "level.minimum": 0.0,
        "level.maximum": 9.75,
        "count.minimum": 0,
        "count.maximum": 39,
    }
    assert set(contract.key_fields) == {"id", "count", "seen_at"}  # level is a measure, whatever the sample says
    assert "# In the sample: null in 87.5 %, 1 character.\n      - name: note" in text
    assert "# - {property: eventTime, value: seen_at}" in text


def test_nothing_of_the_data_is_written_where_that_is_not_wanted() -> None:
    text = draft(rows(), values=False)
    for shown in ("NORTH", "9.75", "39", "2013", "[A-Z]"):
        assert shown not in text
    assert "null in 87.5 %" in text
    assert "# primaryKey: true" in text


def test_pairs_are_told_where_no_field_tells_records_apart() -> None:
    records = [{"gauge": gauge, "hour": str(hour), "level": "1"} for gauge in ("N", "S") for hour in range(12)]
    assert "together do: gauge and hour." in draft(records)
    assert "together" not in draft(records * 2)
    assert "primaryKey" not in draft(records)


def test_the_draft_says_what_is_to_be_filled_in_and_keeps_the_order_of_the_columns() -> None:
    source = Document.parse(draft(rows())).source
    assert all(str(source["description"][key]).startswith("TODO: ") for key in ("purpose", "usage", "limitations"))
    assert [node["name"] for node in source["schema"][0]["properties"]] == list(rows()[0])
    assert all(node["description"].startswith("TODO: what ") for node in source["schema"][0]["properties"])


NESTED: list[dict[str, Any]] = [
    {
        "id": number,
        "place": {"lat": 1.5, "lon": 2, "name": "x"},
        "tags": ["a"] * (number % 3),
        "visits": [{"at": "2013-01-01T10:00:00.123456Z", "n": number}],
        "gaps": [1, None],
        "none": [],
        "labels": {"a-b": 1, "c d": 2.5},
        "wide": 1 if number % 2 else "a",
        "late": None,
        "when": "2013-01-01T10:00:00",
        "clock": "10:00",
        "quoted": "12",
    }
    | ({"some": True} if number % 2 else {})
    for number in range(12)
]


def test_json_keeps_its_numbers_and_its_nesting() -> None:
    contract = Contract.parse(draft_of_records(Origin("levels.ndjson", LEVELS), NESTED))
    fields = {field.path: field.physical_type for top in contract.fields for field in top.walk()}
    assert fields["place.lon"] == "long"
    assert fields["visits[].at"] == "long/timestamp-micros"
    assert (fields["when"], fields["clock"]) == ("long/local-timestamp-millis", "int/time-millis")
    assert fields["quoted"] == "string"
    by_name = {field["name"]: field["type"] for field in contract.value_schema["fields"]}
    assert by_name["labels"] == {"type": "map", "values": "double"}
    assert by_name["wide"] == ["long", "string"]
    assert by_name["gaps"]["items"] == ["null", "long"]
    assert by_name["some"] == ["null", "boolean"]


plain: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers(-(1 << 40), 1 << 40) | st.floats(allow_nan=False, allow_infinity=False)
)
plain = plain | st.text(max_size=5).filter(str.isprintable)
names = st.sampled_from(["a", "b", "c"])


def samples(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    inner = values | st.lists(values, max_size=3) | st.dictionaries(names, values, min_size=1, max_size=3)
    return st.lists(st.dictionaries(names, inner, min_size=1), min_size=1, max_size=5)


@settings(max_examples=40, deadline=None)
@given(samples(plain))
def test_whatever_is_sampled_goes_into_the_schema_or_is_refused_by_path(records: list[dict[str, Any]]) -> None:
    try:
        contract = Contract.parse(draft_of_records(Origin("x.ndjson", LEVELS), records))
    except ContractInvalid as error:
        assert all("by turns" in problem for problem in error.problems)
        return
    schema = fastavro.parse_schema(contract.value_schema)
    for record in records:
        fastavro.schemaless_writer(io.BytesIO(), schema, record)


def test_a_drafted_contract_takes_the_lines_it_was_drafted_from() -> None:
    contract = Contract.parse(draft_of_records(Origin("x.ndjson", LEVELS), NESTED[:1]))
    (row,) = ndjson_rows([json.dumps(NESTED[0])], contract)
    assert isinstance(row, Row)
    RowCodec(contract.value_schema).encode(row.record)


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({"flight no": 1}, "x.ndjson: flight no: 'flight no' is not a field name"),
        ({"a": {"b c": [1]}}, "x.ndjson: a.b c: 'b c' is not a field name"),
        ({"a": {"b": 1, "d": 1 << 70}}, "x.ndjson: a.d: holds whole numbers that no number of Avro's holds"),
        ({"a": [1 << 60, 0.5]}, "x.ndjson: a[]: holds whole numbers that no number of Avro's holds"),
    ],
)
def test_names_that_avro_lacks_are_refused(record: dict[str, Any], told: str) -> None:
    with pytest.raises(ContractInvalid) as raised:
        infer_properties(profiled([record]), "x.ndjson", numbers=False)
    assert str(raised.value).startswith(told)


@pytest.mark.parametrize(
    ("texts", "physical"),
    [
        (["1", "-2", "+3"], "long"),
        (["007", "1"], None),
        (["1", "2.5", "1e3", ".5"], "double"),
        (["1_000"], None),
        (["NaN", "1"], None),
        (["9223372036854775808"], "double"),
        (["true", "FALSE"], "boolean"),
        (["yes"], None),
        (["2013-01-31"], "int/date"),
        (["2013-02-31"], None),
        (["10:00:00.1234"], "long/time-micros"),
        (["2013-01-31T10:00:00Z", "2013-01-31 10:00+01:00"], "long/timestamp-millis"),
        (["2013-01-31T10:00:00.1234567Z"], "long/timestamp-nanos"),
        (["2013-01-31T10:00"], "long/local-timestamp-millis"),
        (["12345678-1234-5678-1234-567812345678"], "string/uuid"),
        (["e", "."], None),
        (["-"], None),
    ],
)
def test_what_texts_say(texts: list[str], physical: str | None) -> None:
    said = said_by(texts, numbers=True)
    assert (said.physical if said else None) == physical
    if said:
        assert [said.value(text) for text in texts]


@given(st.lists(st.text(st.sampled_from("ABab01-. $"), max_size=8), min_size=1, max_size=6))
def test_a_pattern_matches_all_it_was_made_of(texts: list[str]) -> None:
    pattern = pattern_of(texts)
    assert pattern is None or all(re2.search(pattern, text) for text in texts)


def test_words_share_no_pattern_but_codes_do() -> None:
    assert pattern_of(["a", "abcdefghij"]) is None
    assert pattern_of(["N1-EWR", "N12345-JFK"]) == "^[A-Z][0-9]{1,5}-[A-Z]{3}$"
    assert pattern_of(["$1.50", "$9.99"]) == r"^\$[0-9]\.[0-9]{2}$"


SCHEMA = {
    "type": "record",
    "name": "Level",
    "namespace": "water",
    "fields": [{"name": "gauge", "type": "string"}, {"name": "level", "type": ["null", "double"], "default": None}],
}


def test_a_topics_records_comment_on_the_schema_and_mark_the_key() -> None:
    records = [{"gauge": f"G{number}", "level": float(number)} for number in range(20)]
    topic = Topic(3, "compact", "string", ("gauge",))
    text = draft_of_schema(Origin("the topic t", LEVELS, topic=topic), read_schema(SCHEMA, "t"), records)
    contract = Contract.parse(text)
    assert (contract.key_fields, contract.partitions, contract.cleanup) == (("gauge",), 3, "compact")
    assert "keySchema" not in text
    assert "# In the sample: never null.\n      - name: level" in text
    assert "# logicalTypeOptions: {minimum: 0.0, maximum: 19.0}" in text


def test_a_key_that_is_no_field_is_kept_whole_and_says_so() -> None:
    key = {"type": "record", "name": "K", "fields": [{"name": "x", "type": "long"}]}
    text = draft_of_schema(Origin("s", LEVELS, topic=Topic(key=key)), read_schema(SCHEMA, "s"))
    assert Contract.parse(text).key_schema == key
    assert "# The keys are no field's value" in text


def test_a_key_of_a_field_that_may_be_null_is_not_marked() -> None:
    topic = Topic(key="double", key_fields=("level",))
    text = draft_of_schema(Origin("s", LEVELS, topic=topic), read_schema(SCHEMA, "s"), [{"gauge": "a", "level": 1.0}])
    assert Contract.parse(text).key_fields == ()
