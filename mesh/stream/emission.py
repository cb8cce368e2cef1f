"""Outputs as Kafka records: encoded, with the header of their parents, large sets laid down beside them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple
from uuid import UUID

from mesh.lineage import PARENTS_HEADER, Descent, ParentSet, Reference, encode_deposit
from mesh.lineage.reference import OFFSET_BYTES
from mesh.producer.encoding import RecordEncoder
from mesh.stream.arrival import Encoded, Output
from mesh.types import Headers, ProductTopics

BY_KEY: Final = -1
"""The partition of a record whose key decides, as for any publisher."""

SET_KEY: Final = b"set"
PROGRESS_KEY: Final = b"progress"

_FEW: Final = 4


class Emitted(NamedTuple):
    """A record for a topic; ``partition`` is BY_KEY where its key decides."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Emitter:
    """Makes records of outputs; ``parents_id`` is the id of the topic of parents, ``partitions`` are the product's."""

    encoder: RecordEncoder
    topics: ProductTopics
    partitions: int
    parents_id: UUID
    _ingress: str = field(init=False)
    _heads: dict[int, tuple[UUID, bytes]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        # Names of topics are put together from their parts, and references but for the offset are the same: neither is
        # to be made for every record.
        object.__setattr__(self, "_ingress", self.topics.ingress)

    def deposit(self, output: Output) -> Emitted | None:
        """What has to be written, and acknowledged, before the output; None where the header holds its parents."""
        if output.alone:
            return None
        parents = output.descent.parents
        if parents is None or _surely_fits(parents) or output.descent.fits:
            return None
        at = output.descent.driving.partition % self.partitions
        return Emitted(self.topics.parents, at, SET_KEY, encode_deposit(parents))

    def record(self, output: Output, deposited: tuple[int, int] | None = None) -> Emitted:
        """The record itself; ``deposited`` is partition and offset of its deposit. Raises EncodingRefused.

        A product without keys has its records where their drivers were, so that a repeated one meets the first.
        """
        record = output.value
        if type(record) is Encoded:
            key, value = record
        else:
            key, value = self.encoder.key_of(record), self.encoder.value(record)  # type: ignore[arg-type]
        at = BY_KEY if key is not None else output.driving.partition % self.partitions
        return Emitted(self._ingress, at, key, value, self._headers(output, deposited))

    def _headers(self, output: Output, deposited: tuple[int, int] | None) -> Headers:
        if output.alone:  # as the format has it: the reference itself
            topic_id, partition, offset = output.driving
            known = self._heads.get(partition)
            if known is None or known[0] is not topic_id:
                head = output.driving.pack()[:-OFFSET_BYTES]
                known = self._heads[partition] = topic_id, head
            return [(PARENTS_HEADER, known[1] + offset.to_bytes(OFFSET_BYTES, "big"))]
        descent = output.descent
        if deposited is not None:
            descent = descent.deposited(Reference(self.parents_id, *deposited))
        return headers_of(descent)


def _surely_fits(parents: ParentSet) -> bool:
    """Four runs take 124 bytes at most, so most sets need not be encoded to be measured."""
    return len(parents.lots) == 1 and len(parents.lots[0].offsets.runs) <= _FEW


def headers_of(descent: Descent) -> Headers:
    """The header of a derived record."""
    return [(PARENTS_HEADER, descent.encode())]
