"""A registry that does not answer is left in peace for a while, and trusted again with its first answer."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from mesh.errors import RegistryUnreachable
from mesh.gate.asking import PatientRegistry
from mesh.types import SchemaId


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
