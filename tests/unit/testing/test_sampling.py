"""Records made from contracts: judged as told, told as judged, and the same for the same seed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import re2

from mesh.contract import Contract
from mesh.contract.sample import Sample, Sampler, Unreached, as_json
from mesh.contract.sample.patterns import matching, near_misses
from mesh.errors import UsageError
from mesh.producer.files import Row, ndjson_rows
from mesh.testing.judging import OfflineJudge
from tests.support.documents import Workbench

CONTRACTS = sorted((Path(__file__).parents[3] / "contracts").rglob("*.odcs.yaml"))


def sampler(contract: Contract, seed: int = 0) -> Sampler:
    return Sampler(contract, OfflineJudge(contract).broken, seed)


def satisfying(source: Sampler, count: int) -> list[Sample]:
    found = [source.satisfying() for _ in range(count)]
    assert all(isinstance(each, Sample) for each in found), found
    return [each for each in found if isinstance(each, Sample)]


def read_back(contract: Contract, samples: list[Sample]) -> Iterator[Any]:
    """The records as ``mesh publish`` reads what ``mesh contract sample`` prints."""
    shape = sampler(contract).shape
    lines = [json.dumps(as_json(shape, each.record)) for each in samples]
    for row in ndjson_rows(lines, contract):
        assert isinstance(row, Row), row
        yield row.record


@pytest.mark.parametrize("document", CONTRACTS, ids=lambda path: path.name)
def test_records_of_the_repositorys_contracts_survive_the_way_over_ndjson(document: Path) -> None:
    contract = Contract.read(document)
    judge = OfflineJudge(contract, columns=True)
    records = list(read_back(contract, satisfying(sampler(contract), 20)))
    assert [judge.findings(each) for each in records] == [()] * 20
    assert len({json.dumps(each, default=str) for each in records}) > 15


def test_every_shape_is_drawn_and_survives_the_way_over_ndjson(every_shape: Contract) -> None:
    judge = OfflineJudge(every_shape)
    samples = satisfying(sampler(every_shape), 60)
    assert [judge.findings(each) for each in read_back(every_shape, samples)] == [()] * 60
    records = [each.record for each in samples]
    for name in ("price", "born", "state", "city", "wide"):
        values = [each[name] for each in records]
        assert None in values, f"{name} is never null"
        assert len({repr(value) for value in values}) > 2, f"{name} is always the same"
    edges = {each["half"] for each in records}
    assert 0.5 in edges, "no record lies on the bound"
    assert any(not str(each["city"]).isascii() for each in records), "no text of several bytes a character"


def test_every_clause_is_broken_alone_or_the_sample_says_what_else_breaks(every_shape: Contract) -> None:
    source, judge = sampler(every_shape), OfflineJudge(every_shape, columns=True)
    alone: set[str] = set()
    unreached: set[str] = set()
    for clause in source.clauses:
        found = source.breaking(clause)
        if isinstance(found, Unreached):
            unreached.add(clause)
            continue
        assert judge.broken(found.record) == found.breaks
        assert clause in found.breaks
        assert bool(found.note) == (found.breaks != {clause})
        alone |= found.breaks if not found.note else set()
    assert unreached == set()
    # A key that is missing is a finding of its own, four lines are too many for a rule, and a rule needs what it reads.
    together = {"ref.required", "lines.required", "lines.maxItems", "seen.required", "lines[].count.required"}
    assert set(source.clauses) - alone <= together


def test_the_same_seed_gives_the_same_records_and_another_gives_others(every_shape: Contract) -> None:
    first, again, other = (satisfying(sampler(every_shape, seed), 5) for seed in (7, 7, 8))
    assert first == again
    assert first != other


def test_what_cannot_be_is_said(every_shape: Contract) -> None:
    contradiction = {"name": "fee", "logicalType": "integer", "physicalType": "long"}
    rule = {
        "type": "custom",
        "engine": "cel",
        "id": "odd",
        "implementation": {"expression": "message.ref != message.ref"},
    }
    contract = Workbench().contract(
        lambda source: (
            source["schema"][0]["properties"].__setitem__(1, contradiction),
            source["schema"][0].update(quality=[rule]),
        )
    )
    found = sampler(contract).satisfying()
    assert isinstance(found, Unreached)
    assert "odd" in found.why
    with pytest.raises(UsageError, match=r"has no clause nowhere; it has ref\.required"):
        sampler(every_shape).breaking("nowhere")


@pytest.mark.parametrize(
    "pattern",
    [
        "^N[1-9]([0-9]{0,4}|[0-9]{0,3}[A-HJ-NP-Z]|[0-9]{0,2}[A-HJ-NP-Z]{2})$",
        r"^\d{3}-\w+\s?\S$",
        "^(?i)ab+c*?$",
        "^[^a-z]{2,}x?$",
        r"^\pL+[[:digit:]]{2}\z",
        "colou?r",
        r"^(?P<year>20\d\d)-(0[1-9]|1[0-2])$",
        "^.{3}$",
        "",
    ],
)
def test_texts_match_their_pattern_and_near_misses_do_not(pattern: str) -> None:
    rng = Random(1)
    texts = {matching(pattern, rng) for _ in range(20)}
    assert None not in texts
    assert all(re2.search(pattern, text) for text in texts)
    misses = [each for _ in range(5) for each in near_misses(pattern, rng)]
    assert not any(re2.search(pattern, text) for text in misses)
    assert misses or pattern == ""


def test_a_pattern_that_nobody_can_meet_by_construction_gives_none() -> None:
    assert matching("^a$b", Random(1)) is None
