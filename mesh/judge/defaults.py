"""Defaults as the values they stand for: JSON has no bytes, so Avro writes them as text of ISO 8859-1."""

from __future__ import annotations

from typing import Any

_NAMED = ("record", "error", "enum", "fixed")


def make_native(parsed: Any) -> Any:
    """Replace, in place, the defaults of a parsed schema that are or hold bytes; gives the schema.

    The Avro library leaves them as text (Avro 1.12, "Complex types": a bytes or fixed default's code points 0-255 are
    its byte values), which its writer then refuses and its reader hands out.
    """
    _walk(parsed, {})
    return parsed


def _walk(schema: Any, named: dict[str, Any]) -> None:
    if isinstance(schema, list):
        for branch in schema:
            _walk(branch, named)
    elif isinstance(schema, dict):
        if schema.get("type") in _NAMED:
            named[schema["name"]] = schema
        for part in ("type", "items", "values"):
            _walk(schema.get(part), named)
        for field in schema.get("fields", ()):
            _walk(field["type"], named)
            if "default" in field:
                field["default"] = _native(field["type"], field["default"], named)


def _native(schema: Any, value: Any, named: dict[str, Any]) -> Any:
    """A default by its type; of a choice, as Avro has it, by the first branch that such a value can be of."""
    if isinstance(schema, list):
        fitting = [branch for branch in schema if _fits(branch, value, named)]
        return _native(fitting[0], value, named) if fitting else value
    resolved = named.get(schema, schema) if isinstance(schema, str) else schema
    kind = resolved["type"] if isinstance(resolved, dict) else resolved
    if kind in ("bytes", "fixed") and isinstance(value, str):
        return value.encode("latin-1")
    if kind in ("array", "map") or kind in ("record", "error"):
        return _of_many(resolved, kind, value, named)
    return _native(kind, value, named) if isinstance(kind, dict | list) else value


def _of_many(schema: dict[str, Any], kind: str, value: Any, named: dict[str, Any]) -> Any:
    if kind == "array":
        return [_native(schema["items"], each, named) for each in value]
    if kind == "map":
        return {key: _native(schema["values"], each, named) for key, each in value.items()}
    types = {field["name"]: field["type"] for field in schema["fields"]}
    return {name: _native(types[name], each, named) if name in types else each for name, each in value.items()}


def _fits(schema: Any, value: Any, named: dict[str, Any]) -> bool:
    resolved = named.get(schema, schema) if isinstance(schema, str) else schema
    kind = resolved["type"] if isinstance(resolved, dict) else resolved
    if value is None or kind == "null":
        return value is None and kind == "null"
    if isinstance(value, str):
        return kind in ("string", "bytes", "fixed", "enum")
    if isinstance(value, dict):
        return kind in ("record", "error", "map")
    return bool(kind == "array") == isinstance(value, list)
