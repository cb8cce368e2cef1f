"""Unsigned and zigzag variable-length integers (LEB128), the packing under every column of a manifest."""

from __future__ import annotations

from collections.abc import Sequence

from mesh.errors import LineageBroken

_CONTINUES = 0x80
_MAX_BITS = 70


def pack(values: Sequence[int]) -> bytes:
    """Concatenated varints of non-negative integers."""
    if not values or max(values) < _CONTINUES:
        return bytes(values)
    packed = bytearray()
    append = packed.append
    for value in values:
        rest = value
        while rest >= _CONTINUES:
            append(rest & 0x7F | _CONTINUES)
            rest >>= 7
        append(rest)
    return bytes(packed)


def zigzag(value: int) -> int:
    """A signed integer as a small unsigned one: 0, -1, 1, -2 become 0, 1, 2, 3."""
    return value << 1 if value >= 0 else (-value << 1) - 1


def unzigzag(value: int) -> int:
    """The inverse of ``zigzag``."""
    return -((value + 1) >> 1) if value & 1 else value >> 1


class VarintReader:
    """Reads what ``pack`` wrote, interleaved with raw bytes; raises LineageBroken where the bytes end too early."""

    def __init__(self, content: bytes, what: str) -> None:
        self._content, self._what, self._at = content, what, 0

    @property
    def exhausted(self) -> bool:
        return self._at >= len(self._content)

    def integer(self) -> int:
        """The next varint."""
        value = shift = 0
        while self._at < len(self._content) and shift < _MAX_BITS:
            byte = self._content[self._at]
            self._at += 1
            value |= (byte & 0x7F) << shift
            if byte < _CONTINUES:
                return value
            shift += 7
        raise LineageBroken(self._what, "a packed integer is cut off")

    def raw(self, length: int) -> bytes:
        """The next ``length`` bytes as they are."""
        taken = self._content[self._at : self._at + length]
        if len(taken) != length:
            raise LineageBroken(self._what, "packed bytes are cut off")
        self._at += length
        return taken

    def rest(self) -> bytes:
        """All bytes that are left."""
        taken, self._at = self._content[self._at :], len(self._content)
        return taken
