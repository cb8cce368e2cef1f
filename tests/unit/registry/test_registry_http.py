"""The routes, their JSON and their codes, over a log in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import pytest
from starlette.testclient import TestClient

from mesh.errors import BrokerUnreachable, DeadlineExceeded, Fenced, MeshError
from mesh.registry.app import application
from mesh.registry.credentials import Credentials
from mesh.registry.exchange import Service
from mesh.registry.memory import MemorySchemaLog, MemoryTopic
from mesh.registry.records import LogRecord
from mesh.registry.registry import Registry
from tests.support.registry import DOMAIN, PLATFORM, known

INT, LONG = '"int"', '"long"'


T = TypeVar("T")


def anonymous(request: T) -> T:
    """Sends no credentials, whatever the client's own are."""
    return request


class Fragile(MemorySchemaLog):
    """A log whose writes fail on demand, with or without having been written."""

    def __init__(self, topic: MemoryTopic | None = None) -> None:
        super().__init__(topic)
        self.error: MeshError | None = None
        self.written = False
        self.lag = 0

    def append(self, record: LogRecord) -> int:
        error, self.error = self.error, None
        if error is None:
            return super().append(record)
        if self.written:
            super().append(record)
        raise error

    def behind(self) -> int:
        return self.lag


def client_of(log: MemorySchemaLog, *, open_reads: bool = True) -> TestClient:
    registry = Registry(log)
    registry.start()
    return TestClient(application(Service(registry, Credentials(known), open_reads)), raise_server_exceptions=False)


@pytest.fixture
def log() -> Fragile:
    return Fragile()


@pytest.fixture
def http(log: Fragile) -> Iterator[TestClient]:
    with client_of(log) as client:
        client.auth = DOMAIN
        yield client


def register(http: TestClient, subject: str, schema: str, **more: Any) -> Any:
    return http.post(f"/subjects/{subject}/versions", json={"schema": schema, **more}).json()


def code(response: Any) -> tuple[int, int]:
    return response.status_code, response.json()["error_code"]


def test_registering_and_every_way_to_read_it_back(http: TestClient) -> None:
    made = register(http, "a", '{"type": "int"}')
    guid = made.pop("guid")
    assert made == {"subject": "a", "version": 1, "id": 1, "schema": '{"type":"int"}'}
    full = made | {"guid": guid}
    text = {"guid": guid, "schema": '{"type":"int"}'}
    assert http.post("/subjects/a", json={"schema": INT}).json() == full
    for version in ("1", "latest", "-1"):
        assert http.get(f"/subjects/a/versions/{version}").json() == full
    assert http.get("/subjects/a/versions/1/schema").text == '{"type":"int"}'
    assert http.get("/subjects/a/versions/1/referencedby").json() == []
    assert http.get("/schemas/ids/1").json() == text
    assert http.get("/schemas/ids/1?fetchMaxId=true").json() == text | {"maxId": 1}
    assert http.get("/schemas/ids/1/schema").text == '{"type":"int"}'
    assert http.get(f"/schemas/guids/{guid}").json() == text
    register(http, "b", INT)
    assert http.get("/schemas/ids/1/subjects").json() == ["a", "b"]
    assert http.get("/schemas/ids/1/versions?subject=b").json() == [{"subject": "b", "version": 1}]
    assert http.get("/subjects/a/versions").json() == [1]


def test_answers_have_the_media_type_of_the_field(http: TestClient) -> None:
    for path in ("/", "/subjects", "/nowhere", "/schemas/ids/9"):
        assert http.get(path).headers["content-type"] == "application/vnd.schemaregistry.v1+json"


