"""Outputs into a transaction, in the order in which they were made, behind the large parent sets they refer to."""

from __future__ import annotations

from typing import Any

from mesh.kafka import AbortRequired, Transaction
from mesh.stream.arrival import Output
from mesh.stream.emission import Emitted, Emitter


class Deposited:
    """Where a large parent set came to lie; known after the flush."""

    def __init__(self) -> None:
        self._place: tuple[int, int] | None = None

    def report(self, error: Any, message: Any) -> None:
        """Hear of the delivery."""
        if error is None:
            self._place = message.partition(), message.offset()

    @property
    def place(self) -> tuple[int, int]:
        """Partition and offset; raises AbortRequired where the broker did not take it."""
        if self._place is None:
            raise AbortRequired("lay down parents", "_UNKNOWN", "a large parent set was not acknowledged")
        return self._place


class Writer:
    """Writes at once what needs no deposit; from the first that does, everything waits for the flush.

    An input's outputs must reach a partition in the order of their drivers: the gate takes a lower one for a repeat.
    """

    def __init__(self, emitter: Emitter) -> None:
        self._emitter = emitter
        self._held: list[tuple[Output, Deposited | None]] = []

    def write(self, transaction: Transaction, output: Output) -> None:
        """The next output; raises EncodingRefused for what is not of the derived product's schema."""
        deposit = None if output.alone else self._emitter.deposit(output)
        if deposit is not None:
            deposited = Deposited()
            _produce(transaction, deposit, deposited)
            self._held.append((output, deposited))
        elif self._held:
            self._held.append((output, None))
        else:
            transaction.produce(*self._emitter.record(output))

    def settle(self, transaction: Transaction) -> None:
        """After the flush: what waited for it."""
        for output, deposited in self._held:
            at = None if deposited is None else deposited.place
            _produce(transaction, self._emitter.record(output, at))
        self._held.clear()

    def drop(self) -> None:
        """The transaction was aborted."""
        self._held.clear()


def _produce(transaction: Transaction, each: Emitted, deposited: Deposited | None = None) -> None:
    report = None if deposited is None else deposited.report
    transaction.produce(*each, report=report)


def produce(transaction: Transaction, each: Emitted) -> None:
    """Any other record."""
    _produce(transaction, each)
