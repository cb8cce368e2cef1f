"""Reading the file: what was made from a record, and the graph as it was; a connection for each question."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from mesh.contract import Contract
from mesh.errors import ContractInvalid, NotFound
from mesh.lineage.graph import Activity, Consumption, Declaration, Graph, graph_at
from mesh.lineage.graph.topology import SPAN_MS
from mesh.lineage.parents import ParentSet
from mesh.lineage.reference import Reference
from mesh.types import ProductName, Topic

Parse = Callable[[str, str], Contract]
"""Document and name in messages to contract; a place to remember those that were parsed."""


class Lookup:
    """Answers from one file, which a collector may be writing meanwhile; may be used by several threads."""

    def __init__(self, path: Path, parse: Parse = Contract.parse) -> None:
        self._path, self._parse = path, parse

    def children(self, parent: Reference, after: Reference | None = None, most: int = 1000) -> list[Reference]:
        """At most so many public records that were made from this one, ascending, those after ``after``."""
        with self._opened() as base:
            place = _place(base, parent)
            beyond = (_place(base, after) or 0, after.offset) if after is not None else (-1, -1)
            rows = base.execute(
                "SELECT topic_id, partition, child_offset FROM edges JOIN places ON places.id = child "
                "WHERE parent = ? AND parent_offset = ? AND (child, child_offset) > (?, ?) "
                "ORDER BY child, child_offset LIMIT ?",
                (place, parent.offset, *beyond, most),
            ).fetchall()
        return [Reference(UUID(bytes=topic_id), partition, offset) for topic_id, partition, offset in rows]

    def made_from(self, parents: ParentSet, topic_id: UUID) -> list[tuple[int, int]]:
        """Partition and offset of the records of one topic that were made from any of these, ascending."""
        query = (
            "SELECT partition, child_offset FROM edges JOIN places ON places.id = child "
            "WHERE parent = ? AND parent_offset >= ? AND parent_offset < ? AND topic_id = ?"
        )
        found: set[tuple[int, int]] = set()
        with self._opened() as base:
            for lot in parents.lots:
                place = _place(base, Reference(lot.topic_id, lot.partition, 0))
                for start, count in lot.offsets.runs if place is not None else ():
                    found.update(base.execute(query, (place, start, start + count, topic_id.bytes)))
        return sorted(found)

    def next_offset(self, topic: str, partition: int) -> int:
        """How far a partition was read."""
        with self._opened() as base:
            query = "SELECT next FROM positions WHERE topic = ? AND partition = ?"
            found = base.execute(query, (topic, partition)).fetchone()
        return int(found[0]) if found else 0

    def damaged(self, topic: str) -> bool:
        """Whether a record of a topic could not be read, so that what is known of it may not be all."""
        with self._opened() as base:
            return base.execute("SELECT 1 FROM damaged WHERE topic = ? LIMIT 1", (topic,)).fetchone() is not None

    def topics(self) -> dict[UUID, Topic]:
        """The names of public topics by id, those of earlier incarnations too."""
        with self._opened() as base:
            rows = base.execute("SELECT topic_id, topic FROM topics").fetchall()
        return {UUID(bytes=topic_id): Topic(topic) for topic_id, topic in rows}

    def declarations(self) -> list[Declaration]:
        """Every contract that came into force, oldest first; what this version cannot read is left out."""
        with self._opened() as base:
            rows = base.execute("SELECT at, topic, document FROM declarations ORDER BY at, topic, digest").fetchall()
        return list(self._declared(rows))

    def _declared(self, rows: list[tuple[int, str, str]]) -> Iterator[Declaration]:
        for at, topic, document in rows:
            try:
                yield Declaration(at, self._parse(document, topic))
            except ContractInvalid:
                continue

    def contracts(self, at: int | None = None) -> dict[ProductName, Contract]:
        """The contract in force of every product, of its newest major; ``at`` is in epoch milliseconds."""
        latest: dict[Topic, Declaration] = {}
        for each in self.declarations():
            if at is None or each.at <= at:
                latest[each.topic] = each
        live = (each.contract for each in latest.values() if not each.retired)
        return {each.product: each for each in sorted(live, key=lambda each: each.major)}

    def graph(self, at: int) -> Graph:
        """The graph as it stood at a moment, epoch milliseconds."""
        with self._opened() as base:
            activities, consumptions = list(_activities(base, at)), list(_consumptions(base, at))
        return graph_at(at, self.declarations(), activities, consumptions, self.topics())

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        missing = NotFound("lineage index", str(self._path), "the collector makes it: mesh lineage collect")
        if not self._path.is_file():
            raise missing
        base = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, isolation_level=None)
        try:
            base.execute("BEGIN")
            # The collector has begun to make the file, and not come to its tables yet.
            if base.execute("SELECT 1 FROM sqlite_master WHERE name = 'topics'").fetchone() is None:
                raise missing
            yield base
        finally:
            base.close()


def _place(base: sqlite3.Connection, reference: Reference) -> int | None:
    query = "SELECT id FROM places WHERE topic_id = ? AND partition = ?"
    found = base.execute(query, (reference.topic_id.bytes, reference.partition)).fetchone()
    return int(found[0]) if found else None


def _window(at: int) -> tuple[int, int]:
    return (at - SPAN_MS) // SPAN_MS, at // SPAN_MS


def _activities(base: sqlite3.Connection, at: int) -> Iterator[Activity]:
    """The minutes around a moment, and of each product the last one before."""
    query = (
        "SELECT * FROM activity WHERE minute BETWEEN ? AND ? OR (topic, minute) IN "
        "(SELECT topic, max(minute) FROM activity WHERE minute <= ? GROUP BY topic)"
    )
    sources = "SELECT topic_id, records FROM sources WHERE (topic, minute, version, build, processor) = (?, ?, ?, ?, ?)"
    for topic, minute, version, build, processor, start, end, *counts in base.execute(
        query, (*_window(at), at // SPAN_MS)
    ):
        key = topic, minute, version, build, processor
        found = {UUID(bytes=topic_id): records for topic_id, records in base.execute(sources, key)}
        yield Activity(
            topic=Topic(topic),
            version=version,
            build=build,
            start=start,
            end=end,
            accepted=counts[0],
            refused=counts[1],
            repeated=counts[2],
            processor=processor,
            sources=found,
        )


def _consumptions(base: sqlite3.Connection, at: int) -> Iterator[Consumption]:
    query = (
        "SELECT * FROM consumption WHERE minute BETWEEN ? AND ? OR (topic, processor, source, minute) IN "
        "(SELECT topic, processor, source, max(minute) FROM consumption WHERE minute <= ? "
        "GROUP BY topic, processor, source)"
    )
    for topic, _, processor, build, source, topic_id, start, end, *counts in base.execute(
        query, (*_window(at), at // SPAN_MS)
    ):
        yield Consumption(
            topic=Topic(topic),
            processor=processor,
            build=build,
            source=ProductName.parse(source),
            topic_id=UUID(bytes=topic_id),
            start=start,
            end=end,
            delivered=counts[0],
            filtered=counts[1],
            late=counts[2],
            outputs=counts[3],
        )
