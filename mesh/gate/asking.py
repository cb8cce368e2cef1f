"""Asking the schema registry so that one that does not answer holds up nothing but what waits for it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from mesh.errors import NotFound, RegistryUnreachable
from mesh.gate.ports import Remembered, SchemaSource
from mesh.types import Clock, SchemaId

T = TypeVar("T")

logger = logging.getLogger(__name__)

ASK_SECONDS: Final = 2.0
"""How long a gate waits for the registry: every partition waits along, with a transaction open that lives 10 s."""
_FIRST_REST_SECONDS, _LONGEST_REST_SECONDS = 2.0, 16.0


class PatientRegistry:
    """A registry that, once it has not answered, is asked again only after a rest, longer each time.

    Meanwhile every question raises RegistryUnreachable at once. One for all products of a gate.
    """

    def __init__(self, registry: SchemaSource, clock: Clock) -> None:
        self._registry, self._clock = registry, clock
        self._rest, self._again = 0.0, float("-inf")
        self._reason: tuple[str, str] | None = None

    def ids(self, subject: str) -> Mapping[SchemaId, int]:
        """See SchemaSource."""
        return self._asked(lambda: self._registry.ids(subject))

    def schema(self, schema_id: SchemaId) -> str:
        """See SchemaSource."""
        return self._asked(lambda: self._registry.schema(schema_id))

    def _asked(self, call: Callable[[], T]) -> T:
        if self._reason is not None and self._clock.monotonic() < self._again:
            raise RegistryUnreachable(*self._reason)
        try:
            answer = call()
        except RegistryUnreachable as error:
            self._reason = error.url, error.reason
            self._rest = min(_LONGEST_REST_SECONDS, max(_FIRST_REST_SECONDS, 2 * self._rest))
            self._again = self._clock.monotonic() + self._rest
            raise
        self._reason, self._rest = None, 0.0
        return answer


class RememberedRegistry:
    """A registry whose log is asked when it does not answer itself, such as by a gate that starts meanwhile.

    The registry may be one that keeps its log elsewhere, so what this log does not say is not known: then this raises
    what the registry did.
    """

    def __init__(self, registry: SchemaSource, log: SchemaSource) -> None:
        self._registry, self._log = registry, log
        self._told = ""

    def ids(self, subject: str) -> Mapping[SchemaId, int]:
        """See SchemaSource; Remembered while the registry is away."""
        try:
            answer = self._registry.ids(subject)
        except RegistryUnreachable as away:
            return Remembered(self._remembered(lambda: self._log.ids(subject), away), away)
        self._told = ""
        return answer

    def schema(self, schema_id: SchemaId) -> str:
        """See SchemaSource."""
        try:
            return self._registry.schema(schema_id)
        except RegistryUnreachable as away:
            return self._remembered(lambda: self._log.schema(schema_id), away)

    def _remembered(self, call: Callable[[], T], away: RegistryUnreachable) -> T:
        try:
            answer = call()
        except NotFound:
            raise away from None
        except RegistryUnreachable as error:
            self._tell(f"{away}, and its log cannot be read either: {error.reason}")
            raise away from None
        self._tell(f"{away}; schemas are read from its log meanwhile")
        return answer

    def _tell(self, news: str) -> None:
        """Once an outage, not with every record that comes meanwhile."""
        if news != self._told:
            self._told = news
            logger.warning(news)
