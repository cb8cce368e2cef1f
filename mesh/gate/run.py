"""One gate process: its identity in the pool, the loop it runs, and how it stops."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass

from mesh.gate.alerts import alert
from mesh.gate.asking import ASK_SECONDS, PatientRegistry, RememberedRegistry
from mesh.gate.breaker import Stops
from mesh.gate.commands import CommandFeed
from mesh.gate.deposits import Deposits
from mesh.gate.descents import Descents
from mesh.gate.following import Following
from mesh.gate.health import GateHealth
from mesh.gate.holding import Holding
from mesh.gate.inputs import Inputs
from mesh.gate.meter import GateMeter
from mesh.gate.neighbours import PatientNeighbours
from mesh.gate.ports import ContractSource, Neighbours, SchemaSource
from mesh.gate.recovery import Recovery
from mesh.gate.repetition import Repetitions
from mesh.gate.settling import Settler
from mesh.gate.step import GateStep
from mesh.gate.uptake import Uptake
from mesh.kafka import Admin, Connection, GroupProtocol, LogReader, LoopSettings, SideInput, TransactionalLoop
from mesh.registry.replica import SchemaReplica
from mesh.telemetry import SILENT, Telemetry

# No domain may use this prefix: a domain that could take a gate's transactional id would fence the gate.
PREFIX = "_mesh.gate"


@dataclass(frozen=True, slots=True)
class GateIdentity:
    """A place in a pool. The ordinal has one live owner and outlives it: its successor recovers in seconds."""

    pool: str = "default"
    ordinal: int = 0
    protocol: GroupProtocol = "classic"
    """How the pool shares partitions; see LoopSettings."""

    @property
    def group(self) -> str:
        return f"{PREFIX}.{self.pool}"

    @property
    def transactional_id(self) -> str:
        return f"{PREFIX}.{self.pool}.{self.ordinal}"


class WallClock:
    """The machine's own time."""

    def now(self) -> float:
        """Seconds since the Unix epoch, UTC."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return time.monotonic()


def run_gate(
    connection: Connection,
    contracts: ContractSource,
    registry: SchemaSource,
    neighbours: Neighbours,
    identity: GateIdentity,
    stopping: Callable[[], bool],
    telemetry: Telemetry = SILENT,
    health: GateHealth | None = None,
) -> None:
    """Gate every applied product until ``stopping()``; see TransactionalLoop.run for what it raises."""
    with Admin(connection) as admin, LogReader(connection) as reader, Following(contracts) as followed:
        clock, feed = WallClock(), CommandFeed(lambda: SideInput(connection))
        holding = Holding(reader)
        inputs = Inputs(followed, admin, PatientNeighbours(neighbours, clock))
        descents = Descents(inputs, Deposits(admin, reader), Repetitions(reader))
        settler = Settler(feed, reader, Stops(alert, clock.now), holding, clock, descents)
        meter = GateMeter(telemetry, identity.group, clock) if telemetry.active else None
        uptake, replica = Uptake(Recovery(admin, reader), clock), SchemaReplica(connection, ASK_SECONDS)
        schemas = RememberedRegistry(PatientRegistry(registry, clock), PatientRegistry(replica, clock))
        step = GateStep(identity.transactional_id, followed, schemas, uptake, settler, holding, clock, meter)
        gauge = meter.observe(connection, step.positions) if meter is not None else None
        if health is not None:
            health.serving(step)
        settings = LoopSettings(connection, identity.group, identity.transactional_id, protocol=identity.protocol)
        loop = TransactionalLoop(settings, step)
        # What start-up made stays; without this the collector walks it again and again while records pass.
        gc.collect()
        gc.freeze()
        try:
            loop.run(stopping if health is None else _noticed(health, stopping))
        finally:
            feed.close()
            replica.close()
            if gauge is not None:
                gauge.close()


def _noticed(health: GateHealth, stopping: Callable[[], bool]) -> Callable[[], bool]:
    """The loop asks once a turn whether to stop, so that is when it has turned."""

    def asked() -> bool:
        health.turned()
        return stopping()

    return asked
