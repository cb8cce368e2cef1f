"""The classes and aliases that the records of a contract become in a module of pydantic models."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

from mesh.contract.avro import AvroSchema
from mesh.contract.clauses import Clause, ClauseKind
from mesh.contract.contract import Contract
from mesh.contract.export.constraints import MICROS, arguments, chosen, literal_type, refusing
from mesh.contract.export.defaults import default_of, mutable
from mesh.contract.export.layout import WIDTH, Group, Tree, call, docstring, flat, group, laid_out, quoted
from mesh.contract.export.names import Names, attributes
from mesh.contract.shape import Array, Enum, Fixed, Map, Primitive, Record, RecordField, Shape, Union

_PLAIN: Final = {"null": "None", "boolean": "bool", "int": "Int", "long": "Long", "string": "str", "bytes": "bytes"}
_LOGICAL: Final = {"uuid": "UUID", "date": "dt.date"}
_LOGICAL_UNITS: Final = {"time": "dt.time", "timestamp": "AwareDatetime", "local-timestamp": "NaiveDatetime"}
# Longer types get a name of their own, so that a field fits on its line.
_LONGEST: Final = 44


class Classes:
    """The classes and aliases of one module, those that others need first."""

    def __init__(self, contract: Contract) -> None:
        self.blocks: list[str] = []
        self._contract = contract
        self._classes: dict[tuple[object, ...], str] = {}
        self._homes: dict[tuple[object, ...], dict[str, tuple[str, str, str]]] = {}
        self._latest: dict[str, str] = {}
        self._definitions: dict[str, Any] = {}
        self._clauses: dict[str, list[Clause]] = defaultdict(list)
        self._said: set[str] = set()
        self._plain = 0
        for clause in refusing(contract.clauses):
            self._clauses[clause.path].append(clause)
        self._names = Names(_field_names([contract.value_schema, contract.key_schema]))

    def unsaid(self) -> list[str]:
        """The ids of the clauses that the module does not say."""
        return [clause.id for clause in self._contract.clauses if clause.id not in self._said]

    def key(self, shape: Shape, raw: AvroSchema) -> None:
        """The key: a class for several fields, an alias for one."""
        if isinstance(shape, Record):
            self.type(shape, raw, "", f"The key of a record of {self._contract.product}.")
            return
        (name,) = self._contract.key_fields or ("",)
        stem = f"{self._contract.value_schema['name']}Key"
        self._alias(stem, self._tree(shape, raw, name, stem))

    def type(self, shape: Shape, raw: Any, path: str, told: str = "", stem: str = "") -> str:
        """The type of a shape as a short expression; what is longer gets a name."""
        if not isinstance(shape, Record | Enum):
            tree = self._tree(shape, raw, path, stem)
            return flat(tree) if len(flat(tree)) <= _LONGEST else self._alias(stem or _simple(shape), tree)
        if isinstance(raw, str):
            raw = self._definitions[shape.name]
        self._definitions[shape.name] = raw
        # A type that is used twice is one class where the clauses below both places are the same.
        below = self._below(path)
        use = (shape.name, self._plain > 0, *below.values())
        if use not in self._classes or told:
            made = self._record(shape, raw, path, told) if isinstance(shape, Record) else self._enum(shape, path, stem)
            self._classes[use], self._homes[use] = made, below
        twins = {told_there for clause, told_there in self._homes[use].items() if clause in self._said}
        self._said.update(clause for clause, told_here in below.items() if told_here in twins)
        self._latest[shape.name] = self._classes[use]
        return self._classes[use]

    def _below(self, path: str) -> dict[str, tuple[str, str, str]]:
        """The clauses at a place and below it, by id: where they are from there, and what they say."""
        found = {}
        for clause in refusing(self._contract.clauses):
            rest = clause.path.removeprefix(path)
            if clause.path.startswith(path) and (not path or rest[:1] in ("", ".", "[", "{")):
                found[clause.id] = (rest, clause.kind.value, repr(clause.argument))
        return found

    def _enum(self, shape: Enum, path: str, stem: str) -> str:
        return self._alias(stem or _simple(shape), self._constrained(literal_type(shape.symbols), shape, path))

    def _tree(self, shape: Shape, raw: Any, path: str, stem: str) -> Tree:
        match shape:
            case Array():
                inner = self.type(shape.items, raw["items"], f"{path}[]", stem=f"{stem}Item")
                return self._constrained(f"list[{inner}]", shape, path)
            case Map():
                inner = self.type(shape.values, raw["values"], f"{path}{{}}", stem=f"{stem}Value")
                return f"dict[str, {inner}]"
            case Union():
                return self._union(shape, raw, path, stem)
            case Fixed() | Primitive():
                return self._constrained(_leaf(shape, plain=self._plain > 0), shape, path)
        return self.type(shape, raw, path)

    def _union(self, shape: Union, raw: Any, path: str, stem: str) -> Tree:
        inner = [(each, own) for each, own in zip(shape.branches, raw, strict=True) if each.kind != "null"]
        # Clauses are about the one type beside null; with several types there are none.
        only = path if len(inner) == 1 else f"{path}|"
        # Nobody can tell which branch a value of Python's own types was, so readers get Avro's plain ones.
        self._plain += len(inner) > 1
        parts = list(dict.fromkeys(self.type(each, own, only, stem=stem) for each, own in inner))
        self._plain -= len(inner) > 1
        if len(inner) < len(shape.branches) and not self._never_null(path):
            parts.append("None")
        text = " | ".join(parts)
        return text if len(text) <= _LONGEST or len(parts) == 1 else group("Union[", parts, "]")

    def _never_null(self, path: str) -> bool:
        required = [each for each in self._clauses.get(path, ()) if each.kind is ClauseKind.REQUIRED]
        self._said.update(each.id for each in required)
        return bool(required)

    def _constrained(self, base: Tree, shape: Shape, path: str) -> Tree:
        clauses = self._clauses.get(path, [])
        for clause in clauses:
            if literal := chosen(clause, shape):
                self._said.add(clause.id)
                return literal
        fields: dict[str, Tree] = {}
        for clause in clauses:
            said = arguments(clause, shape)
            # Of two patterns pydantic would take the last.
            if said is not None and not said.keys() & fields.keys():
                self._said.add(clause.id)
                fields.update(said)
        return group("Annotated[", [base, call("Field", **fields)], "]") if fields else base

    def _alias(self, stem: str, tree: Tree) -> str:
        name = self._names.add(stem)
        self.blocks.append(laid_out(tree, f"{name}: TypeAlias = "))
        return name

    def _record(self, shape: Record, raw: Any, path: str, told: str) -> str:
        name = self._names.add(shape.name.rpartition(".")[2])
        field = self._contract.field(path)
        doc = told or (field.description if field else "") or str(raw.get("doc") or "")
        whose = f"{'Part of a' if path else 'A'} record of {self._contract.product}."
        names = attributes(part.name for part in shape.fields)
        parts = zip(shape.fields, raw["fields"], strict=True)
        own = [self._field(part, entry, path, name, names[part.name]) for part, entry in parts]
        self.blocks.append(
            "\n".join([f"class {name}(_Record):", docstring(doc or whose, 4), *([""] if own else []), *own])
        )
        return name

    def _field(self, part: RecordField, raw: Any, path: str, owner: str, attribute: str) -> str:
        here = f"{path}.{part.name}".removeprefix(".")
        annotation = self.type(part.type, raw["type"], here, stem=f"{owner}{_camel(part.name)}")
        default = None if self._never_null(here) and raw.get("default") is None else self._default(part, raw, here)
        if attribute != part.name:
            annotated = group("Annotated[", [annotation, call("Field", alias=quoted(part.name))], "]")
            short = len(flat(annotated)) <= _LONGEST
            annotation = flat(annotated) if short else self._alias(f"{owner}{_camel(part.name)}", annotated)
        lines = [_assignment(attribute, annotation, default)]
        field = self._contract.field(here)
        doc = field.description if field else str(raw.get("doc") or "")
        return "\n".join([*lines, *([docstring(doc, 4)] if doc else [])])

    def _default(self, part: RecordField, raw: Any, path: str) -> Tree | None:
        """The default of a field; none where a clause refuses the contract's own."""
        if not part.has_default:
            return None
        for clause in self._clauses.get(path, ()):
            listed = clause.argument if clause.kind is ClauseKind.VALUES else None
            if isinstance(listed, tuple) and raw["default"] is not None and raw["default"] not in listed:
                return None
        return default_of(part.type, raw["default"], self._class_name, plain=self._plain > 0)

    def _class_name(self, record: Record) -> str:
        return self._latest[record.name]


