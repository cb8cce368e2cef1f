"""The gate beside the client's ceiling and the loops a user would write, end to end on a Kafka on the same cores."""

from __future__ import annotations

import dataclasses
import signal
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import orders
from benchmarks.flights import Wire
from benchmarks.ground import GATE, PARTITIONS, Ground, Load, ground
from benchmarks.harness import RESULTS, Benchmark, Comparison, Reading, Table, Variant, publish, tabled
from benchmarks.venvs import NotInstalled, python_of, requirements
from benchmarks.waits import commits, latencies, many
from mesh.contract import Contract
from mesh.errors import MeshError

PASS, PASS_TWO = "pass-through, at least once", "pass-through, 2 processes"
ONCE, LEAST, ONE_RULE, TWO = "gate, exactly once", "gate, at least once", "gate, 1 rule", "gate, 2 processes"
ROWS, SERDES, CEL = "fastavro + function, exactly once", "serdes + function", "serdes + CEL"
QUIX, FASTSTREAM, FAUST = "Quix Streams", "FastStream, batches", "Faust"
_RIVALS: Final = {QUIX: "quix", FASTSTREAM: "faststream", FAUST: "faust"}
_COMPARISONS: Final = (
    Comparison("exactly once / pass-through", ONCE, PASS, floor=0.7, target=0.9),
    Comparison("at least once / pass-through", LEAST, PASS, floor=0.7, target=0.9),
    Comparison("exactly once / at least once", ONCE, LEAST, floor=0.85, target=0.95),
    Comparison("ten rules / one rule", ONCE, ONE_RULE, floor=0.8, target=0.9),
    Comparison("2 processes / 2 processes of pass-through", TWO, PASS_TWO, floor=0.7),
    Comparison("2 processes / 1 process", TWO, ONCE),
    Comparison("gate / fastavro exactly once", ONCE, ROWS, floor=1.2, target=3),
    Comparison("gate / serdes", ONCE, SERDES, floor=15, target=22),
    Comparison("gate / serdes with CEL", ONCE, CEL, floor=100),
    Comparison("gate / Quix", ONCE, QUIX, floor=12, target=16),
    Comparison("gate / FastStream", ONCE, FASTSTREAM, floor=25, target=36),
    Comparison("gate / Faust", ONCE, FAUST, floor=100, target=180),
    Comparison("exactly once / pass-through, CPU", ONCE, PASS, "cpu"),
    Comparison("at least once / pass-through, CPU", LEAST, PASS, "cpu"),
    Comparison("exactly once / at least once, CPU", ONCE, LEAST, "cpu"),
    Comparison("gate / fastavro exactly once, CPU", ONCE, ROWS, "cpu"),
    Comparison("gate / serdes, CPU", ONCE, SERDES, "cpu"),
)
_NOTES: Final = (
    "Kafka shares the cores: rates are of the whole machine, CPU us/record and MiB are the loop's process alone",
    "clocks run from the first commit to the last; four partitions; up to 20,000 records or 0.25 s a commit",
    "one order in fifty breaks a rule; the gate also writes lineage and marks refusals with their findings",
    "serdes is AvroDeserializer and AvroSerializer: it re-encodes what it forwards, at least once, like the frameworks",
    "slow ones get fewer records and rates are compared; frameworks run in venvs of their own (benchmarks/rivals)",
    "latency: from the publisher's time stamp to a read_committed reader of the public topic",
)


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything; ``slow`` is how many records the slow ones get."""

    records: int = 400_000
    rounds: int = 3
    slow: dict[str, int] = dataclasses.field(
        default_factory=lambda: {SERDES: 60_000, CEL: 1_500, QUIX: 60_000, FASTSTREAM: 40_000, FAUST: 6_000}
    )
    rates: tuple[int, ...] = (1, 1_000, 20_000)
    seconds: float = 10.0
    touched: tuple[int, ...] = (1, 10, 50)
    commits: int = 15
    products: int = 300

    @classmethod
    def short(cls) -> Sizes:
        """To see that everything works; its numbers say little."""
        slow = {SERDES: 25_000, CEL: 600, QUIX: 25_000, FASTSTREAM: 10_000, FAUST: 3_000}
        return cls(100_000, 1, slow, (1, 1_000), 3.0, (1, 10), 4, 20)


@dataclass(frozen=True, slots=True)
class Field:
    """Who takes part: products of ten rules and of one, the loops' own topic, the frameworks that were installed."""

    sizes: Sizes
    ten: Load
    one: Load
    source: Load
    pythons: dict[str, Path]

    @classmethod
    def on(cls, ground: Ground, sample: Wire, sizes: Sizes, pythons: dict[str, Path]) -> Field:
        """A field on a mesh that is new."""
        ten, one = (ground.product(_contract(rules), sample) for rules in (10, 1))
        source = ground.source(ten.contract, ten.values).fill()
        # The broker's compiler is warm before anything counts.
        source.loops("pass-through", sizes.records)
        return cls(sizes, ten, one, source, pythons)

    def variants(self) -> list[Variant]:
        """Everyone, once each."""
        found: dict[str, Callable[[], Reading]] = {
            PASS: partial(self.source.loops, "pass-through", self.sizes.records),
            ONCE: partial(self.ten.gates, GATE),
            LEAST: partial(self.ten.gates, ("-m", "benchmarks.gates", "--untied")),
            ONE_RULE: partial(self.one.gates, GATE),
            ROWS: partial(self.source.loops, "fastavro-once", self.sizes.records),
            SERDES: partial(self.source.loops, "serdes", self.sizes.slow[SERDES]),
            CEL: partial(self.source.loops, "serdes-cel", self.sizes.slow[CEL]),
        }
        for name, python in self.pythons.items():
            found[name] = partial(self.source.rival, _RIVALS[name], python, self.sizes.slow[name])
        return [Variant(name, run) for name, run in found.items()]


