"""What a processor's program does on a real Kafka: partitions into one, waiting lookups, large sets, how it ends."""

from __future__ import annotations

import secrets
import signal
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, cast

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions
from confluent_kafka import TopicPartition as ConfluentPartition
from confluent_kafka.admin import AdminClient

from mesh import Mesh, Processor
from mesh.contract import Contract
from mesh.errors import UsageError
from mesh.judge.rows import RowCodec
from mesh.kafka import Admin, LogReader
from mesh.lineage.balance import HopBalance
from mesh.lineage.why import Ending
from mesh.stream import ProcessingFailed
from mesh.stream.binding import RUNTIMES, Runtime, Tally
from mesh.types import TopicPartition
from tests.support.broker import eventually
from tests.support.derived import Looker, Written, derived, publish, source
from tests.support.mesh import RunningMesh
from tests.support.pipelines import EVENTS, RATES, Case, Event
from tests.support.working import Job

pytestmark = pytest.mark.broker


@dataclass(frozen=True, slots=True)
class Shop:
    """Sources and derived products of one domain."""

    domain: str
    events: Contract
    rates: Contract
    looker: Looker

    def product(self, name: str) -> Contract:
        """A derived product by its short name."""
        contract: Contract = SHAPES[name](self.domain)
        return contract

    @property
    def names(self) -> tuple[str, str]:
        """The products of the sources."""
        return str(self.events.product), str(self.rates.product)


def _alone(name: str, **changes: Any) -> Any:
    return lambda domain: derived(f"{domain}.{name}", [f"{domain}.events"], **changes)


SHAPES = {name: _alone(name) for name in ("large", "failing", "stopped", "parking", "counting")} | {
    "loop-parking": _alone("loop-parking", repartition=True),
    "faust-parking": _alone("faust-parking", repartition=True),
    "loop-ahead": _alone("loop-ahead", repartition=True),
    "faust-ahead": _alone("faust-ahead", repartition=True),
    "loop-totals": _alone("loop-totals", repartition=True),
    "faust-totals": _alone("faust-totals", repartition=True),
    "loop-killed": _alone("loop-killed", repartition=True),
    "faust-killed": _alone("faust-killed", repartition=True),
    "priced": lambda domain: derived(f"{domain}.priced", [f"{domain}.events", f"{domain}.rates"]),
}
EVENT_COUNT = 900


