"""One HTTP request and its answer, as the registry's clients expect them, whatever the route does."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mesh.errors import DeadlineExceeded, MeshError
from mesh.registry.credentials import Credentials
from mesh.registry.refusal import Refusal
from mesh.registry.registry import Registry
from mesh.registry.rules import LARGEST_SCHEMA, Caller
from mesh.registry.text import strict_json

# Quoting can make a schema of the largest size grow; what is beyond that is not read to its end.
_LARGEST_BODY = 4 * LARGEST_SCHEMA
_logger = logging.getLogger(__name__)


class ConfluentJson(JSONResponse):
    """JSON under the media type that Confluent's clients ask for."""

    media_type = "application/vnd.schemaregistry.v1+json"


@dataclass(frozen=True, slots=True)
class Service:
    """What every route needs. ``open_reads``: who sends no credentials may read."""

    registry: Registry
    credentials: Credentials
    open_reads: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One request, read and authenticated."""

    registry: Registry
    caller: Caller
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)
    repeated: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def subject(self) -> str:
        """The subject in the path."""
        return self.path["subject"]

    def flag(self, name: str) -> bool:
        """A query parameter that is true or false."""
        return self.query.get(name, "").lower() == "true"

    def page(self, found: Sequence[Any]) -> list[Any]:
        """The part of a list that ``offset`` and ``limit`` ask for; a negative limit means all."""
        offset, limit = self._number("offset", 0), self._number("limit", -1)
        return list(found[max(0, offset) :][: None if limit < 0 else limit])

    def _number(self, name: str, default: int) -> int:
        text = self.query.get(name, "")
        try:
            return int(text[:12]) if text else default
        except ValueError:
            raise Refusal(400, f"{name} must be a whole number, not {text[:40]!r}") from None


Verb: TypeAlias = Callable[[Call], Any]
"""What a route does, off the event loop: the answer as JSON, or a Response of its own."""


def reads(path: str, verb: Verb, method: str = "GET") -> Route:
    """A route that changes nothing."""
    return Route(path, _endpoint(verb, writes=False), methods=[method])


def writes(path: str, verb: Verb, method: str) -> Route:
    """A route that changes something and needs to know who asks."""
    return Route(path, _endpoint(verb, writes=True), methods=[method])


def _endpoint(verb: Verb, *, writes: bool) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        service: Service = request.app.state.service
        body = await _body(request) if request.method in ("POST", "PUT") else {}
        return await run_in_threadpool(
            _answered, service, verb, request, body, required=writes or not service.open_reads
        )

    return endpoint


def _answered(service: Service, verb: Verb, request: Request, body: Mapping[str, Any], *, required: bool) -> Response:
    caller = service.credentials.caller(request.headers.get("authorization"), required=required)
    path = {name: unquote(value) for name, value in request.path_params.items()}
    repeated = {name: request.query_params.getlist(name) for name in request.query_params}
    answer = verb(Call(service.registry, caller, path, dict(request.query_params), body, repeated))
    return answer if isinstance(answer, Response) else ConfluentJson(answer)


async def _body(request: Request) -> Mapping[str, Any]:
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > _LARGEST_BODY:
            raise Refusal(42209, f"The request is too large: at most {_LARGEST_BODY} bytes")
    try:
        body = strict_json(bytes(content))
    except ValueError as error:
        raise Refusal(400, f"The request is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise Refusal(400, "The request must be a JSON object")
    return body


def refused(_: Request, error: Exception) -> Response:
    """The answer to a Refusal."""
    if not isinstance(error, Refusal):
        raise error
    reasons = {"reasons": list(error.reasons)} if error.reasons else {}
    headers = {"WWW-Authenticate": 'Basic realm="schema registry"'} if error.status == 401 else None
    return ConfluentJson({"error_code": error.code, "message": error.message} | reasons, error.status, headers)


def failed(_: Request, error: Exception) -> Response:
    """The answer when the log or the broker fails: a status that clients try again."""
    if not isinstance(error, MeshError):
        raise error
    _logger.warning("a request could not be answered: %s", error)
    code = 50002 if isinstance(error, DeadlineExceeded) else 50001
    return ConfluentJson({"error_code": code, "message": f"Error in the backend data store: {error}"}, 500)
