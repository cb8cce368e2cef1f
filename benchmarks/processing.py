"""What a processor does in a second, on the loop and on Faust, and what the lineage of its records costs."""

from __future__ import annotations

import random
import secrets
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

from benchmarks.ground import PARTITIONS, Crew, Ground, Load
from benchmarks.harness import Comparison, Reading, Readings, Variant, in_turns
from mesh.contract import Contract
from mesh.lineage import PARENTS_HEADER, Descent, OffsetSet, ParentSet, Reference
from mesh.lineage.parents import Lot
from mesh.producer.encoding import RecordEncoder
from tests.support.derived import derived, source

WINDOW, MAP, BARE = "hourly window, loop", "map, loop", "map, loop without lineage"
COLUMNS = "map over columns, loop"
FAUST, BARE_FAUST = "map, Faust", "map, Faust without lineage"
_STEPS: Final = {
    WINDOW: "window",
    MAP: "map",
    COLUMNS: "columns",
    BARE: "bare",
    FAUST: "faust",
    BARE_FAUST: "bare-faust",
}
COMPARISONS: Final = (
    Comparison("map: loop / Faust", MAP, FAUST, floor=20),
    Comparison("window on the loop / map on Faust", WINDOW, FAUST, floor=20),
    Comparison("map over columns on the loop / map on Faust", COLUMNS, FAUST, floor=20),
    Comparison("map: loop / Faust, CPU", MAP, FAUST, "cpu"),
    Comparison("window on the loop / map on Faust, CPU", WINDOW, FAUST, "cpu"),
    Comparison("map over columns on the loop / map on Faust, CPU", COLUMNS, FAUST, "cpu"),
    Comparison("map: with / without lineage, CPU", MAP, BARE, "cpu", floor=0.9),
    Comparison("map on Faust: with / without lineage, CPU", FAUST, BARE_FAUST, "cpu"),
)
NOTES: Final = (
    "processors read records of four partitions that were written straight to a public topic; no gate runs meanwhile",
    "without lineage: nothing captured, no header, no progress records; everything else is the same",
    "Faust's map names its parents too and is at least once; it gets fewer records",
)
_KEYS: Final = tuple(f"key-{number}" for number in range(20))
_START: Final = datetime(2013, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a benchmark: readings, what is compared, and what else was found."""

    readings: Readings
    comparisons: Sequence[Comparison]
    notes: Sequence[str]
    facts: dict[str, Any] = field(default_factory=dict)


def measure(ground: Ground, records: int, slow: int, rounds: int) -> Part:
    """Write the input, run every step ``rounds`` times."""
    domain = f"bench{secrets.token_hex(4)}"
    contract = source(f"{domain}.events", PARTITIONS)
    ground.mesh.apply(contract, source="benchmarks")
    load = Load(ground, contract.topics.public, contract, _events(ground, contract, records)).fill()
    enough = dict.fromkeys(_STEPS, records) | {FAUST: slow, BARE_FAUST: slow}
    variants = [Variant(name, partial(_once, load, step, enough[name])) for name, step in _STEPS.items()]
    return Part(in_turns(variants, rounds), COMPARISONS, NOTES, {"bytes of lineage": sizes()})


def _events(ground: Ground, contract: Contract, count: int) -> list[bytes]:
    """Two in a second of event time, on twenty keys."""
    dice = random.Random(7)
    with ground.mesh.registry() as registry:
        encoder = RecordEncoder(contract, registry)
    step = timedelta(milliseconds=500)
    rows = ({"key": dice.choice(_KEYS), "amount": each, "at": _START + each * step} for each in range(count))
    return [encoder.value(row) for row in rows]


def _once(load: Load, step: str, enough: int) -> Reading:
    """One processor of its own product, until it has committed ``enough``."""
    mesh = load.ground.mesh
    product = derived(f"{load.contract.product.domain}.r{secrets.token_hex(3)}", [str(load.contract.product)])
    mesh.apply(product, source="benchmarks")
    name = str(product.product)
    command = [sys.executable, "-m", "benchmarks.processors", step, name, str(load.contract.product)]
    return load.measured(Crew([command], load.ground.gate_environment, name), enough)


def sizes() -> dict[str, float]:
    """Bytes of the header of a record with one parent, and of a parent in large sets."""
    heads = [Descent.of_one(Reference(UUID(int=7), 1, 10_000 + each)).encode() for each in range(500)]
    return {
        "header of one parent": len(heads[0]),
        "with its name on the record": len(heads[0]) + len(PARENTS_HEADER) + 2,
        "the same in a batch of 500, zlib": round(_compressed(heads) / len(heads), 1),
        "a parent of 10,000 contiguous ones": round(_set(range(10_000)) / 10_000, 4),
        "a parent of 10,000 in 200,000": round(
            _set(sorted(random.Random(7).sample(range(200_000), 10_000))) / 10_000, 2
        ),
    }


def _set(offsets: Sequence[int]) -> int:
    return len(ParentSet((Lot(UUID(int=7), 1, OffsetSet.of(offsets)),)).encode())


def _compressed(heads: Sequence[bytes]) -> int:
    """What the headers add to a batch of small records of their own."""
    bodies = [random.Random(each).randbytes(24) + b"the same words in every record" for each in range(len(heads))]
    with_them = b"".join(body + PARENTS_HEADER.encode() + head for body, head in zip(bodies, heads, strict=True))
    return len(zlib.compress(with_them)) - len(zlib.compress(b"".join(bodies)))
