"""The programs of lineage/ from end to end: the collector's file, and the API as those who ask it."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from mesh.access import AUDIT
from mesh.contract import Contract
from mesh.embedded.platform import answers_http
from mesh.embedded.ports import free_ports
from mesh.errors import NotFound
from mesh.kafka import LogReader
from mesh.lineage import ParentSet
from mesh.lineage.index import Lookup
from mesh.types import TopicPartition
from tests.support.broker import eventually
from tests.support.demo import ROOT
from tests.support.lined import told as content
from tests.support.mesh import RunningMesh
from tests.support.openlineage import faults
from tests.support.pipeline import Pipeline

pytestmark = [pytest.mark.broker, pytest.mark.timeout(240)]


def environment(mesh: RunningMesh) -> dict[str, str]:
    """As the principal of lineage, whose permissions are all that the services have."""
    return {**os.environ, "MESH_CONFIG": str(mesh.folder.config), "MESH_PRINCIPAL": "_mesh.lineage"}


def collect(mesh: RunningMesh, index: Path) -> None:
    program = [sys.executable, str(ROOT / "lineage" / "collector.py"), "--index", str(index), "--until-end"]
    done = subprocess.run(program, env=environment(mesh), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


@contextmanager
def api(mesh: RunningMesh, index: Path) -> Iterator[str]:
    port = free_ports(1)[0]
    program = [sys.executable, str(ROOT / "lineage" / "api.py"), "--index", str(index), "--port", str(port)]
    with subprocess.Popen(program, env=environment(mesh)) as process:
        try:
            eventually(lambda: process.poll() is not None or answers_http(f"http://127.0.0.1:{port}/health"), 60)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            assert process.wait(30) == 0


@dataclass
class Served:
    """A pipeline over two domains, its index, and the API."""

    pipeline: Pipeline
    other: Pipeline
    a: Contract
    c: Contract
    url: str
    index: Path

    def ask(self, path: str, principal: str, **query: object) -> httpx.Response:
        password = self.pipeline.mesh.settings.password(principal).get_secret_value()
        parameters = {name: str(value) for name, value in query.items()}
        return httpx.get(
            f"{self.url}/{path}", auth=(principal, password), params=parameters, timeout=60, trust_env=False
        )

    def answered(self, path: str, principal: str, **query: object) -> Any:
        answer = self.ask(path, principal, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def served(mesh: RunningMesh, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """c, of another domain, is made from a: every record from two of a's."""
    salt = secrets.token_hex(4)
    source, other = Pipeline(mesh, f"s{salt}", []), Pipeline(mesh, f"d{salt}", [])
    a = source.product("a", owner="team a", readers=[other.domain])
    lineage = [{"from": f"{a.product}.speed", "subtype": "AGGREGATION"}]
    c = other.derived("c", [str(a.product)], speed=lineage)
    source.publish(a, 9)
    records = source.public(a)
    other.derive(c, [ParentSet.of(records[at : at + 2]) for at in range(4)])
    index = tmp_path_factory.mktemp("lineage") / "index.db"
    collect(mesh, index)
    with api(mesh, index) as url:
        yield Served(source, other, a, c, url, index)


def readings(mesh: RunningMesh) -> list[dict[str, Any]]:
    with LogReader(mesh.admin) as reader:
        told = [json.loads(each.value() or b"{}") for each in reader.read(TopicPartition(AUDIT, 0), 0, 1 << 60)]
    return [each for each in told if each.get("event") == "lineage-read"]


def test_nobody_is_answered_without_proof_of_who_asks(served: Served) -> None:
    domain = served.a.product.domain
    assert httpx.get(f"{served.url}/graph", timeout=30, trust_env=False).status_code == 401
    wrong = httpx.get(f"{served.url}/graph", auth=(domain, "wrong"), timeout=30, trust_env=False)
    assert (wrong.status_code, wrong.json()["error"]) == (401, "Unauthorized")


