"""Records of ``_schemas``, byte for byte as Confluent's registry writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.registry.records import (
    LevelSet,
    LogRecord,
    Mark,
    ModeSet,
    SchemaVersion,
    SubjectCleared,
    SubjectDeleted,
    Unreadable,
    VersionGone,
    decode,
    encode,
)

MANAGED = {"metadata": {"properties": {"mesh.product": "weather.observations"}}}

GOLDEN: list[tuple[LogRecord, str, str | None]] = [
    (
        SchemaVersion("a-value", 1, 7, '"int"'),
        '{"keytype":"SCHEMA","subject":"a-value","version":1,"magic":1}',
        '{"subject":"a-value","version":1,"id":7,"schema":"\\"int\\"","deleted":false}',
    ),
    (
        SchemaVersion("a-value", 2, 8, "{}", True, "JSON", MANAGED),
        '{"keytype":"SCHEMA","subject":"a-value","version":2,"magic":1}',
        '{"subject":"a-value","version":2,"id":8,"schemaType":"JSON",'
        '"metadata":{"properties":{"mesh.product":"weather.observations"}},"schema":"{}","deleted":true}',
    ),
    (VersionGone("a-value", 1), '{"keytype":"SCHEMA","subject":"a-value","version":1,"magic":1}', None),
    (
        SubjectDeleted("a", 3),
        '{"keytype":"DELETE_SUBJECT","subject":"a","magic":0}',
        '{"subject":"a","version":3}',
    ),
    (SubjectCleared("a"), '{"keytype":"CLEAR_SUBJECT","subject":"a","magic":0}', '{"subject":"a"}'),
    (
        LevelSet(None, "FULL"),
        '{"keytype":"CONFIG","subject":null,"magic":0}',
        '{"subject":null,"compatibilityLevel":"FULL"}',
    ),
    (LevelSet("a", None), '{"keytype":"CONFIG","subject":"a","magic":0}', None),
    (ModeSet("a", "READONLY"), '{"keytype":"MODE","subject":"a","magic":0}', '{"subject":"a","mode":"READONLY"}'),
    (Mark(9), '{"keytype":"NOOP","magic":0}', '{"maxId":9}'),
]


@pytest.mark.parametrize(("record", "key", "value"), GOLDEN)
def test_a_record_has_its_bytes_and_comes_back(record: LogRecord, key: str, value: str | None) -> None:
    encoded = encode(record)
    assert encoded == (key.encode(), None if value is None else value.encode())
    assert decode(*encoded) == record


@pytest.mark.parametrize(
    ("key", "value", "record"),
    [
        ('{"keytype":"NOOP","magic":0}', None, Mark(0)),
        ('{"keytype":"CONFIG","magic":0}', '{"compatibilityLevel":"NONE"}', LevelSet(None, "NONE")),
        (
            '{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}',
            '{"subject":"s","version":1,"id":2,"md5Bytes":"x","schemaType":"AVRO","references":[],"schema":"\\"int\\""}',
            SchemaVersion("s", 1, 2, '"int"'),
        ),
    ],
)
def test_older_and_newer_shapes_are_read(key: str, value: str | None, record: LogRecord) -> None:
    assert decode(key.encode(), None if value is None else value.encode()) == record


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (None, b"{}"),
        (b"", None),
        (b"[]", b"{}"),
        (b"{}", b"{}"),
        (b'{"keytype":"CONTEXT","tenant":"t","context":"c","magic":0}', b"{}"),
        (b'{"keytype":"SCHEMA","subject":"s","version":"1","magic":1}', b"{}"),
        (b'{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}', b'{"id":1}'),
        (b'{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}', b'{"id":true,"schema":"1"}'),
        (b'{"keytype":"CONFIG","subject":"s","magic":0}', b'{"compatibilityLevel":"SIDEWAYS"}'),
        (b'{"keytype":"DELETE_SUBJECT","subject":"s","magic":0}', None),
        (b'{"keytype":["SCHEMA"],"magic":0}', None),
        (b"\xff", b"\xff"),
    ],
)
def test_what_means_nothing_is_said_to_mean_nothing(key: bytes | None, value: bytes | None) -> None:
    assert isinstance(decode(key, value), Unreadable)


@given(st.binary(max_size=60), st.none() | st.binary(max_size=60))
def test_no_bytes_raise(key: bytes, value: bytes | None) -> None:
    decode(key, value)
