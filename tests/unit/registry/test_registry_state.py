"""The fold of the log: what subjects, ids and settings are after which records."""

from __future__ import annotations

from mesh.registry.records import (
    LevelSet,
    Mark,
    ModeSet,
    SchemaVersion,
    SubjectCleared,
    SubjectDeleted,
    Unreadable,
    VersionGone,
    decode,
)
from mesh.registry.state import State
from mesh.registry.text import SchemaText

A1 = SchemaVersion("a", 1, 1, '"int"')
A2 = SchemaVersion("a", 2, 2, '"long"')
B1 = SchemaVersion("b", 1, 1, '{"type": "int"}')

# As a registry of Confluent's leaves it: markers, an old value format, settings of both scopes, soft and hard deletes.
RECORDED = [
    (b'{"keytype":"NOOP","magic":0}', None),
    (b'{"keytype":"CONFIG","subject":null,"magic":0}', b'{"compatibilityLevel":"FULL"}'),
    (
        b'{"keytype":"SCHEMA","subject":"orders-value","version":1,"magic":1}',
        b'{"subject":"orders-value","version":1,"id":1,"schema":"\\"string\\"","deleted":false}',
    ),
    (
        b'{"keytype":"SCHEMA","subject":"orders-value","version":2,"magic":1}',
        b'{"subject":"orders-value","version":2,"id":2,"schema":"\\"bytes\\"","deleted":false}',
    ),
    (
        b'{"keytype":"SCHEMA","subject":"gone-value","version":1,"magic":1}',
        b'{"subject":"gone-value","version":1,"id":3,"schema":"\\"int\\"","deleted":false}',
    ),
    (
        b'{"keytype":"SCHEMA","subject":"web-value","version":1,"magic":1}',
        b'{"subject":"web-value","version":1,"id":4,"schemaType":"JSON","schema":"{}","deleted":false}',
    ),
    (
        b'{"keytype":"CONFIG","subject":"orders-value","magic":0}',
        b'{"subject":"orders-value","compatibilityLevel":"NONE"}',
    ),
    (b'{"keytype":"MODE","subject":"orders-value","magic":0}', b'{"subject":"orders-value","mode":"READONLY"}'),
    (b'{"keytype":"MODE","subject":"orders-value","magic":0}', None),
    (b'{"keytype":"DELETE_SUBJECT","subject":"gone-value","magic":0}', b'{"subject":"gone-value","version":1}'),
    (b'{"keytype":"SCHEMA","subject":"gone-value","version":1,"magic":1}', None),
    (b'{"keytype":"DELETE_SUBJECT","subject":"orders-value","magic":0}', b'{"subject":"orders-value","version":1}'),
    (b'{"keytype":"CONTEXT","tenant":"default","context":".x","magic":0}', b'{"tenant":"default","context":".x"}'),
    (b"not a record", b"at all"),
]


def test_a_recorded_log_is_replayed() -> None:
    state = State.of(decode(*each) for each in RECORDED)
    assert state.subjects() == ["orders-value", "web-value"]
    assert [each.version for each in state.versions("orders-value")] == [2]
    assert [each.version for each in state.versions("orders-value", deleted=True)] == [1, 2]
    assert (state.level("orders-value"), state.level("other")) == ("NONE", "FULL")
    assert state.mode("orders-value") == "READWRITE"
    assert state.text(3) is None
    assert state.highest_id == 4


def test_identical_schemas_share_an_id() -> None:
    state = State.of([A1, B1])
    assert state.id_of(SchemaText.parse('"int"')) == 1
    assert [(each.subject, each.version) for each in state.uses(1)] == [("a", 1), ("b", 1)]


def test_a_softly_deleted_schema_can_still_be_read_by_id() -> None:
    state = State.of([A1, A2, SubjectDeleted("a", 1)])
    assert [each.version for each in state.versions("a")] == [2]
    text = state.text(1)
    assert text is not None and text.text == '"int"'


def test_a_subject_is_gone_with_its_last_version() -> None:
    state = State.of([A1, VersionGone("a", 1)])
    assert state.subjects(deleted=True) == []
    assert state.text(1) is None and state.id_of(SchemaText.parse('"int"')) is None
    assert State.of([A1, A2, SubjectCleared("a")]).subjects(deleted=True) == []


def test_an_id_stays_while_another_subject_uses_it() -> None:
    assert State.of([A1, B1, VersionGone("a", 1)]).text(1) is not None


def test_deleted_ids_are_remembered() -> None:
    assert State.of([A1, A2, VersionGone("a", 2)]).highest_id == 2
    assert State.of([Mark(5), A1, Mark(0)]).highest_id == 5


def test_an_id_never_changes_its_meaning() -> None:
    state = State.of([A1, SchemaVersion("c", 1, 1, '"string"')])
    text = state.text(1)
    assert text is not None and text.text == '"int"'
    assert state.versions("c") == []


def test_a_version_written_again_replaces_the_first() -> None:
    state = State.of([A1, SchemaVersion("a", 1, 1, '"int"', deleted=True)])
    assert state.subjects() == [] and state.subjects(only_deleted=True) == ["a"]
    assert State.of([A1, SchemaVersion("a", 1, 9, '"long"')]).text(1) is None


def test_settings_fall_back_to_the_registry_s_and_then_to_the_default() -> None:
    state = State.of([LevelSet("a", "NONE"), ModeSet(None, "READONLY")])
    assert (state.level("a"), state.level("b"), state.mode("a")) == ("NONE", "BACKWARD", "READONLY")
    state.apply(LevelSet("a", None))
    state.apply(ModeSet(None, None))
    assert (state.level("a"), state.mode("a")) == ("BACKWARD", "READWRITE")


def test_a_subject_belongs_to_a_product_until_it_is_gone_for_good() -> None:
    managed = SchemaVersion("a", 1, 1, '"int"', extra={"metadata": {"properties": {"mesh.product": "d.p"}}})
    assert State.of([managed]).product("a") == "d.p"
    assert State.of([managed, SubjectDeleted("a", 1)]).product("a") == "d.p"
    assert State.of([managed, VersionGone("a", 1)]).product("a") is None


def test_unreadable_records_change_nothing() -> None:
    state = State.of([A1, Unreadable("whatever")])
    assert state.subjects() == ["a"]
