"""A registry that does not answer is left in peace for a while, and its log is asked for what it would say."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from mesh.errors import NotFound, RegistryUnreachable
from mesh.gate.asking import PatientRegistry, RememberedRegistry
from mesh.gate.ports import Remembered
from mesh.gate.product import GatedProduct
from mesh.judge import Batch
from mesh.judge.frame import frame
from mesh.types import SchemaId
from tests.support.contracts import Draft


class Away:
    """A registry that counts how often it was asked, and a clock that is set."""

    def __init__(self) -> None:
        self.asked, self.time, self.away = 0, 0.0, True

    def ids(self, subject: str) -> Mapping[SchemaId, int]:
        self.schema(SchemaId(1))
        return {SchemaId(1): 1}

    def schema(self, schema_id: SchemaId) -> str:
        self.asked += 1
        if self.away:
            raise RegistryUnreachable("http://127.0.0.1:1", "no answer")
        return "{}"

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


def test_rests_grow_and_questions_meanwhile_cost_nothing() -> None:
    away = Away()
    patient = PatientRegistry(away, away)
    times = []
    while away.time < 60:
        before = away.asked
        with pytest.raises(RegistryUnreachable, match="no answer"):
            patient.ids("a-value")
        if away.asked > before:
            times.append(away.time)
        away.time += 0.5
    assert times == [0.0, 2.0, 6.0, 14.0, 30.0, 46.0]


def test_the_first_answer_ends_the_rest() -> None:
    away = Away()
    patient = PatientRegistry(away, away)
    with pytest.raises(RegistryUnreachable):
        patient.schema(SchemaId(1))
    away.away, away.time = False, 2.0
    assert patient.schema(SchemaId(1)) == "{}"
    assert patient.ids("a-value") == {1: 1}
    away.away, away.time = True, 3.0
    with pytest.raises(RegistryUnreachable):
        patient.schema(SchemaId(1))
    asked = away.asked
    away.away, away.time = False, 5.0
    assert patient.schema(SchemaId(1)) == "{}"
    assert away.asked == asked + 1


KEY, VALUE, STRANGE = SchemaId(1), SchemaId(2), SchemaId(3)


class Log:
    """A log that knows the schemas of one product, until it cannot be read."""

    def __init__(self) -> None:
        self.contract, self.readable = Draft(topic={"partitions": 1}).contract(), True

    def ids(self, subject: str) -> Mapping[SchemaId, int]:
        if not self.readable:
            raise RegistryUnreachable("topic _schemas", "it is denied")
        ingress = self.contract.topics.ingress
        return {f"{ingress}-key": {KEY: 1}, f"{ingress}-value": {VALUE: 1}}.get(subject, {})

    def schema(self, schema_id: SchemaId) -> str:
        texts = {KEY: self.contract.key_schema_json, VALUE: self.contract.value_schema_json}
        if schema_id not in texts:
            raise NotFound("schema", str(schema_id))
        return texts[schema_id]


def batch(key: SchemaId, value: SchemaId) -> Batch:
    return Batch([frame(key, b"")], [frame(value, b"")], [()])


def test_the_log_answers_only_while_the_registry_does_not() -> None:
    away, log = Away(), Log()
    registry = RememberedRegistry(away, log)
    found = registry.ids(f"{log.contract.topics.ingress}-value")
    assert isinstance(found, Remembered)
    assert found == {VALUE: 1}
    assert registry.schema(VALUE) == log.contract.value_schema_json
    away.away = False
    assert not isinstance(registry.ids("a-value"), Remembered)
    assert registry.schema(VALUE) == "{}"


def test_what_the_log_does_not_have_is_not_known() -> None:
    log = Log()
    registry = RememberedRegistry(Away(), log)
    for unreadable in (False, True):
        log.readable = not unreadable
        with pytest.raises(RegistryUnreachable, match="no answer"):
            registry.schema(STRANGE)
    with pytest.raises(RegistryUnreachable, match="no answer"):
        registry.ids("a-value")


def test_a_judge_learns_from_the_log_what_it_has_and_nothing_of_the_rest() -> None:
    away, log = Away(), Log()
    product = GatedProduct(log.contract, RememberedRegistry(away, log))
    for key, value in ((KEY, STRANGE), (STRANGE, VALUE), (VALUE, KEY)):
        with pytest.raises(RegistryUnreachable):
            product.learn(batch(key, value))
    product.learn(batch(KEY, VALUE))
    assert {(each.schema_id, each.key) for each in product.seen(batch(KEY, VALUE))} == {(KEY, True), (VALUE, False)}
    away.away = False
    product.learn(batch(KEY, STRANGE))
    assert product.judge.unknown_ids(batch(KEY, STRANGE)) == set(), "the registry itself says that there is none"


def test_manifests_wait_for_a_schema_that_the_log_does_not_have() -> None:
    away = Away()
    product = GatedProduct(Log().contract, RememberedRegistry(away, Log()))
    with pytest.raises(RegistryUnreachable):
        product.manifest_schema_id()
