"""Keys against the records they are on: the bytes of the key's fields, one after the other, behind a known prefix."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from typing import Final, cast

import numpy as np

from mesh.contract.shape import Record
from mesh.judge.columns.arrays import Bools, Ints, Unsupported
from mesh.judge.columns.cursor import Cursor
from mesh.judge.columns.wire import Wire, same_bytes
from mesh.judge.conditions import beneath
from mesh.judge.frame import PREFIX

Keys = Sequence["bytes | None"]

_PREFIX_BITS: Final = np.uint64((1 << 8 * PREFIX) - 1)


def key_check(record: Record, key: Sequence[str], prefixes: Set[bytes]) -> Callable[[Cursor, Keys], Bools]:
    """What says which keys are surely those of their records; ``prefixes`` are of keys in the contract's schema.

    Raises Unsupported for a key field that may be null.
    """
    if not key:
        return _keyless
    if any(beneath(part.type)[1] for part in record.fields if part.name in key):
        raise Unsupported("a key that may be null")

    def right(cursor: Cursor, keys: Keys) -> Bools:
        wire = _wire(keys)
        spans = [cursor.marks[name] for name in key]
        same = _known(wire, prefixes)
        same &= sum((end - begin for begin, end in spans), np.int64(PREFIX)) == wire.sizes
        at = wire.starts + PREFIX
        for begin, end in _joined(spans):
            sizes = np.where(same, end - begin, 0)
            same &= same_bytes(cursor.wire, begin, wire, at, sizes)
            at = at + sizes
        return same

    return right


def _keyless(cursor: Cursor, keys: Keys) -> Bools:
    if keys.count(None) == len(keys):
        return np.ones(len(keys), np.bool_)
    return np.fromiter((each is None for each in keys), np.bool_, len(keys))


def _wire(keys: Keys) -> Wire:
    try:
        return Wire(cast("Sequence[bytes]", keys), PREFIX)
    except TypeError:  # some are null, which is rare: looking for them costs more than this
        return Wire([key or b"" for key in keys], PREFIX)


def _known(wire: Wire, prefixes: Set[bytes]) -> Bools:
    heads = wire.words[wire.starts] & _PREFIX_BITS
    known = np.zeros(len(heads), np.bool_)
    for prefix in prefixes:
        known |= heads == np.uint64(int.from_bytes(prefix, "little"))
    return known & (wire.sizes >= PREFIX)


def _joined(spans: Sequence[tuple[Ints, Ints]]) -> list[tuple[Ints, Ints]]:
    """Neighbours in the value as one."""
    joined = [spans[0]]
    for begin, end in spans[1:]:
        if begin is joined[-1][1]:
            joined[-1] = joined[-1][0], end
        else:
            joined.append((begin, end))
    return joined
