"""The routes: who asks is proved with the caller's own principal and password, and every answer is told first."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mesh.errors import MeshError
from mesh.inquiry.service import questions
from mesh.inquiry.service.questions import Asked, Question
from mesh.inquiry.service.readings import Readings
from mesh.registry.credentials import Credentials, password_of
from mesh.registry.refusal import Refusal
from mesh.settings import Settings

logger = logging.getLogger(__name__)

_AT_ONCE: Final = 8
"""Questions answered at a time: each opens connections of its own, and one caller must not take them all."""
_RECORD: Final = "/{topic}/{partition}/{offset}"
_LONGEST: Final = 512


@dataclass(frozen=True, slots=True)
class Service:
    """What every route needs: whose clusters, who may ask, who hears of it, and the collector's file."""

    settings: Settings
    credentials: Credentials
    readings: Readings
    index: Path
    turnstile: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(_AT_ONCE))


def application(service: Service) -> Starlette:
    """The ASGI application."""
    routes = [
        Route("/health", _health, methods=["GET"]),
        _route(f"/v1/trace{_RECORD}", questions.trace),
        _route(f"/v1/why{_RECORD}", questions.why),
        _route(f"/v1/parents{_RECORD}", questions.parents),
        _route(f"/v1/impact{_RECORD}", questions.impact),
        _route("/v1/reconcile/{product}", questions.reconcile),
        _route("/v1/graph", questions.graph),
        _route("/v1/columns/{product}/{field}", questions.columns),
    ]
    handlers = {Refusal: _refused, MeshError: _failed, HTTPException: _unknown}
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.state.service = service
    return app


def _route(path: str, question: Question) -> Route:
    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(_answered, request.app.state.service, question, request)

    return Route(path, endpoint, methods=["GET"])


def _answered(service: Service, question: Question, request: Request) -> Response:
    header = request.headers.get("authorization")
    caller = service.credentials.caller(header, required=True)
    principal = caller.principal or ""
    acting = service.settings.acting_as(principal, password_of(header or ""))
    path = {name: str(value)[:_LONGEST] for name, value in request.path_params.items()}
    query = {name: value[:_LONGEST] for name, value in request.query_params.items()}
    asked = Asked(principal, caller.platform, acting, path, query, service.index)
    try:
        with service.turnstile:
            answer = question(asked)
    except MeshError as error:
        service.readings.tell(principal, question.__name__, path | query, type(error).__name__)
        raise
    service.readings.tell(principal, question.__name__, path | query, "stub" if "stub" in answer else "answered")
    return JSONResponse(answer)


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


def _refused(_: Request, error: Exception) -> Response:
    if not isinstance(error, Refusal):
        raise error
    told = {"error": "Unauthorized", "message": error.message}
    return JSONResponse(told, error.status, {"WWW-Authenticate": 'Basic realm="mesh lineage"'})


def _failed(_: Request, error: Exception) -> Response:
    if not isinstance(error, MeshError):
        raise error
    status = questions.status_of(error)
    if status >= 409:
        logger.warning("a question could not be answered: %s", error)
    return JSONResponse({"error": type(error).__name__, "message": str(error)}, status)


def _unknown(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return JSONResponse({"error": "HTTP", "message": error.detail}, error.status_code)
