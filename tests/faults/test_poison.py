"""R6: every kind of record that cannot be judged, at the head, in the middle and at the tail of a partition."""

from __future__ import annotations

import secrets
import struct
from typing import Any

import pytest

from mesh.contract import Contract
from mesh.judge.frame import frame
from mesh.kafka import Producer
from mesh.types import SchemaId
from tests.support.checker import check
from tests.support.contracts import Draft
from tests.support.fuzzing import varint
from tests.support.mesh import RunningMesh
from tests.support.toll import Toll
from tests.support.writing import Framing

pytestmark = pytest.mark.broker

GOOD = 200
"""Records between two blocks of bad ones."""

_NAME, _SPEED, _NONE = varint(1) + b"A", struct.pack("<d", 1.0), varint(0)
_SOME = varint(1)
_WHOLE = _NAME + _SPEED + _NONE + _NONE

# What a lenient decoder takes, crashes on, or spends a gigabyte for. The schema: a string, a double, an optional list
# of strings, an optional boolean.
MALFORMED = {
    "empty": b"",
    "cut in the name": _NAME[:1],
    "cut in the number": _NAME + _SPEED[:5],
    "cut before the last field": _NAME + _SPEED + _NONE,
    "trailing byte": _WHOLE + b"\0",
    "second record behind": _WHOLE + _WHOLE,
    "negative length": varint(-1) + _SPEED + _NONE + _NONE,
    "smallest length": varint(-(1 << 63)) + _SPEED + _NONE + _NONE,
    "length of a terabyte": varint(10**12) + b"A" + _SPEED + _NONE + _NONE,
    "number of eleven bytes": b"\xff" * 10 + b"\x01" + _SPEED + _NONE + _NONE,
    "number that never ends": b"\xff" * 40,
    "padded length": b"\x82\x00A" + _SPEED + _NONE + _NONE,
    "no UTF-8": varint(2) + b"\xff\xfe" + _SPEED + _NONE + _NONE,
    "half of a surrogate pair": varint(3) + b"\xed\xa0\x80" + _SPEED + _NONE + _NONE,
    "overlong UTF-8": varint(2) + b"\xc0\x80" + _SPEED + _NONE + _NONE,
    "branch that is not": _NAME + _SPEED + varint(2) + _NONE,
    "negative branch": _NAME + _SPEED + varint(-1) + _NONE,
    "list of a terabyte": _NAME + _SPEED + _SOME + varint(10**12) + _NONE + _NONE,
    "smallest block": _NAME + _SPEED + _SOME + varint(-(1 << 63)) + varint(0) + _NONE + _NONE,
    "block of a wrong size": _NAME + _SPEED + _SOME + varint(-1) + varint(9) + varint(1) + b"x" + _NONE + _NONE,
    "list that never ends": _NAME + _SPEED + _SOME + varint(1) + varint(1) + b"x",
    "truth of two": _NAME + _SPEED + _NONE + _SOME + b"\x02",
}
UNFRAMED = {
    "no frame": b"\0\0",
    "no bytes": b"",
    "wrong magic": b"garbage, not Avro",
    "unknown schema": frame(SchemaId(9_999_999), _WHOLE),
    "no value": None,
}


@pytest.fixture
def contract(mesh: RunningMesh) -> Contract:
    extra: list[dict[str, Any]] = [
        {
            "name": "tags",
            "logicalType": "array",
            "physicalType": "array",
            "items": {"logicalType": "string", "physicalType": "string", "required": True},
        },
        {"name": "calm", "logicalType": "boolean", "physicalType": "boolean"},
    ]
    topic = {"partitions": 1}
    contract = Draft(product=f"b{secrets.token_hex(4)}.readings", extra=extra, topic=topic).contract()
    mesh.apply(contract)
    return contract


@pytest.mark.parametrize("rounds", [1, pytest.param(20, marks=pytest.mark.soak)])
def test_bad_records_anywhere_in_a_partition_are_quarantined_and_stop_nothing(
    mesh: RunningMesh, contract: Contract, rounds: int, toll: Toll
) -> None:
    framing = Framing(mesh, contract)
    assert framing.decoded(frame(framing.value_id, _WHOLE)) == {
        "station": "A",
        "speed": 1.0,
        "tags": None,
        "calm": None,
    }
    # The largest one that the ingress takes; its key does not agree with it.
    largest = framing.value("A" * (contract.max_message_bytes - 250), 1.0, tags=None, calm=None)
    bad = [frame(framing.value_id, body) for body in MALFORMED.values()] + [*UNFRAMED.values(), largest]
    key = framing.key("A")
    good = [framing.value("A", float(number), tags=["x"], calm=True) for number in range(GOOD)]
    with Producer(mesh.connection(contract.product.domain)) as producer:
        for _ in range(rounds):
            for value in [*bad, *good, *bad, *good, *bad]:
                producer.produce(contract.topics.ingress, key=key, value=value, partition=0)
            producer.flush()
    mesh.await_gated(contract, 60)
    tally = check(mesh.admin, contract)
    refused, passed = 3 * len(bad) * rounds, 2 * GOOD * rounds
    toll.add("R6 poison", rounds=rounds, kills=0, written=refused + passed, read=tally.read)
    assert (tally.read, tally.accepted, tally.quarantined) == (refused + passed, passed, refused)
    assert tally.clauses["body.malformed"] == 3 * len(MALFORMED) * rounds
    assert tally.clauses["key.mismatch"] == 3 * rounds
