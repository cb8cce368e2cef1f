"""Who reads a product, with which schema and which fields: kept on ``_mesh.<domain>.readers``, compacted by key."""

from __future__ import annotations

import json
from collections.abc import Mapping

from mesh.access import readers_topic
from mesh.contract.compatibility import Reader
from mesh.errors import ContractInvalid
from mesh.kafka import Admin, Connection, LogReader, Message, Producer
from mesh.types import Topic, TopicPartition

Readers = Mapping[Topic, tuple[Reader, ...]]
"""The registered readers by public topic, sorted by name."""


def registered_readers(connection: Connection, domain: str) -> Readers | None:
    """Every reader of a domain's products; None where nobody could register yet, because the topic is not there.

    Raises BrokerUnreachable, NotAuthorised, and ContractInvalid for an entry that is not a reader: to pass over it
    would leave somebody unprotected.
    """
    home = readers_topic(domain)
    with Admin(connection) as admin:
        if home not in admin.topics([home]):
            return None
    found: dict[tuple[Topic, str], Reader] = {}
    with LogReader(connection) as reader:
        for message in reader.read(TopicPartition(home, 0), 0, 1 << 62):
            _fold(home, message, found)
    topics = dict.fromkeys(topic for topic, _ in sorted(found))
    return {topic: tuple(each for (of, _), each in sorted(found.items()) if of == topic) for topic in topics}


def register_reader(connection: Connection, topic: Topic, domain: str, reader: Reader) -> None:
    """Record a reader of a public topic, durably; of the same name the last counts.

    Raises NotAuthorised for all but the platform's principal.
    """
    content = {"schema": reader.schema, "uses": list(reader.used_fields), "by": connection.principal}
    _write(connection, domain, _key(topic, reader.name), json.dumps(content, sort_keys=True).encode())


def withdraw_reader(connection: Connection, topic: Topic, domain: str, name: str) -> None:
    """Forget a reader of a public topic; raises NotAuthorised for all but the platform's principal."""
    _write(connection, domain, _key(topic, name), None)


def _write(connection: Connection, domain: str, key: bytes, value: bytes | None) -> None:
    with Producer(connection) as producer:
        producer.write(readers_topic(domain), key=key, value=value)


def _key(topic: Topic, name: str) -> bytes:
    return f"{topic}/{name}".encode()


def _fold(home: Topic, message: Message, found: dict[tuple[Topic, str], Reader]) -> None:
    key, value = message.key() or b"", message.value()
    topic, _, name = key.decode(errors="replace").partition("/")
    if value is None:
        found.pop((Topic(topic), name), None)
        return
    try:
        content = json.loads(value)
        found[Topic(topic), name] = Reader(name, content["schema"], tuple(map(str, content["uses"])))
    except (ValueError, KeyError, TypeError) as error:
        raise ContractInvalid([f"{home}:{topic}/{name}: not an entry of a reader ({error!r})"]) from None
