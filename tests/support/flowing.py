"""Records that keep flowing while something breaks, and how far the gate has come with them."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from mesh.contract import Contract
from mesh.errors import MeshError
from mesh.kafka import Admin, Producer
from mesh.types import TopicPartition
from tests.support.broker import eventually
from tests.support.mesh import RunningMesh
from tests.support.writing import Framing

GROUP = "_mesh.gate.default"
_PORTION = 50


class Flow:
    """Writes to the ingress of products at a steady pace until the block ends; then everything is acknowledged.

    Every tenth record breaks a rule. Raises what a writer would be told: a record that was not acknowledged.
    """

    def __init__(self, mesh: RunningMesh, contracts: Sequence[Contract], per_second: int = 1_000) -> None:
        self._mesh, self.contracts, self._pause = mesh, contracts, _PORTION / per_second
        self._stop, self._failure = threading.Event(), list[BaseException]()
        self._thread = threading.Thread(target=self._run)
        self.sent = 0
        """Records handed over, to each product."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(120)
        if self._failure and error is None:
            raise self._failure[0]

    def wait(self, seconds: float) -> None:
        """Let records flow for a while."""
        self._stop.wait(seconds)

    def _run(self) -> None:
        try:
            self._write()
        except BaseException as error:  # noqa: BLE001 - raised again in the test's thread
            self._failure.append(error)

    def _write(self) -> None:
        framings = [(contract, Framing(self._mesh, contract)) for contract in self.contracts]
        with Producer(self._mesh.admin) as producer:
            while not self._stop.is_set():
                for contract, framing in framings:
                    for key, value, number in framing.many(self.sent, self.sent + _PORTION):
                        partition = number % contract.partitions
                        producer.produce(contract.topics.ingress, key=key, value=value, partition=partition)
                self.sent += _PORTION
                producer.poll()
                self._stop.wait(self._pause)
            producer.flush(60)


def gated(mesh: RunningMesh, contract: Contract) -> int:
    """Records of a product that the gate has committed (the ingress of these tests has no markers); 0 when unsure."""
    places = [TopicPartition(contract.topics.ingress, number) for number in range(contract.partitions)]
    try:
        with Admin(mesh.admin) as admin:
            return sum(at or 0 for at in admin.committed(GROUP, places).values())
    except MeshError:
        return 0


def await_progress(mesh: RunningMesh, flow: Flow, seconds: float) -> float:
    """Wait until the gate has committed records of every product that were written after now; gives the seconds."""
    began, goal = time.monotonic(), flow.sent + 3 * _PORTION
    for contract in flow.contracts:
        eventually(lambda contract=contract: gated(mesh, contract) >= goal, seconds, every=0.2)  # type: ignore[misc]
    return time.monotonic() - began
