"""What the gate does with a finding is the contract's choice, clause by clause."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest
import yaml
from typer.testing import CliRunner

from mesh.cli.app import app
from mesh.contract import Contract
from mesh.kafka import Admin, LogReader, Message, Producer
from mesh.lineage import decode_manifest, last_verdict
from mesh.types import TopicPartition
from tests.support.broker import eventually
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


class Channel(BaseHTTPRequestHandler):
    """A support channel: keeps what is posted to it."""

    heard: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        size = int(self.headers["Content-Length"])
        self.heard.append(json.loads(self.rfile.read(size))["text"])
        self.send_response(500)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class calls it so)
        """Say nothing."""


@pytest.fixture(scope="module")
def channel() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Channel)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def guarded(mesh: RunningMesh, channel: str) -> Contract:
    """Stops after five refusals in a row in partition 0, at a halting clause in partition 1."""
    draft = Draft(product=f"z{secrets.token_hex(4)}.readings", topic={"partitions": 2}, extra=[height(10, "halt")])
    document = yaml.safe_load(draft.text)
    document["schema"][0]["customProperties"].append({"property": "breaker", "value": {"run": 5}})
    document["support"] = [{"channel": "desk", "url": channel}, {"channel": "gone", "url": "http://127.0.0.1:9/"}]
    contract = Contract.parse(yaml.safe_dump(document))
    mesh.apply(contract)
    return contract


def resume(mesh: RunningMesh, contract: Contract, partition: int, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("MESH_CONFIG", str(mesh.folder.config))
    words = ["gate", "resume", str(contract.product), "--partition", str(partition), "--reason", "seen"]
    return CliRunner().invoke(app, words)


def status(mesh: RunningMesh, contract: Contract, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    monkeypatch.setenv("MESH_CONFIG", str(mesh.folder.config))
    done = CliRunner().invoke(app, ["gate", "status", str(contract.product), "--json"])
    partitions: list[dict[str, Any]] = json.loads(done.stdout)["partitions"]
    return partitions


def write(mesh: RunningMesh, contract: Contract, partition: int, values: Sequence[bytes]) -> None:
    key = Framing(mesh, contract).key("EWR")
    with Producer(mesh.connection(contract.product.domain)) as producer:
        for value in values:
            producer.produce(contract.topics.ingress, key=key, value=value, partition=partition)
        producer.flush()


def committed(mesh: RunningMesh, contract: Contract, partition: int) -> int:
    place = TopicPartition(contract.topics.ingress, partition)
    with Admin(mesh.admin) as admin:
        return admin.committed("_mesh.gate.default", [place])[place] or 0


def test_a_run_of_refusals_stops_the_partition_until_somebody_says_go_on(
    mesh: RunningMesh, guarded: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    framing = Framing(mesh, guarded)
    good, bad = (framing.value("EWR", speed, height_halt=None) for speed in (1.0, 400.0))
    write(mesh, guarded, 0, [bad, good] * 3 + [bad] * 8 + [good])
    told = f"{guarded.product} p0 stopped: 5 refused in a row, mostly by `speed-possible` since {guarded.version};"
    eventually(lambda: any(text.startswith(told) for text in Channel.heard), 30)
    eventually(lambda: committed(mesh, guarded, 0) == 10, 20)
    assert f"mesh gate resume {guarded.product} --partition 0" in Channel.heard[0]
    done = resume(mesh, guarded, 0, monkeypatch)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines()[1] == f"{guarded.topics.ingress}/0\tgoes on"
    eventually(lambda: committed(mesh, guarded, 0) == 15, 20)
    again = resume(mesh, guarded, 0, monkeypatch)
    assert (again.exit_code, "stands still" in again.stderr) == (1, True)
    tally = check(mesh.admin, guarded, [0])
    assert (tally.read, tally.accepted, tally.quarantined) == (15, 4, 11)


def test_a_halting_clause_stops_before_the_record_and_the_others_go_on(
    mesh: RunningMesh, guarded: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    framing = Framing(mesh, guarded)
    good, halting = (framing.value("EWR", 1.0, height_halt=value) for value in (1, 11))
    write(mesh, guarded, 1, [good, halting, good])
    eventually(lambda: any("`height-halt`, which halts" in text for text in Channel.heard), 30)
    eventually(lambda: committed(mesh, guarded, 1) == 1, 20)
    write(mesh, guarded, 0, [good])
    eventually(lambda: committed(mesh, guarded, 0) > 15, 20)
    assert committed(mesh, guarded, 1) == 1
    # A gate that was killed knows it from the manifests, and so does everybody else.
    heard = len(Channel.heard)
    mesh.gate.kill()
    mesh.gate.start()
    write(mesh, guarded, 0, [good])
    eventually(lambda: committed(mesh, guarded, 0) == 17, 40)
    told = status(mesh, guarded, monkeypatch)[1]
    assert (told["state"], "`height-halt`, which halts" in told["reason"]) == ("halted", True)
    assert (committed(mesh, guarded, 1), len(Channel.heard)) == (1, heard)
    assert resume(mesh, guarded, 1, monkeypatch).exit_code == 0
    eventually(lambda: committed(mesh, guarded, 1) == 3, 20)
    tally = check(mesh.admin, guarded, [1])
    assert (tally.read, tally.accepted, tally.quarantined) == (3, 2, 1)
