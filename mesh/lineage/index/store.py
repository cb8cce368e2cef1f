"""The file: its tables, and what is written to them, each batch with the offsets it came from in one transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from uuid import UUID

from mesh.errors import SettingsError
from mesh.lineage.graph.facts import Activity, Consumption
from mesh.types import Topic, TopicPartition

FORMAT: Final = 1
"""A file of another format is made again: it holds nothing that topics do not."""

Edge = tuple[int, int, int, int]
"""Place and offset of the parent, place and offset of what was made from it; places are numbers of the file's own."""

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS positions (
    topic TEXT, partition INTEGER, topic_id BLOB NOT NULL, next INTEGER NOT NULL, PRIMARY KEY (topic, partition)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS places (
    id INTEGER PRIMARY KEY, topic_id BLOB NOT NULL, partition INTEGER NOT NULL, UNIQUE (topic_id, partition)
);
CREATE TABLE IF NOT EXISTS topics (topic_id BLOB PRIMARY KEY, topic TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS edges (
    parent INTEGER, parent_offset INTEGER, child INTEGER, child_offset INTEGER,
    PRIMARY KEY (parent, parent_offset, child, child_offset)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS activity (
    topic TEXT, minute INTEGER, version TEXT, build TEXT, processor TEXT, started INTEGER, ended INTEGER,
    accepted INTEGER, refused INTEGER, repeated INTEGER, PRIMARY KEY (topic, minute, version, build, processor)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sources (
    topic TEXT, minute INTEGER, version TEXT, build TEXT, processor TEXT, topic_id BLOB, records INTEGER,
    PRIMARY KEY (topic, minute, version, build, processor, topic_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS consumption (
    topic TEXT, minute INTEGER, processor TEXT, build TEXT, source TEXT, topic_id BLOB, started INTEGER, ended INTEGER,
    delivered INTEGER, filtered INTEGER, late INTEGER, outputs INTEGER,
    PRIMARY KEY (topic, minute, processor, build, source, topic_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS damaged (
    topic TEXT, partition INTEGER, at INTEGER, reason TEXT NOT NULL, PRIMARY KEY (topic, partition, at)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS declarations (
    at INTEGER, topic TEXT, digest TEXT, document TEXT NOT NULL, PRIMARY KEY (at, topic, digest)
) WITHOUT ROWID;
"""
_OF_TOPIC: Final = ("activity", "sources", "consumption")


class Store:
    """One writer; readers open the same file as often as they like. Raises SettingsError for a file it cannot have."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._base = self._opened(path)
        self._places: dict[tuple[bytes, int], int] = {
            (bytes(topic_id), partition): number
            for number, topic_id, partition in self._base.execute("SELECT id, topic_id, partition FROM places")
        }

    def _opened(self, path: Path) -> sqlite3.Connection:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            base = _connect(path)
            if base.execute("PRAGMA user_version").fetchone()[0] not in (0, FORMAT):
                base.close()
                path.unlink()
                base = _connect(path)
            base.executescript(_TABLES)
            base.execute(f"PRAGMA user_version={FORMAT}")
        except (OSError, sqlite3.Error) as error:
            raise SettingsError(
                f"the lineage index {path} cannot be used: {error}; delete it or name another"
            ) from None
        return base

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back."""
        self._base.close()

    @contextmanager
    def batch(self) -> Iterator[None]:
        """All writes inside become visible together, or none do."""
        self._base.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._base.execute("ROLLBACK")
            self._places.clear()
            raise
        self._base.execute("COMMIT")

    def positions(self) -> dict[TopicPartition, tuple[UUID, int]]:
        """Of every partition read: the id of its topic, and the next offset."""
        rows = self._base.execute("SELECT topic, partition, topic_id, next FROM positions")
        return {TopicPartition(topic, number): (UUID(bytes=each), at) for topic, number, each, at in rows}

    def advance(self, positions: Mapping[TopicPartition, int], ids: Mapping[str, UUID]) -> None:
        """Remember how far partitions were read."""
        rows = [(place.topic, place.partition, ids[place.topic].bytes, at) for place, at in positions.items()]
        self._base.executemany("INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?)", rows)

    def place(self, topic_id: UUID, partition: int) -> int:
        """The number of a partition of a public topic, given once."""
        key = topic_id.bytes, partition
        if key not in self._places:
            self._base.execute("INSERT OR IGNORE INTO places (topic_id, partition) VALUES (?, ?)", key)
            found = self._base.execute("SELECT id FROM places WHERE topic_id = ? AND partition = ?", key)
            self._places[key] = int(found.fetchone()[0])
        return self._places[key]

    def name(self, topic_id: UUID, topic: Topic) -> None:
        """Remember what a public topic is, or was, called."""
        self._base.execute("INSERT OR IGNORE INTO topics VALUES (?, ?)", (topic_id.bytes, topic))

    def link(self, edges: Iterable[Edge]) -> None:
        """Add edges; best in ascending order, because each place grows at its end then."""
        self._base.executemany("INSERT OR IGNORE INTO edges VALUES (?, ?, ?, ?)", edges)

    def act(self, minute: int, each: Activity) -> None:
        """Add what a gate did to its minute."""
        key = each.topic, minute, each.version, each.build, each.processor
        counts = each.start, each.end, each.accepted, each.refused, each.repeated
        self._base.execute(
            "INSERT INTO activity VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "started = min(started, excluded.started), ended = max(ended, excluded.ended), "
            "accepted = accepted + excluded.accepted, refused = refused + excluded.refused, "
            "repeated = repeated + excluded.repeated",
            (*key, *counts),
        )
        self._base.executemany(
            "INSERT INTO sources VALUES (?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET records = records + excluded.records",
            [(*key, topic_id.bytes, records) for topic_id, records in each.sources.items()],
        )

    def consume(self, minute: int, each: Consumption) -> None:
        """Add what a processor did to its minute."""
        key = each.topic, minute, each.processor, each.build, str(each.source), each.topic_id.bytes
        counts = each.start, each.end, each.delivered, each.filtered, each.late, each.outputs
        self._base.execute(
            "INSERT INTO consumption VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "started = min(started, excluded.started), ended = max(ended, excluded.ended), "
            "delivered = delivered + excluded.delivered, filtered = filtered + excluded.filtered, "
            "late = late + excluded.late, outputs = outputs + excluded.outputs",
            (*key, *counts),
        )

    def declare(self, at: int, topic: Topic, digest: str, document: str) -> None:
        """Keep a contract that came into force."""
        self._base.execute("INSERT OR IGNORE INTO declarations VALUES (?, ?, ?, ?)", (at, topic, digest, document))

    def set_aside(self, place: TopicPartition, at: int, reason: str) -> None:
        """Keep that a record could not be read, so that nobody takes what is known of its topic for all there is."""
        row = place.topic, place.partition, at, reason
        self._base.execute("INSERT OR REPLACE INTO damaged VALUES (?, ?, ?, ?)", row)

    def state(self, name: str) -> Any:
        """What ``remember`` kept, or None."""
        found = self._base.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return json.loads(found[0]) if found else None

    def remember(self, name: str, value: Any) -> None:
        """Keep a small JSON value."""
        self._base.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, json.dumps(value)))

    def forget(self, topic: Topic, read: Iterable[str]) -> None:
        """Drop everything told by topics of one product that are gone, so that a new file would hold the same.

        ``topic`` is its public topic, ``read`` the topics that told it.
        """
        for table in _OF_TOPIC:
            self._base.execute(f"DELETE FROM {table} WHERE topic = ?", (topic,))  # noqa: S608 - names of our own
        inner = "SELECT id FROM places JOIN topics USING (topic_id) WHERE topic = ?"
        self._base.execute(f"DELETE FROM edges WHERE child IN ({inner})", (topic,))  # noqa: S608
        for table in ("positions", "damaged"):
            self._base.executemany(f"DELETE FROM {table} WHERE topic = ?", [(each,) for each in read])  # noqa: S608
        self._base.execute("DELETE FROM topics WHERE topic = ?", (topic,))

    def forget_declarations(self, audit: str) -> None:
        """Drop the contracts that an audit log told of which is gone."""
        self._base.execute("DELETE FROM declarations")
        self._base.execute("DELETE FROM positions WHERE topic = ?", (audit,))

    def count(self) -> int:
        """How many edges there are; counts them."""
        return int(self._base.execute("SELECT count(*) FROM edges").fetchone()[0])


def _connect(path: Path) -> sqlite3.Connection:
    base = sqlite3.connect(path, isolation_level=None)
    # A crash of the machine may cost the last batch, which is read again, since its offsets go with it.
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "cache_size=-65536", "temp_store=MEMORY"):
        base.execute(f"PRAGMA {pragma}")
    return base