def _assignment(name: str, annotation: str, default: Tree | None) -> str:
    """A field of a class; a long default is an argument of ``Field``, where a formatter leaves it."""
    before = f"{name}: {annotation}"
    if default is None:
        return f"    {before}"
    if mutable(default):
        return laid_out(Group("Field(", (("default_factory=lambda: ", default),), ")"), f"{before} = ", indent=4)
    short = laid_out(default, f"{before} = ", indent=4)
    return short if len(short) <= WIDTH else laid_out(call("Field", default=default), f"{before} = ", indent=4)


def _leaf(shape: Primitive | Fixed, *, plain: bool) -> Tree:
    logical = None if plain else shape.logical
    if logical is not None and logical.name == "decimal" and logical.precision:
        digits = call("Field", max_digits=str(logical.precision), decimal_places=str(logical.scale))
        return group("Annotated[", ["Decimal", digits], "]")
    if isinstance(shape, Fixed):
        size = str(shape.size)
        return group("Annotated[", ["bytes", call("Field", min_length=size, max_length=size)], "]")
    name = logical.name if logical else ""
    kind, _, unit = name.rpartition("-")
    known = _LOGICAL_UNITS.get(kind) if unit in MICROS else _LOGICAL.get(name)
    return known or _PLAIN.get(shape.kind, "float")


def _simple(shape: Shape) -> str:
    return shape.name.rpartition(".")[2] if isinstance(shape, Record | Enum | Fixed) else "Value"


def _camel(path: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"[^A-Za-z0-9]+", path))


def _field_names(schema: Any) -> Iterator[str]:
    """The names of all fields of all records of a schema."""
    if isinstance(schema, list):
        for branch in schema:
            yield from _field_names(branch)
    elif isinstance(schema, Mapping):
        for part in schema.get("fields", ()):
            yield str(part["name"])
            yield from _field_names(part["type"])
        for name in ("items", "values"):
            yield from _field_names(schema.get(name))
