"""Who gets into the embedded Kafka, and who does not."""

from __future__ import annotations

import secrets
from dataclasses import replace

import pytest

from mesh.errors import BrokerUnreachable, DeadlineExceeded, NotAuthorised
from mesh.kafka import Acl, Admin, Connection, Producer, verify_credentials
from tests.support.broker import Broker, eventually, permit

pytestmark = pytest.mark.broker


def test_a_user_gets_in_and_a_wrong_password_does_not(kafka: Broker) -> None:
    connection = kafka.connection("t" + secrets.token_hex(4))
    assert verify_credentials(connection)
    assert not verify_credentials(connection.as_principal(connection.principal, "guess"))


def test_an_unknown_user_is_refused(kafka: Broker) -> None:
    assert not verify_credentials(kafka.admin.as_principal("nobody", "guess"))


def test_a_client_that_came_before_its_user_goes_on_once_the_user_is_known(kafka: Broker) -> None:
    """The broker hears of a new user a moment after the controller has made it."""
    user = "t" + secrets.token_hex(4)
    with Admin(kafka.admin) as admin, Producer(kafka.admin.as_principal(user, "secret")) as producer:
        admin.create_topic(user, 1, {})
        permit(admin, [Acl(user, "Write", "Topic", user)])

        def written(value: bytes) -> bool:
            try:
                producer.produce(user, key=None, value=value)
                producer.flush(1)
            except (NotAuthorised, DeadlineExceeded):
                return False
            return True

        assert not written(b"early")
        admin.create_user(user, "secret")
        eventually(lambda: written(b"late"), 20)
        producer.check()


def test_an_anonymous_client_is_refused(kafka: Broker) -> None:
    anonymous = Connection(kafka.bootstrap, security_protocol="PLAINTEXT")
    with pytest.raises(BrokerUnreachable):
        verify_credentials(anonymous, seconds=2)


def test_plain_passwords_are_not_taken_from_clients(kafka: Broker) -> None:
    user = kafka.connection("t" + secrets.token_hex(4))
    assert not verify_credentials(replace(user, mechanism="PLAIN"))


def test_what_is_not_granted_is_refused(kafka: Broker) -> None:
    domain = "t" + secrets.token_hex(4)
    user = kafka.connection(domain)
    with Admin(kafka.admin) as admin:
        admin.create_topic(domain, 1, {})
    with Producer(user) as producer, pytest.raises(NotAuthorised, match="TOPIC_AUTHORIZATION_FAILED"):
        producer.write(domain, key=None, value=b"x")
    with Admin(kafka.admin) as admin:
        permit(admin, [Acl(domain, "Write", "Topic", domain)])
    with Producer(user) as producer:
        assert producer.write(domain, key=None, value=b"x").offset == 0
    with Admin(user) as admin, pytest.raises(NotAuthorised):
        admin.create_user("intruder", "x")
