"""The event time of one log and the record that moved it last, as one entry of the changelog."""

from __future__ import annotations

from collections.abc import Iterable

from mesh.lineage import Reference
from mesh.stream.arrival import Arrival, Punctuation
from mesh.stream.scope import Scope
from mesh.stream.values import decode_value, encode_value
from mesh.stream.watermark import BEGINNING, Source, Watermark

KIND = "mark"


class Timekeeper:
    """A watermark that follows the commit, and what stands for the end of the log as the driver of outputs."""

    def __init__(self, scope: Scope, sources: Iterable[Source], lateness: int) -> None:
        self._scope = scope
        self._mark = Watermark.over(sources, lateness)
        self._before: tuple[Watermark, Reference | None] | None = None
        self.last: Reference | None = None

    @property
    def mark(self) -> int:
        """The watermark in milliseconds."""
        return self._mark.mark

    @property
    def known(self) -> int | None:
        """The watermark; None at the beginning."""
        return None if self.mark == BEGINNING else self.mark

    def record(self, arrival: Arrival, time: int) -> bool:
        """A record has come; gives whether the watermark moved."""
        self._changing()
        self.last = arrival.reference
        return self._mark.advance((str(arrival.record.product), arrival.reference.partition), time)

    def punctuation(self, punctuation: Punctuation) -> bool:
        """A source has come so far, or rests; gives whether the watermark moved."""
        self._changing()
        self.last = punctuation.reference or self.last
        source = punctuation.product, punctuation.partition
        if punctuation.time is None:
            return self._mark.rest(source)
        return self._mark.advance(source, punctuation.time)

    def close(self, time: int) -> bool:
        """The log ends with everything before ``time``."""
        self._changing()
        return self._mark.close(time)

    def _changing(self) -> None:
        if self._before is None:
            self._before = self._mark.copy(), self.last

    def entries(self) -> list[tuple[bytes, bytes]]:
        """What to write of it, where it changed."""
        if self._before is None:
            return []
        last = None if self.last is None else self.last.pack()
        return [(self._scope.key(KIND), encode_value(self._mark.plain() | {"last": last}))]

    def committed(self) -> None:
        """The change is in Kafka."""
        self._before = None

    def rolled_back(self) -> None:
        """The change has not happened."""
        if self._before is not None:
            self._mark, self.last = self._before
            self._before = None

    def restore(self, value: bytes) -> None:
        """Take up an entry."""
        plain = decode_value(value)
        self._mark.resume(plain)
        self.last = None if plain["last"] is None else Reference.unpack(plain["last"])
