"""Facets that follow from a contract: schema, columns, owners, version, names, assertions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mesh.contract import Contract
from mesh.contract.fields import Field
from mesh.contract.mapping import ColumnInput, Kind
from mesh.lineage.openlineage.names import Naming, facet
from mesh.types import ProductName

Facets = dict[str, Any]
Locate = Callable[[ProductName], tuple[str, str] | None]
"""The namespace and the name of a product's public topic; None for one that is not known."""


def schema_facet(contract: Contract) -> Facets:
    """The fields with types and descriptions; a child ``_element`` for arrays, ``key`` and ``value`` for maps."""
    fields = [_field(each, number) for number, each in enumerate(contract.fields, 1)]
    return {"schema": facet("SchemaDatasetFacet", "1-2-0", fields=fields)}


def _field(field: Field, position: int | None = None, name: str | None = None) -> dict[str, Any]:
    told: dict[str, Any] = {"name": name or field.name, "type": field.physical_type}
    if field.description:
        told["description"] = field.description
    if position is not None:
        told["ordinal_position"] = position
    children = [_field(each, number) for number, each in enumerate(field.fields, 1)]
    if field.items is not None:
        children = [_field(field.items, name="_element")]
    if field.values is not None:
        children = [{"name": "key", "type": "string"}, _field(field.values, name="value")]
    return told | ({"fields": children} if children else {})


def ownership(schema: str, contract: Contract) -> Facets:
    """Whom to ask; nothing where the contract names nobody. ``schema`` is that of a job's or a dataset's facet."""
    if not contract.owner:
        return {}
    return {"ownership": facet(schema, "1-0-1", owners=[{"name": f"team:{contract.owner}", "type": "OWNER"}])}


def version_facet(contract: Contract) -> Facets:
    """The version of the contract."""
    return {"version": facet("DatasetVersionDatasetFacet", "1-0-1", datasetVersion=contract.version)}


def symlinks(naming: Naming, topic: str) -> Facets:
    """The same topic under the cluster's other names."""
    if not naming.others:
        return {}
    known = [{"namespace": each, "name": topic, "type": "TOPIC"} for each in naming.others]
    return {"symlinks": facet("SymlinksDatasetFacet", "1-0-1", identifiers=known)}


def passed_columns(contract: Contract, namespace: str) -> Facets:
    """Of a gate's output: every field is that of the ingress, untouched."""
    name, same = contract.topics.ingress, [{"type": Kind.DIRECT, "subtype": "IDENTITY", "masking": False}]
    fields = {
        path: {"inputFields": [{"namespace": namespace, "name": name, "field": path, "transformations": same}]}
        for path in (_dotted(field) for top in contract.fields for field in top.walk())
    }
    return {"columnLineage": facet("ColumnLineageDatasetFacet", "1-2-0", fields=fields)}


def derived_columns(contract: Contract, locate: Locate) -> Facets:
    """Of a processor's output: what its contract declares; nothing where it declares nothing."""
    mapping = contract.mapping
    fields = {
        path.replace("[]", "._element"): {"inputFields": _inputs(inputs, locate)}
        for path, inputs in mapping.fields.items()
    }
    every = _inputs(mapping.every, locate)
    if not fields and not every:
        return {}
    content: dict[str, Any] = {"fields": fields} | ({"dataset": every} if every else {})
    return {"columnLineage": facet("ColumnLineageDatasetFacet", "1-2-0", **content)}


def _inputs(inputs: Iterable[ColumnInput], locate: Locate) -> list[dict[str, Any]]:
    """One entry for each input field, with all that is done with it."""
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for each in inputs:
        where = locate(each.product)
        if where is not None:
            told: dict[str, Any] = {"type": each.kind, "subtype": each.subtype, "masking": each.masking}
            told |= {"description": each.description} if each.description else {}
            found.setdefault((*where, each.path.replace("[]", "._element")), []).append(told)
    return [
        {"namespace": namespace, "name": name, "field": path, "transformations": told}
        for (namespace, name, path), told in found.items()
    ]


def _dotted(field: Field) -> str:
    return field.path.replace("[]", "._element")


def assertions(contract: Contract | None, counts: Mapping[str, int], judged: int) -> Facets:
    """How often each clause was broken by ``judged`` records: the gate's own counts.

    Clauses that no contract writes (framing, keys, headers) are told where they were broken.
    """
    known = {each.id: each for each in (contract.clauses if contract else ())}
    told: list[dict[str, Any]] = []
    for clause in (*known, *sorted(counts.keys() - known.keys())):
        broken, entry = counts.get(clause, 0), known.get(clause)
        one: dict[str, Any] = {"assertion": entry.kind if entry else clause, "name": clause, "success": broken == 0}
        one["severity"] = "warn" if entry and entry.reaction in ("warn", "mark") else "error"
        if entry and entry.path:
            one["column"] = entry.path.replace("[]", "._element")
        one |= {"expected": "0", "actual": str(broken), "params": {"broken": broken, "judged": judged}}
        told.append(one)
    return {"dataQualityAssertions": facet("DataQualityAssertionsDatasetFacet", "1-1-0", assertions=told)}
