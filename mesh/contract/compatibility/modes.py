"""The modes of the registry: which earlier schemas count, and who must be able to read whose data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import StrEnum

from mesh.contract.compatibility.resolution import Direction, Incompatibility, compare


class Mode(StrEnum):
    """A compatibility mode: who must be able to read whose data, and how far back."""

    NONE = "NONE"
    BACKWARD = "BACKWARD"
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FORWARD = "FORWARD"
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    FULL = "FULL"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"

    @property
    def backward(self) -> bool:
        """Whether the new schema must read data of the earlier ones."""
        return self.value.startswith(("BACKWARD", "FULL"))

    @property
    def forward(self) -> bool:
        """Whether the earlier schemas must read data of the new one."""
        return self.value.startswith(("FORWARD", "FULL"))

    @property
    def transitive(self) -> bool:
        """Whether all earlier schemas count, and not only the last."""
        return self.value.endswith("_TRANSITIVE")


def check(mode: Mode | str, new: object, earlier: Sequence[object]) -> tuple[Incompatibility, ...]:
    """Why ``new`` may not follow ``earlier`` (oldest first) under ``mode``; empty when it may.

    Schemas are in parsed-JSON form. Raises ContractInvalid for what is not Avro.
    """
    return tuple(_checked(Mode(mode), new, earlier))


def _checked(mode: Mode, new: object, earlier: Sequence[object]) -> Iterator[Incompatibility]:
    first = 0 if mode.transitive else max(0, len(earlier) - 1)
    for against in range(first, len(earlier)):
        if mode.backward:
            yield from (replace(each, against=against) for each in compare(new, earlier[against]))
        if mode.forward:
            for each in compare(earlier[against], new):
                yield replace(each, direction=Direction.FORWARD, against=against)
