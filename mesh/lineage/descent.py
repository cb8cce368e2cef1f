"""The ``mesh-parents`` header: what a derived record says of itself, so that it is passed once and can be traced."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, NamedTuple
from uuid import UUID

from mesh.errors import LineageBroken
from mesh.lineage.parents import ParentSet
from mesh.lineage.reference import SIZE, Reference
from mesh.lineage.varint import VarintReader, pack
from mesh.types import light

PARENTS_HEADER: Final = "mesh-parents"

MAX_INLINE: Final = 256
"""Bytes. A larger set goes to the product's topic of parents, so that a header does not grow with what it speaks of."""

_WHAT = "a mesh-parents header"
_ONE, _GENERAL = 1, 2
_SLOT, _PREVIOUS, _DEPOSIT = 1, 2, 4
_ID = 16
_DIGEST = 32


class Identity(NamedTuple):
    """Which output a record is (``slot``) and what it was made from (``digest``); 16 bytes each.

    Same slot and digest: the same output again. Same slot, other digest: a replay that diverged.
    """

    slot: bytes
    digest: bytes


@dataclass(frozen=True, slots=True)
class Deposit:
    """Where a large parent set lies: a record of the product's topic of parents, with its count and SHA-256."""

    at: Reference
    count: int
    sha256: bytes


@light
class Descent:
    """Where one derived record comes from.

    ``driving`` is the input record whose processing made it, ``index`` tells the outputs of one driving record apart.
    ``slot`` is given where the output is not named by those two (a window, say); ``previous`` is the output that this
    one continues or supersedes. Exactly one of ``parents`` and ``deposit`` is given.
    """

    driving: Reference
    index: int = 0
    parents: ParentSet | None = None
    deposit: Deposit | None = None
    slot: bytes | None = None
    previous: Identity | None = None

    @classmethod
    def of_one(cls, parent: Reference) -> Descent:
        """The only output of its only parent."""
        return cls(parent, parents=ParentSet.of_one(parent))

    def identity(self, processor: str, output: str) -> Identity:
        """By the processor's name and the public topic it writes to; no version is part of it."""
        slot = self.slot if self.slot is not None else output_slot(processor, output, self.driving, self.index)
        return Identity(slot, self.digest)

    @property
    def digest(self) -> bytes:
        """That of the identity: what the record was made from and what it continues."""
        before = self.previous.slot + self.previous.digest if self.previous is not None else b""
        return hashlib.sha256(self.sha256 + before).digest()[:_ID]

    @property
    def drives_alone(self) -> bool:
        """Whether the driving record is the only parent."""
        lots, at = (self.parents.lots if self.parents is not None else ()), self.driving
        if len(lots) != 1 or lots[0].offsets.runs != ((at.offset, 1),):
            return False
        return lots[0].partition == at.partition and lots[0].topic_id == at.topic_id

    @property
    def sha256(self) -> bytes:
        """SHA-256 of the encoded parent set."""
        return self.deposit.sha256 if self.deposit is not None else _inline(self).digest()

    @property
    def count(self) -> int:
        """How many parents there are."""
        return self.deposit.count if self.deposit is not None else len(_inline(self))

    def deposited(self, at: Reference) -> Descent:
        """The same, once its parents lie in the topic of parents at ``at``."""
        return replace(self, parents=None, deposit=Deposit(at, self.count, self.sha256))

    @property
    def fits(self) -> bool:
        """Whether the parents may travel in the header."""
        return self.deposit is not None or len(_inline(self).encode()) <= MAX_INLINE

    def encode(self) -> bytes:
        """The header's value.

        Version 1, 29 bytes: one parent that drove it, output 0. Version 2: flags, the driving topic id, partition,
        offset and output index as varints, slot (16 bytes) and previous identity (32) where flagged, then the parent
        set; or, where flagged, topic id, partition and offset of the deposit, its count and SHA-256.
        """
        plain = self.slot is None and self.previous is None and self.index == 0 and self.deposit is None
        if plain and self.drives_alone:
            return self.driving.pack()
        flags = (self.slot is not None) * _SLOT | (self.previous is not None) * _PREVIOUS
        flags |= (self.deposit is not None) * _DEPOSIT
        head = bytes([_GENERAL, flags]) + _packed(self.driving) + pack([self.index])
        before = self.previous.slot + self.previous.digest if self.previous is not None else b""
        return head + (self.slot or b"") + before + self._body()

    def _body(self) -> bytes:
        if self.deposit is None:
            return _inline(self).encode()
        return _packed(self.deposit.at) + pack([self.deposit.count]) + self.deposit.sha256

    @classmethod
    def decode(cls, content: bytes) -> Descent:
        """Read a header's value; raises LineageBroken for bytes that ``encode`` does not write."""
        if len(content) == SIZE and content[0] == _ONE:
            return cls.of_one(Reference.unpack(content))
        if not content or content[0] != _GENERAL or len(content) > _most():
            raise LineageBroken(_WHAT, "its version is unknown or it is too long; update the mesh")
        reader = VarintReader(content[1:], _WHAT)
        flags = reader.raw(1)[0]
        driving, index = _reference(reader), reader.integer()
        slot = reader.raw(_ID) if flags & _SLOT else None
        previous = Identity(reader.raw(_ID), reader.raw(_ID)) if flags & _PREVIOUS else None
        parents = deposit = None
        if flags & _DEPOSIT:
            deposit = Deposit(_reference(reader), reader.integer(), reader.raw(_DIGEST))
        else:
            parents = ParentSet.decode(reader.rest())
        found = cls(driving, index, parents, deposit, slot, previous)
        if not found.count or found.encode() != content:
            raise LineageBroken(_WHAT, "it is not written as the format says")
        return found


def output_slot(processor: str, output: str, driving: Reference, index: int = 0) -> bytes:
    """The slot of an output named by what drove it: BLAKE2b-128."""
    return _slot(b"driven", processor, output, driving.pack() + pack([index]))


def window_slot(
    processor: str, output: str, partition: int, window: tuple[int, int], key: bytes, revision: int
) -> bytes:
    """The slot of one revision of one window of a key; ``window`` is its start and end in epoch milliseconds."""
    low, high = (each.to_bytes(8, "big", signed=True) for each in window)
    return _slot(b"window", processor, output, pack([partition, revision]) + low + high + key)


def _slot(kind: bytes, processor: str, output: str, rest: bytes) -> bytes:
    head = _named(kind, processor, output)
    return hashlib.blake2b(head + pack((len(rest),)) + rest, digest_size=_ID).digest()


@lru_cache(256)
def _named(kind: bytes, processor: str, output: str) -> bytes:
    """How the slots of all outputs of a processor begin."""
    return b"".join(pack((len(each),)) + each for each in (kind, processor.encode(), output.encode()))


def _inline(descent: Descent) -> ParentSet:
    if descent.parents is None:
        raise LineageBroken(_WHAT, "its parents lie in the topic of parents")
    return descent.parents


def _packed(reference: Reference) -> bytes:
    return reference.topic_id.bytes + pack([reference.partition, reference.offset])


def _reference(reader: VarintReader) -> Reference:
    return Reference(UUID(bytes=reader.raw(_ID)), reader.integer(), reader.integer())


def _most() -> int:
    """A forged header must not cost more than an honest one can."""
    return 2 + _ID + 3 * 10 + _ID + 2 * _ID + max(MAX_INLINE, _ID + 3 * 10 + _DIGEST)
