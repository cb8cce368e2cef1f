"""Whether an output of a derived product passed before, and made from what: looked up exactly in the lineage partition.

High-water marks only grow from manifest to manifest, so the first one whose mark reaches an output is where it passed,
if it came in order; those that came later than in order lie in manifests that form a list of their own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final
from uuid import UUID

from mesh.lineage.descent import Descent
from mesh.lineage.descents_column import decode_descents, head_of
from mesh.lineage.log import LineageLog
from mesh.lineage.manifest import Manifest
from mesh.lineage.marks import OutputName, Source, name_of, position_of, source_of
from mesh.lineage.search import Entry

MOST_LATE: Final = 200_000
"""What one look-up may spend on that list, a manifest costing 100 and a record 1: a gate looks while a transaction is
open, which must not take longer than a few seconds."""


class PassedOutputs:
    """What one lineage partition tells of one processor's outputs; it remembers what it read: keep it for one batch.

    Only what went to the public topic with the id ``public`` counts: a topic made again is empty.
    """

    def __init__(self, log: LineageLog, public: UUID, processor: str) -> None:
        self._log, self._public, self._processor = log, public, processor
        self._named: dict[int, Mapping[OutputName, bytes]] = {}

    def digests(self, outputs: Collection[Descent]) -> dict[OutputName, bytes | None]:
        """By name: the digest each passed with, or None where it never passed. What cannot be told is left out.

        That is what is older than the manifests kept, and what so many passed out of order since that it would take
        too long. Raises LineageBroken for damaged manifests, and what the reader raises.
        """
        found: dict[OutputName, bytes | None] = {}
        astray: dict[OutputName, int] = {}
        for output in sorted(outputs, key=lambda each: (each.driving, each.index)):
            name, home = name_of(output), self._home(output)
            if home is None:
                found[name] = None
                continue
            digest = self._names(home).get(name)
            if digest is not None:
                found[name] = digest
            else:
                astray[name] = home[0]
        return found | self._late(astray)

    def _home(self, output: Descent) -> Entry | None:
        """The first manifest whose mark reaches an output."""
        source, position = source_of(self._processor, output), position_of(output)
        return self._log.index.first_where(
            lambda manifest: manifest.topics.public == self._public and _reaches(manifest, source, position)
        )

    def _late(self, astray: Mapping[OutputName, int]) -> dict[OutputName, bytes | None]:
        """What became of outputs that are not in the manifests where they would lie if they had come in order."""
        found: dict[OutputName, bytes | None] = {}
        if not astray:
            return found
        walk, lowest = self._late_manifests(), min(astray.values())
        spent = 0
        while spent < MOST_LATE:
            entry = next(walk, None)
            if entry is None or entry[0] <= lowest or len(found) == len(astray):
                never = (name for name, home in astray.items() if name not in found and self._kept_before(home))
                return found | dict.fromkeys(never)
            names = self._names(entry)
            spent += 100 + entry[1].public.count
            found |= {name: names[name] for name in astray.keys() & names.keys()}
        return found

    def _late_manifests(self) -> Iterator[Entry]:
        last = self._log.index.last()
        if last is None:
            return iter(())
        head = head_of(last[1])
        return self._log.linked(last[0] if head.late else head.late_before, lambda each: head_of(each).late_before)

    def _kept_before(self, at: int) -> bool:
        """Whether an earlier manifest than that of ``at`` would be there, if an output had passed by one."""
        first = self._log.index.first()
        return self._log.begin == 0 or (first is not None and first[0] < at)

    def _names(self, entry: Entry) -> Mapping[OutputName, bytes]:
        at, manifest = entry
        if at not in self._named:
            self._named[at] = self._read(manifest)
        return self._named[at]

    def _read(self, manifest: Manifest) -> Mapping[OutputName, bytes]:
        if manifest.topics.public != self._public or head_of(manifest).processor != self._processor:
            return {}
        return {name_of(descent): descent.digest for descent in decode_descents(manifest.parents).descents}


def _reaches(manifest: Manifest, source: Source, position: tuple[int, int]) -> bool:
    return any(
        (mark.processor, mark.topic_id, mark.partition) == source and (mark.offset, mark.output_index) >= position
        for mark in manifest.high_water
    )
