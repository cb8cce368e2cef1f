"""A judge with columns and one without say the same of every batch: findings, reasons and event times."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

import pytest

from mesh.contract import Contract
from mesh.judge import Batch, Judge, RowCodec
from mesh.judge.columns import ColumnSift
from mesh.judge.frame import PREFIX, frame, prefix
from mesh.types import Headers, SchemaId
from tests.support.columns import GOOD, KEY, VALUE, Pair, broken, demo
from tests.support.judging import Court

OLDER, UNKNOWN = SchemaId(9), SchemaId(10)
HEADERS: Sequence[Headers] = ((), (("mesh-origin", b"x"),), (("mesh-verdict", b""),), (("note", None),))


def older(contract: Contract) -> str:
    """The schema without its last optional field."""
    schema = contract.value_schema
    last = max(number for number, part in enumerate(schema["fields"]) if isinstance(part["type"], list))
    return json.dumps(schema | {"fields": [part for number, part in enumerate(schema["fields"]) if number != last]})


def learned(contract: Contract, *, columns: bool) -> Judge:
    judge = Judge(contract, columns=columns)
    judge.learn(VALUE, contract.value_schema_json)
    judge.learn(KEY, contract.key_schema_json, key=True)
    judge.learn(OLDER, older(contract))
    judge.learn(UNKNOWN, None)
    return judge


@pytest.mark.parametrize("name", sorted(set(GOOD) - {"reference/carriers"}))
def test_mixed_batches(name: str) -> None:
    contract, pair, chance = demo(name), Pair(demo(name)), random.Random(name)
    rows, columns = learned(contract, columns=False), learned(contract, columns=True)
    records = [pair.complete(record) for record in GOOD[name]]
    writer = RowCodec(json.loads(older(contract)))
    names = {part["name"] for part in json.loads(older(contract))["fields"]}
    kinds = 0
    for _ in range(6):
        values: list[bytes | None] = []
        keys: list[bytes | None] = []
        for _ in range(400):
            record = chance.choice(records)
            value = pair.value(record)
            match chance.randrange(12):
                case 0:
                    value = next(iter(broken([value], chance)))
                case 1:
                    value = frame(OLDER, writer.encode({name: record[name] for name in names}))
                case 2:
                    value = chance.choice(
                        (prefix(UNKNOWN) + value[PREFIX:], b"", b"\x01" + value, value[:3], value[:5])
                    )
            values.append(None if chance.random() < 0.01 else value)
            keys.append(None if chance.random() < 0.01 else pair.key(chance.choice((record, record, records[0]))))
        batch = Batch(keys, values, chance.choices(HEADERS, (30, 2, 1, 1), k=400))
        expected, found = rows.judge(batch), columns.judge(batch)
        assert found.findings == expected.findings
        assert found.event_times == expected.event_times
        kinds += len({finding.clause for findings in found.findings.values() for finding in findings})
    assert kinds > 12


def test_whole_batches() -> None:
    pair = Pair(demo("operations/flights"))
    rows, columns = learned(pair.contract, columns=False), learned(pair.contract, columns=True)
    records = [pair.complete(record) for record in GOOD["operations/flights"]]
    for size in (0, 1, 2, 95, 96, 97, 20_000):
        each = [records[row % 2] | {"minute": 99 if row % 50 == 7 else 15} for row in range(size)]
        batch = Batch([pair.key(record) for record in each], [pair.value(record) for record in each], [()] * size)
        expected, found = rows.judge(batch), columns.judge(batch)
        assert found.findings == expected.findings
        assert found.event_times == expected.event_times


@pytest.mark.parametrize("odd", [prefix(UNKNOWN), prefix(OLDER), b"\x01" + prefix(VALUE)[1:], b"\x00\x00", b"", None])
def test_one_value_of_another_schema_among_many(odd: bytes | None) -> None:
    pair = Pair(demo("operations/flights"))
    rows, columns = learned(pair.contract, columns=False), learned(pair.contract, columns=True)
    record = pair.complete(GOOD["operations/flights"][0])
    value, key = pair.value(record), pair.key(record)
    values: list[bytes | None] = [value] * 200
    for row in (3, 199):
        values[row] = odd + value[PREFIX:] if odd and len(odd) == PREFIX else odd
        batch = Batch([key] * 200, values, [()] * 200)
        expected, found = rows.judge(batch), columns.judge(batch)
        assert found == expected
        assert row in found.findings


def test_columns_are_used_where_they_can_be() -> None:
    for name in GOOD:
        assert isinstance(Judge(demo(name))._sift, ColumnSift)
        assert not isinstance(Judge(demo(name), columns=False)._sift, ColumnSift)
    assert not isinstance(Court().judge._sift, ColumnSift)  # lists and decimals


def test_what_columns_pass_needs_no_row() -> None:
    pair = Pair(demo("operations/flights"))
    records = [pair.complete(record) for record in GOOD["operations/flights"]] * 100
    batch = Batch([pair.key(record) for record in records], [pair.value(record) for record in records], [()] * 200)
    assert pair.by_columns(batch).doubtful == []
