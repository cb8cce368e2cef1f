"""The clauses of a contract: every rule a single record must keep, and what happens if it does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from mesh.contract.document import Place
from mesh.contract.expression import Expression
from mesh.contract.thresholds import Threshold
from mesh.types import Reaction


class ClauseKind(StrEnum):
    """What a clause asks. All but ``required`` and ``cel`` hold for a null value."""

    REQUIRED = "required"
    MINIMUM = "minimum"
    MAXIMUM = "maximum"
    EXCLUSIVE_MINIMUM = "exclusiveMinimum"
    EXCLUSIVE_MAXIMUM = "exclusiveMaximum"
    MULTIPLE_OF = "multipleOf"
    MIN_LENGTH = "minLength"
    MAX_LENGTH = "maxLength"
    PATTERN = "pattern"
    VALUES = "values"
    MIN_ITEMS = "minItems"
    MAX_ITEMS = "maxItems"
    UNIQUE_ITEMS = "uniqueItems"
    CEL = "cel"


@dataclass(frozen=True, slots=True)
class Clause:
    """One rule. ``path`` is dotted, empty for the whole record, ``name[]`` for the items of an array.

    ``argument`` by kind: a number for bounds (``Decimal`` for decimals; dates and times in the unit of their physical
    type, counted from the epoch or midnight; text where they are kept as text), a whole number for lengths, a tuple for
    ``values``, the text of an RE2 pattern that is *searched* (as in JSON Schema; anchor it with ^ and $), the source
    text for ``cel``, else True. A clause below an optional record holds where that record is null.
    """

    id: str
    path: str
    kind: ClauseKind
    argument: object
    reaction: Reaction
    description: str
    expression: Expression | None = None


@dataclass(frozen=True, slots=True)
class SetRule:
    """A rule over many records (row counts, duplicates, SQL): measured on the stream, it never refuses one.

    ``properties`` are the paths of the fields whose values are compared; ``period`` is seconds, None for all there is.
    """

    id: str
    path: str
    metric: str
    description: str
    properties: tuple[str, ...] = ()
    threshold: Threshold | None = None
    period: float | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything a contract asks of its records, and where its document says so, by clause id."""

    clauses: tuple[Clause, ...]
    set_rules: tuple[SetRule, ...]
    places: Mapping[str, Place]
