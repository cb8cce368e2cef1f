"""How far the outputs of a processor have come: a high-water mark for each partition whose records drive it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

from mesh.lineage.descent import Descent
from mesh.lineage.manifest import HighWater
from mesh.lineage.reference import Reference

Source = tuple[str, UUID, int]
"""A processor, and topic id and partition of the records that drive it."""

Position = tuple[int, int]
"""Offset of a driving record and index among its outputs; within a source they only grow, unless something repeats."""

Marks = Mapping[Source, Position]

OutputName = bytes | tuple[Reference, int]
"""What tells the outputs of one processor apart: the slot, else the driving record and the index."""


def marks_of(high_water: Iterable[HighWater]) -> dict[Source, Position]:
    """The marks a manifest carries."""
    return {(mark.processor, mark.topic_id, mark.partition): (mark.offset, mark.output_index) for mark in high_water}


def high_water_of(marks: Marks) -> tuple[HighWater, ...]:
    """The inverse of ``marks_of``, sorted."""
    return tuple(HighWater(*source, *position) for source, position in sorted(marks.items()))


def source_of(processor: str, descent: Descent) -> Source:
    """Whose mark an output may move."""
    return processor, descent.driving.topic_id, descent.driving.partition


def position_of(descent: Descent) -> Position:
    """To where it may move it."""
    return descent.driving.offset, descent.index


def name_of(descent: Descent) -> OutputName:
    """Which output of its processor a record is."""
    return descent.slot if descent.slot is not None else (descent.driving, descent.index)


def above(marks: Marks, processor: str, output: Descent) -> bool:
    """Whether an output comes after everything that its source has made by these marks."""
    mark = marks.get(source_of(processor, output))
    return mark is None or position_of(output) > mark
