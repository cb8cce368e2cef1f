"""Generated lineages with the truth beside them: layers of products over two sources, aggregates that continue."""

from __future__ import annotations

import random
from collections.abc import Mapping, Set

from mesh.lineage import Descent, Identity, ParentSet, Reference, output_slot
from tests.support.ledgers import Ledger

Truth = dict[Reference, frozenset[Reference]]
"""The parents of every public record, the output it continues among them."""


def grown(ledger: Ledger, dice: random.Random) -> Truth:
    """Two sources and up to six layers of products over them."""
    truth: Truth = {}
    for source in ("a.one", "a.two"):
        ledger.product(source, partitions=2)
        for partition in (0, 1):
            for _ in range(3):
                values = [b"%d" % dice.randrange(99) + dice.choice([b"", b"!"]) for _ in range(dice.randrange(1, 9))]
                truth |= dict.fromkeys(ledger.source(source, *values, partition=partition), frozenset[Reference]())
    for layer in range(dice.randrange(1, 6)):
        name, below = f"b.layer-{layer}", sorted(truth)
        ledger.product(name, partitions=2, processor=name)
        last: dict[int, tuple[Reference, Identity]] = {}
        for _ in range(dice.randrange(1, 12)):
            chosen = dice.sample(below, min(len(below), dice.choice([1, 1, 2, 5, 30, 60])))
            _derived(ledger, name, chosen, truth, last, dice)
    return truth


def _derived(
    ledger: Ledger,
    name: str,
    chosen: list[Reference],
    truth: Truth,
    last: dict[int, tuple[Reference, Identity]],
    dice: random.Random,
) -> None:
    partition, topic = dice.randrange(2), ledger.products[name].topics.public
    before = last.get(partition) if dice.random() < 0.4 else None
    slot = output_slot(name, topic, chosen[0], dice.randrange(1 << 30))
    descent = Descent(chosen[0], parents=ParentSet.of(chosen), slot=slot, previous=before and before[1])
    ledger.derive(name, descent, partition=partition)
    (made,) = ledger.gate(name, partition)
    last[partition] = made, descent.identity(name, topic)
    truth[made] = frozenset(chosen) | ({before[0]} if before is not None else set())


def reached(truth: Mapping[Reference, Set[Reference]], record: Reference) -> set[Reference]:
    """The record and everything that leads on from it."""
    found, left = {record}, [record]
    while left:
        for parent in truth.get(left.pop(), frozenset()) - found:
            found.add(parent)
            left.append(parent)
    return found


def inverted(truth: Truth) -> dict[Reference, set[Reference]]:
    """What was made from each record."""
    found: dict[Reference, set[Reference]] = {record: set() for record in truth}
    for child, parents in truth.items():
        for parent in parents:
            found[parent].add(child)
    return found
