"""What lineage costs where it is made and where it is asked for: processors, and tracing by depth and manifests."""

from __future__ import annotations

import secrets
import tempfile
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import accounting, processing, tracing
from benchmarks.ground import ground
from benchmarks.harness import Benchmark, Readings, in_turns, publish
from mesh.embedded.jars import JarCache, locked_jars
from mesh.embedded.kafka import EmbeddedKafka, KafkaOptions
from mesh.kafka import Connection

HOPS = 10
_NOTES = (
    "every trace is a question of its own over connections that are open; opening them is not counted",
    "manifests of one record each are written straight to the lineage topics; the records themselves have expired",
)


def run(connection: Connection, manifests: int, rounds: int) -> tuple[Readings, list[str], dict[str, Any]]:
    """Write the manifests, trace, and give readings, the sizes' names and milliseconds for a trace."""
    sizes = {f"{number:,}": number for number in sorted({1_000, manifests // 10, manifests})}
    chains = {name: tracing.chained(connection, f"size-{number}", 0, number) for name, number in sizes.items()}
    each = max(1_000, manifests // 100)
    chains[f"the {each:,} of each of {HOPS} products"] = tracing.chained(connection, "deep", HOPS, each)
    readings = in_turns(tracing.variants(connection, chains), rounds)
    median = {
        name: sorted(each.wall / each.records for each in taken)[len(taken) // 2] for name, taken in readings.items()
    }
    return readings, list(sizes), {"milliseconds per trace": {name: round(s * 1e3, 1) for name, s in median.items()}}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run as ``python -m benchmarks.lineage``."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--manifests", type=int, default=1_000_000, help="manifests in the largest lineage partition")
    parser.add_argument("--records", type=int, default=200_000, help="records for a processor on the loop")
    parser.add_argument("--slow", type=int, default=6_000, help="and for one on Faust")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    jars = JarCache.of_environment().provide(locked_jars())
    with (
        tempfile.TemporaryDirectory(prefix="mesh-bench-") as folder,
        EmbeddedKafka(Path(folder), jars, secrets.token_urlsafe(16), KafkaOptions(heap_mib=1024)) as kafka,
    ):
        readings, names, facts = run(kafka.connection, options.manifests, options.rounds)
    with ground() as field:
        made = processing.measure(field, options.records, options.slow, min(3, options.rounds))
    gates = accounting.measure(2 * options.records, min(3, options.rounds))
    title = (
        f"gates, processors, and tracing up to {options.manifests:,} manifests and {HOPS} hops, on the embedded Kafka"
    )
    comparisons = [*made.comparisons, *gates.comparisons, *tracing.comparisons(names)]
    notes = [*made.notes, *gates.notes, *_NOTES]
    told = Benchmark("lineage", title, comparisons, notes=notes, facts=facts | made.facts | gates.facts)
    publish(told, {**made.readings, **gates.readings, **readings})
    for name, size in (made.facts["bytes of lineage"] | gates.facts["lineage of a gate"]).items():
        print(f"{name}: {size:g}")
    for name, each in facts["milliseconds per trace"].items():
        print(f"{name}: {each:,} ms a trace")


if __name__ == "__main__":
    main()
