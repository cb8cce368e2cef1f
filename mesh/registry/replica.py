"""The registry's answers about schemas, folded from its log by whoever may read it, for when it does not answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mesh.errors import MeshError, NotFound, RegistryUnreachable
from mesh.kafka import Connection, LogTail
from mesh.registry.log import TOPIC
from mesh.registry.records import decode
from mesh.registry.state import State
from mesh.types import SchemaId, TopicPartition

T = TypeVar("T")


class SchemaReplica:
    """Answers ``ids`` and ``schema`` as RegistryClient does. Not for use by two threads at once.

    The log is opened by the first question, and read up to its present end before an answer, for ``patience`` seconds
    at most; in between it rests. Raises RegistryUnreachable where it cannot be read up to there: what was read until
    then is kept.
    """

    def __init__(self, connection: Connection, patience: float, topic: str = TOPIC) -> None:
        self._connection, self._patience = connection, patience
        self._partition = TopicPartition(topic, 0)
        self._tail: LogTail | None = None
        self._state = State()

    def close(self) -> None:
        """Give the connection back; another question begins anew."""
        tail, self._tail, self._state = self._tail, None, State()
        if tail is not None:
            tail.close()

    def ids(self, subject: str) -> dict[SchemaId, int]:
        """The ids that data of a subject may carry, with the version each stands for; empty for no such subject."""
        return self._asked(lambda state: {SchemaId(each.id): each.version for each in state.versions(subject)})

    def schema(self, schema_id: SchemaId) -> str:
        """The text of a schema; raises NotFound for an id that the log does not have."""
        known = self._state.text(schema_id) or self._asked(lambda state: state.text(schema_id))
        if known is None:
            raise NotFound("schema", str(schema_id), f"topic {self._partition.topic} does not have it")
        return known.text

    def _asked(self, question: Callable[[State], T]) -> T:
        try:
            self._catch_up()
        except MeshError as error:
            # To whom a topic is denied the broker says that there is none.
            reason = "it is missing or denied" if isinstance(error, NotFound) else str(error)
            raise RegistryUnreachable(
                f"topic {self._partition.topic} of {self._connection.bootstrap}", reason
            ) from error
        return question(self._state)

    def _catch_up(self) -> None:
        if self._tail is None:
            self._tail = LogTail(self._connection, {self._partition: 0})
        for message in self._tail.catch_up(self._patience):
            self._state.apply(decode(message.key(), message.value()))
        self._tail.rest()
