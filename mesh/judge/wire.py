"""The parts of Avro's encoding that generated decoders call; each refuses what has a shorter or another encoding."""

from __future__ import annotations

from typing import Final, NoReturn

from mesh.errors import MalformedBody

_CONTINUED: Final = sum(128 << shift for shift in (0, 7, 14, 21, 28))
"""What the marks of five bytes that are not the last ones add."""


def refuse(reason: str) -> NoReturn:
    """Raise MalformedBody from within an expression."""
    raise MalformedBody(reason)


def long_(body: bytes, at: int) -> tuple[int, int]:
    """A whole number of 64 bits in its shortest form, and the position after it."""
    raw = shift = 0
    while True:
        byte = body[at]
        at += 1
        raw |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift > 63:
            refuse("a number is longer than 64 bits")
    if raw >> 64:
        refuse("a number is longer than 64 bits")
    if byte == 0 and shift:
        refuse("a number is padded: it has a shorter form")
    return (raw >> 1) ^ -(raw & 1), at


def millis(body: bytes, at: int) -> tuple[int, int]:
    """A whole number of 64 bits, quickest where it is one of six bytes: a time of this century in milliseconds."""
    head = body[at : at + 6]
    if len(head) == 6:
        first, second, third, fourth, fifth, last = head
        if first > 127 < second and third > 127 < fourth and fifth > 127 and 0 < last < 128:
            raw = first + (second << 7) + (third << 14) + (fourth << 21) + (fifth << 28) + (last << 35) - _CONTINUED
            return (raw >> 1) ^ -(raw & 1), at + 6
    return long_(body, at)


def int_(body: bytes, at: int) -> tuple[int, int]:
    """A whole number of 32 bits in its shortest form, and the position after it."""
    number, at = long_(body, at)
    if not -0x80000000 <= number <= 0x7FFFFFFF:
        refuse("an int does not fit 32 bits")
    return number, at


def length(body: bytes, at: int) -> tuple[int, int]:
    """The length of a text or of bytes, which the rest of the body must hold, and the position after it."""
    size, at = long_(body, at)
    if size < 0:
        refuse("a length is negative")
    if size > len(body) - at:
        refuse("it ends too early: a length points behind its end")
    return size, at


def block(body: bytes, at: int) -> tuple[int, int, int]:
    """The head of a block: its items, the position after the head, and where the block must end (-1: not said)."""
    count, at = long_(body, at)
    end = -1
    if count < 0:
        size, at = long_(body, at)
        count, end = -count, at + size
        if size < 0 or end > len(body):
            refuse("the size of a block is negative or points behind the end")
    # Every item takes a byte or more, so the bytes left bound what a few bytes can claim.
    if count > len(body) - at:
        refuse("a block claims more items than bytes are left")
    return count, at, end


def decimal(raw: bytes, limit: int) -> None:
    """Refuse a decimal of more digits than its precision; ``limit`` is the first number that has more."""
    if not -limit < int.from_bytes(raw, "big", signed=True) < limit:
        refuse("a decimal has more digits than its precision")


def symbol(body: bytes, at: int, symbols: tuple[str, ...]) -> tuple[str, int]:
    """The symbol of an enum, and the position after its index."""
    index, at = int_(body, at)
    if not 0 <= index < len(symbols):
        refuse("an enum index names no symbol")
    return symbols[index], at
