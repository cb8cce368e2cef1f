"""What the demo says in the end: for people, or as one JSON document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mesh.cli.ancestry import tree
from mesh.cli.console import emit, emit_table
from mesh.cli.demo.account import Account, conserved
from mesh.cli.demo.deriving import Derived
from mesh.cli.demo.evidence import Evidence
from mesh.cli.trace import rows
from mesh.cli.why import lines as reasons


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of the whole demo and of its parts."""

    total: float
    published: float
    gated: float
    subscribed: float
    derived: float


@dataclass(frozen=True, slots=True)
class Report:
    """Everything counted and traced."""

    accounts: Mapping[str, Account]
    traces: Mapping[str, Evidence | None]
    derived: Derived
    timing: Timing

    @property
    def records(self) -> int:
        return sum(account.read for account in self.accounts.values())

    @property
    def conserved(self) -> bool:
        """Whether every product adds up, also those that were made from others."""
        return conserved(self.accounts) and conserved(self.derived.accounts)

    @property
    def sound(self) -> bool:
        """Whether everything adds up and every question had its answer."""
        return self.conserved and self.derived.sound

    def as_json(self) -> dict[str, object]:
        """The document of ``mesh demo --json``."""
        return {
            "products": [account.as_json() for account in self.accounts.values()],
            "derived": self.derived.as_json(),
            "conserved": self.conserved,
            "trace": {name: None if each is None else each.as_json() for name, each in self.traces.items()},
            "ancestry": None if self.derived.ancestry is None else self.derived.ancestry.as_json(),
            "why": None if self.derived.missing is None else self.derived.missing.as_json(),
            "records_per_second": self.rates(),
            "seconds": round(self.timing.total, 1),
        }

    def rates(self) -> dict[str, int]:
        """Records a second from the first publish until all was published, gated, and read by the subscriber."""
        return {
            "published": _rate(self.records, self.timing.published),
            "gated": _rate(self.records, self.timing.gated),
            "subscribed": _rate(sum(each.accepted for each in self.accounts.values()), self.timing.subscribed),
        }


def _rate(records: int, seconds: float) -> int:
    return round(records / seconds) if seconds else 0


def tell(report: Report) -> None:
    """Print the report for people."""
    emit_table(("product", "read", "accepted", "quarantined", "by clause"), map(_line, report.accounts.values()))
    rates = report.rates()
    emit("")
    emit(
        f"{report.records:,} records in {report.timing.total:.0f} s: published {rates['published']:,}/s, "
        f"gated {rates['gated']:,}/s (both from the first publish), subscriber {rates['subscribed']:,}/s."
    )
    emit("")
    _tell_derived(report)
    emit("")
    emit(_verdict(report))
    for name, evidence in report.traces.items():
        emit("")
        for line in _trace_lines(name, evidence):
            emit(line)
    _tell_answers(report.derived)


def _tell_derived(report: Report) -> None:
    derived = report.derived
    table = ("derived product", "from records", "filtered", "late", "read", "accepted", "quarantined")
    emit_table(table, [(*map(str, row),) for row in _derived_lines(derived)])
    emit(f"Made in {report.timing.derived:.0f} s, with the parents of every record.")


def _derived_lines(derived: Derived) -> Iterable[tuple[str, ...]]:
    for name, each in derived.accounts.items():
        counts = (
            derived.read[name],
            derived.filtered[name],
            derived.late[name],
            each.read,
            each.accepted,
            each.quarantined,
        )
        yield name, *(f"{count:,}" for count in counts)


def _tell_answers(derived: Derived) -> None:
    if derived.ancestry is not None:
        emit("")
        emit(f"What one hourly figure was made from, `mesh trace {derived.ancestry.root.at} --all`:")
        for line in tree(derived.ancestry):
            emit(f"  {line}")
    if derived.missing is not None:
        emit("")
        emit(f"Why one flight made no delay, `mesh why {derived.missing.at}`:")
        for line in reasons(derived.missing):
            emit(f"  {line}")


def _verdict(report: Report) -> str:
    if report.conserved:
        return "Conserved: for every product read = accepted + quarantined = sent = accounted for by the manifests."
    accounts = (*report.accounts.values(), *report.derived.accounts.values())
    wrong = [each for each in accounts if not each.conserved]
    told = "; ".join(
        f"{each.product}: sent {each.sent}, read {each.read}, accepted {each.accepted}, "
        f"quarantined {each.quarantined}, in manifests {each.accounted}"
        for each in wrong
    )
    return f"NOT CONSERVED: {told}"


def _line(account: Account) -> tuple[str, ...]:
    clauses = ", ".join(f"{clause} {count:,}" for clause, count in account.clauses.most_common())
    return account.product, f"{account.read:,}", f"{account.accepted:,}", f"{account.quarantined:,}", clauses or "-"


def _trace_lines(name: str, evidence: Evidence | None) -> Iterable[str]:
    if evidence is None:
        yield f"No record was {name}, so there is none to trace."
        return
    yield f"One {name} record, traced with `mesh trace {evidence.trace.asked}`:"
    for fact, value in rows(evidence.trace):
        yield f"  {fact:<12} {value}"
    yield f"  {'the row':<12} " + " ".join(f"{column}={text}" for column, text in evidence.row.items())
