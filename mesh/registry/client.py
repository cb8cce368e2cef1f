"""Asking a schema registry: ours, or any that speaks Confluent's HTTP."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from mesh.errors import (
    IncompatibleChange,
    MeshError,
    NotAuthorised,
    NotFound,
    RegistryUnreachable,
    RequestRefused,
    SchemaRefused,
)
from mesh.registry.records import PRODUCT
from mesh.types import SchemaId

_MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
_RETRIED = frozenset({408, 429, 500, 502, 503, 504})
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0
_CONNECT_SECONDS, _LEAST_SECONDS = 2.0, 0.2


@dataclass(frozen=True, slots=True)
class RegisteredSchema:
    """A version of a subject; ``product`` when it belongs to an applied contract."""

    subject: str
    version: int
    id: SchemaId
    schema: str
    product: str | None = None


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    body: Mapping[str, Any] | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    subject: str = ""


class RegistryClient:
    """One registry, for any number of threads. Schemas by id are kept for ever, because ids never change.

    Each call tries again after a lost connection or an answer of 408, 429, 500, 502, 503 or 504 until ``deadline``
    seconds have passed, then raises RegistryUnreachable. Others: NotFound, SchemaRefused, IncompatibleChange,
    NotAuthorised, RequestRefused.
    """

    def __init__(
        self,
        url: str,
        principal: str | None = None,
        password: SecretStr | None = None,
        *,
        deadline: float = 10.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url, self._principal, self._deadline = url.rstrip("/"), principal, deadline
        login = (principal, password.get_secret_value()) if principal and password else None
        # Proxies and .netrc of the environment are left out: they would get the password.
        self._http = httpx.Client(
            auth=httpx.BasicAuth(*login) if login else None,
            headers={"Accept": _MEDIA_TYPE, "Content-Type": _MEDIA_TYPE},
            trust_env=False,
            transport=transport,
        )
        self._schemas: dict[SchemaId, str] = {}
        self._numbered: dict[tuple[str, int], SchemaId] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def schema(self, schema_id: SchemaId) -> str:
        """The text of a schema; raises NotFound for an id nobody was given."""
        known = self._schemas.get(schema_id)
        if known is None:
            known = str(self._ask(_Request("GET", f"/schemas/ids/{schema_id}"))["schema"])
            with self._lock:
                self._schemas[schema_id] = known
        return known

    def register(self, subject: str, schema: str, *, product: str | None = None) -> SchemaId:
        """Make a schema the next version of a subject, or find that it is there; answers its id.

        ``product`` binds the subject to an applied contract; only the platform's principal may say it.
        """
        metadata = {"metadata": {"properties": {PRODUCT: product}}} if product else {}
        path = f"/subjects/{quote(subject, safe='')}/versions"
        answer = self._ask(_Request("POST", path, {"schema": schema} | metadata, subject=subject))
        return SchemaId(answer["id"])

    def lookup(self, subject: str, schema: str) -> SchemaId | None:
        """The id of a schema under a subject; None when it is not registered there."""
        request = _Request("POST", f"/subjects/{quote(subject, safe='')}", {"schema": schema}, subject=subject)
        try:
            return SchemaId(self._ask(request)["id"])
        except NotFound:
            return None

    def latest(self, subject: str) -> RegisteredSchema:
        """The newest version of a subject; raises NotFound."""
        return self.version(subject, "latest")

    def version(self, subject: str, version: int | str) -> RegisteredSchema:
        """One version of a subject; raises NotFound."""
        found = self._ask(_Request("GET", f"/subjects/{quote(subject, safe='')}/versions/{version}", subject=subject))
        properties = (found.get("metadata") or {}).get("properties") or {}
        number, schema_id = int(found["version"]), SchemaId(found["id"])
        return RegisteredSchema(found["subject"], number, schema_id, found["schema"], properties.get(PRODUCT))

    def versions(self, subject: str) -> list[int]:
        """The versions of a subject, oldest first; empty for a subject that does not exist."""
        try:
            return list(self._ask(_Request("GET", f"/subjects/{quote(subject, safe='')}/versions", subject=subject)))
        except NotFound:
            return []

    def ids(self, subject: str) -> dict[SchemaId, int]:
        """The ids that data of a subject may carry, with the version each stands for. Known versions cost nothing."""
        return {self._id(subject, version): version for version in self.versions(subject)}

    def _id(self, subject: str, version: int) -> SchemaId:
        known = self._numbered.get((subject, version))
        if known is None:
            known = self.version(subject, version).id
            with self._lock:
                self._numbered[subject, version] = known
        return known

    def subjects(self) -> list[str]:
        """Every subject, sorted."""
        return sorted(self._ask(_Request("GET", "/subjects")))

    def compatible(self, subject: str, schema: str) -> list[str]:
        """Why a schema may not become the next version of a subject; empty when it may."""
        path = f"/compatibility/subjects/{quote(subject, safe='')}/versions"
        answer = self._ask(_Request("POST", path, {"schema": schema}, {"verbose": "true"}, subject))
        if answer["is_compatible"]:
            return []
        return [str(each) for each in answer.get("messages") or ["the registry says it is incompatible"]]

    def compatibility(self, subject: str) -> str | None:
        """The level set for a subject itself; None when it follows the registry's."""
        try:
            path = f"/config/{quote(subject, safe='')}"
            return str(self._ask(_Request("GET", path, subject=subject))["compatibilityLevel"])
        except NotFound:
            return None

    def set_compatibility(self, subject: str, level: str) -> None:
        """Set the level of a subject, such as BACKWARD_TRANSITIVE."""
        path = f"/config/{quote(subject, safe='')}"
        self._ask(_Request("PUT", path, {"compatibility": level}, subject=subject))

    def _ask(self, request: _Request) -> Any:
        response = self._sent(request)
        try:
            answer = response.json()
        except ValueError:
            reason = f"HTTP {response.status_code} and no JSON: is this a schema registry?"
            raise RegistryUnreachable(self.url, reason) from None
        if response.is_success:
            return answer
        raise self._error(request, response.status_code, answer if isinstance(answer, dict) else {})

    def _sent(self, request: _Request) -> httpx.Response:
        deadline, pause = time.monotonic() + self._deadline, _FIRST_PAUSE
        while True:
            response, reason = self._tried(request, deadline - time.monotonic())
            if response is not None:
                return response
            if time.monotonic() + pause > deadline:
                raise RegistryUnreachable(self.url, reason)
            # Full jitter: gates that lost the registry together must not come back together.
            time.sleep(random.uniform(0, pause))  # noqa: S311 - no secret
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _tried(self, request: _Request, seconds: float) -> tuple[httpx.Response | None, str]:
        patience = max(seconds, _LEAST_SECONDS)
        try:
            response = self._http.request(
                request.method,
                self.url + request.path,
                json=request.body,
                params=dict(request.query),
                timeout=httpx.Timeout(patience, connect=min(patience, _CONNECT_SECONDS)),
            )
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise RegistryUnreachable(self.url, str(error)) from None
        except httpx.TransportError as error:
            return None, str(error) or type(error).__name__
        retried = response.status_code in _RETRIED
        return (None if retried else response), f"HTTP {response.status_code} {_message(response)}".strip()

    def _error(self, request: _Request, status: int, answer: Mapping[str, Any]) -> MeshError:
        code, message = int(answer.get("error_code") or status), str(answer.get("message") or f"HTTP {status}")
        operation, subject = f"{request.method} {self.url}{request.path}", request.subject or request.path
        if status in (401, 403):
            return NotAuthorised(self._principal or "an anonymous caller", operation, str(code))
        # A plain 404 comes from something that is no registry, and must not read as "there is no such subject".
        if status == 404 and code != status:
            return NotFound("subject, version or schema", subject, message)
        if status == 409:
            return IncompatibleChange(subject, [str(each) for each in answer.get("reasons") or [message]])
        if status == 422:
            return SchemaRefused(subject, code, message)
        return RequestRefused(operation, str(code), message)


def _message(response: httpx.Response) -> str:
    try:
        answer = response.json()
    except ValueError:
        return ""
    return str(answer.get("message", "")) if isinstance(answer, dict) else ""
