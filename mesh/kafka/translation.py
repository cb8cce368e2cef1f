"""The client library's errors become the mesh's, once, here."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from confluent_kafka import KafkaError, KafkaException

from mesh.errors import BrokerError, BrokerUnreachable, Fenced, MeshError, NotAuthorised, NotFound, RequestRefused
from mesh.kafka.connection import Connection

_UNREACHABLE = {"_DESTROY_BROKER", "_TRANSPORT", "_ALL_BROKERS_DOWN", "_RESOLVE", "_TIMED_OUT", "_TIMED_OUT_QUEUE"}
_FENCED = {"_FENCED", "INVALID_PRODUCER_EPOCH", "PRODUCER_FENCED", "FENCED_INSTANCE_ID"}
STALE = {"FENCED_LEADER_EPOCH", "UNKNOWN_LEADER_EPOCH", "NOT_LEADER_FOR_PARTITION", "LEADER_NOT_AVAILABLE"}
"""What is said while a partition's leader changes, or to a client that has not heard of it yet."""
_MOVING = {"NOT_COORDINATOR", "COORDINATOR_NOT_AVAILABLE", "COORDINATOR_LOAD_IN_PROGRESS"}
"""What is said while a group's coordinator changes or is only just being made; the client calls it permanent."""
_MISSING = {"UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_TOPIC", "_UNKNOWN_PARTITION"}


T = TypeVar("T")


def raised(call: Callable[[], T]) -> T:
    """What ``call`` gives, or the error that it met first.

    The client raises a fatal error, and whatever a callback raises, while it goes on calling back; Python then speaks
    of a SystemError in the callback that came next.
    """
    try:
        return call()
    except SystemError as caught:
        first: BaseException | None = caught
        while isinstance(first, SystemError):
            first = first.__cause__
        if first is None:
            raise
        raise first from None


class Diagnosis:
    """What the client's background threads complained of: a wrong password shows up nowhere else.

    A refused login counts until a broker answers: a user that was made just now is not known to all of them at once.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.refused: KafkaError | None = None
        self.unreachable: KafkaError | None = None

    def hear(self, error: KafkaError) -> None:
        """The client's ``error_cb``."""
        if error.name() == "_AUTHENTICATION" or error.name() == "SASL_AUTHENTICATION_FAILED":
            self.refused = error
        elif error.name() in _UNREACHABLE:
            self.unreachable = error

    def answered(self) -> None:
        """A broker has done what was asked of it, so this client is logged in."""
        self.refused = None

    def config(self) -> dict[str, object]:
        """What to add to a client's configuration so that this object hears it, and its log lines stay silent."""
        return {"error_cb": self.hear, "logger": _silent()}

    def translate(self, error: KafkaError, operation: str) -> MeshError:
        """The mesh error for a client error; a refused login explains an unreachable broker."""
        name = error.name()
        if self.refused is not None and (name in _UNREACHABLE or name == "_AUTHENTICATION"):
            return NotAuthorised(self.connection.principal, f"log in to {self.connection.bootstrap}", "_AUTHENTICATION")
        if name in _UNREACHABLE:
            return BrokerUnreachable(self.connection.bootstrap, f"{operation}: {error.str()}")
        return _permanent(error, operation, self.connection.principal)

    @contextmanager
    def translated(self, operation: str, *, asks: bool = True) -> Iterator[None]:
        """Client errors inside the block leave it as mesh errors; one that ``asks`` has an answer at its end."""
        try:
            yield
        except KafkaException as caught:
            raise self.translate(caught.args[0], operation) from None
        if asks:
            self.answered()


def _permanent(error: KafkaError, operation: str, principal: str) -> MeshError:
    name = error.name()
    if name.endswith("AUTHORIZATION_FAILED") or name == "_AUTHENTICATION":
        return NotAuthorised(principal, operation, name)
    if name in _FENCED:
        return Fenced(operation)
    if name in _MISSING:
        return NotFound("topic or partition", operation, "has it been applied? (mesh apply)")
    if error.retriable() or name in STALE or name in _MOVING:
        return BrokerError(operation, name, error.str())
    return RequestRefused(operation, name, error.str())


def _silent() -> logging.Logger:
    """librdkafka writes connection chatter to stderr unless a logger takes it; what matters arrives as errors."""
    logger = logging.getLogger("mesh.kafka.client")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
    return logger
