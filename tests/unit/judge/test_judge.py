"""Every way a record can break its contract, each with the clause and the reason; and the ways it does not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mesh.contract import Contract
from mesh.judge import Batch, Judge, RowCodec
from mesh.judge.frame import frame
from mesh.types import Reaction, SchemaId
from tests.support.judging import KEY, RECORD, VALUE, Court, contract


@pytest.fixture(scope="module")
def court() -> Court:
    return Court()


def clauses(findings: Any) -> list[str]:
    return [finding.clause for finding in findings]


def test_a_good_record_has_no_finding(court: Court) -> None:
    verdicts = court.judge.judge(court.batch([RECORD]))
    assert verdicts.findings == {}
    assert verdicts.event_times == [1357034400123]
    assert verdicts.refusals == frozenset()
    assert not verdicts.refused(0)


def test_optional_fields_may_be_null(court: Court) -> None:
    bare = {"shop": "AB", "number": 1, "count": 2, "tags": None, "address": None, "placed": RECORD["placed"]}
    verdicts = court.judge.judge(court.batch([bare]))
    assert verdicts.findings == {}


@pytest.mark.parametrize(
    ("change", "clause", "path", "reason"),
    [
        ({"shop": "A1"}, "shop.pattern", "shop", "'A1' does not match ^[A-Z]+$"),
        ({"shop": "A"}, "shop.minLength", "shop", "'A' is shorter than 2 characters"),
        ({"shop": "ABCDE"}, "shop.maxLength", "shop", "'ABCDE' is longer than 4 characters"),
        ({"number": 0}, "number.minimum", "number", "0 is below the minimum of 1"),
        ({"number": 1000000}, "number.exclusiveMaximum", "number", "1000000 is not below 1000000"),
        ({"count": 1001, "paid": None}, "count.maximum", "count", "1001 is above the maximum of 1000"),
        ({"weight": 0.0}, "weight.exclusiveMinimum", "weight", "0.0 is not above 0.0"),
        ({"weight": 99.6}, "weight.maximum", "weight", "99.6 is above the maximum of 99.5"),
        ({"weight": 0.25}, "weight.multipleOf", "weight", "0.25 is not a multiple of 0.1"),
        ({"price": b"\x00"}, "price.minimum", "price", "0.00 is below the minimum of 0.01"),
        ({"price": b"\x01\x86\xa0"}, "price.maximum", "price", "1000.00 is above the maximum of 999.99"),
        ({"status": "lost"}, "status.values", "status", "'lost' is not one of open, shipped"),
        ({"email": "nobody"}, "email.pattern", "email", "the value does not match @"),
        ({"email": "@" * 21}, "email.maxLength", "email", "the value is longer than 20 characters"),
        ({"tags": []}, "tags.minItems", "tags", "the list has fewer than 1 items"),
        ({"tags": list("abcd")}, "tags.maxItems", "tags", "the list has more than 3 items"),
        ({"tags": ["a", "a"]}, "tags.uniqueItems", "tags", "the list holds an item twice"),
        ({"tags": ["a", ""]}, "tags[].minLength", "tags[1]", "'' is shorter than 1 characters"),
        (
            {"address": {"street": "X", "zip": None}},
            "address.street.minLength",
            "address.street",
            "the value is shorter",
        ),
        ({"address": {"street": "Main", "zip": "1"}}, "address.zip.pattern", "address.zip", "the value does not match"),
        (
            {"placed": -1},
            "placed.minimum",
            "placed",
            "1969-12-31 23:59:59.999999+00:00 is below the minimum of 2000-01-01",
        ),
        (
            {"paid": 19},
            "paid_in_full",
            "",
            "the rule does not hold: message.paid == null || message.paid >= message.count",
        ),
        ({"count": -(1 << 62)}, "paid_in_full", "", "the rule has no outcome here (null, overflow, division by zero"),
    ],
)
def test_each_clause_has_its_finding(court: Court, change: dict[str, Any], clause: str, path: str, reason: str) -> None:
    (finding,) = court.of_record(RECORD | change)
    assert (finding.clause, finding.path) == (clause, path)
    assert finding.reason.startswith(reason)
    assert finding.refuses


def test_not_a_number_keeps_no_bound(court: Court) -> None:
    found = court.of_record(RECORD | {"weight": float("nan")})
    assert clauses(found) == ["weight.exclusiveMinimum", "weight.maximum", "weight.multipleOf"]
    assert found[1].reason == "it is not a number (NaN), so it does not keep maximum 99.5"


def test_multiples_are_those_of_the_written_digits(court: Court) -> None:
    assert all(not court.of_record(RECORD | {"weight": tenths / 10}) for tenths in range(1, 100))


def test_all_broken_clauses_are_told(court: Court) -> None:
    found = court.of_record(RECORD | {"shop": "abcdef", "number": -5, "status": "lost", "tags": ["", ""]})
    assert clauses(found) == [
        "shop.pattern", "shop.maxLength", "number.minimum", "status.values", "tags.uniqueItems", "tags[].minLength",
    ]  # fmt: skip


def test_a_warning_does_not_refuse(court: Court) -> None:
    record = RECORD | {"count": 13, "paid": None}
    verdicts = court.judge.judge(court.batch([RECORD, record]))
    (finding,) = verdicts.findings[1]
    assert (finding.clause, finding.reaction) == ("little_noise", Reaction.WARN)
    assert verdicts.refusals == frozenset()
    assert verdicts.event_times == [1357034400123, 1357034400123]


def test_values_are_shown_in_part_and_classified_ones_not_at_all(court: Court) -> None:
    secret = "s3cret" * 40
    record = RECORD | {"email": secret, "address": {"street": "ß", "zip": secret}, "status": secret}
    told = " ".join(finding.reason for finding in court.of_record(record))
    assert told.count("s3cret") == 12  # 77 characters of the status, which is public; nothing of the others
    assert "ß" not in told
    assert all(len(finding.reason) < 130 for finding in court.of_record(record))


@pytest.mark.parametrize(
    ("value", "clause", "reason"),
    [
        (b"", "frame.empty", "the value is empty"),
        (b"\x01\x00\x00\x00\x07", "frame.magic", "the value begins with byte 1, not with the 0"),
        (b"\x00\x00", "frame.short", "the value is 2 bytes long"),
        (
            b"\x00\x00\x00\x00\x09x",
            "schema.unknown",
            "the value names schema 9, which is not registered for this product",
        ),
        (
            b"\x00\x00\x00\x00\x07",
            "body.malformed",
            "the value is not the Avro encoding of a record by schema 7: it ends",
        ),
        (None, "value.null", "the value is null, which only a compacted product takes"),
    ],
)
def test_what_is_no_record(court: Court, value: bytes | None, clause: str, reason: str) -> None:
    verdicts = court.judge.judge(Batch([court.key(RECORD)], [value], [()]))
    (finding,) = verdicts.findings[0]
    assert (finding.clause, finding.path, finding.refuses) == (clause, "", True)
    assert finding.reason.startswith(reason)
    assert verdicts.event_times == [None]


def test_bytes_left_over(court: Court) -> None:
    (finding,) = court.findings(court.key(RECORD), court.value(RECORD) + b"x")
    assert finding.clause == "body.malformed"
    assert finding.reason.endswith("1 bytes are left over")


@pytest.mark.parametrize(
    ("key", "clause", "reason"),
    [
        (None, "key.null", "the key is missing; the key of this product is shop, number"),
        (b"", "key.empty", "the key is empty"),
        (b"AB/1", "key.magic", "the key begins with byte 65"),
        (b"\x00\x00", "key.short", "the key is 2 bytes long"),
        (
            frame(SchemaId(9), b"\x04AB\x02"),
            "key.schema",
            "the key names schema 9, which is not registered for the keys",
        ),
        (frame(VALUE, b"\x04AB\x02"), "key.schema", "the key names schema 7"),
        (
            frame(KEY, b"\x04AB\x82\x00"),
            "key.malformed",
            "the key is not the Avro encoding of a key by schema 8: a number",
        ),
        (frame(KEY, b"\x04AB\x02x"), "key.malformed", "the key is not the Avro encoding of a key by schema 8: 1 bytes"),
        (frame(KEY, b"\x04AB\x04"), "key.mismatch", "the key is not that of the record: it differs from shop, number"),
        (frame(KEY, b"\x04CD\x02"), "key.mismatch", "the key is not that of the record"),
    ],
)
def test_keys(court: Court, key: bytes | None, clause: str, reason: str) -> None:
    (finding,) = court.findings(key, court.value(RECORD))
    assert (finding.clause, finding.path) == (clause, "")
    assert finding.reason.startswith(reason)


def test_key_and_value_are_judged_both(court: Court) -> None:
    assert clauses(court.findings(None, b"")) == ["frame.empty", "key.null"]
    assert clauses(court.findings(court.key(RECORD), court.value(RECORD | {"number": 0}))) == [
        "key.mismatch",
        "number.minimum",
    ]


def test_a_compacted_product_takes_tombstones_with_a_good_key() -> None:
    court = Court(contract("compact"))
    assert court.findings(court.key(RECORD), None) == ()
    assert clauses(court.findings(None, None)) == ["key.null"]
    assert clauses(court.findings(b"AB/1", None)) == ["key.magic"]
    assert clauses(court.findings(None, court.value(RECORD))) == ["key.null"]


def test_a_product_without_key_fields_takes_no_key() -> None:
    court = Court(contract(keyed=False))
    assert court.findings(None, court.value(RECORD)) == ()
    assert clauses(court.findings(b"AB", court.value(RECORD))) == ["key.unexpected"]


def test_a_single_key_field_is_the_key_itself() -> None:
    text = json.dumps(contract().document.source).replace('"primaryKey": true, "primaryKeyPosition": 2, ', "")
    court = Court(Contract.parse(text))
    assert court.contract.key_fields == ("shop",)
    assert court.of_record(RECORD) == ()
    assert clauses(court.findings(frame(KEY, b"\x04XY"), court.value(RECORD))) == ["key.mismatch"]


def test_reserved_headers(court: Court) -> None:
    key, value = court.key(RECORD), court.value(RECORD)
    open_ = [("mesh-origin", b"file#1"), ("traceparent", b""), ("meshing", b""), ("Mesh-Verdict", None)]
    assert court.findings(key, value, open_) == ()
    found = court.findings(key, value, [*open_, ("mesh-verdict", b"{}"), ("mesh-parents", b"")])
    assert clauses(found) == ["header.reserved"] * 2
    assert found[0].reason == "the header 'mesh-verdict' is reserved for the platform"


def test_rows_are_told_apart(court: Court) -> None:
    rows = [RECORD | {"number": number, "status": "lost" if number % 3 == 0 else "open"} for number in range(1, 50)]
    verdicts = court.judge.judge(court.batch(rows))
    assert verdicts.refusals == {row for row in range(49) if (row + 1) % 3 == 0}
    assert verdicts.event_times == [1357034400123] * 49


def test_an_empty_batch(court: Court) -> None:
    verdicts = court.judge.judge(Batch([], [], []))
    assert (verdicts.findings, verdicts.event_times) == ({}, [])


def test_ids_are_asked_for_once_and_forgotten_on_request() -> None:
    judge = Judge(contract())
    batch = Batch([frame(KEY, b""), b"\x01junk!", None], [frame(VALUE, b"x"), None, b"\x00"], [(), (), ()])
    assert judge.unknown_ids(batch) == {VALUE, KEY}
    for known in (VALUE, KEY):
        judge.learn(known, None)
        judge.learn(known, None, key=True)
    assert judge.unknown_ids(batch) == set()
    judge.forget_unknown()
    assert judge.unknown_ids(batch) == {VALUE, KEY}
    judge.learn(VALUE, contract().value_schema_json)
    judge.learn(KEY, contract().key_schema_json, key=True)
    judge.forget_unknown()
    assert judge.unknown_ids(batch) == set()


def test_what_was_unknown_may_become_known() -> None:
    court = Court()
    late = SchemaId(70)
    value = frame(late, court.value(RECORD)[5:])
    court.judge.learn(late, None)
    assert clauses(court.findings(court.key(RECORD), value)) == ["schema.unknown"]
    court.judge.learn(late, court.contract.value_schema_json)
    assert court.findings(court.key(RECORD), value) == ()


@pytest.mark.parametrize(
    "schema", ["{", '"nonsense"', '{"type":"record","name":"L","fields":[{"name":"l","type":"L"}]}', "[" * 9999]
)
def test_a_schema_that_cannot_be_used_is_a_finding(schema: str) -> None:
    court = Court()
    court.judge.learn(SchemaId(9), schema)
    court.judge.learn(SchemaId(9), schema, key=True)
    payload = frame(SchemaId(9), b"x")
    found = court.findings(payload, payload)
    assert clauses(found) == ["schema.unreadable", "key.schema"]
    assert found[0].reason.startswith("schema 9 cannot be used: ")
    assert court.judge.unknown_ids(Batch([payload], [payload], [()])) == set()


def test_a_schema_of_no_record_is_a_finding() -> None:
    court = Court()
    court.judge.learn(SchemaId(9), '"string"')
    assert clauses(court.findings(court.key(RECORD), frame(SchemaId(9), b"\x02x"))) == ["body.malformed"]


def version(changes: dict[str, Any], *, without: str = "") -> dict[str, Any]:
    """Another version of the contract's schema."""
    schema = json.loads(contract().value_schema_json)
    fields = [changes.get(part["name"], part) for part in schema["fields"] if part["name"] != without]
    return {**schema, "fields": [*fields, *changes.get("", [])]}


