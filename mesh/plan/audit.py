"""The record of who changed what, on ``_mesh.audit``: appended, never compacted, never rewritten."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Final

from mesh.access import AUDIT
from mesh.catalog import DECLARED, Entry
from mesh.kafka import Producer
from mesh.plan.changes import Change

# Kafka's own limit is 1 MiB; three hundred new products at once are more.
_MOST_BYTES: Final = 800_000


def iso(seconds: float) -> str:
    """A moment as UTC in ISO 8601, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def record(producer: Producer, event: str, actor: str, at: str, changes: Sequence[Change]) -> None:
    """Append one event and wait until it is durable; what one record cannot hold follows in further ones."""
    for part in _parts([change.told() for change in changes]):
        content = {"event": event, "actor": actor, "at": at, "changes": part}
        producer.write(AUDIT, key=actor.encode(), value=_encoded(content))


def _parts(told: Sequence[object]) -> Iterator[list[object]]:
    """All of it in order, at least one part."""
    part: list[object] = []
    size = 0
    for each in told:
        size += len(_encoded(each))
        if part and size > _MOST_BYTES:
            yield part
            part, size = [], len(_encoded(each))
        part.append(each)
    yield part


def _encoded(content: object) -> bytes:
    return json.dumps(content, ensure_ascii=False, sort_keys=True).encode()


def declare(producer: Producer, entry: Entry) -> None:
    """Append a contract that comes into force, whole: the catalog is compacted, and this is what remembers it."""
    content = {"event": DECLARED, "actor": entry.applied_by, "at": entry.applied_at, "entry": asdict(entry)}
    value = json.dumps(content, ensure_ascii=False, sort_keys=True).encode()
    producer.write(AUDIT, key=entry.applied_by.encode(), value=value)
