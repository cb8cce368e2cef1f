"""Every question as a function from a request to JSON, asked as the caller: the broker decides what is seen."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeAlias

from mesh.errors import MeshError, NotAuthorised, NotFound, UsageError
from mesh.inquiry.inquiry import Inquiry
from mesh.lineage import Reach, Standing
from mesh.lineage.ancestry import DEEP
from mesh.lineage.graph import column_sources, column_uses
from mesh.lineage.index import Lookup, StoredIndex
from mesh.lineage.reconcile import Window
from mesh.settings import Settings
from mesh.types import Coordinate, ProductName, ProductTopics

Json: TypeAlias = dict[str, Any]

MOST: Final = 1000
"""Entries of one page; more would only make one answer slower than several."""
_PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: who asks, the parts of the path, the parameters. ``settings`` act as the caller and nobody else."""

    principal: str
    platform: bool
    settings: Settings
    path: Mapping[str, str]
    query: Mapping[str, str]
    index: Path

    @property
    def coordinate(self) -> Coordinate:
        """The record asked about."""
        return Coordinate.parse("/".join(self.path[name] for name in ("topic", "partition", "offset")))

    @property
    def product(self) -> ProductName:
        return ProductName.parse(self.path["product"])

    def number(self, name: str, default: int, low: int, high: int) -> int:
        """A parameter that is a whole number; raises UsageError outside the bounds."""
        text = self.query.get(name, str(default))
        if not text.isascii() or not text.isdigit() or not low <= int(text[:12]) <= high:
            raise UsageError(f"{name} is {text[:40]!r}; write a whole number from {low} to {high}")
        return int(text)

    def moment(self, name: str) -> datetime | None:
        """A parameter that is a time; without a zone it is UTC."""
        text = self.query.get(name)
        if text is None:
            return None
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            raise UsageError(f"{name} is {text[:40]!r}; write a time such as 2026-03-01T12:00:00Z") from None
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    def page(self, name: str, entries: Sequence[Any]) -> Json:
        """The entries from ``offset`` on, at most ``limit``, and where the next page begins (null: nowhere)."""
        part = self.part()
        return self.paged(name, entries[part.start : part.stop], len(entries))

    def part(self) -> range:
        """The places of the entries that are asked for: from ``offset`` on, at most ``limit``."""
        offset = self.number("offset", 0, 0, 1 << 40)
        return range(offset, offset + self.number("limit", _PAGE, 1, MOST))

    def paged(self, name: str, entries: Sequence[Any], total: int) -> Json:
        """These as the page that was asked for, of so many in all."""
        end = self.part().stop
        return {name: list(entries), "total": total, "next": end if end < total else None}

    def inquiry(self) -> Inquiry:
        return Inquiry(self.settings, self.principal, StoredIndex(self.index))


Question: TypeAlias = Callable[[Asked], Json]


def trace(asked: Asked) -> Json:
    """One record, and what it was made from: ``depth`` hops, ``most`` parents of each partition."""
    depth = asked.number("depth", DEEP, 0, 1000)
    reach = Reach(depth, asked.number("most", 8, 1, MOST))
    with asked.inquiry() as inquiry:
        try:
            found = inquiry.trace(asked.coordinate)
        except NotAuthorised:
            return {"stub": _stub(inquiry, asked.coordinate.topic, str(asked.coordinate), None)}
        behind = inquiry.behind(found, reach)
        told: Json | None = behind.as_json() if behind is not None else None
        if told is not None:
            _fill_stubs(inquiry, told["records"], _digests(told))
        return {"record": found.as_json(), "behind": told}


def parents(asked: Asked) -> Json:
    """A record, and all it was made from directly, a page at a time: however many ``trace`` leaves out."""
    with asked.inquiry() as inquiry:
        try:
            record, found = inquiry.parents(asked.coordinate, asked.part())
        except NotAuthorised:
            return {"stub": _stub(inquiry, asked.coordinate.topic, str(asked.coordinate), None)}
        making, told = record.making, [each.as_json() for each in found]
        if making is not None:
            _fill_stubs(inquiry, told, dict.fromkeys((str(each["id"]) for each in told), making.sha256))
        known = making is None or making.parents is not None
        page = asked.paged("parents", told, making.count if making is not None else 0)
        return {"record": record.as_json(), "known": known} | page


