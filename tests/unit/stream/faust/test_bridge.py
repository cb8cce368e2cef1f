"""What a Faust program may send, whose output it is, and when an offset may be committed."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from uuid import UUID

import pytest

from mesh.consumer.record import Source
from mesh.contract import Contract
from mesh.errors import DeliveryFailed, EncodingRefused, MalformedBody, ParentsUnknown, ProcessorStopped, UsageError
from mesh.kafka import Connection
from mesh.lineage import ParentSet, Progress, Reference, decode_parents_record, output_slot
from mesh.producer.encoding import RecordEncoder
from mesh.stream import Changes, Place, Processor
from mesh.stream.binding import Binding, Bound
from mesh.stream.declared import OnError
from mesh.stream.faust.bridge import Bridge, header_of
from mesh.stream.faust.scope import Scope, enter, swap
from mesh.stream.faust.state import Stateless
from mesh.stream.faust.wiring import Fetched, Wiring
from mesh.types import SchemaId, TopicPartition
from tests.support.contracts import Draft

SOURCE = Draft(product="a.readings").contract()
MADE = Draft(product="b.made", derivation={"inputs": ["a.readings"], "repartition": True}).contract()
TOPIC = UUID(int=7)
PLACE = TopicPartition(SOURCE.topics.public, 1)
INGRESS = MADE.topics.ingress
NOWHERE = Connection("127.0.0.1:1", "PLAINTEXT")


class Ids:
    """A registry that knows every schema as number one."""

    def lookup(self, subject: str, schema: str) -> SchemaId | None:
        return SchemaId(1)

    def schema(self, schema_id: SchemaId) -> str:
        return SOURCE.value_schema_json


def bridge(on_error: OnError = "halt", contract: Contract = MADE) -> Bridge:
    return Bridge(Wiring(binding(contract)), on_error)


def binding(contract: Contract = MADE, connection: Connection = NOWHERE) -> Binding:
    inputs = {"a.readings": Bound(Source(SOURCE, Ids(), TOPIC), 3, connection)}
    encoder = RecordEncoder(contract, Ids())
    return Binding(Processor(str(contract.product)), contract, connection, encoder, inputs, UUID(int=8))


def at(offset: int) -> Reference:
    return Reference(TOPIC, 1, offset)


def begin(made: Bridge, offset: int) -> Scope:
    made.take(Fetched(PLACE.topic, PLACE.partition, offset, None, None, (), 5_000), object())
    entry = made.ledger.find(PLACE, offset)
    assert entry is not None
    scope = Scope(entry, 5.0)
    enter(scope)
    return scope


@dataclass
class Kept:
    """What was written beside the outputs, and what was committed."""

    written: list[tuple[str, int, bytes, bytes]] = field(default_factory=list)
    commits: int = 0

    async def write(self, topic: str, partition: int, key: bytes, value: bytes) -> Reference:
        self.written.append((topic, partition, key, value))
        return Reference(UUID(int=8), partition, len(self.written))

    async def offsets(self, positions: Mapping[TopicPartition, int]) -> bool:
        self.commits += 1
        return True

    def commit(self, made: Bridge, places: Collection[TopicPartition] = (PLACE,)) -> bool:
        return asyncio.run(made.commit(places, self.write, self.offsets))

    @property
    def progress(self) -> list[Progress]:
        found = [decode_parents_record(value) for _, _, key, value in self.written if key == b"progress"]
        return [each for each in found if isinstance(each, Progress)]


@pytest.fixture(autouse=True)
def no_scope() -> None:
    swap(None)


def test_outputs_of_a_record_are_numbered_and_name_it_as_their_parent() -> None:
    made = bridge()
    begin(made, 3)
    first, second = (made.dress(INGRESS, {"mesh-parents": b"x", "traceparent": b"y"}) for _ in range(2))
    assert (first[1].driving, first[1].index, second[1].index) == (at(3), 0, 1)
    assert first[1].parents == ParentSet.of([at(3)])
    assert first[0] == {"traceparent": b"y"}


def test_sending_where_no_record_is_processed_fails_and_names_derive() -> None:
    made = bridge()
    with pytest.raises(ParentsUnknown, match="derive"):
        made.dress(INGRESS, {})
    scope = begin(made, 3)
    scope.closed = True
    with pytest.raises(ParentsUnknown, match="derive"):
        made.dress(INGRESS, {})


def test_derive_says_the_parents_and_the_last_one_drives() -> None:
    made = bridge()
    with made.derive(at(4), at(2)):
        _, descent, _ = made.dress(INGRESS, {})
    assert descent.slot == output_slot("b.made", MADE.topics.public, at(2), 0)
    assert (descent.driving, descent.parents) == (at(2), ParentSet.of([at(2), at(4)]))
    with made.derive(at(2)):
        assert made.dress(INGRESS, {})[1].index == 1
    with pytest.raises(ParentsUnknown):
        made.dress(INGRESS, {})


def test_derive_within_a_record_keeps_what_drives_and_counts_on() -> None:
    made = bridge()
    begin(made, 3)
    made.dress(INGRESS, {})
    with made.derive(at(9)):
        _, descent, _ = made.dress(INGRESS, {})
    assert (descent.driving, descent.index, descent.parents) == (at(3), 1, ParentSet.of([at(9)]))
    assert made.dress(INGRESS, {})[1].parents == ParentSet.of([at(3)])


@pytest.mark.parametrize("parents", [(), ("text",), (Reference(UUID(int=99), 0, 0),)])
def test_derive_refuses_what_is_no_record_of_an_input(parents: tuple[Reference, ...]) -> None:
    with pytest.raises(UsageError, match="derive"), bridge().derive(*parents):
        raise AssertionError


def test_only_the_products_own_topics_are_written_to() -> None:
    made = bridge()
    made.permit(INGRESS)
    with pytest.raises(UsageError, match=r"sends to b.made.v1.ingress alone"):
        made.permit(SOURCE.topics.public)


def test_what_is_keyed_anew_carries_the_public_record_and_its_outputs_other_numbers() -> None:
    made = bridge()
    scope = begin(made, 3)
    headers, descent, _ = made.dress(MADE.topics.repartition, {})
    carried = tuple((headers | header_of(descent)).items())
    assert not scope.entry.outputs
    assert scope.entry.used
    again = Fetched(MADE.topics.repartition, 0, 77, b"k", None, carried, 0)
    driving, base = made.wiring.origin(again)
    assert driving == at(3)
    assert base > 0
    with pytest.raises(MalformedBody, match="which public record"):
        made.wiring.origin(Fetched(MADE.topics.repartition, 0, 78, None, None, (), 0))


def test_an_offset_is_committed_after_its_outputs_and_what_became_of_its_record() -> None:
    made, kept = bridge(), Kept()
    first = begin(made, 3)
    made.dress(INGRESS, {})
    second = begin(made, 6)
    first.entry.done = second.entry.done = True
    assert kept.commit(made)
    (told,) = kept.progress
    assert (told.start, told.end, told.outputs, list(told.delivered), list(told.filtered)) == (3, 7, 1, [3, 6], [6])
    assert kept.written[0][:2] == (MADE.topics.parents, 1)
    assert kept.commits == 1
    assert made.ledger.idle


class Asked(Stateless):
    """A state that remembers whose changes were asked for."""

    logs: Collection[TopicPartition] | None = None

    def changes(self, logs: Collection[TopicPartition] | None = None) -> Mapping[Place, Changes]:
        self.logs = logs
        return {}


def test_a_state_is_not_written_ahead_of_an_offset_that_is_not_committed() -> None:
    made, kept, state = bridge(), Kept(), Asked()
    made.state = state
    begin(made, 3).entry.done = True
    other = PLACE._replace(partition=2)
    made.take(Fetched(other.topic, other.partition, 5, None, None, (), 5_000), object())
    entry = made.ledger.find(other, 5)
    assert entry is not None
    entry.done = True
    assert kept.commit(made)
    assert set(state.logs or ()) == {PLACE}
    assert kept.commit(made, [PLACE, other])
    assert set(state.logs or ()) == {other}


def test_an_output_the_broker_refused_stops_the_commit() -> None:
    made, kept = bridge(), Kept()

    async def refused() -> bool:
        output: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        made.outbox.add(output)
        asyncio.get_running_loop().call_later(0.01, output.set_exception, OSError("no"))
        return await made.commit([PLACE], kept.write, kept.offsets)

    begin(made, 3).entry.done = True
    assert not asyncio.run(refused())
    assert isinstance(made.fault, DeliveryFailed)
    assert not kept.commits
    assert not kept.commit(made)


def test_an_error_of_the_program_halts_before_the_record_it_happened_on() -> None:
    made, kept = bridge(), Kept()
    begin(made, 3)
    made.failed(KeyError("secret"))
    assert isinstance(made.fault, ProcessorStopped)
    assert str(made.fault).startswith("the processor of b.made stopped at a.readings.v1/1/3: KeyError")
    assert "secret" not in str(made.fault)
    assert not kept.commit(made)
    with pytest.raises(ProcessorStopped):
        made.dress(INGRESS, {})


def test_a_record_that_does_not_fit_its_schema_is_told_with_the_field() -> None:
    made = bridge()
    begin(made, 3)
    made.failed(EncodingRefused("speed", "is missing"))
    assert "a.readings.v1/1/3: speed is missing" in str(made.fault)


def test_an_error_sets_its_record_aside_where_asked_and_the_next_goes_on() -> None:
    made, kept = bridge("park"), Kept()
    begin(made, 3)
    made.failed(KeyError("secret"))
    begin(made, 4).entry.done = True
    assert kept.commit(made)
    (told,) = kept.progress
    assert (list(told.parked), list(told.filtered), told.end) == ([3], [4], 5)
    assert told.failure(3) == "KeyError", "never what the error says"


def test_a_program_that_cannot_name_parents_halts_also_where_records_are_set_aside() -> None:
    made = bridge("park")
    begin(made, 3)
    made.failed(ParentsUnknown("b.made"))
    assert isinstance(made.fault, ParentsUnknown)


def test_a_set_too_large_for_a_header_is_deposited_before_the_record() -> None:
    made, kept = bridge(), Kept()
    parents = [at(offset * offset) for offset in range(300)]
    with made.derive(*parents):
        _, descent, _ = made.dress(INGRESS, {})
    settled = asyncio.run(made.deposit(descent, kept.write))
    assert settled.deposit is not None
    assert (settled.count, settled.identity("p", "o")) == (300, descent.identity("p", "o"))
    assert decode_parents_record(kept.written[0][3]) == ParentSet.of(parents)
