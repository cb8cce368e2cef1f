"""A walk through the lineage as people see it: an indented tree, or a graph for Graphviz."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

from mesh.lineage import Branch, Graph, Making, Passage, Reference, Standing, Station

_INDENT = "  "


def tree(graph: Graph) -> Iterator[str]:
    """One line for each record and each hop, from the record back to its sources."""
    return _Tree(graph).station(graph.root, 0)


class _Tree:
    def __init__(self, graph: Graph) -> None:
        self._names = {reference.topic_id: each.at.topic for reference, each in graph.stations.items()}
        self._met: set[Reference] = set()

    def station(self, station: Station, depth: int) -> Iterator[str]:
        """A record, what it was made from, and below it the outputs that it continues, one after the other."""
        following: Station | None = station
        while following is not None:
            yield from self._one(following, depth)
            made, again = following.making, following.reference in self._met
            self._met.add(following.reference)
            if made is None or again:
                return
            yield from self._parents(made, depth + 2)
            if made.continuing:
                yield f"{_INDENT * (depth + 1)}continues{'' if made.before is not None else self._unknown(made)}"
            following = made.before

    def _one(self, station: Station, depth: int) -> Iterator[str]:
        indent = _INDENT * depth
        if station.reference in self._met:
            yield f"{indent}{station.at}  (see above)"
            return
        yield f"{indent}{station.at}{_origin(station)}{_trouble(station)}"
        if station.passage is not None:
            yield f"{indent}{_INDENT}passed  {passage(station.passage)}"
        if station.making is not None:
            yield f"{indent}{_INDENT}made    {self._making(station.making)}"

    def _unknown(self, making: Making) -> str:
        return "  (--depth)" if making.cut else "  an output that was not found"

    def _making(self, making: Making) -> str:
        build = f"build {making.build} [attested]" if making.build else "build unknown"
        driving = self._name(making.driving)
        trouble = f"; {making.trouble}" if making.trouble else ""
        by = f"by {making.processor} [declared], {build}"
        return f"{by}, output {making.index} of {driving}, parents {making.count:,} [attested]{trouble}"

    def _name(self, reference: Reference) -> str:
        name = self._names.get(reference.topic_id, str(reference.topic_id))
        return f"{name}/{reference.partition}/{reference.offset}"

    def _parents(self, making: Making, depth: int) -> Iterator[str]:
        if making.cut:
            yield f"{_INDENT * depth}... not followed further (--depth)"
        for branch in making.branches:
            yield from self._branch(branch, depth)

    def _branch(self, branch: Branch, depth: int) -> Iterator[str]:
        for each in branch.stations:
            yield from self.station(each, depth)
        if branch.left:
            place = f"{branch.topic}/{branch.lot.partition}"
            yield f"{_INDENT * depth}{place}: {branch.left:,} more of {len(branch.lot.offsets):,} (--all)"


def passage(hop: Passage) -> str:
    """The gate's hop on one line."""
    basis = hop.basis
    when = datetime.fromtimestamp(hop.created_at / 1000, UTC).isoformat(timespec="milliseconds")
    judged = f"contract {basis.contract_id} {basis.contract_version}, rules {basis.rule_set[:12]}"
    return f"{judged}, {hop.gate} build {basis.build}, {when} [observed]"


def _origin(station: Station) -> str:
    return f"  origin {station.origin} [attested]" if station.origin is not None else ""


def _trouble(station: Station) -> str:
    return f"  {station.standing}: {station.trouble}" if station.standing is not Standing.FOLLOWED else ""


def dot(graph: Graph) -> Iterator[str]:
    """The same for Graphviz: an arrow from each parent to what was made from it."""
    yield "digraph lineage {"
    yield "  rankdir=LR; node [shape=box];"
    numbers = {reference: f"r{number}" for number, reference in enumerate(graph.stations)}
    for reference, each in graph.stations.items():
        style = "" if each.standing is Standing.FOLLOWED else ", style=dashed"
        text = str(each.at) + (f"\n{each.origin}" if each.origin is not None else "")
        yield f"  {numbers[reference]} [label={json.dumps(text, ensure_ascii=False)}{style}];"
    for child, parent in graph.edges:
        making = graph.stations[child].making
        label = json.dumps(making.processor if making is not None else "", ensure_ascii=False)
        yield f"  {numbers[parent]} -> {numbers[child]} [label={label}];"
    yield "}"