def test_the_small_routes(http: TestClient) -> None:
    assert http.get("/").json() == {}
    assert http.get("/schemas/types").json() == ["AVRO"]
    assert http.get("/contexts").json() == ["."]
    assert "version" in http.get("/v1/metadata/version").json()
    assert "scope" in http.get("/v1/metadata/id").json()


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("GET", "/nowhere", None, (404, 404)),
        ("PATCH", "/subjects", None, (405, 405)),
        ("GET", "/associations/resources/-/t", None, (404, 404)),
        ("GET", "/schemas/ids/9", None, (404, 40403)),
        ("GET", "/schemas/ids/x", None, (404, 40403)),
        ("GET", "/schemas/ids/9/subjects", None, (404, 40403)),
        ("GET", "/schemas/guids/9", None, (404, 40403)),
        ("GET", "/subjects/none/versions", None, (404, 40401)),
        ("GET", "/subjects/none/versions/1", None, (404, 40401)),
        ("GET", "/subjects/a/versions/2", None, (404, 40402)),
        ("GET", "/subjects/a/versions/x", None, (422, 42202)),
        ("GET", "/subjects?limit=x", None, (400, 400)),
        ("POST", "/subjects/none", {"schema": INT}, (404, 40401)),
        ("POST", "/subjects/a", {"schema": LONG}, (404, 40403)),
        ("POST", "/subjects/a", {"schema": "{"}, (422, 42201)),
        ("POST", "/subjects/a/versions", {"schema": '"string"'}, (409, 40901)),
        ("POST", "/subjects/a/versions", [], (400, 400)),
        ("POST", "/subjects/a/versions", {}, (422, 42201)),
        ("GET", "/config/a", None, (404, 40408)),
        ("DELETE", "/config/a", None, (404, 40408)),
        ("PUT", "/config/a", {"compatibility": "SIDEWAYS"}, (422, 42203)),
        ("PUT", "/config", {"compatibility": "NONE"}, (422, 42205)),
        ("GET", "/mode/a", None, (404, 40409)),
        ("DELETE", "/mode/a", None, (404, 40409)),
        ("PUT", "/mode/a", {"mode": "IMPORT"}, (422, 42204)),
        ("DELETE", "/subjects/none", None, (404, 40401)),
        ("DELETE", "/subjects/a?permanent=true", None, (404, 40405)),
        ("DELETE", "/subjects/a/versions/9", None, (404, 40402)),
        ("DELETE", "/subjects/a/versions/1?permanent=true", None, (404, 40407)),
        ("GET", "/subjects/a/metadata?key=k&value=v", None, (404, 40403)),
        ("POST", "/compatibility/subjects/a/versions/7", {"schema": INT}, (404, 40402)),
    ],
)
def test_codes(http: TestClient, method: str, path: str, body: Any, expected: tuple[int, int]) -> None:
    register(http, "a", INT)
    assert code(http.request(method, path, json=body)) == expected


@pytest.mark.parametrize("body", [b'{"schema":"1","schema":"2"}', b"{", b"", b"\xff", b"[" * 100_000])
def test_a_body_that_could_mean_two_things_is_refused(http: TestClient, body: bytes) -> None:
    assert code(http.post("/subjects/a/versions", content=body)) == (400, 400)


def test_what_is_too_large_is_refused(http: TestClient) -> None:
    assert code(http.post("/subjects/a/versions", json={"schema": '"' + "x" * 1_100_000 + '"'})) == (422, 42209)
    assert code(http.post("/subjects/a/versions", content=b" " * 5_000_000)) == (422, 42209)


def test_an_incompatible_schema_tells_every_reason(http: TestClient) -> None:
    register(http, "a", INT)
    answer = http.post("/subjects/a/versions", json={"schema": '"string"'}).json()
    assert 'earlier schema for subject "a"' in answer["message"]
    assert len(answer["reasons"]) == 1 and "type_changed" in answer["reasons"][0]


def test_compatibility_is_asked_without_registering(http: TestClient) -> None:
    register(http, "a", INT)
    path = "/compatibility/subjects/a/versions"
    for suffix in ("", "/1", "/latest"):
        assert http.post(path + suffix, json={"schema": LONG}).json() == {"is_compatible": True}
        assert http.post(path + suffix, json={"schema": '"string"'}).json() == {"is_compatible": False}
        answer = http.post(f"{path}{suffix}?verbose=true", json={"schema": '"string"'}).json()
        assert "int cannot be read as string" in answer["messages"][0]
    assert http.post("/compatibility/subjects/new/versions/latest", json={"schema": INT}).json()["is_compatible"]
    assert http.get("/subjects/a/versions").json() == [1]


