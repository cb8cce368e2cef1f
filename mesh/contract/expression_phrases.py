"""Rules that other words of a contract come to, written as expressions."""

from __future__ import annotations

import json
from collections.abc import Sequence


def never_in(path: str, values: Sequence[object]) -> str:
    """The rule that a field is none of these values; it holds where the field, or what is around it, is null.

    ``path`` is dotted, ``name[]`` for the items of an array.
    """
    listed = ", ".join(json.dumps(value, ensure_ascii=False) for value in values)
    return _beneath("message", path.replace("[]", ".[]").split("."), listed, 0)


def _beneath(value: str, segments: Sequence[str], listed: str, depth: int) -> str:
    guard = "" if value == "message" else f"{value} == null || "
    if not segments:
        return f"!({value} in [{listed}])"
    if segments[0] != "[]":
        inner = _beneath(f"{value}.{segments[0]}", segments[1:], listed, depth)
        return f"({guard}{inner})" if guard else inner
    inner = _beneath(f"x{depth}", segments[1:], listed, depth + 1)
    return f"({guard}{value}.all(x{depth}, {inner}))"
