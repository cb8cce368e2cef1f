"""What makes two schema texts the same, and JSON that is not taken."""

from __future__ import annotations

import re

import pytest

from mesh.registry.text import SchemaText, strict_json

RECORD = '{"type":"record","name":"R","fields":[{"name":"a","type":"int","default":0}]}'


@pytest.mark.parametrize(
    "same",
    [
        RECORD,
        ' { "type" : "record",\n "name": "R", "fields": [{"name": "a", "type": "int", "default": 0}] } ',
        '{"name":"R","fields":[{"default":0,"type":"int","name":"a"}],"type":"record"}',
        '{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"int"},"default":0}]}',
    ],
)
def test_the_way_it_is_written_does_not_matter(same: str) -> None:
    assert SchemaText.parse(same).identity == SchemaText.parse(RECORD).identity


@pytest.mark.parametrize(
    "other",
    [
        RECORD.replace('"default":0', '"default":1'),
        RECORD.replace('"type":"record"', '"type":"record","doc":"d"'),
        RECORD.replace('"int"', '{"type":"int","logicalType":"date"}'),
        RECORD.replace('"name":"a"', '"name":"a","aliases":["b"]'),
    ],
)
def test_what_it_says_does_matter(other: str) -> None:
    assert SchemaText.parse(other).identity != SchemaText.parse(RECORD).identity


def test_the_text_kept_has_no_white_space_and_its_keys_in_order() -> None:
    assert SchemaText.parse('{ "name": "é", "type": "enum", "symbols": [ "a" ] }').text == (
        '{"name":"é","type":"enum","symbols":["a"]}'
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"a":1,"a":2}', "'a' occurs twice"),
        ('{"a":{"b":1,"b":1}}', "'b' occurs twice"),
        ("[NaN]", "NaN is not JSON"),
        ("[-Infinity]", "-Infinity is not JSON"),
        ("[1e999]", "1e999 is out of range"),
        ("[" * 100_000, "nested too deeply"),
        (r'["\ud800"]', "not UTF-8"),
        (b"\xff\xfe[]", "not UTF-8"),
        ("[]".encode("utf-16"), "not UTF-8"),
        ("", "Expecting value"),
        ("{} {}", "Extra data"),
        (f"[{'9' * 5000}]", "digits"),
    ],
)
def test_json_that_could_mean_two_things_is_refused(content: str | bytes, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        strict_json(content)


def test_what_another_registry_wrote_is_kept_as_it_is() -> None:
    assert SchemaText.stored("{not json").text == "{not json"
    assert SchemaText.stored("{}", "JSON").identity != SchemaText.stored("{}", "PROTOBUF").identity
