"""Who may register what: the decisions, on literal states."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mesh.registry import decisions
from mesh.registry.records import LevelSet, Mark, ModeSet, SchemaVersion, SubjectDeleted, VersionGone
from mesh.registry.refusal import Refusal
from mesh.registry.rules import LARGEST_SCHEMA, Caller, Submission
from mesh.registry.state import State

NOBODY, PLATFORM = Caller("weather"), Caller("_mesh.admin", platform=True)
PRODUCT = {"properties": {"mesh.product": "weather.observations"}}
S = "weather.observations.v1-value"


def record(**fields: Any) -> str:
    named = [{"name": name, "type": kind} for name, kind in fields.items()]
    return json.dumps({"type": "record", "name": "R", "fields": named}, separators=(",", ":"))


ONE, TWO = record(a="int"), record(a="int", b="string")
V1 = SchemaVersion(S, 1, 1, ONE)
MANAGED = SchemaVersion(S, 1, 1, ONE, extra={"metadata": PRODUCT})
NEXT = '{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"c","type":"int","default":0}]}'


def registered(state: State, schema: str, caller: Caller = NOBODY, subject: str = S, **more: Any) -> SchemaVersion:
    decision = decisions.register(state, subject, Submission.read({"schema": schema, **more}), caller)
    for each in decision.records:
        state.apply(each)
    return decision.answer


def refused(state: State, schema: Any, caller: Caller = NOBODY, subject: str = S, **more: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        decisions.register(state, subject, Submission.read({"schema": schema, **more}), caller)
    return caught.value


def test_the_first_schema_is_version_and_id_one() -> None:
    made = registered(State(), ONE)
    assert (made.version, made.id, made.schema) == (1, 1, ONE)


def test_the_same_schema_again_is_answered_and_nothing_is_written() -> None:
    spaced = json.dumps(json.loads(ONE), indent=4)
    decision = decisions.register(State.of([V1]), S, Submission.read({"schema": spaced}), NOBODY)
    assert (decision.records, decision.answer) == ((), V1)


def test_the_same_schema_elsewhere_has_the_same_id() -> None:
    made = registered(State.of([V1]), ONE, subject="weather.observations.v1.ingress-value")
    assert (made.version, made.id) == (1, 1)


def test_ids_are_never_given_twice_even_after_deletion_for_good() -> None:
    state = State.of([V1])
    for permanent in (False, True):
        for each in decisions.delete_subject(state, S, NOBODY, permanent=permanent).records:
            state.apply(each)
    assert state.subjects(deleted=True) == []
    assert registered(state, TWO).id == 2


def test_deletion_for_good_writes_the_highest_id_first() -> None:
    state = State.of([V1, SubjectDeleted(S, 1)])
    assert decisions.delete_subject(state, S, NOBODY, permanent=True).records == (Mark(1), VersionGone(S, 1))


def test_versions_go_on_after_a_soft_deletion() -> None:
    assert registered(State.of([V1, SubjectDeleted(S, 1)]), ONE).version == 2


@pytest.mark.parametrize(
    ("subject", "code"), [("", 42208), ("a\nb", 42208), (":.ctx:a", 42208), ("x" * 300, 42208), ("a\x7f", 42208)]
)
def test_names_that_are_none(subject: str, code: int) -> None:
    assert refused(State(), ONE, subject=subject).code == code


DEEP = '{"type":"array","items":' * 70 + '"int"' + "}" * 70
LIST = '{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"]}]}'


@pytest.mark.parametrize(
    ("schema", "more", "code", "said"),
    [
        (None, {}, 42201, "Empty schema"),
        ("  ", {}, 42201, "Empty schema"),
        ({"type": "int"}, {}, 42201, "Empty schema"),
        ("{", {}, 42201, "not JSON"),
        ('{"type":"int","type":"long"}', {}, 42201, "'type' occurs twice"),
        ('"strnig"', {}, 42201, "strnig"),
        (LIST, {}, 42201, "next: L contains itself"),
        (record(xs={"type": "array", "items": "null"}), {}, 42201, "xs"),
        (DEEP, {}, 42201, "64 levels"),
        (record(a={"type": "enum", "name": "E", "symbols": ["a", "a"]}), {}, 42201, "a: "),
        (NEXT.replace('"default":0', '"default":"x"'), {}, 42201, "c: the default 'x' does not fit int"),
        (ONE, {"schemaType": "JSON"}, 42201, "type JSON is not supported"),
        (ONE, {"schemaType": "PROTOBUF"}, 42201, "type PROTOBUF is not supported"),
        (ONE, {"references": [{"name": "x", "subject": "x", "version": 1}]}, 42201, "references are not supported"),
        (ONE, {"ruleSet": {"domainRules": [{"name": "r"}]}}, 42210, "rules are kept in the contract"),
        (ONE, {"id": 5}, 42205, "import mode"),
        (ONE, {"version": 4}, 42202, "next version is 1"),
        (json.dumps("x" * LARGEST_SCHEMA), {}, 42209, "too large"),
        (ONE, {"metadata": []}, None, ""),
    ],
)
def test_what_is_not_taken(schema: Any, more: dict[str, Any], code: int | None, said: str) -> None:
    if code is None:
        assert registered(State(), schema, **more).version == 1
        return
    refusal = refused(State(), schema, **more)
    assert (refusal.code, said in refusal.message) == (code, True), refusal.message


def test_numbers_that_say_nothing_new_are_taken() -> None:
    assert registered(State(), ONE, id=-1, version=1, unknown={"key": 1}).version == 1


def test_an_incompatible_schema_is_refused_with_the_path_and_the_version() -> None:
    refusal = refused(State.of([V1]), TWO)
    assert (refusal.code, refusal.status) == (40901, 409)
    (reason,) = refusal.reasons
    assert reason.startswith("version 1: b: ") and "field_without_default" in reason


def test_the_level_of_the_subject_decides() -> None:
    assert registered(State.of([V1, LevelSet(S, "NONE")]), TWO).version == 2
    assert registered(State.of([V1, LevelSet(None, "FORWARD")]), TWO).version == 2
    assert refused(State.of([V1, LevelSet(None, "NONE"), LevelSet(S, "FULL")]), TWO).code == 40901


def test_softly_deleted_versions_do_not_count() -> None:
    assert registered(State.of([V1, SubjectDeleted(S, 1)]), TWO).version == 2


def test_a_schema_of_another_type_in_the_history_cannot_be_compared() -> None:
    other = SchemaVersion(S, 1, 1, "{}", kind="JSON")
    assert "cannot be compared" in refused(State.of([other]), ONE).message
    assert registered(State.of([other, LevelSet(S, "NONE")]), ONE).version == 2


def test_read_only_means_nothing_new() -> None:
    state = State.of([V1, ModeSet(S, "READONLY")])
    assert refused(state, NEXT).code == 42205
    assert registered(state, ONE) == V1
    with pytest.raises(Refusal, match="read-only"):
        decisions.delete_subject(state, S, NOBODY, permanent=False)


class TestSubjectsOfAppliedContracts:
    """Subjects that carry ``mesh.product``."""

    def test_the_platform_registers_them(self) -> None:
        state = State()
        made = registered(state, ONE, PLATFORM, metadata=PRODUCT)
        assert (made.product, state.product(S)) == ("weather.observations", "weather.observations")
        later = registered(state, NEXT, PLATFORM)
        assert (later.version, later.product) == (2, "weather.observations")

    def test_nobody_else_may_say_that_a_subject_is_a_product_s(self) -> None:
        assert refused(State(), ONE, metadata=PRODUCT).code == 42205

    def test_something_new_from_outside_is_refused_with_the_way_to_do_it(self) -> None:
        refusal = refused(State.of([MANAGED]), NEXT)
        assert (refusal.code, refusal.status) == (42205, 422)
        assert "weather.observations" in refusal.message and "`mesh apply`" in refusal.message

    def test_the_same_schema_from_outside_is_answered(self) -> None:
        assert registered(State.of([MANAGED]), ONE).id == 1

    @pytest.mark.parametrize("permanent", [False, True])
    def test_nobody_else_deletes(self, permanent: bool) -> None:
        state = State.of([MANAGED, SubjectDeleted(S, 1)] if permanent else [MANAGED])
        for caller, allowed in ((NOBODY, False), (PLATFORM, True)):
            for act in (_subject, _version):
                if allowed:
                    assert act(state, caller, permanent).records
                    continue
                with pytest.raises(Refusal) as caught:
                    act(state, caller, permanent)
                assert caught.value.code == 42205

    def test_nobody_else_sets_level_or_mode(self) -> None:
        state = State.of([MANAGED, LevelSet(S, "FULL"), ModeSet(S, "READWRITE")])
        for caller in (NOBODY, Caller()):
            with pytest.raises(Refusal, match="belongs to the contract"):
                decisions.set_level(state, S, "NONE", caller)
            with pytest.raises(Refusal, match="belongs to the contract"):
                decisions.clear_level(state, S, caller)
            with pytest.raises(Refusal, match="belongs to the contract"):
                decisions.set_mode(state, S, "READONLY", caller)
            with pytest.raises(Refusal, match="belongs to the contract"):
                decisions.clear_mode(state, S, caller)
        assert decisions.set_level(state, S, "NONE", PLATFORM).records == (LevelSet(S, "NONE"),)

    def test_another_product_cannot_take_them(self) -> None:
        other = {"properties": {"mesh.product": "fleet.aircraft"}}
        assert "not of fleet.aircraft" in refused(State.of([MANAGED]), NEXT, PLATFORM, metadata=other).message

    def test_what_squatters_registered_before_is_put_aside(self) -> None:
        state = State.of([SchemaVersion(S, 1, 1, ONE), SchemaVersion(S, 2, 2, '"string"')])
        made = registered(state, ONE, PLATFORM, metadata=PRODUCT)
        assert (made.version, made.id) == (3, 1)
        assert [each.version for each in state.versions(S)] == [3]


def _subject(state: State, caller: Caller, permanent: bool) -> decisions.Decision[list[int]]:
    return decisions.delete_subject(state, S, caller, permanent=permanent)


def _version(state: State, caller: Caller, permanent: bool) -> decisions.Decision[int]:
    return decisions.delete_version(state, S, "1", caller, permanent=permanent)


def test_settings_of_the_whole_registry_are_the_platform_s() -> None:
    with pytest.raises(Refusal) as caught:
        decisions.set_level(State(), None, "NONE", NOBODY)
    assert caught.value.code == 42205
    assert decisions.set_mode(State(), None, "readonly", PLATFORM).answer == "READONLY"


@pytest.mark.parametrize(
    ("version", "code"),
    [("0", 42202), ("-2", 42202), ("x", 42202), ("9" * 30, 42202), ("²", 42202), ("1.0", 42202), ("7", 40402)],
)
def test_versions_that_are_none(version: str, code: int) -> None:
    with pytest.raises(Refusal) as caught:
        decisions.version_of(State.of([V1]), S, version)
    assert caught.value.code == code


def test_latest_and_minus_one_mean_the_newest_live_version() -> None:
    state = State.of([V1, SchemaVersion(S, 2, 2, NEXT), SchemaVersion(S, 3, 3, "1", deleted=True)])
    assert decisions.version_of(state, S, "latest").version == decisions.version_of(state, S, "-1").version == 2
    assert decisions.delete_version(state, S, "latest", NOBODY, permanent=False).answer == 2


def test_deletion_has_two_steps() -> None:
    state = State.of([V1])
    for act in (_subject, _version):
        with pytest.raises(Refusal) as caught:
            act(state, NOBODY, True)
        assert caught.value.code in (40405, 40407)
    state.apply(SubjectDeleted(S, 1))
    for act in (_subject, _version):
        with pytest.raises(Refusal) as caught:
            act(state, NOBODY, False)
        assert caught.value.code in (40404, 40406, 40401)


def test_a_deleted_subject_leaves_its_settings() -> None:
    state = State.of([V1, LevelSet(S, "NONE"), ModeSet(S, "READWRITE")])
    decision = decisions.delete_subject(state, S, NOBODY, permanent=False)
    assert decision.records == (LevelSet(S, None), ModeSet(S, None), SubjectDeleted(S, 1))
