"""How far a log has come: its event time, the record that moved it last, the next offset. One changelog entry."""

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

    def __init__(self, scope: Scope, sources: Iterable[Source], lateness: int, *, repartitioned: bool = False) -> None:
        self._scope, self._repartitioned = scope, repartitioned
        self._mark = Watermark.over(sources, lateness)
        self._before: tuple[Watermark, Reference | None, int] | None = None
        self.last: Reference | None = None
        self._next = 0

    @property
    def mark(self) -> int:
        """The watermark in milliseconds."""
        return self._mark.mark

    @property
    def known(self) -> int | None:
        """The watermark; None at the beginning."""
        return None if self.mark == BEGINNING else self.mark

    def has(self, entry: Arrival | Punctuation) -> bool:
        """Whether an entry of the log is in the state already: somebody has set the group back.

        An input that was made again begins at 0 anew; its topic id tells. A repartitioned log holds those of many.
        """
        if entry.offset >= self._next:
            return False
        last, reference = self.last, entry.reference
        return self._repartitioned or last is None or reference is None or last.topic_id == reference.topic_id

    def record(self, arrival: Arrival, time: int) -> bool:
        """A record has come; gives whether the watermark moved."""
        self._changing()
        self.last, self._next = arrival.reference, arrival.offset + 1
        return self._mark.advance((str(arrival.record.product), arrival.reference.partition), time)

    def punctuation(self, punctuation: Punctuation) -> bool:
        """A source has come so far, or rests; gives whether the watermark moved."""
        self._changing()
        self.last, self._next = punctuation.reference or self.last, punctuation.offset + 1
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
            self._before = self._mark.copy(), self.last, self._next

    def entries(self) -> list[tuple[bytes, bytes]]:
        """What to write of it, where it changed."""
        if self._before is None:
            return []
        last = None if self.last is None else self.last.pack()
        return [(self._scope.key(KIND), encode_value(self._mark.plain() | {"last": last, "next": self._next}))]

    def committed(self) -> None:
        """The change is in Kafka."""
        self._before = None

    def rolled_back(self) -> None:
        """The change has not happened."""
        if self._before is not None:
            self._mark, self.last, self._next = self._before
            self._before = None

    def restore(self, value: bytes) -> None:
        """Take up an entry."""
        plain = decode_value(value)
        self._mark.resume(plain)
        self.last = None if plain["last"] is None else Reference.unpack(plain["last"])
        self._next = plain.get("next", 0)