@pytest.fixture(scope="module")
def shop(mesh: RunningMesh) -> Shop:
    domain = "p" + secrets.token_hex(4)
    events, rates = source(f"{domain}.events"), source(f"{domain}.rates")
    mesh.apply(events, rates, *(made(domain) for made in SHAPES.values()))
    # The second partition is far behind the first: read one after the other, its records would all be late.
    publish(mesh, events, [Event(each % 2, "abc"[each % 3], each // 2, each) for each in range(EVENT_COUNT)])
    looker = Looker(mesh, {EVENTS: events, RATES: rates})
    looker.learn()
    return Shop(domain, events, rates, looker)


@pytest.fixture
def way_in(mesh: RunningMesh) -> Iterator[Mesh]:
    with Mesh.connect(mesh.folder.config) as connected:
        yield connected


def hours_of_keys() -> list[list[tuple[str, int, int]]]:
    """The parents of each minute of a key, over all partitions."""
    wanted: defaultdict[tuple[str, int], set[tuple[str, int, int]]] = defaultdict(set)
    for each in range(EVENT_COUNT):
        wanted["abc"[each % 3], each // 2 // 60].add((EVENTS, each % 2, each // 2))
    return sorted(sorted(each) for each in wanted.values())


def agree(written: Written) -> None:
    """Every output is there once, with its parents; every record was delivered, and none was late."""
    assert sorted(sorted(made.parents) for made in written.outputs) == hours_of_keys()
    assert all(dict(made.value)["count"] == len(made.parents) for made in written.outputs)
    delivered = {(each.partition, at) for each in written.progress for at in each.delivered}
    assert len(delivered) == EVENT_COUNT
    assert not any(each.late for each in written.progress)


@pytest.mark.parametrize("runtime", ["loop", pytest.param("faust", marks=pytest.mark.soak)])
def test_workers_share_an_aggregate_across_partitions(shop: Shop, mesh: RunningMesh, runtime: Runtime) -> None:
    case = Case("tumbling", (), size=60, retention=0)
    job = Job(mesh, case, f"{shop.domain}.{runtime}-totals", *shop.names)
    workers = [job.start(ordinal, "--finish", "--runtime", runtime) for ordinal in range(2)]
    for worker in workers:
        worker.finish()
    agree(shop.looker.written(shop.product(f"{runtime}-totals"), repeats=runtime == "faust"))


@pytest.mark.soak
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_kills_while_records_are_keyed_anew_leave_each_output_once(
    shop: Shop, mesh: RunningMesh, runtime: Runtime
) -> None:
    case, product = Case("tumbling", (), size=60, retention=0), shop.product(f"{runtime}-killed")
    job = Job(mesh, case, str(product.product), *shop.names, pause=0.01)
    topics = product.topics.repartition, product.topics.changelog
    places = [TopicPartition(topic, number) for topic in topics for number in range(product.partitions)]
    with Admin(mesh.admin) as admin:
        for _ in range(4):
            before = sum(admin.ends(places, committed=True).values())
            worker = job.start(0, "--finish", "--runtime", runtime)
            eventually(lambda before=before: sum(admin.ends(places, committed=True).values()) > before, 60)  # type: ignore[misc]
            assert worker.process.poll() is None, "it was done before it was killed; more records are needed"
            worker.kill()
    replace(job, pause=0).start(0, "--finish", "--runtime", runtime).finish()
    written = shop.looker.written(product, repeats=runtime == "faust")
    agree(written)
    eventually(lambda: len(shop.looker.written(product, public=True).outputs) == len(hours_of_keys()), 60, every=0.5)


def test_large_parent_sets_lie_beside_the_records_that_name_them(shop: Shop, way_in: Mesh) -> None:
    made = Processor(f"{shop.domain}.large")

    @made.window(shop.names[0], key=lambda record: bool(record.value["amount"] % 3), size=timedelta(days=1))  # type: ignore[index]
    def total(key: bool, window: Any, records: list[Any]) -> dict[str, Any]:
        return {"key": str(key), "total": 0, "count": len(records)}

    tally = way_in.process(made, until_end=True, finish=True)
    written = shop.looker.written(shop.product("large"))
    assert (tally.outputs, written.deposits) == (4, 2)  # a third of the offsets still fits into a header, two do not
    assert sorted(len(made.parents) for made in written.outputs) == [150, 150, 300, 300]


def test_a_lookup_waits_for_its_table_and_the_processor_for_a_signal(shop: Shop, mesh: RunningMesh) -> None:
    case = Case("asof", (), partitions=2)
    job = Job(mesh, case, f"{shop.domain}.priced", *shop.names)
    worker = job.start(0, "--progress", "json")
    product = shop.product("priced")
    publish(
        mesh, shop.rates, [Event(number, key, time, 7) for number in (0, 1) for key, time in (("a", 0), ("a", 100))]
    )
    shop.looker.learn()
    # Both partitions of the table have come to 100 s, so events before it are answered, and later ones wait.
    wanted = sum(each for each in range(200) if each // 2 < 100)
    eventually(lambda: len(shop.looker.written(product).outputs) >= wanted, 60, every=1.0)
    assert worker.stop() == 0, worker.words()
    written = shop.looker.written(product)
    assert len(written.outputs) == wanted
    priced = [made for made in written.outputs if dict(made.value)["key"] == "a"]
    assert all(any(product == RATES for product, _, _ in made.parents) for made in priced)
    assert f'"outputs": {wanted}' in worker.words()


def test_a_function_that_fails_stops_before_its_record_and_goes_on_when_mended(shop: Shop, way_in: Mesh) -> None:
    broken = Processor(f"{shop.domain}.failing")
    broken.each(shop.names[0])(
        lambda record, step: {"key": "x", "total": 1 // (100 - record.value["amount"]), "count": 1}
    )
    with pytest.raises(ProcessingFailed, match="ZeroDivisionError"):
        way_in.process(broken, until_end=True)
    mended = Processor(f"{shop.domain}.failing")
    mended.each(shop.names[0])(lambda record, step: {"key": "x", "total": record.value["amount"], "count": 1})
    way_in.process(mended, until_end=True)
    assert len(shop.looker.written(shop.product("failing")).outputs) == EVENT_COUNT


def tens(product: str, wrong: Callable[[Any], object]) -> Processor:
    """Parks every tenth record of the first partition: those that are wrong."""
    made = Processor(product, on_error="park")

    @made.each(product.partition(".")[0] + ".events")
    def ten(record: Any, step: Any) -> dict[str, Any]:
        amount = record.value["amount"]
        return {"key": "x", "total": wrong(amount) if amount % 20 == 0 else amount, "count": 1}

    return made


def test_parked_records_are_told_add_up_and_are_processed_when_the_group_is_set_back(
    shop: Shop, mesh: RunningMesh, way_in: Mesh
) -> None:
    product = shop.product("parking")
    tally = way_in.process(tens(str(product.product), lambda amount: 1 // 0 if amount else "text"), until_end=True)
    assert (tally.records, tally.outputs, tally.parked) == (EVENT_COUNT, EVENT_COUNT - 45, 45)
    passed(shop, product, EVENT_COUNT - 45)
    balance = way_in.reconcile(product.product)
    assert balance.adds_up, balance.mismatches
    assert sorted((each.parked, each.used) for each in balance.hops) == [(0, 450), (45, 405)]
    ingress = shop.events.topics.ingress
    first, failed = (way_in.why(f"{ingress}/0/{at}") for at in of_amounts(mesh, shop.events, ingress, 0, 20))
    told = [use for answer in (first, failed) for use in answer.uses if use.product == str(product.product)]
    assert [each.ending for each in told] == [Ending.PARKED] * 2
    assert told[0].reason.startswith("an output is not of its schema: total is of type str")
    assert f"ZeroDivisionError at {__file__}" in told[1].reason
    assert f"{product.product} said so" in told[1].reason
    count = counting(shop)
    assert way_in.process(count, until_end=True).records == EVENT_COUNT
    before = [fates(each) for each in way_in.reconcile(count.product).hops]
    set_back(mesh, product, shop.events)
    mended = tens(str(product.product), lambda amount: amount)
    assert way_in.process(mended, until_end=True).outputs == EVENT_COUNT
    passed(shop, product, EVENT_COUNT)
    again = way_in.reconcile(product.product)
    assert again.adds_up, again.mismatches
    assert sum(each.repeated for each in again.gate) == EVENT_COUNT - 45
    assert sum(each.parked for each in again.hops) == 0
    (use,) = [each for each in way_in.why(failed.at).uses if each.product == str(product.product)]
    assert (use.ending, len(use.outputs)) == (Ending.USED, 1)
    # What is in a state already makes nothing more, and nothing else is said of it.
    set_back(mesh, shop.product("counting"), shop.events)
    assert way_in.process(count, until_end=True) == Tally()
    after = way_in.reconcile(count.product)
    assert after.adds_up, after.mismatches
    assert [fates(each) for each in after.hops] == before


def counting(shop: Shop) -> Processor:
    """How many of the amounts of a minute are no multiple of three; the others are filtered."""
    made = Processor(str(shop.product("counting").product))
    key = lambda record: "c" if record.value["amount"] % 3 else None  # noqa: E731

    @made.window(shop.names[0], key=key, size=timedelta(seconds=60), retention=timedelta())
    def total(key: str, window: Any, records: list[Any]) -> dict[str, Any]:
        return {"key": key, "total": len(records), "count": 1}

    return made


def fates(hop: HopBalance) -> tuple[int, ...]:
    """What became of an input partition's records."""
    return hop.input, hop.used, hop.filtered, hop.late, hop.parked, hop.pending


def passed(shop: Shop, product: Contract, count: int) -> None:
    """Wait until so many outputs are public."""
    eventually(lambda: len(shop.looker.written(product, public=True).outputs) == count, 60, every=0.5)


def of_amounts(mesh: RunningMesh, contract: Contract, topic: str, *amounts: int) -> list[int]:
    """The offsets of some records of the first partition."""
    codec = RowCodec(contract.value_schema)
    with LogReader(mesh.admin) as reader:
        found = {
            cast("dict[str, Any]", codec.decode((each.value() or b"")[5:]))["amount"]: each.offset()
            for each in reader.read(TopicPartition(topic, 0), 0, 1 << 60)
        }
    return [found[each] for each in amounts]


def set_back(mesh: RunningMesh, product: Contract, source: Contract) -> None:
    """As docs/processors.md says: the group's offset of an input goes back to the first parked record."""
    places = [ConfluentPartition(source.topics.public, number, 0) for number in range(source.partitions)]

    client = AdminClient(mesh.admin.config())

    def done() -> bool:
        wanted = ConsumerGroupTopicPartitions(str(product.product), places)
        (future,) = client.alter_consumer_group_offsets([wanted]).values()
        # Until the session of the process that has ended is over, its group takes offsets from nobody else.
        return future.exception(20) is None and not any(each.error for each in future.result().topic_partitions)

    eventually(done, 60, every=0.5)


@pytest.mark.parametrize("runtime", ["loop", pytest.param("faust", marks=pytest.mark.soak)])
def test_what_is_keyed_anew_is_parked_where_its_key_or_its_function_fails(
    shop: Shop, mesh: RunningMesh, way_in: Mesh, runtime: Runtime
) -> None:
    product = shop.product(f"{runtime}-parking")
    made = Processor(str(product.product), on_error="park")

    def key(record: Any) -> str:
        return str(record.value["key"]) if record.value["amount"] != 50 else str(1 // 0)

    @made.aggregate(shop.names[0], key=key, start=list)
    def count(state: list[int], record: Any) -> tuple[list[int], dict[str, Any]]:
        state.append(record.value["amount"])
        total: object = len(state) // (record.value["amount"] - 60)
        return state, {"key": record.value["key"], "total": total if state[-1] != 70 else "text", "count": len(state)}

    tally = way_in.process(made, until_end=True, runtime=runtime)
    assert (tally.records, tally.parked, tally.outputs) == (EVENT_COUNT, 3, EVENT_COUNT - 3)
    written = shop.looker.written(product, repeats=runtime == "faust")
    parked = {(each.product, at) for each in written.progress for at in each.parked}
    assert parked == {
        (shop.names[0], at) for at in of_amounts(mesh, shop.events, shop.events.topics.public, 50, 60, 70)
    }
    # Amounts 50, 60 and 70 would be one of each key: its last output counts one less.
    counts = {dict(each.value)["key"]: 0 for each in written.outputs}
    for each in written.outputs:
        counts[dict(each.value)["key"]] = max(counts[dict(each.value)["key"]], dict(each.value)["count"])
    assert set(counts.values()) == {299}
    passed(shop, product, EVENT_COUNT - 3)
    balance = way_in.reconcile(product.product)
    assert balance.adds_up, balance.mismatches


@pytest.mark.parametrize("runtime", ["loop", pytest.param("faust", marks=pytest.mark.soak)])
def test_event_time_does_not_come_as_far_as_what_was_parked(shop: Shop, way_in: Mesh, runtime: Runtime) -> None:
    product = shop.product(f"{runtime}-ahead")
    made = Processor(str(product.product), on_error="park")

    def key(record: Any) -> str:
        return str(record.value["key"]) if record.value["amount"] < 600 else str(1 // 0)

    @made.window(shop.names[0], key=key, size=timedelta(minutes=1))
    def count(key: str, window: Any, records: list[Any]) -> dict[str, Any]:
        return {"key": key, "total": 0, "count": len(records)}

    tally = way_in.process(made, until_end=True, runtime=runtime)
    # What has a key comes to 299 s, so the minute before 300 s is open.
    assert (tally.parked, tally.outputs) == (300, 3 * 4)


def test_a_program_ends_with_the_error_in_one_sentence(shop: Shop, mesh: RunningMesh) -> None:
    job = Job(mesh, Case("tumbling", ()), f"{shop.domain}.events", *shop.names)
    worker = job.start()
    assert worker.process.wait(60) == UsageError.exit_code
    assert (
        worker.words().strip() == f"error: {shop.domain}.events is no derived product; its contract names no derivation"
    )


def test_ctrl_c_ends_a_program_after_its_commit(shop: Shop, mesh: RunningMesh) -> None:
    job = Job(mesh, Case("tumbling", (), size=60), f"{shop.domain}.stopped", *shop.names)
    worker = job.start()
    eventually(lambda: shop.looker.written(shop.product("stopped")).outputs, 60, every=0.5)
    worker.process.send_signal(signal.SIGINT)
    assert worker.process.wait(60) == 130, worker.words()
