"""The origins that publishers wrote, one column per manifest, so that they outlive the records."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from itertools import chain, groupby

from mesh.errors import LineageBroken
from mesh.lineage.varint import VarintReader, pack, unzigzag, zigzag

MAX_COLUMN = 256 * 1024
"""Bytes. A larger column is left out: its manifest would outgrow the lineage topic, and that would stop the gate."""

MAX_UNPACKED = 64 * 1024 * 1024
"""Bytes a column may unpack to; beyond it a forged one would balloon its reader."""

MAX_RECORDS = 10_000_000
"""Records a column may speak of, for the same reason; no transaction holds nearly as many."""

_WHAT = "an origins column"
_KEPT, _OMITTED = b"\x01", b"\x02"
_DIGITS = b"0123456789"
# Longer numbers would leave 64 bits, where other languages read a column wrongly.
_MAX_DIGITS = 18

Stem = tuple[bytes, bool]
"""The text before the trailing integer, and whether an integer follows."""


def encode_origins(origins: Sequence[bytes | None]) -> bytes:
    """Pack one origin per delivered record, in ingress order; None where the publisher wrote none.

    Kept: the byte 1, then zlib over varints: number of records; number of stems; each stem as ``length * 2 + numbered``
    and its bytes; runs of stems as ``stem index + 1`` (0 for None) and run length; last, for the numbered ones, the
    zigzag difference to the number before it under the same stem. Left out (over ``MAX_COLUMN``): the byte 2, the
    number of records as a varint and the SHA-256 of the unpacked column. No bytes at all when no record has an origin.
    """
    if not any(origin is not None for origin in origins):
        return b""
    stems: dict[Stem, int] = {}
    places, differences = _split(origins, stems)
    plain = b"".join((pack([len(origins), len(stems)]), *_stem_bytes(stems), _runs(places), pack(differences)))
    packed = _KEPT + zlib.compress(plain)
    if len(packed) <= MAX_COLUMN and len(plain) <= MAX_UNPACKED:
        return packed
    return _OMITTED + pack([len(origins)]) + hashlib.sha256(plain).digest()


def decode_origins(column: bytes) -> list[bytes | None]:
    """The origins of a column, in order; a column left out for its size gives None for every record.

    Raises LineageBroken for bytes that ``encode_origins`` did not write.
    """
    if not column:
        return []
    if column[:1] == _OMITTED:
        return [None] * _total(VarintReader(column[1:], _WHAT))
    if column[:1] != _KEPT:
        raise LineageBroken(_WHAT, f"its form {column[:1].hex()} is unknown; update the mesh")
    return _read(VarintReader(inflate(column[1:], MAX_UNPACKED, _WHAT), _WHAT))


def origins_omitted(column: bytes) -> bool:
    """Whether the column was left out for its size."""
    return column[:1] == _OMITTED


def _split(origins: Sequence[bytes | None], stems: dict[Stem, int]) -> tuple[list[int], list[int]]:
    places: list[int] = []
    differences: list[int] = []
    last: dict[int, int] = {}
    for origin in origins:
        if origin is None:
            places.append(0)
            continue
        stem = _stem(origin)
        place = stems.setdefault((origin[:stem], stem < len(origin)), len(stems)) + 1
        places.append(place)
        if stem < len(origin):
            number = int(origin[stem:])
            differences.append(zigzag(number - last.get(place, 0)))
            last[place] = number
    return places, differences


def _stem(origin: bytes) -> int:
    """Where the trailing integer starts; a leading zero belongs to the text, or it could not be written back."""
    start = max(len(origin.rstrip(_DIGITS)), len(origin) - _MAX_DIGITS)
    while start < len(origin) - 1 and origin[start] == _DIGITS[0]:
        start += 1
    return start


def _stem_bytes(stems: dict[Stem, int]) -> Iterator[bytes]:
    for text, numbered in stems:
        yield pack([len(text) * 2 + numbered])
        yield text


def _runs(places: Sequence[int]) -> bytes:
    runs = ((place, sum(1 for _ in same)) for place, same in groupby(places))
    return pack(list(chain.from_iterable(runs)))


def inflate(packed: bytes, most: int, what: str) -> bytes:
    """Unpack zlib's bytes; raises LineageBroken, naming ``what``, for others and for more than ``most`` bytes."""
    inflater = zlib.decompressobj()
    try:
        plain = inflater.decompress(packed, most)
    except zlib.error as error:
        raise LineageBroken(what, f"it does not unpack: {error}") from None
    if not inflater.eof or inflater.unused_data:
        raise LineageBroken(what, "it is cut off, or unpacks to more than any manifest holds")
    return plain


def _read(reader: VarintReader) -> list[bytes | None]:
    total, known = _total(reader), reader.integer()
    stems = [_read_stem(reader) for _ in range(known)]
    places: list[int] = []
    while len(places) < total:
        place, length = reader.integer(), reader.integer()
        if place > known or length > total - len(places):
            raise LineageBroken(_WHAT, "its runs do not add up")
        places.extend([place] * length)
    last = [0] * (known + 1)
    return [None if place == 0 else _origin(reader, stems[place - 1], place, last) for place in places]


def _total(reader: VarintReader) -> int:
    total = reader.integer()
    if total > MAX_RECORDS:
        raise LineageBroken(_WHAT, f"it claims {total} records")
    return total


def _read_stem(reader: VarintReader) -> Stem:
    head = reader.integer()
    return reader.raw(head >> 1), bool(head & 1)


def _origin(reader: VarintReader, stem: Stem, place: int, last: list[int]) -> bytes:
    text, numbered = stem
    if not numbered:
        return text
    last[place] += unzigzag(reader.integer())
    return text + b"%d" % last[place]