def test_other_versions_are_read_as_the_contracts() -> None:
    court, old = Court(), SchemaId(6)
    schema = version(
        {"count": {"name": "count", "type": "int"}, "": [{"name": "more", "type": "string"}]}, without="paid"
    )
    court.judge.learn(old, json.dumps(schema))
    codec = RowCodec(schema)
    record = {name: value for name, value in RECORD.items() if name != "paid"} | {"more": "x"}
    verdicts = court.judge.judge(Batch([court.key(RECORD)], [frame(old, codec.encode(record))], [()]))
    assert (verdicts.findings, verdicts.event_times) == ({}, [1357034400123])
    bad = frame(old, codec.encode(record | {"count": 2000, "status": "lost"}))
    assert clauses(court.findings(court.key(RECORD), bad)) == ["count.maximum", "status.values"]
    foreign = court.findings(court.key(RECORD | {"number": 2}), frame(old, codec.encode(record)))
    assert clauses(foreign) == ["key.mismatch"]
    assert clauses(court.findings(court.key(RECORD), frame(old, codec.encode(record) + b"x"))) == ["body.malformed"]


def test_a_required_field_the_version_lacks_is_missing() -> None:
    court, old = Court(), SchemaId(6)
    schema = version({}, without="count")
    court.judge.learn(old, json.dumps(schema))
    record = {name: value for name, value in RECORD.items() if name != "count"}
    found = court.findings(court.key(RECORD), frame(old, RowCodec(schema).encode(record)))
    assert clauses(found) == ["count.required", "paid_in_full"]
    assert found[0].reason == "the field is missing"
    assert found[1].reason.startswith("the rule has no outcome here")


def test_documentation_and_defaults_do_not_make_another_version() -> None:
    court, same = Court(), SchemaId(6)
    schema = version({})
    schema["doc"] = "Said otherwise."
    court.judge.learn(same, json.dumps(schema, indent=2))
    assert court.findings(court.key(RECORD), frame(same, court.value(RECORD)[5:])) == ()
