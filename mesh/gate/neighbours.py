"""Asking other clusters for the topics of inputs, so that one that is away holds up nothing but what waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from mesh.errors import DeadlineExceeded
from mesh.gate.ports import Neighbours
from mesh.types import Clock, ProductName

Topics = Mapping[UUID, int]

# A gate waits along with a transaction open that lives 10 s; an answer that comes later is there the next time.
_ASK_SECONDS: Final = 2.0
# Who refuses, or is away, is not asked with every batch.
_REST_SECONDS: Final = 5.0


@dataclass(slots=True)
class _Question:
    """One that was put to a cluster; ``over`` is when it was found to have failed, in seconds that only grow."""

    answer: Future[Topics] = field(default_factory=Future)
    over: float | None = None


class PatientNeighbours:
    """Neighbours that are asked in a thread for each product. Not for use by two threads at once.

    An answer that comes late counts the next time it is asked for: it is no older than a request may take.
    """

    def __init__(self, neighbours: Neighbours, clock: Clock) -> None:
        self._neighbours, self._clock = neighbours, clock
        self._open: dict[ProductName, _Question] = {}

    def elsewhere(self, product: ProductName) -> bool:
        """See Neighbours."""
        return self._neighbours.elsewhere(product)

    def topics(self, product: ProductName) -> Topics:
        """See Neighbours; raises DeadlineExceeded where nobody has answered yet, and what the neighbours raise."""
        question = self._open.get(product)
        if question is None or self._rested(question):
            question, patience = self._ask(product), _ASK_SECONDS
        else:
            patience = 0.0
        try:
            answer = question.answer.result(patience)
        except TimeoutError:
            raise DeadlineExceeded(f"asking its cluster for the topics of {product}", _ASK_SECONDS) from None
        except Exception:
            question.over = question.over if question.over is not None else self._clock.monotonic()
            raise
        del self._open[product]
        return answer

    def _rested(self, question: _Question) -> bool:
        return question.over is not None and self._clock.monotonic() >= question.over + _REST_SECONDS

    def _ask(self, product: ProductName) -> _Question:
        question = self._open[product] = _Question()
        # No thread of a pool: those hold up the end of a process for as long as a request may take.
        arguments = question.answer, lambda: self._neighbours.topics(product)
        threading.Thread(target=_settle, args=arguments, name=f"topics of {product}", daemon=True).start()
        return question


def _settle(answer: Future[Topics], ask: Callable[[], Topics]) -> None:
    try:
        answer.set_result(ask())
    except Exception as error:  # noqa: BLE001  (raised to whoever waits for the answer)
        answer.set_exception(error)