def test_a_record_is_traced_as_its_domain_and_the_reading_is_on_the_audit_log(served: Served) -> None:
    at, domain = f"{served.a.topics.public}/0/0", served.a.product.domain
    told = served.answered(f"trace/{at}", domain)
    assert at in json.dumps(told["record"])
    assert told["behind"]["records"][0]["standing"] == "followed"
    (reading, *_) = [
        each
        for each in readings(served.pipeline.mesh)
        if (each["actor"], each["question"]) == (domain, "trace") and each["about"]["topic"] == served.a.topics.public
    ]
    assert (reading["outcome"], reading["about"]["offset"]) == ("answered", "0")


def test_a_foreign_record_is_a_stub(served: Served) -> None:
    foreign, own = served.a, served.c.product.domain
    stub = served.answered(f"trace/{foreign.topics.public}/0/0", own)["stub"]
    assert stub == {
        "at": f"{foreign.topics.public}/0/0",
        "product": str(foreign.product),
        "contract": {"id": foreign.id, "version": "1.0.0"},
        "owner": "team a",
        "parents_sha256": None,
    }
    told = served.answered(f"trace/{served.c.topics.public}/0/0", own)["behind"]
    records = {each["id"]: each for each in told["records"]}
    made = records[told["root"]]["made"]
    (branch,) = made["parents"]
    (first, second) = (records[each] for each in branch["records"])
    assert first["standing"] == "forbidden"
    assert first["stub"]["owner"] == "team a"
    assert first["stub"]["parents_sha256"] == made["sha256"]
    assert second["stub"]["product"] == str(foreign.product)


def test_impact_comes_in_pages_and_uses_the_index(served: Served) -> None:
    records = served.pipeline.public(served.a)
    path = f"impact/{served.a.topics.public}/0/{records[1].offset}"
    seen = list[str]()
    offset: int | None = 0
    while offset is not None:
        page = served.answered(path, "_mesh.admin", offset=offset, limit=1)
        assert len(page["effects"]) == 1
        seen += [each["at"] for each in page["effects"]]
        offset = page["next"]
    assert seen == [f"{served.c.topics.public}/0/{number}" for number in (0, 1)]


def test_all_that_a_record_was_made_from_comes_in_pages(served: Served) -> None:
    path = f"parents/{served.c.topics.public}/0/0"
    pages = [served.answered(path, "_mesh.admin", offset=at, limit=1) for at in range(3)]
    assert [(len(page["parents"]), page["total"], page["next"]) for page in pages] == [
        (1, 2, 1),
        (1, 2, None),
        (0, 2, None),
    ]
    (whole,) = served.answered(f"trace/{served.c.topics.public}/0/0", "_mesh.admin")["behind"]["records"][0]["made"][
        "parents"
    ]
    assert [page["parents"][0]["id"] for page in pages[:2]] == whole["records"]
    assert all(page["known"] and page["parents"][0]["passage"]["ingress"] for page in pages[:2])
    foreign = served.answered(path, served.c.product.domain)["parents"]
    assert [(each["standing"], each["stub"]["owner"]) for each in foreign] == [("forbidden", "team a")] * 2
    assert {each["stub"]["parents_sha256"] for each in foreign} == {pages[0]["record"]["made"]["sha256"]}
    assert served.answered(f"parents/{served.a.topics.public}/0/0", "_mesh.admin")["total"] == 0


def test_the_graph_and_columns_are_everybodys_and_rates_are_not(served: Served) -> None:
    own = served.c.product.domain
    told = served.answered("graph", own, product=str(served.c.product))
    products = {each["product"]: each for each in told["products"]}
    assert products[str(served.a.product)]["owner"] == "team a"
    assert products[str(served.a.product)]["records_per_second"] is None
    assert products[str(served.c.product)]["judged_by"] == "1.0.0"
    (hop,) = told["hops"]
    assert (hop["from"], hop["to"]) == (served.a.topics.public, served.c.topics.public)
    assert hop["known"] == "declared, observed"
    (column,) = served.answered(f"columns/{served.c.product}/speed", own)["columns"]
    assert (column["from"]["product"], column["subtype"]) == (str(served.a.product), "AGGREGATION")
    back = served.answered(f"columns/{served.a.product}/speed", own, forward="true", limit=1)
    assert (back["total"], back["next"]) == (1, None)


