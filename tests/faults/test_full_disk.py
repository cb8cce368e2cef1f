"""R8: the broker's disk fills up under the gate: nothing half done is read, and with room again all goes on."""

from __future__ import annotations

import errno
import secrets
from pathlib import Path

import pytest

from mesh.embedded.jars import JarCache, locked_jars
from mesh.embedded.kafka import EmbeddedKafka
from mesh.kafka import Producer
from tests.support.broker import Broker, eventually
from tests.support.checker import check
from tests.support.contracts import Draft
from tests.support.disk import small_disk
from tests.support.mesh import running_mesh
from tests.support.toll import Toll
from tests.support.writing import Framing

# In the soak: it needs a broker of its own, which ends and is started again.
pytestmark = [pytest.mark.broker, pytest.mark.soak, pytest.mark.timeout(300)]

RECORDS = 60_000


def test_a_full_disk_stops_the_gate_and_loses_nothing(tmp_path: Path, toll: Toll) -> None:
    jars = JarCache.of_environment().provide(locked_jars())
    contract = Draft(product=f"d{secrets.token_hex(4)}.readings", topic={"partitions": 3}).contract()
    with small_disk(tmp_path / "disk", "64m") as disk:
        kafka = EmbeddedKafka(disk / "kafka", jars, secrets.token_urlsafe(16))
        with kafka, running_mesh(Broker(kafka.connection)) as mesh:
            mesh.apply(contract)
            mesh.gate.stop()
            with Producer(mesh.admin) as producer:
                for key, value, number in Framing(mesh, contract).many(0, RECORDS):
                    producer.produce(contract.topics.ingress, key=key, value=value, partition=number % 3)
                producer.flush(60)
            filler = disk / "filler"
            fill(filler)
            mesh.gate.start()
            # A broker whose only disk fails ends: going on would be to acknowledge what it cannot keep.
            eventually(lambda: kafka.node(1).pid is None, 60)
            filler.unlink()
            kafka.restart(1)
            assert mesh.gate.process is not None
            ended = mesh.gate.process.poll()
            if ended is not None:
                assert "cannot reach Kafka" in mesh.gate.log.read_text(encoding="utf-8")
                mesh.gate.start()
            mesh.await_gated(contract, 90)
            tally = check(mesh.admin, contract)
            toll.add("R8 disk full", rounds=1, kills=0, written=RECORDS, read=tally.read)
            assert (tally.read, tally.quarantined) == (RECORDS, RECORDS // 10)


def fill(path: Path) -> None:
    """Leave no byte free."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(65_536))
        except OSError as full:
            assert full.errno == errno.ENOSPC
