"""Whose state an entry of the changelog is: a task's own name and partition begin its key."""

from __future__ import annotations

import json
from dataclasses import dataclass

from mesh.errors import LineageBroken
from mesh.stream.arrival import Place
from mesh.stream.values import encode_value


@dataclass(frozen=True, slots=True)
class Scope:
    """A task's part of the changelog: a function, named by its inputs, on one partition of one log."""

    name: str
    partition: int

    @classmethod
    def of(cls, products: tuple[str, ...], place: Place) -> Scope:
        """The part of the function that takes these products, on one log."""
        return cls(("*" if place.repartitioned else "") + "+".join(products), place.partition)

    def key(self, kind: str, rest: bytes = b"") -> bytes:
        """An entry's key, a JSON list: name, partition, kind, and what ``rest`` adds (``,`` and more of the list)."""
        return encode_value([self.name, self.partition, kind])[:-1] + rest + b"]"

    @classmethod
    def parse(cls, key: bytes) -> tuple[Scope, str]:
        """The part and kind of an entry by its key; raises LineageBroken."""
        try:
            name, partition, kind, *_ = json.loads(key)
            return cls(name, partition), kind
        except (ValueError, TypeError):
            raise LineageBroken("a processor's state", "the key of an entry is damaged") from None
