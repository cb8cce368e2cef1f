"""What every quarantine command works with: the product's contract, its log, and who acts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mesh.connection import Mesh
from mesh.contract import Contract
from mesh.errors import MalformedBody, NotFound, UsageError
from mesh.gate.quarantine import Held, Patching, QuarantineLog
from mesh.judge.explanation import Explainer
from mesh.judge.frame import unframe
from mesh.kafka import Admin, Connection, LogReader
from mesh.registry import RegistryClient
from mesh.types import ProductName


@dataclass(frozen=True, slots=True)
class Desk:
    """One product's quarantine, seen by one principal."""

    contract: Contract
    connection: Connection
    reader: LogReader
    registry: RegistryClient
    log: QuarantineLog

    @property
    def actor(self) -> str:
        return self.connection.principal

    @property
    def contacts(self) -> list[str]:
        """The owner and the support channels, as people read them."""
        support = self.contract.document.source.get("support", ())
        channels = [
            f"{each.get('channel')} ({each['tool']})" if "tool" in each else each.get("channel") for each in support
        ]
        return [self.contract.owner or f"the domain {self.contract.product.domain}", *map(str, channels)]

    def explained(self, held: Held) -> list[str]:
        """The smallest violated parts by the contract in force, as sentences; empty for what nobody can read."""
        try:
            written, body = unframe(held.record.value or b"")
            record = Patching(self.registry, ()).codec(written).decode(body)
        except (MalformedBody, NotFound, UsageError):
            return []
        if not isinstance(record, dict):
            return []
        explainer, known = Explainer(self.contract), {clause.id for clause in self.contract.clauses}
        found = (explainer.explain(clause, record) for clause in held.record.clauses if clause in known)
        return [str(each) for each in found if each is not None]


@contextmanager
def at_desk(product: ProductName, *, reveal: bool = False) -> Iterator[Desk]:
    """Connect as the configured principal, else as the product's domain."""
    with ExitStack() as stack:
        mesh = stack.enter_context(Mesh.connect())
        contract, settings = mesh.contract(product), mesh.settings
        connection = Connection.of(settings, settings.principal or product.domain, product.domain)
        admin = stack.enter_context(Admin(connection))
        reader = stack.enter_context(LogReader(connection))
        registry = RegistryClient(settings.cluster_of(product.domain).registry)
        stack.callback(registry.close)
        yield Desk(
            contract, connection, reader, registry, QuarantineLog(contract, admin, reader, registry, reveal=reveal)
        )


def content(desk: Desk, held: Held) -> dict[str, Any]:
    """A record as JSON values; classified ones are hidden unless the desk reveals them."""
    record, standing, verdict = held.record, held.standing, held.record.verdict
    value = desk.log.contents.value(record)
    return {
        "coordinate": str(record.coordinate),
        "state": str(standing.state),
        "ingress": str(verdict.coordinate),
        "arrived": moment_text(record.arrived),
        "attempt": verdict.attempt,
        "holds": held.behind,
        "clauses": list(record.clauses),
        "findings": [{"clause": f.clause, "path": f.path, "reason": f.reason} for f in verdict.findings],
        "contract_version": verdict.basis.contract_version,
        "schema_id": verdict.schema_id,
        "settled": _settled(held),
        "key": desk.log.contents.key(record),
        "value": value,
        **({"value_base64": desk.log.contents.bytes_of(record)} if value is None else {}),
    }


def _settled(held: Held) -> dict[str, Any] | None:
    standing = held.standing
    if standing.command is None:
        return None
    return {
        "actor": standing.actor,
        "reason": standing.reason,
        "at": moment_text(standing.at) if standing.at is not None else None,
        "patch": standing.patch or None,
        "command": str(standing.command),
        "result": str(standing.settled) if standing.settled else None,
        "note": standing.note or None,
    }


def moment_text(milliseconds: int) -> str:
    """Epoch milliseconds as ISO 8601 in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
