"""The inputs of a derived product as records of Faust's become records of the mesh."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final
from uuid import UUID

from mesh.consumer.record import Record, RecordReader
from mesh.errors import MalformedBody, UsageError
from mesh.lineage import PARENTS_HEADER, Descent, Reference
from mesh.stream.binding import Binding, Bound
from mesh.types import Headers, ProductName, TopicPartition

_OUTPUTS: Final = 1 << 16
"""Outputs of one record keyed anew; the numbers of the next one's begin after them."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A record as Faust fetched it, in the shape that the mesh's readers know."""

    name: str
    number: int
    place: int
    keyed: bytes | None
    body: bytes | None
    carried: Headers
    time: int

    @classmethod
    def of(cls, message: Any) -> Fetched:
        """A message of Faust's."""
        headers: Headers = tuple(message.headers or ())
        time = int((message.timestamp or 0) * 1000)
        return cls(message.topic, message.partition, message.offset, message.key, message.value, headers, time)

    def topic(self) -> str:
        return self.name

    def partition(self) -> int:
        return self.number

    def offset(self) -> int:
        return self.place

    def key(self) -> bytes | None:
        return self.keyed

    def value(self) -> bytes | None:
        return self.body

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return list(self.carried)

    def timestamp(self) -> tuple[int, int]:
        return 1, self.time


class Wiring:
    """A processor's inputs by the ids and names of their topics."""

    def __init__(self, binding: Binding) -> None:
        self.binding = binding
        self.contract, self.encoder, self.group = binding.contract, binding.encoder, binding.group

    @cached_property
    def readers(self) -> Mapping[UUID, tuple[Bound, RecordReader]]:
        """What decodes a public record, by the id of its topic."""
        return {each.topic_id: (each, RecordReader(each.source)) for each in self.binding.inputs.values()}

    @cached_property
    def topic_ids(self) -> Mapping[str, UUID]:
        """The ids of the inputs' public topics."""
        return {each.topic: each.topic_id for each in self.binding.inputs.values()}

    @property
    def places(self) -> list[TopicPartition]:
        """Every partition of every input on the product's own cluster; those of others are looked up."""
        near = (each for each in self.binding.inputs.values() if each.connection == self.binding.connection)
        return [place for each in near for place in each.places()]

    def beside(self, partition: int) -> int:
        """The partition of the topics beside the product (parents, changelog) for an input's partition."""
        return partition % self.contract.partitions

    def bound(self, product: ProductName) -> Bound:
        """An input that agents read; raises UsageError for what the contract does not name or lives elsewhere."""
        found = self.binding.inputs.get(str(product))
        if found is None:
            known = ", ".join(self.binding.inputs)
            raise UsageError(f"{product} is no input of {self.contract.product}; its derivation names {known}")
        if found.connection != self.binding.connection:
            raise UsageError(f"{product} lives on another cluster than {self.contract.product}: no agent can read it")
        return found

    def origin(self, fetched: Fetched) -> tuple[Reference, int]:
        """The public record that a fetched one is, or came from, and where its outputs' numbers begin."""
        known = self.topic_ids.get(fetched.name)
        if known is not None:
            return Reference(known, fetched.number, fetched.place), 0
        content = next((value for name, value in fetched.carried if name == PARENTS_HEADER), None)
        if content is None:
            raise MalformedBody(f"a record of {fetched.name} does not say which public record it came from")
        came = Descent.decode(content)
        return came.driving, (came.index + 1) * _OUTPUTS

    def read(self, fetched: Fetched) -> Record:
        """The record, with the coordinate of the public one where it came through the topic of records keyed anew."""
        driving, base = self.origin(fetched)
        found = self.readers.get(driving.topic_id)
        if found is None:
            raise MalformedBody(f"a record of {fetched.name} came from a topic that is no input")
        bound, reader = found
        if not base:
            return reader.read(fetched)
        place = bound.topic, driving.partition, driving.offset
        return reader.read(Fetched(*place, None, fetched.body, (), fetched.time))

    def told(self, reference: Reference) -> str:
        """A reference as people write coordinates."""
        found = self.readers.get(reference.topic_id)
        topic = found[0].topic if found is not None else str(reference.topic_id)
        return f"{topic}/{reference.partition}/{reference.offset}"
