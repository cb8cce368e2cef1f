"""What is written for an output: its header, its partition, and what has to lie beside it first."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from mesh.contract import Contract
from mesh.errors import EncodingRefused
from mesh.lineage import PARENTS_HEADER, Descent, ParentSet, Reference, decode_parents_record
from mesh.producer.encoding import RecordEncoder
from mesh.stream import Output
from mesh.stream.emission import BY_KEY, Emitter
from tests.support.derived import derived, source
from tests.support.pipeline_run import IDS
from tests.support.pipelines import EVENTS

AT = Reference(IDS[EVENTS], 3, 41)
ROW = {"key": "a", "total": 1, "count": 2}


class Ids:
    """A registry that has everything."""

    def lookup(self, subject: str, schema: str) -> Any:
        """The same for all."""
        return 7


def emitter(contract: Contract | None = None) -> Emitter:
    """For a product of two partitions."""
    made = contract or derived("shop.totals", [EVENTS])
    return Emitter(RecordEncoder(made, Ids()), made.topics, made.partitions, UUID(int=9))


def test_the_only_output_of_its_only_parent_is_29_bytes_and_as_the_format_says() -> None:
    output = Output(ROW, AT)
    sent = emitter().record(output)
    assert list(sent.headers) == [(PARENTS_HEADER, AT.pack())] == [(PARENTS_HEADER, Descent.of_one(AT).encode())]
    assert output.descent == Descent.of_one(AT)
    assert (sent.topic, sent.partition) == ("shop.totals.v1.ingress", BY_KEY)
    assert emitter().deposit(output) is None


def test_references_of_several_topics_and_partitions_are_told_apart() -> None:
    made, topics = emitter(), [UUID(int=3), UUID(int=4)]
    places = [Reference(topic, partition, 1 << at) for at in range(40) for topic in topics for partition in (0, 1)]
    assert [made.record(Output(ROW, at)).headers for at in places] == [[(PARENTS_HEADER, at.pack())] for at in places]


def test_a_large_set_lies_beside_and_the_header_says_where() -> None:
    parents = ParentSet.of(Reference(IDS[EVENTS], 0, each * each) for each in range(400))
    output = Output(ROW, Descent(AT, parents=parents, slot=bytes(16)))
    beside = emitter().deposit(output)
    assert beside is not None
    assert (beside.topic, beside.partition, beside.key) == ("shop.totals.v1.parents", 1, b"set")
    assert decode_parents_record(beside.value or b"") == parents
    descent = Descent.decode(dict(emitter().record(output, (1, 5)).headers)[PARENTS_HEADER] or b"")
    assert descent.deposit is not None
    assert (descent.deposit.at, descent.deposit.count) == (Reference(UUID(int=9), 1, 5), 400)
    assert descent.sha256 == parents.digest()


def test_a_product_without_keys_has_its_records_where_their_drivers_were() -> None:
    sent = emitter(source("shop.copies")).record(Output({"key": "a", "amount": 1, "at": 0}, AT))
    assert (sent.key, sent.partition) == (None, 1)


def test_what_is_not_of_the_schema_is_refused_with_its_path() -> None:
    with pytest.raises(EncodingRefused, match="total"):
        emitter().record(Output(ROW | {"total": "many"}, AT))
