"""JSON read strictly, and schema texts as values: what makes two of them the same schema."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn
from uuid import UUID

from mesh.contract import avro


def strict_json(content: str | bytes) -> Any:
    """Parse JSON that says one thing only: no name twice in an object, no NaN, no number out of range.

    Raises ValueError with the reason, for nesting that would exhaust the stack and for broken UTF-8 too.
    """
    try:
        # Left to itself the parser would guess at UTF-16 and UTF-32.
        text = content if isinstance(content, str) else content.decode()
        value = json.loads(text, object_pairs_hook=_without_repeats, parse_constant=_no_constant, parse_float=_finite)
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeError:
        raise ValueError("it is not UTF-8") from None
    return value


def _without_repeats(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in pairs:
        if name in result:
            raise ValueError(f"{name!r} occurs twice in one object")
        result[name] = value
    return result


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits} is out of range")
    return number


@dataclass(frozen=True, slots=True)
class SchemaText:
    """A schema as it is stored: parsed, and written again without white space.

    ``identity`` is the same for texts that differ only in white space, in the order of their keys, or in writing a
    plain type as an object; documentation, defaults, aliases and properties do count.
    """

    text: str
    identity: str
    schema: Any
    kind: str = "AVRO"

    @classmethod
    def parse(cls, text: str) -> SchemaText:
        """Read an Avro schema's text; raises ValueError with the reason when it is not strict JSON."""
        schema = strict_json(text)
        return cls(
            avro.text(schema), _digest(json.dumps(_plain(schema), sort_keys=True, separators=(",", ":"))), schema
        )

    @classmethod
    def stored(cls, text: str, kind: str = "AVRO") -> SchemaText:
        """A text found in the log; what cannot be read, or is not Avro, is the same as nothing but itself."""
        if kind == "AVRO":
            try:
                return cls.parse(text)
            except ValueError:
                return cls(text, _digest(f"?:{text}"), None)
        return cls(text, _digest(f"{kind}:{text}"), None, kind)

    @property
    def guid(self) -> str:
        """An id that does not depend on the registry it was asked of."""
        return str(UUID(hex=self.identity[:32]))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _plain(schema: Any) -> Any:
    if isinstance(schema, dict):
        if set(schema) == {"type"} and isinstance(schema["type"], str):
            return schema["type"]
        return {key: _plain(value) for key, value in schema.items()}
    return [_plain(each) for each in schema] if isinstance(schema, list) else schema
