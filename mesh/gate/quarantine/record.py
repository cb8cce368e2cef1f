"""A quarantined record as it lies on its topic: the publisher's bytes, and the gate's verdict beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from mesh.kafka import Message
from mesh.lineage import VERDICT_HEADER, VerdictHeader, decode_verdict_header
from mesh.types import Coordinate, Headers

STUB_HEADER = "mesh-stub"


@dataclass(frozen=True, slots=True)
class Quarantined:
    """``headers`` are the publisher's own, ``arrived`` is when the ingress got the record, in epoch milliseconds.

    Of a stub the bytes could not be kept: its value describes what they were.
    """

    coordinate: Coordinate
    verdict: VerdictHeader
    key: bytes | None
    value: bytes | None
    headers: Headers
    arrived: int
    stub: bool

    @classmethod
    def of(cls, message: Message) -> Self | None:
        """The record of a message; None when no gate wrote it. Raises LineageBroken for a damaged verdict."""
        headers = message.headers() or []
        if not headers or headers[-1][0] != VERDICT_HEADER or headers[-1][1] is None:
            return None
        return cls(
            coordinate=Coordinate(message.topic(), message.partition(), message.offset()),
            verdict=decode_verdict_header(headers[-1][1]),
            key=message.key(),
            value=message.value(),
            headers=headers[:-1],
            arrived=message.timestamp()[1],
            stub=headers[0][0] == STUB_HEADER,
        )

    @property
    def clauses(self) -> tuple[str, ...]:
        """The clauses it breaks, each once."""
        return tuple(dict.fromkeys(finding.clause for finding in self.verdict.findings))
