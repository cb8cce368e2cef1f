"""Somebody keeps a transaction open on a product's output: the gate sets that product aside, and serves the others."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import httpx
import pytest
from confluent_kafka import Producer as Client

from mesh.embedded.kafka import KafkaOptions
from mesh.embedded.ports import free_ports
from mesh.kafka import Admin, Producer
from mesh.types import TopicPartition
from tests.support.broker import Broker, embedded_kafka, eventually
from tests.support.contracts import Draft
from tests.support.mesh import Program, RunningMesh, running_mesh
from tests.support.writing import Framing

# In the soak: it needs a broker of its own, which lets a transaction stay open for longer than the gate waits.
pytestmark = [pytest.mark.broker, pytest.mark.soak, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningMesh]:
    options = KafkaOptions(properties={"transaction.max.timeout.ms": "900000"})
    with (
        embedded_kafka(tmp_path_factory.mktemp("open"), options) as kafka,
        running_mesh(Broker(kafka.connection)) as running,
    ):
        yield running


def test_a_transaction_that_somebody_keeps_open_stops_its_product_alone(mesh: RunningMesh) -> None:
    domain = "o" + secrets.token_hex(4)
    contracts = [Draft(product=f"{domain}.{name}", topic={"partitions": 1}).contract() for name in ("blinded", "other")]
    blinded, other = contracts
    mesh.apply(*contracts)
    mesh.gate.stop()
    with Producer(mesh.admin) as producer:
        for contract in contracts:
            for key, value, _ in Framing(mesh, contract).many(0, 20):
                producer.produce(contract.topics.ingress, key=key, value=value, partition=0)
        producer.flush()
    public, ingress = TopicPartition(blinded.topics.public, 0), TopicPartition(blinded.topics.ingress, 0)
    client = Client(mesh.admin.config(transactional_id=domain, transaction_timeout_ms=900_000))
    client.init_transactions(30)
    client.begin_transaction()
    client.produce(public.topic, b"open", None, public.partition)
    client.flush(30)
    place = f"127.0.0.1:{free_ports(1)[0]}"
    gate = Program(mesh.folder, "gate", "run", "--health", place)
    gate.start()
    try:
        # It used to end after a minute of this, with all of its products.
        mesh.await_gated(other, 90)
        told = f"an open transaction on {public} did not finish"
        eventually(lambda: told in httpx.get(f"http://{place}/ready").text, 30)
        with Admin(mesh.admin) as admin:
            assert admin.committed("_mesh.gate.default", [ingress]) == {ingress: None}
        client.abort_transaction(30)
        mesh.await_gated(blinded, 90)
        eventually(lambda: httpx.get(f"http://{place}/ready").is_success, 30)
    finally:
        assert gate.stop() == 0
