"""The record of who changed what, on ``_mesh.audit``: appended, never compacted, never rewritten."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from mesh.access import AUDIT
from mesh.catalog import DECLARED, Entry
from mesh.kafka import Producer
from mesh.plan.changes import Change


def iso(seconds: float) -> str:
    """A moment as UTC in ISO 8601, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def record(producer: Producer, event: str, actor: str, at: str, changes: Sequence[Change]) -> None:
    """Append one event and wait until it is durable."""
    content = {"event": event, "actor": actor, "at": at, "changes": [change.told() for change in changes]}
    value = json.dumps(content, ensure_ascii=False, sort_keys=True).encode()
    producer.write(AUDIT, key=actor.encode(), value=value)


def declare(producer: Producer, entry: Entry) -> None:
    """Append a contract that comes into force, whole: the catalog is compacted, and this is what remembers it."""
    content = {"event": DECLARED, "actor": entry.applied_by, "at": entry.applied_at, "entry": asdict(entry)}
    value = json.dumps(content, ensure_ascii=False, sort_keys=True).encode()
    producer.write(AUDIT, key=entry.applied_by.encode(), value=value)
