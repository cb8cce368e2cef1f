"""What ``publish`` returns: the way to learn what the gate made of that record."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Protocol

from mesh.errors import ContractViolation, DeadlineExceeded, MeshError
from mesh.kafka import Producer
from mesh.lineage import Disposition
from mesh.types import Coordinate, Finding


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the gate did with one record of the ingress.

    ``settled`` is its public or quarantine coordinate; None for one that is parked (an earlier record of its key is
    refused, and it waits) or repeated (a record with its identity had passed before). ``findings`` are those of a
    refused record, as far as its quarantined copy can still be read.
    """

    ingress: Coordinate
    disposition: Disposition
    settled: Coordinate | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether it is on the public topic."""
        return self.disposition is Disposition.PASSED


class Outcomes(Protocol):
    """Who looks up what became of records; ``mesh.producer.outcomes`` has one."""

    def outcome(self, partition: int, offset: int, deadline: float) -> Outcome:
        """Wait until ``time.monotonic()`` is ``deadline``; raises DeadlineExceeded, NotAuthorised, LineageBroken."""


@dataclass(frozen=True, slots=True)
class Office:
    """What all tickets of a publisher share, so that each costs its record as little as can be."""

    product: str
    producer: Producer
    outcomes: Outcomes


class Ticket:
    """One published record. Nothing is asked of anybody until ``settle`` or ``outcome`` is called."""

    __slots__ = ("_office", "_place")
    _place: tuple[int, int] | MeshError

    def __init__(self, office: Office) -> None:
        # The place stays unset until the broker has told it: one assignment less for each record.
        self._office = office

    def report(self, error: Any, message: Any) -> None:
        """The producer's delivery callback."""
        if error is None:
            self._place = message.partition(), message.offset()
        else:
            self._place = self._office.producer.failed(error, message)

    def settle(self, timeout: float = 5.0) -> Outcome:
        """Wait up to ``timeout`` seconds for the gate's verdict.

        Gives where the record lies now, or that it is parked or repeated. Raises ContractViolation with the findings
        when it was refused; else as ``outcome`` does.
        """
        found = self.outcome(timeout)
        if found.disposition is Disposition.QUARANTINED:
            raise ContractViolation(self._office.product, found.findings)
        return found

    def outcome(self, timeout: float = 5.0) -> Outcome:
        """As ``settle``, but a refused record's findings are given, not raised.

        Raises DeadlineExceeded when no gate has handled the record in time, DeliveryFailed, NotAuthorised or
        BrokerUnreachable when it did not reach the ingress, NotAuthorised for who may not read the product's lineage.
        """
        deadline = time.monotonic() + timeout
        while not hasattr(self, "_place"):
            if time.monotonic() > deadline:
                raise DeadlineExceeded(f"publishing a record to {self._office.product}", timeout)
            self._office.producer.poll(0.05)
        if isinstance(self._place, MeshError):
            raise self._place
        return self._office.outcomes.outcome(*self._place, deadline)
