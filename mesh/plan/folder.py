"""A folder of contracts: ``<domain>/<product>.odcs.yaml`` and what ``policy.yaml`` says about the whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mesh.contract import Contract, Document
from mesh.contract.policing import Case, judge
from mesh.contract.policy import Policies
from mesh.contract.sourcing import check_inputs
from mesh.errors import ContractInvalid, NotFound, SettingsError
from mesh.judge.direction import sampled
from mesh.types import ProductName, Topic

POLICY = "policy.yaml"


@dataclass(frozen=True, slots=True)
class Folder:
    """Contracts that are applied together, and the name of where they come from."""

    source: str
    contracts: tuple[Contract, ...]
    policies: Policies | None = None

    @classmethod
    def read(cls, path: Path, source: str | None = None) -> Folder:
        """Every contract in the folder, sorted by file.

        ``source`` is else the policy's ``source``, else the name of the folder above: never a path of this machine.
        Raises NotFound without a contract, SettingsError for a policy file that cannot be used, and ContractInvalid
        with the problems of all documents at once, or with all that the policies have against them.
        """
        files = sorted(path.glob("*/*.odcs.yaml"))
        if not files:
            raise NotFound("contract in", str(path), "contracts lie in <folder>/<domain>/<product>.odcs.yaml")
        policies = _policies(path / POLICY)
        named = policies.source if policies is not None else None
        folder = cls(source or named or path.resolve().parent.name, _read_all(files), policies)
        folder.refuse({})
        folder.refuse_inputs({}, complete=False)
        return folder

    def refuse(self, registered: Mapping[Topic, Document]) -> None:
        """Judge every contract by the policies, the version step against what is registered for its topic.

        Raises ContractInvalid with every finding that is an error.
        """
        if self.policies is None:
            return
        today = datetime.now(UTC).date()
        cases = [Case(each, today, registered.get(each.topics.public), sampled()) for each in self.contracts]
        found = [str(remark) for case in cases for remark in judge(self.policies, case) if remark.refuses]
        if found:
            raise ContractInvalid(list(dict.fromkeys(found)))

    @property
    def unheld(self) -> frozenset[ProductName]:
        """The inputs of its derived products whose contracts are not in the folder."""
        held = {each.product for each in self.contracts}
        wanted = {name for each in self.contracts if each.derivation for name in each.derivation.inputs}
        return frozenset(wanted - held)

    def refuse_inputs(self, applied: Mapping[ProductName, Contract], *, complete: bool = True) -> None:
        """Judge what derived products say of their inputs by the contracts here and the ``applied`` ones.

        Raises ContractInvalid for an unknown field, a class that falls silently and, where ``complete``, an input that
        is neither here nor applied.
        """
        here = sorted(self.contracts, key=lambda each: each.major)
        known = {**applied, **{each.product: each for each in here}}
        found = [text for each in self.contracts for text in check_inputs(each, known, complete=complete)]
        if found:
            raise ContractInvalid(found)


def _read_all(files: Iterable[Path]) -> tuple[Contract, ...]:
    problems: list[str] = []
    found: dict[Topic, tuple[Path, Contract]] = {}
    for file in files:
        try:
            contract = Contract.read(file)
        except ContractInvalid as error:
            problems += error.problems
            continue
        problems += _misplaced(file, contract)
        other, _ = found.setdefault(contract.topics.public, (file, contract))
        if other != file:
            problems.append(f"{file}:1: name: {contract.topics.public} is already described by {other}")
    if problems:
        raise ContractInvalid(problems)
    return tuple(contract for _, contract in found.values())


def _misplaced(file: Path, contract: Contract) -> list[str]:
    domain = contract.product.domain
    if file.parent.name == domain:
        return []
    return [f"{file}:1: domain: a contract of {domain} lies in the folder {domain}, not in {file.parent.name}"]


def _policies(path: Path) -> Policies | None:
    if not path.is_file():
        return None
    try:
        return Policies.read(path)
    except ContractInvalid as error:
        raise SettingsError(f"the policy file cannot be used: {'; '.join(error.problems)}") from None
