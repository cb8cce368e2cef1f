"""A refused login explains what comes after it, until a broker has answered."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException

from mesh.errors import BrokerUnreachable, MeshError, NotAuthorised
from mesh.kafka import Connection
from mesh.kafka.translation import Diagnosis

AWAY = KafkaError(KafkaError._ALL_BROKERS_DOWN)


@pytest.fixture
def refused() -> Diagnosis:
    """The diagnosis of a client whose login was refused."""
    diagnosis = Diagnosis(Connection("127.0.0.1:1", principal="weather"))
    diagnosis.hear(KafkaError(KafkaError._AUTHENTICATION))
    return diagnosis


def said(diagnosis: Diagnosis, *, asks: bool = True) -> MeshError:
    with pytest.raises(MeshError) as caught, diagnosis.translated("read", asks=asks):
        raise KafkaException(AWAY)
    return caught.value


def test_a_refused_login_explains_why_no_broker_answers(refused: Diagnosis) -> None:
    for _ in range(2):
        assert isinstance(said(refused), NotAuthorised)


def test_an_answer_ends_it(refused: Diagnosis) -> None:
    with refused.translated("list topics"):
        """The broker has answered."""
    assert isinstance(said(refused), BrokerUnreachable)
    refused.hear(KafkaError(KafkaError._AUTHENTICATION))
    assert isinstance(said(refused), NotAuthorised)


def test_what_the_client_does_by_itself_is_no_answer(refused: Diagnosis) -> None:
    with refused.translated("assign partitions", asks=False):
        """No broker was asked."""
    assert isinstance(said(refused, asks=False), NotAuthorised)
