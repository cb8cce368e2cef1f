"""What sampled values are like: how many, how many null, which, and the same of everything inside them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

# A record with more names than this is a map; remembering every key of a large sample would cost memory for nothing.
MOST_NAMES = 1_000

_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (Decimal, "decimal"),
    (str, "text"),
    (bytes, "bytes"),
    (datetime, "timestamp"),
    (date, "date"),
    (time, "time"),
    (UUID, "uuid"),
    (list, "array"),
    (dict, "object"),
)


@dataclass(slots=True)
class Profile:
    """The values of one field. ``seen`` counts all of them, nulls included; ``values`` the plain ones that are not."""

    seen: int = 0
    nulls: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    values: Counter[Any] = field(default_factory=Counter)
    lengths: Counter[int] = field(default_factory=Counter)
    fields: dict[str, Profile] = field(default_factory=dict)
    items: Profile | None = None

    def add(self, value: Any) -> None:
        """Take one value in."""
        self.seen += 1
        if value is None:
            self.nulls += 1
            return
        kind = next((name for type_, name in _KINDS if isinstance(value, type_)), "other")
        self.kinds[kind] += 1
        if kind == "object":
            self._object(value)
        elif kind == "array":
            self._array(value)
        elif not (isinstance(value, float) and not math.isfinite(value)):
            self.values[value] += 1

    def _object(self, value: Mapping[str, Any]) -> None:
        for name, inner in value.items():
            if name in self.fields or len(self.fields) < MOST_NAMES:
                self.fields.setdefault(name, Profile()).add(inner)

    def _array(self, value: list[Any]) -> None:
        self.lengths[len(value)] += 1
        self.items = self.items or Profile()
        for item in value:
            self.items.add(item)

    @property
    def held(self) -> int:
        """How many values were not null."""
        return self.seen - self.nulls

    @property
    def different(self) -> bool:
        """Whether no plain value was there twice, of two or more."""
        return len(self.values) > 1 and len(self.values) == self.held

    def children(self) -> Iterator[tuple[str, Profile, int]]:
        """The fields inside, each with how many of the objects had no such field."""
        objects = self.kinds["object"]
        for name, inner in self.fields.items():
            yield name, inner, objects - inner.seen


def profiled(records: list[dict[str, Any]]) -> Profile:
    """The profile of records."""
    profile = Profile()
    for record in records:
        profile.add(record)
    return profile
