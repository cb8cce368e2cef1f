"""What the gate's account of every record costs: the gate with its lineage and without, and the bytes it writes."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Final

from benchmarks import orders
from benchmarks.flights import Wire
from benchmarks.ground import GATE, PARTITIONS, Ground, Load, ground
from benchmarks.harness import Comparison, Reading
from benchmarks.processing import Part
from mesh.kafka import LogReader
from mesh.types import TopicPartition

WITH, WITHOUT = "gate, ten rules", "gate without lineage"
COMPARISONS: Final = (Comparison("gate: with / without lineage, CPU", WITH, WITHOUT, "cpu"),)
NOTES: Final = (
    "every order says where it comes from, as the mesh's own publisher does; a gate serves a product of its own",
    "a gate without lineage keeps no origins, offsets or digests and writes no manifests; it still commits once",
)
_COMMANDS: Final = {WITH: GATE, WITHOUT: ("-m", "benchmarks.gates", "--bare")}


def measure(records: int, rounds: int) -> Part:
    """Both gates, on a new mesh in every round: no gate can take up what the one without lineage has left."""
    values = orders.wire(orders.orders_contract(), records)
    readings: dict[str, list[Reading]] = {WITH: [], WITHOUT: []}
    facts: Mapping[str, float] = {}
    for _ in range(rounds):
        with ground() as field:
            for name, command in _COMMANDS.items():
                load = _load(field, values)
                readings[name].append(load.gates(command))
                if name == WITH:
                    facts = _written(field, load)
    return Part(readings, COMPARISONS, NOTES, {"lineage of a gate": facts})


def _load(field: Ground, values: list[bytes]) -> Load:
    contract = orders.new_product(partitions=PARTITIONS)
    return field.product(contract, Wire([None] * len(values), values), origins=True)


def _written(field: Ground, load: Load) -> Mapping[str, float]:
    """The manifests of all records, to each record, as they are and as a topic with compression keeps them."""
    topic, payloads = load.contract.topics.lineage, list[bytes]()
    with LogReader(field.mesh.admin) as reader:
        for number in range(PARTITIONS):
            place = TopicPartition(topic, number)
            payloads += [message.value() or b"" for message in reader.read(place, 0, reader.bounds(place)[1])]
    count = len(load.values)
    return {
        "manifests": len(payloads),
        "bytes of manifests for a record": round(sum(map(len, payloads)) / count, 2),
        "the same, each compressed by zlib": round(sum(len(zlib.compress(each)) for each in payloads) / count, 2),
    }
