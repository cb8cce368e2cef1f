"""Keys and state as bytes that give the same values back, and the same bytes for the same value."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any, Final
from uuid import UUID

from mesh.errors import LineageBroken, UsageError
from mesh.types import Coordinate

_MARK: Final = "$"
_PLAIN: Final = (str, int, bool, type(None))
# Made once: keys are encoded for every record, and json.dumps makes an encoder for every call.
_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode
_TEXT: Final = encode_basestring


def encode_value(value: Any) -> bytes:
    """Canonical JSON in UTF-8, in which everything that JSON lacks is ``{"$kind": ...}``.

    Takes what records are made of (numbers, text, bytes, decimals, UUIDs, dates and times, lists, tuples, mappings) and
    coordinates; raises UsageError for anything else, because state must come back as it was.
    """
    if type(value) is str:
        return _TEXT(value).encode()
    return _JSON(value if type(value) in _PLAIN else _plain(value)).encode()


def decode_value(content: bytes) -> Any:
    """What ``encode_value`` wrote; raises LineageBroken for other bytes."""
    try:
        return _back(json.loads(content))
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
        raise LineageBroken("a processor's state", f"its bytes are damaged ({type(error).__name__})") from None


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is list:
        return [_plain(each) for each in value]
    if kind is dict:
        return _mapping(value)
    writer = _WRITERS.get(kind)
    if writer is None:
        raise UsageError(f"a key or state cannot hold a {kind.__name__}; use numbers, text, times, lists and mappings")
    return writer(value)


def _mapping(value: dict[Any, Any]) -> dict[str, Any]:
    if all(type(name) is str and not name.startswith(_MARK) for name in value):
        return {name: _plain(each) for name, each in value.items()}
    return {"$map": sorted(([_plain(name), _plain(each)] for name, each in value.items()), key=repr)}


def _float(value: float) -> Any:
    # JSON has no NaN or infinities, and 1.0 must not come back as 1.
    return {"$float": value.hex()}


def _coordinate(value: Coordinate) -> dict[str, Any]:
    topic_id = value.topic_id.hex if value.topic_id is not None else None
    return {"$coordinate": [value.topic, value.partition, value.offset, topic_id, value.cluster_id]}


_WRITERS: Final[dict[type, Callable[[Any], Any]]] = {
    float: _float,
    tuple: lambda value: {"$tuple": [_plain(each) for each in value]},
    bytes: lambda value: {"$bytes": b64encode(value).decode()},
    Decimal: lambda value: {"$decimal": str(value)},
    UUID: lambda value: {"$uuid": value.hex},
    datetime: lambda value: {"$datetime": value.isoformat()},
    date: lambda value: {"$date": value.isoformat()},
    time: lambda value: {"$time": value.isoformat()},
    timedelta: lambda value: {"$duration": [value.days, value.seconds, value.microseconds]},
    Coordinate: _coordinate,
}


def _read_coordinate(content: Any) -> Coordinate:
    topic, partition, offset, topic_id, cluster_id = content
    return Coordinate(topic, partition, offset, UUID(topic_id) if topic_id else None, cluster_id)


_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "$float": float.fromhex,
    "$tuple": lambda content: tuple(_back(each) for each in content),
    "$bytes": lambda content: b64decode(content, validate=True),
    "$decimal": Decimal,
    "$uuid": UUID,
    "$datetime": datetime.fromisoformat,
    "$date": date.fromisoformat,
    "$time": time.fromisoformat,
    "$duration": lambda content: timedelta(*content),
    "$coordinate": _read_coordinate,
    "$map": lambda content: {_back(name): _back(each) for name, each in content},
}


def _back(value: Any) -> Any:
    if isinstance(value, list):
        return [_back(each) for each in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((name, content),) = value.items()
        if name.startswith(_MARK):
            return _READERS[name](content)
    return {name: _back(each) for name, each in value.items()}
