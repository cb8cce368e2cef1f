"""Which contracts were in force when: folded from the audit log, which keeps what the compacted catalog forgets."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Final

from mesh.access import AUDIT
from mesh.catalog.entries import Entry
from mesh.contract import Contract
from mesh.errors import ContractInvalid, NotAuthorised, NotFound, UsageError
from mesh.kafka import Connection, LogReader
from mesh.lineage.graph import Declaration
from mesh.types import TopicPartition

DECLARED: Final = "declared"
"""The event of the audit log that holds a whole contract."""


def declarations(connection: Connection, entries: Iterable[Entry]) -> list[Declaration]:
    """Every contract that came into force on a cluster, oldest first; the present ``entries`` among them.

    Contracts that this version of the mesh cannot read are left out. Raises NotAuthorised for all but the platform.
    """
    try:
        with LogReader(connection) as reader:
            payloads = [message.value() for message in reader.read(TopicPartition(AUDIT, 0), 0, 1 << 62)]
    except NotFound:
        # The broker does not tell those who may not see a topic that it is there.
        raise NotAuthorised(connection.principal, "read the audit log", "TOPIC_AUTHORIZATION_FAILED") from None
    told = [*(declaration_of(each) for each in payloads), *map(declared, entries)]
    return sorted({_name(each): each for each in told if each is not None}.values(), key=lambda each: each.at)


def _name(each: Declaration) -> tuple[int, str, str]:
    return each.at, each.topic, each.contract.digest


def declaration_of(payload: bytes | None) -> Declaration | None:
    """The contract that a record of the audit log says came into force; None for every other record."""
    if payload is None or b'"event": "declared"' not in payload:
        return None
    try:
        entry = json.loads(payload)["entry"]
        return declared(Entry(**{name: str(value) for name, value in entry.items()}))
    except (ValueError, KeyError, TypeError):
        return None


def declared(entry: Entry) -> Declaration | None:
    """What an entry of the catalog says came into force; None where it cannot be read."""
    try:
        at = int(datetime.fromisoformat(entry.applied_at).timestamp() * 1000)
        return Declaration(at, _parsed(entry.document, f"{entry.home}:{entry.topic}"))
    except (ValueError, ContractInvalid, UsageError):
        return None


@lru_cache(maxsize=1024)
def _parsed(document: str, file: str) -> Contract:
    """Contracts are declared again and again, and reading one takes its time."""
    return Contract.parse(document, file)