def why(asked: Asked) -> Json:
    """Where one record ended, and what processors did with it."""
    with asked.inquiry() as inquiry:
        try:
            return inquiry.why(asked.coordinate).as_json()
        except NotAuthorised:
            return {"stub": _stub(inquiry, asked.coordinate.topic, str(asked.coordinate), None)}


def impact(asked: Asked) -> Json:
    """What was made from one record, a page at a time, and whether more can follow (``horizon`` in seconds)."""
    seconds = asked.number("horizon", 0, 0, 1 << 31)
    with asked.inquiry() as inquiry:
        try:
            found = inquiry.impact(asked.coordinate, timedelta(seconds=seconds) if seconds else None)
        except NotAuthorised:
            return {"stub": _stub(inquiry, asked.coordinate.topic, str(asked.coordinate), None)}
    told = found.as_json()
    effects = told.pop("effects")
    return told | asked.page("effects", effects if isinstance(effects, list) else [])


def reconcile(asked: Asked) -> Json:
    """Whether every partition of a product adds up; ``since`` and ``until`` choose transactions."""
    with asked.inquiry() as inquiry:
        window = Window.between(asked.moment("since"), asked.moment("until"))
        return inquiry.reconcile(asked.product, window).as_json()


def graph(asked: Asked) -> Json:
    """The graph as it is, or ``as_of`` a time; what was observed of other domains' products is left out."""
    at = asked.moment("as_of")
    found = Lookup(asked.index).graph(int(at.timestamp() * 1000) if at else int(time.time() * 1000))
    if "product" in asked.query:
        found = found.around(ProductName.parse(asked.query["product"]))
    told = found.as_json()
    products = [_seen(asked, each, each["topic"], _OBSERVED_OF_PRODUCT) for each in told["products"]]
    hops = [
        _seen(asked, each, each["to"], _OBSERVED_OF_HOP)
        for each in told["hops"]
        if _own(asked, each["to"]) or each["known"] != "observed"
    ]
    return {"at": told["at"], "hops": hops} | asked.page("products", products)


def columns(asked: Asked) -> Json:
    """Which fields feed a field, or with ``forward=true`` what it feeds."""
    at = asked.moment("as_of")
    known = Lookup(asked.index).contracts(int(at.timestamp() * 1000) if at else None)
    walk = column_uses if asked.query.get("forward", "").lower() == "true" else column_sources
    return asked.page("columns", [each.as_json() for each in walk(known, asked.product, asked.path["field"])])


_OBSERVED_OF_PRODUCT: Final = ("judged_by", "records_per_second", "refused_per_second", "last_active")
_OBSERVED_OF_HOP: Final = ("build", "records_per_second")


def _own(asked: Asked, topic: str) -> bool:
    return asked.platform or ProductTopics.of_public(topic).product.domain == asked.principal


def _seen(asked: Asked, told: Json, topic: str, observed: Sequence[str]) -> Json:
    if _own(asked, topic):
        return told
    return {**told, **dict.fromkeys(observed), "known": "declared"}


def _digests(told: Json) -> dict[str, str]:
    """The digest of the parents that each record of a walk is one of."""
    makings = (each["made"] for each in told["records"] if each["made"] is not None)
    return {at: made["sha256"] for made in makings for branch in made["parents"] for at in branch["records"]}


def _fill_stubs(inquiry: Inquiry, records: Sequence[Json], digests: Mapping[str, str]) -> None:
    """Say of every record that may not be looked into whose it is, and the digest of the parents it is one of."""
    for each in records:
        if each["standing"] == str(Standing.FORBIDDEN):
            at = str(each["at"])
            each["stub"] = _stub(inquiry, at.partition("/")[0], at, digests.get(each["id"]))


def _stub(inquiry: Inquiry, topic: str, at: str, digest: str | None) -> Json:
    """Coordinate, product, contract and owner, and the digest of the parent set that it is part of."""
    told: Json = {"at": at, "product": None, "contract": None, "owner": None, "parents_sha256": digest}
    try:
        contract = inquiry.contract(ProductTopics.of_any(topic).product)
    except (UsageError, NotFound):
        return told
    about = {"id": contract.id, "version": contract.version}
    return told | {"product": str(contract.product), "contract": about, "owner": contract.owner or None}


def status_of(error: MeshError) -> int:
    """The HTTP status of an error."""
    for kind, status in ((UsageError, 400), (NotAuthorised, 403), (NotFound, 404)):
        if isinstance(error, kind):
            return status
    return 503 if error.retriable else 409
