"""The same job with Quix Streams: decode with fastavro, check with one function, forward the original bytes."""

from __future__ import annotations

from typing import Any

from quixstreams import Application
from quixstreams.kafka import ConnectionConfig

from benchmarks.rivals.by_hand import checker
from benchmarks.rivals.job import COMMIT_RECORDS, COMMIT_SECONDS, REASON, Job


def main() -> None:
    """Run until the process is ended."""
    job = Job.given()
    principal, password = job.login
    application = Application(
        broker_address=ConnectionConfig(
            bootstrap_servers=job.client["bootstrap.servers"],
            security_protocol=job.client["security.protocol"],
            sasl_mechanism=job.client["sasl.mechanism"],
            sasl_username=principal,
            sasl_password=password,
        ),
        consumer_group=job.group,
        auto_offset_reset="earliest",
        auto_create_topics=False,
        commit_interval=COMMIT_SECONDS,
        commit_every=COMMIT_RECORDS,
        processing_guarantee="at-least-once",
        loglevel="ERROR",
    )
    raw: dict[str, Any] = {"value_deserializer": "bytes", "value_serializer": "bytes"}
    ingress, public, refused = (application.topic(name, **raw) for name in (job.ingress, job.public, job.quarantine))
    good = checker(job.schema)
    judged = application.dataframe(ingress).apply(lambda value: (value, good(value)))
    judged.filter(lambda pair: pair[1]).apply(lambda pair: pair[0]).to_topic(public)
    bad = judged.filter(lambda pair: not pair[1]).apply(lambda pair: pair[0])
    bad.set_headers(lambda *_: [("reason", REASON)]).to_topic(refused)
    application.run()


if __name__ == "__main__":
    main()
