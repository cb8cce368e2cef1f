"""The client: what it keeps, what it tries again, and what it raises."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator

import httpx
import pytest
from pydantic import SecretStr

from mesh.errors import (
    IncompatibleChange,
    NotAuthorised,
    NotFound,
    RegistryUnreachable,
    RequestRefused,
    SchemaRefused,
)
from mesh.registry import RegistryClient
from mesh.registry.memory import MemorySchemaLog
from mesh.types import SchemaId
from tests.support.registry import DOMAIN, PLATFORM, served

ONE = '{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}'
TWO = ONE.replace("}]}", '},{"name":"b","type":"int","default":0}]}')
BROKEN = ONE.replace("}]}", '},{"name":"b","type":"int"}]}')


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served(MemorySchemaLog()) as url:
        yield url


def client_as(url: str, login: tuple[str, str] | None) -> RegistryClient:
    return RegistryClient(url, login[0], SecretStr(login[1])) if login else RegistryClient(url)


class Server:
    """Plays a registry from a list of answers, and counts."""

    def __init__(self, *answers: tuple[int, object] | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer[0], json=answer[1])

    def client(self, deadline: float = 5.0) -> RegistryClient:
        return RegistryClient("http://registry", deadline=deadline, transport=httpx.MockTransport(self))


def test_the_whole_life_of_a_subject(url: str) -> None:
    with client_as(url, DOMAIN) as client:
        assert (client.versions("s"), client.ids("s"), client.lookup("s", ONE)) == ([], {}, None)
        first = client.register("s", ONE)
        assert client.register("s", ONE) == client.lookup("s", json.dumps(json.loads(ONE), indent=1)) == first
        assert client.compatible("s", TWO) == []
        second = client.register("s", TWO)
        assert client.ids("s") == {first: 1, second: 2}
        assert client.versions("s") == [1, 2]
        latest = client.latest("s")
        assert (latest.version, latest.id, latest.schema, latest.product) == (2, second, TWO, None)
        assert client.schema(first) == ONE
        assert client.compatibility("s") is None
        client.set_compatibility("s", "FULL_TRANSITIVE")
        assert client.compatibility("s") == "FULL_TRANSITIVE"
        assert "s" in client.subjects()


def test_what_is_refused_is_raised_as_what_it_is(url: str) -> None:
    with client_as(url, DOMAIN) as client:
        client.register("r", ONE)
        with pytest.raises(IncompatibleChange) as incompatible:
            client.register("r", BROKEN)
        assert incompatible.value.reasons == tuple(client.compatible("r", BROKEN))
        with pytest.raises(SchemaRefused) as refused:
            client.register("r", '"strnig"')
        assert refused.value.code == 42201
        with pytest.raises(SchemaRefused):
            client.lookup("r", "{")
        with pytest.raises(NotFound):
            client.latest("nobody-s")
        with pytest.raises(NotFound):
            client.schema(SchemaId(10_000))


def test_a_product_s_subject_is_the_platform_s(url: str) -> None:
    with client_as(url, PLATFORM) as platform, client_as(url, DOMAIN) as domain:
        made = platform.register("p/slash", ONE, product="weather.observations")
        assert platform.latest("p/slash").product == "weather.observations"
        assert domain.register("p/slash", ONE) == made
        with pytest.raises(SchemaRefused, match="mesh apply"):
            domain.register("p/slash", TWO)


@pytest.mark.parametrize("login", [None, ("weather", "wrong")])
def test_who_may_not_is_told_so(url: str, login: tuple[str, str] | None) -> None:
    with client_as(url, login) as client, pytest.raises(NotAuthorised) as caught:
        client.register("s", ONE)
    assert caught.value.code == "40101" and "wrong" not in str(caught.value)


def test_a_schema_is_asked_for_once() -> None:
    server = Server((200, {"schema": ONE}))
    with server.client() as client:
        assert {client.schema(SchemaId(7)) for _ in range(5)} == {ONE}
    assert len(server.requests) == 1


def test_an_unknown_id_is_asked_for_again() -> None:
    server = Server((404, {"error_code": 40403, "message": "Schema 7 not found"}), (200, {"schema": ONE}))
    with server.client() as client:
        with pytest.raises(NotFound):
            client.schema(SchemaId(7))
        assert client.schema(SchemaId(7)) == ONE


@pytest.mark.parametrize(
    "fault", [(status, {}) for status in (408, 429, 500, 502, 503, 504)] + [httpx.ConnectError("refused")]
)
def test_what_may_pass_is_tried_again(fault: tuple[int, object] | Exception) -> None:
    server = Server(fault, fault, (200, {"schema": ONE}))
    with server.client() as client:
        assert client.schema(SchemaId(7)) == ONE
    assert len(server.requests) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 422, 501])
def test_what_will_not_pass_is_tried_once(status: int) -> None:
    server = Server((status, {"error_code": status, "message": "no"}))
    with server.client() as client, pytest.raises((RequestRefused, NotAuthorised, IncompatibleChange, SchemaRefused)):
        client.schema(SchemaId(7))
    assert len(server.requests) == 1


def test_the_deadline_ends_it() -> None:
    server = Server((503, {"message": "not yet"}))
    with server.client(deadline=0.3) as client, pytest.raises(RegistryUnreachable, match="503 not yet"):
        client.versions("s")
    assert len(server.requests) > 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "registry:8081", "http://[broken"])
def test_nobody_there_is_one_error(url: str) -> None:
    with pytest.raises(RegistryUnreachable):
        RegistryClient(url, deadline=0.2).subjects()


@pytest.mark.parametrize(
    "ask",
    [lambda each: each.versions("s"), lambda each: each.lookup("s", ONE), lambda each: each.compatibility("s")],
)
def test_something_that_is_no_registry_does_not_read_as_an_empty_one(ask: Callable[[RegistryClient], object]) -> None:
    def html(request: httpx.Request) -> httpx.Response:
        return httpx.Response(404, text="<h1>not here</h1>")

    with pytest.raises(RegistryUnreachable, match="is this a schema registry"):
        ask(RegistryClient("http://registry", transport=httpx.MockTransport(html)))
    server = Server((404, {"error_code": 404, "message": "HTTP 404 Not Found"}))
    with server.client() as client, pytest.raises(RequestRefused):
        ask(client)


def test_threads_share_it(url: str) -> None:
    with client_as(url, DOMAIN) as client:
        ids: list[SchemaId] = []

        def register(number: int) -> None:
            ids.append(client.register(f"t{number}", f'{{"type":"fixed","name":"F{number % 5}","size":4}}'))

        threads = [threading.Thread(target=register, args=(number,)) for number in range(20)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    assert len(ids) == 20 and len(set(ids)) == 5
