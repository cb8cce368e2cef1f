"""What every benchmark shares: variants measured in turns, ratios pair by pair, floors, a table and a JSON file."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any, Final, Literal

import psutil

RESULTS: Final = Path(__file__).with_name("results")
_PACKAGES: Final = ("confluent-kafka", "fastavro", "cel-python")


@dataclass(frozen=True, slots=True)
class Reading:
    """One run of one variant. Times are seconds; ``cpu`` is that of the variant, ``broker_cpu`` Kafka's meanwhile."""

    records: int
    wall: float
    cpu: float
    broker_cpu: float | None = None
    memory_mib: float | None = None
    """Resident at the end, of the largest of its processes."""

    @property
    def rate(self) -> float:
        """Records per second of wall time."""
        return self.records / self.wall

    @property
    def cpu_rate(self) -> float:
        """Records per second of CPU time: what one core does when nobody else wants it."""
        return self.records / self.cpu

    @property
    def cpu_us(self) -> float:
        """Microseconds of CPU time for one record."""
        return self.cpu / self.records * 1e6

    @property
    def broker_us(self) -> float | None:
        """Microseconds of Kafka's CPU time for one record."""
        return None if self.broker_cpu is None else self.broker_cpu / self.records * 1e6


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to do the job; ``run`` does it once."""

    name: str
    run: Callable[[], Reading]


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many times as fast ``ours`` is as ``other``: by wall time, or by CPU time where a benchmark is one thread.

    ``floor`` is what this version has to keep; ``target`` is what the project is to reach.
    """

    name: str
    ours: str
    other: str
    by: Literal["wall", "cpu"] = "wall"
    floor: float | None = None
    target: float | None = None

    def of(self, ours: Reading, other: Reading) -> float:
        """The ratio of two readings."""
        return ours.rate / other.rate if self.by == "wall" else ours.cpu_rate / other.cpu_rate


Readings = Mapping[str, Sequence[Reading]]
Table = Sequence[Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What was compared, and what has to be said about it."""

    name: str
    title: str
    comparisons: Sequence[Comparison]
    versions: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    facts: Mapping[str, object] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Variants that could not be measured here, and why."""
    tables: Mapping[str, Table] = field(default_factory=dict)
    """What is no comparison, by title: rows of one shape."""


def clocked(work: Callable[[], int]) -> Reading:
    """Run once in this process; ``work`` gives how many records it handled."""
    cpu, wall = time.process_time(), time.perf_counter()
    records = work()
    return Reading(records, time.perf_counter() - wall, time.process_time() - cpu)


def in_turns(variants: Sequence[Variant], rounds: int) -> dict[str, list[Reading]]:
    """Run every variant once per round, each round beginning with another one, so that drift meets all alike."""
    readings: dict[str, list[Reading]] = {variant.name: [] for variant in variants}
    for number in range(rounds):
        shift = number % len(variants)
        for variant in [*variants[shift:], *variants[:shift]]:
            readings[variant.name].append(variant.run())
    return readings


def pairwise(comparison: Comparison, readings: Readings) -> list[float]:
    """The ratio of every round, from readings taken one soon after the other."""
    pairs = zip(readings[comparison.ours], readings[comparison.other], strict=True)
    return [comparison.of(ours, other) for ours, other in pairs]


def result(benchmark: Benchmark, readings: Readings) -> dict[str, Any]:
    """Everything that is written down: names no host and no path."""
    measured = [each for each in benchmark.comparisons if {each.ours, each.other} <= readings.keys()]
    ratios = {each.name: pairwise(each, readings) for each in measured}
    return {
        "name": benchmark.name,
        "title": benchmark.title,
        "command": f"make bench ONLY={benchmark.name}",
        "measured_at": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "versions": versions() | dict(benchmark.versions),
        "rounds": min(map(len, readings.values())),
        "facts": dict(benchmark.facts),
        "variants": {name: _variant(taken) for name, taken in readings.items()},
        "ratios": {name: _rounded(median(values)) for name, values in ratios.items()},
        "ratio_spread": {name: _spread(values) for name, values in ratios.items()},
        "floors": _goals(ratios, {each.name: each.floor for each in measured}),
        "targets": _goals(ratios, {each.name: each.target for each in measured}),
        "skipped": dict(benchmark.skipped),
        "tables": {title: [dict(row) for row in rows] for title, rows in benchmark.tables.items()},
        "notes": list(benchmark.notes),
    }


def _variant(taken: Sequence[Reading]) -> dict[str, Any]:
    broker = [each.broker_us for each in taken if each.broker_us is not None]
    told: dict[str, Any] = {
        "records": median(each.records for each in taken),
        "records_per_second": _spread([each.rate for each in taken]),
        "cpu_us_per_record": _spread([each.cpu_us for each in taken]),
    }
    memory = [each.memory_mib for each in taken if each.memory_mib is not None]
    told |= {"broker_cpu_us_per_record": _spread(broker)} if broker else {}
    return told | ({"memory_mib": _spread(memory)} if memory else {})


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"min": _rounded(min(values)), "median": _rounded(median(values)), "max": _rounded(max(values))}


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def _goals(ratios: Mapping[str, Sequence[float]], goals: Mapping[str, float | None]) -> dict[str, dict[str, Any]]:
    return {
        name: {"at_least": goal, "value": _rounded(median(ratios[name])), "held": median(ratios[name]) >= goal}
        for name, goal in goals.items()
        if goal is not None
    }


