"""The same job with Faust: one event at a time; it cannot leave out records of aborted transactions."""

from __future__ import annotations

import asyncio
from typing import Any

import faust

from benchmarks.rivals.by_hand import checker
from benchmarks.rivals.job import COMMIT_RECORDS, COMMIT_SECONDS, REASON, Job


def build(job: Job) -> Any:
    """The application of a job."""
    principal, password = job.login
    application: Any = faust.App(
        job.group,
        broker=f"kafka://{job.client['bootstrap.servers']}",
        broker_credentials=faust.SASLCredentials(
            username=principal, password=password, mechanism=job.client["sasl.mechanism"]
        ),
        broker_commit_every=COMMIT_RECORDS,
        broker_commit_interval=COMMIT_SECONDS,
        consumer_auto_offset_reset="earliest",
        producer_acks=-1,
        producer_linger=0.005,
        store="memory://",
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_enabled=False,
    )
    raw: dict[str, Any] = {"value_type": bytes, "value_serializer": "raw", "key_serializer": "raw"}
    ingress, public, refused = (application.topic(name, **raw) for name in (job.ingress, job.public, job.quarantine))
    good = checker(job.schema)

    async def judge(stream: Any) -> None:
        async for event in stream.events():
            message, value = event.message, event.value
            passing = good(value)
            await (public if passing else refused).send(
                key=message.key,
                value=value,
                partition=message.partition,
                timestamp=message.timestamp,
                headers=None if passing else {"reason": REASON},
            )

    application.agent(ingress)(judge)
    return application


async def main() -> None:
    """Run until the process is ended."""
    application = build(Job.given())
    await application.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
