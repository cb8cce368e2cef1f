"""Records of the repartitioned log: an input's record under a new key, and punctuation.

A record has the input's bytes as its value and two headers before the input's own: where the public record lies (29
bytes) and what its key was. Punctuation has neither key nor value, and one header.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from mesh.consumer.record import Record
from mesh.errors import LineageBroken
from mesh.kafka import Message
from mesh.lineage import Reference
from mesh.stream.arrival import Arrival, Punctuation
from mesh.stream.emission import BY_KEY, Emitted
from mesh.stream.pane import StoredMessage
from mesh.stream.values import decode_value, encode_value

_SOURCE: Final = "mesh-source"
_KEY: Final = "mesh-key"
_PUNCTUATION: Final = "mesh-punctuation"


def rekeyed(topic: str, arrival: Arrival, key: bytes) -> Emitted:
    """An input's record under its new key."""
    own = [(_SOURCE, arrival.reference.pack()), (_KEY, arrival.key)]
    return Emitted(topic, BY_KEY, key, arrival.value, [*own, *arrival.record.headers])


def punctuation(
    topic: str, partition: int, source: tuple[str, int], time: int | None, last: Reference | None
) -> Emitted:
    """How far an input partition has come (None: it is idle), for one partition of the log, and its last record."""
    content = encode_value([*source, time, None if last is None else last.pack()])
    return Emitted(topic, partition, None, None, [(_PUNCTUATION, content)])


@dataclass(slots=True)
class Headway:
    """How far one input partition has come on its way into the repartitioned log since the last commit."""

    source: tuple[str, int]
    furthest: int | None = None
    last: Reference | None = None

    def saw(self, arrival: Arrival) -> None:
        """A record goes to the repartitioned log, or is left out of it; either way time has come so far."""
        self.last = arrival.reference
        time = arrival.time
        if time is not None and (self.furthest is None or time > self.furthest):
            self.furthest = time

    def told(self, topic: str, partitions: int, *, rests: bool) -> Iterator[Emitted]:
        """So, or that nothing more comes for now, for every partition of the log; nothing where no time is known."""
        if rests or self.furthest is not None:
            time = None if rests else self.furthest
            for number in range(partitions):
                yield punctuation(topic, number, self.source, time, self.last)


class RekeyedReader:
    """Makes arrivals of the log's messages; ``inputs`` are name, topic and record reader by topic id."""

    def __init__(self, inputs: Mapping[UUID, tuple[str, Callable[[Message], Record]]]) -> None:
        self._inputs = inputs

    def source(self, message: Message) -> Reference | None:
        """Where the public record behind an entry lies; None of punctuation. Raises LineageBroken, as ``read``."""
        (name, content), *_ = message.headers() or [("", None)]
        return None if name == _PUNCTUATION else Reference.unpack(content or b"")

    def read(self, message: Message) -> Arrival | Punctuation:
        """What an entry of the log is; raises LineageBroken for what ``rekeyed`` and ``punctuation`` do not write."""
        headers = message.headers() or []
        try:
            if headers[0][0] == _PUNCTUATION:
                product, partition, time, last = decode_value(headers[0][1] or b"")
                reference = None if last is None else Reference.unpack(last)
                return Punctuation(product, partition, time, message.offset(), reference)
            (source, packed), (_, key), *own = headers
            if source != _SOURCE:
                raise LineageBroken(_place(message), "its first header is none of a processor's")
            return self._arrival(message, Reference.unpack(packed or b""), key, own)
        except (IndexError, ValueError, TypeError):
            raise LineageBroken(_place(message), "it is no entry of a repartitioned log") from None

    def _arrival(
        self, message: Message, at: Reference, key: bytes | None, own: list[tuple[str, bytes | None]]
    ) -> Arrival:
        if at.topic_id not in self._inputs:
            raise LineageBroken(_place(message), "it comes from a topic that is no input any more")
        topic, read = self._inputs[at.topic_id]
        value = message.value()
        stored = StoredMessage(topic, at.partition, at.offset, key, value, own, message.timestamp()[1])
        return Arrival.of(read(stored), key, value, message.offset())


def _place(message: Message) -> str:
    return f"{message.topic()}/{message.partition()}/{message.offset()}"