def test_levels(http: TestClient) -> None:
    assert http.get("/config").json() == {"compatibilityLevel": "BACKWARD"}
    assert http.put("/config/a", json={"compatibility": "full"}).json() == {"compatibility": "FULL"}
    assert http.get("/config/a").json() == {"compatibilityLevel": "FULL"}
    assert http.get("/config/b?defaultToGlobal=true").json() == {"compatibilityLevel": "BACKWARD"}
    assert http.delete("/config/a").json() == {"compatibilityLevel": "FULL"}
    http.auth = PLATFORM
    assert http.put("/config", json={"compatibility": "NONE"}).json() == {"compatibility": "NONE"}
    assert http.get("/config").json() == {"compatibilityLevel": "NONE"}


def test_modes(http: TestClient) -> None:
    assert http.get("/mode").json() == {"mode": "READWRITE"}
    assert http.put("/mode/a", json={"mode": "READONLY"}).json() == {"mode": "READONLY"}
    assert http.get("/mode/a").json() == {"mode": "READONLY"}
    assert code(http.post("/subjects/a/versions", json={"schema": INT})) == (422, 42205)
    assert http.delete("/mode/a").json() == {"mode": "READONLY"}
    assert register(http, "a", INT)["id"] == 1


def test_deletion_soft_and_for_good(http: TestClient) -> None:
    register(http, "a", INT)
    register(http, "a", LONG)
    register(http, "z", INT)
    assert http.delete("/subjects/a/versions/1").json() == 1
    assert http.get("/subjects/a/versions").json() == [2]
    assert http.get("/subjects/a/versions?deleted=true").json() == [1, 2]
    assert http.get("/subjects/a/versions/1?deleted=true").json()["deleted"] is True
    assert code(http.delete("/subjects/a/versions/1")) == (404, 40406)
    assert http.delete("/subjects/a/versions/1?permanent=true").json() == 1
    assert http.delete("/subjects/a").json() == [2]
    assert code(http.delete("/subjects/a")) == (404, 40404)
    assert http.get("/subjects").json() == ["z"]
    assert http.get("/subjects?deleted=true").json() == ["a", "z"]
    assert http.get("/subjects?deletedOnly=true").json() == ["a"]
    assert http.get("/schemas/ids/2").status_code == 200
    assert http.delete("/subjects/a?permanent=true").json() == [2]
    assert http.get("/subjects?deleted=true").json() == ["z"]
    assert code(http.get("/schemas/ids/2")) == (404, 40403)


def test_lists_have_pages_and_prefixes(http: TestClient) -> None:
    for name in ("a1", "a2", "b1"):
        register(http, name, INT)
    assert http.get("/subjects?subjectPrefix=a").json() == ["a1", "a2"]
    assert http.get("/subjects?offset=1&limit=1").json() == ["a2"]
    assert http.get("/subjects?offset=0&limit=-1").json() == ["a1", "a2", "b1"]


def test_a_version_is_found_by_its_metadata(http: TestClient) -> None:
    register(http, "a", INT, metadata={"properties": {"team": "x"}})
    register(http, "a", LONG)
    found = http.get("/subjects/a/metadata?key=team&value=x").json()
    assert (found["version"], found["metadata"]) == (1, {"properties": {"team": "x"}})


def test_quoted_slashes_belong_to_the_subject_and_surplus_ones_to_nobody(http: TestClient) -> None:
    register(http, "a%2Fb%20c", INT)
    assert http.get("/subjects/").json() == ["a/b c"]
    assert http.get("http://testserver//subjects/a%2Fb%20c/versions/").json() == [1]