def machine() -> dict[str, object]:
    """What it ran on, and how busy that was."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "architecture": platform.machine(),
        "load_average": _rounded(os.getloadavg()[0]),
    }


def versions() -> dict[str, str]:
    """Python and the libraries that are compared."""
    # Inside the function: the harness is imported by unit tests, the client library is not theirs to load.
    from confluent_kafka import libversion  # noqa: PLC0415

    found = {"python": platform.python_version(), "librdkafka": str(libversion()[0])}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def table(told: Mapping[str, Any]) -> str:
    """A result for people."""
    parts = [*_heading(told), "", *_variants(told), "", *_ratios(told), "", *_tables(told), *_notes(told)]
    return "\n".join(parts)


def _heading(told: Mapping[str, Any]) -> list[str]:
    host, names = told["machine"], told["versions"]
    on = f"{host['cores']} cores, {host['memory_gib']} GiB, load {host['load_average']:g}"
    return [told["title"], f"{told['rounds']} rounds; {on}; " + ", ".join(f"{k} {v}" for k, v in names.items())]


def _variants(told: Mapping[str, Any]) -> list[str]:
    brokers = any("broker_cpu_us_per_record" in each for each in told["variants"].values())
    width = max(map(len, told["variants"]))
    head = f"{'':{width}}  {'records/s':>10}  {'(min - max)':>21}  {'CPU us/record':>13}"
    lines = [head + (f"  {'Kafka us/record':>15}  {'MiB':>5}" if brokers else "")]
    for name, each in told["variants"].items():
        rate, cpu = each["records_per_second"], each["cpu_us_per_record"]
        between = f"({rate['min']:,.0f} - {rate['max']:,.0f})"
        line = f"{name:{width}}  {rate['median']:>10,.0f}  {between:>21}  {cpu['median']:>13,.2f}"
        lines.append(line + (_beside(each) if brokers else ""))
    return lines


def _beside(each: Mapping[str, Any]) -> str:
    if "broker_cpu_us_per_record" not in each:  # one that runs in this process, where Kafka's share is not watched
        return ""
    memory = each.get("memory_mib")
    return f"  {each['broker_cpu_us_per_record']['median']:>15,.2f}" + (
        f"  {memory['median']:>5,.0f}" if memory else ""
    )


def _tables(told: Mapping[str, Any]) -> list[str]:
    return [line for title, rows in told["tables"].items() for line in (tabled(title, rows), "")]


def tabled(title: str, rows: Table) -> str:
    """A table that is no race, for people."""
    names = list(rows[0])
    cells = [names, *([_cell(row[name]) for name in names] for row in rows)]
    widths = [max(len(line[at]) for line in cells) for at in range(len(names))]
    lines = ("  ".join(f"{cell:>{width}}" for cell, width in zip(line, widths, strict=True)) for line in cells)
    return "\n".join([title, *lines])


def _cell(value: object) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def _ratios(told: Mapping[str, Any]) -> list[str]:
    width = max(map(len, told["ratios"]), default=0)
    lines = [f"{'':{width}}  {'ratio':>9}  {'(min - max)':>19}  {'floor':>6}  {'':8}  {'target':>6}"]
    for name, value in told["ratios"].items():
        spread = told["ratio_spread"][name]
        between = f"({spread['min']:,.3g} - {spread['max']:,.3g})"
        floor = _goal(told["floors"].get(name), "held", "MISSED")
        target = _goal(told["targets"].get(name), "reached", "not yet")
        lines.append(f"{name:{width}}  {value:>9,.3g}  {between:>19}  {floor}  {target}".rstrip())
    missed = [name for name, floor in told["floors"].items() if not floor["held"]]
    return lines + ([f"!!! {len(missed)} FLOOR(S) MISSED: {', '.join(missed)}"] if missed else ["every floor held"])


def _goal(goal: Mapping[str, Any] | None, held: str, missed: str) -> str:
    if goal is None:
        return f"{'':6}  {'':8}"
    return f"{goal['at_least']:>6,g}  {held if goal['held'] else missed:8}"


def _notes(told: Mapping[str, Any]) -> list[str]:
    skipped = [f"SKIPPED {name}: {why}" for name, why in told["skipped"].items()]
    return skipped + [f"- {note}" for note in told["notes"]]


def publish(benchmark: Benchmark, readings: Readings, folder: Path = RESULTS) -> Path:
    """Print the table and write ``<folder>/<name>.json``; a missed floor is said, never raised."""
    told = result(benchmark, readings)
    print(table(told))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{benchmark.name}.json"
    path.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return path
