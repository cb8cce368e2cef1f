"""The registry over HTTP: Confluent's routes, and one that says whether it is well."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from mesh.errors import MeshError
from mesh.registry import levels, schemas, subjects
from mesh.registry.exchange import Call, ConfluentJson, Service, failed, reads, refused
from mesh.registry.refusal import Refusal


def application(service: Service) -> ASGIApp:
    """The ASGI application; the registry of ``service`` must have been started."""
    app = Starlette(
        routes=[*subjects.ROUTES, *schemas.ROUTES, *levels.ROUTES, *ROUTES],
        exception_handlers={Refusal: refused, MeshError: failed, HTTPException: _unknown},
    )
    app.router.redirect_slashes = False
    app.state.service = service
    return _RawPaths(app)


async def root(_: Request) -> Response:
    """GET /: somebody answers."""
    return ConfluentJson({})


async def health(request: Request) -> Response:
    """GET /health: 200 only while the log is read up to its end, which the broker is asked for."""
    service: Service = request.app.state.service
    try:
        offset = await run_in_threadpool(service.registry.check_health)
    except MeshError as error:
        return ConfluentJson({"status": "failing", "reason": str(error)}, 503)
    return ConfluentJson({"status": "ok", "offset": offset})


def contexts(_: Call) -> Any:
    """GET /contexts: the default one."""
    return ["."]


def cluster(_: Call) -> Any:
    """GET /v1/metadata/id."""
    return {"id": "", "scope": {"path": [], "clusters": {"schema-registry-cluster": "mesh"}}}


def release(_: Call) -> Any:
    """GET /v1/metadata/version."""
    return {"version": version("mesh-backbone"), "commitId": ""}


ROUTES: tuple[Route, ...] = (
    Route("/", root, methods=["GET"]),
    Route("/health", health, methods=["GET"]),
    reads("/contexts", contexts),
    reads("/v1/metadata/id", cluster),
    reads("/v1/metadata/version", release),
)


def _unknown(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return ConfluentJson(
        {"error_code": error.status_code, "message": f"HTTP {error.status_code} {error.detail}"}, error.status_code
    )


class _RawPaths:
    """Routes by the path as it was sent, so that a quoted slash belongs to a subject; forgives surplus slashes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            raw = scope.get("raw_path") or scope["path"].encode()
            scope = {**scope, "path": "/" + raw.decode("latin-1").partition("?")[0].strip("/")}
        await self._app(scope, receive, send)
