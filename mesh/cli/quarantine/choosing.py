"""Words that choose quarantined records: a product or coordinates, then ``clause=``, ``key=``, ``since=`` and so on."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from mesh.errors import UsageError
from mesh.gate.quarantine import Selection, State
from mesh.types import Coordinate, ProductName, ProductTopics, SchemaId

Words = Annotated[
    list[str],
    typer.Argument(
        metavar="SELECTION...",
        help="<domain>.<product> or quarantine coordinates, then any of: clause=ID key=TEXT schema=ID version=X.Y.Z"
        " since=TIME until=TIME (arrival at the ingress) event-since=TIME event-until=TIME state=STATE."
        " Times are ISO 8601, or an age such as 90m, 12h or 7d. clause and state may be repeated.",
    ),
]

_AGE = re.compile(r"(\d+)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_MANY = {"clause": "clauses", "state": "states"}
_ONE = {
    "key": "key",
    "schema": "schema_id",
    "version": "version",
    "since": "since",
    "until": "until",
    "event-since": "event_since",
    "event-until": "event_until",
}


@dataclass(frozen=True, slots=True)
class Chosen:
    """A product, and which records of its quarantine."""

    product: ProductName
    selection: Selection


def choose(words: Sequence[str], states: Sequence[State] = tuple(State)) -> Chosen:
    """Read the words; ``states`` count where the words name none. Raises UsageError with the word that is wrong."""
    products: set[ProductName] = set()
    coordinates: list[Coordinate] = []
    parts: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if equals:
            _take(parts, name, text)
        elif "/" in word:
            coordinates.append(Coordinate.parse(word))
            products.add(ProductTopics.of_any(coordinates[-1].topic).product)
        else:
            products.add(ProductName.parse(word))
    if len(products) != 1:
        told = ", ".join(map(str, sorted(products))) or "none"
        raise UsageError(f"name one product, or coordinates of its quarantine; here are {told}")
    return Chosen(products.pop(), Selection(**{"states": tuple(states), "coordinates": tuple(coordinates), **parts}))


def _take(parts: dict[str, Any], name: str, text: str) -> None:
    if name in _MANY:
        parts[_MANY[name]] = (*parts.get(_MANY[name], ()), _read(name, text))
    elif name in _ONE and _ONE[name] not in parts:
        parts[_ONE[name]] = _read(name, text)
    else:
        problem = "is there twice" if name in _ONE else "chooses nothing"
        raise UsageError(f"{name}= {problem}; there are {', '.join(f'{each}=' for each in (*_MANY, *_ONE))}")


def _read(name: str, text: str) -> Any:
    try:
        return _READ.get(name, str)(text)
    except ValueError:
        hint = {"schema": "a number", "state": ", ".join(State)}.get(name, "ISO 8601, or an age such as 12h")
        raise UsageError(f"{name}={text} cannot be read; write {hint}") from None


def moment(text: str) -> datetime:
    """A time in ISO 8601, UTC where it names no zone, or an age before now; raises ValueError."""
    if _AGE.fullmatch(text):
        return datetime.now(UTC) - span(text)
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def span(text: str) -> timedelta:
    """A length of time such as 90m, 12h or 7d; raises ValueError."""
    age = _AGE.fullmatch(text)
    if not age:
        raise ValueError(text)
    return timedelta(**{_UNITS[age[2]]: int(age[1])})


_READ: Mapping[str, Callable[[str], Any]] = {
    "schema": lambda text: SchemaId(int(text)),
    "state": State,
    "since": moment,
    "until": moment,
    "event-since": moment,
    "event-until": moment,
}