def pairs(ground: Ground, sample: Wire) -> list[Variant]:
    """Two processes each, on a mesh of one product: with more, one gate may hold all partitions of one."""
    load = ground.product(_contract(10), sample)

    def passed() -> Reading:
        return ground.source(load.contract, load.values).loops_together("pass-through", 2)

    return [Variant(PASS_TWO, passed), Variant(TWO, partial(load.gates, GATE, (*GATE, "--ordinal", "1")))]


def _contract(rules: int) -> Contract:
    return orders.new_product(rules, PARTITIONS)


def installed(skipped: dict[str, str]) -> dict[str, Path]:
    """The frameworks' interpreters; those that do not install are noted with the reason."""
    pythons: dict[str, Path] = {}
    for name, rival in _RIVALS.items():
        print(f"{name}: a venv of its own ...", file=sys.stderr)
        try:
            pythons[name] = python_of(rival)
        except NotInstalled as error:
            skipped[name] = f"it does not install here: {error}"
    return pythons


def compete(variants: Sequence[Variant], rounds: int, skipped: dict[str, str]) -> dict[str, list[Reading]]:
    """All rounds; each begins with another one. A framework that fails is left out, ours must not."""
    readings: dict[str, list[Reading]] = {}
    for number in range(rounds):
        present = [each for each in variants if each.name not in skipped]
        shift = number % len(present)
        for variant in [*present[shift:], *present[:shift]]:
            try:
                taken = variant.run()
            except MeshError as error:
                if variant.name not in _RIVALS:
                    raise
                skipped[variant.name] = str(error)
                readings.pop(variant.name, None)
            else:
                readings.setdefault(variant.name, []).append(taken)
                print(f"round {number + 1}: {variant.name}: {taken.rate:,.0f} records/s", file=sys.stderr)
    return readings


@dataclass(frozen=True, slots=True)
class Wait:
    """What is no race: a table of its own."""

    title: str
    measured: Callable[[Ground, Sequence[bytes], Sizes], Table]


WAITS: Final = {
    "latency": Wait("latency through the gate", lambda on, rows, by: latencies(on, rows[:5_000], by.rates, by.seconds)),
    "commits": Wait(
        "what a commit takes by the partitions it touches",
        lambda on, rows, by: commits(on, rows, by.touched, by.commits),
    ),
    "products": Wait(
        "products at one record a second each", lambda on, rows, by: many(on, rows, by.products, by.seconds * 2)
    ),
}


def measure_one(name: str, sizes: Sizes) -> None:
    """One of the tables; it is printed and not stored."""
    values = orders.wire(orders.orders_contract(), 5_000)
    with ground() as running:
        print(tabled(WAITS[name].title, WAITS[name].measured(running, values, sizes)))


def measure(sizes: Sizes, folder: Path = RESULTS) -> Path:
    """Measure, print and write."""
    skipped: dict[str, str] = {}
    pythons = installed(skipped)
    values = orders.wire(orders.orders_contract(), sizes.records)
    sample = Wire([None] * len(values), values)
    with ground() as running:
        field = Field.on(running, sample, sizes, pythons)
        readings = compete(field.variants(), sizes.rounds, skipped)
    with ground() as running:
        readings |= compete(pairs(running, sample), sizes.rounds, skipped)
        tables = {each.title: each.measured(running, values, sizes) for each in WAITS.values()}
    title = (
        f"Moving {sizes.records:,} orders from an ingress of {PARTITIONS} partitions through ten rules, Kafka beside it"
    )
    facts = {"records": sizes.records, "partitions": PARTITIONS, "records_of_slow_ones": sizes.slow}
    done = Benchmark("gate", title, _COMPARISONS, {"kafka": "4.3.1"} | _pinned(pythons), _NOTES, facts, skipped, tables)
    return publish(done, readings, folder)


def _pinned(pythons: dict[str, Path]) -> dict[str, str]:
    """The versions of the frameworks, from what was installed."""
    wanted = {"quixstreams", "faststream", "faust-streaming"}
    lines = [line for name in pythons for line in requirements(_RIVALS[name]).read_text(encoding="utf-8").split()]
    return dict(line.split("==") for line in lines if line.split("==")[0] in wanted)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run as ``python -m benchmarks.gate``."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument(
        "--short", action="store_true", help="two minutes, to see that everything works; nothing is stored"
    )
    parser.add_argument("--rounds", type=int, default=Sizes().rounds)
    parser.add_argument("--only", choices=sorted(WAITS), help="one table on a mesh of its own; nothing is stored")
    parser.add_argument("--products", type=int, default=Sizes().products, help="of the table of that name")
    options = parser.parse_args(arguments)
    # Ended by others, it still has to end what it started.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    if options.only is not None:
        sizes = Sizes.short() if options.short else Sizes(products=options.products)
        measure_one(options.only, sizes)
    elif options.short:
        with TemporaryDirectory() as folder:
            measure(Sizes.short(), Path(folder))
    else:
        measure(Sizes(rounds=options.rounds, products=options.products))


if __name__ == "__main__":
    main()
