"""What a subscriber gets: one record of a product, decoded, with where it lies and when it happened."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol, TypeVar
from uuid import UUID

from pydantic import BaseModel, ValidationError

from mesh.contract import Contract
from mesh.errors import UsageError
from mesh.judge.frame import PREFIX, prefix, unframe
from mesh.judge.rows import RowCodec
from mesh.kafka import Message
from mesh.types import Coordinate, Headers, ProductName, SchemaId, light

Model = TypeVar("Model", bound=BaseModel)


@light
class Record:
    """A record that its contract accepted.

    ``value`` holds Python's own types (``datetime``, ``Decimal``, ``UUID``, ...); None retracts ``key``, which is a
    value for one key field and a dictionary for several. ``event_time`` is the contract's event time in UTC, not
    Kafka's timestamp: that is ``timestamp``, in milliseconds since the Unix epoch.
    """

    value: dict[str, Any] | None
    key: Any
    product: ProductName
    coordinate: Coordinate
    event_time: datetime | None
    headers: Headers
    schema_id: SchemaId | None
    timestamp: int

    def as_model(self, model: type[Model]) -> Model:
        """The value as a pydantic model, such as ``mesh contract export pydantic`` writes them.

        Fields that came with a later version of the contract are passed over. Raises UsageError with the fields that do
        not fit, never with their values; and for a record that retracts its key, whose ``value`` is None.
        """
        if self.value is None:
            raise UsageError(f"{self.coordinate} retracts its key and has no value; ask for record.value is None first")
        return self._as(model, self.value, "value")

    def key_as_model(self, model: type[Model]) -> Model:
        """The key of several fields as a pydantic model; raises UsageError as ``as_model`` does."""
        return self._as(model, self.key, "key")

    def _as(self, model: type[Model], part: Any, name: str) -> Model:
        # Only what a model forbids is lifted: it was written for the fields of one version.
        later: Literal["ignore"] | None = "ignore" if model.model_config.get("extra") == "forbid" else None
        try:
            return model.model_validate(part, extra=later)
        except ValidationError as error:
            told = "; ".join(_misfit(each["loc"], each["msg"]) for each in error.errors(include_input=False))
        raise UsageError(f"the {name} of {self.coordinate} is no {model.__name__}: {told}")


def _misfit(place: Sequence[int | str], text: str) -> str:
    return f"{'.'.join(map(str, place)) or 'the whole'}: {text[:1].lower()}{text[1:]}"


class Schemas(Protocol):
    """What a reader needs of a registry."""

    def schema(self, schema_id: SchemaId) -> str:
        """The text of a schema; raises NotFound."""


@dataclass(frozen=True, slots=True)
class Source:
    """One product as it is read: its contract, its cluster's schemas, and what identifies its topic."""

    contract: Contract
    schemas: Schemas
    topic_id: UUID | None = None
    cluster_id: str | None = None


class RecordReader:
    """Decodes the records of one public topic, each by the schema it was written with."""

    def __init__(self, source: Source) -> None:
        self._source, self._product = source, source.contract.product
        self._decoders: dict[bytes, tuple[SchemaId, Callable[[bytes], Any]]] = {}
        path = source.contract.event_time
        self._event_time = _at(path) if path else None

    def read(self, message: Message) -> Record:
        """The record of a message; raises MalformedBody, NotFound for a schema nobody knows, RegistryUnreachable."""
        payload, key, source = message.value(), message.key(), self._source
        schema_id, value = (None, None) if payload is None else self._decode(payload)
        return Record(
            value,
            None if key is None else self._decode(key)[1],
            self._product,
            Coordinate(message.topic(), message.partition(), message.offset(), source.topic_id, source.cluster_id),
            self._event_time(value) if self._event_time is not None and value is not None else None,
            message.headers() or (),
            schema_id,
            message.timestamp()[1],
        )

    def _decode(self, payload: bytes) -> tuple[SchemaId, Any]:
        known = self._decoders.get(payload[:PREFIX])
        if known is None:
            schema_id, _ = unframe(payload)
            known = schema_id, RowCodec(json.loads(self._source.schemas.schema(schema_id)), logical=True).decode
            self._decoders[prefix(schema_id)] = known
        return known[0], known[1](payload[PREFIX:])


def _at(path: str) -> Callable[[Mapping[str, Any]], datetime | None]:
    """What finds the event time at a dotted path; a time that Python's datetime cannot hold is None."""
    steps = path.split(".")
    if len(steps) == 1:
        return _flat(path)

    def found(value: Any) -> datetime | None:
        for step in steps:
            value = value.get(step) if isinstance(value, Mapping) else None
        return value if isinstance(value, datetime) else None

    return found


def _flat(name: str) -> Callable[[Mapping[str, Any]], datetime | None]:
    def found(value: Mapping[str, Any]) -> datetime | None:
        time = value.get(name)
        return time if isinstance(time, datetime) else None

    return found
