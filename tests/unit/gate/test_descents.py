"""A derived product's records: parents are checked, nothing is public twice, nothing is lost, whatever happens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.contract import Contract
from mesh.gate import deposits as deposits_module
from mesh.gate import descents as descents_module
from mesh.gate.quarantine import Verb
from mesh.lineage import (
    Descent,
    ParentSet,
    Reference,
    Result,
    decode_descents,
    descent_in,
    encode_deposit,
    head_of,
    last_verdict,
)
from mesh.types import Finding
from tests.support.contracts import Draft
from tests.support.stepping import Stepping

GOOD, BAD, MENDED = {"speed": 1.0}, {"speed": 400.0}, {"speed": 2.0}
INPUT, OWN, STRANGER = UUID(int=101), UUID(int=7), UUID(int=5)


def derived(reaction: str = "quarantine") -> Contract:
    draft = Draft(product="weather.gusts", reaction=reaction, topic={"partitions": 1})
    document: Any = yaml.safe_load(draft.text)
    derivation = {"property": "derivation", "value": {"inputs": ["weather.readings"]}}
    document["schema"][0]["customProperties"].append(derivation)
    return Contract.parse(yaml.safe_dump(document))


READINGS = Draft(product="weather.readings", topic={"partitions": 1}).contract()
PLAIN, HOLDING = derived(), derived("hold-key")


def made(offset: int, *others: Reference, index: int = 0) -> Descent:
    driving = Reference(INPUT, 0, offset)
    return Descent(driving, index, ParentSet.of([driving, *others]))


def slotted(offset: int) -> Descent:
    return replace(made(offset), slot=offset.to_bytes(16, "big"))


class Gate(Stepping):
    """A gate of one derived product."""

    def __init__(self, contract: Contract = PLAIN) -> None:
        super().__init__(contract, READINGS)

    def send(self, *records: tuple[Mapping[str, object], Descent | bytes | None]) -> None:
        for record, told in records:
            header = told.encode() if isinstance(told, Descent) else told
            headers = [("mesh-parents", header)] if header is not None else []
            self.publish("EWR", record, headers)

    def public(self) -> list[Descent]:
        log = self.logs.logs[self.logs.topic_names.public]
        found = [descent_in(log[at].headers() or ())[0] for at in sorted(log)]
        return [each for each in found if isinstance(each, Descent)]

    def refusals(self) -> list[Finding]:
        log = self.logs.logs[self.logs.topic_names.quarantine]
        verdicts = [last_verdict(log[at].headers() or ()) for at in sorted(log)]
        return [finding for verdict in verdicts if verdict is not None for finding in verdict.findings]

    def deposit(self, payload: bytes) -> Reference:
        return Reference(OWN, 0, self.logs.append(self.logs.topic_names.parents, b"set", payload).at)

    def settle_all(self) -> None:
        """Work and mend until nothing waits."""
        for _ in range(100):
            self.work()
            waiting = self.open()
            last = self.logs.manifests()[-1] if self.logs.manifests() else None
            at_end = self.position == self.logs.ends_at[self.ingress.topic]
            if at_end and not waiting and (last is None or not last.records_parked):
                return
            for at in waiting:
                self.command(Verb.REPLAY, at, MENDED)
        raise AssertionError("it does not come to an end")


operations = st.one_of(
    st.tuples(st.just("send"), st.integers(0, 12), st.sampled_from([GOOD, GOOD, BAD])),
    st.tuples(st.just("send"), st.integers(0, 12), st.sampled_from([GOOD, BAD])),
    st.tuples(st.just("work"), st.integers(1, 6), st.sampled_from([True, True, False])),
    st.tuples(st.just("replay"), st.integers(0, 9)),
    st.sampled_from([("restart",), ("careful",), ("work", 9, False)]),
)


@settings(deadline=None, max_examples=150)
@given(st.lists(operations, min_size=10, max_size=40), st.booleans(), st.booleans())
def test_every_output_is_public_once_in_the_end(done: Sequence[tuple[Any, ...]], holding: bool, windows: bool) -> None:
    gate, sent = Gate(HOLDING if holding else PLAIN), set[Descent]()
    for kind, *rest in done:
        if kind == "send":
            output = slotted(rest[0]) if windows else made(rest[0])
            sent.add(output)
            gate.publish("AB"[rest[0] % 2], rest[1], [("mesh-parents", output.encode())])
        elif kind == "work":
            gate.work(rest[0], committed=rest[1])
        elif kind == "careful":
            gate.work(careful=True)
        elif kind == "restart":
            gate.restart()
        elif waiting := sorted(gate.open()):
            gate.command(Verb.REPLAY, waiting[rest[0] % len(waiting)], MENDED)
    gate.settle_all()
    gate.logs.check()
    assert len(gate.public()) == len(sent)
    assert set(gate.public()) == sent


def test_every_objection_says_what_and_where() -> None:
    gate = Gate()
    gate.send(
        (GOOD, None),
        (GOOD, b"\x09"),
        (GOOD, made(1, Reference(STRANGER, 0, 1))),
        (GOOD, made(1, Reference(INPUT, 1, 1))),
        (BAD, made(2, Reference(STRANGER, 0, 1))),
        (GOOD, made(3)),
    )
    gate.work()
    assert gate.public() == [made(3)]
    told = [(each.clause, each.reason) for each in gate.refusals()]
    assert told[0] == (
        "parents.missing",
        "the header 'mesh-parents' is missing; a derived record names the records it was made from",
    )
    assert told[1][0] == "parents.malformed"
    assert told[2] == (
        "parents.undeclared",
        f"it names a record of topic {STRANGER}, which is no public topic of weather.readings",
    )
    assert told[3] == ("parents.undeclared", f"it names partition 1 of topic {INPUT}, which has 1")
    assert [clause for clause, _ in told[4:]] == ["speed-possible"], "the parents of a refused record are not looked at"


def test_two_headers_are_one_too_many_and_a_product_of_source_takes_none() -> None:
    gate = Gate()
    gate.publish("EWR", GOOD, [("mesh-parents", made(1).encode()), ("mesh-parents", made(2).encode())])
    gate.work()
    assert [each.clause for each in gate.refusals()] == ["parents.malformed"]
    source = Stepping(READINGS)
    source.publish("EWR", GOOD, [("mesh-parents", made(1).encode())])
    source.work()
    assert source.open()
    assert not source.logs.manifests()[-1].parents


def test_an_input_made_again_is_another_topic() -> None:
    gate = Gate()
    gate.send((GOOD, made(1)))
    gate.work()
    gate.logs.ids[READINGS.topics.public] = UUID(int=300)
    fresh = Descent.of_one(Reference(UUID(int=300), 0, 0))
    gate.send((GOOD, made(2)), (GOOD, fresh))
    gate.work()
    assert gate.public() == [made(1), fresh]
    assert [each.clause for each in gate.refusals()] == ["parents.undeclared"]


def test_deposits_are_looked_at_and_nothing_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()
    parents = ParentSet.of([Reference(INPUT, 0, offset) for offset in range(0, 900, 3)])
    astray = ParentSet.of([Reference(STRANGER, 0, offset) for offset in range(0, 900, 3)])
    good, wrong = (replace(made(offset), parents=each) for offset, each in ((1, parents), (2, astray)))
    there, elsewhere = gate.deposit(encode_deposit(parents)), gate.deposit(encode_deposit(astray))
    progress = gate.deposit(b"\x02whatever")
    monkeypatch.setattr(ParentSet, "decode", None)
    gate.send((GOOD, good.deposited(there)), (GOOD, wrong.deposited(elsewhere)), (GOOD, good.deposited(elsewhere)))
    gate.send((GOOD, replace(good, index=1).deposited(progress)), (GOOD, good.deposited(Reference(OWN, 0, 99))))
    gate.send((GOOD, good.deposited(Reference(INPUT, 0, 0))))
    gate.work()
    monkeypatch.undo()
    assert gate.public() == [good.deposited(there)]
    reasons = [each.reason for each in gate.refusals()]
    assert [each.clause.removeprefix("parents.") for each in gate.refusals()] == [
        "undeclared",
        "malformed",
        "malformed",
        "malformed",
        "undeclared",
    ]
    assert "where other ones are" in reasons[1]
    assert "it is not a parent set" in reasons[2]
    assert "offset 99 of the topic of parents, where nothing is" in reasons[3]


def test_large_headers_end_a_transaction_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descents_module, "MOST_BYTES", 29 * 10)
    gate = Gate()
    gate.send(*((GOOD, made(offset)) for offset in range(25)))
    assert [gate.work(), gate.work(), gate.work()] == [10, 10, 5]
    assert gate.public() == [made(offset) for offset in range(25)]
    columns = [decode_descents(each.parents) for each in gate.logs.manifests()]
    assert [len(each.descents) for each in columns] == [10, 10, 5]


def test_deposits_that_take_long_end_a_batch_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deposits_module, "READ_SECONDS", 0.0)
    gate = Gate()
    parents = ParentSet.of([Reference(INPUT, 0, offset) for offset in range(0, 900, 3)])
    outputs = [replace(made(at), parents=parents).deposited(gate.deposit(encode_deposit(parents))) for at in range(3)]
    gate.send(*((GOOD, output) for output in outputs))
    assert [gate.work() for _ in range(3)] == [1, 1, 1]
    assert gate.public() == outputs


def test_what_diverges_waits_and_a_replay_of_it_is_refused_again() -> None:
    gate = Gate()
    gate.send((GOOD, made(1)), (GOOD, made(1, Reference(INPUT, 0, 0))), (GOOD, made(2)))
    gate.work()
    assert gate.public() == [made(1)]
    assert "breaks `parents.divergent`, which halts" in gate.alerts[0]
    gate.restart()
    assert gate.work() == 0, "the next owner stands still, too"
    gate.command(Verb.RESUME, 0)
    gate.work()
    gate.work()
    assert gate.public() == [made(1), made(2)]
    (at,) = gate.open()
    gate.command(Verb.REPLAY, at)
    gate.work()
    assert [each.result for m in gate.logs.manifests() for each in m.settlements][-1] is Result.REFUSED
    gate.logs.check()


def test_a_contract_without_derivation_carries_marks_and_list_on() -> None:
    gate = Gate()
    gate.send((GOOD, made(5)), (GOOD, made(4)))
    gate.work()
    assert head_of(gate.logs.manifests()[-1]).late
    source: Any = yaml.safe_load(yaml.safe_dump(PLAIN.document.source))
    source["schema"][0]["customProperties"].pop()
    gate.logs.contract = Contract.parse(yaml.safe_dump(source))
    gate.restart()
    gate.publish("EWR", GOOD)
    gate.work()
    gate.logs.contract = PLAIN
    gate.restart()
    gate.send((GOOD, made(4)), (GOOD, made(5)), (GOOD, made(6)))
    gate.work()
    tally = gate.logs.check()
    assert (tally.accepted, tally.repeated) == (4, 2)


def test_what_only_waits_has_not_passed_so_nothing_repeats_it() -> None:
    gate = Gate(HOLDING)
    gate.publish("A", BAD, [("mesh-parents", made(1).encode())])
    gate.publish("A", GOOD, [("mesh-parents", made(2).encode())])
    gate.publish("B", GOOD, [("mesh-parents", made(2).encode())])
    gate.publish("B", GOOD, [("mesh-parents", made(2).encode())])
    gate.work()
    assert gate.public() == [made(2)]
    gate.settle_all()
    assert gate.public() == [made(2), made(1)]
    assert gate.logs.check().repeated == 2