def test_a_product_adds_up(served: Served) -> None:
    told = served.answered(f"reconcile/{served.a.product}", served.a.product.domain)
    assert told["mismatches"] == []
    assert served.ask(f"reconcile/{served.a.product}", served.c.product.domain).status_code == 403


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("trace/nonsense/0/0", {}, 400),
        ("trace/x.y.v1/zero/0", {}, 400),
        ("trace/x.nothing.v1/0/0", {}, 404),
        ("graph", {"limit": "0"}, 400),
        ("graph", {"as_of": "yesterday"}, 400),
        ("columns/x.y/z", {}, 404),
        ("nothing", {}, 404),
    ],
)
def test_questions_without_sense_are_told_so(served: Served, path: str, query: dict[str, str], status: int) -> None:
    answer = served.ask(path, "_mesh.admin", **query)
    assert answer.status_code == status, answer.text
    assert answer.json()["message"]


def test_a_deleted_index_is_made_again_and_gives_the_same_answers(served: Served) -> None:
    own, product = served.c.product.domain, str(served.c.product)
    # Other tests have published since it was collected; the new one will know of that, too.
    collect(served.pipeline.mesh, served.index)
    # As of one moment: rates are those of the last minute, which goes on while the index is made again.
    moment = datetime.now(UTC).isoformat()

    def answers() -> list[Any]:
        columns = served.answered(f"columns/{product}/speed", own, as_of=moment)
        return [served.answered("graph", own, product=product, as_of=moment), columns]

    before = answers()
    assert len(before[0]["products"]) == 2, "the question is about one product and what it is made from"
    for file in served.index.parent.iterdir():
        file.unlink()
    assert served.ask("graph", own).status_code == 404
    collect(served.pipeline.mesh, served.index)
    after = answers()
    assert after == before


def test_a_collector_that_is_killed_goes_on_and_counts_nothing_twice(served: Served, tmp_path: Path) -> None:
    index, mesh = tmp_path / "killed.db", served.pipeline.mesh
    program = [sys.executable, str(ROOT / "lineage" / "collector.py"), "--index", str(index)]

    def begun() -> bool:
        try:
            return bool(Lookup(index).topics())
        except NotFound:
            return False

    with subprocess.Popen(program, env=environment(mesh)) as process:
        try:
            eventually(lambda: begun() or process.poll() is not None, 60)
        finally:
            process.kill()
    collect(mesh, index)
    whole = tmp_path / "whole.db"
    collect(mesh, whole)
    assert content(index) == content(whole)


@pytest.mark.soak
def test_events_go_to_the_sinks_of_the_settings(served: Served, tmp_path: Path) -> None:
    config = tmp_path / "mesh.yaml"
    mesh = served.pipeline.mesh
    text = mesh.folder.config.read_text("utf-8").replace("file:secrets", f"file:{mesh.folder.root}/secrets")
    config.write_text(text + "\nlineage: {openlineage: {kind: file, path: events.ndjson}}\n", "utf-8")
    program = [sys.executable, "-m", "mesh", "lineage", "collect", "--config", str(config), "--index", "index.db"]
    variables = environment(mesh) | {"MESH_CONFIG": str(config)}
    with subprocess.Popen(program, env=variables, cwd=tmp_path, stdout=subprocess.PIPE) as process:
        try:
            eventually((tmp_path / "index.db").is_file, 60)
            events = tmp_path / "events.ndjson"

            def told() -> bool:
                served.pipeline.publish(served.a, 1)
                return events.is_file() and bool(events.read_text("utf-8").strip())

            eventually(told, 150, every=5)
        finally:
            process.terminate()
            assert process.wait(30) == 0
    lines = [json.loads(line) for line in events.read_text("utf-8").splitlines()]
    assert [text for event in lines for text in faults(event)] == []
