"""The descent that the headers of a record on its way to a derived product tell, or what is wrong with it."""

from __future__ import annotations

from typing import Final

from mesh.errors import LineageBroken
from mesh.lineage.descent import PARENTS_HEADER, Descent
from mesh.types import Finding, Headers

MISSING: Final = "parents.missing"
"""The record does not say what it was made from."""

MALFORMED: Final = "parents.malformed"
"""What it says cannot be read, or does not lead to what it speaks of."""


def descent_in(headers: Headers) -> tuple[Descent | Finding, int]:
    """Read the one ``mesh-parents`` header there has to be; gives its size in bytes, too."""
    told = [value for name, value in headers if name == PARENTS_HEADER]
    if not told:
        reason = f"the header {PARENTS_HEADER!r} is missing; a derived record names the records it was made from"
        return Finding(MISSING, "", reason), 0
    if len(told) > 1 or told[0] is None:
        return Finding(MALFORMED, "", f"the header {PARENTS_HEADER!r} is there {len(told)} times or is null"), 0
    try:
        return Descent.decode(told[0]), len(told[0])
    except LineageBroken as error:
        return Finding(MALFORMED, "", f"the header {PARENTS_HEADER!r} cannot be read: {error.reason}"), 0
