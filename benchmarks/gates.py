"""The gate changed for a question: without transactions, without lineage, or telling what every commit took."""

from __future__ import annotations

import json
import signal
import threading
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from confluent_kafka import Producer as Client
from confluent_kafka import TopicPartition as ClientTopicPartition

from benchmarks import bare
from mesh.catalog import Catalog, Neighbours
from mesh.gate import GateIdentity, run, run_gate
from mesh.kafka import Connection, TransactionalLoop
from mesh.kafka.intake import Intake
from mesh.kafka.transaction import TransactionalProducer
from mesh.kafka.translation import Diagnosis
from mesh.registry import RegistryClient
from mesh.settings import Settings
from mesh.types import TopicPartition


class _Untied(TransactionalProducer):
    """The same settings without a transaction: what is written is readable at once, offsets follow."""

    def __init__(self, connection: Connection, transactional_id: str) -> None:
        self.transactional_id = transactional_id
        self.intake: Intake | None = None
        self._diagnosis = Diagnosis(connection)
        settings = connection.config(
            enable_idempotence=True,
            linger_ms=5,
            batch_num_messages=20_000,
            queue_buffering_max_messages=400_000,
            queue_buffering_max_kbytes=256 * 1024,
            message_max_bytes=20_000_000,
        )
        self._client = Client(settings | self._diagnosis.config())

    def begin(self) -> None:
        """Nothing to open."""

    def send_offsets(self, offsets: Mapping[TopicPartition, int], group: object) -> None:
        """By the consumer itself."""
        assert self.intake is not None  # noqa: S101  (the loop has made it before it reads)
        places = [ClientTopicPartition(tp.topic, tp.partition, at) for tp, at in offsets.items()]
        self.intake._consumer.commit(offsets=places, asynchronous=False)

    def commit(self) -> None:
        """Done already."""


class UntiedLoop(TransactionalLoop):
    """At least once: the gate's work, its lineage and its manifests, but no transaction around them."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        assert isinstance(self._producer, _Untied)  # noqa: S101
        self._producer.intake = self._intake

    def _take_over(self) -> TransactionalProducer:
        return _Untied(self._settings.connection, self._settings.transactional_id)


class TellingLoop(TransactionalLoop):
    """Writes a line for every commit: the partitions it touched, its records, and the seconds it took."""

    told: Path

    def _commit(self) -> None:
        transaction, began = self._transaction, self._clock()
        super()._commit()
        if transaction is not None:
            facts = len(transaction.positions), transaction.records, self._clock() - began
            with self.told.open("a", encoding="utf-8") as out:
                out.write(json.dumps(facts) + "\n")


def main() -> None:
    """Run a gate of the mesh that MESH_CONFIG names."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--untied", action="store_true", help="at least once")
    parser.add_argument("--bare", action="store_true", help="without lineage")
    parser.add_argument("--tell", type=Path, help="a file for lines about commits")
    options = parser.parse_args()
    if options.bare:
        bare.gate()
    elif options.untied:
        vars(run)["TransactionalLoop"] = UntiedLoop
    elif options.tell is not None:
        TellingLoop.told = options.tell
        vars(run)["TransactionalLoop"] = TellingLoop
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    settings = Settings.load(None)
    connection = Connection.of(settings, "_mesh.gate")
    registry = RegistryClient(settings.home.registry)
    run_gate(connection, Catalog(connection), registry, Neighbours(settings), GateIdentity(), stop.is_set)


if __name__ == "__main__":
    main()
