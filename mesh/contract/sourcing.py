"""A derived product beside the contracts of its inputs: what it names must be there, and no class may fall silently."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Final

from mesh.contract.contract import Contract
from mesh.contract.derivation import PROPERTY
from mesh.contract.document import Place, Problems
from mesh.contract.fields import Field, custom_place
from mesh.contract.mapping import ColumnInput, Kind
from mesh.contract.remark import Group
from mesh.types import ProductName

_RECORD: Final[Place] = ("schema", 0)
_RANKS: Final = {"public": 0, "internal": 1, "confidential": 2, "restricted": 3}
# Classes of other words (pii, secret) are kept from reasons and logs like confidential ones.
_UNKNOWN: Final = 2
_INTERNAL: Final = 1


def check_inputs(contract: Contract, known: Mapping[ProductName, Contract], *, complete: bool = True) -> Problems:
    """What a derived product says of its inputs and their contracts deny.

    ``complete`` says that products which are not among ``known`` do not exist; else they are passed over.
    """
    problems = Problems(contract.document).within(Group.LINT)
    if contract.derivation is None:
        return problems
    for place, text in _missing(contract, known) if complete else ():
        problems.add(place, text)
    for each in contract.mapping.inputs():
        told = _unknown(each, known)
        if told is not None:
            problems.add(each.place, told)
    for place, text in _fallen(contract, known):
        problems.add(place, text)
    return problems


def _missing(contract: Contract, known: Mapping[ProductName, Contract]) -> Iterator[tuple[Place, str]]:
    place = custom_place(contract.document.source["schema"][0], _RECORD, PROPERTY)
    for index, product in enumerate(contract.derivation.inputs if contract.derivation else ()):
        if product not in known:
            hint = _close(str(product), [str(each) for each in known]) or "apply its contract first, or with this one"
            yield (*place, "inputs", index), f"there is no product {product}; {hint}"


def _unknown(source: ColumnInput, known: Mapping[ProductName, Contract]) -> str | None:
    contract = known.get(source.product)
    if contract is None or contract.field(source.path) is not None:
        return None
    paths = [field.path for top in contract.fields for field in top.walk()]
    hint = _close(source.path, paths) or f"it has {', '.join(paths[:8])}{' ...' if len(paths) > 8 else ''}"
    return f"{contract} has no field {source.path}; {hint}"


def _close(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"did you mean {close[0]}?" if close else ""


def _fallen(contract: Contract, known: Mapping[ProductName, Contract]) -> Iterator[tuple[Place, str]]:
    for path, inputs in contract.mapping.fields.items():
        output = contract.field(path)
        if output is None or path in contract.mapping.declassified:
            continue
        for each in inputs:
            source = _shown_of(each, known)
            if source is not None and _rank(source) > _claimed(output):
                said = output.classification or "without a classification"
                told = f"{path} is {said}, but {each}, which becomes part of it, is {source.classification}"
                yield each.place, f"{told}; classify it so, mask it, or say why not in declassified"


def _shown_of(source: ColumnInput, known: Mapping[ProductName, Contract]) -> Field | None:
    """The input's field, where its value shows in the output."""
    contract = known.get(source.product)
    shown = source.kind is Kind.DIRECT and not source.masking
    return contract.field(source.path) if contract is not None and shown else None


def _rank(source: Field) -> int:
    """An input claims no more than it says."""
    return _RANKS.get(source.classification, _UNKNOWN) if source.classification else 0


def _claimed(output: Field) -> int:
    """Nobody treats a field without a class as better guarded than an internal one."""
    return _RANKS.get(output.classification, _UNKNOWN) if output.classification else _INTERNAL
