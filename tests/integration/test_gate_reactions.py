"""What the gate does with a finding is the contract's choice, clause by clause."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from mesh.contract import Contract
from mesh.kafka import LogReader, Message, Producer
from mesh.lineage import decode_manifest, last_verdict
from mesh.types import TopicPartition
from tests.support.checker import check
from tests.support.contracts import Draft
from tests.support.mesh import RunningMesh
from tests.support.writing import Framing

pytestmark = pytest.mark.broker


def height(most: int, reaction: str) -> dict[str, Any]:
    """An optional field with a maximum and what happens above it."""
    rule = {
        "id": f"height-{reaction}",
        "type": "custom",
        "engine": "cel",
        "implementation": {"expression": f"message.height_{reaction} == null || message.height_{reaction} <= {most}"},
        "customProperties": [{"property": "reaction", "value": reaction}],
    }
    name = f"height_{reaction}"
    return {"name": name, "logicalType": "integer", "physicalType": "int", "quality": [rule]}


@pytest.fixture(scope="module")
def contract(mesh: RunningMesh) -> Contract:
    fields = [height(10, "mark"), height(10, "warn")]
    draft = Draft(product=f"z{secrets.token_hex(4)}.readings", topic={"partitions": 1}, extra=fields)
    mesh.apply(draft.contract())
    return draft.contract()


def records(mesh: RunningMesh, topic: str) -> list[Message]:
    with LogReader(mesh.admin) as reader:
        return list(reader.read(TopicPartition(topic, 0), 0, 1 << 60))


def test_marks_travel_with_the_record_and_warnings_are_counted(mesh: RunningMesh, contract: Contract) -> None:
    framing = Framing(mesh, contract)
    readings: list[tuple[float, dict[str, int]]] = [
        (1.0, {}),
        (2.0, {"height_mark": 11}),
        (3.0, {"height_warn": 11}),
        (400.0, {"height_mark": 11}),
        (5.0, {"height_mark": 11, "height_warn": 11}),
    ]
    with Producer(mesh.connection(contract.product.domain)) as producer:
        for speed, heights in readings:
            mark, warn = heights.get("height_mark"), heights.get("height_warn")
            value = framing.value("EWR", speed, height_mark=mark, height_warn=warn)
            producer.produce(
                contract.topics.ingress, key=framing.key("EWR"), value=value, headers=[("own", b"x")], partition=0
            )
        producer.flush()
    mesh.await_gated(contract)
    public = records(mesh, contract.topics.public)
    marked = {framing.decoded(each.value() or b"")["speed"]: each.headers() or [] for each in public}
    assert {speed: [name for name, _ in headers] for speed, headers in marked.items()} == {
        1.0: ["own"],
        2.0: ["own", "mesh-verdict"],
        3.0: ["own"],
        5.0: ["own", "mesh-verdict"],
    }
    verdict = last_verdict(marked[5.0])
    assert verdict is not None
    assert [(finding.clause, str(finding.reaction)) for finding in verdict.findings] == [("height-mark", "mark")]
    counts = [decode_manifest(each.value() or b"").clause_counts for each in records(mesh, contract.topics.lineage)]
    assert sum(each.get("height-warn", 0) for each in counts) == 2
    assert sum(each.get("height-mark", 0) for each in counts) == 3
    tally = check(mesh.admin, contract)
    assert (tally.read, tally.accepted, tally.quarantined) == (5, 4, 1)
