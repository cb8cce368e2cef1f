"""The same job with FastStream on confluent-kafka, by batches of 2,000; it commits after every batch."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from faststream import AckPolicy, FastStream
from faststream.confluent import KafkaBroker
from faststream.security import SASLScram512

from benchmarks.rivals.by_hand import checker
from benchmarks.rivals.job import REASON, Job

_BATCH = 2_000


async def _untouched(message: Any) -> Any:
    """Bytes stay bytes: its own decoder would try every record as JSON."""
    return message.body


def build(job: Job) -> FastStream:
    """The application of a job."""
    principal, password = job.login
    security = SASLScram512(username=principal, password=password)
    broker = KafkaBroker(job.client["bootstrap.servers"], security=security, acks="all", linger_ms=5, logger=None)
    good = checker(job.schema)

    subscribed: Any = broker.subscriber(
        job.ingress,
        group_id=job.group,
        batch=True,
        max_records=_BATCH,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        ack_policy=AckPolicy.ACK,
        decoder=_untouched,
    )

    async def judge(values: Sequence[bytes]) -> None:
        passing = [value for value in values if good(value)]
        if len(passing) < len(values):
            await broker.publish_batch(
                *(value for value in values if not good(value)),
                topic=job.quarantine,
                headers={"reason": REASON.decode()},
            )
        await broker.publish_batch(*passing, topic=job.public)

    subscribed(judge)
    return FastStream(broker, logger=None)


if __name__ == "__main__":
    asyncio.run(build(Job.given()).run())
