"""One trace from the publisher through the gate to the subscriber; the gate's metrics where Prometheus finds them."""

from __future__ import annotations

import re
import secrets
import urllib.request
from typing import Any

import pytest

from mesh.connection import Mesh
from mesh.contract import Contract
from mesh.embedded.ports import free_ports
from mesh.telemetry import ACCEPTED, FINDINGS, LAG_RECORDS, LAG_SECONDS, QUARANTINED, READ, TRANSACTIONS, _Live
from tests.support.broker import eventually
from tests.support.contracts import Draft
from tests.support.mesh import RunningMesh

trace = pytest.importorskip("opentelemetry.sdk.trace")
export = pytest.importorskip("opentelemetry.sdk.trace.export")
memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def reader() -> str:
    return f"q{secrets.token_hex(4)}"


@pytest.fixture(scope="module")
def contract(mesh: RunningMesh, reader: str) -> Contract:
    draft = Draft(product=f"t{secrets.token_hex(4)}.readings", readers=[reader], topic={"partitions": 1})
    contract = draft.contract()
    mesh.apply(contract)
    return contract


def test_the_subscribers_span_is_a_child_of_the_publishers(mesh: RunningMesh, contract: Contract, reader: str) -> None:
    spans: Any = memory.InMemorySpanExporter()
    provider: Any = trace.TracerProvider()
    provider.add_span_processor(export.SimpleSpanProcessor(spans))
    with Mesh(mesh.settings) as connected:
        connected._telemetry = _Live(tracers=provider)
        with connected.producer(contract.product) as publisher:
            publisher.publish({"station": "A", "speed": 1.0})
            publisher.publish({"station": "B", "speed": 2.0}, headers=[("traceparent", b"mine")])
        mesh.await_gated(contract)
        taken = []
        with connected.subscribe(contract.product, name=reader, purpose="testing", until_end=True) as records:
            taken = [record for record in records if record.value is not None]
    sent, first, second = spans.get_finished_spans()
    assert (sent.name, first.name) == (f"send {contract.topics.ingress}", f"process {contract.topics.public}")
    assert first.parent.span_id == sent.context.span_id
    assert second.parent is None
    ours, theirs = [value for record in taken for name, value in record.headers if name == "traceparent"]
    assert ours is not None
    assert ours.startswith(f"00-{sent.context.trace_id:032x}-{sent.context.span_id:016x}-".encode())
    assert theirs == b"mine"
    assert first.attributes["messaging.consumer.group.name"] == reader
    assert first.attributes["mesh.purpose"] == "testing"


def test_a_gate_serves_what_it_did(
    mesh: RunningMesh, contract: Contract, reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_ports(1)[0]
    mesh.gate.stop()
    with monkeypatch.context() as variables:
        variables.setenv("MESH_TELEMETRY__PROMETHEUS", str(port))
        mesh.gate.start()
    try:
        with Mesh(mesh.settings) as connected, connected.producer(contract.product, check=False) as publisher:
            for number in range(20):
                publisher.publish({"station": "A", "speed": 400.0 if number < 3 else 1.0})
        mesh.await_gated(contract)
        eventually(lambda: value(port, READ.prometheus, contract) == 20)
        assert value(port, ACCEPTED.prometheus, contract) == 17
        assert value(port, QUARANTINED.prometheus, contract) == 3
        assert value(port, FINDINGS.prometheus, contract, 'mesh_clause="speed-possible"') == 3
        assert value(port, LAG_RECORDS.prometheus, contract) == 0
        assert value(port, LAG_SECONDS.prometheus, contract) == 0
        assert f'{TRANSACTIONS.prometheus}{{mesh_outcome="committed"' in scrape(port)
    finally:
        mesh.gate.stop()
        mesh.gate.start()


def scrape(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


def value(port: int, name: str, contract: Contract, label: str = "") -> float | None:
    """The value of a metric of a product, that of a label where one is given."""
    for line in scrape(port).splitlines():
        found = re.fullmatch(rf"{name}{{(.*)}} (\S+)", line)
        if found and f'mesh_product="{contract.product}"' in found[1] and label in found[1]:
            return float(found[2])
    return None
