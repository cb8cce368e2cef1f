"""Avro bodies for tests: written as any writer may, blocks and all, and broken in the ways that decoders get wrong."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence
from typing import Any

Schema = Any
Mutation = Callable[[bytearray, random.Random], None]

_EDGES = (0, 1, 2, 3, 4, 0x7E, 0x7F, 0x80, 0x81, 0xBF, 0xC0, 0xC3, 0xE2, 0xED, 0xF0, 0xFE, 0xFF)
_BOMBS = (63, 64, -1, 1 << 20, 10**12, 1 << 31, -(1 << 31) - 1, 1 << 62, (1 << 63) - 1, -(1 << 63))


def varint(number: int) -> bytes:
    """A number as Avro writes it."""
    raw, out = number << 1 if number >= 0 else ~(number << 1), bytearray()
    while raw > 0x7F:
        out.append(raw & 0x7F | 0x80)
        raw >>= 7
    return bytes([*out, raw])


def written(schema: Schema, value: Any, chance: random.Random) -> bytes:  # noqa: PLR0911  (one for each type)
    """The body of a value; arrays and maps in one block or several, with or without their sizes."""
    if isinstance(schema, str):
        return _primitive(schema, value)
    if isinstance(schema, list):
        place = next(place for place, branch in enumerate(schema) if _is(branch, value))
        return varint(place) + written(schema[place], value, chance)
    match schema["type"]:
        case "record":
            return b"".join(written(part["type"], value[part["name"]], chance) for part in schema["fields"])
        case "array":
            return _blocks([written(schema["items"], item, chance) for item in value], chance)
        case "map":
            pairs = value.items()
            return _blocks(
                [_primitive("string", key) + written(schema["values"], item, chance) for key, item in pairs], chance
            )
        case "enum":
            return varint(schema["symbols"].index(value))
        case "fixed":
            return bytes(value)
    return written(schema["type"], value, chance)


def _is(branch: Schema, value: Any) -> bool:
    plain: dict[Any, tuple[type, ...]] = {"null": (type(None),), "string": (str,), "long": (int,), "int": (int,)}
    plain |= {"boolean": (bool,), "double": (float,), "float": (float,), "bytes": (bytes,)}
    kind = branch if isinstance(branch, str) else branch["type"]
    if kind in ("int", "long") and isinstance(value, bool):
        return False
    named: dict[str, tuple[type, ...]] = {"record": (dict,), "map": (dict,), "array": (list,), "fixed": (bytes,)}
    return isinstance(value, {**plain, **named, "enum": (str,)}[kind])


def _primitive(kind: str, value: Any) -> bytes:
    match kind:
        case "null":
            return b""
        case "boolean":
            return bytes([value])
        case "int" | "long":
            return varint(value)
        case "float" | "double":
            return struct.pack("<f" if kind == "float" else "<d", value)
    raw = value.encode() if kind == "string" else value
    return varint(len(raw)) + bytes(raw)


def _blocks(items: Sequence[bytes], chance: random.Random) -> bytes:
    out, at = b"", 0
    style = chance.randrange(4)
    while at < len(items):
        count = len(items) - at if style < 3 else chance.randrange(1, len(items) - at + 1)
        block = b"".join(items[at : at + count])
        sized = style == 2 or (style == 3 and chance.random() < 0.5)
        out += (varint(-count) + varint(len(block)) if sized else varint(count)) + block
        at += count
    return out + b"\0"


def _flip(body: bytearray, chance: random.Random) -> None:
    if body:
        body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)


def _edge(body: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(body) + 1)
    body[at : at + 1] = bytes([chance.choice(_EDGES)])


def _insert(body: bytearray, chance: random.Random) -> None:
    body.insert(chance.randrange(len(body) + 1), chance.choice(_EDGES))


def _delete(body: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(body) + 1)
    del body[at : at + chance.choice((1, 1, 2, 5))]


def _truncate(body: bytearray, chance: random.Random) -> None:
    del body[chance.randrange(len(body) + 1) :]


def _extend(body: bytearray, chance: random.Random) -> None:
    body += chance.choice((b"\0", b"\0\0", b"\2", b"\x80", b"\xff" * 12, bytes(body[:3])))


def _pad(body: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(body) + 1)
    first = body[at] if at < len(body) else 0
    body[at : at + 1] = bytes([first | 0x80, *([0x80] * chance.choice((0, 0, 1, 5, 6, 7, 8, 28))), 0])


def _index(body: bytearray, chance: random.Random) -> None:
    """A small number that goes wrong as an index, a boolean or a count."""
    at = chance.randrange(len(body) + 1)
    body[at : at + 1] = varint(chance.choice((-1, -2, -3, 1, 2, 3, 4, 5, 7)))


def _bomb(body: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(body) + 1)
    body[at : at + 1] = varint(chance.choice(_BOMBS))


def _block(body: bytearray, chance: random.Random) -> None:
    """The head of a block with a size that may be true."""
    at = chance.randrange(len(body) + 1)
    size = chance.choice((0, 1, 2, 3, 8, -1, len(body) - at, len(body) - at - 1, 1 << 62))
    body[at : at + 1] = varint(-chance.randrange(1, 4)) + varint(size)


def _splice(body: bytearray, chance: random.Random) -> None:
    begin, end = sorted((chance.randrange(len(body) + 1), chance.randrange(len(body) + 1)))
    at = chance.randrange(len(body) + 1)
    body[at:at] = body[begin:end][:64]


def _text(body: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(body) + 1)
    broken = (b"\x80", b"\xc0\xaf", b"\xed\xa0\x80", b"\xe2\x82", b"\xf4\x90\x80\x80", "é".encode(), "😀".encode())
    raw = chance.choice(broken)
    body[at : at + len(raw)] = raw


MUTATIONS: tuple[Mutation, ...] = (
    _flip,
    _edge,
    _insert,
    _delete,
    _truncate,
    _extend,
    _pad,
    _index,
    _bomb,
    _block,
    _splice,
    _text,
)


def mutated(body: bytes, chance: random.Random) -> bytes:
    """The body, broken once or a few times."""
    changed = bytearray(body)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        chance.choice(MUTATIONS)(changed, chance)
    return bytes(changed)
