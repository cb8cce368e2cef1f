"""What can keep a reader from a writer's data: one small object for each rule of Avro's schema resolution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Protocol

from mesh.contract.shape import Enum, Fixed, Primitive, Record, RecordField, Shape, Union, describe


class Rule(Protocol):
    """One thing that can keep a reader from a writer's data, judged on two types that stand at the same place."""

    name: ClassVar[str]

    def broken(self, reader: Shape, writer: Shape) -> str | None:
        """Why the reader cannot read what the writer wrote here, parts not looked at; None when it can."""


# What a reader may make of a narrower writer type; everything else must be of the same kind.
_PROMOTIONS: Mapping[str, frozenset[str]] = {
    "long": frozenset({"int"}),
    "float": frozenset({"int", "long"}),
    "double": frozenset({"int", "long", "float"}),
    "string": frozenset({"bytes"}),
    "bytes": frozenset({"string"}),
}


class TypeChanged:
    """The kinds differ and Avro has no promotion between them."""

    name: ClassVar[str] = "type_changed"

    def broken(self, reader: Shape, writer: Shape) -> str | None:
        if reader.kind == writer.kind or writer.kind in _PROMOTIONS.get(reader.kind, ()):
            return None
        return f"{describe(writer)} cannot be read as {describe(reader)}"


class NameChanged:
    """Named types must have the same name, namespaces aside, or the reader an alias with the writer's full name."""

    name: ClassVar[str] = "name_changed"

    def broken(self, reader: Shape, writer: Shape) -> str | None:
        if not isinstance(reader, Record | Enum | Fixed) or not isinstance(writer, Record | Enum | Fixed):
            return None
        if _simple(reader.name) == _simple(writer.name) or writer.name in reader.aliases:
            return None
        return f"{describe(writer)} is called {reader.name} by the reader, which has no alias for it"


class FixedSizeChanged:
    """A fixed is read with the size it was written with."""

    name: ClassVar[str] = "fixed_size_changed"

    def broken(self, reader: Shape, writer: Shape) -> str | None:
        if not isinstance(reader, Fixed) or not isinstance(writer, Fixed) or reader.size == writer.size:
            return None
        return f"{writer.size} bytes cannot be read as {reader.size} bytes"


class EnumSymbolsMissing:
    """Every symbol that may have been written is known to the reader, or the reader's enum has a default.

    The default is the enum's: the one of a field stands in for a field that is not there, not for a symbol. Symbols
    that came and went again are judged by the pairs of a transitive mode, each version against the new one.
    """

    name: ClassVar[str] = "enum_symbols_missing"

    def broken(self, reader: Shape, writer: Shape) -> str | None:
        if not isinstance(reader, Enum) or not isinstance(writer, Enum) or reader.default is not None:
            return None
        missing = [symbol for symbol in writer.symbols if symbol not in reader.symbols]
        return f"the reader's enum has no default and lacks {', '.join(missing)}" if missing else None


class LogicalTypeChanged:
    """Two different logical types give the same number another meaning.

    Avro itself falls back to the underlying type, which would read seconds as days or cents as pounds in silence. A
    logical type that is added or taken away changes nothing that was written, and neither does a wider decimal; but
    the digits of a decimal in bytes are no text, nor text the digits of one.
    """

    name: ClassVar[str] = "logical_type_changed"

    def broken(self, reader: Shape, writer: Shape) -> str | None:
        if not isinstance(reader, Primitive | Fixed) or not isinstance(writer, Primitive | Fixed):
            return None
        wanted, written = reader.logical, writer.logical
        if wanted is None or written is None:
            decimals = "decimal" in (wanted and wanted.name, written and written.name)
            confused = decimals and {reader.kind, writer.kind} == {"string", "bytes"}
            return f"{written or writer.kind} would be read as {wanted or reader.kind}" if confused else None
        if wanted == written:
            return None
        widened = wanted.name == written.name and wanted.scale == written.scale and wanted.precision > written.precision
        return None if widened else f"{written} would be read as {wanted}"


class FieldWithoutDefault:
    """A field that was not written is filled with the reader's default, and there must be one."""

    name: ClassVar[str] = "field_without_default"

    def broken(self, wanted: RecordField, sources: Sequence[RecordField]) -> str | None:
        """Why the reader's field cannot be filled from what was written for it."""
        if sources or wanted.has_default:
            return None
        return "the writer has no such field and the reader no default for it"


class AliasAmbiguous:
    """A field is read from one field; two that its name and aliases both mean leave readers to guess, or to fail."""

    name: ClassVar[str] = "alias_ambiguous"

    def broken(self, wanted: RecordField, sources: Sequence[RecordField]) -> str | None:
        """Why the reader's field has too many fields to be read from."""
        if len(sources) < 2:
            return None
        return f"its name and aliases mean {' and '.join(each.name for each in sources)} of the writer; keep one"


class UnionBranchMissing:
    """What may have been written must be of some branch of the reader's union."""

    name: ClassVar[str] = "union_branch_missing"

    def told(self, reader: Union, writer: Shape) -> str:
        """The reason, where no branch takes what the writer wrote."""
        return f"the reader has no branch for {describe(writer)}; it reads {describe(reader)}"


MATCHING: tuple[Rule, ...] = (TypeChanged(), NameChanged(), FixedSizeChanged())
"""The rules that say which branch of a union a value belongs to."""

RULES: tuple[Rule, ...] = (*MATCHING, EnumSymbolsMissing(), LogicalTypeChanged())
FIELD_RULES = (FieldWithoutDefault(), AliasAmbiguous())
UNION_BRANCH = UnionBranchMissing()


def matches(reader: Shape, writer: Shape) -> bool:
    """Whether a value of the writer's type belongs to the reader's type, its parts not looked at."""
    return all(rule.broken(reader, writer) is None for rule in MATCHING)


def _simple(name: str) -> str:
    return name.rpartition(".")[2]
