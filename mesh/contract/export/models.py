"""A contract as a Python module of pydantic models, which ``publish`` takes and ``Record.as_model`` gives."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from mesh.contract.contract import Contract
from mesh.contract.export.classes import Classes
from mesh.contract.export.layout import docstring, quoted
from mesh.contract.shape import shape_of

_INTEGERS: Final = {
    "Int": "Int: TypeAlias = Annotated[int, Field(ge=-(2**31), lt=2**31)]",
    "Long": "Long: TypeAlias = Annotated[int, Field(ge=-(2**63), lt=2**63)]",
}
_TYPING: Final = ("Annotated", "Final", "Literal", "TypeAlias", "Union")
_PYDANTIC: Final = ("AwareDatetime", "BaseModel", "ConfigDict", "Field", "NaiveDatetime")
_BASE: Final = '''class _Record(BaseModel):
    """Of the schema exactly: nothing is converted, and no other field is taken."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        protected_namespaces=(),
        serialize_by_alias=True,
        use_attribute_docstrings=True,
        validate_by_alias=True,
        validate_by_name=True,
    )'''


def pydantic_module(contract: Contract) -> str:
    """The text of a module: a class for each record of the value, and one, or an alias, for the key.

    It holds the clauses that pydantic can say exactly, of those that keep a record off the public topic. mypy takes it
    under ``--strict``, and ruff's formatter finds nothing to change at 88 columns or more.
    """
    writing = Classes(contract)
    value = shape_of(contract.value_schema)
    writing.type(value, contract.value_schema, "")
    key = contract.key_schema
    if key != "null":
        writing.key(shape_of(key), key)
    body = "\n\n\n".join(["", _BASE, *writing.blocks])
    return _head(contract, writing.unsaid(), body) + body + "\n"


def _head(contract: Contract, unsaid: list[str], body: str) -> str:
    told = f"Models of the records of {contract.product} {contract.version}, from its contract {contract.id}."
    more = "Written by mesh contract export pydantic: change the contract, not this module."
    more += f" Rules that the mesh alone checks: {', '.join(unsaid)}." if unsaid else ""
    constants = [f"PRODUCT: Final = {quoted(str(contract.product))}", f"VERSION: Final = {quoted(contract.version)}"]
    names = _names("\n".join([*constants, body]))
    aliases = [text for name, text in _INTEGERS.items() if name in names]
    names |= _names("\n".join(aliases))
    imports = "\n".join(_imports(names))
    sections = [docstring(told, more=more), "from __future__ import annotations", imports, "\n".join(constants)]
    return "\n\n".join([*sections, *(["\n".join(aliases)] if aliases else [])])


def _names(source: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}


def _imports(names: set[str]) -> Iterator[str]:
    if "dt" in names:
        yield "import datetime as dt"
    if "Decimal" in names:
        yield "from decimal import Decimal"
    yield f"from typing import {', '.join(name for name in _TYPING if name in names)}"
    if "UUID" in names:
        yield "from uuid import UUID"
    yield f"\nfrom pydantic import {', '.join(name for name in _PYDANTIC if name in names)}"
