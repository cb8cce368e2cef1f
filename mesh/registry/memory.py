"""A schema log in memory, which forgets: for tests, and held to the same suite as the one on Kafka."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from mesh.errors import Fenced, MeshError
from mesh.registry.log import IDENTITY, Sink
from mesh.registry.records import LogRecord, decode, encode


class MemoryTopic:
    """What several logs have in common: the bytes, and who may write."""

    def __init__(self, records: Iterable[tuple[bytes | None, bytes | None]] = ()) -> None:
        self.records = list(records)
        self.epoch = 0
        self.lock = threading.Lock()


class MemorySchemaLog:
    """See ``mesh.registry.log.SchemaLog``. Records pass through their bytes, as they do on Kafka."""

    def __init__(self, topic: MemoryTopic | None = None) -> None:
        self.topic = topic or MemoryTopic()
        self.failure: MeshError | None = None
        self._sink: Sink | None = None
        self._epoch = 0

    def start(self, sink: Sink) -> None:
        """Hand everything over, and keep earlier writers out."""
        with self.topic.lock:
            self.topic.epoch += 1
            self._epoch, self._sink = self.topic.epoch, sink
            sink([decode(*each) for each in self.topic.records], len(self.topic.records))

    def append(self, record: LogRecord) -> int:
        """Write and hand back at once."""
        with self.topic.lock:
            if self._epoch != self.topic.epoch or self._sink is None:
                self.failure = Fenced(IDENTITY)
                raise self.failure
            pair = encode(record)
            self.topic.records.append(pair)
            self._sink([decode(*pair)], len(self.topic.records))
            return len(self.topic.records) - 1

    def behind(self) -> int:
        """Never."""
        return 0

    def close(self) -> None:
        """Nothing to give back."""
