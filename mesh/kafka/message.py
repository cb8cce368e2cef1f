"""The client's own record, as the rest of the mesh may see it: raw and read-only."""

from __future__ import annotations

from typing import Protocol


class Message(Protocol):
    """A fetched record. Methods, because that is what the client gives, and wrapping each would cost the hot path."""

    def topic(self) -> str: ...

    def partition(self) -> int: ...

    def offset(self) -> int: ...

    def key(self) -> bytes | None: ...

    def value(self) -> bytes | None: ...

    def headers(self) -> list[tuple[str, bytes | None]] | None: ...

    def timestamp(self) -> tuple[int, int]:
        """Kind and milliseconds since the epoch."""
