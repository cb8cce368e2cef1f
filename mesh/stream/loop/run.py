"""One processor process on the transactional loop: its identity, its tables, and how it stops."""

from __future__ import annotations

import gc
from collections.abc import Callable

from mesh.kafka import Admin, LogReader, LoopSettings, TransactionalLoop
from mesh.stream.binding import Binding, Running, Tally, Told
from mesh.stream.loop.horizon import Horizon, bound
from mesh.stream.loop.lookups import Lookups
from mesh.stream.loop.restoring import Changelog
from mesh.stream.loop.step import Parts, ProcessorStep

# Functions of users take longer than a gate's columns: a batch of ten milliseconds each still fits into a transaction.
_BATCH_RECORDS = 250


def run_loop(binding: Binding, running: Running, stopping: Callable[[], bool], told: Told = lambda _: None) -> Tally:
    """Process until ``stopping()``, or the end of a bounded run; see TransactionalLoop.run for what it raises.

    Also raises ProcessingFailed and UsageError for what a function did, EncodingRefused for an output that is not of
    its schema, RecordsLost and MalformedBody for inputs that cannot be read.
    """
    tables = binding.tables()
    engine = binding.engine(tables)
    with Admin(binding.connection) as admin, LogReader(binding.connection) as reader:
        lookups = Lookups(binding, tables)
        try:
            horizon = Horizon(admin, reader, binding.group)
            if running.until_end:
                bound(horizon, binding, engine.driving, running.before)
            lookups.load(stopping, fixed=running.until_end)
            changelog = Changelog(admin, reader, binding.contract.topics.changelog, binding.contract.partitions)
            step = ProcessorStep(binding, Parts(engine, lookups, changelog, horizon, admin), running, told)
            _loop(binding, running, step, stopping, engine.batch_records)
        finally:
            lookups.close()
    return step.tally


def _loop(binding: Binding, running: Running, step: ProcessorStep, stopping: Callable[[], bool], most: int) -> None:
    identity = f"{binding.group}.{running.ordinal}"
    settings = LoopSettings(binding.connection, binding.group, identity, batch_records=max(_BATCH_RECORDS, most))
    loop = TransactionalLoop(settings, step)
    # What start-up made stays; without this the collector walks it again and again while records pass.
    gc.collect()
    gc.freeze()
    loop.run(lambda: stopping() or step.done())
