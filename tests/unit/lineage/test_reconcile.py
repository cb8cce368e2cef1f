"""Reconciling lineages in memory: sound ones add up, and whatever is changed is named with partition and range."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest

from mesh.lineage import Descent, OffsetSet, ParentSet, Progress, Reference, decode_manifest, encode_manifest
from mesh.lineage.atlas import Atlas, Holding
from mesh.lineage.balance import Fault, GateBalance, HopBalance
from mesh.lineage.hops import Account, accounts, outputs_mismatch, reconcile_hop
from mesh.lineage.offsets import EMPTY
from mesh.lineage.reconcile import Window, reconcile_partition
from mesh.types import SchemaId, TopicPartition
from tests.support.ledgers import START, Ledger, Record

T = "operations.flights.v1"
INGRESS, PUBLIC, QUARANTINE, LINEAGE = (
    TopicPartition(name, 0) for name in (f"{T}.ingress", T, f"{T}.quarantine", f"{T}.lineage")
)
Log = dict[int, Record]


@pytest.fixture
def ledger() -> Ledger:
    """Nine transactions over 90 records, every tenth refused, with markers between them."""
    made = Ledger()
    made.product("operations.flights")
    for begin in range(0, 90, 10):
        made.publish(
            "operations.flights", *(b"%d%s" % (n, b"!" if n % 10 == 4 else b"") for n in range(begin, begin + 10))
        )
        made.gate("operations.flights")
        made.logs.skip(INGRESS)
    return made


def holding(ledger: Ledger, name: str = "operations.flights") -> Holding:
    return Atlas.of_one(ledger.logs, ledger.logs).holding(ledger.products[name].topics)


def reconciled(ledger: Ledger, window: Window | None = None) -> GateBalance:
    return reconcile_partition(holding(ledger), 0, window, wait=lambda _seconds: None)


def test_a_sound_lineage_adds_up(ledger: Ledger) -> None:
    ledger.publish("operations.flights", b"waits", b"waits!")
    balance = reconciled(ledger)
    assert balance.adds_up, balance.mismatches
    told = (balance.read, balance.passed, balance.refused, balance.pending, balance.manifests)
    assert told == (90, 81, 9, 2, 9)
    assert (balance.start, balance.end, balance.expired) == (0, 98, 0)


def test_parked_released_and_repeated_records_add_up(ledger: Ledger) -> None:
    ledger.publish("operations.flights", *(b"%d" % n for n in range(10)))
    ledger.gate(
        "operations.flights",
        park=lambda record: record.offset() % 5 == 0,
        repeat=lambda record: record.offset() % 5 == 1,
    )
    before = reconciled(ledger)
    assert before.adds_up, before.mismatches
    assert (before.read, before.passed, before.parked, before.repeated) == (100, 87, 2, 2)
    ledger.publish("operations.flights", b"after")
    ledger.gate("operations.flights", release=True)
    after = reconciled(ledger)
    assert after.adds_up, after.mismatches
    assert (after.read, after.released, after.passed, after.parked) == (101, 2, 90, 2)
    alter(ledger.logs.records[PUBLIC], max(ledger.logs.records[PUBLIC]) - 2)
    (found,) = reconciled(ledger).mismatches
    assert found.fault is Fault.ALTERED


def test_an_empty_partition_adds_up() -> None:
    ledger = Ledger()
    ledger.product("operations.flights")
    assert reconciled(ledger).adds_up


def test_what_retention_took_is_counted_and_not_an_alarm(ledger: Ledger) -> None:
    ledger.logs.expire(PUBLIC, 40)
    ledger.logs.expire(INGRESS, 50)
    ledger.logs.expire(QUARANTINE)
    balance = reconciled(ledger)
    assert balance.adds_up, balance.mismatches
    assert (balance.read, balance.passed, balance.refused) == (90, 81, 9)
    assert balance.expired == 9 + sum(1 for at in range(40) if at % 10 != 9)
    ledger.logs.expire(LINEAGE, 6)
    assert reconciled(ledger).adds_up
    assert reconciled(ledger).read == 60


def test_a_window_takes_the_transactions_of_its_time(ledger: Ledger) -> None:
    balance = reconciled(ledger, Window(START + 2000, START + 5000))
    assert balance.adds_up, balance.mismatches
    assert (balance.read, balance.passed, balance.refused, balance.manifests) == (30, 27, 3, 3)
    assert balance.pending == 0


def change(place: TopicPartition, tamper: Callable[[Log, int], None]) -> Callable[[Ledger, int], None]:
    return lambda ledger, at: tamper(ledger.logs.records[place], at)


def drop(log: Log, at: int) -> None:
    del log[at]


def alter(log: Log, at: int) -> None:
    log[at] = replace(log[at], content=(log[at].key(), (log[at].value() or b"")[:-1] + b"x"))


def rekey(log: Log, at: int) -> None:
    log[at] = replace(log[at], content=(b"another", log[at].value()))


def retell(log: Log, at: int) -> None:
    log[at] = replace(log[at], told=[("mesh-origin", b"elsewhere"), *log[at].told[1:]])


TAMPERED = {
    "public removed": (PUBLIC, drop, Fault.MISSING),
    "public altered": (PUBLIC, alter, Fault.ALTERED),
    "public key altered": (PUBLIC, rekey, Fault.ALTERED),
    "public header altered": (PUBLIC, retell, Fault.ALTERED),
    "quarantined removed": (QUARANTINE, drop, Fault.MISSING),
    "quarantined altered": (QUARANTINE, alter, Fault.ALTERED),
    "quarantined header altered": (QUARANTINE, retell, Fault.ALTERED),
    "ingress removed": (INGRESS, drop, Fault.MISSING),
    "ingress altered": (INGRESS, alter, Fault.ALTERED),
    "ingress header altered": (INGRESS, retell, Fault.ALTERED),
}


@pytest.mark.parametrize("what", TAMPERED)
@pytest.mark.parametrize("seed", range(6))
def test_one_record_changed_anywhere_is_named(ledger: Ledger, what: str, seed: int) -> None:
    place, tamper, fault = TAMPERED[what]
    at = random.Random(seed).choice(sorted(ledger.logs.records[place]))
    change(place, tamper)(ledger, at)
    balance = reconciled(ledger)
    assert not balance.adds_up
    assert [(each.fault, each.topic, each.partition, each.start, each.end) for each in balance.mismatches] == [
        (fault, place.topic, 0, at, at + 1)
    ]


@pytest.mark.parametrize("place", [PUBLIC, QUARANTINE])
def test_a_record_doubled_past_the_gate_is_named(ledger: Ledger, place: TopicPartition) -> None:
    log = ledger.logs.records[place]
    at = ledger.logs.write(place, *log[min(log)].content, log[min(log)].told)
    balance = reconciled(ledger)
    assert [(each.fault, each.topic, each.start) for each in balance.mismatches] == [(Fault.FOREIGN, place.topic, at)]


@pytest.mark.parametrize("place", [PUBLIC, QUARANTINE])
def test_a_record_in_the_place_of_a_marker_is_named(ledger: Ledger, place: TopicPartition) -> None:
    log = ledger.logs.records[place]
    at = next(offset for offset in range(max(log)) if offset not in log)
    log[at] = replace(log[min(log)], at=at)
    balance = reconciled(ledger)
    assert [(each.fault, each.topic, each.start) for each in balance.mismatches] == [(Fault.FOREIGN, place.topic, at)]


def test_a_record_the_gate_went_past_is_named(ledger: Ledger) -> None:
    ledger.logs.records[INGRESS][10] = replace(ledger.logs.records[INGRESS][11], at=10)
    (found,) = reconciled(ledger).mismatches
    assert (found.fault, found.topic, found.start, found.end) == (Fault.UNREAD, INGRESS.topic, 10, 11)


def test_neighbours_are_told_as_one_range(ledger: Ledger) -> None:
    for at in (13, 14, 15):
        del ledger.logs.records[PUBLIC][at]
    (found,) = reconciled(ledger).mismatches
    assert str(found).startswith(f"{T}/0/13-15: missing: ")


@pytest.mark.parametrize("which", [0, 3, -1])
def test_a_manifest_that_is_gone_breaks_the_chain(ledger: Ledger, which: int) -> None:
    del ledger.logs.records[LINEAGE][sorted(ledger.logs.records[LINEAGE])[which]]
    topics = {each.topic for each in reconciled(ledger).mismatches}
    assert topics & {LINEAGE.topic, PUBLIC.topic}, "the last one is missed by what it accounted for"


def test_manifests_that_changed_places_or_bytes_break_the_chain(ledger: Ledger) -> None:
    log = ledger.logs.records[LINEAGE]
    one, other = sorted(log)[3:5]
    log[one], log[other] = replace(log[other], at=one), replace(log[one], at=other)
    assert {each.fault for each in reconciled(ledger).mismatches} >= {Fault.CHAIN}
    log[one] = replace(log[one], content=(None, b"\x00\x00\x00\x00\x07nonsense"))
    assert any(each.start == one and each.fault is Fault.CHAIN for each in reconciled(ledger).mismatches)


def test_a_manifest_that_tells_another_story_is_found_by_the_next_ones_digest(ledger: Ledger) -> None:
    log = ledger.logs.records[LINEAGE]
    third, fourth = sorted(log)[3:5]
    manifest = decode_manifest(log[third].value() or b"")
    forged = replace(manifest, basis=replace(manifest.basis, contract_version="9.9.9"))
    log[third] = replace(log[third], content=(None, encode_manifest(forged, SchemaId(7))))
    (found,) = reconciled(ledger).mismatches
    assert (found.fault, found.topic, found.start) == (Fault.CHAIN, LINEAGE.topic, fourth)


def test_where_originals_expired_the_digest_names_the_range(ledger: Ledger) -> None:
    alter(ledger.logs.records[PUBLIC], 30)
    ledger.logs.expire(INGRESS)
    (found,) = reconciled(ledger).mismatches
    assert (found.fault, found.topic, found.start, found.end) == (Fault.ALTERED, T, 30, 39)


def test_a_manifest_that_comes_a_moment_after_its_records_is_waited_for(ledger: Ledger) -> None:
    log = ledger.logs.records[LINEAGE]
    last = max(log)
    late = log.pop(last)
    ledger.logs.ends[LINEAGE] = last
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        log[last] = late
        ledger.logs.ends[LINEAGE] = last + 2

    assert reconcile_partition(holding(ledger), 0, wait=wait).adds_up
    assert len(waited) == 1


@pytest.fixture
def derived(ledger: Ledger) -> Ledger:
    """A processor that has read 60 of the 81 public records, filtered every fifth, and was late once."""
    ledger.product("punctuality.delays", processor="punctuality.delays")
    public = sorted(ledger.logs.records[PUBLIC])
    for begin in range(0, 60, 20):
        taken = public[begin : begin + 20]
        used = [at for at in taken if at % 5]
        for at in used:
            parent = Reference(ledger.products["operations.flights"].ids.public, 0, at)
            ledger.derive("punctuality.delays", Descent(parent, parents=ParentSet.of([parent])))
        said = commit(ledger, taken, filtered=[at for at in taken if at % 5 == 0], outputs=len(used))
        ledger.progress("punctuality.delays", said)
    ledger.gate("punctuality.delays")
    return ledger


def commit(ledger: Ledger, taken: list[int], *, filtered: list[int], outputs: int) -> Progress:
    return Progress(
        processor="punctuality.delays",
        build="b",
        product="operations.flights",
        topic_id=ledger.products["operations.flights"].ids.public,
        partition=0,
        start=taken[0],
        end=taken[-1] + 1,
        delivered=OffsetSet.of(taken),
        filtered=OffsetSet.of(filtered),
        outputs=outputs,
        watermark=START + taken[-1],
    )


def hop(ledger: Ledger) -> HopBalance:
    flights = holding(ledger)
    said = accounts(holding(ledger, "punctuality.delays"))
    return reconcile_hop("punctuality.delays", flights, 0, said[flights.topic_id, 0], Window())


def test_a_processor_accounts_for_all_that_it_read(derived: Ledger) -> None:
    balance = hop(derived)
    assert balance.adds_up, balance.mismatches
    assert (balance.input, balance.pending, balance.commits) == (81, 21, 3)
    assert balance.used + balance.filtered == 60
    gate = [reconcile_partition(holding(derived, "punctuality.delays"), 0)]
    assert gate[0].adds_up
    said = accounts(holding(derived, "punctuality.delays")).values()
    assert outputs_mismatch(holding(derived, "punctuality.delays"), said, gate) is None


def test_a_record_a_processor_skipped_is_named(derived: Ledger) -> None:
    public = sorted(derived.logs.records[PUBLIC])
    taken = public[60:70]
    derived.progress("punctuality.delays", commit(derived, [*taken[:4], *taken[5:]], filtered=[], outputs=9))
    (found,) = hop(derived).mismatches
    assert (found.fault, found.topic, found.start) == (Fault.UNREAD, T, taken[4])


def test_a_commit_that_is_gone_is_named_by_what_it_accounted_for(derived: Ledger) -> None:
    log = derived.logs.records[TopicPartition("punctuality.delays.v1.parents", 0)]
    del log[sorted(log)[1]]
    found = hop(derived).mismatches
    public = sorted(derived.logs.records[PUBLIC])
    assert {each.fault for each in found} == {Fault.UNREAD}
    assert {at for each in found for at in range(each.start, each.end)} == set(public[20:40])


def test_ranges_that_overlap_after_a_crash_are_joined() -> None:
    said = [
        Progress(
            processor="p",
            build="b",
            product="a.b",
            topic_id=Reference.unpack(bytes([1]) + bytes(28)).topic_id,
            partition=0,
            start=start,
            end=end,
            delivered=OffsetSet.between(start, end),
            outputs=1,
        )
        for start, end in ((0, 10), (5, 20))
    ]
    account = Account.of(said)
    assert (account.covered, account.overlapping) == (OffsetSet.between(0, 20), True)
    assert not Account.of(said[:1]).overlapping


def account_of(*said: tuple[int, int, str]) -> Account:
    """Of commits over ``[start, end)`` that parked, filtered or only used their first record, or knew it already."""

    def progress(start: int, end: int, fate: str) -> Progress:
        first = OffsetSet.of([start])
        return Progress(
            processor="p",
            build="b",
            product="a.b",
            topic_id=UUID(int=0),
            partition=0,
            start=start,
            end=end,
            delivered=OffsetSet.between(start, end) - (first if fate == "known" else EMPTY),
            filtered=first if fate == "filtered" else EMPTY,
            parked=first if fate == "parked" else EMPTY,
        )

    return Account.of([progress(*each) for each in said])


@pytest.mark.parametrize(
    ("said", "parked", "filtered"),
    [
        ([(0, 10, "parked")], [0], []),
        ([(0, 10, "parked"), (10, 20, "filtered")], [0], [10]),
        ([(0, 10, "parked"), (0, 4, "used")], [], []),
        ([(0, 10, "parked"), (10, 20, "parked"), (0, 4, "used"), (4, 20, "filtered")], [], [4]),
        ([(0, 10, "used"), (0, 10, "parked")], [0], []),
        ([(0, 10, "parked"), (0, 10, "known")], [0], []),
        ([(0, 10, "parked"), (0, 10, "filtered"), (0, 10, "known")], [], [0]),
        ([(5, 10, "parked"), (0, 10, "parked")], [0], []),
    ],
)
def test_of_a_record_that_came_again_the_last_commit_counts(
    said: list[tuple[int, int, str]], parked: list[int], filtered: list[int]
) -> None:
    account = account_of(*said)
    assert (list(account.parked), list(account.filtered)) == (parked, filtered)
    assert account.delivered == account.covered


def test_a_parked_record_that_was_processed_later_is_used(derived: Ledger) -> None:
    before = hop(derived)
    public = sorted(derived.logs.records[PUBLIC])[60:70]
    parked = replace(commit(derived, public, filtered=[], outputs=9), parked=OffsetSet.of(public[3:4]))
    derived.progress("punctuality.delays", parked)
    assert (hop(derived).parked, hop(derived).used) == (1, before.used + 9)
    derived.progress("punctuality.delays", commit(derived, public[3:], filtered=[], outputs=7))
    assert (hop(derived).parked, hop(derived).used) == (0, before.used + 10)
    assert hop(derived).adds_up


def test_outputs_that_never_came_are_told(derived: Ledger) -> None:
    delays = holding(derived, "punctuality.delays")
    balance = reconcile_partition(delays, 0)
    balance.read -= 1
    found = outputs_mismatch(delays, accounts(delays).values(), [balance])
    assert found is not None
    assert "punctuality.delays.v1.ingress" in str(found)
