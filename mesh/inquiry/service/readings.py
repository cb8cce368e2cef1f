"""Who asked what about lineage, on the audit log before the answer leaves: reading evidence is evidence, too."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Protocol

from mesh.access import AUDIT
from mesh.kafka import Connection, Producer

EVENT: Final = "lineage-read"


class Readings(Protocol):
    """Takes note of a reading; raises MeshError when it cannot, and then there is no answer."""

    def tell(self, principal: str, question: str, about: Mapping[str, str], outcome: str) -> None:
        """``outcome`` is ``answered``, ``stub`` or the error."""

    def close(self) -> None:
        """Give the connection back."""


class AuditedReadings:
    """On ``_mesh.audit``; may be used by several threads."""

    def __init__(self, connection: Connection) -> None:
        self._producer = Producer(connection)
        self._lock = threading.Lock()

    def tell(self, principal: str, question: str, about: Mapping[str, str], outcome: str) -> None:
        """Append one event and wait until it is durable."""
        at = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        told = {"event": EVENT, "actor": principal, "at": at, "question": question, "about": dict(about)}
        value = json.dumps(told | {"outcome": outcome}, ensure_ascii=False, sort_keys=True).encode()
        with self._lock:
            self._producer.write(AUDIT, key=principal.encode(), value=value)

    def close(self) -> None:
        """Give the connection back."""
        self._producer.close()
