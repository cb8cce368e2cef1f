"""Entries of the catalog survive the log and refuse what is not theirs."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mesh.catalog import Entry
from mesh.errors import ContractInvalid
from tests.support.contracts import Draft

HOME = "_mesh.weather.catalog"


def entry() -> Entry:
    return replace(Entry.of(Draft().contract(), "team-weather"), applied_at="2026-01-01T00:00:00Z", applied_by="x")


def test_an_entry_comes_back_as_it_was_and_holds_the_contract() -> None:
    key, value = entry().encode()
    assert key == b"weather.observations.v1"
    assert Entry.decode(HOME, key, value) == entry()
    assert entry().contract() == Draft().contract()
    assert (entry().home, entry().product, entry().owner) == (HOME, "weather.observations", "weather team")


def test_it_is_the_same_whoever_applied_it_when() -> None:
    assert entry().same_as(replace(entry(), applied_by="another", applied_at="later"))
    for name in ("version", "status", "owner", "source", "digest"):
        assert not entry().same_as(replace(entry(), **{name: "other"}))


@pytest.mark.parametrize(
    "value",
    [b"", b"\xff", b"[]", b"null", b"{}", b'{"topic": "x"}', json.dumps({"topic": "nonsense"}).encode()],
)
def test_what_is_not_an_entry_is_refused(value: bytes) -> None:
    with pytest.raises(ContractInvalid, match="not an entry"):
        Entry.decode(HOME, b"weather.observations.v1", value)


def test_an_entry_with_a_topic_that_is_none_is_refused() -> None:
    key, value = replace(entry(), topic="weather").encode()
    with pytest.raises(ContractInvalid, match="not an entry"):
        Entry.decode(HOME, key, value)


@pytest.mark.parametrize(
    ("home", "key"), [("_mesh.fleet.catalog", b"weather.observations.v1"), (HOME, b"weather.observations.v2")]
)
def test_an_entry_in_another_place_is_refused(home: str, key: bytes) -> None:
    with pytest.raises(ContractInvalid, match="does not belong here"):
        Entry.decode(home, key, entry().encode()[1])