class TestWhoMayAsk:
    """Credentials, on every route."""

    def test_reading_is_open_where_it_is_open(self, http: TestClient) -> None:
        register(http, "a", INT)
        http.auth = anonymous
        assert http.get("/schemas/ids/1").status_code == 200
        assert http.post("/subjects/a", json={"schema": INT}).status_code == 200
        assert http.post("/compatibility/subjects/a/versions", json={"schema": INT}).status_code == 200

    def test_elsewhere_it_needs_a_login(self) -> None:
        with client_of(MemorySchemaLog(), open_reads=False) as client:
            response = client.get("/subjects")
            assert code(response) == (401, 40101)
            assert response.headers["www-authenticate"].startswith("Basic")
            assert client.get("/subjects", auth=DOMAIN).status_code == 200
            assert client.get("/health").status_code == client.get("/").status_code == 200

    @pytest.mark.parametrize(
        "auth", [anonymous, ("weather", "wrong"), ("nobody", "weather-secret"), ("_mesh.admin", "")]
    )
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", "/subjects/a/versions"),
            ("DELETE", "/subjects/a"),
            ("DELETE", "/subjects/a/versions/1"),
            ("PUT", "/config"),
            ("PUT", "/config/a"),
            ("DELETE", "/config"),
            ("DELETE", "/config/a"),
            ("PUT", "/mode"),
            ("PUT", "/mode/a"),
            ("DELETE", "/mode"),
            ("DELETE", "/mode/a"),
        ],
    )
    def test_every_write_needs_a_login(self, log: Fragile, http: TestClient, method: str, path: str, auth: Any) -> None:
        http.auth = anonymous
        before = len(log.topic.records)
        assert code(http.request(method, path, json={"schema": INT}, auth=auth)) == (401, 40101)
        assert len(log.topic.records) == before

    def test_wrong_credentials_are_wrong_for_reading_too(self, http: TestClient) -> None:
        assert code(http.get("/subjects", auth=("weather", "wrong"))) == (401, 40101)

    def test_subjects_of_contracts_are_the_platform_s(self, http: TestClient) -> None:
        http.auth = PLATFORM
        register(http, "a", INT, metadata={"properties": {"mesh.product": "d.p"}})
        http.auth = DOMAIN
        assert register(http, "a", INT)["id"] == 1
        for attempt in (
            http.post("/subjects/a/versions", json={"schema": LONG}),
            http.delete("/subjects/a"),
            http.delete("/subjects/a/versions/1"),
            http.put("/config/a", json={"compatibility": "NONE"}),
            http.put("/mode/a", json={"mode": "READONLY"}),
        ):
            assert code(attempt) == (422, 42205)
            assert "mesh apply" in attempt.json()["message"]


class TestWhenTheLogFails:
    """Answers that clients try again, and what is true afterwards."""

    @pytest.mark.parametrize(
        ("error", "expected"),
        [(BrokerUnreachable("b:1"), (500, 50001)), (DeadlineExceeded("writing", 1), (500, 50002))],
    )
    def test_a_failed_write_says_so(
        self, log: Fragile, http: TestClient, error: MeshError, expected: tuple[int, int]
    ) -> None:
        log.error = error
        assert code(http.post("/subjects/a/versions", json={"schema": INT})) == expected
        assert http.get("/subjects").json() == []
        assert register(http, "a", INT)["id"] == 1

    def test_a_write_of_unknown_outcome_is_settled_before_the_next(self, log: Fragile, http: TestClient) -> None:
        log.error, log.written = DeadlineExceeded("committing", 1), True
        assert code(http.post("/subjects/a/versions", json={"schema": INT})) == (500, 50002)
        marks = sum(b"NOOP" in (key or b"") for key, _ in log.topic.records)
        assert register(http, "a", INT) == http.get("/subjects/a/versions/1").json()
        assert sum(b"NOOP" in (key or b"") for key, _ in log.topic.records) == marks + 1

    def test_a_registry_that_was_replaced_writes_no_more_and_is_not_well(self, log: Fragile, http: TestClient) -> None:
        assert http.get("/health").status_code == 200
        with client_of(MemorySchemaLog(log.topic)) as successor:
            successor.auth = DOMAIN
            assert register(successor, "a", INT)["id"] == 1
            assert code(http.post("/subjects/b/versions", json={"schema": LONG})) == (500, 50001)
            assert successor.get("/subjects").json() == ["a"]
        assert isinstance(log.failure, Fenced)
        assert http.get("/health").status_code == 503

    def test_a_registry_that_is_behind_is_not_well(self, log: Fragile, http: TestClient) -> None:
        log.lag = 3
        response = http.get("/health")
        assert response.status_code == 503
        assert "last 3 offset(s)" in response.json()["reason"]


def test_everything_is_there_after_a_restart(log: Fragile, http: TestClient) -> None:
    register(http, "a", INT)
    http.put("/config/a", json={"compatibility": "FULL"})
    register(http, "gone", LONG)
    http.delete("/subjects/gone")
    http.delete("/subjects/gone?permanent=true")
    with client_of(MemorySchemaLog(log.topic)) as again:
        again.auth = DOMAIN
        for path in ("/subjects", "/subjects/a/versions/1", "/config/a", "/schemas/ids/1"):
            assert again.get(path).json() == http.get(path).json()
        assert register(again, "b", '"string"')["id"] == 3
