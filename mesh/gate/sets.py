"""Rules over many records, measured on rows of a public topic: how many there are and how many repeat another; pure."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

from mesh.contract import Contract, SetRule
from mesh.contract.thresholds import Threshold
from mesh.contract.topic import sla_milliseconds
from mesh.gate.measure import Cause

ROWS: Final = "rowCount"
_REPEATS: Final = ("duplicateValues", "unique")
# Rows are compared by digests: no value stays in memory, and two of 10 million meet by chance once in 10^14 looks.
_DIGEST_BYTES: Final = 12

Digests = tuple[bytes | None, ...]
"""Of one row, by rule that compares: of the values it names; None where one of them is null, as in SQL's UNIQUE."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One rule of one product at one moment. ``rows`` are those of its period (seconds; None for all there is).

    ``complete`` is False where older rows of the period were left out: then a count is known to be at least ``value``.
    ``kept`` is None where nothing can be said.
    """

    product: str
    topic: str
    rule: SetRule
    period: float | None
    rows: int
    value: float
    complete: bool
    kept: bool | None

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        told = {name: getattr(self, name) for name in ("product", "period", "rows", "value", "complete", "kept")}
        return told | {"clause": self.rule.id, "metric": self.rule.metric, "allowed": str(self.rule.threshold)}


@dataclass(frozen=True, slots=True)
class SetBreach:
    """A rule over many records that is broken now; it has the face of a broken promise (``measure.Breach``)."""

    product: str
    topic: str
    clause: str
    promised: str
    measured: float
    rows: int
    complete: bool
    partition: None = None
    cause: Cause = Cause.RECORDS

    @property
    def where(self) -> tuple[str, int | None, str]:
        """What stays the same while it lasts."""
        return self.topic, None, self.clause

    def __str__(self) -> str:
        newest = "" if self.complete else "the newest "
        return (
            f"{self.topic} breaks {self.clause}: {self.measured:,g} of {newest}{self.rows:,} rows, "
            f"promised {self.promised} ({self.cause})"
        )

    def as_event(self) -> dict[str, Any]:
        """For logs and machines; names the clause and no value of a record."""
        told = {name: getattr(self, name) for name in self.__slots__}
        return {"event": "rule.breach", **told, "cause": str(self.cause)}


def measurable(contract: Contract) -> tuple[SetRule, ...]:
    """The rules of a contract that this module can measure; SQL and shares of null or invalid values are not."""
    known = (rule for rule in contract.set_rules if rule.metric in (ROWS, *_REPEATS) and rule.threshold is not None)
    return tuple(rule for rule in known if not any("[]" in name for name in rule.properties))


def period_of(contract: Contract, rule: SetRule) -> float | None:
    """Seconds: the rule's own, for a row count else the promised frequency of the product; None for all there is."""
    if rule.period is not None or rule.metric != ROWS:
        return rule.period
    for entry in contract.document.source.get("slaProperties", ()):
        milliseconds = sla_milliseconds(entry)
        if entry.get("property") == "frequency" and milliseconds is not None:
            return milliseconds / 1000
    return None


@dataclass(slots=True)
class Rows:
    """The newest rows of one product, at most ``most`` of them, as far back as its longest period.

    ``earlier`` says that the product had rows before those that were read; ``complete`` that none of the longest period
    was left out. A compacted product has one row for each key.
    """

    contract: Contract
    most: int
    complete: bool = True
    earlier: bool = False
    rules: tuple[SetRule, ...] = field(init=False)
    _comparing: tuple[SetRule, ...] = field(init=False)
    _rows: dict[Hashable, tuple[int, Digests]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rules = measurable(self.contract)
        self._comparing = tuple(rule for rule in self.rules if rule.metric in _REPEATS)

    @property
    def reads_values(self) -> bool:
        """Whether records have to be decoded at all."""
        return bool(self._comparing)

    @property
    def span(self) -> float | None:
        """The longest period in seconds; None where a rule is about all there is."""
        periods = [period_of(self.contract, rule) for rule in self.rules]
        return None if None in periods else max((each for each in periods if each is not None), default=0.0)

    def take(self, identity: Hashable, when: int, record: object) -> None:
        """A row: its place or its key, its time in epoch milliseconds, and its record (None if not decoded)."""
        self._rows.pop(identity, None)
        self._rows[identity] = when, tuple(_digest(record, rule.properties) for rule in self._comparing)
        if len(self._rows) > self.most:
            del self._rows[next(iter(self._rows))]
            self.complete = False

    def drop(self, identity: Hashable) -> None:
        """The row of a key that was deleted."""
        self.earlier = self._rows.pop(identity, None) is not None or self.earlier

    def measure(self, now_ms: int) -> list[Measured]:
        """Every rule now. Of a product that never had a row nothing is said."""
        self._forget(now_ms)
        if not self._rows and not self.earlier:
            return []
        return [self._measured(rule, now_ms) for rule in self.rules]

    def _forget(self, now_ms: int) -> None:
        span = self.span
        if span is not None:
            since = now_ms - span * 1000
            old = [identity for identity, (when, _) in self._rows.items() if when < since]
            self.earlier = self.earlier or bool(old)
            for identity in old:
                del self._rows[identity]

    def _measured(self, rule: SetRule, now_ms: int) -> Measured:
        period = period_of(self.contract, rule)
        since = now_ms - period * 1000 if period is not None else float("-inf")
        times = [when for when, _ in self._rows.values()]
        rows = sum(when >= since for when in times)
        complete = self.complete or (bool(times) and min(times) < since)
        value: float = rows if rule.metric == ROWS else self._repeated(rule, since)
        assert rule.threshold is not None  # noqa: S101  (only such rules are measurable)
        if rule.threshold.percent and rule.metric != ROWS:
            value = round(100 * value / rows, 4) if rows else 0.0
        # A product younger than the period may still get what it is asked to have.
        young = rule.metric == ROWS and period is not None and not (self.earlier or min(times, default=since) < since)
        kept = rule.threshold.allows(value) if complete and not young else _so_far(rule.threshold, value)
        product, topic = str(self.contract.product), self.contract.topics.public
        return Measured(product, topic, rule, period, rows, value, complete, kept)

    def _repeated(self, rule: SetRule, since: float) -> int:
        at = self._comparing.index(rule)
        known = [digests[at] for when, digests in self._rows.values() if when >= since and digests[at] is not None]
        return len(known) - len(set(known))


def _so_far(threshold: Threshold, value: float) -> bool | None:
    """Whether a count that can only be higher is within: yes or no where that is certain."""
    if threshold.percent:
        return threshold.allows(value)
    if not threshold.allows_more_than(value):
        return False
    return True if threshold.operator.startswith("mustBeGreater") and threshold.allows(value) else None


def broken(measured: Sequence[Measured]) -> Iterator[SetBreach]:
    """The rules that are certainly broken."""
    for each in measured:
        if each.kept is False:
            yield SetBreach(
                each.product, each.topic, each.rule.id, str(each.rule.threshold), each.value, each.rows, each.complete
            )


def _digest(record: object, properties: Sequence[str]) -> bytes | None:
    values = [_value(record, name) for name in properties]
    if any(value is None for value in values):
        return None
    return blake2b(repr(values).encode(), digest_size=_DIGEST_BYTES).digest()


def _value(record: object, path: str) -> object:
    for name in path.split("."):
        if not isinstance(record, dict):
            return None
        record = record.get(name)
    return record
