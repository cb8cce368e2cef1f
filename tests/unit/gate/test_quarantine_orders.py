"""Commands survive their bytes, patches do what they say and no more, and lineage never tells what is classified."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.errors import EncodingRefused, MalformedBody, NotFound, UsageError
from mesh.gate.quarantine import Command, Patch, Patching, Verb
from mesh.gate.quarantine.command import from_json, to_json
from mesh.gate.quarantine.patching import told
from mesh.judge.frame import frame
from mesh.judge.rows import RowCodec
from mesh.types import Coordinate, SchemaId

SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "R",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "speed", "type": ["null", "double"]},
        {"name": "raw", "type": "bytes"},
        {"name": "place", "type": {"type": "record", "name": "P", "fields": [{"name": "row", "type": "int"}]}},
    ],
}
RECORD = {"id": "a", "speed": 1.5, "raw": b"\xff\x00", "place": {"row": 3}}
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


class Schemas:
    """A registry of one schema, 7."""

    def ids(self, subject: str) -> Mapping[SchemaId, int]:
        return {SchemaId(7): 1}

    def schema(self, schema_id: SchemaId) -> str:
        if schema_id != 7:
            raise NotFound("schema", str(schema_id))
        return json.dumps(SCHEMA)


@pytest.fixture
def patching() -> Patching:
    return Patching(Schemas(), ["id"])


def payload() -> bytes:
    return frame(SchemaId(7), RowCodec(SCHEMA).encode(RECORD))


@given(PLAIN)
def test_plain_values_survive_json(value: Any) -> None:
    assert from_json(json.loads(json.dumps(to_json(value)))) == value


@given(
    st.sampled_from(Verb),
    st.text(max_size=20),
    st.text(max_size=20),
    st.none() | st.dictionaries(st.text(max_size=5), PLAIN, max_size=3).map(Patch),
)
def test_commands_survive_their_bytes(verb: Verb, actor: str, reason: str, patch: Patch | None) -> None:
    place = Coordinate("a.b.v1.quarantine", 3, 14)
    command = Command(verb=verb, coordinate=place, actor=actor, reason=reason, at=5, patch=patch)
    key, value = command.encode()
    assert (key, Command.decode(value)) == (b"a.b.v1.quarantine/3/14", command)


@given(st.none() | st.binary(max_size=60) | PLAIN.map(lambda value: json.dumps(to_json(value)).encode()))
def test_whatever_else_is_on_the_topic_is_not_a_command(value: bytes | None) -> None:
    with pytest.raises(UsageError):
        Command.decode(value)


def test_a_patch_sets_what_it_names_and_nothing_else(patching: Patching) -> None:
    patched = patching.apply(payload(), Patch({"speed": None, "place.row": 4, "raw": b"\x01"}))
    expected = {**RECORD, "speed": None, "place": {"row": 4}, "raw": b"\x01"}
    assert patched == frame(SchemaId(7), RowCodec(SCHEMA).encode(expected))
    assert patching.apply(payload(), Patch({})) == payload()


@pytest.mark.parametrize("path", ["id", "no", "place.no", "speed.no", "place.row.no", ""])
def test_a_path_that_leads_nowhere_or_to_the_key_is_refused(patching: Patching, path: str) -> None:
    with pytest.raises(UsageError):
        patching.apply(payload(), Patch({path: 1}))


@pytest.mark.parametrize(
    ("value", "patch", "kind"),
    [
        (payload(), Patch({"speed": "fast"}), EncodingRefused),
        (payload()[:-1], Patch({"speed": 1.0}), MalformedBody),
        (b"\x00\x00\x00\x00\x09x", Patch({"speed": 1.0}), NotFound),
        (None, Patch({"speed": 1.0}), UsageError),
        (payload(), Patch({}, {"id": "b"}, SchemaId(7)), EncodingRefused),
        (payload(), Patch({}, RECORD, None), UsageError),
    ],
)
def test_what_does_not_fit_is_told(
    patching: Patching, value: bytes | None, patch: Patch, kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        patching.apply(value, patch)


def test_a_whole_record_takes_the_place_of_what_nobody_can_read(patching: Patching) -> None:
    assert patching.apply(b"garbage", Patch({}, RECORD, SchemaId(7))) == payload()


@pytest.mark.parametrize(
    ("patch", "hidden", "shown"),
    [
        (None, (), ""),
        (Patch({"speed": 1.5}), (), '{"set": {"speed": 1.5}}'),
        (Patch({"name": "Ann", "speed": 2}), ("name",), '{"set": {"name": "(classified)", "speed": 2}}'),
        (Patch({"place": {"street": "x"}}), ("place.street",), '{"set": {"place": "(classified)"}}'),
        (Patch({"place.street": "x"}), ("place",), '{"set": {"place.street": "(classified)"}}'),
        (Patch({"names": ["Ann"]}), ("names[]",), '{"set": {"names": "(classified)"}}'),
    ],
)
def test_lineage_tells_a_patch_without_what_is_classified(
    patch: Patch | None, hidden: tuple[str, ...], shown: str
) -> None:
    assert told(patch, hidden) == shown


def test_a_long_patch_is_told_by_its_paths_and_a_digest() -> None:
    text = told(Patch({"speed": "x" * 5_000}), ())
    assert json.loads(text)["set"] == ["speed"]
    assert len(text) < 200
