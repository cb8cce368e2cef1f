"""Asking the schema registry so that one that does not answer holds up nothing but what waits for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from mesh.errors import RegistryUnreachable
from mesh.gate.ports import SchemaSource
from mesh.types import Clock, SchemaId

T = TypeVar("T")

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
