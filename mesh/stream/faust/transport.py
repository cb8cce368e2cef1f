"""Kafka as Faust reaches it: committed records only, an idempotent producer, and offsets that the bridge decides."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from typing import Any

from faust.transport.drivers import aiokafka as driver

from mesh.types import TopicPartition


class _Thread(driver.AIOKafkaConsumerThread):
    """Faust has no setting for it: at least once reads uncommitted, so agents would see aborted records."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # aiokafka looks at it when it builds its fetcher, in start().
        consumer._isolation_level = "read_committed"
        return consumer


class _Consumer(driver.Consumer):
    def _new_consumer_thread(self) -> Any:
        return _Thread(self, loop=self.loop, beacon=self.beacon)

    def ack(self, message: Any) -> bool:
        """What a program acknowledges itself, as ``take`` asks for."""
        # take() acknowledges also what it held when it was cancelled.
        if not isinstance(sys.exception(), GeneratorExit | asyncio.CancelledError):
            self.app.bridge.acknowledged(TopicPartition(message.topic, message.partition), message)
        return bool(super().ack(message))

    def _filter_committable_offsets(self, places: Any) -> Any:
        for place in places:
            self._acked[place].clear()
            self._acked_index[place].clear()
        positions = self.app.bridge.ledger.committable().items()
        return {driver.TP(place.topic, place.partition): position for place, position in positions}

    async def _commit(self, offsets: Any) -> bool:
        places = {TopicPartition(place.topic, place.partition) for place in offsets}

        async def commit(positions: Mapping[TopicPartition, int]) -> bool:
            found = {driver.TP(place.topic, place.partition): at for place, at in positions.items()}
            return bool(await super(_Consumer, self)._commit(found))

        return bool(await self.app.bridge.commit(places, self.app.write, commit))

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """What was being processed is somebody else's; what is done is committed before it is given away."""
        await self.force_commit()
        await super().on_partitions_revoked(revoked)
        await self.app.bridge.release({TopicPartition(place.topic, place.partition) for place in revoked})


class _Producer(driver.Producer):
    def _settings_extra(self) -> Any:
        # A retry must not swap two outputs: the gate would take the earlier one for a repetition.
        return {"acks": "all", "enable_idempotence": True}


class Transport(driver.Transport):
    """What the application uses instead of Faust's own."""

    Consumer, Producer = _Consumer, _Producer
