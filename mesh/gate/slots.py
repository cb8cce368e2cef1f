"""The slots whose outputs passed lately, so that a window that comes again is known without asking the log."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final, Self
from uuid import UUID

from mesh.lineage import Descent, LineageLog, decode_descents
from mesh.lineage.marks import Marks, marks_of

MOST_SLOTS: Final = 20_000
"""Per partition, about 5 MB. What a processor has not yet committed when it dies comes again, and that is less."""

_MOST_BLOCKS: Final = 1_000


class RecentSlots:
    """Slots with the digests they passed with, as far back as ``floor``: marks that older ones do not exceed.

    So an output above the floor whose slot is not here never passed; one at or below it has to be looked up.
    """

    def __init__(self, floor: Marks | None = None) -> None:
        self.floor: Marks = floor or {}
        self._digests: dict[bytes, bytes] = {}
        self._blocks: deque[tuple[Marks, list[bytes]]] = deque()

    @classmethod
    def read(cls, log: LineageLog, public: UUID) -> Self:
        """What the newest manifests of a partition tell of its public topic."""
        taken: list[tuple[Marks, list[Descent]]] = []
        known = 0
        floor: Marks = {}
        for _, manifest in log.backwards():
            if manifest.topics.public != public:
                break
            if known >= MOST_SLOTS or len(taken) >= _MOST_BLOCKS:
                floor = marks_of(manifest.high_water)
                break
            descents = decode_descents(manifest.parents).descents if manifest.parents else ()
            slotted = [descent for descent in descents if descent.slot is not None]
            taken.append((marks_of(manifest.high_water), slotted))
            known += len(slotted)
        else:
            # Where older ones expired, the oldest that is kept says how far they had come at most.
            floor = taken[-1][0] if taken and log.begin > 0 else {}
        found = cls(floor)
        for marks, slotted in reversed(taken):
            found.add(slotted, marks)
        return found

    def get(self, slot: bytes) -> bytes | None:
        """The digest that an output of this slot passed with, if that was lately."""
        return self._digests.get(slot)

    def add(self, descents: Iterable[Descent], marks: Marks) -> None:
        """Outputs that a transaction passed, and the marks after it."""
        digests = {descent.slot: descent.digest for descent in descents if descent.slot is not None}
        if digests:
            self._digests |= digests
            self._blocks.append((marks, list(digests)))
        while len(self._digests) > MOST_SLOTS and len(self._blocks) > 1:
            self.floor, gone = self._blocks.popleft()
            for slot in gone:
                self._digests.pop(slot, None)
