"""Whatever somebody writes into a document, it is a contract or it is refused; nothing else can happen."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.contract import Contract, Document
from mesh.errors import ContractInvalid

HERE = Path(__file__).parent
SOURCES = [
    Document.read(path).source
    for path in (
        HERE / "golden" / "everything.odcs.yaml",
        HERE.parents[2] / "contracts" / "operations" / "flights.odcs.yaml",
    )
]

words = st.sampled_from(
    ["", "x", "string", "record", "a.b", "enum", "int", "map", "fixed(3)", "union", "READERS", "cel", "["]
)
scalars = st.none() | st.booleans() | st.integers(-5, 2**70) | st.floats(allow_nan=False, allow_infinity=False) | words
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2), max_leaves=4
)


def places(node: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [place, *(found for key, value in entries for found in places(value, (*place, key)))]


def changed(source: dict[str, Any], place: tuple[Any, ...], value: Any, *, remove: bool) -> dict[str, Any]:
    result = copy.deepcopy(source)
    node: Any = result
    for step in place[:-1]:
        node = node[step]
    if remove:
        del node[place[-1]]
    else:
        node[place[-1]] = value
    return result


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_changed_document_is_a_contract_or_is_refused(data: st.DataObject) -> None:
    source = data.draw(st.sampled_from(SOURCES))
    place = data.draw(st.sampled_from(places(source)[1:]))
    document = Document(changed(source, place, data.draw(values), remove=data.draw(st.booleans())))
    try:
        contract = Contract.of(document)
    except ContractInvalid as error:
        assert error.problems
    else:
        assert contract.value_schema_json
        assert contract.rule_set_digest
