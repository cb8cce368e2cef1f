"""Documents written back: the same values, and the layout a person would have chosen."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.contract import Contract, Document
from mesh.contract.writing import Remarks, written_out

ROOT = Path(__file__).parents[3]
DOCUMENTS = sorted(ROOT.glob("contracts/*/*.odcs.yaml"))

# What YAML reads as something else when it stands bare, and what breaks lines.
BARE = "yes null ~ 1.0 0x1F 12:30 2026-01-01 1e3 << = a,b {a} [a &a *a !a %a @a `a 'a \"a : - a: |"
SPACED = ["a: b", "a #b", "- a", "? a", " a", "a ", "", "\ta", "a\tb", "word " * 40 + "end", "word  " * 40 + "end"]
BROKEN = [
    "a \nb",
    " a\nb",
    "a\nb",
    "a\nb\n",
    "\n",
    "a\n\nb",
    "a\n b",
    "a\n\n",
    "a\r\nb",
    "a\u2028b",
    "\x85",
    "\ufeff",
    "\U0001f600",
]
LONG = ["x" * 300, "é" * 130, "# a " * 50 + "b"]
ODD = st.sampled_from([*BARE.split(), *SPACED, *BROKEN, *LONG])
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text() | ODD
keys = st.sampled_from(["customProperties", "logicalTypeOptions", "properties", "value", "a", "yes"]) | st.text() | ODD
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=12
)


def storable(value: Any) -> bool:
    """Whether YAML has a way to write every text of a value: it has none for half a surrogate pair."""
    if isinstance(value, dict):
        return all(storable(key) and storable(each) for key, each in value.items())
    if isinstance(value, list):
        return all(map(storable, value))
    return not isinstance(value, str) or value.isascii() or value.encode("utf-8", "ignore").decode() == value


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(keys, trees, max_size=4).filter(storable))
def test_what_is_written_is_read_as_the_same(source: dict[str, Any]) -> None:
    again = Document.parse(written_out(source)).source
    assert again == source
    assert list(again) == list(source)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name.partition(".")[0])
def test_documents_come_back_as_they_were_but_for_comments(path: Path) -> None:
    text = "".join(
        line for line in path.read_text("utf-8").splitlines(keepends=True) if not line.lstrip().startswith("#")
    )
    kept = set(text.splitlines())
    written = Document.parse(text).dump()
    assert Contract.parse(written) == Contract.parse(text)
    assert sum(line in kept for line in written.splitlines()) > 0.95 * len(kept)


def test_unknown_and_nested_unknown_fields_are_kept() -> None:
    source = copy.deepcopy(Document.read(DOCUMENTS[0]).source)
    source["schema"][0]["properties"][0]["unheard"] = {"of": [1, {"x": None}], "when": "2026-01-01"}
    source["unheard"] = "of"
    again = Document.parse(Document(source).dump()).source
    assert again == source


def test_the_layout_is_the_one_of_the_repository() -> None:
    source = {
        "name": "Loans",
        "version": "1.0.0",
        "description": {"purpose": "word " * 25 + "end", "usage": "first\nsecond\n"},
        "tags": ["a", "b"],
        "schema": [
            {
                "name": "Loan",
                "customProperties": [{"property": "topic", "value": {"partitions": 4}}],
                "properties": [
                    {"name": "item", "required": True, "logicalTypeOptions": {"pattern": "^[A-Z]{2}$"}},
                    {"name": "tags", "items": {"logicalType": "string"}},
                ],
            }
        ],
        "slaProperties": [{"property": "retention", "value": 2, "unit": "y"}],
    }
    places: Any = ("schema", 0, "properties", 0)
    remarks = Remarks({places: ["What was lent."]}, {places: ["unique: true"]})
    assert (
        written_out(source, remarks)
        == f"""name: Loans
version: 1.0.0
description:
  purpose: >-
    {"word " * 22}word
    word word end
  usage: |
    first
    second
tags: [a, b]
schema:
  - name: Loan
    customProperties:
      - {{property: topic, value: {{partitions: 4}}}}
    properties:
      # What was lent.
      - name: item
        required: true
        logicalTypeOptions: {{pattern: '^[A-Z]{{2}}$'}}
        # unique: true
      - name: tags
        items: {{logicalType: string}}
slaProperties:
  - {{property: retention, value: 2, unit: y}}
"""
    )


def test_keys_too_long_to_stand_before_a_colon_are_written_all_the_same() -> None:
    source = {"k" * 2000: {"a": 1}}
    assert Document.parse(written_out(source)).source == source
